// A stack with a login and a token for Prometheus, in the generations that GENERATIONS says. `test/day-two/test_rotation.py` applies it.
import { App, Chart } from 'cdk8s';
import { DefaultPermission, Login, MlflowStack, ProgramsChart } from '../../../lib';
import { requestLittleCpu } from '../../small-requests';

const { login, token, kekVersion, webhookKeyVersion, ...generations } = JSON.parse(process.env.GENERATIONS ?? '{}') as { [credential: string]: number };
const app = new App();
const chart = new Chart(app, 'mlflow', { namespace: 'rotate-e2e' });
new ProgramsChart(app, 'mlflow-programs', { chart });
new MlflowStack(chart, 'Stack', {
  generations,
  login: Login.basicAuth({ generation: login, defaultPermission: DefaultPermission.EDIT }),
  // the cluster has no Prometheus: the test leaves the ServiceMonitors out
  metrics: { tokenGeneration: token, alerts: false, dashboard: false },
  trackingServer: { secrets: { kekVersion, webhookKeyVersion } },
});
requestLittleCpu(app);
app.synth();
