import { renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ADMIN, EXISTING_USER, Pod, SCRIPT, STORE_URL, TOKEN, USER } from './fake-api-server';
import { PYTHON, Script, lines } from '../run-script';

describe('prepare', () => {
  test('makes up what is missing, and writes the Secret of the administrator only', async () => {
    const pod = await Pod.with({ 'minio-root': undefined, 'minio-credentials': undefined });

    const { code, stdout, stderr } = await pod.run('prepare');

    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'Secret "minio-root": wrote root-password, root-user\n', stderr: '' });
    expect(pod.api.values('minio-root')).toEqual({ 'root-user': pod.file('admin.username'), 'root-password': pod.file('admin.password') });
    expect(pod.api.values('minio-credentials')).toEqual({});
    expect(pod.api.writes.map((request) => request.secretName)).toEqual(['minio-root']);
  });

  test('a beginning becomes a random name of 20 characters, a name stays, a password has 40 letters and digits', async () => {
    const pods = await Promise.all([1, 2].map(() => Pod.with({ 'minio-root': undefined, 'minio-credentials': undefined })));

    await Promise.all(pods.map((pod) => pod.run('prepare')));

    for (const pod of pods) {
      expect(pod.file('admin.username')).toMatch(/^root-[a-z0-9]{15}$/);
      expect(pod.file('user.username')).toBe('mlflow');
      expect(pod.file('admin.password')).toMatch(/^[A-Za-z0-9]{40}$/);
      expect(pod.file('user.password')).toMatch(/^[A-Za-z0-9]{40}$/);
    }
    const madeUp = pods.flatMap((pod) => [pod.file('admin.username'), pod.file('admin.password'), pod.file('user.password')]);
    expect(new Set(madeUp).size).toBe(madeUp.length);
  });

  test('leaves the values as files that nobody else can read', async () => {
    const pod = await Pod.with({ 'minio-root': undefined, 'minio-credentials': undefined });

    await pod.run('prepare');

    const modes = Object.keys(pod.files).map((name) => [name, (statSync(join(pod.directory, name)).mode & 0o777).toString(8)]);
    expect(modes).toEqual(
      ['admin.password', 'admin.username', 'config.json', 'namespace', 'pgpass', 'user.other', 'user.password', 'user.username', 'user.usual'].map((name) => [name, '600']),
    );
  });

  test('leaves the credentials of the administrator in the form of mc and of psql', async () => {
    const pod = await Pod.with({
      'minio-root': { 'root-user': 'DOMAIN\\admin:1', 'root-password': 'a:b\\c"d\'e é' },
      'minio-credentials': undefined,
    });

    await pod.run('prepare');

    expect(JSON.parse(pod.file('config.json')!)).toEqual({
      version: '10',
      aliases: { store: { url: STORE_URL, accessKey: 'DOMAIN\\admin:1', secretKey: 'a:b\\c"d\'e é', api: 'S3v4', path: 'auto' } },
    });
    expect(pod.file('pgpass')).toBe('*:*:*:DOMAIN\\\\admin\\:1:a\\:b\\\\c"d\'e é\n');
  });

  test('adds a missing key and leaves the other ones alone', async () => {
    const pod = await Pod.with({ 'minio-root': { 'root-user': 'chosen', note: 'keep me' }, 'minio-credentials': undefined });

    const { stdout } = await pod.run('prepare');

    expect(stdout).toBe('Secret "minio-root": wrote root-password\n');
    expect(Object.keys((JSON.parse(pod.api.writes[0].body) as { data: object }).data)).toEqual(['root-password']);
    expect(pod.api.values('minio-root')).toEqual({ 'root-user': 'chosen', note: 'keep me', 'root-password': pod.file('admin.password') });
    expect(pod.file('admin.username')).toBe('chosen');
  });

  test('takes an empty value for a missing one', async () => {
    const pod = await Pod.with({ 'minio-root': { 'root-user': 'chosen', 'root-password': '' }, 'minio-credentials': undefined });

    await pod.run('prepare');

    expect(pod.file('admin.password')).toMatch(/^[A-Za-z0-9]{40}$/);
    expect(pod.api.values('minio-root')['root-password']).toBe(pod.file('admin.password'));
  });

  test('never changes a value, but drops white space around it', async () => {
    const secrets = {
      'minio-root': { 'root-user': ' admin\n', 'root-password': '\tRootPassword1 \r\n' },
      'minio-credentials': { 'access-key': 'mlflow\n', 'secret-key': ' User Password 1\n' },
    };
    const pod = await Pod.with(secrets);

    const { code, stdout } = await pod.run('prepare');

    expect({ code, stdout }).toEqual({ code: 0, stdout: 'Secret "minio-root" has all its keys: left as it is\n' });
    expect(pod.files).toMatchObject({
      'admin.username': 'admin',
      'admin.password': 'RootPassword1',
      'user.username': 'mlflow',
      'user.password': 'User Password 1',
      pgpass: '*:*:*:admin:RootPassword1\n',
      namespace: 'ml-team',
    });
    expect(pod.api.writes).toEqual([]);
    expect(pod.api.values('minio-root')).toEqual(secrets['minio-root']);
    expect(pod.api.values('minio-credentials')).toEqual(secrets['minio-credentials']);
  });

  test('run again in the same pod, uses what it made up', async () => {
    const pod = await Pod.with({ 'minio-root': undefined, 'minio-credentials': undefined });
    await pod.run('prepare');
    const { files } = pod;

    const { code } = await pod.run('prepare');

    expect(code).toBe(0);
    expect(pod.files).toEqual(files);
    expect(pod.api.writes).toHaveLength(1);
  });

  test('has another name at hand where the Secret of the user has nothing: its pods may go on with the usual one', async () => {
    const [pod, random] = await Promise.all([Pod.with({ 'minio-root': undefined, 'minio-credentials': undefined }), Pod.with({ 'minio-root': undefined, 'minio-credentials': undefined }, [ADMIN, { ...USER, generatedUsername: 'minio-' }])]);
    await Promise.all([pod, random].map((one) => one.run('prepare')));
    expect([pod.file('user.username'), pod.file('user.usual')]).toEqual(['mlflow', 'mlflow']);
    expect(pod.file('user.other')).toMatch(/^mlflow-[a-z0-9]{6}$/);
    expect(random.file('user.other')).toMatch(/^minio-[a-z0-9]{14}$/);
    expect(random.file('user.other')).not.toBe(random.file('user.username'));

    const next = pod.another();
    await next.run('prepare');
    expect(next.file('user.other')).toBe(pod.file('user.other'));

    await next.run('publish');
    const later = next.another();
    await later.run('prepare');
    expect([later.file('user.username'), later.file('user.usual'), later.file('user.other')]).toEqual(['mlflow', 'mlflow', undefined]);

    later.api.empty('minio-credentials');
    const last = later.another();
    await last.run('prepare');
    expect(last.file('user.other')).toMatch(/^mlflow-[a-z0-9]{6}$/);
    expect(last.file('user.other')).not.toBe(pod.file('user.other'));
  });

  test('of a name as long as a role of PostgreSQL may be, the other one is as long', async () => {
    const pod = await Pod.with({ 'minio-root': undefined, 'minio-credentials': undefined }, [ADMIN, { ...USER, generatedUsername: 'u'.repeat(63) }]);
    await pod.run('prepare');
    expect(pod.file('user.other')).toMatch(/^u{56}-[a-z0-9]{6}$/);
  });

  test('does not take the name from a container that has chosen it', async () => {
    const pod = await Pod.with({ 'minio-root': undefined, 'minio-credentials': undefined });
    await pod.run('prepare');
    renameSync(join(pod.directory, 'user.other'), join(pod.directory, 'user.username'));
    const chosen = pod.file('user.username');

    await pod.run('prepare');
    await pod.run('publish');

    expect(pod.file('user.other')).toBeUndefined();
    expect(pod.api.values('minio-credentials')['access-key']).toBe(chosen);
  });

  test('run again in another pod, uses what stands in the Secrets', async () => {
    const pod = await Pod.with({ 'minio-root': undefined, 'minio-credentials': undefined });
    await pod.run('prepare');
    await pod.run('publish');
    const other = await Pod.with({
      'minio-root': pod.api.values('minio-root'),
      'minio-credentials': pod.api.values('minio-credentials'),
    });

    await other.run('prepare');

    rmSync(join(pod.directory, 'user.other'));
    expect(other.files).toEqual(pod.files);
    expect(other.api.writes).toEqual([]);
  });

  test('takes a Secret that somebody else makes, and never writes to it', async () => {
    const pod = await Pod.with({ 'minio-root': undefined, 'minio-credentials': { 'access-key': 'theirs', 'secret-key': 'Theirs1234' } }, [
      ADMIN,
      EXISTING_USER,
    ]);

    await pod.run('prepare');
    const { code, stdout } = await pod.run('publish');

    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(pod.files).toMatchObject({ 'user.username': 'theirs', 'user.password': 'Theirs1234' });
    expect(pod.api.writes.map((request) => request.secretName)).toEqual(['minio-root']);
  });
});

describe('publish', () => {
  test('writes the Secret of the user, as it was prepared', async () => {
    const pod = await Pod.with({ 'minio-root': undefined, 'minio-credentials': undefined });
    await pod.run('prepare');
    const { files } = pod;

    const { code, stdout, stderr } = await pod.run('publish');

    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'Secret "minio-credentials": wrote access-key, secret-key\n', stderr: '' });
    expect(pod.api.values('minio-credentials')).toEqual({ 'access-key': files['user.username'], 'secret-key': files['user.password'] });
    expect(pod.api.writes.map((request) => request.secretName)).toEqual(['minio-root', 'minio-credentials']);
    expect(pod.files).toEqual(files);
  });

  test('run again, changes nothing', async () => {
    const pod = await Pod.with({ 'minio-root': undefined, 'minio-credentials': undefined });
    await pod.run('prepare');
    await pod.run('publish');
    const values = pod.api.values('minio-credentials');

    const { code, stdout } = await pod.run('publish');

    expect({ code, stdout }).toEqual({ code: 0, stdout: 'Secret "minio-credentials" has all its keys: left as it is\n' });
    expect(pod.api.values('minio-credentials')).toEqual(values);
    expect(pod.api.writes).toHaveLength(2);
  });
});

describe('fill', () => {
  const SECRETS = [
    { secretName: 'mlflow-login', values: { username: { text: 'admin' }, password: { length: 32 }, 'secret-key': { length: 64 } } },
    { secretName: 'cookie', values: { key: { length: 16 } } },
  ];
  const environment = { SECRETS: JSON.stringify(SECRETS), CREDENTIALS: undefined as never, CREDENTIALS_DIR: undefined as never };

  test('makes up what is missing in each Secret: a text as it is, letters and digits of a length', async () => {
    const pod = await Pod.with({ 'mlflow-login': undefined, cookie: undefined });

    const { code, stdout, stderr } = await pod.run('fill', environment);

    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'Secret "mlflow-login": wrote password, secret-key, username\nSecret "cookie": wrote key\n', stderr: '' });
    const login = pod.api.values('mlflow-login');
    expect(login).toEqual({ username: 'admin', password: expect.stringMatching(/^[A-Za-z0-9]{32}$/), 'secret-key': expect.stringMatching(/^[A-Za-z0-9]{64}$/) });
    expect(pod.api.values('cookie')).toEqual({ key: expect.stringMatching(/^[A-Za-z0-9]{16}$/) });
    expect(Object.keys(pod.files)).toEqual([]);
    for (const value of [login.password, login['secret-key'], pod.api.values('cookie').key]) expect(stdout).not.toContain(value);
  });

  test('makes up a key of Fernet: 32 bytes in the alphabet for URLs', async () => {
    const pod = await Pod.with({ cookie: undefined });

    await pod.run('fill', { ...environment, SECRETS: JSON.stringify([{ secretName: 'cookie', values: { key: { fernet: true }, other: { fernet: true } } }]) });

    const { key, other } = pod.api.values('cookie');
    for (const value of [key, other]) {
      expect(value).toMatch(/^[A-Za-z0-9_-]{43}=$/);
      expect(Buffer.from(value, 'base64url')).toHaveLength(32);
    }
    expect(key).not.toBe(other);
  });

  test('no two values are the same', async () => {
    const pods = await Promise.all([1, 2].map(() => Pod.with({ 'mlflow-login': undefined, cookie: undefined })));
    await Promise.all(pods.map((pod) => pod.run('fill', environment)));
    const [one, two] = pods.map((pod) => pod.api.values('mlflow-login'));
    expect(one.password).not.toBe(two.password);
    expect(one['secret-key'].slice(0, 32)).not.toBe(one.password);
  });

  test('leaves what is there as it is, and fills an empty value', async () => {
    const pod = await Pod.with({ 'mlflow-login': { username: 'root', password: '', other: 'x' }, cookie: { key: 'mine' } });

    const { stdout } = await pod.run('fill', environment);

    expect(stdout).toBe('Secret "mlflow-login": wrote password, secret-key\nSecret "cookie" has all its keys: left as it is\n');
    expect(pod.api.values('mlflow-login')).toMatchObject({ username: 'root', password: expect.stringMatching(/^[A-Za-z0-9]{32}$/), other: 'x' });
    expect(pod.api.values('cookie')).toEqual({ key: 'mine' });
    expect(pod.api.writes.map(({ secretName }) => secretName)).toEqual(['mlflow-login']);
  });

  test('run again, changes nothing', async () => {
    const pod = await Pod.with({ 'mlflow-login': undefined, cookie: undefined });
    await pod.run('fill', environment);
    const values = pod.api.values('mlflow-login');
    await pod.run('fill', environment);
    expect(pod.api.values('mlflow-login')).toEqual(values);
    expect(pod.api.writes).toHaveLength(2);
  });

  test('waits for a Secret that is not there yet', async () => {
    const pod = await Pod.with({ cookie: undefined });

    const { code, stdout } = await pod.run('fill', { ...environment, DEADLINE_SECONDS: '0' });

    expect(code).toBe(1);
    expect(stdout).toMatch(/^Waiting: Secret "mlflow-login" does not exist/);
  });
});

test('a request carries the token, the content type and the name of the writer', async () => {
  const pod = await Pod.with({ 'minio-root': undefined, 'minio-credentials': undefined });

  await pod.run('prepare');

  expect(new Set(pod.api.requests.map((request) => request.headers.authorization))).toEqual(new Set([`Bearer ${TOKEN}`]));
  const [patch] = pod.api.writes;
  expect(patch.method).toBe('PATCH');
  expect(patch.headers['content-type']).toBe('application/merge-patch+json');
  expect(patch.query.get('fieldManager')).toBe('mlflow-bootstrap');
  expect(JSON.parse(patch.body)).toMatchObject({ metadata: { resourceVersion: '101' } });
});

describe('waiting', () => {
  test.concurrent('for a key of a Secret that somebody else makes', async () => {
    const pod = await Pod.with({ 'minio-root': undefined, 'minio-credentials': { 'access-key': 'theirs' } }, [ADMIN, EXISTING_USER]);
    const prepare = pod.start('prepare');
    const line = 'Waiting: Secret "minio-credentials" has no value under key "secret-key": add it there';
    await prepare.saw(line);
    await until(() => pod.api.requests.filter((request) => request.secretName === 'minio-credentials').length > 1);

    pod.api.put('minio-credentials', { 'secret-key': 'Theirs1234' });

    const result = await prepare.ended;
    expect(result.code).toBe(0);
    expect(lines(result.stdout).filter((printed) => printed.startsWith('Waiting'))).toEqual([line]);
    expect(pod.file('user.password')).toBe('Theirs1234');
    pod.expectNoValueIn(result);
  });

  test.concurrent('for a Secret that does not exist yet', async () => {
    const pod = await Pod.with({ 'minio-root': undefined });
    const prepare = pod.start('prepare');
    await prepare.saw('Secret "minio-credentials" does not exist');

    pod.api.put('minio-credentials');

    expect(await prepare.ended).toMatchObject({ code: 0, stderr: '' });
    expect(pod.file('user.username')).toBe('mlflow');
  });

  test.concurrent('after a conflict, and then the values of the other one win', async () => {
    const pod = await Pod.with({ 'minio-root': { 'root-user': 'chosen' }, 'minio-credentials': undefined });
    let conflicts = 0;
    pod.api.before = ({ method }) => {
      if (method === 'PATCH' && conflicts++ === 0) pod.api.put('minio-root', { 'root-password': 'SomebodyElses1' });
      return undefined;
    };

    const { code, stdout } = await pod.run('prepare');

    expect(code).toBe(0);
    expect(lines(stdout)).toEqual([
      'Waiting: Secret "minio-root" was changed by somebody else meanwhile',
      'Secret "minio-root" has all its keys: left as it is',
    ]);
    expect(pod.api.values('minio-root')).toEqual({ 'root-user': 'chosen', 'root-password': 'SomebodyElses1' });
    expect(pod.files).toMatchObject({ 'admin.password': 'SomebodyElses1', pgpass: '*:*:*:chosen:SomebodyElses1\n' });
  });

  test.concurrent('after a conflict about something else, what was made up is written', async () => {
    const pod = await Pod.with({ 'minio-root': undefined, 'minio-credentials': undefined });
    await pod.run('prepare');
    const { files } = pod;
    let conflicts = 0;
    pod.api.before = ({ method }) => {
      if (method === 'PATCH' && conflicts++ === 0) pod.api.put('minio-credentials', { note: 'keep me' });
      return undefined;
    };

    const { code } = await pod.run('publish');

    expect(code).toBe(0);
    expect(pod.api.values('minio-credentials')).toEqual({
      note: 'keep me',
      'access-key': files['user.username'],
      'secret-key': files['user.password'],
    });
  });

  test.concurrent('for an API server that is down for a moment', async () => {
    const pod = await Pod.with({ 'minio-root': undefined, 'minio-credentials': undefined });
    let failures = 0;
    pod.api.before = () => (failures++ === 0 ? 503 : undefined);

    const { code, stdout } = await pod.run('prepare');

    expect(code).toBe(0);
    expect(lines(stdout)).toEqual([
      'Waiting: the API server answered 503 to GET minio-root',
      'Secret "minio-root": wrote root-password, root-user',
    ]);
  });

  test.concurrent('until the deadline, not longer', async () => {
    const pod = await Pod.with({ 'minio-root': undefined });

    const { code, stderr, seconds } = await pod.run('prepare', { DEADLINE_SECONDS: '1' });

    expect(code).toBe(1);
    expect(lines(stderr)).toEqual([expect.stringMatching(/^ERROR: gave up after 1 s: Secret "minio-credentials" does not exist/)]);
    expect(seconds).toBeGreaterThan(1);
    expect(seconds).toBeLessThan(6);
    expect(pod.api.requests.filter((request) => request.secretName === 'minio-credentials').length).toBeGreaterThan(1);
  });
});

describe('a refusal names the Secret and the fix', () => {
  test.each(['GET', 'PATCH'])('403 to %s', async (method) => {
    const pod = await Pod.with({ 'minio-root': undefined, 'minio-credentials': undefined });
    pod.api.before = (request) => (request.method === method ? 403 : undefined);
    const reason =
      `the API server does not let this Job ${method} Secret "minio-root": ` +
      'its Role or RoleBinding is missing or was changed; apply the manifests again';

    const { code, stdout, stderr } = await pod.run('prepare', { DEADLINE_SECONDS: '0' });

    expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: `Waiting: ${reason}\n`, stderr: `ERROR: gave up after 0 s: ${reason}\n` });
  });

  test('404', async () => {
    const pod = await Pod.with({ 'minio-credentials': undefined });

    const { code, stdout } = await pod.run('prepare', { DEADLINE_SECONDS: '0' });

    expect(code).toBe(1);
    expect(stdout).toMatch(/^Waiting: Secret "minio-root" does not exist\b.*\b(apply|create|make)\b.*\n$/);
  });

  test('no API server', async () => {
    const pod = await Pod.with({});
    pod.api.close();

    const { code, stdout, stderr } = await pod.run('prepare', { DEADLINE_SECONDS: '0' });

    expect(code).toBe(1);
    expect(lines(stdout)).toEqual([expect.stringContaining(`Waiting: the API server at ${pod.api.url} cannot be reached: `)]);
    expect(lines(stderr)).toEqual([expect.stringContaining(`ERROR: gave up after 0 s: the API server at ${pod.api.url} cannot be reached: `)]);
  });
});

test('an unknown step is answered with the usage', async () => {
  const pod = await Pod.with({ 'minio-root': undefined, 'minio-credentials': undefined });

  const { code, stderr } = await pod.run('delete');

  expect(code).toBe(1);
  expect(stderr).toContain('fill-secrets.py prepare');
  expect(pod.api.requests).toEqual([]);
});

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error('the condition did not come true');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test.each([
  ['10.96.0.1', 'https://10.96.0.1:443'],
  ['fd00:10:96::1', 'https://[fd00:10:96::1]:443'],
])('the API server at %s is at %s', async (host, url) => {
  const code = `import sys; sys.path.insert(0, "${dirname(SCRIPT)}"); import secret_api; print(secret_api.API_SERVER)`;
  const { stdout } = await new Script([PYTHON, '-c', code], { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: '443' }).ended;
  expect(lines(stdout)).toEqual([url]);
});
