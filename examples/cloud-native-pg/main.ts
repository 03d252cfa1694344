// The database is a cluster of three PostgreSQL by the operator CloudNativePG, with nightly backups and metrics; two tracking
// servers go on while one of each is away.
import { App, Chart, Size } from 'cdk8s';
import { CloudNativePg, MlflowStack, ProgramsChart } from 'cdk8s-mlflow';

const app = new App();
const chart = new Chart(app, 'mlflow', { namespace: 'mlflow' });
new ProgramsChart(app, 'mlflow-programs', { chart });

new MlflowStack(chart, 'Stack', {
  backendStore: new CloudNativePg(chart, 'BackendStore', {
    storageSize: Size.gibibytes(20),
    backup: { schedule: '0 3 * * *', objectStoreName: 'mlflow-database' },
    monitoring: { labels: { release: 'kube-prometheus-stack' } },
    pod: { topologySpread: [{ topologyKey: 'topology.kubernetes.io/zone' }] },
  }),
  trackingServer: { replicas: 2 },
});

app.synth();
