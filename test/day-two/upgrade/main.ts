// Three servers on databases that MLflow 2.22, 3.1 and 3.10 have made, in one PostgreSQL. STAGE says what of it there is:
// the stores, the servers as somebody applies them by surprise, or with the upgrade. `test/day-two/test_upgrade.py` applies it.
import { App, Chart, Size } from 'cdk8s';
import { IBackendStore, Minio, MlflowStack, Postgres, SchemaUpgrade, TrackingServer } from '../../../lib';
import { requestLittleCpu } from '../../small-requests';

const stage = process.env.STAGE as 'stores' | 'surprise' | 'upgrade';
const app = new App();
const chart = new Chart(app, 'mlflow', { namespace: 'dayold-upgrade' });
const store = { instance: 'mlflow', storageSize: Size.gibibytes(1) };
const backendStore = new Postgres(chart, 'BackendStore', store);
const artifactStore = new Minio(chart, 'ArtifactStore', store);

if (stage !== 'stores') {
  const preflight = { upgradeSchema: stage === 'upgrade' };
  const schemaUpgrade = { storageSize: Size.gibibytes(1) };
  new MlflowStack(chart, 'Stack', {
    createNamespace: false,
    backendStore,
    artifactStore,
    trackingServer: { replicas: 2, preflight },
    ...(stage === 'upgrade' && { schemaUpgrade }),
  });
  for (const version of ['3-1', '3-10']) {
    const { uri, environment, connections } = backendStore;
    const database: IBackendStore = { uri: uri!.replace('5432/mlflow', `5432/old_${version.replace('-', '_')}`), environment, connections };
    const server = new TrackingServer(chart, `From ${version}`, {
      name: `from-${version}`,
      backendStore: database,
      artifactStore,
      preflight: { ...preflight, monitor: false },
    });
    if (stage === 'upgrade') new SchemaUpgrade(chart, `Upgrade from ${version}`, { server, ...schemaUpgrade });
  }
}
requestLittleCpu(app);
app.synth();
