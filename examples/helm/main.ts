// The stack as a Helm chart, for those who install with Helm: cdk8s.yaml asks for the format. The values are set here, in
// TypeScript; the chart has no values. Its name and what Artifact Hub shows of it are in chart.mjs.
import { App, Chart } from 'cdk8s';
import { MlflowStack, ProgramsChart } from 'cdk8s-mlflow';

const app = new App();
const chart = new Chart(app, 'mlflow', { namespace: 'mlflow' });
new ProgramsChart(app, 'mlflow-programs', { chart });

new MlflowStack(chart, 'Stack', { createNamespace: false });

app.synth();
