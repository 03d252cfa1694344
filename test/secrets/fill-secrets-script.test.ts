import { Chart, Testing } from 'cdk8s';
import { FILL_SECRETS_PY, OUTDATED_PODS_PY, SECRET_API_PY } from '../../lib/assets.generated';
import { ProgramsChart } from '../../lib/kube/programs-chart';
import { fillSecretsScript } from '../../lib/secrets/fill-secrets-script';
import { Minio, Postgres } from '../../lib';
import { faults, get, ofKind } from '../helpers';

test('it has the script, and the labels of its instance', () => {
  const chart = Testing.chart();
  fillSecretsScript(chart, 'vision', 'team-a');
  expect(Testing.synth(chart)).toEqual([
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: 'vision-fill-secrets',
        namespace: 'team-a',
        labels: expect.objectContaining({ 'app.kubernetes.io/instance': 'vision', 'app.kubernetes.io/component': 'fill-secrets' }),
      },
      data: { 'fill-secrets.py': FILL_SECRETS_PY, 'outdated_pods.py': OUTDATED_PODS_PY, 'secret_api.py': SECRET_API_PY },
    },
  ]);
});

test('two stores of an instance have one, and it is told by both', () => {
  const chart = Testing.chart();
  const postgres = new Postgres(chart, 'Postgres', { instance: 'mlflow' });
  const minio = new Minio(chart, 'Minio', { instance: 'mlflow' });
  expect(postgres.fillSecretsScript).toBe(minio.fillSecretsScript);
  expect(ofKind(Testing.synth(chart), 'ConfigMap').map(({ metadata }) => metadata.name)).toEqual(['postgres', 'postgres-bootstrap', 'mlflow-fill-secrets', 'minio-bootstrap']);
});

test('stores in two charts of an app have one', () => {
  const app = Testing.app();
  const [first, second] = ['first', 'second'].map((id) => new Chart(app, id));
  const { fillSecretsScript: script } = new Postgres(first, 'Postgres', { instance: 'mlflow' });
  expect(new Minio(second, 'Minio', { instance: 'mlflow' }).fillSecretsScript).toBe(script);
  get(Testing.synth(first), 'ConfigMap', 'mlflow-fill-secrets');
  expect(ofKind(Testing.synth(second), 'ConfigMap').map(({ metadata }) => metadata.name)).toEqual(['minio-bootstrap']);
});

test('each instance and each namespace has its own, in one chart too', () => {
  const chart = Testing.chart();
  const scripts = [['a', 'here'], ['a', 'there'], ['b', 'here']].map(([instance, namespace]) => fillSecretsScript(chart, instance, namespace));
  expect(new Set(scripts).size).toBe(3);
  expect(fillSecretsScript(chart, 'a', 'here')).toBe(scripts[0]);
});

test('it stands in the ProgramsChart of the chart, with the script of the store', () => {
  const app = Testing.app();
  const chart = new Chart(app, 'mlflow');
  const programs = new ProgramsChart(app, 'mlflow-programs', { chart });
  const minio = new Minio(chart, 'Minio');
  expect(ofKind(Testing.synth(chart), 'ConfigMap')).toEqual([]);
  expect(Testing.synth(programs).map(({ metadata }) => metadata.name)).toEqual(['minio-fill-secrets', 'minio-bootstrap']);
  expect([minio.fillSecretsScript, minio.bootstrapScripts].map((one) => Chart.of(one))).toEqual([programs, programs]);
});

test.each([['Team_A'], ['a.b'], ['a'.repeat(63)], ['0'.repeat(51)]])('the name for instance %s is a name of at most 63 characters, and its own', (instance) => {
  const chart = Testing.chart();
  const { name } = fillSecretsScript(chart, instance, 'here');
  expect(name).toMatch(/^(?=.{1,63}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
  expect(name).not.toBe(fillSecretsScript(chart, `${instance.slice(1)}x`, 'here').name);
  expect(faults(chart)).toEqual([]);
});
