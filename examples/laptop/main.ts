// For one person, on a laptop: kind with 2 CPUs has room for it beside what Kubernetes itself asks for.
import { App, Chart } from 'cdk8s';
import { MlflowStack, ProgramsChart, StackSize } from 'cdk8s-mlflow';

const app = new App();
const chart = new Chart(app, 'mlflow', { namespace: 'mlflow' });
new ProgramsChart(app, 'mlflow-programs', { chart });

new MlflowStack(chart, 'Stack', { size: StackSize.TINY });

app.synth();
