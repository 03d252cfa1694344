// What an older server has kept comes in: its database by a dump, its files by relocate, and clients go on without a key.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Served, freePort, program, until } from '../processes';
import { Environment, ROOT, Result, Script, lines, scratch } from '../run-script';
import { Minio, PYTHON } from './servers';
import { ServedStack, Stores } from './stack';

const advice = (version: string) => `set it to the Python of an environment with MLflow ${version}: test/servers/old/${version}.txt`;
const OLD = {
  '2.22': program('PYTHON_2_22', 'python-2.22', advice('2.22')),
  '3.1': program('PYTHON_3_1', 'python-3.1', advice('3.1')),
  '3.10': program('PYTHON_3_10', 'python-3.10', advice('3.10')),
};
const MIGRATION = join(ROOT, 'test/migration');
const ROOT_USER = 'admin';
const ROOT_PASSWORD = 'RootPasswordOfTheOldStack';
const LIMIT_MS = 300_000;

jest.setTimeout(LIMIT_MS);

let stores: Stores;
let old: Minio;

beforeAll(async () => {
  [stores, old] = await Promise.all([Stores.start(), Minio.start({ rootUser: ROOT_USER, rootPassword: ROOT_PASSWORD })]);
  await old.mc('mb', 's/mlflow', 's/direct');
}, LIMIT_MS);

/** The root key of the old MinIO, with which the charts run MLflow. */
const rootKey = (): Environment => ({ AWS_ACCESS_KEY_ID: ROOT_USER, AWS_SECRET_ACCESS_KEY: ROOT_PASSWORD, AWS_DEFAULT_REGION: 'us-east-1', MLFLOW_S3_ENDPOINT_URL: old.url });
const quiet = { GIT_PYTHON_REFRESH: 'quiet', MLFLOW_DISABLE_TELEMETRY: 'true', AWS_EC2_METADATA_DISABLED: 'true', PYTHONWARNINGS: 'ignore' };

async function python(interpreter: string, args: string[], env: Environment): Promise<string> {
  const { code, stdout, stderr } = await new Script([interpreter, ...args], { HOME: scratch(), ...quiet, ...env }, [], LIMIT_MS).ended;
  if (code !== 0) throw new Error(`${stdout}${stderr}`.slice(-4_000));
  return stdout;
}

/** What an old server with these flags keeps after its users have worked with it; the file that says what they made. */
async function filled(version: keyof typeof OLD, flags: string[], server: Environment, client: Environment, counts = ['2', '6', '1', '4']): Promise<string> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const command = [OLD[version], '-m', 'mlflow', 'server', '--host=127.0.0.1', `--port=${port}`, '--workers=1', ...flags];
  const served = new Served(command, { HOME: scratch(), ...quiet, ...server });
  try {
    await until(`MLflow ${version} at ${url}`, async () => (await fetch(`${url}/health`)).ok || undefined, 100_000);
    return join(scratch({ made: await python(OLD[version], [join(MIGRATION, 'fill.py'), ...counts, 'direct'], { MLFLOW_TRACKING_URI: url, ...client }) }), 'made');
  } finally {
    await served.stop();
  }
}

/** A dump of the old database, restored into that of a new stack, which starts on it and upgrades it. */
async function moved(from: string, to: string): Promise<ServedStack> {
  const dump = join(scratch(), 'mlflow.dump');
  const env = { ...process.env, PGHOST: '127.0.0.1', PGPORT: String(stores.postgres.port), PGUSER: stores.environment.PGUSER, PGPASSWORD: stores.environment.PGPASSWORD };
  await stores.makeDatabase(to);
  execFileSync('pg_dump', ['--format=custom', `--file=${dump}`, from], { env });
  execFileSync('pg_restore', ['--no-owner', '--exit-on-error', `--dbname=${to}`, dump], { env });
  return started(to);
}

async function started(database: string): Promise<ServedStack> {
  const stack = await ServedStack.of(stores, database, { trackingServer: { preflight: { upgradeSchema: true } } });
  await stack.start();
  return stack;
}

async function relocate(stack: ServedStack, options: string[], env: Environment = {}): Promise<Result> {
  return stack.run('relocate', [...stack.args.slice(2), `--tracking-uri=${stack.url}`, ...options], { ...quiet, ...env });
}

/** The variables of a store that is copied from, as the construct names them. */
const copyFrom = (): Environment => Object.fromEntries(Object.entries(rootKey()).map(([name, value]) => [`COPY_FROM_${name}`, value]));

/** Everything that was made, by a client that has no key. */
async function read(stack: ServedStack, made: string): Promise<unknown> {
  return JSON.parse(lines(await python(PYTHON, [join(MIGRATION, 'read.py'), made], { MLFLOW_TRACKING_URI: stack.url })).at(-1)!);
}

/** Every text in the database that has a URI of a bucket in it. */
async function left(database: string): Promise<unknown[]> {
  const columns = "SELECT string_agg(format('SELECT %L || %I::text FROM %I WHERE %I::text LIKE ''%%s3://%%''', table_name || '.' || column_name || ' ', column_name, table_name, column_name), ' UNION ALL ') FROM information_schema.columns WHERE table_schema = 'public' AND data_type IN ('character varying', 'text', 'json', 'jsonb')";
  const [statement] = await stores.postgres.answers(database, [columns]);
  return stores.postgres.answers(database, [String(statement)]);
}

const database = (name: string) => `--backend-store-uri=${stores.postgres.uri(name)}`;
const login = () => ({ PGUSER: stores.environment.PGUSER, PGPASSWORD: stores.environment.PGPASSWORD });
const ALL = { experiments: 2, runs: 6, models: 1, data: 2, traces: 4 };

describe('community-charts/mlflow: s3:// in the database, and a key for everybody', () => {
  let made: string;
  let stack: ServedStack;

  beforeAll(async () => {
    await stores.makeDatabase('community');
    const flags = [database('community'), '--default-artifact-root=s3://direct/team', '--no-serve-artifacts'];
    made = await filled('3.1', flags, { ...login(), ...rootKey() }, rootKey());
    stack = await moved('community', 'community_new');
  }, LIMIT_MS);

  afterAll(() => stack.stop());

  test('tells what would change, and changes nothing', async () => {
    const before = await left('community_new');
    const { code, stdout, stderr } = await relocate(stack, ['--copy-from=s3://direct/team'], copyFrom());
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^1 +old 0 +active +s3:\/\/direct\/team\/1 +mlflow-artifacts:\/1 +\d+ +1 +2 +2 +2 /m);
    expect(stdout).toMatch(/^\d+ files of .* below s3:\/\/direct\/team are copied first\nNothing was changed: --apply changes it$/m);
    expect(await left('community_new')).toEqual(before);
    expect(before.length).toBeGreaterThan(20);
  });

  test('without the store that has the files all of it stays, and the reason is told', async () => {
    const { code, stdout } = await relocate(stack, []);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Stays, of experiment 1: .*1 x experiment.*: not below s3:\/\/mlflow-bucket$/m);
    expect(stdout).toMatch(/^Nothing has to change$/m);
  });

  test('copies, moves, reads every file through the server, and a client without a key has all of it', async () => {
    const { code, stdout, stderr } = await relocate(stack, ['--copy-from=s3://direct/team', '--apply', '--verify=all'], copyFrom());
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^Copied and verified \d+ files/m);
    expect(stdout).toMatch(/^Checked through the server: (\d+) of \1 places, \d+ files of \d+ bytes, all as they are in the store$/m);
    expect(`${stdout}${stderr}`).not.toContain(ROOT_PASSWORD);
    expect(await left('community_new')).toEqual([]);
    expect(await read(stack, made)).toEqual(ALL);
  });

  test('an undo file takes all of it back', async () => {
    const before = await stores.postgres.answers('community_new', ['SELECT count(*) FROM runs']);
    const again = await relocate(stack, ['--apply']);
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('Nothing has to change') });
    const [name] = (await stores.objects()).filter((key) => key.startsWith('.mlflow-relocations/'));
    const file = name.replace('.mlflow-relocations/', '');

    const dry = await relocate(stack, [`--undo=${file}`]);
    expect(dry.stdout).toMatch(/^(\d+) of \1 places would have their old URI again\nNothing was changed: --apply changes it$/m);
    expect(await left('community_new')).toEqual([]);

    const wet = await relocate(stack, [`--undo=${file}`, '--apply']);
    expect(wet.stdout).toMatch(/^(\d+) of \1 places have their old URI again$/m);
    expect((await left('community_new')).sort()).toEqual((await left('community')).sort());
    expect(await stores.postgres.answers('community_new', ['SELECT count(*) FROM runs'])).toEqual(before);
  });
});

describe.each([
  ['bitnami/mlflow', '2.22', 'bitnami_mlflow'],
  ["MLflow's docker-compose", '3.10', 'mlflowdb'],
] as const)('%s: behind a proxy already', (_stack, version, name) => {
  test('its files are copied, and nothing in the database has to change', async () => {
    await stores.makeDatabase(name);
    const made = await filled(version, [database(name), '--artifacts-destination=s3://mlflow', '--serve-artifacts'], { ...login(), ...rootKey() }, {});
    const stack = await moved(name, `${name}_new`);
    try {
      const { code, stdout } = await relocate(stack, ['--copy-from=s3://mlflow', '--apply'], copyFrom());
      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^Copied and verified \d+ files/m) });
      expect(await read(stack, made)).toEqual(ALL);
    } finally {
      await stack.stop();
      await old.mc('rm', '--recursive', '--force', 's/mlflow/');
      await stores.minio.mc('rm', '--recursive', '--force', 's/mlflow-bucket/');
    }
  });
});

describe('clients that write meanwhile', () => {
  test('lose nothing: a run in flight logs on to the same place, and new runs have the new one', async () => {
    await stores.makeDatabase('busy');
    const stack = await started('busy');
    try {
      const experiments = JSON.parse(await stack.client('import json, mlflow\nprint(json.dumps([mlflow.MlflowClient().create_experiment(f"old {n}") for n in range(3)]))')) as string[];
      await stores.postgres.sql('busy', ["UPDATE experiments SET artifact_location = 's3://mlflow-bucket/busy/' || experiment_id WHERE name LIKE 'old %%'"]);
      const journal = join(scratch({ journal: '' }), 'journal');
      const writer = new Script([PYTHON, join(MIGRATION, 'write.py'), journal, ...experiments], { HOME: scratch(), ...quiet, ...stores.environment, AWS_DEFAULT_REGION: 'us-east-1', MLFLOW_TRACKING_URI: stack.url }, [], LIMIT_MS);
      await until('the first writes', () => (lines(readFileSync(journal, 'utf8')).length > 12 ? true : undefined), 60_000);

      const first = await relocate(stack, ['--apply']);
      expect(first).toMatchObject({ code: 0, stdout: expect.stringContaining('places have been moved in one transaction') });

      const written = lines(readFileSync(journal, 'utf8')).length;
      await until('writes after it', () => (lines(readFileSync(journal, 'utf8')).length > written + 12 ? true : undefined), 60_000);
      writeFileSync(`${journal}.stop`, '');
      const { code, stdout, stderr } = await writer.ended;
      expect({ code, stderr }).toEqual({ code: 0, stderr: expect.anything() });
      expect(lines(stdout).at(-1)).toBe('errors: 0');
      expect((await relocate(stack, ['--apply'])).code).toBe(0);
      expect(await left('busy')).toEqual([]);
      const found = await python(PYTHON, [join(MIGRATION, 'write.py'), journal, '--read'], { MLFLOW_TRACKING_URI: stack.url });
      const [, writes, inFlight, fresh] = /(\d+) acknowledged writes are there, (\d+) .* in flight, (\d+) /.exec(found)!;
      expect(Number(writes)).toBe(lines(readFileSync(journal, 'utf8')).length);
      expect([Number(inFlight) > 0, Number(fresh) > 0]).toEqual([true, true]);
      process.stdout.write(`${lines(found).at(-1)}\n`);
    } finally {
      await stack.stop();
    }
  });
});
