import { Chart, Testing } from 'cdk8s';
import { BasicAuth, Credentials, ExternalPostgres, ExternalS3, ExternalSecretCredentials, Login, Minio, MlflowStack, MlflowStackProps, Postgres, TrackingServer } from '../../lib';
import { Manifests, containers, faults, get, ofKind } from '../helpers';

function stack(props: MlflowStackProps = {}): Manifests {
  const chart = new Chart(Testing.app(), 'test', { namespace: 'mlflow' });
  new MlflowStack(chart, 'Stack', props);
  return Testing.synth(chart);
}

/** The keys of Secrets that a pod has in its environment. */
function keys(objects: Manifests, kind: string, name: string): string[] {
  const spec = get(objects, kind, name).spec;
  const workload = kind === 'CronJob' ? spec.jobTemplate : { spec };
  return containers({ spec: workload.spec } as Manifests[number]).flatMap(({ env = [] }) => env.flatMap(({ valueFrom }: Manifests[number]) => (valueFrom?.secretKeyRef ? [`${valueFrom.secretKeyRef.name}/${valueFrom.secretKeyRef.key}`] : [])));
}
const steps = (objects: Manifests, job: string) => containers(get(objects, 'Job', job)).map(({ name }) => name);

test('the first generation leaves no trace', () => {
  expect(stack({ generations: { databaseUser: 1, databaseSuperuser: 1, s3User: 1, s3Root: 1 } })).toEqual(stack());
});

test('another one is under keys of its own, in the same Secret, so that all who use it are replaced and wait for it', () => {
  const objects = stack({ generations: { databaseUser: 2, s3User: 3 }, garbageCollection: {} });

  const user = ['minio-user/AWS_ACCESS_KEY_ID-3', 'minio-user/AWS_SECRET_ACCESS_KEY-3', 'postgres-user/username-2', 'postgres-user/password-2'];
  for (const deployment of ['mlflow', 'mlflow-monitor']) expect(keys(objects, 'Deployment', deployment)).toEqual(expect.arrayContaining(user));
  expect(keys(objects, 'CronJob', 'mlflow-gc')).toEqual(expect.arrayContaining(user.slice(2)));
  expect(ofKind(objects, 'Secret')).toEqual(ofKind(stack(), 'Secret'));
  // the servers of the stores are not
  for (const store of ['postgres', 'minio']) expect(get(objects, 'StatefulSet', store)).toEqual(get(stack(), 'StatefulSet', store));
});

test('the Job then ends the other ones, and may see pods for it', () => {
  const objects = stack({ generations: { databaseUser: 2 } });

  expect(steps(objects, 'postgres-bootstrap')).toEqual(['prepare', 'store', 'publish', 'await', 'retire', 'forget']);
  expect(containers(get(objects, 'Job', 'postgres-bootstrap'))[4].command).toEqual(['/bin/bash', '/scripts/make-database.sh', 'retire']);
  expect(get(objects, 'Role', 'postgres-bootstrap').rules.at(-1)).toEqual({ apiGroups: [''], resources: ['pods'], verbs: ['list'] });
  expect(steps(objects, 'minio-bootstrap')).toEqual(['prepare', 'store', 'publish']);
  expect(get(objects, 'Role', 'minio-bootstrap')).toEqual(get(stack(), 'Role', 'minio-bootstrap'));
  const { env } = containers(get(objects, 'Job', 'postgres-bootstrap'))[0];
  expect(JSON.parse(env.find(({ name }: { name: string }) => name === 'CREDENTIALS').value)[1]).toEqual({
    ...{ role: 'user', secretName: 'postgres-user', generated: true, generatedUsername: 'mlflow', generation: 2 },
    ...{ usernameKey: 'username-2', passwordKey: 'password-2', firstUsernameKey: 'username', firstPasswordKey: 'password' },
  });
});

test('the root user of MinIO restarts it, by the keys of the Secret', () => {
  const objects = stack({ generations: { s3Root: 2 } });

  expect(keys(objects, 'StatefulSet', 'minio')).toEqual(['minio-root/username-2', 'minio-root/password-2']);
  expect(steps(objects, 'minio-bootstrap')).toEqual(['prepare', 'store', 'publish', 'await', 'retire', 'forget']);
  expect(get(objects, 'Deployment', 'mlflow')).toEqual(get(stack(), 'Deployment', 'mlflow'));
});

test('the superuser of PostgreSQL restarts nothing: he keeps name and keys', () => {
  const objects = stack({ generations: { databaseSuperuser: 2 } });

  expect(get(objects, 'StatefulSet', 'postgres')).toEqual(get(stack(), 'StatefulSet', 'postgres'));
  expect(get(objects, 'Job', 'postgres-bootstrap').metadata.name).not.toBe(get(stack(), 'Job', 'postgres-bootstrap').metadata.name);
  expect(steps(objects, 'postgres-bootstrap')).toEqual(['prepare', 'store', 'publish']);
  const chart = Testing.chart();
  const { superuserCredentials } = new Postgres(chart, 'Postgres', { administratorGeneration: 2 });
  expect(superuserCredentials).toMatchObject({ usernameKey: 'username', passwordKey: 'password', generation: 2 });
});

test('values of somebody else keep their keys, and pods are replaced all the same', () => {
  const values = (generation?: number) => {
    const chart = new Chart(Testing.app(), 'test', { namespace: 'mlflow' });
    const user = Credentials.fromSecretName(chart, 'User', 'db', { generation });
    const keys = Credentials.fromLiterals(chart, 'Keys', { secretName: 'keys', username: 'user', password: 'password', generation });
    new TrackingServer(chart, 'Server', {
      backendStore: new ExternalPostgres(chart, 'Database', { host: 'db.example.com', database: 'mlflow', credentials: user }),
      artifactStore: new ExternalS3(chart, 'Bucket', { bucket: 'models', region: 'eu-central-1', credentials: keys }),
    });
    return Testing.synth(chart);
  };
  const [first, second] = [values(), values(2)];

  for (const name of ['mlflow', 'mlflow-monitor']) {
    expect(keys(second, 'Deployment', name)).toEqual(keys(first, 'Deployment', name));
    const given = containers(get(second, 'Deployment', name))[0].env;
    expect(given).toEqual(expect.arrayContaining([{ name: 'PG_CREDENTIALS_GENERATION', value: '2' }, { name: 'AWS_CREDENTIALS_GENERATION', value: '2' }]));
  }
});

test('a user of somebody else in a store of the stack is made beside the old one', () => {
  const chart = new Chart(Testing.app(), 'test', { namespace: 'mlflow' });
  new Postgres(chart, 'Postgres', { credentials: Credentials.fromSecretName(chart, 'User', 'db', { generation: 2 }) });
  const job = get(Testing.synth(chart), 'Job', 'postgres-bootstrap');
  expect(containers(job).map(({ name }) => name)).toEqual(['prepare', 'store', 'publish']);
  expect(containers(job)[1].env).toContainEqual({ name: 'GENERATION', value: '2' });
});

test('ExternalSecretCredentials has one too', () => {
  const value = { key: 'mlflow', property: 'a' };
  const chart = new Chart(Testing.app(), 'test', { namespace: 'mlflow' });
  const credentials = new ExternalSecretCredentials(chart, 'User', { secretName: 'db', storeName: 'vault', usernameRemote: value, passwordRemote: value, generation: 4 });
  expect(credentials).toMatchObject({ generation: 4, usernameKey: 'username', passwordKey: 'password' });
});

/** What the Job of the server fills. */
const filled = (objects: Manifests): { [secret: string]: string[] } => {
  const { value } = containers(get(objects, 'Job', 'mlflow-secrets'))[0].env.find(({ name }: { name: string }) => name === 'SECRETS');
  return Object.fromEntries((JSON.parse(value) as { secretName: string; values: object }[]).map(({ secretName, values }) => [secretName, Object.keys(values)]));
};

describe('of the secrets of a server', () => {
  test('password of the administrator and key of the forms', () => {
    const objects = stack({ login: Login.basicAuth({ generation: 2 }), garbageCollection: {} });

    expect(filled(objects)['mlflow-login']).toEqual(['username', 'password-2', 'secret-key-2']);
    expect(keys(objects, 'Deployment', 'mlflow')).toEqual(expect.arrayContaining(['mlflow-login/username', 'mlflow-login/password-2', 'mlflow-login/secret-key-2']));
    expect(keys(objects, 'CronJob', 'mlflow-gc')).toContain('mlflow-login/password-2');
    expect(containers(get(objects, 'Deployment', 'mlflow'))[0].env).toContainEqual({ name: 'STARTUP_LOGIN_GENERATION', value: '2' });
    expect(stack({ login: Login.basicAuth({ generation: 1 }) })).toEqual(stack({ login: Login.basicAuth() }));
  });

  test('in a Secret of somebody else, whose keys stay', () => {
    const objects = stack({ login: Login.basicAuth({ secretName: 'admin', generation: 2 }) });

    expect(keys(objects, 'Deployment', 'mlflow')).toEqual(expect.arrayContaining(['admin/password', 'admin/secret-key']));
    expect(containers(get(objects, 'Deployment', 'mlflow'))[0].env).toContainEqual({ name: 'STARTUP_LOGIN_GENERATION', value: '2' });
  });

  test('key of the cookies, and the client of the provider', () => {
    const oidc = (chart: Chart, cookieGeneration?: number, generation?: number) =>
      Login.oidc({ issuerUrl: 'https://login.example.com', emailDomains: ['example.com'], externalUrl: 'https://mlflow.example.com', clientCredentials: Credentials.fromSecretName(chart, `Client${generation}`, 'client', { generation }), cookieGeneration });
    const of = (...generations: [number?, number?]) => {
      const chart = new Chart(Testing.app(), 'test', { namespace: 'mlflow' });
      new MlflowStack(chart, 'Stack', { login: oidc(chart, ...generations) });
      return Testing.synth(chart);
    };

    expect(filled(of(3))['mlflow-oauth2-proxy-cookie']).toEqual(['cookie-secret-3']);
    expect(keys(of(3), 'Deployment', 'mlflow-oauth2-proxy')).toContain('mlflow-oauth2-proxy-cookie/cookie-secret-3');
    expect(get(of(3), 'Deployment', 'mlflow')).toEqual(get(of(), 'Deployment', 'mlflow'));
    expect(containers(get(of(1, 2), 'Deployment', 'mlflow-oauth2-proxy'))[0].env).toContainEqual({ name: 'CLIENT_CREDENTIALS_GENERATION', value: '2' });
  });

  test('key of webhooks and passphrase, each with the one before', () => {
    const objects = stack({ trackingServer: { secrets: { webhookKeyVersion: 3, kekVersion: 2 } } });

    expect(filled(objects)['mlflow-server-secrets']).toEqual(['webhook-key-3', 'kek-passphrase-2']);
    const { env } = containers(get(objects, 'Deployment', 'mlflow'))[0];
    const from = (variable: string) => env.find(({ name }: { name: string }) => name === variable).valueFrom.secretKeyRef;
    expect(from('MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY').key).toBe('webhook-key-3');
    expect(from('PREVIOUS_WEBHOOK_KEY')).toEqual({ name: 'mlflow-server-secrets', key: 'webhook-key-2', optional: true });
    expect(containers(get(stack(), 'Deployment', 'mlflow'))[0].env.map(({ name }: { name: string }) => name)).not.toContain('PREVIOUS_WEBHOOK_KEY');
  });

  test('token of Prometheus, in the server and in the ServiceMonitor', () => {
    const objects = stack({ login: Login.basicAuth(), metrics: { tokenGeneration: 2 } });

    expect(filled(objects)['mlflow-metrics']).toEqual(['token-2']);
    const { volumes } = get(objects, 'Deployment', 'mlflow').spec.template.spec;
    expect(volumes).toContainEqual({ name: 'metrics-token', secret: { secretName: 'mlflow-metrics', items: [{ key: 'token-2', path: 'token' }], defaultMode: 0o440, optional: true } });
    expect(get(objects, 'ServiceMonitor', 'mlflow').spec.endpoints[0].authorization.credentials).toEqual({ name: 'mlflow-metrics', key: 'token-2' });
  });
});

describe('is refused', () => {
  const RULE = 'the generation is a whole number of 1 or more';

  test.each<[string, (chart: Chart) => void, string]>([
    ['0', (chart) => new Credentials(chart, 'User', { secretName: 'a', generation: 0 }), `[test/User] generation: got 0. Rule: ${RULE}. Fix: pass a number such as 1.`],
    ['1.5', (chart) => Credentials.fromSecretName(chart, 'User', 'a', { generation: 1.5 }), `[test/User] generation: got 1.5. Rule: ${RULE}. Fix: pass a number such as 1.`],
    ['-1 of a store', (chart) => new Minio(chart, 'Minio', { credentialsGeneration: -1 }), `[test/Minio] credentialsGeneration: got -1. Rule: ${RULE}. Fix: pass a number such as 1.`],
    ['0 of a stack', (chart) => new MlflowStack(chart, 'Stack', { generations: { s3Root: 0 } }), `[test/Stack] generations.s3Root: got 0. Rule: ${RULE}. Fix: pass a number such as 1.`],
    ['one for credentials that are given', (chart) => new Minio(chart, 'Minio', { credentials: Credentials.fromSecretName(chart, 'User', 'a'), credentialsGeneration: 2 }), '[test/Minio] credentialsGeneration: got 2. Rule: it is for credentials that the store makes, and credentials has others. Fix: leave it out, and pass generation to what makes credentials.'],
    ['one for a store that is given', (chart) => new MlflowStack(chart, 'Stack', { artifactStore: new Minio(chart, 'Minio', { instance: 'mlflow' }), generations: { s3User: 2 } }), '[test/Stack] generations.s3User: got 2. Rule: it is for a store that the stack makes, and artifactStore is another one. Fix: leave it out, and pass credentialsGeneration or administratorGeneration to artifactStore, or generation to its credentials.'],
    ['one of a login', (chart) => new BasicAuth(chart, 'Login', { server: new MlflowStack(chart, 'Stack').trackingServer, generation: 0 }), `[test/Login] generation: got 0. Rule: ${RULE}. Fix: pass a number such as 1.`],
    ['one of a key', (chart) => new MlflowStack(chart, 'Stack', { trackingServer: { secrets: { webhookKeyVersion: 0 } } }), '[test/Stack/TrackingServer/Secrets] webhookKeyVersion: got 0. Rule: the version of the key is a whole number of 1 or more. Fix: pass a number such as 1.'],
    ...[{ metrics: { serviceMonitor: false, tokenGeneration: 2 } }, { metrics: { tokenGeneration: 2 }, trackingServer: { guard: { enabled: false } } }].map((props): [string, (chart: Chart) => void, string] => [
      `one of a token that is not there, ${JSON.stringify(props)}`,
      (chart) => new MlflowStack(chart, 'Stack', props),
      '[test/Stack/Metrics] tokenGeneration: got 2. Rule: Prometheus shows a token where there is a ServiceMonitor, and a guard of the server that knows it; here is none that could be rotated. Fix: leave tokenGeneration out.',
    ]),
    ['a name that is too long', (chart) => new Credentials(chart, 'User', { secretName: 'a', username: 'a'.repeat(19), generation: 2 }), `[test/User] username: got "${'a'.repeat(19)}". Rule: the user of a later generation is a user of its own, here "${'a'.repeat(19)}-2", and has at most 20 characters (the limit of MinIO). Fix: pass a shorter name, or a beginning such as "mlflow-".`],
  ])('%s', (_, make, fault) => {
    const chart = new Chart(Testing.app(), 'test', { namespace: 'mlflow' });
    make(chart);
    expect(faults(chart)).toContain(fault);
  });
});
