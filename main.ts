import { App, Chart } from 'cdk8s';
import { MlflowStack } from './lib';

const app = new App();
const chart = new Chart(app, 'mlflow', { namespace: 'mlflow' });

new MlflowStack(chart, 'Stack');

app.synth();
