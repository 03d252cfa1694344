import { Chart, Testing } from 'cdk8s';
import { ExternalDatabase, ExternalDatabaseProps } from '../../lib/backend-store/external-database';
import { faults } from '../helpers';

function made(props: Partial<ExternalDatabaseProps> = {}) {
  const chart = Testing.chart();
  const store = new ExternalDatabase(chart, 'Database', { secretName: 'db', port: 3306, ...props });
  return { chart, store, faults: faults(chart) };
}

test('what it tells the tracking server', () => {
  const { chart, store } = made();
  expect(Testing.synth(chart)).toEqual([]);
  expect(store.uri).toBeUndefined();
  expect(store.secretNamespace).toBe('mlflow');
  expect(store.environment).toEqual([{ name: 'MLFLOW_BACKEND_STORE_URI', valueFrom: { secretKeyRef: { name: 'db', key: 'uri' } } }]);
  expect(store.egress!.map(({ to, ports }) => [to, ports!.map(({ port }) => port!.value)])).toEqual([[undefined, [3306]]]);
});

test('takes namespace, keys, replica and ranges', () => {
  const { store, faults } = made({ namespace: 'team-a', key: 'URL', readReplicaKey: 'READ_URL', port: 1433, cidrs: ['10.1.0.0/16'] });
  expect(faults).toEqual([]);
  expect(store.secretNamespace).toBe('team-a');
  expect(store.environment).toEqual([
    { name: 'MLFLOW_BACKEND_STORE_URI', valueFrom: { secretKeyRef: { name: 'db', key: 'URL' } } },
    { name: 'MLFLOW_READ_REPLICA_BACKEND_STORE_URI', valueFrom: { secretKeyRef: { name: 'db', key: 'READ_URL' } } },
  ]);
  expect(store.egress!.map(({ to, ports }) => [to, ports!.map(({ port }) => port!.value)])).toEqual([[[{ ipBlock: { cidr: '10.1.0.0/16' } }], [1433]]]);
});

test('the namespace is that of the chart', () => {
  const chart = new Chart(Testing.app(), 'test', { namespace: 'from-chart' });
  expect(new ExternalDatabase(chart, 'Database', { secretName: 'db', port: 3306 }).secretNamespace).toBe('from-chart');
});

test.each<[string, unknown]>([
  ['secretName', 'My_Secret'],
  ['namespace', 'Team A'],
  ['key', 'a/b'],
  ['readReplicaKey', 'a b'],
  ['port', 0],
  ['port', '3306'],
  ['cidrs', []],
])('%s cannot be %j', (prop, value) => {
  expect(made({ [prop]: value }).faults).toEqual([expect.stringMatching(`^\\[test/Database\\] ${prop}: got .+\\. Rule: .+\\. Fix: .+\\.$`)]);
});

test.each([{ readReplicaKey: 'uri' }, { key: 'a', readReplicaKey: 'a' }])('%j: one key for both is refused', (props) => {
  expect(made(props).faults).toEqual([expect.stringMatching(/^\[test\/Database\] readReplicaKey: got ".+"\. Rule: server and replica have two URIs under two keys, here both under key\. Fix: .+\.$/)]);
});

test('Secret and port have to be given', () => {
  const chart = Testing.chart();
  new ExternalDatabase(chart, 'Database', {} as ExternalDatabaseProps);
  expect(faults(chart)).toEqual([
    '[test/Database] secretName: got undefined. Rule: the Secret with the URI has to be given. Fix: pass "mlflow-database".',
    '[test/Database] port: got undefined. Rule: the port of the server has to be given. Fix: pass 3306.',
  ]);
});

test('a URI as a prop is refused and not shown', () => {
  const messages = made({ uri: 'mysql+pymysql://mlflow:hunter2@db/mlflow' } as object).faults;
  expect(messages).toHaveLength(1);
  expect(messages[0]).toContain('[test/Database] uri: got a string. Rule: there is no prop of this name');
});
