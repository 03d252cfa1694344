import { Chart, Testing } from 'cdk8s';
import { MlflowStack, Postgres } from 'cdk8s-mlflow';
import { Container, EnvValue, Pods, Secret, ServiceAccount, Volume } from 'cdk8s-plus-28';

// Objects of cdk8s-plus themselves, which the types refuse: one message each.
const mistakes: ((chart: Chart) => object)[] = [
  () => ({ trackingServer: { pod: { sidecars: [new Container({ image: 'busybox:1.36', name: 'log' })] } } }),
  (chart) => ({ trackingServer: { pod: { volumes: [Volume.fromEmptyDir(chart, 'Other', 'scratch')] } } }),
  (chart) => ({ backendStore: new Postgres(chart, 'Database', { instance: 'mlflow', credentials: new Secret(chart, 'Other', { metadata: { name: 'other' } }) as never }) }),
  (chart) => ({ serviceAccount: new ServiceAccount(chart, 'Other', { metadata: { name: 'other' } }) }),
  () => ({ trackingServer: { extraEnv: [{ name: 'A', value: EnvValue.fromValue('a') }] } }),
  (chart) => ({ trackingServer: { networkPolicy: { clients: [Pods.select(chart, 'Other', { labels: { app: 'a' } })] } } }),
];
const messages = mistakes.map((props) => {
  const chart = new Chart(Testing.app(), 'platform', { namespace: 'platform' });
  new MlflowStack(chart, 'Mlflow', props(chart) as never);
  try {
    return Testing.synth(chart).length;
  } catch (error) {
    return (error as Error).message;
  }
});
console.log(JSON.stringify(messages));
