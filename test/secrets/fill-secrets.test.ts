import { readFileSync, readdirSync, statSync } from 'node:fs';
import { IncomingHttpHeaders, Server, createServer } from 'node:http';
import { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Environment, PYTHON, ROOT, Result, Script, lines, scratch } from '../run-script';

const SCRIPT = join(ROOT, 'lib/secrets/fill-secrets.py');
const TOKEN = 'TokenThatNobodyMaySee';
const NAMESPACE = 'ml-team';
const STORE_URL = 'http://mlflow-minio:9000';

const ADMIN = {
  role: 'admin',
  secretName: 'minio-root',
  usernameKey: 'root-user',
  passwordKey: 'root-password',
  generated: true,
  generatedUsername: 'root-',
};
const USER = {
  role: 'user',
  secretName: 'minio-credentials',
  usernameKey: 'access-key',
  passwordKey: 'secret-key',
  generated: true,
  generatedUsername: 'mlflow',
};
const EXISTING_USER = { role: 'user', secretName: 'minio-credentials', usernameKey: 'access-key', passwordKey: 'secret-key', generated: false };

interface Secret {
  resourceVersion: number;
  data: Record<string, string> | undefined;
}

interface Request {
  readonly method: string;
  readonly secretName: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Answers for the Secrets of one namespace as the Kubernetes API does. */
class FakeApiServer {
  public readonly requests: Request[] = [];
  public url = '';
  /** Sees a request before it is answered, and may refuse it with a status code. */
  public before: (request: Request) => number | undefined = () => undefined;
  private readonly secrets = new Map<string, Secret>();
  private readonly server: Server;

  public constructor() {
    this.server = createServer((message, response) => {
      let body = '';
      message.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      message.on('end', () => {
        const url = new URL(message.url!, 'http://api');
        const [, secretName] = new RegExp(`^/api/v1/namespaces/${NAMESPACE}/secrets/([^/]+)$`).exec(url.pathname) ?? [];
        const request = { method: message.method!, secretName: secretName ?? '', query: url.searchParams, headers: message.headers, body };
        this.requests.push(request);
        const [status, answer] = this.answer(request);
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
      });
    });
  }

  public async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return this;
  }

  public close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  public get writes(): Request[] {
    return this.requests.filter((request) => request.method !== 'GET');
  }

  /** Makes a Secret, or changes keys of it as anybody could. */
  public put(name: string, values?: Record<string, string>): void {
    const { resourceVersion, data } = this.secrets.get(name) ?? { resourceVersion: 100, data: undefined };
    const encoded = Object.entries(values ?? {}).map(([key, value]) => [key, Buffer.from(value).toString('base64')]);
    this.secrets.set(name, {
      resourceVersion: resourceVersion + 1,
      data: values === undefined ? data : { ...data, ...(Object.fromEntries(encoded) as Record<string, string>) },
    });
  }

  public values(name: string): Record<string, string> {
    const entries = Object.entries(this.secrets.get(name)?.data ?? {});
    return Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
  }

  private answer(request: Request): [number, object] {
    const refusal = this.before(request);
    if (refusal !== undefined) return failure(refusal);
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return failure(401);
    const secret = this.secrets.get(request.secretName);
    if (secret === undefined) return failure(404);
    if (request.method === 'PATCH') {
      if (request.headers['content-type'] !== 'application/merge-patch+json') return failure(415);
      const patch = JSON.parse(request.body) as { metadata?: { resourceVersion?: string }; data?: Record<string, string> };
      const expected = patch.metadata?.resourceVersion;
      if (expected !== undefined && expected !== String(secret.resourceVersion)) return failure(409);
      secret.resourceVersion += 1;
      secret.data = { ...secret.data, ...patch.data };
    } else if (request.method !== 'GET') {
      return failure(405);
    }
    const metadata = { name: request.secretName, namespace: NAMESPACE, resourceVersion: String(secret.resourceVersion) };
    return [200, { kind: 'Secret', apiVersion: 'v1', metadata, ...(secret.data === undefined ? {} : { data: secret.data }), type: 'Opaque' }];
  }
}

function failure(code: number): [number, object] {
  return [code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code }];
}

const servers: FakeApiServer[] = [];
afterAll(() => servers.forEach((server) => server.close()));

/** A namespace with Secrets, and the directory that the containers of one pod share. */
class Pod {
  public readonly directory = join(scratch({ 'credentials/.keep': '' }), 'credentials');
  private readonly serviceAccount = scratch({ token: `${TOKEN}\n`, namespace: NAMESPACE, 'ca.crt': '' });

  private constructor(
    public readonly api: FakeApiServer,
    private readonly credentials: object[],
  ) {}

  public static async with(secrets: Record<string, Record<string, string> | undefined>, credentials: object[] = [ADMIN, USER]): Promise<Pod> {
    const api = await new FakeApiServer().listen();
    servers.push(api);
    Object.entries(secrets).forEach(([name, values]) => api.put(name, values));
    return new Pod(api, credentials);
  }

  public start(step: string, environment: Environment = {}): Script {
    return new Script([PYTHON, SCRIPT, step], {
      API_SERVER: this.api.url,
      SERVICE_ACCOUNT_DIR: this.serviceAccount,
      CREDENTIALS_DIR: this.directory,
      CREDENTIALS: JSON.stringify(this.credentials),
      STORE_URL,
      DEADLINE_SECONDS: '60',
      ...environment,
    });
  }

  /** Runs a step to its end. Whatever it is, no value and no token may stand in the output. */
  public async run(step: string, environment: Environment = {}): Promise<Result> {
    const result = await this.start(step, environment).ended;
    this.expectNoValueIn(result);
    return result;
  }

  public expectNoValueIn(result: Result): void {
    const ofFiles = ['admin', 'user'].flatMap((role) => [this.file(`${role}.username`), this.file(`${role}.password`)]);
    const ofSecrets = [ADMIN, USER].flatMap((spec) => Object.values(this.api.values(spec.secretName)));
    for (const value of [TOKEN, ...ofFiles, ...ofSecrets].map((text) => text?.trim() ?? '').filter((text) => text !== '')) {
      expect(result.stdout + result.stderr).not.toContain(value);
      expect(result.stdout + result.stderr).not.toContain(Buffer.from(value).toString('base64'));
    }
  }

  public file(name: string): string | undefined {
    return readdirSync(this.directory).includes(name) ? readFileSync(join(this.directory, name), 'utf8') : undefined;
  }

  public get files(): Record<string, string> {
    const names = readdirSync(this.directory).filter((name) => name !== '.keep');
    return Object.fromEntries(names.map((name) => [name, this.file(name)!]));
  }
}

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
      ['admin.password', 'admin.username', 'config.json', 'pgpass', 'user.password', 'user.username'].map((name) => [name, '600']),
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

  test('run again in another pod, uses what stands in the Secrets', async () => {
    const pod = await Pod.with({ 'minio-root': undefined, 'minio-credentials': undefined });
    await pod.run('prepare');
    await pod.run('publish');
    const other = await Pod.with({
      'minio-root': pod.api.values('minio-root'),
      'minio-credentials': pod.api.values('minio-credentials'),
    });

    await other.run('prepare');

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
  const code = `import runpy; print(runpy.run_path("${SCRIPT}")["API_SERVER"])`;
  const { stdout } = await new Script([PYTHON, '-c', code], { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: '443' }).ended;
  expect(lines(stdout)).toEqual([url]);
});
