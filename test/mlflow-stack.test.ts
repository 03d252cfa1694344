import { Chart, Testing } from 'cdk8s';
import { MlflowStack } from '../lib';

test('the default stack', () => {
  const chart = new Chart(Testing.app(), 'mlflow');
  new MlflowStack(chart, 'Stack');
  expect(Testing.synth(chart)).toMatchSnapshot();
});
