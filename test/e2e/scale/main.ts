// A stack with three artifact servers behind one tracking server. `test/e2e/test_scale.py` applies it.
import { App, Chart } from 'cdk8s';
import { MlflowStack, ProgramsChart } from '../../../lib';
import { requestLittleCpu } from '../../small-requests';

const app = new App();
const chart = new Chart(app, 'mlflow', { namespace: 'mlflow-scale' });
new ProgramsChart(app, 'mlflow-programs', { chart });
new MlflowStack(chart, 'Stack', {
  splitTopology: { replicas: 3 },
  metrics: { serviceMonitor: false, alerts: false, dashboard: false },
});
requestLittleCpu(app);
app.synth();
