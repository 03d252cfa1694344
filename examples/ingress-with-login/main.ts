// MLflow for browsers and programs outside of the cluster, twice: behind an Ingress under a path, with MLflow's own users and
// a certificate from cert-manager; and behind a Gateway, which has the certificate, with the single sign-on of the company.
import { App, Chart } from 'cdk8s';
import { Credentials, DefaultPermission, MlflowStack } from 'cdk8s-mlflow';

const users = new App();
new MlflowStack(new Chart(users, 'mlflow-users', { namespace: 'mlflow-users' }), 'Stack', {
  trackingServer: {
    staticPrefix: '/mlflow',
    ingress: { hosts: ['ml.example.com'], className: 'nginx', tls: { certificate: { issuerName: 'letsencrypt' } } },
    deriveAllowedHosts: true,
    basicAuth: { defaultPermission: DefaultPermission.NO_PERMISSIONS },
  },
});
users.synth();

const sso = new App();
const chart = new Chart(sso, 'mlflow-sso', { namespace: 'mlflow-sso' });
// the provider has to know https://mlflow.example.com/oauth2/callback
new MlflowStack(chart, 'Stack', {
  trackingServer: {
    httpRoute: { hosts: ['mlflow.example.com'], gatewayName: 'public', gatewayNamespace: 'gateways', tls: { secretName: 'mlflow-tls' } },
    deriveAllowedHosts: true,
    oidc: {
      issuerUrl: 'https://login.example.com/realms/ml',
      clientCredentials: Credentials.fromSecretName(chart, 'Client', 'mlflow-oidc', { usernameKey: 'client-id', passwordKey: 'client-secret' }),
      allowedGroups: ['data-science'],
    },
  },
});
sso.synth();
