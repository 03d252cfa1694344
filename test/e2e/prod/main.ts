// A stack with all options of a production that the test cluster can run. `test/e2e/conftest.py` applies it.
import { App, Chart, Duration, Size } from 'cdk8s';
import { Minio, MlflowStack } from '../../../lib';

const app = new App();
const chart = new Chart(app, 'prod', { namespace: 'mlflow-prod' });
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
  trackingServer: {
    replicas: 2,
    staticPrefix: '/mlflow',
    deriveAllowedHosts: true,
    ingress: { hosts: ['mlflow.example.com'], className: 'nginx', tls: { certificate: { issuerName: 'letsencrypt' } } },
    httpRoute: { hosts: ['gateway.example.com'], gatewayName: 'public', gatewayNamespace: 'gateways' },
    basicAuth: {},
    metrics: {},
    garbageCollection: { olderThan: Duration.seconds(1) },
    podDisruptionBudget: {},
    networkPolicy: { clients: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'mlflow-clients' } } }] },
  },
});
app.synth();
