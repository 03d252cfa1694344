// A stack whose database an older server has made, with a relocation where RELOCATION has its props. `test/day-two/test_relocate.py` applies it.
import { App, Chart, Size } from 'cdk8s';
import { Minio, MlflowStack, Postgres, Relocation } from '../../../lib';
import { requestLittleCpu } from '../../small-requests';

const app = new App();
const chart = new Chart(app, 'mlflow', { namespace: 'dayold-relocate' });
const store = { instance: 'mlflow', storageSize: Size.gibibytes(1) };
const { trackingServer: server } = new MlflowStack(chart, 'Stack', {
  backendStore: new Postgres(chart, 'BackendStore', store),
  artifactStore: new Minio(chart, 'ArtifactStore', store),
  trackingServer: { preflight: { upgradeSchema: true } },
  schemaUpgrade: { storageSize: Size.gibibytes(1) },
});
const props = process.env.RELOCATION;
if (props) new Relocation(chart, 'Relocation', { server, ...(JSON.parse(props) as object) });
requestLittleCpu(app);
app.synth();
