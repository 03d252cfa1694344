import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Served, freePort, until } from '../processes';
import { Environment, Result, Script, lines, scratch, startScript } from '../run-script';
import { PYTHON, Postgres } from './servers';

const SCRIPT = startScript();
const PG_PASSWORD = 'PgPasswordThatNobodyMaySee';
const ADMIN_PASSWORD = 'AdminPasswordThatNobodyMaySee';
const FLASK_KEY = 'FlaskKeyThatNobodyMaySee';
const URI_PASSWORD = 'p@ss/wordThatNobodyMaySee';

jest.setTimeout(180_000);

let postgres: Postgres;

beforeAll(async () => {
  postgres = await Postgres.start();
  await postgres.sql('postgres', ['CREATE ROLE mlflow LOGIN PASSWORD %s', PG_PASSWORD], ['CREATE ROLE secretive LOGIN PASSWORD %s', URI_PASSWORD]);
}, 90_000);

async function database(name: string, owner = 'mlflow'): Promise<string> {
  await postgres.sql('postgres', [`CREATE DATABASE ${name} OWNER ${owner}`]);
  return postgres.uri(name);
}

function expectNoSecret({ stdout, stderr }: Result): void {
  expect(stdout + stderr).not.toContain('NobodyMaySee');
}

/** What the pods of the server have; artifacts are in a folder, for which no keys are needed. */
function environment(changes: Environment = {}): Environment {
  return {
    // where mlflow itself is
    PATH: `${dirname(PYTHON)}:${process.env.PATH}`,
    HOME: '/nonexistent',
    PGUSER: 'mlflow',
    PGPASSWORD: PG_PASSWORD,
    TERMINATION_LOG: '/',
    STARTUP_DEADLINE_SECONDS: '150',
    MLFLOW_WORKERS: '1',
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
    GIT_PYTHON_REFRESH: 'quiet',
    ...changes,
  };
}

function login(uri: string): Environment {
  const ini = `[mlflow]\ndefault_permission = READ\ndatabase_uri = ${uri}\nauthorization_function = mlflow.server.auth:authenticate_request_basic_auth\n`;
  return {
    MLFLOW_AUTH_CONFIG_PATH: join(scratch({ 'auth.ini': ini }), 'auth.ini'),
    MLFLOW_AUTH_ADMIN_USERNAME: 'admin',
    MLFLOW_AUTH_ADMIN_PASSWORD: ADMIN_PASSWORD,
    MLFLOW_FLASK_SERVER_SECRET_KEY: FLASK_KEY,
  };
}

const BASIC = { MLFLOW_TRACKING_USERNAME: 'admin', MLFLOW_TRACKING_PASSWORD: ADMIN_PASSWORD };

/** A tracking server, started by the start script. */
class Mlflow {
  public readonly artifacts = scratch();
  public readonly flags: string[];
  public readonly url: string;
  private server?: Served;

  public constructor(
    public readonly port: number,
    private readonly env: Environment,
    flags: string[],
    prefix = '',
  ) {
    this.url = `http://127.0.0.1:${port}${prefix}`;
    this.flags = ['--host=127.0.0.1', `--port=${port}`, `--artifacts-destination=${this.artifacts}`, '--default-artifact-root=mlflow-artifacts:/', ...flags];
  }

  public async start(): Promise<this> {
    this.server = new Served([PYTHON, SCRIPT, 'mlflow', 'server', ...this.flags], this.env);
    await until(`MLflow at ${this.url}`, async () => (await fetch(`${this.url}/health`)).ok || undefined, 170_000);
    return this;
  }

  public async stop(): Promise<void> {
    await this.server!.stop();
  }

  /** Runs Python as a client of this server. */
  public async client(code: string, env: Environment = {}): Promise<string> {
    const all = { ...environment(), MLFLOW_TRACKING_URI: this.url, ...env };
    const { code: exit, stdout, stderr } = await new Script([PYTHON, '-c', `import mlflow\n${code}`], all, [], 60_000).ended;
    if (exit !== 0) throw new Error(stderr);
    return stdout.trim();
  }

  public async doctor(changes: Environment = {}): Promise<Result> {
    const result = await new Script([PYTHON, SCRIPT, 'doctor', ...this.flags], { ...this.env, ...changes }, [], 60_000).ended;
    expectNoSecret(result);
    return result;
  }
}

/** Logs a run with an artifact and deletes it, which is what gc is for. Gives its id. */
async function deletedRun(mlflow: Mlflow, env: Environment = {}): Promise<string> {
  const code = `
with mlflow.start_run() as run:
    mlflow.log_text("content", "a/text.txt")
mlflow.delete_run(run.info.run_id)
print(run.info.run_id)
`;
  return lines(await mlflow.client(code, env)).at(-1)!;
}

function files(mlflow: Mlflow): string[] {
  return readdirSync(mlflow.artifacts, { recursive: true }).map(String).filter((name) => name.endsWith('text.txt'));
}

/** The ids of all runs, deleted ones too. */
function runs(mlflow: Mlflow, env: Environment): Promise<string> {
  return mlflow.client(`print(sorted(r.info.run_id for r in mlflow.MlflowClient().search_runs(["0"], run_view_type=3)))`, env);
}

async function gc(env: Environment, flags: string[]): Promise<Result> {
  const result = await new Script([PYTHON, SCRIPT, 'gc', ...flags], environment(env), [], 120_000).ended;
  expectNoSecret(result);
  return result;
}

describe('login behind a prefix, with a list of hosts', () => {
  let mlflow: Mlflow;
  let uri: string;
  const FLAGS = ['--static-prefix=/mlflow', '--allowed-hosts=*.example,mlflow.example:*', '--app-name=basic-auth'];

  beforeAll(async () => {
    uri = await database('login');
    const flags = [...FLAGS, `--backend-store-uri=${uri}`];
    const env = { ...environment(), ...login(uri) };
    mlflow = new Mlflow(await freePort(), env, flags, '/mlflow');
    // a second pod starts at the same moment on the empty database; health is exempt from the check of the host
    const second = new Script([PYTHON, SCRIPT, 'true', ...mlflow.flags], env, [], 170_000).ended;
    await Promise.all([mlflow.start(), second]);
    expect(await second).toMatchObject({ code: 0, stdout: expect.stringMatching(/Starting MLflow with the artifacts in/) });
  }, 180_000);

  afterAll(() => mlflow.stop());

  function expectIll({ code, stdout }: Result, exit: number, title: RegExp, fix: RegExp): void {
    expect({ code, stdout }).toEqual({ code: exit, stdout: expect.stringMatching(title) });
    expect(stdout).toMatch(fix);
  }

  async function client(env: Environment, url = mlflow.url): Promise<Result> {
    const result = await new Script([PYTHON, SCRIPT, 'doctor', '--client', url], { HOME: '/nonexistent', ...env }, [], 60_000).ended;
    expectNoSecret(result);
    return result;
  }

  test('two servers start at once on an empty database, and the doctor logs in and finds nothing', async () => {
    const { code, stdout } = await mlflow.doctor();

    expect(code).toBe(0);
    expect(lines(stdout).slice(0, -3)).toEqual([
      '✓ environment',
      `✓ the database at 127.0.0.1:${postgres.port}`,
      `✓ the login tables at 127.0.0.1:${postgres.port}`,
      '✓ tracking server: MLflow 3.17.2',
      '✓ upload through the server',
      expect.stringContaining('clients kept off the artifact store'),
      '✓ experiments are proxied',
    ]);
  });

  test('the doctor names a Secret whose password is not that of MLflow', async () => {
    const result = await mlflow.doctor({ MLFLOW_AUTH_ADMIN_PASSWORD: 'AnotherPasswordThatNobodyMaySee' });

    expectIll(result, 9, /refuses the login of admin/, /a pod that starts gives it what the Secret has.*\n.*fix: .*MLFLOW_AUTH_ADMIN_PASSWORD/);
  });

  test('the doctor misses the prefix', async () => {
    const { stdout } = await mlflow.doctor();
    const without = await client(BASIC, mlflow.url.replace('/mlflow', ''));

    expect(stdout).toContain('✓ tracking server');
    expectIll(without, 9, /✗ tracking server\n +ERROR: the tracking server (answers with an error|refuses the host)/, /fix:/);
  });

  describe('for clients', () => {
    // of a host that is allowed
    const url = () => `http://localhost:${open.port}/mlflow`;
    let open: Mlflow;

    beforeAll(async () => {
      open = await new Mlflow(await freePort(), { ...environment(), ...login(uri) }, ['--static-prefix=/mlflow', '--app-name=basic-auth', `--backend-store-uri=${uri}`], '/mlflow').start();
    }, 180_000);
    afterAll(() => open.stop());

    test.each<[string, Environment]>([
      ['user and password', BASIC],
      ['user, password and a token', { ...BASIC, MLFLOW_TRACKING_TOKEN: 'TokenThatNobodyMaySee' }],
    ])('%s let in', async (_case, env) => {
      const { code, stdout } = await client(env, url());

      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.not.stringContaining('✗') });
    });

    test('credentials in the URL let in, and are not shown', async () => {
      const { code, stdout } = await client({}, url().replace('//', `//admin:${ADMIN_PASSWORD}@`));

      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.not.stringContaining('✗') });
    });

    test('no login is named', async () => {
      expectIll(await client({}, url()), 9, /the tracking server wants a login/, /Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD/);
    });

    test.each<[string, Environment, RegExp]>([
      ['password', { ...BASIC, MLFLOW_TRACKING_PASSWORD: 'WrongPasswordThatNobodyMaySee' }, /refuses the login of admin/],
      ['token', { MLFLOW_TRACKING_TOKEN: 'TokenThatNobodyMaySee' }, /refuses the login of the token/],
    ])('a wrong %s is named', async (_case, env, title) => {
      expectIll(await client(env, url()), 9, title, /MLFLOW_TRACKING_(PASSWORD|TOKEN) is not what MLflow has/);
    });

    test('gc needs the login, and deletes with it', async () => {
      const run = await deletedRun(open, BASIC);
      const flags = [`--backend-store-uri=${uri}`, '--older-than=0d'];
      const before = files(open);

      const refused = await gc({ MLFLOW_TRACKING_URI: url(), STARTUP_DEADLINE_SECONDS: '5' }, flags);

      expect(before).toHaveLength(1);
      expect(refused).toMatchObject({ code: 9, stdout: 'mlflow gc was not started, and nothing was deleted\n' });
      expect(refused.stderr).toContain('ERROR: the tracking server wants a login');
      expect(await runs(open, BASIC)).toContain(run);
      expect(files(open)).toEqual(before);

      const done = await gc({ MLFLOW_TRACKING_URI: url(), ...BASIC }, flags);

      expect(done).toMatchObject({ code: 0, stdout: expect.stringContaining(`Run with ID ${run} has been permanently deleted.`) });
      expect(await runs(open, BASIC)).toBe('[]');
      expect(files(open)).toEqual([]);
    });
  });
});

test.each([
  ['postgresql', 'psycopg', "No module named 'psycopg'"],
  ['postgresql+pg8000', '', "No module named 'pg8000'"],
  ['postgres', '', 'sqlalchemy.dialects:postgres'],
])('%s:// without the driver that SQLAlchemy takes is named before anything is done', async (scheme, missing, form) => {
  const uri = (await database(`driver_${scheme.replace('+', '_')}`)).replace('postgresql+psycopg2', scheme);
  const hidden: Record<string, string> = missing ? { [`${missing}.py`]: `raise ModuleNotFoundError("No module named '${missing}'")\n` } : {};

  const env = { ...environment(), PYTHONPATH: scratch(hidden) };
  const { code, stdout, stderr } = await new Script([PYTHON, SCRIPT, 'true', `--backend-store-uri=${uri}`, `--artifacts-destination=${scratch()}`], env, [], 60_000).ended;

  expect({ code, stdout, title: lines(stderr)[0] }).toEqual({ code: 3, stdout: '', title: expect.stringMatching(/^ERROR: this Python cannot use --backend-store-uri: /) });
  expect(lines(stderr)[0]).toContain(form);
  expect(stderr).toMatch(/fix: .*postgresql\+psycopg2:\/\/.*-full/);
});

describe('gc with a backend store of the environment', () => {
  let mlflow: Mlflow;
  let env: Environment;

  beforeAll(async () => {
    await database('gc', 'secretive');
    env = { MLFLOW_BACKEND_STORE_URI: postgres.uri('gc').replace('//', `//secretive:${encodeURIComponent(URI_PASSWORD)}@`), PGUSER: '', PGPASSWORD: '' };
    mlflow = await new Mlflow(await freePort(), environment(env), []).start();
  }, 180_000);

  test('deletes nothing while the server is down, and everything once it is up', async () => {
    const run = await deletedRun(mlflow);
    const before = files(mlflow);
    await mlflow.stop();

    const down = await gc({ ...env, MLFLOW_TRACKING_URI: mlflow.url, STARTUP_DEADLINE_SECONDS: '2' }, []);

    expect(down.code).toBe(9);
    expect(lines(down.stdout)).toEqual([expect.stringMatching(/^Waiting for the tracking server at /), 'mlflow gc was not started, and nothing was deleted']);
    expect(down.stderr).toContain('ERROR: the tracking server does not answer');

    const waiting = gc({ ...env, MLFLOW_TRACKING_URI: mlflow.url }, []);
    await mlflow.start();
    expect(before).toHaveLength(1);
    const { code, stdout } = await waiting;

    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining(`Run with ID ${run} has been permanently deleted.`) });
    expect(await runs(mlflow, {})).toBe('[]');
    expect(files(mlflow)).toEqual([]);
  });

  test('has no secret in its arguments', async () => {
    const cli = 'def cli(arguments, prog_name):\n    print(repr(open("/proc/self/cmdline").read()), "NobodyMay" + "See" in arguments[2], arguments[3:])\n';
    const PYTHONPATH = scratch({ 'mlflow/__init__.py': '', 'mlflow/cli/__init__.py': cli });

    const { code, stdout } = await gc({ ...env, MLFLOW_TRACKING_URI: mlflow.url, PYTHONPATH }, ['--older-than=30d']);

    expect(code).toBe(0);
    expect(lines(stdout).at(-1)).toMatch(/--older-than=30d.* True \['--older-than=30d'\]$/);
  });
});
