import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { IncomingMessage, RequestListener, Server, createServer } from 'node:http';
import { AddressInfo, Socket, connect } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, until } from '../processes';
import { Environment, FakeProgram, Result, Script, fixOf, lines, scratch, splitWarnings, startScript } from '../run-script';
import { Minio, PYTHON, Postgres } from './servers';

const SCRIPT = startScript();
const BUCKET = 'mlflow-bucket';
const KEY = 'minio-Ab12Cd34Ef56Gh';
const SECRET = 'SecretKeyThatNobodyMaySee123456789012345';
const PG_PASSWORD = 'PgPasswordThatNobodyMaySee';
const KEY_SOURCE = 'key AWS_ACCESS_KEY_ID of Secret minio-user (AWS_ACCESS_KEY_ID)';
const SECRET_SOURCE = 'key AWS_SECRET_ACCESS_KEY of Secret minio-user (AWS_SECRET_ACCESS_KEY)';
const PASSWORD_SOURCE = 'key PGPASSWORD of Secret postgres-user (PGPASSWORD)';
const SOURCES = {
  AWS_ACCESS_KEY_ID: 'key AWS_ACCESS_KEY_ID of Secret minio-user',
  AWS_SECRET_ACCESS_KEY: 'key AWS_SECRET_ACCESS_KEY of Secret minio-user',
  PGPASSWORD: 'key PGPASSWORD of Secret postgres-user',
};
const SECRETS = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'PGPASSWORD'];
const STARTING = 'Starting MLflow with AWS credentials: minio...';
const UNKNOWN_KEY = 'does not know the access key id (InvalidAccessKeyId)';

// a1 <- b2
const HEAD = 'b2';
const MLFLOW = {
  'mlflow/__init__.py': '',
  'mlflow/store/db_migrations/versions/a1_first.py': 'revision = "a1"\ndown_revision = None\n',
  'mlflow/store/db_migrations/versions/b2_second.py': 'revision = "b2"\ndown_revision = "a1"\n',
  'mlflow/server/__init__.py': '',
  'mlflow/server/handlers.py': `
import psycopg2


def initialize_backend_stores(uri, registry, root):
    connection = psycopg2.connect(uri.replace("+psycopg2", ""))
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE alembic_version (version_num varchar(32))")
        cursor.execute("INSERT INTO alembic_version VALUES ('${HEAD}')")
`,
};

jest.setTimeout(60_000);

let minio: Minio;
let elsewhere: Minio;
let postgres: Postgres;
let package_: string;
const httpServers: Server[] = [];

beforeAll(async () => {
  [minio, elsewhere, postgres] = await Promise.all([Minio.start(), Minio.start(), Postgres.start()]);
  package_ = scratch(MLFLOW);
  await minio.mc('mb', `s/${BUCKET}`);
  await minio.makeUser(KEY, SECRET, 'mlflow-*');
  await postgres.sql('postgres', ["CREATE ROLE mlflow LOGIN PASSWORD '" + PG_PASSWORD + "'"], ['CREATE DATABASE mlflow OWNER mlflow']);
}, 90_000);

afterAll(() => {
  for (const server of httpServers) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  httpServers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** Its `stderr` is without the warnings. */
interface Start extends Result {
  readonly warnings: string[];
  readonly mlflow: FakeProgram;
  readonly message: string;
}

/** A value of undefined takes the variable away. */
type Changes = Record<string, string | undefined>;

function environment(changes: Changes): Environment {
  const all: Changes = {
    AWS_ACCESS_KEY_ID: KEY,
    AWS_SECRET_ACCESS_KEY: SECRET,
    MLFLOW_S3_ENDPOINT_URL: minio.url,
    PGUSER: 'mlflow',
    PGPASSWORD: PG_PASSWORD,
    PYTHONPATH: package_,
    STARTUP_SOURCES: JSON.stringify(SOURCES),
    STARTUP_DEADLINE_SECONDS: '30',
    HOME: '/nonexistent',
    ...changes,
  };
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function expectNoSecret(env: Environment, text: string): void {
  const values = [...SECRETS.map((name) => (env[name] ?? '').trim()), KEY, SECRET, PG_PASSWORD, minio.rootUser, minio.rootPassword];
  for (const value of values.filter((secret) => secret.length > 5)) expect(text).not.toContain(value);
}

class Preflight extends Script {
  public readonly result: Promise<Start>;

  public constructor(changes: Changes = {}, flags = [store()]) {
    const mlflow = new FakeProgram('mlflow');
    const log = join(scratch({ log: '' }), 'log');
    const env = environment({ TERMINATION_LOG: log, ...changes });
    super([PYTHON, SCRIPT, 'mlflow', 'server', ...flags], env, [mlflow.directory], 40_000);
    this.result = this.ended.then((result) => {
      const message = readFileSync(log, 'utf8');
      expectNoSecret(env, result.stdout + result.stderr + message);
      return { ...result, ...splitWarnings(result.stderr), mlflow, message };
    });
  }
}

function store(bucket = BUCKET): string {
  return `--artifacts-destination=s3://${bucket}`;
}

function preflight(changes: Changes = {}, flags?: string[]): Promise<Start> {
  return new Preflight(changes, flags).result;
}

interface Expected {
  readonly code: number;
  /** Title of the error. */
  readonly cause: string | RegExp;
  readonly names: (string | RegExp)[];
  readonly fix: string | RegExp;
}

/** Failed fast, with cause, variable or Secret key, and fix, which are also the termination message. */
function expectFailure(start: Start, { code, cause, names, fix }: Expected): void {
  expect({ code: start.code, stderr: start.stderr }).toEqual({ code, stderr: `${start.message}\n` });
  expect(lines(start.stderr)[0]).toMatch(/^ERROR: /);
  expect(lines(start.stderr)[0]).toMatch(cause);
  for (const name of names) expect(start.stderr).toMatch(name);
  expect(start.stderr).toMatch(/\n {2}tried: .+\n/);
  expect(fixOf(start.stderr)).toMatch(fix);
  expect(start.stderr).not.toContain('Traceback');
  expect(start.seconds).toBeLessThan(10);
  expect(start.mlflow.calls).toEqual([]);
}

function expectStarted(start: Start, warning?: RegExp): void {
  expect({ code: start.code, stderr: start.stderr }).toEqual({ code: 0, stderr: '' });
  expect(lines(start.stdout)).toEqual([STARTING]);
  expect(start.warnings).toEqual(warning ? [expect.stringMatching(warning)] : []);
  expect(start.mlflow.calls).toHaveLength(1);
  expect(start.message).toBe('');
}

async function objects(): Promise<string> {
  return minio.mc('ls', '--recursive', `s/${BUCKET}`);
}

describe('a healthy store', () => {
  test.each([{}, { STARTUP_ARTIFACT_TRANSFER: 'direct' }, { MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE: 'path' }])('%j starts MLflow at once and holds no probe', async (changes) => {
    expectStarted(await preflight(changes));
    expect(await objects()).toBe('');
  });

  test('is tried below the path of the destination', async () => {
    expectStarted(await preflight({}, [`${store()}/team/models`]));
    expect(await objects()).toBe('');
  });

  test('costs at most 1.5 s, the database included', async () => {
    await setRevision(HEAD);
    const measure = async (flags: string[]) => {
      const seconds: number[] = [];
      for (let run = 0; run < 5; run++) {
        const start = await preflight({}, flags);
        expectStarted(start);
        seconds.push(start.seconds);
      }
      return seconds.sort((a, b) => a - b)[2];
    };

    const skipped = await measure([]);
    const checked = await measure([store(), database()]);

    expect(checked).toBeGreaterThan(skipped);
    expect(checked - skipped).toBeLessThan(1.5);
  });
});

describe('InvalidAccessKeyId', () => {
  const COMPARE = { code: 4, cause: UNKNOWN_KEY, names: [KEY_SOURCE, 'InvalidAccessKeyId'], fix: `Compare ${KEY_SOURCE} with the users of the store` };
  const encoded = (text: string) => Buffer.from(text).toString('base64');
  const form = (code: number, text: RegExp): Expected => ({ code, cause: text, names: ['AWS_ACCESS_KEY_ID is not a key', KEY_SOURCE], fix: `Put the plain value into ${KEY_SOURCE}` });

  test.each<[string, Changes, Expected]>([
    ['unknown', { AWS_ACCESS_KEY_ID: 'nobody-has-this-key' }, COMPARE],
    ['swapped with the secret key', { AWS_ACCESS_KEY_ID: SECRET, AWS_SECRET_ACCESS_KEY: KEY }, form(3, /swapped/)],
    ['base64 twice', { AWS_ACCESS_KEY_ID: encoded(KEY) }, form(3, /base64/)],
    ['base64 twice, of an echo', { AWS_ACCESS_KEY_ID: encoded(`${KEY}\n`) }, form(3, /base64/)],
    ['in quotes', { AWS_ACCESS_KEY_ID: `"${KEY}"` }, form(3, /quotes/)],
    ['an unexpanded variable', { AWS_ACCESS_KEY_ID: '$(MINIO_ACCESS_KEY)' }, form(3, /placeholder/)],
  ])('the key id is %s', async (_case, changes, expected) => {
    expectFailure(await preflight(changes), expected);
  });

  test.each([['space', `${KEY} `], ['newline', `${KEY}\n`]])('a %s at the end of the key id is dropped', async (_case, value) => {
    const start = await preflight({ AWS_ACCESS_KEY_ID: value });

    expectStarted(start, /^WARNING: key AWS_ACCESS_KEY_ID of Secret minio-user .*white space/);
    expect(start.mlflow.calls[0].env.AWS_ACCESS_KEY_ID).toBe(KEY);
  });

  test('a newline inside the key id', async () => {
    expectFailure(await preflight({ AWS_ACCESS_KEY_ID: `${KEY.slice(0, 9)}\n${KEY.slice(9)}` }), form(3, /white space|control/));
  });

  test.each([
    ['removed', 'rm'],
    ['disabled', 'disable'],
  ])('the user was %s', async (state, command) => {
    const user = { AWS_ACCESS_KEY_ID: `minio-${state}-user`, AWS_SECRET_ACCESS_KEY: `SecretOfThe${state}User1234` };
    await minio.makeUser(user.AWS_ACCESS_KEY_ID, user.AWS_SECRET_ACCESS_KEY, 'mlflow-*');
    expectStarted(await preflight(user));

    await minio.mc('admin', 'user', command, 's', user.AWS_ACCESS_KEY_ID);

    expectFailure(await preflight(user), { ...COMPARE, names: [KEY_SOURCE, state] });
  });

  test('the root user was changed', async () => {
    const own = await Minio.start();
    const root = { AWS_ACCESS_KEY_ID: own.rootUser, AWS_SECRET_ACCESS_KEY: own.rootPassword, MLFLOW_S3_ENDPOINT_URL: own.url };
    await own.mc('mb', `s/${BUCKET}`);
    expectStarted(await preflight(root));

    await own.stop();
    own.rootUser = 'another-root-user';
    await own.start();

    expectFailure(await preflight(root), { ...COMPARE, names: [KEY_SOURCE, 'root user was changed'] });
    await own.stop();
  });

  test('the volume was lost', async () => {
    const own = await Minio.start();
    await own.mc('mb', `s/${BUCKET}`);
    await own.makeUser(KEY, SECRET, BUCKET);
    expectStarted(await preflight({ MLFLOW_S3_ENDPOINT_URL: own.url }));

    await own.stop();
    own.loseVolume();
    await own.start();

    expectFailure(await preflight({ MLFLOW_S3_ENDPOINT_URL: own.url }), { ...COMPARE, names: [KEY_SOURCE, 'volume was lost', own.url] });
    await own.stop();
  });

  test('a stale environment beside a good file', async () => {
    const HOME = scratch({ '.aws/credentials': `[default]\naws_access_key_id = ${KEY}\naws_secret_access_key = ${SECRET}\n` });

    expectFailure(await preflight({ HOME, AWS_ACCESS_KEY_ID: 'stale-access-key-id' }), {
      ...COMPARE,
      names: [KEY_SOURCE, /~\/\.aws\/credentials are not used, since the environment wins/],
    });
  });

  test.each<[string, () => Changes]>([
    ['AWS_ENDPOINT_URL', () => ({ AWS_ENDPOINT_URL: elsewhere.url })],
    ['AWS_ENDPOINT_URL_S3', () => ({ AWS_ENDPOINT_URL_S3: elsewhere.url })],
    ['~/.aws/config', () => ({ HOME: scratch({ '.aws/config': `[default]\nendpoint_url = ${elsewhere.url}\n` }) })],
  ])('%s sends the requests to another server', async (culprit, changes) => {
    const start = await preflight({ MLFLOW_S3_ENDPOINT_URL: undefined, ...changes() });

    expectFailure(start, { code: 4, cause: 'InvalidAccessKeyId', names: [elsewhere.url, culprit], fix: 'Set MLFLOW_S3_ENDPOINT_URL' });
    expect(lines(start.stderr)[0]).toContain('another S3 server');
    expect(fixOf(start.stderr)).toContain(`remove ${culprit}`);
  });

  test('the user may come late: it is waited for', async () => {
    const user = { AWS_ACCESS_KEY_ID: 'minio-late-user', AWS_SECRET_ACCESS_KEY: 'SecretOfTheLateUser1234' };
    const waiting = new Preflight({ ...user, STARTUP_USER_MAY_COME_LATE: 'true' });
    await waiting.saw(UNKNOWN_KEY);

    await minio.makeUser(user.AWS_ACCESS_KEY_ID, user.AWS_SECRET_ACCESS_KEY, 'mlflow-*');

    const { code, mlflow } = await waiting.result;
    expect({ code, calls: mlflow.calls.length }).toEqual({ code: 0, calls: 1 });
  });
});

describe('other refusals of the store', () => {
  test('a wrong secret key', async () => {
    expectFailure(await preflight({ AWS_SECRET_ACCESS_KEY: 'NotTheSecretOfThisUser' }), {
      code: 4,
      cause: 'the secret key is wrong (SignatureDoesNotMatch)',
      names: ['AWS_SECRET_ACCESS_KEY', 'rotated'],
      fix: `Put the secret key of the user into ${SECRET_SOURCE}`,
    });
  });

  test('a newline at the end of the secret key is dropped', async () => {
    const start = await preflight({ AWS_SECRET_ACCESS_KEY: `${SECRET}\n` });

    expectStarted(start, /^WARNING: key AWS_SECRET_ACCESS_KEY of Secret minio-user .*newline/);
    expect(start.mlflow.calls[0].env.AWS_SECRET_ACCESS_KEY).toBe(SECRET);
  });

  test('a secret key that is base64 twice', async () => {
    expectFailure(await preflight({ AWS_SECRET_ACCESS_KEY: Buffer.from(SECRET).toString('base64') }), {
      code: 3,
      cause: /AWS_SECRET_ACCESS_KEY is not a key: it is base64/,
      names: [SECRET_SOURCE],
      fix: `Put the plain value into ${SECRET_SOURCE}`,
    });
  });

  test('a leftover session token', async () => {
    expectFailure(await preflight({ AWS_SESSION_TOKEN: 'leftover-session-token' }), {
      code: 4,
      cause: 'session token (InvalidTokenId)',
      names: ['AWS_SESSION_TOKEN is left over'],
      fix: 'Remove AWS_SESSION_TOKEN',
    });
  });

  test.each(['aws:kms', 'AES256'])('server-side encryption %s without a KMS', async (ServerSideEncryption) => {
    expectFailure(await preflight({ MLFLOW_S3_UPLOAD_EXTRA_ARGS: JSON.stringify({ ServerSideEncryption }) }), {
      code: 4,
      cause: 'cannot do what MLFLOW_S3_UPLOAD_EXTRA_ARGS asks for',
      names: [/NotImplemented|KMS/],
      fix: 'Remove MLFLOW_S3_UPLOAD_EXTRA_ARGS',
    });
  });

  test('an upload argument that boto3 does not have', async () => {
    expectFailure(await preflight({ MLFLOW_S3_UPLOAD_EXTRA_ARGS: '{"Nonsense": 1}' }), {
      code: 3,
      cause: 'MLFLOW_S3_UPLOAD_EXTRA_ARGS is not what boto3 takes',
      names: ['Nonsense'],
      fix: 'Correct it',
    });
  });

  const [faketime] = ['/usr/lib', ...(existsSync('/usr/lib') ? readdirSync('/usr/lib').map((folder) => join('/usr/lib', folder)) : [])]
    .map((folder) => join(folder, 'faketime/libfaketime.so.1'))
    .filter((library) => existsSync(library));

  (faketime ? test.each : test.skip.each)([
    ['+20m', 'ahead'],
    ['-20m', 'behind'],
  ])(`a clock that is %s off${faketime ? '' : ' (skipped, no libfaketime: apt-get install faketime)'}`, async (FAKETIME, direction) => {
    expectFailure(await preflight({ LD_PRELOAD: faketime, FAKETIME, FAKETIME_DONT_FAKE_MONOTONIC: '1', FAKETIME_NO_CACHE: '1' }), {
      code: 4,
      cause: 'clocks of this node and of the artifact store differ too much (RequestTimeTooSkewed)',
      names: [new RegExp(`this node is (19|20|21) minutes ${direction}`)],
      fix: 'Set the clock of the node',
    });
  });
});

describe('environment', () => {
  test.each<[string, string | undefined, string]>([
    ['missing', undefined, 'AWS_SECRET_ACCESS_KEY'],
    ['empty', '', 'AWS_SECRET_ACCESS_KEY'],
    ['missing', undefined, 'AWS_ACCESS_KEY_ID'],
    ['empty', '', 'AWS_ACCESS_KEY_ID'],
  ])('%s (%j) %s', async (_case, value, variable) => {
    expectFailure(await preflight({ [variable]: value }), {
      code: 1,
      cause: new RegExp(`^ERROR: ${variable} not set!$`),
      names: [/NoCredentialsError, PartialCredentialsError/],
      fix: `Give key ${variable} of Secret minio-user (${variable}) a value`,
    });
  });

  test('AWS_PROFILE names no profile', async () => {
    expectFailure(await preflight({ AWS_PROFILE: 'none-such' }), {
      code: 3,
      cause: 'AWS_PROFILE names a profile that does not exist (ProfileNotFound): "none-such"',
      names: [],
      fix: 'Remove AWS_PROFILE',
    });
  });

  test.each<[string, () => string, string | RegExp]>([
    ['empty', () => '', 'empty'],
    ['without scheme', () => minio.url.replace('http://', ''), 'no scheme'],
    ['with a newline inside', () => minio.url.replace(':', '\n:'), 'white space'],
  ])('an endpoint %s', async (_case, endpoint, text) => {
    const start = await preflight({ MLFLOW_S3_ENDPOINT_URL: endpoint() });

    expectFailure(start, { code: 3, cause: 'MLFLOW_S3_ENDPOINT_URL is no endpoint', names: ['Invalid endpoint'], fix: 'Correct MLFLOW_S3_ENDPOINT_URL' });
    expect(lines(start.stderr)[0]).toMatch(text);
  });

  test('a newline at the end of the endpoint is dropped', async () => {
    const start = await preflight({ MLFLOW_S3_ENDPOINT_URL: `${minio.url}\n` });

    expectStarted(start, /^WARNING: MLFLOW_S3_ENDPOINT_URL .*newline/);
    expect(start.mlflow.calls[0].env.MLFLOW_S3_ENDPOINT_URL).toBe(minio.url);
  });

  test('an endpoint that includes the bucket', async () => {
    expectFailure(await preflight({ MLFLOW_S3_ENDPOINT_URL: `${minio.url}/${BUCKET}` }), {
      code: 3,
      cause: `MLFLOW_S3_ENDPOINT_URL has a path, "/${BUCKET}"`,
      names: ['wrong key'],
      fix: 'Take the path out of MLFLOW_S3_ENDPOINT_URL',
    });
    expect(await objects()).toBe('');
  });

  test('virtual addressing on a name of this machine', async () => {
    const endpoint = `http://${hostname()}:${minio.port}`;

    expectFailure(await preflight({ MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE: 'virtual', MLFLOW_S3_ENDPOINT_URL: endpoint }), {
      code: 3,
      cause: `does not resolve: ${BUCKET}.${hostname()}`,
      names: ['Virtual addressing'],
      fix: 'MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE=path',
    });
  });

  describe('a wrong proxy', () => {
    test.each(['HTTP_PROXY', 'http_proxy'])('%s that refuses the connection', async (variable) => {
      expectFailure(await preflight({ [variable]: `http://127.0.0.1:${await freePort()}` }), {
        code: 3,
        cause: `HTTP proxy in ${variable} `,
        names: ['ProxyConnectionError', 'NO_PROXY'],
        fix: `Add 127.0.0.1 to NO_PROXY, or remove ${variable}`,
      });
    });

    test.each([502, 503, 407, 403])('that answers %i', async (status) => {
      let requests = 0;
      const port = await serve((request: IncomingMessage, response) => {
        requests += 1;
        request.resume();
        response.writeHead(status, { 'Content-Type': 'text/html' }).end('<html>no</html>');
      });

      const start = await preflight({ HTTP_PROXY: `http://127.0.0.1:${port}`, STARTUP_DEADLINE_SECONDS: '8' });

      expect(requests).toBeGreaterThan(0);
      expectFailure(start, { code: 3, cause: 'HTTP proxy in HTTP_PROXY', names: ['NO_PROXY', String(status)], fix: 'remove HTTP_PROXY' });
    });

    test('does not matter where NO_PROXY has the endpoint', async () => {
      expectStarted(await preflight({ HTTP_PROXY: 'http://127.0.0.1:1', NO_PROXY: '127.0.0.1' }));
    });
  });
});

describe('region', () => {
  test('another one is a warning, where all goes through the server', async () => {
    expectStarted(await preflight({ AWS_DEFAULT_REGION: 'eu-west-1' }), /^WARNING: .*region is eu-west-1.*us-east-1.*presigned/);
  });

  test('another one is an error, where clients get presigned URLs', async () => {
    expectFailure(await preflight({ AWS_DEFAULT_REGION: 'eu-west-1', STARTUP_ARTIFACT_TRANSFER: 'direct' }), {
      code: 4,
      cause: /region|presigned/,
      names: ['presigned', 'eu-west-1', 'us-east-1'],
      fix: 'prop region',
    });
  });

  describe('of the server is eu-west-1', () => {
    let european: Minio;
    const changes = (region?: string): Changes => ({
      MLFLOW_S3_ENDPOINT_URL: european.url,
      AWS_DEFAULT_REGION: region,
      STARTUP_ARTIFACT_TRANSFER: 'direct',
    });

    beforeAll(async () => {
      european = await Minio.start({ region: 'eu-west-1' });
      await european.mc('mb', `s/${BUCKET}`);
      await european.makeUser(KEY, SECRET, BUCKET);
    }, 40_000);
    afterAll(() => european.stop());

    test('the same is fine, and so are presigned URLs', async () => {
      expectStarted(await preflight(changes('eu-west-1')));
    });

    test('none is not, and both are named', async () => {
      const start = await preflight(changes());

      expectFailure(start, { code: 4, cause: /region|presigned/, names: ['region', 'eu-west-1', 'us-east-1'], fix: /region.*eu-west-1/ });
    });

    test('none is a warning, where all goes through the server', async () => {
      const start = await preflight({ ...changes(), STARTUP_ARTIFACT_TRANSFER: undefined });

      expectStarted(start, /^WARNING: .*region is us-east-1.*eu-west-1/);
    });
  });
});

describe('what is not there yet', () => {
  test('a bucket of a user with few rights is waited for, and named', async () => {
    const waiting = new Preflight({}, [store('mlflow-late')]);
    await waiting.saw('Waiting for');
    await minio.mc('mb', 's/mlflow-late');

    const { code, stdout, stderr, mlflow } = await waiting.result;

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(lines(stdout)).toEqual([expect.stringMatching(/^Waiting for .*bucket mlflow-late.*(AccessDenied|NoSuchBucket)/), STARTING]);
    expect(mlflow.calls).toHaveLength(1);
  });

  test.each<[string, string, boolean, RegExp, RegExp]>([
    ['a user with few rights', 'mlflow-never', false, /bucket mlflow-never .*\((AccessDenied|NoSuchBucket)\)/, /policy|mc mb/],
    ['another user', 'others-bucket', false, /denies access to bucket others-bucket \(AccessDenied\)/, /policy/],
    ['root', 'mlflow-never', true, /bucket mlflow-never does not exist \(NoSuchBucket\)/, /mc mb/],
  ])('a bucket of %s is given up at the deadline', async (_case, bucket, asRoot, cause, fix) => {
    const keys = asRoot ? { AWS_ACCESS_KEY_ID: minio.rootUser, AWS_SECRET_ACCESS_KEY: minio.rootPassword } : {};

    const start = await preflight({ ...keys, STARTUP_DEADLINE_SECONDS: '1.5' }, [store(bucket)]);

    expectFailure(start, { code: 5, cause, names: ['gave up after 1.5 s', 'startupDeadline'], fix });
  });

  test('a store is waited for', async () => {
    const late = await Minio.start();
    await late.mc('mb', `s/${BUCKET}`);
    await late.makeUser(KEY, SECRET, BUCKET);
    await late.stop();
    const waiting = new Preflight({ MLFLOW_S3_ENDPOINT_URL: late.url });
    await waiting.saw('Waiting for');
    await late.start();

    const { code, stdout, stderr } = await waiting.result;

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(lines(stdout)[0]).toMatch(new RegExp(`^Waiting for the artifact store at ${late.url}: the artifact store does not answer`));
    expect(lines(stdout).at(-1)).toBe(STARTING);
    await late.stop();
  });

  test.each<[string, () => Promise<string>]>([
    ['that refuses connections', async () => `http://127.0.0.1:${await freePort()}`],
    ['whose name does not resolve', () => Promise.resolve('http://minio.invalid:9000')],
  ])('a store %s is given up at the deadline', async (_case, endpoint) => {
    const MLFLOW_S3_ENDPOINT_URL = await endpoint();

    expectFailure(await preflight({ MLFLOW_S3_ENDPOINT_URL, STARTUP_DEADLINE_SECONDS: '1.5' }), {
      code: 5,
      cause: 'the artifact store does not answer',
      names: [MLFLOW_S3_ENDPOINT_URL, 'gave up after 1.5 s'],
      fix: 'MLFLOW_S3_ENDPOINT_URL',
    });
  });
});

function database(name?: string): string {
  return `--backend-store-uri=${postgres.uri(name)}`;
}

/** The schema of a database that MLflow has initialised; undefined for none. */
async function setRevision(revision?: string): Promise<void> {
  const create = [['CREATE TABLE alembic_version (version_num varchar(32))'], ['GRANT ALL ON alembic_version TO mlflow']];
  await postgres.sql(
    'mlflow',
    ['DROP TABLE IF EXISTS alembic_version'],
    ...(revision ? [...create, ['INSERT INTO alembic_version VALUES (%s)', revision]] : []),
  );
}

describe('database', () => {
  beforeEach(() => setRevision(HEAD));

  test('that is well', async () => {
    expectStarted(await preflight({}, [database()]));
  });

  test('with tables that the user may not read', async () => {
    await postgres.sql('mlflow', ['REVOKE ALL ON alembic_version FROM mlflow']);
    expectFailure(await preflight({}, [database()]), {
      code: 6,
      cause: 'the database refuses what the tracking server asks',
      names: ['permission denied for table alembic_version'],
      fix: 'ALTER DATABASE',
    });
  });

  test('that is empty is initialised', async () => {
    await setRevision();

    const { code, stdout } = await preflight({}, [database()]);

    expect(code).toBe(0);
    expect(lines(stdout)).toEqual(['The database is empty: initialising it', STARTING]);
    await setRevision(HEAD);
  });

  test.each(['PGPASSWORD', 'PGUSER'])('a newline at the end of %s is dropped', async (variable) => {
    const value = { PGPASSWORD: PG_PASSWORD, PGUSER: 'mlflow' }[variable]!;

    const start = await preflight({ [variable]: `${value}\n` }, [database()]);

    expectStarted(start, /^WARNING: (key PGPASSWORD of Secret postgres-user \(PGPASSWORD\)|PGUSER) has white space/);
    expect(start.mlflow.calls[0].env[variable]).toBe(value);
  });

  test('password is another', async () => {
    expectFailure(await preflight({ PGPASSWORD: 'NotThePasswordOfTheUser' }, [database()]), {
      code: 6,
      cause: 'the database refuses the user',
      names: ['password authentication failed', 'logging in as mlflow', `127.0.0.1:${postgres.port}`, 'PGPASSWORD'],
      fix: `Correct ${PASSWORD_SOURCE}`,
    });
  });

  test('does not exist', async () => {
    expectFailure(await preflight({}, [database('no_such_database')]), {
      code: 6,
      cause: 'the server has no such database',
      names: ['"no_such_database" does not exist', '--backend-store-uri'],
      fix: 'CREATE DATABASE',
    });
  });

  test.each(['p@ss w:rd/%41?#&+ü', '%2541 50% + "quoted" \\back\\ $HOME'])('password is as nasty as %j', async (PGPASSWORD) => {
    await postgres.sql('postgres', ['ALTER ROLE mlflow PASSWORD %s', PGPASSWORD]);
    try {
      const good = await preflight({ PGPASSWORD }, [database()]);
      const bad = await preflight({ PGPASSWORD: `${PGPASSWORD}x` }, [database()]);

      expectStarted(good);
      expect(good.mlflow.calls[0].env.PGPASSWORD).toBe(PGPASSWORD);
      expectFailure(bad, { code: 6, cause: 'refuses the user', names: [], fix: PASSWORD_SOURCE });
    } finally {
      await postgres.sql('postgres', ['ALTER ROLE mlflow PASSWORD %s', PG_PASSWORD]);
    }
  });

  test.each(['p@ss w:rdNobodyMaySee', 'p/ss?NobodyMaySee', '%zzNobodyMaySee'])('URI with the raw password %j is no traceback, and does not show it', async (password) => {
    const uri = `postgresql+psycopg2://mlflow:${password}@127.0.0.1:${postgres.port}/mlflow`;

    const { code, stdout, stderr, message, seconds } = await preflight({ STARTUP_DEADLINE_SECONDS: '3' }, [`--backend-store-uri=${uri}`]);

    expect(code).toBeGreaterThan(1);
    expect(stdout + stderr + message).not.toContain('NobodyMaySee');
    expect(stderr).not.toContain('Traceback');
    expect(seconds).toBeLessThan(10);
  });

  test('that comes late is waited for', async () => {
    await postgres.stop();
    const waiting = new Preflight({}, [database()]);
    await waiting.saw('Waiting for');
    await sleep(3000);
    await postgres.start();

    const { code, stdout, stderr } = await waiting.result;

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(lines(stdout)[0]).toMatch(new RegExp(`^Waiting for the database at 127.0.0.1:${postgres.port}: .*Connection refused`));
    expect(lines(stdout).at(-1)).toBe(STARTING);
  });

  test('that never comes is given up at the deadline', async () => {
    const port = await freePort();

    expectFailure(await preflight({ STARTUP_DEADLINE_SECONDS: '1.5' }, [`--backend-store-uri=postgresql+psycopg2://127.0.0.1:${port}/mlflow`]), {
      code: 7,
      cause: 'the database does not answer',
      names: [`127.0.0.1:${port}`, 'Connection refused', 'gave up after 1.5 s'],
      fix: '--backend-store-uri',
    });
  });

  test.each([
    ['older', 'a1', /preflight\.upgradeSchema.*backup/],
    ['newer', 'c3', /newer image/],
  ])('schema is %s', async (state, revision, fix) => {
    await setRevision(revision);

    expectFailure(await preflight({}, [database()]), {
      code: 8,
      cause: `the schema of the database is ${state} than this MLflow`,
      names: [`revision ${revision},`, HEAD],
      fix,
    });
  });
});

/** What the doctor asks a tracking server for. */
class FakeTrackingServer {
  public multipart = false;
  public uploads = 200;
  public status = 200;
  public artifactLocation = 'mlflow-artifacts:/1';
  public port = 0;
  private readonly artifacts = new Map<string, Buffer>();

  public async start(): Promise<this> {
    this.port = await serve((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const [status, body] = this.status === 200 ? this.answer(request.method!, request.url!, Buffer.concat(chunks)) : [this.status, 'Invalid Host header'];
        response.writeHead(status).end(body);
      });
    });
    return this;
  }

  public get left(): number {
    return this.artifacts.size;
  }

  private answer(method: string, path: string, body: Buffer): [number, string | Buffer] {
    if (path === '/health') return [200, 'OK'];
    if (path === '/version') return [200, '3.17.2'];
    if (path.endsWith('/server-info')) return [200, JSON.stringify({ multipart_uploads_enabled: this.multipart, multipart_downloads_enabled: this.multipart })];
    if (path.endsWith('/experiments/search')) return [200, JSON.stringify({ experiments: this.experiments })];
    if (method === 'PUT') {
      if (this.uploads === 200) this.artifacts.set(path, body);
      return [this.uploads, '{}'];
    }
    const artifact = this.artifacts.get(path);
    if (method === 'DELETE') this.artifacts.delete(path);
    return artifact ? [200, artifact] : [404, 'no such artifact'];
  }

  private get experiments() {
    return [
      { experiment_id: '0', name: 'Default', artifact_location: 'mlflow-artifacts:/0' },
      { experiment_id: '1', name: 'churn', artifact_location: this.artifactLocation },
    ];
  }
}

interface Report {
  readonly ok: boolean;
  readonly checks: { check: string; ok: boolean; cause?: string; fix?: string; exitCode?: number }[];
}

describe('doctor', () => {
  let server: FakeTrackingServer;

  beforeEach(async () => {
    server = await new FakeTrackingServer().start();
    await setRevision(HEAD);
  });

  async function run(changes: Changes, command: string[]): Promise<Result> {
    const env = environment(changes);
    const result = await new Script([PYTHON, SCRIPT, 'doctor', ...command], env).ended;
    expectNoSecret(env, result.stdout + result.stderr);
    expect(result.stderr).not.toContain('Traceback');
    return result;
  }

  function doctor(changes: Changes = {}, options: string[] = [], port = server.port): Promise<Result> {
    return run(changes, [...options, store(), database(), `--port=${port}`]);
  }

  /** The lines of the check that failed. */
  function expectIll({ code, stdout }: Result, exitCode: number, check: RegExp, texts: string[], others: number): void {
    expect(code).toBe(exitCode);
    expect(lines(stdout).filter((line) => line.startsWith('✗'))).toEqual([expect.stringMatching(check)]);
    expect(lines(stdout).filter((line) => line.startsWith('✓'))).toHaveLength(others);
    for (const text of texts) expect(stdout).toContain(text);
    expect(stdout).toMatch(/\n {4,}fix: +\S/);
  }

  test('finds nothing where all is well, and changes nothing', async () => {
    const { code, stdout, stderr } = await doctor();

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [, where, why, ...others] = lines(stdout).slice(8);
    expect([where, why, others]).toEqual([expect.stringContaining('larger scratchSize: kubectl'), expect.stringMatching(/^kubectl --namespace \S+ logs --selector /), []]);
    expect(lines(stdout).slice(0, 8)).toEqual([
      '✓ environment',
      `✓ the artifact store at ${minio.url}`,
      `✓ the database at 127.0.0.1:${postgres.port}`,
      '✓ artifacts are there',
      '✓ tracking server: MLflow 3.17.2',
      '✓ upload through the server',
      '✓ clients kept off the artifact store',
      '✓ experiments are proxied',
    ]);
    expect(await objects()).toBe('');
    expect(server.left).toBe(0);
  });

  test('names a wrong secret key', async () => {
    const result = await doctor({ AWS_SECRET_ACCESS_KEY: 'NotTheSecretOfThisUser' });

    expectIll(result, 4, /artifact store at/, ['SignatureDoesNotMatch', SECRET_SOURCE], 6);
  });

  test('names a wrong password', async () => {
    expectIll(await doctor({ PGPASSWORD: 'NotThePasswordOfTheUser' }), 6, /database at/, ['the database refuses the user', PASSWORD_SOURCE], 6);
  });

  test('names a missing key, even beside a file', async () => {
    const HOME = scratch({ '.aws/credentials': '[default]\naws_access_key_id = stale-access-key-id\naws_secret_access_key = StaleSecret1234\n' });

    const { code, stdout } = await doctor({ HOME, AWS_ACCESS_KEY_ID: undefined });

    expect(code).toBe(1);
    expect(stdout).toContain('AWS_ACCESS_KEY_ID not set!');
  });

  test('names a missing bucket at once', async () => {
    const result = await run({}, [store('mlflow-never'), database(), `--port=${server.port}`]);

    expectIll(result, 5, /artifact store at/, ['bucket mlflow-never'], 6);
    expect(result.seconds).toBeLessThan(10);
  });

  test('reports for machines', async () => {
    const [good, bad] = [await doctor({}, ['--json']), await doctor({ AWS_ACCESS_KEY_ID: 'nobody-has-this-key' }, ['--json'])];
    const [well, ill] = [good, bad].map(({ stdout }) => JSON.parse(stdout) as Report);

    expect([good.code, bad.code]).toEqual([0, 4]);
    expect([well.ok, ill.ok]).toEqual([true, false]);
    expect(well.checks.every(({ ok }) => ok)).toBe(true);
    expect(well.checks).toHaveLength(8);
    expect(ill.checks.filter(({ ok }) => !ok)).toEqual([
      expect.objectContaining({ cause: 'key-unknown', exitCode: 4, fix: expect.stringContaining(KEY_SOURCE) }),
    ]);
  });

  test('stays JSON where a value was cleaned or a file exists', async () => {
    const HOME = scratch({ '.aws/config': '[default]\n' });

    const { code, stdout } = await doctor({ HOME, AWS_SECRET_ACCESS_KEY: `${SECRET}\n` }, ['--json']);

    expect(code).toBe(0);
    expect((JSON.parse(stdout) as Report).ok).toBe(true);
  });

  test('names a server that does not answer', async () => {
    const { code, stdout } = await doctor({}, [], await freePort());

    expect(code).toBe(9);
    expect(stdout).toMatch(/✗ tracking server\n +ERROR: the tracking server does not answer/);
  });

  test('asks the server itself, whatever proxy there is', async () => {
    const changes = { MLFLOW_S3_ENDPOINT_URL: `http://localhost:${minio.port}`, HTTP_PROXY: 'http://127.0.0.1:1', NO_PROXY: 'localhost' };

    const { code, stdout } = await doctor(changes);

    expect({ code, ill: lines(stdout).filter((line) => line.startsWith('✗')) }).toEqual({ code: 0, ill: [] });
  });

  test('names uploads that fail in the server only', async () => {
    server.uploads = 500;

    expectIll(await doctor(), 9, /upload through the server/, ['500'], 7);
  });

  test('names presigned URLs, unless they are wanted', async () => {
    server.multipart = true;

    expectIll(await doctor(), 9, /clients kept off/, ['multipart_uploads_enabled', 'ArtifactTransfer.PROXIED'], 7);
    expect((await doctor({ STARTUP_ARTIFACT_TRANSFER: 'direct' })).code).toBe(0);
  });

  test('names experiments from before', async () => {
    server.artifactLocation = 's3://models/1';

    expectIll(await doctor(), 10, /experiments are proxied/, ['1 "churn" at s3://models/1', 'start-mlflow.py relocate tells'], 7);
  });

  describe('--client', () => {
    const NONE = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, MLFLOW_S3_ENDPOINT_URL: undefined };
    const client = (changes: Changes, options: string[] = []) => run(changes, ['--client', `http://127.0.0.1:${server.port}/`, ...options]);

    test('needs no keys', async () => {
      expect(await client(NONE)).toMatchObject({ code: 0, stdout: expect.not.stringContaining('✗') });
    });

    test('names S3 settings of this client', async () => {
      expectIll(await client({}), 10, /environment of this client/, ['AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, MLFLOW_S3_ENDPOINT_URL set'], 4);
    });

    test('names experiments from before', async () => {
      server.artifactLocation = 's3://models/1';

      const { code, stdout } = await client(NONE, ['--json']);

      expect(code).toBe(10);
      expect((JSON.parse(stdout) as Report).checks.filter(({ ok }) => !ok).map(({ cause }) => cause)).toEqual(['experiment-direct']);
    });

    test('names a host that the server does not answer for', async () => {
      server.status = 403;

      const { code, stdout } = await client(NONE);

      expect(code).toBe(9);
      expect(stdout).toContain('the tracking server refuses the host name');
      expect(stdout).toContain('allowedHosts');
    });
  });
});

test('the monitor sees within 20 s that the bucket is gone, and that it is back', async () => {
  await setRevision(HEAD);
  await minio.mc('mb', 's/mlflow-monitored');
  const port = await freePort();
  const env = environment({ STARTUP_MONITOR_PORT: String(port) });
  const monitor = new Script([PYTHON, SCRIPT, 'monitor', store('mlflow-monitored'), database()], env, [], 100_000);
  const get = async (path: string): Promise<[number, string]> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(5000) });
    return [response.status, await response.text()];
  };
  const ready = (status: number) =>
    until(`/ready to be ${status}`, async () => {
      const [actual, text] = await get('/ready');
      return actual === status ? text : undefined;
    });
  const writable = async () => /^mlflow_artifact_store_writable (\d)$/m.exec((await get('/metrics'))[1])?.[1];

  await ready(200);
  expect(await writable()).toBe('1');
  expect((await get('/metrics'))[1]).toMatch(/^mlflow_database_reachable 1$/m);
  expect((await get('/'))[0]).toBe(404);

  await minio.mc('rb', '--force', 's/mlflow-monitored');
  // anybody in the cluster may ask, and the log is for those who may read it
  expect(await ready(503)).toMatch(/^artifact: (denied|bucket-missing)\nsee the log of this pod\n$/);
  expect(await writable()).toBe('0');
  expect((await get('/metrics'))[1]).toMatch(/^mlflow_database_reachable 1$/m);

  await minio.mc('mb', 's/mlflow-monitored');
  await ready(200);
  expect(await writable()).toBe('1');

  monitor.kill('SIGTERM');
  const { code, stdout, stderr } = await monitor.ended;
  expect(code).toBe(0);
  expect(stdout).toMatch(/ERROR: .*bucket mlflow-monitored(.*\n)+ +fix: /);
  expectNoSecret(env, stdout + stderr);
});

test('the monitor answers behind 2,700 half-open connections, in the memory that its pod has', async () => {
  const port = await freePort();
  const env = environment({ STARTUP_MONITOR_PORT: String(port) });
  const monitor = new Script([PYTHON, SCRIPT, 'monitor', store()], env, [], 60_000);
  const metrics = async () => (await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(5000) })).status;
  await until('the monitor', async () => ((await metrics()) === 200 ? true : undefined));
  const sockets: Socket[] = [];
  try {
    for (let opened = 0; opened < 2_700; opened++) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write('GET /metrics HTTP/1.1\r\n');
      sockets.push(socket);
      if (opened % 100 === 0) expect(await metrics()).toBe(200);
    }
    for (let ask = 0; ask < 5; ask++) expect(await metrics()).toBe(200);
    const status = readFileSync(`/proc/${monitor.pid}/status`, 'utf8');
    expect(Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1])).toBeLessThan(192 * 1024);
    expect(Number(/^Threads:\s+(\d+)/m.exec(status)![1])).toBeLessThan(20);
  } finally {
    sockets.forEach((socket) => socket.destroy());
    monitor.kill('SIGTERM');
  }
  expect((await monitor.ended).code).toBe(0);
});
