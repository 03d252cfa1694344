// MLflow for browsers and programs outside of the cluster, twice: behind an Ingress under a path, with MLflow's own users and
// a certificate from cert-manager; and behind a Gateway, which has the certificate, with the single sign-on of the company.
import { App, Chart } from 'cdk8s';
import { Credentials, DefaultPermission, Login, MlflowStack, ProgramsChart } from 'cdk8s-mlflow';

const users = new App();
const ml = new Chart(users, 'mlflow-users', { namespace: 'mlflow-users' });
new ProgramsChart(users, 'mlflow-users-programs', { chart: ml });
new MlflowStack(ml, 'Stack', {
  ingress: { hosts: ['ml.example.com'], className: 'nginx', tls: { certificate: { issuerName: 'letsencrypt' } } },
  login: Login.basicAuth({ defaultPermission: DefaultPermission.NO_PERMISSIONS }),
  trackingServer: { settings: { staticPrefix: '/mlflow', deriveAllowedHosts: true } },
});
users.synth();

const sso = new App();
const chart = new Chart(sso, 'mlflow-sso', { namespace: 'mlflow-sso' });
new ProgramsChart(sso, 'mlflow-sso-programs', { chart });
// the provider has to know https://mlflow.example.com/oauth2/callback
new MlflowStack(chart, 'Stack', {
  httpRoute: { hosts: ['mlflow.example.com'], gatewayName: 'public', gatewayNamespace: 'gateways', tls: { secretName: 'mlflow-tls' } },
  login: Login.oidc({
    issuerUrl: 'https://login.example.com/realms/ml',
    clientCredentials: Credentials.fromSecretName(chart, 'Client', 'mlflow-oidc', { usernameKey: 'client-id', passwordKey: 'client-secret' }),
    allowedGroups: ['data-science'],
  }),
  trackingServer: { settings: { deriveAllowedHosts: true } },
});
sso.synth();
