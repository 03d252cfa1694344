// A tracking server put together from its parts, and an add-on that is not in the library. It does with the public ports of
// the server what those of the library do: variables, volumes and connections, each set once, by an owner that faults name.
import { App, Chart } from 'cdk8s';
import { Credentials, Metrics, Minio, Oauth2Proxy, Postgres, ProgramsChart, ServerIngress, TrackingServer, ITrackingServer } from 'cdk8s-mlflow';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';

interface ModelProviderProps {
  readonly server: ITrackingServer;
  readonly url: string;
  readonly cidr: string;
}

/** Lets MLflow call the company's language models: where they are, the key, the authority of the certificate, the way there. */
class ModelProvider extends Construct {
  public constructor(scope: Construct, id: string, { server, url, cidr }: ModelProviderProps) {
    super(scope, id);
    const file = { name: 'company-ca', mountPath: '/etc/company-ca', readOnly: true };
    server.addVolume(this, { name: file.name, configMap: { name: 'company-ca' } }, file);
    server.addVariable(this, { name: 'SSL_CERT_FILE', value: `${file.mountPath}/ca.crt` });
    server.addVariable(this, { name: 'OPENAI_BASE_URL', value: url });
    server.addVariable(this, { name: 'OPENAI_API_KEY', valueFrom: { secretKeyRef: { name: 'model-provider', key: 'api-key' } } });
    server.allowTo({ to: [{ ipBlock: { cidr } }], ports: [{ protocol: 'TCP', port: k8s.IntOrString.fromNumber(443) }] });
  }
}

const app = new App();
const chart = new Chart(app, 'mlflow', { namespace: 'ml-platform' });
new ProgramsChart(app, 'mlflow-programs', { chart });

const server = new TrackingServer(chart, 'Server', { backendStore: new Postgres(chart, 'Database'), artifactStore: new Minio(chart, 'Bucket') });
new ModelProvider(chart, 'ModelProvider', { server, url: 'https://models.example.com/v1', cidr: '10.40.0.0/16' });

new Metrics(chart, 'Metrics', { server, scrapers: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }] });

const login = new Oauth2Proxy(chart, 'Login', {
  server,
  issuerUrl: 'https://login.example.com/realms/ml',
  clientCredentials: Credentials.fromSecretName(chart, 'Client', 'mlflow-oidc', { usernameKey: 'client-id', passwordKey: 'client-secret' }),
  externalUrl: 'https://mlflow.example.com',
});
new ServerIngress(chart, 'Ingress', { target: login, hosts: ['mlflow.example.com'], tls: { secretName: 'mlflow-tls' } });

app.synth();
