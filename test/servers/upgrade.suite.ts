// Databases that old versions of MLflow have made and filled, on their way to the default version: refused, upgraded by the Job
// after a backup, killed in the middle, and taken back.
import { execFileSync } from 'node:child_process';
import { chmodSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Testing } from 'cdk8s';
import { MlflowStack, MlflowStackProps } from '../../lib';
import { Manifests, get, ofKind } from '../helpers';
import { end, freePort, program, start, until } from '../processes';
import { Environment, ROOT, Result, Script, lines, scratch } from '../run-script';
import { PG_BIN, PYTHON } from './servers';
import { ServedStack, Stores } from './stack';

const OLD = {
  '2.22': { release: '2.22.4', releases: 'MLflow 2.18.0 to 2.22.5' },
  '3.1': { release: '3.1.4', releases: 'MLflow 3.1.1 to 3.1.4' },
  '3.10': { release: '3.10.1', releases: 'MLflow 3.10.0 to 3.10.1' },
};
type Version = keyof typeof OLD;
const VERSIONS = Object.keys(OLD) as Version[];
const NEW = 'MLflow 3.17.0 to 3.17.2';
const ADVICE = 'see old_mlflow in .ci/run for an environment of test/servers/old/…txt, and name its Python in the variable';
const UPGRADED: MlflowStackProps = { trackingServer: { preflight: { upgradeSchema: true } } };

function pythonOf(version: Version): string {
  const variable = `PYTHON_${version.replace('.', '_')}`;
  const python = program(variable, `python-${version}`, ADVICE);
  execFileSync(python, ['-W', 'ignore', '-c', `import mlflow; assert mlflow.__version__ == "${OLD[version].release}", mlflow.__version__`], { stdio: 'pipe' });
  return python;
}
const pythons = Object.fromEntries(VERSIONS.map((version) => [version, pythonOf(version)])) as Record<Version, string>;
const database = (version: Version, copy = '') => `old_${version.replace('.', '_')}${copy}`;

/** Run by a client of the old version. */
const FILL = `
import time, mlflow
from mlflow.entities import Metric, Param, RunTag
client = mlflow.MlflowClient()
experiment = client.create_experiment("kept for years")
for number in range(5):
    run = client.create_run(experiment, run_name=f"run {number}")
    now = int(time.time() * 1000)
    metrics = [Metric("loss", 1 / (step + 1), now + step, step) for step in range(20)] + [Metric("nan", float("nan"), now, 0)]
    client.log_batch(run.info.run_id, metrics, [Param("rate", "0.1")], [RunTag("odd", "ü % / #")])
    client.set_terminated(run.info.run_id)
mlflow.set_experiment("kept for years")
class Same(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input):
        return model_input
with mlflow.start_run(run_name="parent"):
    with mlflow.start_run(nested=True):
        mlflow.log_text("of the old version", "note.txt")
    name = {"name": "model"} if mlflow.__version__ >= "3" else {"artifact_path": "model"}
    mlflow.pyfunc.log_model(python_model=Same(), registered_model_name="registered", pip_requirements=["mlflow"], **name)
client.set_registered_model_alias("registered", "champion", 1)
with mlflow.start_span("traced"):
    pass
getattr(mlflow, "flush_trace_async_logging", lambda: None)()
`;
/** Run by a client of any version: what is there. */
const TELL = `
import json, math, mlflow
client = mlflow.MlflowClient()
experiment = client.get_experiment_by_name("kept for years")
runs = client.search_runs([experiment.experiment_id], max_results=1000)
named = {run.info.run_name: run for run in runs}
note = next(run for run in runs if "mlflow.parentRunId" in run.data.tags)
print(json.dumps({
    "runs": len(runs),
    "metrics": [metric.value for metric in client.get_metric_history(named["run 3"].info.run_id, "loss")],
    "nan": math.isnan(named["run 3"].data.metrics["nan"]),
    "odd": named["run 3"].data.tags["odd"],
    "note": mlflow.artifacts.load_text(f"runs:/{note.info.run_id}/note.txt"),
    "champion": client.get_model_version_by_alias("registered", "champion").version,
    "traces": len(client.search_traces([experiment.experiment_id])),
}))
`;
const KEPT = {
  runs: 7,
  metrics: Array.from({ length: 20 }, (_, step) => 1 / (step + 1)),
  nan: true,
  odd: 'ü % / #',
  note: 'of the old version',
  champion: expect.anything(),
  traces: 1,
};

let stores: Stores;
jest.setTimeout(240_000);

/** A server of an old version, as somebody ran it: no script before it, and its artifacts in the bucket, proxied. */
async function withOldServer<T>(version: Version, name: string, use: (client: (code: string) => Promise<string>) => Promise<T>): Promise<T> {
  const python = pythons[version];
  const port = await freePort();
  const env = { ...stores.environment, PATH: `${dirname(python)}:${process.env.PATH}`, HOME: scratch(), GIT_PYTHON_REFRESH: 'quiet', MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false' };
  const flags = ['--host=127.0.0.1', `--port=${port}`, '--workers=1', `--backend-store-uri=${stores.postgres.uri(name)}`, '--artifacts-destination=s3://mlflow-bucket', '--serve-artifacts'];
  const server = start([python, '-W', 'ignore', '-m', 'mlflow', 'server', ...flags], env);
  const url = `http://127.0.0.1:${port}`;
  await until(`MLflow ${version}`, async () => (await fetch(`${url}/health`)).ok || undefined, 120_000);
  const client = async (code: string) => {
    const { code: exit, stdout, stderr } = await new Script([python, '-W', 'ignore', '-c', code], { HOME: env.HOME, GIT_PYTHON_REFRESH: 'quiet', MLFLOW_TRACKING_URI: url }, [], 120_000).ended;
    if (exit !== 0) throw new Error(`${stdout}${stderr}`);
    return stdout.trim();
  };
  try {
    return await use(client);
  } finally {
    await end(server);
  }
}

/** The Job of the upgrade and the CronJob of the way back, whose containers run here one after the other. */
class UpgradeJob {
  public readonly backup = scratch();
  private readonly handover = scratch();
  private readonly containers: { name: string; command: string[]; args?: string[]; env: { name: string; value?: string }[] }[];
  private readonly root: string;

  public constructor(
    private readonly name: string,
    private readonly python = PYTHON,
  ) {
    const chart = Testing.chart();
    new MlflowStack(chart, 'Stack', UPGRADED);
    const manifests: Manifests = Testing.synth(chart);
    const job = ofKind(manifests, 'Job').find(({ metadata }) => metadata.name.startsWith('mlflow-schema-upgrade'))!.spec.template.spec;
    const restore = get(manifests, 'CronJob', 'mlflow-schema-restore').spec.jobTemplate.spec.template.spec;
    this.containers = [...job.initContainers, ...job.containers, ...restore.containers];
    const { data } = get(manifests, 'ConfigMap', 'mlflow-preflight');
    const preflight = Object.fromEntries(Object.entries(data as Record<string, string>).map(([file, text]) => [`app/preflight/${file}`, text]));
    this.root = scratch({ ...preflight, 'scripts/schema-backup.sh': get(manifests, 'ConfigMap', 'mlflow-schema-backup').data['schema-backup.sh'] });
  }

  public container(name: string, env: Environment = {}, around: string[] = []): Script {
    const container = this.containers.find((one) => one.name === name)!;
    const uri = stores.postgres.uri(this.name);
    const place = (text: string) =>
      text.replace(/^(--backend-store-uri=)?postgresql.*/, `$1${uri}`).replace(/^\/handover/, this.handover).replace(/^\/backup/, this.backup).replace(/^\/(app|scripts)\//, `${this.root}/$1/`).replace(/^python3$/, this.python);
    const given = container.env.filter(({ value }) => value !== undefined).map(({ name: variable, value }) => [variable, place(value!)]);
    const all = { ...Object.fromEntries(given), ...stores.environment, TERMINATION_LOG: '/', HOME: this.root, ...env };
    return new Script([...around, ...[...container.command, ...(container.args ?? [])].map(place)], all, [PG_BIN], 120_000);
  }

  /** All containers of a pod of the Job; it ends with the first that fails. */
  public async run(env: Environment = {}): Promise<Result> {
    rmSync(join(this.handover, 'plan.json'), { force: true });
    rmSync(join(this.handover, 'receipt.json'), { force: true });
    let result!: Result;
    for (const name of ['look', 'backup', 'upgrade']) {
      result = await this.container(name, env).ended;
      if (result.code !== 0) break;
    }
    return result;
  }

  public loseReceipt(): void {
    rmSync(join(this.handover, 'receipt.json'), { force: true });
  }
}

const revision = async (name: string) => (await stores.postgres.answers(name, ['SELECT version_num FROM alembic_version']))[0];
const copy = (from: string, to: string) => stores.postgres.sql('postgres', [`CREATE DATABASE ${to} TEMPLATE ${from} OWNER mlflow`]);

/** What starts a pod of the server, but for the server itself. */
async function pod(name: string, props: MlflowStackProps, python = PYTHON): Promise<Result> {
  const stack = await ServedStack.of(stores, name, props, { python });
  const job: Environment = props === UPGRADED ? { STARTUP_UPGRADE_JOB: 'mlflow-schema-upgrade', STARTUP_UPGRADE_SECONDS: '1' } : {};
  return stack.run('true', stack.args.slice(2), { STARTUP_DEADLINE_SECONDS: '1', ...job });
}

/** Waits until a migration holds locks on the tables of a database: it has begun, and is not done. */
async function inTheMiddle(name: string): Promise<void> {
  const locks = "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database WHERE datname = %s AND mode = 'AccessExclusiveLock' AND granted AND relation IS NOT NULL";
  await until('a migration', async () => (Number((await stores.postgres.answers('postgres', [locks, name]))[0]) > 10 ? true : undefined), 80_000);
}

beforeAll(async () => {
  stores = await Stores.start();
  await Promise.all(VERSIONS.map((version) => stores.makeDatabase(database(version))));
  await Promise.all(VERSIONS.map((version) => withOldServer(version, database(version), (client) => client(FILL))));
  await copy(database('2.22'), database('2.22', '_killed'));
  await copy(database('2.22'), database('2.22', '_twice'));
  await copy(database('3.1'), database('3.1', '_failed'));
  await copy(database('3.10'), database('3.10', '_back'));
}, 240_000);

test.each(VERSIONS)('a database of %s: refused by surprise, waited for, upgraded on purpose, all there, and a rollback is told', async (version) => {
  const { releases } = OLD[version];
  const name = database(version);
  const before = await revision(name);

  const refused = await pod(name, {});
  expect(refused.code).toBe(8);
  expect(lines(refused.stderr)[0]).toBe(`ERROR: the schema of the database is older than this MLflow: it is at revision ${before}, of ${releases}, MLflow wants revision dc11669786a5, of ${NEW}`);

  const waits = await pod(name, UPGRADED);
  expect({ code: waits.code, title: lines(waits.stderr)[0] }).toEqual({ code: 8, title: expect.stringContaining('the Job mlflow-schema-upgrade has not upgraded it yet') });
  expect(waits.stdout).toContain('Waiting for the database');
  expect(await revision(name)).toBe(before);

  const job = new UpgradeJob(name);
  const done = await job.run();
  expect(done).toMatchObject({ code: 0 });
  expect(done.stdout).toContain(`Upgrading the schema of the database from revision ${before}, of ${releases} to revision dc11669786a5, of ${NEW}\n`);
  expect(readdirSync(job.backup).sort()).toEqual([`mlflow-${before}.dump`, `mlflow-${before}.dump.sha256`]);
  expect(await job.run()).toMatchObject({ code: 0, stdout: 'There is nothing to upgrade\n' });

  const mlflow = await ServedStack.of(stores, name, UPGRADED);
  await mlflow.start();
  expect(JSON.parse(lines(await mlflow.client(TELL)).at(-1)!)).toEqual(KEPT);
  await mlflow.stop();

  const back = await pod(name, {}, pythons[version]);
  expect({ code: back.code, title: lines(back.stderr)[0] }).toEqual({ code: 8, title: expect.stringMatching(/^ERROR: the schema of the database is newer than this MLflow: it is at revision dc11669786a5, of MLflow 3\.17/) });
  expect(back.stderr).toContain(`The database was upgraded to MLflow 3.17.2, from revision ${before}, of ${releases}.`);
  expect(back.stderr).toContain('that of Job mlflow-schema-upgrade, see https://');
});

test('the way back: the tables are as they were, the old version serves them, and what was there since is kept', async () => {
  const name = database('3.10', '_back');
  const before = await revision(name);
  const job = new UpgradeJob(name);
  // in the dump a line begins with it
  const data = ['CREATE SCHEMA public', 'SET transaction_timeout = 0;'];
  for (const key of data) await stores.postgres.sql(name, [`INSERT INTO experiment_tags (experiment_id, key, value) VALUES (1, '${key}', 'is data')`]);
  // as that of version 17 writes it, of which the image is; the server here is older, as one outside the stack may be
  const bin = scratch({ pg_restore: '#!/bin/bash\n' + `case "$*" in *--file=-*) echo 'SET transaction_timeout = 0;' ;; esac\nexec '${PG_BIN}/pg_restore' "$@"\n` });
  chmodSync(join(bin, 'pg_restore'), 0o755);
  expect(await job.run()).toMatchObject({ code: 0 });
  await stores.postgres.sql(name, ["INSERT INTO experiment_tags (experiment_id, key, value) VALUES (1, 'since', 'the upgrade')"]);

  const restored = await job.container('restore', {}, ['env', `PATH=${bin}:${PG_BIN}:${process.env.PATH}`]).ended;

  expect(restored).toMatchObject({ code: 0, stdout: expect.stringContaining(`The database is as it was before the upgrade: revision ${String(before)}`) });
  expect(await revision(name)).toBe(before);
  expect(await stores.postgres.answers(name, ["SELECT count(*) FROM experiment_tags WHERE key = 'since'"])).toEqual([0]);
  for (const key of data) expect(await stores.postgres.answers(name, [`SELECT value FROM experiment_tags WHERE key = '${key}'`])).toEqual(['is data']);
  expect(readdirSync(job.backup).filter((file) => /^before-restore-.*\.dump$/.test(file))).toHaveLength(1);
  expect(JSON.parse(lines(await withOldServer('3.10', name, (client) => client(TELL))).at(-1)!)).toEqual(KEPT);
});

test('no backup, no upgrade', async () => {
  const name = database('2.22', '_killed');
  const before = await revision(name);
  const job = new UpgradeJob(name);

  const full = await job.run({ BACKUP_FOLDER: join(job.backup, 'missing') });
  expect({ code: full.code, stderr: full.stderr }).toEqual({ code: 1, stderr: expect.stringContaining('ERROR: ') });

  expect(await job.container('look').ended).toMatchObject({ code: 0 });
  const without = await job.container('upgrade').ended;
  expect({ code: without.code, title: lines(without.stderr)[0] }).toEqual({ code: 8, title: 'ERROR: the schema of the database is not upgraded, since there is no backup of it: none was taken' });
  expect(await revision(name)).toBe(before);
});

test('killed in the middle, nothing is changed, and the next pod of the Job does it; SIGTERM in the middle lets it finish', async () => {
  const name = database('2.22', '_killed');
  const before = await revision(name);
  const job = new UpgradeJob(name);
  expect(await job.container('look').ended).toMatchObject({ code: 0 });
  expect(await job.container('backup').ended).toMatchObject({ code: 0 });

  // with its first process all of a container dies
  const killed = job.container('upgrade', {}, ['unshare', '--pid', '--fork', '--kill-child']);
  await inTheMiddle(name);
  killed.kill('SIGKILL');
  await killed.ended;
  expect(await revision(name)).toBe(before);

  const asked = job.container('upgrade');
  await inTheMiddle(name);
  asked.kill('SIGTERM');
  const { code, stdout } = await asked.ended;
  expect({ code, stdout }).toEqual({ code: 143, stdout: expect.stringContaining('SIGTERM came: finishing the upgrade of the schema first') });
  expect(await revision(name)).toBe('dc11669786a5');
});

test('two at once: one does it, and the other finds it done', async () => {
  const name = database('2.22', '_twice');
  const [one, two] = [new UpgradeJob(name), new UpgradeJob(name)];

  const results = await Promise.all([one.run(), two.run()]);

  expect(results.map(({ code }) => code)).toEqual([0, 0]);
  expect(results.filter(({ stdout }) => stdout.includes('Upgrading the schema'))).toHaveLength(1);
  expect(await revision(name)).toBe('dc11669786a5');
});

test('one that fails leaves the schema as it was, for the old version, and says so', async () => {
  const name = database('3.1', '_failed');
  const before = await revision(name);
  // in the way of a migration
  await stores.postgres.sql(name, ['CREATE TABLE endpoints (id int)'], ['ALTER TABLE endpoints OWNER TO mlflow']);

  const failed = await new UpgradeJob(name).run();

  expect({ code: failed.code, stderr: failed.stderr }).toEqual({ code: 8, stderr: expect.stringContaining('ERROR: the schema of the database could not be upgraded: it is at revision') });
  expect(failed.stderr).toContain('The schema is as it was, and what used it before can go on.');
  expect(await revision(name)).toBe(before);
  expect(JSON.parse(lines(await withOldServer('3.1', name, (client) => client(TELL))).at(-1)!)).toEqual(KEPT);
});

test.each(VERSIONS)('the table of releases has the revisions of %s', async (version) => {
  const { code, stdout, stderr } = await new Script([pythons[version], '-W', 'ignore', join(ROOT, 'scripts/mlflow_versions.py'), '--check'], {}).ended;
  expect({ code, out: stdout + stderr }).toEqual({ code: 0, out: '' });
});
