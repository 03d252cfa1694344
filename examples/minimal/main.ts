// MLflow complete: tracking server, PostgreSQL, MinIO, and the namespace around them.
import { App, Chart } from 'cdk8s';
import { MlflowStack } from 'cdk8s-mlflow';

const app = new App();
const chart = new Chart(app, 'mlflow', { namespace: 'mlflow' });

new MlflowStack(chart, 'Stack');

app.synth();
