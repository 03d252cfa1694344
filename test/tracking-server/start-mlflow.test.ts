import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Environment, FakeProgram, PYTHON, ROOT, Result, Script, lines, scratch } from '../run-script';

const SCRIPT = join(ROOT, 'lib/tracking-server/start-mlflow.py');
const SECRET_KEY = 'SecretKeyThatNobodyMaySee';
const PG_PASSWORD = 'PgPasswordThatNobodyMaySee';
const CREDENTIALS = { AWS_ACCESS_KEY_ID: 'minioadmin', AWS_SECRET_ACCESS_KEY: SECRET_KEY };
const STARTING_MLFLOW = 'Starting MLflow with AWS credentials: minio...';

const URI = 'postgresql://db.example:5432/mlflow';
const FAILED = 'connection to server at "db.example" (10.0.0.7), port 5432 failed:';
const REFUSED = `${FAILED} Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?\n`;
const REFUSED_IN_ONE_LINE = `${FAILED} Connection refused Is the server running on that host and accepting TCP/IP connections?`;
const WAITING = 'Waiting for the database at db.example:5432: ';

// The lock and the version table are files, so that several processes can share one database.
const PSYCOPG2 = `
import json, os

HERE = os.environ["FAKE_DATABASE"]
LOCK = os.path.join(HERE, "lock")
VERSIONS = os.path.join(HERE, "alembic_version")
REFUSALS = json.load(open(os.path.join(HERE, "refusals")))


class OperationalError(Exception):
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
        elif "count(*) FROM alembic_version" in statement:
            self.row = (int(open(VERSIONS).read()),)
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
        file.write("1")
`;
const MODULES = { 'psycopg2.py': PSYCOPG2, 'mlflow/__init__.py': '', 'mlflow/server/__init__.py': '', 'mlflow/server/handlers.py': HANDLERS };

interface FakeDatabaseOptions {
  /** Errors of the first connections. */
  readonly refusals?: string[];
  /** Rows in the table that tells whether a database is initialised; no table without. */
  readonly versions?: number;
}

class FakeDatabase {
  private readonly directory: string;

  public constructor(options: FakeDatabaseOptions = {}) {
    this.directory = scratch({
      ...MODULES,
      refusals: JSON.stringify(options.refusals ?? []),
      ...(options.versions === undefined ? {} : { alembic_version: String(options.versions) }),
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

function script(mlflow: FakeProgram, environment: Environment, command: string[]): Script {
  return new Script([PYTHON, SCRIPT, ...command], environment, [mlflow.directory]);
}

async function startMlflow(environment: Environment, command = ['mlflow', 'server']): Promise<Result & { mlflow: FakeProgram }> {
  const mlflow = new FakeProgram('mlflow');
  return { ...(await script(mlflow, environment, command).ended), mlflow };
}

async function startOn(database: FakeDatabase, environment: Environment = {}, command = ['mlflow', 'server', `--backend-store-uri=${URI}`]) {
  const result = await startMlflow({ ...CREDENTIALS, PGUSER: 'mlflow', PGPASSWORD: PG_PASSWORD, ...database.environment, ...environment }, command);
  expect(result.stdout + result.stderr).not.toContain(PG_PASSWORD);
  return result;
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
    const { code, stdout, stderr } = await startMlflow(CREDENTIALS, []);

    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(lines(stderr)[0]).toBe('ERROR: no command to start');
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

  describe.each(['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'])('%s', (variable) => {
    test.each<[string, string | undefined]>([
      ['missing', undefined],
      ['empty', ''],
    ])('%s', async (_case, value) => {
      const environment: Environment = { ...CREDENTIALS, [variable]: value ?? '' };
      if (value === undefined) Reflect.deleteProperty(environment, variable);

      const { code, stdout, stderr, mlflow } = await startMlflow(environment);

      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr.split('\n')[0]).toBe(`ERROR: ${variable} not set!`);
      expect(stderr).toContain('Fix: ');
      expect(stderr).not.toContain(SECRET_KEY);
      expect(stderr).not.toContain('minioadmin');
      expect(mlflow.calls).toEqual([]);
    });
  });

  test('are checked before the database is waited for', async () => {
    const database = new FakeDatabase();

    const { code } = await startOn(database, { AWS_ACCESS_KEY_ID: '' });

    expect(code).toBe(1);
    expect(database.events).toEqual([]);
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
    const database = new FakeDatabase({ versions: 1 });

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
    const modules = scratch({ 'psycopg2.py': 'raise ImportError("No module named psycopg2")\n' });

    const { code, stdout, stderr, mlflow } = await startMlflow({ ...CREDENTIALS, PYTHONPATH: modules, MLFLOW_BACKEND_STORE_URI: URI });

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(lines(stdout)).toEqual([expect.stringMatching(/^WARNING: .*no psycopg2.*-full/), STARTING_MLFLOW]);
    expect(mlflow.calls).toHaveLength(1);
  });
});

describe('a database that is not ready', () => {
  test.concurrent('is waited for, with one line when the reason changes', async () => {
    const database = new FakeDatabase({ refusals: [REFUSED, REFUSED, `${FAILED} timeout expired\n`], versions: 1 });

    const { code, stdout, mlflow } = await startOn(database);

    expect(code).toBe(0);
    expect(lines(stdout)).toEqual([`${WAITING}${REFUSED_IN_ONE_LINE}`, `${WAITING}${FAILED} timeout expired`, STARTING_MLFLOW]);
    expect(database.eventsOf('connect')).toHaveLength(4);
    expect(mlflow.calls).toHaveLength(1);
  });

  test.concurrent('is given up at the deadline, with cause and fix', async () => {
    const database = new FakeDatabase({ refusals: Array<string>(20).fill(REFUSED) });

    const { code, stdout, stderr, seconds, mlflow } = await startOn(database, { STARTUP_DEADLINE_SECONDS: '1.9' });

    expect({ code, stdout }).toEqual({ code: 3, stdout: `${WAITING}${REFUSED_IN_ONE_LINE}\n` });
    expect(lines(stderr)).toEqual([
      `ERROR: gave up after 1.9 s of waiting for the database at db.example:5432: ${REFUSED_IN_ONE_LINE}`,
      expect.stringMatching(/^Fix: .*kubectl.*startupDeadline/),
    ]);
    expect(database.eventsOf('connect').length).toBeGreaterThan(1);
    expect(seconds).toBeLessThan(6);
    expect(mlflow.calls).toEqual([]);
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
    const database = new FakeDatabase({ refusals: [`${FAILED} FATAL:  ${refusal}\n`], versions: 1 });

    const { code, stdout } = await startOn(database);

    expect(code).toBe(0);
    expect(lines(stdout)).toEqual([`${WAITING}${FAILED} FATAL: ${refusal}`, STARTING_MLFLOW]);
  });

  test.concurrent('is named without user and password of the URI', async () => {
    const database = new FakeDatabase({ refusals: [REFUSED], versions: 1 });
    const uri = 'postgresql://tracker:UriPasswordThatNobodyMaySee@db.example:5432/mlflow';

    const { stdout, stderr } = await startOn(database, {}, ['mlflow', 'server', `--backend-store-uri=${uri}`]);

    expect(stdout).toContain(WAITING);
    expect(stdout + stderr).not.toMatch(/tracker|UriPassword/);
  });

  test.concurrent('is waited for while another pod initialises it', async () => {
    const database = new FakeDatabase({ versions: 1 });
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

    const { code, stderr, mlflow } = await startOn(database, { STARTUP_DEADLINE_SECONDS: '0.5' });

    expect(code).toBe(3);
    expect(lines(stderr)[0]).toBe('ERROR: gave up after 0.5 s of waiting for the database at db.example:5432: another pod is initialising it');
    expect(database.eventsOf('initialise')).toEqual([]);
    expect(mlflow.calls).toEqual([]);
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

test.each(['password authentication failed for user "mlflow"', 'role "mlflow" is not permitted to log in'])(
  'a final refusal fails at once: %s',
  async (refusal) => {
    const database = new FakeDatabase({ refusals: [`${FAILED} FATAL:  ${refusal}\n`] });

    const { code, stdout, stderr, seconds, mlflow } = await startOn(database, { STARTUP_DEADLINE_SECONDS: '60' });

    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(lines(stderr)).toEqual([
      `ERROR: the database refuses the tracking server: ${FAILED} FATAL: ${refusal}`,
      expect.stringMatching(/^Fix: .*PGUSER and PGPASSWORD.*Secret/),
    ]);
    expect(seconds).toBeLessThan(5);
    expect(database.eventsOf('connect')).toHaveLength(1);
    expect(mlflow.calls).toEqual([]);
  },
);

describe('initialisation', () => {
  test.each<[string, FakeDatabaseOptions]>([
    ['without tables', {}],
    ['without a version', { versions: 0 }],
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
    const database = new FakeDatabase({ versions: 1 });

    const { code, stdout, mlflow } = await startOn(database);

    expect({ code, stdout }).toEqual({ code: 0, stdout: `${STARTING_MLFLOW}\n` });
    expect(database.events.map((event) => event[0])).toEqual(['connect', 'execute', 'execute', 'execute', 'close']);
    expect(mlflow.calls).toHaveLength(1);
  });

  test('where it fails, the server is not started', async () => {
    const database = new FakeDatabase();
    database.denyInitialisation();

    const { code, stderr, mlflow } = await startOn(database);

    expect(code).toBe(3);
    expect(stderr).toContain('RuntimeError: permission denied for schema public\n');
    expect(lines(stderr).slice(-2)).toEqual([
      expect.stringMatching(/^ERROR: the database could not be initialised \(exit code 1\)/),
      expect.stringMatching(/^Fix: .*PGUSER.*right to create tables/),
    ]);
    expect(mlflow.calls).toEqual([]);
  });
});
