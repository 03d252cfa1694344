import { Chart, Testing } from 'cdk8s';
import { Gcs, GcsProps } from '../../lib/artifact-store/gcs';
import { faults } from '../helpers';

function made(props: Partial<GcsProps> = {}) {
  const chart = Testing.chart();
  const store = new Gcs(chart, 'Store', { bucket: 'models', ...props });
  return { chart, store, faults: faults(chart) };
}

function connections(store: Gcs) {
  return store.egress!.map(({ to, ports }) => [to?.map(({ ipBlock }) => ipBlock!.cidr), ports!.map(({ port }) => port!.value)]);
}

test('without a key the pods are known by their ServiceAccount, and reach the metadata server', () => {
  const { chart, store } = made({ prefix: 'mlflow/a' });
  expect(Testing.synth(chart)).toEqual([]);
  expect(store).toMatchObject({ artifactsDestination: 'gs://models/mlflow/a', bucket: 'models', usesPodIdentity: true, environment: [] });
  expect([store.secretNamespace, store.volumes, store.volumeMounts]).toEqual([undefined, undefined, undefined]);
  expect(connections(store)).toEqual([
    [undefined, [443]],
    [['169.254.169.254/32'], [80]],
    [['169.254.169.252/32'], [988]],
  ]);
});

test('with a key the file is mounted', () => {
  const { store, faults } = made({ key: { secretName: 'gcs', key: 'sa.json' }, namespace: 'team-a' });
  expect(faults).toEqual([]);
  expect(store).toMatchObject({ artifactsDestination: 'gs://models', usesPodIdentity: false, secretNamespace: 'team-a' });
  expect(store.environment).toEqual([{ name: 'GOOGLE_APPLICATION_CREDENTIALS', value: '/etc/mlflow/artifact-store-key/key.json' }]);
  expect(store.volumes).toEqual([{ name: 'artifact-store-key', secret: { secretName: 'gcs', items: [{ key: 'sa.json', path: 'key.json' }], defaultMode: 0o440 } }]);
  expect(store.volumeMounts).toEqual([{ name: 'artifact-store-key', mountPath: '/etc/mlflow/artifact-store-key' }]);
  expect(connections(store)).toEqual([[undefined, [443]]]);
});

test('the namespace of the Secret is that of the chart', () => {
  const chart = new Chart(Testing.app(), 'test', { namespace: 'from-chart' });
  expect(new Gcs(chart, 'Store', { bucket: 'models', key: { secretName: 'gcs', key: 'key.json' } }).secretNamespace).toBe('from-chart');
});

test.each(['abc', 'my_models', 'models.example.com', 'a'.repeat(63), `${'a'.repeat(63)}.${'b'.repeat(63)}`])('the bucket %s is taken', (bucket) => {
  expect(made({ bucket }).faults).toEqual([]);
});

test.each<unknown>(['', 'ab', 'Models', '-models', 'models-', 'a'.repeat(64), 'a..b', '10.0.0.1', 'goog-models', 'my-google', 'g00gle-x', 'gs://models', 5])('the bucket %j is refused', (bucket) => {
  expect(made({ bucket: bucket as string }).faults).toEqual([expect.stringMatching(/^\[test\/Store\] bucket: got .+\. Rule: a bucket name has .+\. Fix: .+\.$/)]);
});

test.each<[object, string, string]>([
  [{ prefix: 'a/' }, 'prefix', '"a/"'],
  [{ key: {} }, 'key.secretName', 'undefined'],
  [{ key: { secretName: 'A', key: 'k' } }, 'key.secretName', '"A"'],
  [{ key: { secretName: 'a', key: 'k/l' } }, 'key.key', '"k/l"'],
  [{ key: { secretName: 'a', key: 'k', namespace: 'b' } }, 'key.namespace', 'a string'],
  [{ key: 'gcs' }, 'key', 'a string'],
  [{ namespace: 'Team A', key: { secretName: 'a', key: 'k' } }, 'namespace', '"Team A"'],
])('%j is refused', (props, prop, got) => {
  expect(made(props).faults[0]).toMatch(new RegExp(`^\\[test/Store\\] ${prop.replace('.', '\\.')}: got ${got}\\. Rule: .+\\. Fix: .+\\.$`));
});

test('a namespace without a Secret is a fault that names both', () => {
  expect(made({ namespace: 'team-a' }).faults).toEqual([
    '[test/Store] namespace: got "team-a". Rule: it is the namespace of the Secret of key, and there is none. Fix: leave namespace out, or pass key.',
  ]);
});

test('the bucket has to be given', () => {
  expect(made({ bucket: undefined }).faults).toEqual(['[test/Store] bucket: got undefined. Rule: the bucket has to be given. Fix: pass "my-mlflow-artifacts".']);
});
