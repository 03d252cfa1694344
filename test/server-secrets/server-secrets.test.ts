import { Testing } from 'cdk8s';
import { Credentials, ExternalSecretCredentials, GarbageCollection, MlflowStack, ServerSecrets, TrackingServer } from '../../lib';
import { Manifests, containers, faults, get, ofKind } from '../helpers';
import { mlflow, server, synth, told, valueOf, wrong } from '../tracking-server/server';

const fromSecret = (name: string, key: string, secret = 'mlflow-server-secrets', optional?: true) => ({ name, valueFrom: { secretKeyRef: { name: secret, key, ...(optional && { optional }) } } });
const NAMES = ['MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY', 'MLFLOW_CRYPTO_KEK_PASSPHRASE', 'MLFLOW_CRYPTO_KEK_VERSION', 'PREVIOUS_KEK_PASSPHRASE'];
const given = (props: object = {}) => mlflow(props).env.filter(({ name }: { name: string }) => NAMES.includes(name));
const filled = (objects: Manifests) => JSON.parse(valueOf(containers(get(objects, 'Job', 'mlflow-secrets'))[0], 'SECRETS')!) as unknown;

describe('with nothing said', () => {
  const objects = synth();

  test('the server has a key for webhooks and a passphrase, from one Secret', () => {
    expect(given()).toEqual([
      fromSecret('MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY', 'webhook-key'),
      fromSecret('MLFLOW_CRYPTO_KEK_PASSPHRASE', 'kek-passphrase-1'),
      { name: 'MLFLOW_CRYPTO_KEK_VERSION', value: '1' },
    ]);
  });

  test('the Secret is declared without a value, and one Job makes them up, which may do nothing else', () => {
    expect(get(objects, 'Secret', 'mlflow-server-secrets')).toEqual({
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'Opaque',
      metadata: { name: 'mlflow-server-secrets', namespace: 'mlflow', labels: expect.objectContaining({ 'app.kubernetes.io/component': 'server-secrets', 'app.kubernetes.io/instance': 'mlflow' }) },
    });
    expect(filled(objects)).toEqual([{ secretName: 'mlflow-server-secrets', values: { 'webhook-key': { fernet: true }, 'kek-passphrase-1': { length: 64 } } }]);
    expect(get(objects, 'Role', 'mlflow-secrets').rules).toEqual([{ apiGroups: [''], resources: ['secrets'], resourceNames: ['mlflow-server-secrets'], verbs: ['get', 'patch'] }]);
  });

  test('no other pod has them', () => {
    const all = synth({}, (it, scope) => new GarbageCollection(scope, 'GarbageCollection', { server: it }));
    const others = all.filter(({ kind, metadata }) => /^(Deployment|CronJob|StatefulSet|Job)$/.test(kind) && !/^mlflow(-secrets-\w+)?$/.test(metadata.name));
    expect(others).toHaveLength(2);
    for (const name of NAMES) expect(JSON.stringify(others).replaceAll(/"STARTUP_SOURCES","value":"(\\.|[^"\\])*"/g, '')).not.toContain(name);
  });

  test('all of it is handed out', () => {
    const { secrets } = server();
    expect(secrets.secret?.kind).toBe('Secret');
    expect([secrets.secretName, secrets.kekVersion, secrets.node.defaultChild]).toEqual(['mlflow-server-secrets', 1, secrets.secret]);
  });
});

test('a higher version is a passphrase under a key of its own, with the one before for the rotation', () => {
  const props = { secrets: { kekVersion: 3 } };
  expect(given(props).slice(1)).toEqual([
    fromSecret('MLFLOW_CRYPTO_KEK_PASSPHRASE', 'kek-passphrase-3'),
    { name: 'MLFLOW_CRYPTO_KEK_VERSION', value: '3' },
    fromSecret('PREVIOUS_KEK_PASSPHRASE', 'kek-passphrase-2', 'mlflow-server-secrets', true),
  ]);
  // the one before is not made up: it is there, or nobody has it
  expect(filled(synth(props))).toEqual([{ secretName: 'mlflow-server-secrets', values: { 'webhook-key': { fernet: true }, 'kek-passphrase-3': { length: 64 } } }]);
  const jobOf = (objects: Manifests) => ofKind(objects, 'Job')[0].metadata.name;
  expect(jobOf(synth(props))).not.toBe(jobOf(synth()));
});

test('a Secret of somebody else is used, and nothing is made for it', () => {
  const props = { secrets: { secretName: 'mine', kekVersion: 2 } };
  expect(given(props)).toEqual([
    fromSecret('MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY', 'webhook-key', 'mine'),
    fromSecret('MLFLOW_CRYPTO_KEK_PASSPHRASE', 'kek-passphrase-2', 'mine'),
    { name: 'MLFLOW_CRYPTO_KEK_VERSION', value: '2' },
    fromSecret('PREVIOUS_KEK_PASSPHRASE', 'kek-passphrase-1', 'mine', true),
  ]);
  for (const kind of ['Secret', 'Job', 'Role', 'ServiceAccount']) expect(ofKind(synth(props), kind)).toEqual([]);
});

test('an ExternalSecret brings both values', () => {
  const chart = Testing.chart();
  const { secretName } = new ExternalSecretCredentials(chart, 'Keys', {
    secretName: 'from-vault',
    namespace: 'mlflow',
    storeName: 'vault',
    usernameKey: 'webhook-key',
    passwordKey: 'kek-passphrase-1',
    usernameRemote: { key: 'mlflow', property: 'webhook' },
    passwordRemote: { key: 'mlflow', property: 'kek' },
  });
  const { env } = containers(get(Testing.synth(server({ secrets: { secretName } }, chart).node.scope as never), 'Deployment', 'mlflow'))[0];
  expect(env).toContainEqual(fromSecret('MLFLOW_CRYPTO_KEK_PASSPHRASE', 'kek-passphrase-1', 'from-vault'));
});

test('pods, images and policies of the Job are those of the server', () => {
  const props = { image: 'docker.io/library/mlflow:3.14', images: { registry: 'registry.example.com' }, pod: { nodeSelector: { disk: 'fast' } }, networkPolicy: { enabled: false } };
  const objects = synth(props);
  const { spec } = get(objects, 'Job', 'mlflow-secrets').spec.template;
  expect([spec.containers[0].image, spec.nodeSelector]).toEqual(['registry.example.com/library/mlflow:3.14', { disk: 'fast' }]);
  expect(ofKind(objects, 'NetworkPolicy')).toEqual([]);
});

test('the Secret of a store is none', () => {
  const chart = Testing.chart();
  const stack = new MlflowStack(chart, 'Stack', { trackingServer: { secrets: { secretName: 'mine' } } });
  expect(stack.trackingServer.secrets.secretName).toBe('mine');
  new Credentials(chart, 'Keys', { secretName: 'other-server-secrets', namespace: 'mlflow' });
  new TrackingServer(chart, 'Other', { name: 'other', namespace: 'mlflow', backendStore: stack.backendStore, artifactStore: stack.artifactStore });
  expect(faults(chart)).toEqual([expect.stringContaining('Secret "other-server-secrets" in namespace "mlflow"')]);
});

test.each<[object, string, string, string]>([
  [{ secretName: 'My Secret' }, 'secretName', '"My Secret"', 'RFC 1123 subdomain'],
  [{ kekVersion: 0 }, 'kekVersion', '0', 'a whole number of 1 or more'],
  [{ kekVersion: '2' }, 'kekVersion', '"2"', 'a whole number of 1 or more'],
  [{ passphrase: 's3cr3t' }, 'passphrase', 'a string', 'there is no prop of this name'],
])('%j is refused', (secrets, prop, got, rule) => {
  expect(wrong({ secrets })).toEqual([told(prop, got, rule, '', 'TrackingServer/Secrets')]);
});

test('it has a server', () => {
  expect(() => new ServerSecrets(Testing.chart(), 'Secrets', {} as never)).toThrow(/an add-on is for one tracking server/);
});
