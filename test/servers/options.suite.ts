import { IncomingMessage, Server, ServerResponse, createServer } from 'node:http';
import { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { freePort, until } from '../processes';
import { Environment, FakeProgram, Result, Script, fixOf, lines, scratch, splitWarnings, startScript } from '../run-script';
import { Certificate, MariaDb, Minio, PYTHON, Postgres, certificate } from './servers';

const SCRIPT = startScript();
const PG_PASSWORD = 'PgPasswordThatNobodyMaySee';
const MARIADB_PASSWORD = 'p@ss/w%C3%B6rd:NobodyMaySee';
const AZURE_KEY = Buffer.from('AzureKeyThatNobodyMaySee').toString('base64');
const S3 = '--artifacts-destination=s3://mlflow-bucket';

jest.setTimeout(90_000);

interface Start extends Result {
  readonly warnings: string[];
  readonly mlflow: FakeProgram;
}

/** Traffic to an address that only clouds have is turned off. */
const OFFLINE = { HOME: '/nonexistent', AWS_EC2_METADATA_DISABLED: 'true', NO_GCE_CHECK: 'true' };

async function preflight(env: Environment, flags: string[]): Promise<Start> {
  const mlflow = new FakeProgram('mlflow');
  const all = { ...OFFLINE, STARTUP_DEADLINE_SECONDS: '1.5', TERMINATION_LOG: '/', ...env };
  const result = await new Script([PYTHON, SCRIPT, 'mlflow', 'server', ...flags], all, [mlflow.directory], 80_000).ended;
  for (const secret of ['NobodyMaySee', AZURE_KEY]) expect(result.stdout + result.stderr).not.toContain(secret);
  expect(result.stderr).not.toContain('Traceback');
  return { ...result, ...splitWarnings(result.stderr), mlflow };
}

async function doctor(env: Environment, flags: string[]): Promise<string[]> {
  const { stdout } = await new Script([PYTHON, SCRIPT, 'doctor', ...flags, '--port=1'], { ...OFFLINE, ...env }, [], 60_000).ended;
  return lines(stdout);
}

function expectStarted({ code, stdout, stderr, mlflow }: Start, line: string): void {
  expect({ code, stdout: lines(stdout).at(-1), stderr }).toEqual({ code: 0, stdout: line, stderr: '' });
  expect(mlflow.calls).toHaveLength(1);
}

function expectFailure(start: Start, code: number, title: RegExp, fix: RegExp): void {
  expect({ code: start.code, title: lines(start.stderr)[0] }).toEqual({ code, title: expect.stringMatching(title) });
  expect(fixOf(start.stderr)).toMatch(fix);
  expect(start.mlflow.calls).toEqual([]);
}

describe('TLS', () => {
  let tls: Certificate;
  let minio: Minio;
  let postgres: Postgres;
  let plain: Minio;
  const keys = () => ({ AWS_ACCESS_KEY_ID: minio.rootUser, AWS_SECRET_ACCESS_KEY: minio.rootPassword, MLFLOW_S3_ENDPOINT_URL: minio.url });
  const STARTED = 'Starting MLflow with AWS credentials: minio...';

  beforeAll(async () => {
    tls = certificate();
    [minio, plain, postgres] = await Promise.all([Minio.start({ tls }), Minio.start(), Postgres.start(tls)]);
    await minio.mc('mb', 's/mlflow-bucket');
    await postgres.sql('postgres', [`CREATE ROLE mlflow LOGIN PASSWORD '${PG_PASSWORD}'`], ['CREATE DATABASE mlflow OWNER mlflow']);
    await postgres.sql('mlflow', ['CREATE TABLE alembic_version (version_num varchar(32))'], ['GRANT ALL ON alembic_version TO mlflow']);
    // MLflow's own, so that nothing is initialised
    await postgres.sql('mlflow', ['INSERT INTO alembic_version VALUES (%s)', 'b2']);
  }, 90_000);

  test.each(['proxied', 'direct'])('a store whose authority is in AWS_CA_BUNDLE is used, %s', async (STARTUP_ARTIFACT_TRANSFER) => {
    expectStarted(await preflight({ ...keys(), STARTUP_ARTIFACT_TRANSFER, AWS_CA_BUNDLE: tls.authority }, [S3]), STARTED);
  });

  test.each<[string, () => Environment]>([
    ['of an authority that nobody knows', () => ({})],
    ['of another authority', () => ({ AWS_CA_BUNDLE: certificate().authority })],
    ['that is checked against no file', () => ({ AWS_CA_BUNDLE: '/no/such/ca.crt' })],
    ['for another host', () => ({ AWS_CA_BUNDLE: tls.authority, MLFLOW_S3_ENDPOINT_URL: minio.url.replace('127.0.0.1', 'localhost') })],
  ])('a certificate of the store %s is named at once', async (_case, changes) => {
    const start = await preflight({ ...keys(), STARTUP_DEADLINE_SECONDS: '30', ...changes() }, [S3]);

    expectFailure(start, 4, /the certificate of the artifact store is not trusted/, /prop ca, or tls/);
    expect(start.seconds).toBeLessThan(10);
  });

  test('https:// to a plain port is named', async () => {
    const MLFLOW_S3_ENDPOINT_URL = plain.url.replace('http:', 'https:');

    expectFailure(await preflight({ ...keys(), MLFLOW_S3_ENDPOINT_URL }, [S3]), 4, /does not speak TLS/, /http:\/\/ or the port/);
  });

  const pg = (changes: Environment): [Environment, string[]] => [
    { AWS_ACCESS_KEY_ID: 'minioadmin', AWS_SECRET_ACCESS_KEY: 'SecretKey', PGUSER: 'mlflow', PGPASSWORD: PG_PASSWORD, PYTHONPATH: package_, ...changes },
    [`--backend-store-uri=${postgres.uri()}`],
  ];
  const package_ = scratch({ 'mlflow/__init__.py': '', 'mlflow/store/db_migrations/versions/b2.py': 'revision = "b2"\ndown_revision = None\n' });

  test('a database with a good certificate is used', async () => {
    expectStarted(await preflight(...pg({ PGSSLMODE: 'verify-full', PGSSLROOTCERT: tls.authority })), STARTED);
  });

  test.each<[string, () => Environment]>([
    ['of another authority', () => ({ PGSSLMODE: 'verify-full', PGSSLROOTCERT: certificate().authority })],
    ['that is checked against no file', () => ({ PGSSLMODE: 'verify-full', PGSSLROOTCERT: '/no/such/ca.crt' })],
  ])('a certificate of the database %s is named at once', async (_case, changes) => {
    const start = await preflight(...pg({ STARTUP_DEADLINE_SECONDS: '30', ...changes() }));

    expectFailure(start, 6, /the certificate of the database is not trusted/, /prop tls of the store/);
    expect(start.seconds).toBeLessThan(10);
  });

  test('a database without TLS, where it is wanted, is named', async () => {
    const other = await Postgres.start();

    const [env] = pg({ PGSSLMODE: 'require' });

    expectFailure(await preflight(env, [`--backend-store-uri=${other.uri()}`]), 6, /do not agree about TLS/, /prop tls of the store/);
    await other.stop();
  });

  test('a read replica that refuses is a warning at start, and a failure of the doctor', async () => {
    const [env, flags] = pg({ MLFLOW_READ_REPLICA_BACKEND_STORE_URI: `postgresql+psycopg2://127.0.0.1:${await freePort()}/mlflow` });

    const start = await preflight(env, flags);
    const report = await doctor(env, flags);

    expectStarted(start, STARTED);
    expect(start.warnings).toEqual([expect.stringMatching(/read replica of the database does not answer/)]);
    expect(report).toContainEqual(expect.stringMatching(/^✗ the read replica at 127.0.0.1/));
    expect(await doctor({ ...env, MLFLOW_READ_REPLICA_BACKEND_STORE_URI: postgres.uri() }, flags)).toContainEqual(expect.stringMatching(/^✓ the read replica at/));
  });

  describe('the identity of the pod', () => {
    const POD = { STARTUP_POD_IDENTITY: 'true', AWS_ROLE_ARN: 'arn:aws:iam::1:role/mlflow' };

    test('that is none is named', async () => {
      const start = await preflight({ STARTUP_POD_IDENTITY: 'true', MLFLOW_S3_ENDPOINT_URL: plain.url }, [S3]);

      expectFailure(start, 1, /the pod has no identity/, /prop serviceAccount.*eks.amazonaws.com\/role-arn/);
    });

    test.each<[number, string, number, RegExp, RegExp]>([
      [403, 'AccessDenied', 1, /role of the pod's ServiceAccount is refused \(AccessDenied at AssumeRoleWithWebIdentity\)/, /trust policy/],
      [400, 'InvalidIdentityToken', 1, /\(InvalidIdentityToken at AssumeRoleWithWebIdentity\)/, /trust policy/],
    ])('whose role is refused with %i %s is named', async (status, code, exit, title, fix) => {
      const url = await serve((_request, response) => response.writeHead(status).end(`<ErrorResponse><Error><Code>${code}</Code></Error></ErrorResponse>`));
      const token = join(scratch({ token: 'TokenThatNobodyMaySee' }), 'token');

      const start = await preflight({ ...POD, AWS_WEB_IDENTITY_TOKEN_FILE: token, AWS_ENDPOINT_URL_STS: url, MLFLOW_S3_ENDPOINT_URL: plain.url }, [S3]);

      expectFailure(start, exit, title, fix);
      expect(start.stderr).toContain(POD.AWS_ROLE_ARN);
    });

    test('is used where it is good', async () => {
      await plain.mc('mb', 's/mlflow-bucket');
      const credentials = `<AccessKeyId>${plain.rootUser}</AccessKeyId><SecretAccessKey>${plain.rootPassword}</SecretAccessKey>`;
      const expiry = `<SessionToken></SessionToken><Expiration>${new Date(Date.now() + 3.6e6).toISOString()}</Expiration>`;
      const url = await serve((_request, response) =>
        response.end(
          `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>${credentials}${expiry}</Credentials>` +
            '</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>',
        ),
      );
      const token = join(scratch({ token: 'TokenThatNobodyMaySee' }), 'token');

      const start = await preflight({ ...POD, AWS_WEB_IDENTITY_TOKEN_FILE: token, AWS_ENDPOINT_URL_STS: url, MLFLOW_S3_ENDPOINT_URL: plain.url }, [S3]);

      expectStarted(start, 'Starting MLflow with the identity of the pod');
      expect(start.mlflow.calls[0].env).not.toHaveProperty('AWS_ACCESS_KEY_ID');
    });
  });
});

const httpServers: Server[] = [];

afterAll(() => {
  for (const server of httpServers) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(answer: (request: IncomingMessage, response: ServerResponse, body: Buffer) => void): Promise<string> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => answer(request, response, Buffer.concat(chunks)));
  });
  httpServers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The few requests of the stores' libraries for one object; a status other than 200 is the answer to all. */
class FakeCloud {
  public status = 200;
  /** What Azure calls the error. */
  public code = '';
  public readonly requests: string[] = [];
  public url = '';
  private object?: Buffer;

  public async start(): Promise<this> {
    this.url = await serve((request, response, body) => {
      // the library of Google asks for the bucket itself, and does without
      if (request.url!.includes('/b/models?')) return void response.writeHead(403).end();
      this.requests.push(request.method!);
      if (this.status !== 200) {
        const error = { error: { code: this.status, message: 'no' } };
        const azure = `<?xml version="1.0"?><Error><Code>${this.code}</Code><Message>no</Message></Error>`;
        response.writeHead(this.status, { 'x-ms-error-code': this.code, 'content-type': this.code ? 'application/xml' : 'application/json' });
        response.end(this.code ? azure : JSON.stringify(error));
        return;
      }
      this.answer(request, response, body);
    });
    return this;
  }

  private answer(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
    const azure = { etag: '"1"', 'last-modified': new Date().toUTCString(), 'x-ms-blob-type': 'BlockBlob' };
    if (request.method === 'POST') {
      // the second part of multipart/related
      this.object = body.subarray(body.indexOf('\r\n\r\n', body.indexOf('\r\n\r\n') + 4) + 4).subarray(0, 16);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    } else if (request.method === 'PUT') {
      this.object = body;
      response.writeHead(201, azure).end();
    } else if (request.method === 'DELETE') {
      this.object = undefined;
      response.writeHead(request.headers['x-ms-version'] ? 202 : 204).end();
    } else {
      const length = this.object!.length;
      response.writeHead(request.headers['x-ms-version'] ? 206 : 200, { ...azure, 'content-length': length, 'content-range': `bytes 0-${length - 1}/${length}` });
      response.end(this.object);
    }
  }
}

describe.each<[string, string, (url: string) => Environment, string]>([
  ['Google Cloud Storage', 'gs://models/team', (url) => ({ STORAGE_EMULATOR_HOST: url }), 'gs://models'],
  [
    'Azure Blob Storage',
    'wasbs://models@account.blob.core.windows.net/team',
    (url) => ({ AZURE_STORAGE_CONNECTION_STRING: `DefaultEndpointsProtocol=http;AccountName=account;AccountKey=${AZURE_KEY};BlobEndpoint=${url}/account;` }),
    'wasbs://models@account.blob.core.windows.net',
  ],
])('%s', (_name, destination, environment, bucket) => {
  let cloud: FakeCloud;
  const flags = [`--artifacts-destination=${destination}`];

  beforeEach(async () => {
    cloud = await new FakeCloud().start();
  });

  test('is tried by putting, reading and deleting an object', async () => {
    expectStarted(await preflight(environment(cloud.url), flags), `Starting MLflow with the credentials of ${destination}`);
    expect(cloud.requests.map((method) => (method === 'POST' ? 'PUT' : method))).toEqual(['PUT', 'GET', 'DELETE']);
    expect(await doctor(environment(cloud.url), flags)).toContain(`✓ the artifact store at ${destination}`);
  });

  test.each<[number, string, number, string, RegExp]>([
    [401, 'InvalidAuthenticationInfo', 1, 'does not take the credentials of the pod', /prop serviceAccount/],
    [403, 'AuthorizationPermissionMismatch', 5, 'denies access to', /Storage Object User.*Storage Blob Data Contributor/],
    [404, 'ContainerNotFound', 5, 'does not exist', /Make it/],
    [503, 'ServerBusy', 5, 'answers with an error', /log of the store/],
  ])('%i %s is named', async (status, code, exit, title, fix) => {
    Object.assign(cloud, { status, code: destination.startsWith('wasbs:') ? code : '' });

    const start = await preflight(environment(cloud.url), flags);

    expectFailure(start, exit, new RegExp(`^ERROR: .*${title}`), fix);
    if (status === 403 || status === 404) expect(lines(start.stderr)[0]).toContain(bucket);
    // one line for a reason that stays
    expect(lines(start.stdout)).toHaveLength(exit === 5 ? 1 : 0);
    expect(await doctor(environment(cloud.url), flags)).toContain(`✗ the artifact store at ${destination}`);
  });

  test('that does not answer is given up at the deadline', async () => {
    const start = await preflight(environment(`http://127.0.0.1:${await freePort()}`), flags);

    expectFailure(start, 5, /cannot be reached/, /port 443/);
    expect(start.stderr).toContain('gave up after 1.5 s');
  });
});

test.each(['wasbs://models', 'wasbs://models@account', 'wasbs://account.blob.core.windows.net/models'])('%s is no container', async (destination) => {
  expectFailure(await preflight({}, [`--artifacts-destination=${destination}`]), 3, /no place that MLflow knows/, /wasbs:\/\/mlflow@myaccount/);
});

test('a malformed connection string is named, and not shown', async () => {
  const start = await preflight({ AZURE_STORAGE_CONNECTION_STRING: `Key=NobodyMaySee` }, ['--artifacts-destination=wasbs://models@account.blob.core.windows.net']);

  expectFailure(start, 1, /does not take the credentials/, /extraEnv/);
});

test('without any credentials of Google the bucket is asked for as nobody, as MLflow does', async () => {
  const cloud = Object.assign(await new FakeCloud().start(), { status: 401 });

  expectFailure(await preflight({ STORAGE_EMULATOR_HOST: cloud.url, GOOGLE_APPLICATION_CREDENTIALS: '/no/such/file' }, ['--artifacts-destination=gs://models']), 1, /does not take/, /serviceAccount/);
});

describe('MariaDB', () => {
  let database: MariaDb;
  const keys = { AWS_ACCESS_KEY_ID: 'minioadmin', AWS_SECRET_ACCESS_KEY: 'SecretKey', STARTUP_SOURCES: '{"MLFLOW_BACKEND_STORE_URI": "key uri of Secret db"}' };
  const STARTED = 'Starting MLflow with AWS credentials: minio...';
  // MLflow's tables, and their revisions, in small
  const initialise = [
    'import time, sqlalchemy as s',
    'def initialize_backend_stores(uri, registry, root):',
    '    with s.create_engine(uri).connect() as c:',
    '        c.execute(s.text("CREATE TABLE alembic_version (version_num varchar(32))"))',
    '        time.sleep(1.5)',
    '        c.execute(s.text("INSERT INTO alembic_version VALUES (\'b2\')"))',
    '        c.commit()',
  ];
  const PYTHONPATH = scratch({
    'mlflow/__init__.py': '',
    'mlflow/server/__init__.py': '',
    'mlflow/server/handlers.py': initialise.join('\n'),
    'mlflow/store/db_migrations/versions/a1.py': 'revision = "a1"\ndown_revision = None\n',
    'mlflow/store/db_migrations/versions/b2.py': 'revision = "b2"\ndown_revision = "a1"\n',
  });
  const start = (MLFLOW_BACKEND_STORE_URI = database.uri, changes: Environment = {}) =>
    preflight({ ...keys, PYTHONPATH, MLFLOW_BACKEND_STORE_URI, ...changes }, []);

  beforeAll(async () => {
    database = await MariaDb.start(MARIADB_PASSWORD);
  }, 90_000);

  test('that is empty is initialised by one of two pods', async () => {
    const patient = { STARTUP_DEADLINE_SECONDS: '40' };

    const starts = await Promise.all([start(database.uri, patient), start(database.uri, patient)]);

    for (const one of starts) expectStarted(one, STARTED);
    const said = starts.flatMap(({ stdout }) => lines(stdout));
    expect(said.filter((line) => line === 'The database is empty: initialising it')).toHaveLength(1);
    expect(said.filter((line) => line.includes('another pod is initialising it'))).toHaveLength(1);
  });

  test.each([
    ['a1', 'older'],
    ['c3', 'newer'],
  ])('with a schema of revision %s is not touched', async (revision, state) => {
    await database.sql(`UPDATE alembic_version SET version_num = '${revision}'`);

    expectFailure(await start(), 8, new RegExp(`is ${state} than this MLflow: it is at revision ${revision},`), /./);
    await database.sql("UPDATE alembic_version SET version_num = 'b2'");
  });

  const uri = (change: (all: string) => string) => () => change(database.uri);
  test.each<[string, () => string, number, RegExp, RegExp]>([
    ['another password', uri((all) => all.replace('p%40', 'q%40')), 6, /refuses the user/, /Correct key uri of Secret db .*ALTER USER/],
    ['a password that is not encoded', uri((all) => all.replace('p%40', 'p@')), 3, /no URI that MLflow understands/, /percent-encoded/],
    ['another database', uri((all) => all.replace(/mlflow$/, 'other')), 6, /refuses what the tracking server asks/, /GRANT ALL/],
    ['a port without server', uri((all) => all.replace(String(database.port), '1')), 7, /does not answer/, /key uri of Secret db/],
    ['a driver that is not there', uri((all) => all.replace('pymysql', 'nonsense')), 3, /this Python cannot use key uri/, /mysql\+pymysql/],
    ['TLS that the server does not do', uri((all) => `${all}?ssl_ca=/etc/ssl/certs/ca-certificates.crt`), 6, /do not agree about TLS/, /prop tls/],
  ])('with a URI of %s', async (_case, change, code, title, fix) => {
    expectFailure(await start(change()), code, title, fix);
  });

  test('is examined by the doctor', async () => {
    const env = { ...keys, PYTHONPATH, MLFLOW_BACKEND_STORE_URI: database.uri };

    expect(await doctor(env, [])).toContain(`✓ the database at 127.0.0.1:${database.port}`);
  });

  test('and a bucket of Google are watched by the monitor, without keys of AWS', async () => {
    const cloud = await new FakeCloud().start();
    const port = await freePort();
    const stores = { PYTHONPATH, MLFLOW_BACKEND_STORE_URI: database.uri, STORAGE_EMULATOR_HOST: cloud.url };
    const monitor = new Script([PYTHON, SCRIPT, 'monitor', '--artifacts-destination=gs://models'], { ...OFFLINE, ...stores, STARTUP_MONITOR_PORT: String(port) });

    const metrics = await until('both stores to be well', async () => {
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      return /writable 1\n(.*\n)*.*reachable 1\n/.test(text) ? text : undefined;
    });

    expect(metrics).toContain('mlflow_artifact_store_writable 1\n');
    expect(cloud.requests).toEqual(['POST', 'GET', 'DELETE']);
    monitor.kill('SIGTERM');
    expect(await monitor.ended).toMatchObject({ code: 0, stderr: '' });
  });
});
