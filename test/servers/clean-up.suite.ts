// mlflow gc and what it leaves, with MLflow, PostgreSQL and MinIO as they are.
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Served, freePort, until } from '../processes';
import { Environment, Result, Script, lines, startScript } from '../run-script';
import { Minio, PYTHON, Postgres } from './servers';

const SCRIPT = startScript();
const KEY = 'minio-Ab12Cd34Ef56Gh';
const SECRET = 'SecretKeyThatNobodyMaySee123456789012345';
const PASSWORD = 'PgPasswordThatNobodyMaySee';

jest.setTimeout(120_000);

let minio: Minio;
let postgres: Postgres;
let server: Served;
let url: string;
let flags: string[];

const STORE = () => ({ AWS_ACCESS_KEY_ID: KEY, AWS_SECRET_ACCESS_KEY: SECRET, MLFLOW_S3_ENDPOINT_URL: minio.url, AWS_DEFAULT_REGION: 'us-east-1' });

/** What all pods have, without the keys of the artifact store. */
function environment(changes: Environment = {}): Environment {
  return {
    PATH: `${dirname(PYTHON)}:${process.env.PATH}`,
    HOME: '/nonexistent',
    PGUSER: 'mlflow',
    PGPASSWORD: PASSWORD,
    TERMINATION_LOG: '/',
    MLFLOW_WORKERS: '1',
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
    GIT_PYTHON_REFRESH: 'quiet',
    // this machine is no machine of AWS
    AWS_EC2_METADATA_DISABLED: 'true',
    ...changes,
  };
}

async function client(code: string): Promise<string[]> {
  const program = `import mlflow, os, tempfile\nclient = mlflow.MlflowClient()\n${code}`;
  const { code: exit, stdout, stderr } = await new Script([PYTHON, '-c', program], environment({ MLFLOW_TRACKING_URI: url, ...STORE() }), [], 90_000).ended;
  if (exit !== 0) throw new Error(stderr);
  return lines(stdout);
}

/** The clean-up as its pod runs it, which has no keys. */
async function gc(options: string[], changes: Environment = {}, uri = postgres.uri()): Promise<Result> {
  const command = [PYTHON, SCRIPT, 'gc', `--backend-store-uri=${uri}`, ...options];
  const result = await new Script(command, environment({ MLFLOW_TRACKING_URI: url, STARTUP_DEADLINE_SECONDS: '20', ...changes }), [], 90_000).ended;
  expect(result.stdout + result.stderr).not.toContain('NobodyMaySee');
  return result;
}

const orphans = (...options: string[]) => gc(['--orphans', '--artifacts-destination=s3://mlflow-bucket/team', ...options], STORE());

async function objects(): Promise<string[]> {
  return lines(await minio.mc('ls', '--recursive', 's/mlflow-bucket/team')).map((line) => line.split(' ').at(-1)!);
}

beforeAll(async () => {
  [minio, postgres] = await Promise.all([Minio.start(), Postgres.start()]);
  await minio.mc('mb', 's/mlflow-bucket');
  await minio.makeUser(KEY, SECRET, 'mlflow-*');
  await postgres.sql('postgres', [`CREATE ROLE mlflow LOGIN PASSWORD '${PASSWORD}'`], ...['mlflow', 'other'].map((name) => [`CREATE DATABASE ${name} OWNER mlflow`]));
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  flags = ['--host=127.0.0.1', `--port=${port}`, '--artifacts-destination=s3://mlflow-bucket/team', '--default-artifact-root=mlflow-artifacts:/', '--serve-artifacts', `--backend-store-uri=${postgres.uri()}`];
  server = new Served([PYTHON, SCRIPT, 'mlflow', 'server', ...flags], environment(STORE()));
  await until(`MLflow at ${url}`, async () => (await fetch(`${url}/health`)).ok || undefined, 100_000);
}, 120_000);

afterAll(async () => {
  await server.stop();
  await Promise.all([minio.stop(), postgres.stop()]);
});

describe('gc', () => {
  test('keeps and names what it has no keys for, removes the rest, and is done where the keys are', async () => {
    const [old, proxied, experiment] = await client(`
old = client.create_experiment("old", artifact_location="s3://mlflow-bucket/team/old")
for experiment in (old, "0"):
    run = client.create_run(experiment)
    client.log_text(run.info.run_id, "content", "a.txt")
    client.delete_run(run.info.run_id)
    print(run.info.run_id)
client.delete_experiment(old)
print(old)`);

    const { code, stdout, stderr } = await gc(['--older-than=0s']);

    expect(code).toBe(11);
    expect(lines(stdout)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(`^Kept: Run ${old} \\(s3://mlflow-bucket/team/old/${old}/artifacts: NoCredentialsError: `),
        `Run with ID ${proxied} has been permanently deleted.`,
        `Kept: Experiment ${experiment} (something in it is kept)`,
      ]),
    );
    expect(stdout).not.toContain(`Run with ID ${old} has been permanently deleted.`);
    expect(stderr).toContain('ERROR: 2 of what was deleted is kept, since its files cannot be deleted; all else was removed');
    expect(stderr).toContain(`Run ${old} (s3://`);
    expect(await objects()).toEqual([`old/${old}/artifacts/a.txt`]);

    const again = await gc(['--older-than=0s'], STORE());

    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining(`Run with ID ${old} has been permanently deleted.`) });
    expect(again.stdout).toContain(`Experiment with ID ${experiment} has been permanently deleted.`);
    expect(await objects()).toEqual([]);
  });

  test('makes no tables in a database without them', async () => {
    const { code, stdout, stderr } = await gc(['--older-than=0s'], { PGOPTIONS: '-c search_path=elsewhere' });

    expect({ code, stdout: lines(stdout).at(-1) }).toEqual({ code: 6, stdout: 'mlflow gc was not started, and nothing was deleted' });
    expect(stderr).toMatch(/^ERROR: the database has no tables of MLflow\n(.*\n)*.*fix: .*libpq/);
  });

  test('deletes nothing of the database of another server', async () => {
    const uri = postgres.uri('other');
    const initialise = `from mlflow.server.handlers import initialize_backend_stores\ninitialize_backend_stores("${uri}", None, "mlflow-artifacts:/")`;
    expect((await new Script([PYTHON, '-c', initialise], environment(), [], 90_000).ended).code).toBe(0);

    const { code, stderr } = await gc(['--older-than=0s'], {}, uri);

    expect(code).toBe(6);
    expect(stderr).toMatch(/^ERROR: the database is not that of the tracking server: experiment \d+ was made at \d+ there, and at \d+ here/);
  });
});

test('orphans of a deleted experiment are found, and deleted where that is wanted, but for what a registered model needs', async () => {
  const made = await client(`
class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: list[str]) -> list[str]:
        return model_input

def fill(name):
    mlflow.set_experiment(name)
    with mlflow.start_run() as run:
        mlflow.log_text("content", "a.txt")
        model = mlflow.pyfunc.log_model(name="model", python_model=Model())
    @mlflow.trace
    def work(): return "x"
    work()
    mlflow.flush_trace_async_logging()
    return run.info, model.model_id

gone, model = fill("gone")
kept, registered = fill("registered")
live, _ = fill("live")
mlflow.register_model(f"models:/{registered}", "wanted")
mlflow.register_model(f"models:/{model}", "unwanted")
client.delete_model_version("unwanted", "1")
for info in (gone, kept):
    client.delete_experiment(info.experiment_id)
print(gone.experiment_id, model, kept.experiment_id, registered, live.experiment_id)`);
  const [gone, model, kept, registered, live] = made.at(-1)!.split(' ');
  expect((await gc(['--older-than=0s'])).code).toBe(0);
  const before = await objects();
  expect(before.filter((key) => key.startsWith(`${gone}/`)).length).toBeGreaterThan(3);
  await sleep(1500);

  const young = await orphans();
  expect(young).toMatchObject({ code: 0, stdout: expect.stringContaining('0 folders of 0 B belong to no run') });

  const dry = await orphans('--older-than=1s');
  expect(dry).toMatchObject({ code: 0, stderr: '' });
  const found = lines(dry.stdout).filter((line) => line.includes('/artifacts/')).map((line) => line.split(' ')[0]);
  expect(found).toContain(`${gone}/models/${model}/artifacts/`);
  expect(found.filter((folder) => folder.startsWith(`${gone}/traces/tr-`))).toHaveLength(1);
  expect(found.filter((folder) => folder.includes(registered) || folder.startsWith(`${live}/`))).toEqual([]);
  expect(lines(dry.stdout).at(-1)).toBe('Nothing was deleted: --delete deletes them');
  expect(await objects()).toEqual(before);

  const wet = await orphans('--older-than=1s', '--delete');
  expect(wet).toMatchObject({ code: 0, stdout: expect.stringContaining(`${found.length} folders were deleted`) });
  expect(await objects()).toEqual(before.filter((key) => !found.some((folder) => key.startsWith(folder))));
  expect((await objects()).filter((key) => key.startsWith(`${kept}/models/${registered}/`)).length).toBeGreaterThan(3);
  await client('print(mlflow.pyfunc.load_model("models:/wanted/1").predict(["x"]))');
});

test('models whose files are gone are named, also by the versions that were made of them', async () => {
  const made = await client(`
class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: list[str]) -> list[str]:
        return model_input

mlflow.set_experiment("lost")
ids = []
for name in ("lost", "there"):
    with mlflow.start_run() as run:
        mlflow.log_table({"a": [1]}, "table.json")
        model = mlflow.pyfunc.log_model(name=name, python_model=Model(), pip_requirements=[])
    mlflow.register_model(f"models:/{model.model_id}", f"model-{name}")
    ids += [run.info.experiment_id, run.info.run_id, model.model_id]
print(*ids)`);
  const [experiment, run, model, , keptRun, keptModel] = made.at(-1)!.split(' ');
  const lost = async () => lines((await gc(['--lost', '--artifacts-destination=s3://mlflow-bucket/team'], STORE())).stdout).filter((line) => line.startsWith('Lost: ') && [run, model, keptRun, keptModel].some((id) => line.includes(id)));
  expect(await lost()).toEqual([]);

  for (const folder of [`models/${model}`, run]) await minio.mc('rm', '--recursive', '--force', `s/mlflow-bucket/team/${experiment}/${folder}`);
  expect((await lost()).sort()).toEqual([
    `Lost: logged model ${model} of lost at mlflow-artifacts:/${experiment}/models/${model}/artifacts`,
    expect.stringMatching(new RegExp(`^Lost: run ${run} of \\S+ at mlflow-artifacts:/${experiment}/${run}/artifacts$`)),
    expect.stringMatching(/^Lost: version 1 of model-lost at /),
  ]);
});
