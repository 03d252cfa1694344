import { ApiObject, Chart, Duration, JsonPatch, Testing } from 'cdk8s';
import { ExternalSecretCredentials, ExternalSecretCredentialsProps, SecretStoreKind } from '../../lib/secrets/external-secret';
import { Postgres } from '../../lib';
import { faults, ofKind } from '../helpers';

const PROPS: ExternalSecretCredentialsProps = {
  secretName: 'db-user',
  storeName: 'vault',
  usernameRemote: { key: 'mlflow/db', property: 'username' },
  passwordRemote: { key: 'mlflow/db', property: 'password' },
};
const DEFAULTS = { conversionStrategy: 'Default', decodingStrategy: 'None', metadataPolicy: 'None' };

function made(props: Partial<ExternalSecretCredentialsProps> = {}) {
  const chart = Testing.chart();
  const credentials = new ExternalSecretCredentials(chart, 'Keys', { ...PROPS, ...props });
  return { chart, credentials };
}

test('are an ExternalSecret and no Secret', () => {
  const { chart, credentials } = made();
  expect(Testing.synth(chart)).toEqual([
    {
      apiVersion: 'external-secrets.io/v1',
      kind: 'ExternalSecret',
      metadata: { name: 'db-user', namespace: 'mlflow' },
      spec: {
        refreshInterval: '1h0m0s',
        secretStoreRef: { name: 'vault', kind: 'SecretStore' },
        target: { name: 'db-user', creationPolicy: 'Owner', deletionPolicy: 'Retain' },
        data: [
          { secretKey: 'username', remoteRef: { key: 'mlflow/db', property: 'username', ...DEFAULTS } },
          { secretKey: 'password', remoteRef: { key: 'mlflow/db', property: 'password', ...DEFAULTS } },
        ],
      },
    },
  ]);
  expect(credentials).toMatchObject({ secretName: 'db-user', namespace: 'mlflow', usernameKey: 'username', passwordKey: 'password', generated: false });
  expect(credentials.generatedUsername).toBeUndefined();
  expect(ApiObject.of(credentials)).toBe(credentials.externalSecret);
});

test('take names, namespace, labels, store and keys', () => {
  const { chart, credentials } = made({
    namespace: 'team-a',
    labels: { team: 'a' },
    storeName: 'aws.secrets',
    storeKind: SecretStoreKind.CLUSTER_SECRET_STORE,
    usernameKey: 'AWS_ACCESS_KEY_ID',
    passwordKey: 'AWS_SECRET_ACCESS_KEY',
    usernameRemote: { key: 'My Item' },
  });
  const [{ metadata, spec }] = Testing.synth(chart);
  expect(metadata).toEqual({ name: 'db-user', namespace: 'team-a', labels: { team: 'a' } });
  expect(spec.secretStoreRef).toEqual({ name: 'aws.secrets', kind: 'ClusterSecretStore' });
  expect(spec.data.map(({ secretKey }: { secretKey: string }) => secretKey)).toEqual(['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']);
  expect(spec.data[0].remoteRef).toEqual({ key: 'My Item', ...DEFAULTS });
  expect(credentials).toMatchObject({ namespace: 'team-a', usernameKey: 'AWS_ACCESS_KEY_ID', passwordKey: 'AWS_SECRET_ACCESS_KEY' });
});

test.each<[Duration, string]>([
  [Duration.seconds(30), '30s'],
  [Duration.seconds(90), '1m30s'],
  [Duration.minutes(10), '10m0s'],
  [Duration.hours(24), '24h0m0s'],
  [Duration.seconds(3601), '1h0m1s'],
])('the refresh interval %s is written as Kubernetes writes it', (refreshInterval, text) => {
  expect(Testing.synth(made({ refreshInterval }).chart)[0].spec.refreshInterval).toBe(text);
});

test('stand in the namespace of the chart', () => {
  const chart = new Chart(Testing.app(), 'test', { namespace: 'from-chart' });
  expect(new ExternalSecretCredentials(chart, 'Keys', PROPS).namespace).toBe('from-chart');
  expect(Testing.synth(chart)[0].metadata.namespace).toBe('from-chart');
});

test('can be patched with what this library does not know', () => {
  const { chart, credentials } = made();
  credentials.externalSecret.addJsonPatch(JsonPatch.add('/spec/data/0/remoteRef/futureField', 'x'));
  expect(Testing.synth(chart)[0].spec.data[0].remoteRef.futureField).toBe('x');
});

test('are what a store takes: its Job waits for the Secret and never writes it', () => {
  const { chart, credentials } = made();
  new Postgres(chart, 'Postgres', { credentials });
  const objects = Testing.synth(chart);
  expect(ofKind(objects, 'Secret').map(({ metadata }) => metadata.name)).toEqual(['postgres-superuser']);
  expect(ofKind(objects, 'Role')[0].rules).toContainEqual({ apiGroups: [''], resources: ['secrets'], resourceNames: ['db-user'], verbs: ['get'] });
});

test('the name may be taken', () => {
  const { chart } = made();
  new ExternalSecretCredentials(chart, 'Again', PROPS);
  expect(faults(chart)).toEqual([
    expect.stringMatching(/^\[test\/Again\] secretName: got ExternalSecret "db-user" in namespace "mlflow", which \[test\/Keys\/ExternalSecret\] makes already\./),
  ]);
});

test.each<[object, string, string]>([
  [{ secretName: 'My_Keys' }, 'secretName', '"My_Keys"'],
  [{ namespace: 'Team A' }, 'namespace', '"Team A"'],
  [{ storeName: 'My_Store' }, 'storeName', '"My_Store"'],
  [{ storeKind: 'Vault' }, 'storeKind', '"Vault"'],
  [{ usernameKey: 'a b' }, 'usernameKey', '"a b"'],
  [{ passwordKey: 'a/b' }, 'passwordKey', '"a/b"'],
  [{ passwordKey: 'username' }, 'passwordKey', '"username"'],
  [{ refreshInterval: '1h' }, 'refreshInterval', '"1h"'],
  [{ labels: { 'a b': 'c' } }, 'labels', '{"a b":"c"}'],
  [{ usernameRemote: { key: '' } }, 'usernameRemote.key', '""'],
  [{ usernameRemote: { key: ' a' } }, 'usernameRemote.key', '" a"'],
  [{ passwordRemote: { key: '{{ .x }}' } }, 'passwordRemote.key', '"{{ .x }}"'],
  [{ passwordRemote: { key: 5 } }, 'passwordRemote.key', '5'],
  [{ passwordRemote: { key: 'a', property: '' } }, 'passwordRemote.property', '""'],
  [{ passwordRemote: { property: 'a' } }, 'passwordRemote.key', 'undefined'],
  [{ passwordRemote: { key: 'a', properties: 'b' } }, 'passwordRemote.properties', 'a string'],
  [{ passwordRemote: 'hunter2' }, 'passwordRemote', 'a string'],
])('%j is refused', (props, prop, got) => {
  const messages = faults(made(props).chart);
  const quoted = (text: string) => text.replace(/[.{}]/g, '\\$&');
  expect(messages[0]).toMatch(new RegExp(`^\\[test/Keys\\] ${quoted(prop)}: got ${quoted(got)}\\. Rule: .+\\. Fix: .+\\.$`));
  expect(messages.join()).not.toContain('hunter2');
});

test('name, store and values have to be given', () => {
  const chart = Testing.chart();
  new ExternalSecretCredentials(chart, 'Keys', {} as ExternalSecretCredentialsProps);
  expect(faults(chart).map((message) => message.replace(/ Rule.*/, ''))).toEqual([
    '[test/Keys] secretName: got undefined.',
    '[test/Keys] storeName: got undefined.',
    '[test/Keys] usernameRemote: got undefined.',
    '[test/Keys] passwordRemote: got undefined.',
  ]);
});
