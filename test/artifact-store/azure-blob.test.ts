import { Chart, Testing } from 'cdk8s';
import { AzureBlob, AzureBlobProps, AzureCloud } from '../../lib/artifact-store/azure-blob';
import { faults } from '../helpers';

const KEY = { secretName: 'azure', key: 'access-key' };

function made(props: Partial<AzureBlobProps> = {}) {
  const chart = Testing.chart();
  const store = new AzureBlob(chart, 'Store', { account: 'mymlflow', container: 'models', ...props });
  return { chart, store, faults: faults(chart) };
}

test('without a key the pods are known by their ServiceAccount', () => {
  const { chart, store } = made();
  expect(Testing.synth(chart)).toEqual([]);
  expect(store).toMatchObject({
    artifactsDestination: 'wasbs://models@mymlflow.blob.core.windows.net',
    account: 'mymlflow',
    container: 'models',
    usesPodIdentity: true,
    environment: [],
  });
  expect(store.secretNamespace).toBeUndefined();
  expect(store.egress!.map(({ to, ports }) => [to, ports!.map(({ port }) => port!.value)])).toEqual([[undefined, [443]]]);
});

test.each<[Partial<AzureBlobProps>, string]>([
  [{ accessKey: KEY }, 'AZURE_STORAGE_ACCESS_KEY'],
  [{ connectionString: KEY }, 'AZURE_STORAGE_CONNECTION_STRING'],
])('%j stands in the environment as %s', (props, name) => {
  const { store, faults } = made({ ...props, namespace: 'team-a' });
  expect(faults).toEqual([]);
  expect(store.environment).toEqual([{ name, valueFrom: { secretKeyRef: { name: 'azure', key: 'access-key' } } }]);
  expect(store).toMatchObject({ usesPodIdentity: false, secretNamespace: 'team-a' });
});

test('the namespace of the Secret is that of the chart', () => {
  const chart = new Chart(Testing.app(), 'test', { namespace: 'from-chart' });
  expect(new AzureBlob(chart, 'Store', { account: 'mymlflow', container: 'models', accessKey: KEY }).secretNamespace).toBe('from-chart');
});

// what MLflow takes: mlflow/store/artifact/azure_blob_artifact_repo.py
const WASBS = /^wasbs:\/\/([^@/]+)@([^.]+)\.blob\.core\.(windows\.net|chinacloudapi\.cn|usgovcloudapi\.net)(\/.+)?$/;

test.each<[AzureCloud, string]>([
  [AzureCloud.PUBLIC, 'wasbs://models@mymlflow.blob.core.windows.net/ml/flow'],
  [AzureCloud.CHINA, 'wasbs://models@mymlflow.blob.core.chinacloudapi.cn/ml/flow'],
  [AzureCloud.US_GOVERNMENT, 'wasbs://models@mymlflow.blob.core.usgovcloudapi.net/ml/flow'],
])('in %s the blobs are at %s', (cloud, destination) => {
  const { store, faults } = made({ cloud, prefix: 'ml/flow' });
  expect(faults).toEqual([]);
  expect(store.artifactsDestination).toBe(destination);
  expect(destination).toMatch(WASBS);
});

test('key and connection string together are a fault that names both', () => {
  expect(made({ accessKey: KEY, connectionString: { secretName: 'other', key: 'string' } }).faults).toEqual([
    '[test/Store] connectionString: got "Secret \\"other\\", and accessKey with Secret \\"azure\\"". ' +
      'Rule: the connection string has the access key in it, and MLflow would ignore accessKey. Fix: leave connectionString or accessKey out.',
  ]);
});

test('a namespace without a Secret is a fault that names both', () => {
  expect(made({ namespace: 'team-a' }).faults).toEqual([
    '[test/Store] namespace: got "team-a". Rule: it is the namespace of the Secret of accessKey or connectionString, and there is none. Fix: leave namespace out, or pass accessKey.',
  ]);
});

test.each<[string, unknown]>([
  ['account', ''],
  ['account', 'my-mlflow'],
  ['account', 'MyMlflow'],
  ['account', 'ab'],
  ['account', 'mymlflow.blob.core.windows.net'],
  ['account', 'a'.repeat(25)],
  ['container', 'ab'],
  ['container', 'Models'],
  ['container', 'my--models'],
  ['container', '-models'],
  ['container', 'models-'],
  ['container', 'a'.repeat(64)],
  ['container', '$web'],
  ['prefix', '/a'],
  ['cloud', 'AzureGermany'],
])('%s cannot be %j', (prop, value) => {
  expect(made({ [prop]: value }).faults).toEqual([expect.stringMatching(`^\\[test/Store\\] ${prop}: got .+\\. Rule: .+\\. Fix: .+\\.$`)]);
});

test.each(['accessKey', 'connectionString'])('%s names a Secret and a key in it', (prop) => {
  expect(made({ [prop]: {} }).faults).toEqual([
    `[test/Store] ${prop}.secretName: got undefined. Rule: the name of the Secret has to be given. Fix: pass "my-secret".`,
    `[test/Store] ${prop}.key: got undefined. Rule: the key in the Secret has to be given. Fix: pass "key".`,
  ]);
  expect(made({ [prop]: { secretName: 'A B', key: 'a b' } }).faults).toHaveLength(2);
});

test('a key as a text is refused and not shown', () => {
  expect(made({ accessKey: 'c2VjcmV0IQ==' as unknown as AzureBlobProps['accessKey'] }).faults).toEqual([expect.stringMatching(/^\[test\/Store\] accessKey: got a string\. Rule: /)]);
});

test('account and container have to be given', () => {
  const chart = Testing.chart();
  new AzureBlob(chart, 'Store', {} as AzureBlobProps);
  expect(faults(chart)).toEqual([
    '[test/Store] account: got undefined. Rule: the storage account has to be given. Fix: pass "mymlflow".',
    '[test/Store] container: got undefined. Rule: the container has to be given. Fix: pass "mlflow-artifacts".',
  ]);
});
