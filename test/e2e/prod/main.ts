// A stack with all options of a production that the test cluster can run. `test/e2e/conftest.py` applies it.
import { App, Chart, Duration, Size } from 'cdk8s';
import { Login, Minio, MlflowStack, ProgramsChart } from '../../../lib';
import { requestLittleCpu } from '../../small-requests';

const app = new App();
const chart = new Chart(app, 'mlflow', { namespace: 'mlflow-prod' });
new ProgramsChart(app, 'mlflow-programs', { chart });
const client = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'mlflow-clients' } } };
const topologySpread = [{ topologyKey: 'kubernetes.io/hostname' }];
new MlflowStack(chart, 'Stack', {
  pod: { topologySpread },
  artifactStore: new Minio(chart, 'ArtifactStore', {
    instance: 'mlflow',
    versioning: true,
    lifecycleRules: [{ noncurrentExpireDays: 7 }],
    storageSize: Size.gibibytes(10),
    quota: Size.gibibytes(5),
    pod: { topologySpread },
  }),
  login: Login.basicAuth(),
  ingress: { hosts: ['mlflow.example.com'], className: 'nginx', tls: { certificate: { issuerName: 'letsencrypt' } } },
  httpRoute: { hosts: ['gateway.example.com'], gatewayName: 'public', gatewayNamespace: 'gateways' },
  metrics: { scrapers: [client] },
  garbageCollection: { olderThan: Duration.seconds(1) },
  podDisruptionBudget: {},
  trackingServer: {
    replicas: 2,
    settings: { staticPrefix: '/mlflow', deriveAllowedHosts: true },
    networkPolicy: { clients: [client] },
  },
});
requestLittleCpu(app);
app.synth();
