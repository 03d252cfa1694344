import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Environment, FakeProgram, PYTHON, Result, Script, fixOf, lines, run, scratch, splitWarnings, startScript } from '../run-script';

const SCRIPT = startScript();
const ALONE = startScript(true);
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
import json, os, time

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


def held():
    while os.path.exists(os.path.join(HERE, "held")):
        time.sleep(0.01)


def connect(uri, **options):
    record("connect", uri, options)
    if REFUSALS:
        raise OperationalError(REFUSALS.pop(0))
    return Connection()


class Connection:
    autocommit = False
    locked = False
    transaction = False

    def cursor(self):
        return Cursor(self)

    def close(self):
        record("close")
        self.end()

    def end(self):
        self.transaction = False
        if self.locked:
            os.remove(LOCK)
            self.locked = False


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
        if statement == "BEGIN":
            self.connection.transaction = True
        elif statement == "ROLLBACK":
            self.connection.end()
        elif statement == "SET LOCAL idle_in_transaction_session_timeout = 0":
            assert self.connection.transaction, "it would stay with the connection"
        elif "pg_try_advisory_xact_lock" in statement:
            assert self.connection.transaction, "the lock would end with the statement"
            self.row = (self.lock(),)
        elif self.connection.transaction:
            raise AssertionError("a table stays locked: " + statement)
        elif "to_regclass('" in statement:
            table = statement.split("'")[1]
            self.row = (table if os.path.exists(os.path.join(HERE, table)) else None,)
        elif "version_num FROM " in statement:
            version = open(os.path.join(HERE, statement.split()[-1])).read()
            self.row = (version,) if version else None
        elif "obj_description" in statement or statement.startswith("COMMENT ON TABLE"):
            self.row = (None,)
        elif statement == "SELECT 1":
            self.row = (1,)
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
import os, sys, time
import psycopg2


def initialize_backend_stores(*arguments):
    psycopg2.record("initialise", *arguments)
    assert os.path.exists(psycopg2.LOCK), "initialised without the lock"
    psycopg2.held()
    if os.path.exists(os.path.join(psycopg2.HERE, "denied")):
        print("tried", arguments[0], file=sys.stderr)
        raise RuntimeError("permission denied for schema public")
    time.sleep(0.1)
    with open(psycopg2.VERSIONS, "w") as file:
        file.write("c3")
`;
const CLI = `
import subprocess, sys
import psycopg2


def cli(arguments, prog_name):
    psycopg2.record(*arguments[:2])
    psycopg2.held()
    sys.exit(subprocess.run([prog_name, *arguments]).returncode)
`;
const AUTH = `
import configparser, os
import psycopg2

config = configparser.ConfigParser()
config.read(os.environ["MLFLOW_AUTH_CONFIG_PATH"])


class auth_config:
    database_uri = config["mlflow"]["database_uri"]
    admin_username = os.environ["MLFLOW_AUTH_ADMIN_USERNAME"]
    admin_password = os.environ["MLFLOW_AUTH_ADMIN_PASSWORD"]


class store:
    @staticmethod
    def init_db(uri):
        psycopg2.record("initialise login", uri)
        assert os.path.exists(psycopg2.LOCK), "initialised without the lock"
        with open(os.path.join(psycopg2.HERE, "alembic_version_auth"), "w") as file:
            file.write("l2")


def create_admin_user(username, password):
    psycopg2.record("admin", username, len(password))
`;
// a1 <- b2 <- c3, of which b2 is written as a merge is
const REVISIONS = {
  'mlflow/store/db_migrations/versions/a1_first.py': 'revision = "a1"\ndown_revision = None\n',
  'mlflow/store/db_migrations/versions/b2_second.py': "revision = 'b2'\ndown_revision = ('a1',)\n",
  'mlflow/store/db_migrations/versions/c3_third.py': 'revision = "c3"\ndown_revision = "b2"\n',
  'mlflow/server/auth/db/migrations/versions/first.py': 'revision = "8606fa83a998"\ndown_revision = None\n',
  'mlflow/server/auth/db/migrations/versions/l2_second.py': 'revision = "l2"\ndown_revision = "8606fa83a998"\n',
};
const MODULES = {
  'psycopg2.py': PSYCOPG2,
  'mlflow/__init__.py': '',
  'mlflow/server/__init__.py': '',
  'mlflow/server/handlers.py': HANDLERS,
  'mlflow/server/auth/__init__.py': AUTH,
  'mlflow/cli/__init__.py': CLI,
  ...REVISIONS,
};

interface FakeDatabaseOptions {
  /** Errors of the first connections. */
  readonly refusals?: string[];
  /** Revision of the schema: empty for a table without a row, undefined for no table. */
  readonly revision?: string;
  /** Revision of the login's tables. */
  readonly login?: string;
  /** Whether it has login tables of a version that had no revisions. */
  readonly users?: boolean;
}

class FakeDatabase {
  private readonly directory: string;

  public constructor(options: FakeDatabaseOptions = {}) {
    this.directory = scratch({
      ...MODULES,
      refusals: JSON.stringify(options.refusals ?? []),
      ...(options.revision === undefined ? {} : { alembic_version: options.revision }),
      ...(options.login === undefined ? {} : { alembic_version_auth: options.login }),
      ...(options.users ? { users: '' } : {}),
    });
  }

  public get environment(): Environment {
    return { PYTHONPATH: this.directory, FAKE_DATABASE: this.directory };
  }

  public get events(): unknown[][] {
    const log = join(this.directory, 'events');
    return existsSync(log) ? lines(readFileSync(log, 'utf8')).map((line) => JSON.parse(line) as unknown[]) : [];
  }

  public get revision(): string {
    return readFileSync(join(this.directory, 'alembic_version'), 'utf8');
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

  /** As another pod does. */
  public initialise(revision: string): void {
    writeFileSync(join(this.directory, 'alembic_version'), revision);
  }

  /** Makes an initialisation or an upgrade take until it is let go. */
  public holdChange(): void {
    writeFileSync(join(this.directory, 'held'), '');
  }

  public letChangeGo(): void {
    rmSync(join(this.directory, 'held'));
  }

  public denyInitialisation(): void {
    writeFileSync(join(this.directory, 'denied'), '');
  }
}

/** With -S, so that what is installed on this machine is not found. */
function script(mlflow: FakeProgram, environment: Environment, command: string[], path = SCRIPT): Script {
  const home = { HOME: mlflow.directory, STARTUP_SOURCES: JSON.stringify(SOURCES) };
  return new Script([PYTHON, '-S', path, ...command], { ...home, ...environment }, [mlflow.directory]);
}

/** Its `stderr` is without the warnings. */
interface Start extends Result {
  readonly warnings: string[];
  readonly mlflow: FakeProgram;
  /** What Kubernetes shows as the termination message. */
  readonly message: string;
}

async function startMlflow(environment: Environment, command = ['mlflow', 'server'], mlflow = new FakeProgram('mlflow'), path = SCRIPT): Promise<Start> {
  const log = join(scratch({ log: '' }), 'log');
  const result = await script(mlflow, { TERMINATION_LOG: log, ...environment }, command, path).ended;
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

/** Ended with this code before MLflow, with an error of five lines and what to run, which is also the termination message. */
function expectFailure(start: Start, code: number, title: string | RegExp): void {
  expect({ code: start.code, stderr: start.stderr }).toEqual({ code, stderr: `${start.message}\n` });
  expect(lines(start.stderr)[0]).toMatch(title);
  expect(lines(start.stderr)[0]).toMatch(/^ERROR: /);
  expect([...new Set(lines(start.stderr).slice(1).map((line) => line.trim().split(' ')[0]))]).toEqual(
    ['tried:', 'where:', 'answer:', 'cause:', 'fix:', 'run:'].filter((name) => start.stderr.includes(`\n  ${name}`)),
  );
  expect(start.stderr).toMatch(/\n {2}tried: .+\n(.*\n)*? {2}cause: .+\n {2}fix: .+\n( {2}run: {4}\S.*\n)+$/);
  expect(start.mlflow.calls.filter((call) => call.argv[0] === 'server')).toEqual([]);
}

describe('the command', () => {
  test('replaces the script and gets its arguments as they are', async () => {
    const { pid, code, mlflow } = await startMlflow(CREDENTIALS, ['mlflow', 'server', '--host=0.0.0.0', '--app-name', '', 'a "b" $HOME *']);

    expect(code).toBe(0);
    expect(mlflow.calls.map((call) => [call.pid, call.argv])).toEqual([[pid, ['server', '--host=0.0.0.0', '--app-name', '', 'a "b" $HOME *']]]);
  });

  test('gets the environment as it is', async () => {
    const environment = { ...CREDENTIALS, MLFLOW_S3_ENDPOINT_URL: 'http://minio:9000', PGPASSWORD: `$ ${PG_PASSWORD}\\`, EMPTY: '' };

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

describe.each([['with the preflight', SCRIPT], ['alone', ALONE]])('%s', (_layout, path) => {
  const called = (...command: string[]) => script(new FakeProgram('mlflow'), CREDENTIALS, command, path).ended;

  test.each(['--help', '-h'])('%s is answered with the usage', async (flag) => {
    const { code, stdout, stderr } = await called(flag);

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^start-mlflow.py COMMAND \[ARGUMENT...\] .*mlflow server/m);
  });

  test('a word that is no program is told in one sentence', async () => {
    const { code, stdout, stderr } = await called('docter');

    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(lines(stderr)).toEqual(['ERROR: docter is no program on PATH, see start-mlflow.py --help']);
  });

  test('keys that are missing come before a program that is', async () => {
    const { code, stderr } = await script(new FakeProgram('mlflow'), {}, ['no-such-mlflow', 'server'], path).ended;

    expect({ code, first: lines(stderr)[0] }).toEqual({ code: 1, first: 'ERROR: AWS_ACCESS_KEY_ID not set!' });
  });
});

describe('alone', () => {
  const S3 = '--artifacts-destination=s3://mlflow-bucket';
  const startAlone = (environment: Environment, flags: string[] = []) =>
    startMlflow(environment, ['mlflow', 'server', ...flags], new FakeProgram('mlflow'), ALONE);

  test('it becomes the command, with the credentials announced by five characters', async () => {
    const { pid, code, stdout, stderr, mlflow } = await startAlone(CREDENTIALS, ['--host=0.0.0.0', '', 'a "b" $HOME *']);

    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `${STARTING_MLFLOW}\n`, stderr: '' });
    expect(mlflow.calls.map((call) => [call.pid, call.argv])).toEqual([[pid, ['server', '--host=0.0.0.0', '', 'a "b" $HOME *']]]);
    expect(mlflow.calls[0].env).toMatchObject({ ...CREDENTIALS, AWS_DEFAULT_REGION: 'us-east-1', AWS_REGION: 'us-east-1' });
  });

  describe.each(['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const)('%s', (variable) => {
    test.each(['', ' \n'])('of %j is missing', async (value) => {
      for (const flags of [[], [S3]]) {
        const { code, stdout, stderr, message, mlflow } = await startAlone({ ...CREDENTIALS, [variable]: value }, flags);

        expect({ code, stdout, stderr, calls: mlflow.calls }).toEqual({ code: 1, stdout: '', stderr: `ERROR: ${variable} not set!\n`, calls: [] });
        expect(message).toBe(`ERROR: ${variable} not set!`);
      }
    });

    test('is taken without white space around it', async () => {
      const { code, mlflow } = await startAlone({ ...CREDENTIALS, [variable]: ` ${CREDENTIALS[variable]}\r\n` });

      expect(code).toBe(0);
      expect(mlflow.calls[0].env).toMatchObject(CREDENTIALS);
    });
  });

  test('what libpq reads is taken without white space around it', async () => {
    const { mlflow } = await startAlone({ ...CREDENTIALS, PGUSER: ' mlflow', PGPASSWORD: `${PG_PASSWORD}\n` });

    expect(mlflow.calls[0].env).toMatchObject({ PGUSER: 'mlflow', PGPASSWORD: PG_PASSWORD });
  });

  test.each<[Environment, string, string]>([
    [{ AWS_DEFAULT_REGION: '', AWS_REGION: '' }, 'us-east-1', 'us-east-1'],
    [{ AWS_REGION: 'eu-west-3' }, 'eu-west-3', 'eu-west-3'],
    [{ AWS_DEFAULT_REGION: 'eu-central-1', AWS_REGION: 'eu-west-3' }, 'eu-central-1', 'eu-west-3'],
  ])('the region is that of %j', async (environment, AWS_DEFAULT_REGION, AWS_REGION) => {
    const { mlflow } = await startAlone({ ...CREDENTIALS, ...environment });

    expect(mlflow.calls[0].env).toMatchObject({ AWS_DEFAULT_REGION, AWS_REGION });
  });

  test.each<[Environment, string[], string]>([
    [{ STARTUP_POD_IDENTITY: 'true' }, [S3], 'the identity of the pod'],
    [{ STARTUP_POD_IDENTITY: 'true' }, ['--artifacts-destination', 's3://mlflow-bucket'], 'the identity of the pod'],
    [{ MLFLOW_ARTIFACTS_DESTINATION: 'gs://models' }, [], 'the credentials of gs://models'],
    [{ ...CREDENTIALS, MLFLOW_ARTIFACTS_DESTINATION: 'gs://models' }, [S3], 'AWS credentials: minio...'],
    [{}, ['--artifacts-destination=wasbs://c@a.blob.core.windows.net'], 'the credentials of wasbs://c@a.blob.core.windows.net'],
    [{}, ['--artifacts-destination=/data/artifacts'], 'the artifacts in /data/artifacts'],
    [{}, ['--artifacts-destination=ftp://u:FtpPasswordThatNobodyMaySee@host/a'], 'the artifacts in (password of the URI)'],
  ])('%j and %j start it with %s', async (environment, flags, words) => {
    const { code, stdout, stderr } = await startAlone(environment, flags);

    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `Starting MLflow with ${words}\n`, stderr: '' });
  });

  test('half a pair of keys is none, whatever identity the pod has', async () => {
    const { code, stderr } = await startAlone({ STARTUP_POD_IDENTITY: 'true', AWS_ACCESS_KEY_ID: 'minioadmin' }, [S3]);

    expect({ code, stderr }).toEqual({ code: 1, stderr: 'ERROR: AWS_SECRET_ACCESS_KEY not set!\n' });
  });

  test.each(['doctor', 'monitor', 'gc', 'causes'])('%s ends in one sentence that says what is missing', async (command) => {
    const { code, stdout, stderr } = await script(new FakeProgram('mlflow'), CREDENTIALS, [command, '--json'], ALONE).ended;

    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(lines(stderr)).toEqual([expect.stringMatching(`^ERROR: ${command} .*no preflight is mounted at .*/preflight$`)]);
  });
});

describe('the preflight by itself', () => {
  const PREFLIGHT = join(dirname(SCRIPT), 'preflight');

  test('is a program in a folder', async () => {
    const [byFolder, byScript] = await Promise.all([PREFLIGHT, SCRIPT].map((path) => run([PYTHON, '-S', path, 'causes'], {})));

    expect(byFolder).toMatchObject({ code: 0, stdout: byScript.stdout, stderr: '' });
  });

  test('can check for another start script', async () => {
    const check = (environment: Environment) => run([PYTHON, '-S', PREFLIGHT, 'check', 'mlflow', 'server'], { HOME: '/nonexistent', ...environment });

    expect(await check(CREDENTIALS)).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(await check({})).toMatchObject({ code: 1, stderr: expect.stringMatching(/^ERROR: AWS_ACCESS_KEY_ID not set!\n {2}tried: /) });
  });

  test.each([['no command', []], ['a wrong one', ['docter']]])('wants %s corrected', async (_case, command) => {
    expect(await run([PYTHON, '-S', PREFLIGHT, ...command], {})).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/^ERROR: .*doctor, monitor, gc, relocate, upgrade and causes\n$/) });
  });

  test.each([[[], 'start-mlflow.py doctor'], [['doctor'], '--client URL'], [['monitor'], 'STARTUP_MONITOR_PORT']])('%j --help tells how', async (command, text) => {
    expect(await run([PYTHON, '-S', PREFLIGHT, ...command, '--help'], {})).toMatchObject({ code: 0, stdout: expect.stringContaining(text), stderr: '' });
  });
});

test.each(['PGPASSWORD', 'PGUSER', 'PGHOST', 'PGDATABASE', 'PGPORT', 'AZURE_STORAGE_ACCESS_KEY'])('%s is taken without white space around it, with a warning', async (variable) => {
  const start = await startMlflow({ ...CREDENTIALS, [variable]: ' a value that nobody may see\n' });

  const source = variable === 'PGPASSWORD' ? 'key POSTGRES_PASSWORD of Secret postgres-user \\(PGPASSWORD\\)' : variable;
  expectStarted(start, [new RegExp(`^WARNING: ${source} has white space or a newline around its value.*printf`)]);
  expect(start.warnings.join()).not.toContain('nobody may see');
  expect(start.mlflow.calls[0].env[variable]).toBe('a value that nobody may see');
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

    expect(new Set(database.eventsOf('connect').map((event) => event[1]))).toEqual(new Set([libpqUri]));
    expect(database.eventsOf('initialise').map((event) => event[1])).toEqual([uri]);
    expect(mlflow.calls[0].argv).toEqual(['server', `--backend-store-uri=${uri}`]);
  });

  test.each([['sqlite:////data/mlflow.db'], ['/data/mlruns'], ['']])(
    '"%s" is no server, and nothing is done about it',
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
      `  answer: ${REFUSED_IN_ONE_LINE} (gave up after 1.9 s, the prop preflight.startupDeadline)`,
      expect.stringContaining('not ready yet'),
      expect.stringMatching(/^ {2}fix: .*--backend-store-uri/), expect.stringMatching(/^ {2}run: .* get statefulsets,pods,services/), expect.stringMatching(/^ {2}run: .* describe pods/), '  run:    kubectl apply -f dist/',
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

  test.concurrent('is waited for while another pod initialises it, and is not initialised again', async () => {
    const database = new FakeDatabase();
    database.holdLock();
    const mlflow = new FakeProgram('mlflow');
    const waiting = script(mlflow, { ...CREDENTIALS, ...database.environment, MLFLOW_BACKEND_STORE_URI: URI }, ['mlflow', 'server']);
    await waiting.saw(WAITING);
    expect(mlflow.calls).toEqual([]);

    database.initialise('c3');
    database.releaseLock();

    const { code, stdout } = await waiting.ended;
    expect(code).toBe(0);
    expect(lines(stdout)).toEqual([`${WAITING}another pod is initialising it`, STARTING_MLFLOW]);
    expect(database.eventsOf('initialise')).toEqual([]);
    expect(mlflow.calls).toHaveLength(1);
  });

  test.concurrent('that has its tables is used whoever has the lock', async () => {
    const database = new FakeDatabase({ revision: 'c3' });
    database.holdLock();

    const { code, stdout } = await startOn(database);

    expect({ code, stdout }).toEqual({ code: 0, stdout: `${STARTING_MLFLOW}\n` });
    expect(database.eventsOf('execute').filter(([, statement]) => String(statement).includes('lock'))).toEqual([]);
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

/** A look, and where there is something to do the lock, another look, and what is done. */
const INITIALISED = ['connect', 'close', 'connect', 'connect', 'close', 'connect', 'close', 'initialise', 'close'];

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
    expect(database.events.map((event) => event[0]).filter((kind) => kind !== 'execute')).toEqual(INITIALISED);
    expect(database.eventsOf('execute').filter(([, statement]) => String(statement).includes('lock'))).toEqual([
      ['execute', expect.stringMatching(/^SELECT pg_try_advisory_xact_lock\(\d+\)$/)],
    ]);
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
    expect(database.events.map((event) => event[0])).toEqual(['connect', 'execute', 'execute', 'close']);
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

describe('SIGTERM', () => {
  test.each<[string, FakeDatabaseOptions, string, string]>([
    ['the initialisation', {}, 'initialise', 'The database is empty'],
    ['the upgrade of the schema', { revision: 'a1' }, 'db', 'Upgrading the schema'],
  ])('does not cut off %s', async (what, options, event, said) => {
    const database = new FakeDatabase(options);
    const mlflow = new FakeProgram('mlflow');
    database.holdChange();
    const environment = { ...CREDENTIALS, ...database.environment, MLFLOW_BACKEND_STORE_URI: URI, STARTUP_UPGRADE_SCHEMA: 'true' };
    const starting = script(mlflow, environment, ['mlflow', 'server']);
    await starting.saw(said);
    while (database.eventsOf(event).length === 0) await new Promise((resolve) => setTimeout(resolve, 10));

    starting.kill('SIGTERM');
    await starting.saw(`SIGTERM came: finishing ${what} first\n`);
    database.letChangeGo();

    expect(await starting.ended).toMatchObject({ code: 143, stderr: '' });
    expect(mlflow.calls.map(({ argv }) => argv[0])).toEqual(event === 'db' ? ['db'] : []);
    if (event === 'initialise') expect(database.revision).toBe('c3');
  });
});

describe('the schema', () => {
  test('of this MLflow is left as it is', async () => {
    const { code, stdout } = await startOn(new FakeDatabase({ revision: 'c3' }));

    expect({ code, stdout }).toEqual({ code: 0, stdout: `${STARTING_MLFLOW}\n` });
  });

  test.each([
    ['older', 'a1', 'prop preflight.upgradeSchema'],
    ['older', 'b2', 'prop preflight.upgradeSchema'],
    ['newer', 'd4', 'newer image'],
  ])('that is %s (%s) is not touched, and both revisions are named', async (state, revision, fix) => {
    const start = await startOn(new FakeDatabase({ revision }));

    expectFailure(start, 8, `ERROR: the schema of the database is ${state} than this MLflow`);
    expect(lines(start.stderr)[0]).toMatch(new RegExp(`revision ${revision},.* c3$`));
    expect(fixOf(start.stderr)).toContain(fix);
    expect(start.seconds).toBeLessThan(5);
    expect(start.mlflow.calls).toEqual([]);
  });

  test('that is older is upgraded where that is asked for, under the lock', async () => {
    const database = new FakeDatabase({ revision: 'a1' });

    const { code, stdout, mlflow } = await startOn(database, { STARTUP_UPGRADE_SCHEMA: 'true' });

    expect(code).toBe(0);
    expect(lines(stdout)).toEqual(['Upgrading the schema of the database from revision a1 to revision c3', expect.stringContaining('The schema of the database is at revision'), STARTING_MLFLOW]);
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

describe('without keys', () => {
  const S3 = ['mlflow', 'server', '--artifacts-destination=s3://mlflow-bucket'];
  const POD = { STARTUP_POD_IDENTITY: 'true' };

  test('an S3 bucket is used with the identity of the pod, where that is asked for', async () => {
    const { code, stdout, mlflow } = await startMlflow(POD, S3);

    expect({ code, stdout }).toEqual({ code: 0, stdout: 'Starting MLflow with the identity of the pod\n' });
    expect(mlflow.calls[0].env).toMatchObject({ AWS_DEFAULT_REGION: 'us-east-1', AWS_REGION: 'us-east-1' });
    expectFailure(await startMlflow({}, S3), 1, /^ERROR: AWS_ACCESS_KEY_ID not set!$/);
  });

  test.each<[string, Environment]>([
    ['AWS_SECRET_ACCESS_KEY', { AWS_ACCESS_KEY_ID: CREDENTIALS.AWS_ACCESS_KEY_ID }],
    ['AWS_ACCESS_KEY_ID', { AWS_SECRET_ACCESS_KEY: SECRET_KEY }],
  ])('half a pair is none: %s', async (missing, half) => {
    expectFailure(await startMlflow({ ...POD, ...half }, S3), 1, new RegExp(`^ERROR: ${missing} not set!$`));
  });

  test('a pair wins over the identity of the pod, with a warning', async () => {
    const start = await startMlflow({ ...POD, ...CREDENTIALS }, S3);

    expect({ code: start.code, stdout: start.stdout }).toEqual({ code: 0, stdout: `${STARTING_MLFLOW}\n` });
    expect(start.warnings).toContainEqual(expect.stringMatching(/^WARNING: key AWS_ACCESS_KEY_ID of Secret minio-user .* wins over the identity/));
  });

  test.each([
    ['gs://models/team', 'the credentials of gs://models/team', /no google.cloud.storage.*-full/],
    ['wasbs://models@account.blob.core.windows.net', 'the credentials of wasbs://models@account.blob.core.windows.net', /no azure.storage.blob/],
    ['/data/artifacts', 'the artifacts in /data/artifacts', undefined],
    ['ftp://u:FtpPasswordThatNobodyMaySee@host/a', 'the artifacts in (password of the URI)', undefined],
  ])('MLflow starts with %s', async (destination, credentials, warning) => {
    const start = await startMlflow({ AWS_ACCESS_KEY_ID: '' }, ['mlflow', 'server', `--artifacts-destination=${destination}`]);

    expect({ code: start.code, stdout: start.stdout }).toEqual({ code: 0, stdout: `Starting MLflow with ${credentials}\n` });
    expect(start.warnings).toEqual(warning ? [expect.stringMatching(warning)] : []);
    if (/^(gs|wasbs):/.test(destination)) expect(start.mlflow.calls[0].env).not.toHaveProperty('AWS_DEFAULT_REGION');
  });

  test('leftover keys do not matter to another store', async () => {
    const { stdout } = await startMlflow({ ...CREDENTIALS, AWS_ACCESS_KEY_ID: '"quoted"' }, ['mlflow', 'server', '--artifacts-destination=gs://models']);

    expect(stdout).toBe('Starting MLflow with the credentials of gs://models\n');
  });
});

describe('a backend store of the environment', () => {
  const PASSWORD = 'p@ss/w%C3%B6rdThatNobodyMaySee';
  const MLFLOW_BACKEND_STORE_URI = `postgresql://tracker:${PASSWORD}@db.example:5432/mlflow`;
  const PIECES = [PASSWORD, 'wördThatNobodyMaySee', 'NobodyMaySee'];

  test.each<[string, FakeDatabaseOptions]>([
    ['where it cannot be initialised', {}],
    ['where it does not answer', { refusals: Array<string>(9).fill(`${FAILED} could not translate host name "w%C3%B6rdThatNobodyMaySee@db"\n`) }],
    ['where it refuses', { refusals: [`FATAL:  no user for ${MLFLOW_BACKEND_STORE_URI}, wördThatNobodyMaySee\n`] }],
  ])('is not shown %s', async (_case, options) => {
    const database = new FakeDatabase(options);
    database.denyInitialisation();

    const { code, stdout, stderr, message } = await startOn(database, { MLFLOW_BACKEND_STORE_URI, STARTUP_DEADLINE_SECONDS: '1' }, ['mlflow', 'server']);

    expect([6, 7]).toContain(code);
    expect(stderr).toContain('ERROR: ');
    for (const piece of [MLFLOW_BACKEND_STORE_URI, ...PIECES]) expect(stdout + stderr + message).not.toContain(piece);
    if (options.refusals === undefined) expect(stderr).toContain('tried (password of the URI)\n');
  });

  test('is in no arguments of a child process', async () => {
    const database = new FakeDatabase();
    const listing = 'import os, psycopg2\npsycopg2.record("arguments", open("/proc/self/cmdline").read())\n';
    writeFileSync(join(database.environment.PYTHONPATH, 'mlflow/store/__init__.py'), '');
    writeFileSync(join(database.environment.PYTHONPATH, 'mlflow/server/__init__.py'), listing);

    const { code } = await startOn(database, { MLFLOW_BACKEND_STORE_URI }, ['mlflow', 'server']);

    expect(code).toBe(0);
    expect(database.eventsOf('initialise')).toEqual([['initialise', MLFLOW_BACKEND_STORE_URI, null, null]]);
    expect(database.eventsOf('arguments')).toHaveLength(1);
    expect(JSON.stringify(database.eventsOf('arguments'))).not.toContain('NobodyMaySee');
  });

  test.each(['mysql+pymysql://u:p@db.example/mlflow', 'mssql+pymssql://u:p@db.example/mlflow'])('%s is not checked without SQLAlchemy', async (uri) => {
    expectStarted(await startMlflow({ ...CREDENTIALS, MLFLOW_BACKEND_STORE_URI: uri }), [/^WARNING: .*no sqlalchemy.*database at db.example /]);
  });
});

test.each([
  ['SSL error: certificate verify failed', 'the certificate of the database is not trusted'],
  ['root certificate file "/tls/ca.crt" does not exist', 'the certificate of the database is not trusted'],
  ['server certificate for "other" does not match host name "db.example"', 'the certificate of the database is not trusted'],
  ['server does not support SSL, but SSL was required', 'do not agree about TLS'],
  ['FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "mlflow", database "mlflow", no encryption', 'do not agree about TLS'],
  ['FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "mlflow", database "mlflow", SSL off', 'do not agree about TLS'],
])('TLS of the database fails at once: %s', async (refusal, title) => {
  const start = await startOn(new FakeDatabase({ refusals: [`${FAILED} ${refusal}\n`] }), { STARTUP_DEADLINE_SECONDS: '60' });

  expectFailure(start, 6, title);
  expect(fixOf(start.stderr)).toContain('prop tls of the store');
  expect(start.seconds).toBeLessThan(5);
});

test('a host that may connect neither way is no matter of TLS', async () => {
  const both = `${FAILED} FATAL:  no pg_hba.conf entry for host "h", SSL encryption\n${FAILED} FATAL:  no pg_hba.conf entry for host "h", no encryption\n`;

  expectFailure(await startOn(new FakeDatabase({ refusals: [both] })), 6, 'the database refuses the user');
});

test.each([
  [[], []],
  [['', `${FAILED} Connection refused\n`], [/^WARNING: the read replica of the database does not answer: the database does not answer\. /]],
])('a read replica that refuses %j is warned of at most', async (refusals, warnings) => {
  const database = new FakeDatabase({ refusals: refusals.filter((refusal) => refusal !== ''), revision: 'c3' });
  const replica = 'postgresql://replica.example:5432/mlflow';

  // the only connection, so that the refusal is the replica's
  const start = await startMlflow({ ...CREDENTIALS, ...database.environment, MLFLOW_READ_REPLICA_BACKEND_STORE_URI: replica });

  expectStarted(start, warnings);
  expect(database.eventsOf('connect').map((event) => event[1])).toEqual([replica]);
});

describe('login', () => {
  const ADMIN_PASSWORD = 'AdminPasswordThatNobodyMaySee';
  const INI = `[mlflow]\ndefault_permission = READ\ndatabase_uri = ${URI}\n`;
  const COMMAND = ['mlflow', 'server', `--backend-store-uri=${URI}`, '--app-name=basic-auth'];
  const LOGIN = {
    MLFLOW_AUTH_ADMIN_USERNAME: 'admin',
    MLFLOW_AUTH_ADMIN_PASSWORD: ADMIN_PASSWORD,
    MLFLOW_FLASK_SERVER_SECRET_KEY: 'FlaskKeyThatNobodyMaySee',
  };

  async function startWith(database: FakeDatabase, changes: Environment = {}, ini: string | undefined = INI) {
    const file = ini === undefined ? '/no/such/file' : join(scratch({ 'auth.ini': ini }), 'auth.ini');
    const start = await startOn(database, { ...LOGIN, MLFLOW_AUTH_CONFIG_PATH: file, ...changes }, COMMAND);
    for (const secret of [ADMIN_PASSWORD, LOGIN.MLFLOW_FLASK_SERVER_SECRET_KEY, 'IniPassword']) {
      expect(start.stdout + start.stderr + start.warnings.join() + start.message).not.toContain(secret);
    }
    return start;
  }

  test.each(['MLFLOW_AUTH_ADMIN_USERNAME', 'MLFLOW_AUTH_ADMIN_PASSWORD', 'MLFLOW_FLASK_SERVER_SECRET_KEY'])('%s is needed', async (variable) => {
    const database = new FakeDatabase();

    expectFailure(await startWith(database, { [variable]: ' \n' }), 1, new RegExp(`^ERROR: ${variable} not set!$`));
    expect(database.events).toEqual([]);
  });

  test.each([
    ['elevenchars', 'has 11 characters, fewer than 12'],
    ['password1234', 'is the one that older versions of MLflow shipped'],
  ])('%s is no password', async (MLFLOW_AUTH_ADMIN_PASSWORD, form) => {
    const start = await startWith(new FakeDatabase(), { MLFLOW_AUTH_ADMIN_PASSWORD });

    expectFailure(start, 3, `ERROR: the password of the admin is one that MLflow refuses: it ${form}`);
    expect(start.stderr).not.toContain(MLFLOW_AUTH_ADMIN_PASSWORD);
  });

  test.each<[string, string, RegExp]>([
    ['without section', 'default_permission = READ\n', /it is no ini file/],
    ['with another section', '[other]\n', /section \[mlflow\] is missing/],
    ['without a database', '[mlflow]\ndefault_permission = READ\n', /it has no database_uri/],
    ['with a raw %', `[mlflow]\ndefault_permission = READ\ndatabase_uri = postgresql://u:IniPassword%zz@h/d\n`, /wrong value/],
  ])('a configuration %s is named', async (_case, ini, form) => {
    const start = await startWith(new FakeDatabase(), {}, ini);

    expectFailure(start, 3, 'ERROR: MLFLOW_AUTH_CONFIG_PATH is no configuration');
    expect(lines(start.stderr)[0]).toMatch(form);
  });

  test('a configuration that is not there is named', async () => {
    const start = await startWith(new FakeDatabase(), { MLFLOW_AUTH_CONFIG_PATH: '/no/such/file' });

    expectFailure(start, 3, /MLFLOW_AUTH_CONFIG_PATH is no configuration of MLflow's login: No such file/);
    expect(start.stderr).toContain('  where:  /no/such/file\n');
  });

  test('white space around its values is dropped, with a warning', async () => {
    const start = await startWith(new FakeDatabase({ revision: 'c3', login: 'l2' }), { MLFLOW_AUTH_ADMIN_PASSWORD: `${ADMIN_PASSWORD}\n` });

    expectStarted(start, [/^WARNING: MLFLOW_AUTH_ADMIN_PASSWORD has white space.*printf/]);
    expect(start.mlflow.calls[0].env.MLFLOW_AUTH_ADMIN_PASSWORD).toBe(ADMIN_PASSWORD);
  });

  test('its tables and the admin are made once by two pods that start together, under the lock', async () => {
    const database = new FakeDatabase({ revision: 'c3' });

    const starts = await Promise.all([startWith(database), startWith(database)]);

    expect(starts.map(({ code, mlflow }) => [code, mlflow.calls.length])).toEqual([[0, 1], [0, 1]]);
    expect(database.eventsOf('initialise login')).toEqual([['initialise login', URI]]);
    expect(database.eventsOf('admin')).toEqual([['admin', 'admin', ADMIN_PASSWORD.length]]);
    expect(starts.map(({ stdout }) => stdout).join()).toContain('There is no login yet: making its tables and the admin\n');
  });

  test('an empty database gets both kinds of tables', async () => {
    const database = new FakeDatabase();

    expect((await startWith(database)).code).toBe(0);

    expect(database.events.map(([kind]) => kind).filter((kind) => kind !== 'execute')).toEqual([
      ...INITIALISED,
      ...INITIALISED.flatMap((kind) => (kind === 'initialise' ? ['initialise login', 'admin'] : [kind])),
    ]);
  });

  test('without --app-name nothing of it is looked at', async () => {
    const database = new FakeDatabase({ revision: 'c3' });

    expectStarted(await startOn(database, { MLFLOW_AUTH_CONFIG_PATH: '/no/such/file' }));
    expect(database.eventsOf('initialise login')).toEqual([]);
  });

  test('its schema, where it is this one, is left as it is', async () => {
    const database = new FakeDatabase({ revision: 'c3', login: 'l2' });

    expectStarted(await startWith(database));
    expect(database.eventsOf('initialise login')).toEqual([]);
  });

  test.each<[string, FakeDatabaseOptions, string]>([
    ['older', { login: '8606fa83a998' }, 'older'],
    ['of before there were revisions', { users: true }, 'older'],
    ['newer', { login: 'm3' }, 'newer'],
  ])('its schema that is %s is not touched', async (_case, options, state) => {
    const database = new FakeDatabase({ revision: 'c3', ...options });

    const start = await startWith(database);

    expectFailure(start, 8, `is ${state} than this MLflow`);
    expect(start.stderr).toContain('  tried:  reading the revision of the schema of the login tables\n');
    expect(database.eventsOf('initialise login')).toEqual([]);
  });

  test('its schema that is older is upgraded where that is asked for', async () => {
    const database = new FakeDatabase({ revision: 'c3', login: '8606fa83a998' });

    const { code, stdout } = await startWith(database, { STARTUP_UPGRADE_SCHEMA: 'true' });

    expect(code).toBe(0);
    expect(lines(stdout)).toEqual([
      'Upgrading the schema of the login tables from revision 8606fa83a998, of MLflow 2.5.0 to 3.6.0 to revision l2',
      'The schema of the login tables is at revision l2',
      STARTING_MLFLOW,
    ]);
    expect(database.eventsOf('initialise login')).toHaveLength(1);
  });
});

describe('gc', () => {
  const gc = (environment: Environment, flags: string[] = []) => run([PYTHON, '-S', SCRIPT, 'gc', ...flags], { HOME: '/nonexistent', ...environment });
  const SERVER = 'http://127.0.0.1:1/mlflow';

  test.each<[string, Environment, string[]]>([
    ['MLFLOW_TRACKING_URI', {}, ['--backend-store-uri=sqlite:////x.db']],
    ['MLFLOW_BACKEND_STORE_URI', { MLFLOW_TRACKING_URI: SERVER }, []],
  ])('without %s deletes nothing', async (variable, environment, flags) => {
    const { code, stdout, stderr } = await gc(environment, flags);

    expect({ code, stdout }).toEqual({ code: 2, stdout: 'mlflow gc was not started, and nothing was deleted\n' });
    expect(lines(stderr)[0]).toBe(`ERROR: ${variable} not set!`);
    expect(fixOf(stderr)).toContain(`Set ${variable}: the UR`);
  });

  test('without a server waits for it till the deadline, and deletes nothing', async () => {
    const flags = ['--backend-store-uri=sqlite:////x.db', '--older-than=30d'];

    const { code, stdout, stderr } = await gc({ MLFLOW_TRACKING_URI: SERVER, STARTUP_DEADLINE_SECONDS: '1.5' }, flags);

    expect(code).toBe(9);
    expect(lines(stdout)).toEqual([
      expect.stringMatching(`^Waiting for the tracking server at ${SERVER}: the tracking server does not answer; no answer .*refused`),
      'mlflow gc was not started, and nothing was deleted',
    ]);
    expect(stderr).toMatch(/^ERROR: the tracking server does not answer\n(.*\n)*.*gave up after 1.5 s/);
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
  const listing = 'import json; from preflight.causes import CAUSES, USUAL; print(json.dumps([{n: c._asdict() for n, c in CAUSES.items()}, USUAL]))';
  const [causes, usual] = JSON.parse((await run([PYTHON, '-S', '-c', listing], { PYTHONPATH: dirname(SCRIPT) })).stdout) as [Record<string, Cause>, Environment];

  const { code, stdout, stderr } = await run([PYTHON, '-S', SCRIPT, 'causes'], {});

  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const [header, rule, ...rows] = lines(stdout).map((line) => line.replace(/^\| | \|$/g, '').split(' | '));
  expect(header).toEqual(['Exit code', 'What it says', 'Cause', 'Fix']);
  expect(rule).toEqual(['---', '---', '---', '---']);
  expect(Object.keys(causes).length).toBeGreaterThan(20);
  expect(rows).toHaveLength(Object.keys(causes).length);
  for (const { code: exitCode, title } of Object.values(causes)) {
    const text = title.replaceAll(/\{(\w+)\}/g, (_all, name: string) => usual[name] ?? `\`<${name}>\``);
    expect(rows).toContainEqual([String(exitCode), text, expect.stringMatching(/./), expect.stringMatching(/./)]);
  }
  expect(stdout).not.toMatch(/\{\w+\}/);
});
