import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Environment, FakeProgram, PYTHON, ROOT, Result, Script, lines, run, scratch, splitWarnings } from '../run-script';

const SCRIPT = join(ROOT, 'lib/tracking-server/start-mlflow.py');
const SECRET_KEY = 'SecretKeyThatNobodyMaySee';
const PG_PASSWORD = 'PgPasswordThatNobodyMaySee';
const CREDENTIALS = { AWS_ACCESS_KEY_ID: 'minioadmin', AWS_SECRET_ACCESS_KEY: SECRET_KEY };
const STARTING_MLFLOW = 'Starting MLflow with AWS credentials: minio...';

const URI = 'postgresql://db.example:5432/mlflow';
const FAILED = 'connection to server at "db.example" (10.0.0.7), port 5432 failed:';
const REFUSED = `${FAILED} Connection refused\n\tIs the server running on that host and accepting TCP/IP connections\n`;
const REFUSED_IN_ONE_LINE = `${FAILED} Connection refused Is the server running on that host and accepting TCP/IP connections`;
const WAITING = 'Waiting for the database at db.example:5432: ';
const NO_ANSWER = `${WAITING}the database does not answer; `;
const SOURCES = {
  AWS_ACCESS_KEY_ID: 'key AWS_ACCESS_KEY_ID of Secret minio-user',
  AWS_SECRET_ACCESS_KEY: 'key AWS_SECRET_ACCESS_KEY of Secret minio-user',
  PGPASSWORD: 'key POSTGRES_PASSWORD of Secret postgres-user',
};

// The lock and the version table are files, so that several processes can share one database.
const PSYCOPG2 = `
import json, os

HERE = os.environ["FAKE_DATABASE"]
LOCK = os.path.join(HERE, "lock")
VERSIONS = os.path.join(HERE, "alembic_version")
REFUSALS = json.load(open(os.path.join(HERE, "refusals")))


class Error(Exception):
    pass


class OperationalError(Error):
    pass


class ProgrammingError(Error):
    pass


class InterfaceError(Error):
    pass


def record(*event):
    with open(os.path.join(HERE, "events"), "a") as file:
        file.write(json.dumps(event) + "\\n")


def connect(uri, **options):
    record("connect", uri, options)
    if REFUSALS:
        raise OperationalError(REFUSALS.pop(0))
    return Connection()


class Connection:
    autocommit = False
    locked = False

    def cursor(self):
        return Cursor(self)

    def close(self):
        record("close")
        if self.locked:
            os.remove(LOCK)


class Cursor:
    def __init__(self, connection):
        self.connection = connection

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def execute(self, statement, parameters=()):
        assert self.connection.autocommit, "a transaction stays open"
        record("execute", statement % tuple(parameters))
        if "pg_try_advisory_lock" in statement:
            self.row = (self.lock(),)
        elif "to_regclass('alembic_version')" in statement:
            self.row = ("alembic_version" if os.path.exists(VERSIONS) else None,)
        elif "version_num FROM alembic_version" in statement:
            version = open(VERSIONS).read()
            self.row = (version,) if version else None
        else:
            raise AssertionError(statement)

    def lock(self):
        try:
            os.close(os.open(LOCK, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        self.connection.locked = True
        return True

    def fetchone(self):
        return self.row
`;
const HANDLERS = `
import os, time
import psycopg2


def initialize_backend_stores(*arguments):
    psycopg2.record("initialise", *arguments)
    assert os.path.exists(psycopg2.LOCK), "initialised without the lock"
    if os.path.exists(os.path.join(psycopg2.HERE, "denied")):
        raise RuntimeError("permission denied for schema public")
    time.sleep(0.1)
    with open(psycopg2.VERSIONS, "w") as file:
        file.write("c3")
`;
// a1 <- b2 <- c3, of which b2 is written as a merge is
const REVISIONS = {
  'mlflow/store/db_migrations/versions/a1_first.py': 'revision = "a1"\ndown_revision = None\n',
  'mlflow/store/db_migrations/versions/b2_second.py': "revision = 'b2'\ndown_revision = ('a1',)\n",
  'mlflow/store/db_migrations/versions/c3_third.py': 'revision = "c3"\ndown_revision = "b2"\n',
};
const MODULES = {
  'psycopg2.py': PSYCOPG2,
  'mlflow/__init__.py': '',
  'mlflow/server/__init__.py': '',
  'mlflow/server/handlers.py': HANDLERS,
  ...REVISIONS,
};

interface FakeDatabaseOptions {
  /** Errors of the first connections. */
  readonly refusals?: string[];
  /** Revision of the schema: empty for a table without a row, undefined for no table. */
  readonly revision?: string;
}

class FakeDatabase {
  private readonly directory: string;

  public constructor(options: FakeDatabaseOptions = {}) {
    this.directory = scratch({
      ...MODULES,
      refusals: JSON.stringify(options.refusals ?? []),
      ...(options.revision === undefined ? {} : { alembic_version: options.revision }),
    });
  }

  public get environment(): Environment {
    return { PYTHONPATH: this.directory, FAKE_DATABASE: this.directory };
  }

  public get events(): unknown[][] {
    const log = join(this.directory, 'events');
    return existsSync(log) ? lines(readFileSync(log, 'utf8')).map((line) => JSON.parse(line) as unknown[]) : [];
  }

  public eventsOf(kind: string): unknown[][] {
    return this.events.filter((event) => event[0] === kind);
  }

  public holdLock(): void {
    writeFileSync(join(this.directory, 'lock'), '');
  }

  public releaseLock(): void {
    rmSync(join(this.directory, 'lock'));
  }

  public denyInitialisation(): void {
    writeFileSync(join(this.directory, 'denied'), '');
  }
}

/** With -S, so that what is installed on this machine is not found. */
function script(mlflow: FakeProgram, environment: Environment, command: string[]): Script {
  const home = { HOME: mlflow.directory, STARTUP_SOURCES: JSON.stringify(SOURCES) };
  return new Script([PYTHON, '-S', SCRIPT, ...command], { ...home, ...environment }, [mlflow.directory]);
}

/** Its `stderr` is without the warnings. */
interface Start extends Result {
  readonly warnings: string[];
  readonly mlflow: FakeProgram;
  /** What Kubernetes shows as the termination message. */
  readonly message: string;
}

async function startMlflow(environment: Environment, command = ['mlflow', 'server'], mlflow = new FakeProgram('mlflow')): Promise<Start> {
  const log = join(scratch({ log: '' }), 'log');
  const result = await script(mlflow, { TERMINATION_LOG: log, ...environment }, command).ended;
  const message = readFileSync(log, 'utf8');
  for (const secret of [SECRET_KEY, PG_PASSWORD]) expect(result.stdout + result.stderr + message).not.toContain(secret);
  return { ...result, ...splitWarnings(result.stderr), mlflow, message };
}

function startOn(database: FakeDatabase, environment: Environment = {}, command = ['mlflow', 'server', `--backend-store-uri=${URI}`]) {
  return startMlflow({ ...CREDENTIALS, PGUSER: 'mlflow', PGPASSWORD: PG_PASSWORD, ...database.environment, ...environment }, command);
}

function expectStarted({ code, stdout, stderr, warnings, mlflow, message }: Start, expected: RegExp[] = []): void {
  expect({ code, stdout, stderr, message }).toEqual({ code: 0, stdout: `${STARTING_MLFLOW}\n`, stderr: '', message: '' });
  expect(warnings).toEqual(expected.map((warning) => expect.stringMatching(warning)));
  expect(mlflow.calls).toHaveLength(1);
}

/** Ended with this code before MLflow, with an error of five lines that is also the termination message. */
function expectFailure(start: Start, code: number, title: string | RegExp): void {
  expect({ code: start.code, stderr: start.stderr }).toEqual({ code, stderr: `${start.message}\n` });
  expect(lines(start.stderr)[0]).toMatch(title);
  expect(lines(start.stderr)[0]).toMatch(/^ERROR: /);
  expect(lines(start.stderr).slice(1).map((line) => line.trim().split(' ')[0])).toEqual(
    ['tried:', 'where:', 'answer:', 'cause:', 'fix:'].filter((name) => start.stderr.includes(`\n  ${name}`)),
  );
  expect(start.stderr).toMatch(/\n {2}tried: .+\n(.*\n)*? {2}cause: .+\n {2}fix: .+\n$/);
  expect(start.mlflow.calls.filter((call) => call.argv[0] === 'server')).toEqual([]);
}

describe('the command', () => {
  test('replaces the script and gets its arguments as they are', async () => {
    const { pid, code, mlflow } = await startMlflow(CREDENTIALS, ['mlflow', 'server', '--host=0.0.0.0', '--app-name', '', 'a "b" $HOME *']);

    expect(code).toBe(0);
    expect(mlflow.calls.map((call) => [call.pid, call.argv])).toEqual([[pid, ['server', '--host=0.0.0.0', '--app-name', '', 'a "b" $HOME *']]]);
  });

  test('gets the environment as it is', async () => {
    const environment = { ...CREDENTIALS, MLFLOW_S3_ENDPOINT_URL: 'http://minio:9000', PGPASSWORD: ` ${PG_PASSWORD}\\ `, EMPTY: '' };

    const { mlflow } = await startMlflow(environment);

    expect(mlflow.calls[0].env).toMatchObject(environment);
  });

  test('is needed', async () => {
    const { code, stdout, stderr, message } = await startMlflow(CREDENTIALS, []);

    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(lines(stderr)[0]).toBe('ERROR: no command to start');
    expect(`${message}\n`).toBe(stderr);
  });

  test('ends with its own exit code', async () => {
    const mlflow = new FakeProgram('mlflow', { server: [{ stderr: 'boom\n', code: 42 }] });

    expect(await script(mlflow, CREDENTIALS, ['mlflow', 'server']).ended).toMatchObject({ code: 42, stderr: 'boom\n' });
  });
});

describe('credentials', () => {
  test('are announced by five characters', async () => {
    const { stdout, stderr } = await startMlflow(CREDENTIALS);

    expect({ stdout, stderr }).toEqual({ stdout: `${STARTING_MLFLOW}\n`, stderr: '' });
  });

  describe.each(['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const)('%s', (variable) => {
    test.each<[string, string | undefined]>([
      ['missing', undefined],
      ['empty', ''],
    ])('%s', async (_case, value) => {
      const environment: Environment = { ...CREDENTIALS, [variable]: value ?? '' };
      if (value === undefined) Reflect.deleteProperty(environment, variable);

      const start = await startMlflow(environment);

      expectFailure(start, 1, new RegExp(`^ERROR: ${variable} not set!$`));
      expect(start.stdout).toBe('');
      expect(start.stderr).toContain(`Give key ${variable} of Secret minio-user (${variable}) a value`);
      expect(start.stderr).not.toContain('minioadmin');
    });

    test.each([['space', ' '], ['newline', '\n'], ['carriage return', '\r\n'], ['tab', '\t']])(
      'is taken without a %s around it, with a warning that names the Secret',
      async (_case, space) => {
        const start = await startMlflow({ ...CREDENTIALS, [variable]: `${space}${CREDENTIALS[variable]}${space}` });

        expectStarted(start, [new RegExp(`^WARNING: key ${variable} of Secret minio-user \\(${variable}\\) has white space.*printf`)]);
        expect(start.stdout + start.warnings.join()).not.toContain(CREDENTIALS.AWS_ACCESS_KEY_ID);
        expect(start.mlflow.calls[0].env).toMatchObject(CREDENTIALS);
      },
    );

    test('of white space only is none', async () => {
      expectFailure(await startMlflow({ ...CREDENTIALS, [variable]: ' \n' }), 1, new RegExp(`^ERROR: ${variable} not set!$`));
    });

    test.each<[string, (value: string) => string, string]>([
      ['double quotes', (value) => `"${value}"`, 'is in quotes'],
      ['single quotes', (value) => `'${value}'`, 'is in quotes'],
      ['a half of them', (value) => `${value}"`, 'is in quotes'],
      ['$(VAR)', () => '$(MINIO_ACCESS_KEY)', 'placeholder'],
      ['${VAR}', () => '${MINIO_ACCESS_KEY}', 'placeholder'],
      ['a template', () => '{{ .Values.key }}', 'placeholder'],
      ['a newline inside', (value) => `${value.slice(0, 6)}\n${value.slice(6)}`, 'white space'],
      ['a space inside', (value) => `${value.slice(0, 6)} ${value.slice(6)}`, 'white space'],
      ['a byte order mark', (value) => `\uFEFF${value}`, 'beyond ASCII'],
    ])('with %s is no key', async (_case, change, form) => {
      const value = change(CREDENTIALS[variable]);

      const start = await startMlflow({ ...CREDENTIALS, [variable]: value });

      expectFailure(start, 3, `ERROR: ${variable} is not a key: it `);
      expect(lines(start.stderr)[0]).toContain(form);
      expect(start.stderr).toContain(`key ${variable} of Secret minio-user (${variable})`);
      expect(start.stdout + start.stderr).not.toContain(value);
    });
  });

  test('are checked before the database is waited for', async () => {
    const database = new FakeDatabase();

    const { code } = await startOn(database, { AWS_ACCESS_KEY_ID: '' });

    expect(code).toBe(1);
    expect(database.events).toEqual([]);
  });
});

describe('the session token', () => {
  test('that is empty is none', async () => {
    const { stdout, mlflow } = await startMlflow({ ...CREDENTIALS, AWS_SESSION_TOKEN: '' });

    expect(stdout).toBe(`${STARTING_MLFLOW}\n`);
    expect(mlflow.calls[0].env).not.toHaveProperty('AWS_SESSION_TOKEN');
  });

  test('is warned of, and not shown', async () => {
    const start = await startMlflow({ ...CREDENTIALS, AWS_SESSION_TOKEN: 'TokenThatNobodyMaySee\n' });

    expectStarted(start, [/^WARNING: AWS_SESSION_TOKEN has white space/, /^WARNING: AWS_SESSION_TOKEN is set/]);
    expect(start.warnings.join()).not.toContain('TokenThatNobodyMaySee');
  });
});

describe('the endpoint', () => {
  test('behind a proxy is warned of, unless NO_PROXY has its host', async () => {
    const proxied = { ...CREDENTIALS, MLFLOW_S3_ENDPOINT_URL: 'http://minio:9000', HTTP_PROXY: 'http://proxy:3128' };

    expectStarted(await startMlflow(proxied), [/^WARNING: HTTP_PROXY sends the requests to the artifact store through a proxy, since NO_PROXY/]);
    expectStarted(await startMlflow({ ...proxied, NO_PROXY: 'minio,localhost' }));
  });

  test.each(['http://minio:9000', 'https://s3.example', 'https://s3.example/', 'http://[::1]:9000'])('%s is one', async (endpoint) => {
    expectStarted(await startMlflow({ ...CREDENTIALS, MLFLOW_S3_ENDPOINT_URL: endpoint }));
  });

  test('is taken without white space around it, with a warning', async () => {
    const start = await startMlflow({ ...CREDENTIALS, MLFLOW_S3_ENDPOINT_URL: ' http://minio:9000\n' });

    expectStarted(start, [/^WARNING: MLFLOW_S3_ENDPOINT_URL has white space/]);
    expect(start.mlflow.calls[0].env.MLFLOW_S3_ENDPOINT_URL).toBe('http://minio:9000');
  });

  test.each([
    ['', 'empty'],
    ['\n', 'empty'],
    ['minio:9000', 'no scheme'],
    ['//minio:9000', 'no scheme'],
    ['s3://minio:9000', 'no scheme'],
    ['http:minio:9000', 'no scheme'],
    ['"http://minio:9000"', 'quotes'],
    ['http://$(MINIO_HOST):9000', 'placeholder'],
    ['http://min io:9000', 'white space'],
    ['http://', 'no host'],
    ['http://:9000', 'no host'],
    ['http://minio:port', '(?i)port'],
    ['http://minio:99999', '(?i)port'],
    ['http://minio:0', '(?i)port|host'],
    ['http://[::1:9000', '(?i)invalid|url'],
  ])('%j is none', async (endpoint, form) => {
    const start = await startMlflow({ ...CREDENTIALS, MLFLOW_S3_ENDPOINT_URL: endpoint });

    expectFailure(start, 3, 'ERROR: MLFLOW_S3_ENDPOINT_URL is no endpoint: ');
    expect(lines(start.stderr)[0]).toMatch(form.startsWith('(?i)') ? new RegExp(form.slice(4), 'i') : form);
    expect(start.stderr).toMatch(/fix: .*MLFLOW_S3_ENDPOINT_URL.*artifactStore/);
  });

  test.each([
    ['http://minio:9000/mlflow-bucket', '/mlflow-bucket'],
    ['http://minio:9000/a/b/', '/a/b/'],
    ['http://minio:9000?bucket=mlflow', 'bucket=mlflow'],
  ])('%s has the bucket in it', async (endpoint, path) => {
    const start = await startMlflow({ ...CREDENTIALS, MLFLOW_S3_ENDPOINT_URL: endpoint });

    expectFailure(start, 3, 'ERROR: MLFLOW_S3_ENDPOINT_URL has a path');
    expect(lines(start.stderr)[0]).toContain(path);
  });

  test.each(['AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3'])('%s is warned of where it wins', async (variable) => {
    const elsewhere = { ...CREDENTIALS, [variable]: 'http://elsewhere:9000' };

    expectStarted(await startMlflow(elsewhere), [new RegExp(`^WARNING: ${variable} .*http://elsewhere:9000.*MLFLOW_S3_ENDPOINT_URL is not set$`)]);
    expectStarted(await startMlflow({ ...elsewhere, MLFLOW_S3_ENDPOINT_URL: 'http://minio:9000' }));
  });
});

test.each(['.aws/config', '.aws/credentials'])('a file ~/%s is warned of', async (file) => {
  expectStarted(await startMlflow({ ...CREDENTIALS, HOME: scratch({ [file]: '[default]\n' }) }), [new RegExp(`^WARNING: ~/${file} exists`)]);
});

test.each(['no JSON', '["AES256"]', '{"ServerSideEncryption"}'])('MLFLOW_S3_UPLOAD_EXTRA_ARGS cannot be %s', async (extra) => {
  const start = await startMlflow({ ...CREDENTIALS, MLFLOW_S3_UPLOAD_EXTRA_ARGS: extra });

  expectFailure(start, 3, 'ERROR: MLFLOW_S3_UPLOAD_EXTRA_ARGS is not what boto3 takes: ');
  expect(start.stderr).toContain('{"ServerSideEncryption": "AES256"}');
});

describe('the artifact store', () => {
  test.each<[string, string[], Environment]>([
    ['an argument', ['--artifacts-destination=s3://mlflow-bucket'], {}],
    ['the environment', [], { MLFLOW_ARTIFACTS_DESTINATION: 's3://mlflow-bucket' }],
  ])('from %s is not checked without boto3: a warning, and the server starts all the same', async (_case, flags, environment) => {
    const endpoint = { MLFLOW_S3_ENDPOINT_URL: 'http://127.0.0.1:1' };

    const start = await startMlflow({ ...CREDENTIALS, ...endpoint, ...environment }, ['mlflow', 'server', ...flags]);

    expectStarted(start, [/^WARNING: .*no boto3.*artifact store at http:\/\/127.0.0.1:1 .*-full/]);
  });

  test('that is a folder is not checked', async () => {
    expectStarted(await startMlflow(CREDENTIALS, ['mlflow', 'server', '--artifacts-destination=/data/artifacts']));
  });
});

describe('region', () => {
  test.each<[string, Environment, string, string]>([
    ['the default', {}, 'us-east-1', 'us-east-1'],
    ['empty', { AWS_DEFAULT_REGION: '', AWS_REGION: '' }, 'us-east-1', 'us-east-1'],
    ['AWS_DEFAULT_REGION', { AWS_DEFAULT_REGION: 'eu-central-1' }, 'eu-central-1', 'eu-central-1'],
    ['AWS_REGION', { AWS_REGION: 'eu-west-3' }, 'eu-west-3', 'eu-west-3'],
    ['both', { AWS_DEFAULT_REGION: 'eu-central-1', AWS_REGION: 'eu-west-3' }, 'eu-central-1', 'eu-west-3'],
  ])('%s', async (_case, environment, AWS_DEFAULT_REGION, AWS_REGION) => {
    const { mlflow } = await startMlflow({ ...CREDENTIALS, ...environment });

    expect(mlflow.calls[0].env).toMatchObject({ ...CREDENTIALS, AWS_DEFAULT_REGION, AWS_REGION });
  });
});

describe('the URI of the backend store', () => {
  test.each<[string, string[], Environment]>([
    ['one argument', [`--backend-store-uri=${URI}`], {}],
    ['two arguments', ['--backend-store-uri', URI, '--workers=1'], {}],
    ['the environment', [], { MLFLOW_BACKEND_STORE_URI: URI }],
    ['an argument rather than the environment', [`--backend-store-uri=${URI}`], { MLFLOW_BACKEND_STORE_URI: 'postgresql://other/db' }],
  ])('is taken from %s', async (_case, flags, environment) => {
    const database = new FakeDatabase({ revision: 'c3' });

    const { code, mlflow } = await startOn(database, environment, ['mlflow', 'server', ...flags]);

    expect(code).toBe(0);
    expect(database.eventsOf('connect')).toEqual([['connect', URI, { connect_timeout: expect.any(Number) }]]);
    expect(mlflow.calls.map((call) => call.argv)).toEqual([['server', ...flags]]);
  });

  test.each([
    ['postgresql+psycopg2://db.example/mlflow?sslmode=require', 'postgresql://db.example/mlflow?sslmode=require'],
    ['postgres://db.example/mlflow', 'postgresql://db.example/mlflow'],
  ])('%s is %s for libpq and unchanged for MLflow', async (uri, libpqUri) => {
    const database = new FakeDatabase();

    const { mlflow } = await startOn(database, {}, ['mlflow', 'server', `--backend-store-uri=${uri}`]);

    expect(database.eventsOf('connect').map((event) => event[1])).toEqual([libpqUri]);
    expect(database.eventsOf('initialise').map((event) => event[1])).toEqual([uri]);
    expect(mlflow.calls[0].argv).toEqual(['server', `--backend-store-uri=${uri}`]);
  });

  test.each([['sqlite:////data/mlflow.db'], ['mysql+pymysql://db.example:3306/mlflow'], ['/data/mlruns'], ['']])(
    '"%s" is no PostgreSQL, and nothing is done about it',
    async (uri) => {
      const database = new FakeDatabase({ refusals: [REFUSED] });

      const { code, stdout } = await startOn(database, {}, ['mlflow', 'server', `--backend-store-uri=${uri}`]);

      expect({ code, stdout }).toEqual({ code: 0, stdout: `${STARTING_MLFLOW}\n` });
      expect(database.events).toEqual([]);
    },
  );

  test('without psycopg2 there is a warning, and the server starts all the same', async () => {
    expectStarted(await startMlflow({ ...CREDENTIALS, MLFLOW_BACKEND_STORE_URI: URI }), [/^WARNING: .*no psycopg2.*-full/]);
  });
});

describe('a database that is not ready', () => {
  test.concurrent('is waited for, with one line when the reason changes', async () => {
    const database = new FakeDatabase({ refusals: [REFUSED, REFUSED, `${FAILED} timeout expired\n`], revision: 'c3' });

    const { code, stdout, mlflow } = await startOn(database);

    expect(code).toBe(0);
    expect(lines(stdout)).toEqual([`${NO_ANSWER}${REFUSED_IN_ONE_LINE}`, `${NO_ANSWER}${FAILED} timeout expired`, STARTING_MLFLOW]);
    expect(database.eventsOf('connect')).toHaveLength(4);
    expect(mlflow.calls).toHaveLength(1);
  });

  test.concurrent('is given up at the deadline, with cause and fix', async () => {
    const database = new FakeDatabase({ refusals: Array<string>(20).fill(REFUSED) });

    const start = await startOn(database, { STARTUP_DEADLINE_SECONDS: '1.9' });

    expectFailure(start, 7, /^ERROR: the database does not answer$/);
    expect(start.stdout).toBe(`${NO_ANSWER}${REFUSED_IN_ONE_LINE}\n`);
    expect(lines(start.stderr).slice(1)).toEqual([
      '  tried:  logging in as mlflow',
      '  where:  db.example:5432',
      `  answer: ${REFUSED_IN_ONE_LINE} (gave up after 1.9 s, the prop startupDeadline)`,
      expect.stringContaining('not ready yet'),
      expect.stringMatching(/kubectl.*--backend-store-uri/),
    ]);
    expect(database.eventsOf('connect').length).toBeGreaterThan(1);
    expect(start.seconds).toBeLessThan(6);
  });

  test.concurrent('is left at SIGTERM, not at the deadline', async () => {
    const database = new FakeDatabase({ refusals: Array<string>(60).fill(REFUSED) });
    const mlflow = new FakeProgram('mlflow');
    const waiting = script(mlflow, { ...CREDENTIALS, ...database.environment, STARTUP_DEADLINE_SECONDS: '60', MLFLOW_BACKEND_STORE_URI: URI }, [
      'mlflow',
      'server',
    ]);
    await waiting.saw(WAITING);
    const signalled = Date.now();

    waiting.kill('SIGTERM');

    expect(await waiting.ended).toMatchObject({ code: 143, stderr: '' });
    expect(Date.now() - signalled).toBeLessThan(3000);
    expect(mlflow.calls).toEqual([]);
  });

  test.concurrent.each([
    'the database system is starting up',
    'the database system is shutting down',
    'sorry, too many clients already',
    'remaining connection slots are reserved for roles with the SUPERUSER attribute',
  ])('is waited for while it says: %s', async (refusal) => {
    const database = new FakeDatabase({ refusals: [`${FAILED} FATAL:  ${refusal}\n`], revision: 'c3' });

    const { code, stdout } = await startOn(database);

    expect(code).toBe(0);
    expect(lines(stdout)).toEqual([`${NO_ANSWER}${FAILED} FATAL: ${refusal}`, STARTING_MLFLOW]);
  });

  test.concurrent('is named without user and password of the URI', async () => {
    const database = new FakeDatabase({ refusals: [REFUSED], revision: 'c3' });
    const uri = 'postgresql://tracker:UriPasswordThatNobodyMaySee@db.example:5432/mlflow';

    const { stdout, stderr } = await startOn(database, {}, ['mlflow', 'server', `--backend-store-uri=${uri}`]);

    expect(stdout).toContain(WAITING);
    expect(stdout + stderr).not.toMatch(/tracker|UriPassword/);
  });

  test.concurrent('is waited for while another pod initialises it', async () => {
    const database = new FakeDatabase({ revision: 'c3' });
    database.holdLock();
    const mlflow = new FakeProgram('mlflow');
    const waiting = script(mlflow, { ...CREDENTIALS, ...database.environment, MLFLOW_BACKEND_STORE_URI: URI }, ['mlflow', 'server']);
    await waiting.saw(WAITING);
    expect(mlflow.calls).toEqual([]);

    database.releaseLock();

    const { code, stdout } = await waiting.ended;
    expect(code).toBe(0);
    expect(lines(stdout)).toEqual([`${WAITING}another pod is initialising it`, STARTING_MLFLOW]);
    expect(database.eventsOf('connect')).toHaveLength(1);
    expect(mlflow.calls).toHaveLength(1);
  });

  test.concurrent('is given up at the deadline where another pod never ends', async () => {
    const database = new FakeDatabase();
    database.holdLock();

    const start = await startOn(database, { STARTUP_DEADLINE_SECONDS: '0.5' });

    expectFailure(start, 7, 'ERROR: ');
    expect(start.stderr).toContain('another pod is initialising it');
    expect(start.stderr.match(/gave up/g)).toHaveLength(1);
    expect(lines(start.stdout)).toEqual([`${WAITING}another pod is initialising it`]);
    expect(database.eventsOf('initialise')).toEqual([]);
  });

  test.concurrent('is initialised by one of two pods that start together', async () => {
    const database = new FakeDatabase();

    const results = await Promise.all([startOn(database), startOn(database)]);

    expect(results.map((result) => [result.code, result.mlflow.calls.length])).toEqual([
      [0, 1],
      [0, 1],
    ]);
    expect(database.eventsOf('initialise')).toHaveLength(1);
    expect(new Set(database.eventsOf('execute').map((event) => String(event[1])).filter((sql) => sql.includes('lock'))).size).toBe(1);
  });
});

test.each([
  ['password authentication failed for user "mlflow"', 'ERROR: the database refuses the user'],
  ['role "mlflow" is not permitted to log in', 'ERROR: the database refuses the user'],
  ['role "mlflow" does not exist', 'ERROR: the database refuses the user'],
  ['no pg_hba.conf entry for host "10.0.0.9", user "mlflow", database "mlflow"', 'ERROR: the database refuses the user'],
  ['database "mlflow" does not exist', 'ERROR: the server has no such database'],
])('a final refusal fails at once: %s', async (refusal, title) => {
  const database = new FakeDatabase({ refusals: [`${FAILED} FATAL:  ${refusal}\n`] });

  const start = await startOn(database, { STARTUP_DEADLINE_SECONDS: '60' });

  expectFailure(start, 6, title);
  expect(start.stdout).toBe('');
  expect(lines(start.stderr)).toContain(`  answer: ${FAILED} FATAL: ${refusal}`);
  if (title.includes('user')) expect(start.stderr).toContain('Correct key POSTGRES_PASSWORD of Secret postgres-user (PGPASSWORD)');
  expect(start.seconds).toBeLessThan(5);
  expect(database.eventsOf('connect')).toHaveLength(1);
});

describe('initialisation', () => {
  test.each<[string, FakeDatabaseOptions]>([
    ['without tables', {}],
    ['without a version', { revision: '' }],
  ])('a database %s is initialised once, under the lock', async (_case, options) => {
    const database = new FakeDatabase(options);
    const root = 'mlflow-artifacts:/';

    const { code, stdout, mlflow } = await startOn(database, {}, ['mlflow', 'server', `--backend-store-uri=${URI}`, '--default-artifact-root', root]);

    expect(code).toBe(0);
    expect(lines(stdout)).toEqual(['The database is empty: initialising it', STARTING_MLFLOW]);
    expect(database.eventsOf('initialise')).toEqual([['initialise', URI, null, root]]);
    expect(database.events.map((event) => event[0]).filter((kind) => kind !== 'execute')).toEqual(['connect', 'initialise', 'close']);
    expect(database.events[1]).toEqual(['execute', expect.stringMatching(/^SELECT pg_try_advisory_lock\(\d+\)$/)]);
    expect(mlflow.calls).toHaveLength(1);
  });

  test.each<[string, Environment, string | null]>([
    ['the environment', { MLFLOW_DEFAULT_ARTIFACT_ROOT: 's3://models' }, 's3://models'],
    ['nowhere', {}, null],
  ])('the artifact root comes from %s', async (_case, environment, root) => {
    const database = new FakeDatabase();

    await startOn(database, environment);

    expect(database.eventsOf('initialise')).toEqual([['initialise', URI, null, root]]);
  });

  test('an initialised database is left as it is', async () => {
    const database = new FakeDatabase({ revision: 'c3' });

    const { code, stdout, mlflow } = await startOn(database);

    expect({ code, stdout }).toEqual({ code: 0, stdout: `${STARTING_MLFLOW}\n` });
    expect(database.events.map((event) => event[0])).toEqual(['connect', 'execute', 'execute', 'execute', 'close']);
    expect(mlflow.calls).toHaveLength(1);
  });

  test('where it fails, the server is not started', async () => {
    const database = new FakeDatabase();
    database.denyInitialisation();

    const { code, stderr, message, mlflow } = await startOn(database);

    expect(code).toBe(6);
    expect(stderr).toContain('RuntimeError: permission denied for schema public\n');
    expect(stderr.endsWith(`${message}\n`)).toBe(true);
    expect(message).toMatch(/^ERROR: the empty database could not be initialised\n(.*\n)*.*exit code 1\n(.*\n)*.*fix: .*owner of the database/);
    expect(mlflow.calls).toEqual([]);
  });

  test.each<[string, FakeDatabaseOptions, Environment]>([
    ['initialisation', {}, {}],
    ['upgrade', { revision: 'a1' }, { STARTUP_UPGRADE_SCHEMA: 'true' }],
  ])('where the %s fails, the password of the URI is not shown', async (_case, options, environment) => {
    const database = new FakeDatabase(options);
    database.denyInitialisation();
    const uri = 'postgresql://tracker:UriPasswordThatNobodyMaySee@db.example:5432/mlflow';
    const mlflow = new FakeProgram('mlflow', { 'db upgrade': [{ stderr: 'boom\n', code: 1 }] });

    const { code, stdout, stderr, message } = await startMlflow(
      { ...CREDENTIALS, ...database.environment, ...environment },
      ['mlflow', 'server', `--backend-store-uri=${uri}`],
      mlflow,
    );

    expect([6, 8]).toContain(code);
    expect(stdout + stderr + message).not.toContain('UriPassword');
  });
});

describe('the schema', () => {
  test('of this MLflow is left as it is', async () => {
    const { code, stdout } = await startOn(new FakeDatabase({ revision: 'c3' }));

    expect({ code, stdout }).toEqual({ code: 0, stdout: `${STARTING_MLFLOW}\n` });
  });

  test.each([
    ['older', 'a1', 'prop upgradeSchema'],
    ['older', 'b2', 'prop upgradeSchema'],
    ['newer', 'd4', 'newer image'],
  ])('that is %s (%s) is not touched, and both revisions are named', async (state, revision, fix) => {
    const start = await startOn(new FakeDatabase({ revision }));

    expectFailure(start, 8, `ERROR: the schema of the database is ${state} than this MLflow`);
    expect(lines(start.stderr)[0]).toMatch(new RegExp(`revision ${revision},.* c3$`));
    expect(lines(start.stderr).at(-1)).toContain(fix);
    expect(start.seconds).toBeLessThan(5);
    expect(start.mlflow.calls).toEqual([]);
  });

  test('that is older is upgraded where that is asked for, under the lock', async () => {
    const database = new FakeDatabase({ revision: 'a1' });

    const { code, stdout, mlflow } = await startOn(database, { STARTUP_UPGRADE_SCHEMA: 'true' });

    expect(code).toBe(0);
    expect(lines(stdout)).toEqual(['Upgrading the schema of the database from revision a1 to c3', STARTING_MLFLOW]);
    expect(mlflow.calls.map((call) => call.argv)).toEqual([
      ['db', 'upgrade', URI],
      ['server', `--backend-store-uri=${URI}`],
    ]);
  });

  test('that is newer is no case for an upgrade', async () => {
    const start = await startOn(new FakeDatabase({ revision: 'd4' }), { STARTUP_UPGRADE_SCHEMA: 'true' });

    expectFailure(start, 8, 'is newer than');
    expect(start.mlflow.calls).toEqual([]);
  });

  test('whose upgrade fails keeps the server from starting', async () => {
    const mlflow = new FakeProgram('mlflow', { 'db upgrade': [{ stderr: 'boom\n', code: 3 }] });
    const database = new FakeDatabase({ revision: 'a1' });

    const { code, stderr, message } = await startMlflow(
      { ...CREDENTIALS, ...database.environment, STARTUP_UPGRADE_SCHEMA: 'true', MLFLOW_BACKEND_STORE_URI: URI },
      ['mlflow', 'server'],
      mlflow,
    );

    expect([6, 8]).toContain(code);
    expect(stderr).toBe(`boom\n${message}\n`);
    expect(message).toMatch(/^ERROR: .*(upgrade|schema)/);
    expect(message).toContain('exit code 3');
    expect(mlflow.calls.map((call) => call.argv[0])).toEqual(['db']);
  });
});

describe('the termination message', () => {
  test.each(['/no/such/directory/log', '/'])('is done without where %s is not a file', async (log) => {
    const { code, stderr } = await startMlflow({ ...CREDENTIALS, AWS_ACCESS_KEY_ID: '', TERMINATION_LOG: log });

    expect(code).toBe(1);
    expect(stderr).not.toContain('Traceback');
  });
});

interface Cause {
  readonly code: number;
  readonly title: string;
}

test('the catalogue is a Markdown table with every cause', async () => {
  const listing = 'import json, runpy, sys; print(json.dumps({n: vars(c) for n, c in runpy.run_path(sys.argv[1])["CAUSES"].items()}))';
  const causes = JSON.parse((await run([PYTHON, '-S', '-c', listing, SCRIPT], {})).stdout) as Record<string, Cause>;

  const { code, stdout, stderr } = await run([PYTHON, '-S', SCRIPT, 'causes'], {});

  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const [header, rule, ...rows] = lines(stdout).map((line) => line.replace(/^\| | \|$/g, '').split(' | '));
  expect(header).toEqual(['Exit code', 'What it says', 'Cause', 'Fix']);
  expect(rule).toEqual(['---', '---', '---', '---']);
  expect(Object.keys(causes).length).toBeGreaterThan(20);
  expect(rows).toHaveLength(Object.keys(causes).length);
  for (const { code: exitCode, title } of Object.values(causes)) {
    const text = title.replaceAll(/\{(\w+)\}/g, '`<$1>`');
    expect(rows).toContainEqual([String(exitCode), text, expect.stringMatching(/./), expect.stringMatching(/./)]);
  }
  expect(stdout).not.toMatch(/\{\w+\}/);
});
