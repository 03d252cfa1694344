// MLflow complete: tracking server, PostgreSQL, MinIO, and the namespace around them. Its programs stand in a file of their
// own, dist/programs.k8s.yaml, so that dist/mlflow.k8s.yaml is what a reviewer reads.
import { App, Chart } from 'cdk8s';
import { MlflowStack, ProgramsChart } from 'cdk8s-mlflow';

const app = new App();
const chart = new Chart(app, 'mlflow', { namespace: 'mlflow' });
new ProgramsChart(app, 'mlflow-programs', { chart });

new MlflowStack(chart, 'Stack');

app.synth();
