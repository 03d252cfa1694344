import { setTimeout as sleep } from 'node:timers/promises';
import { Minio, Postgres } from './servers';
import { Mlflow, databaseSettings } from './tracking-server';

const PASSWORD = 'PgPasswordThatNobodyMaySee';
const ROUNDS = 2;

jest.setTimeout(120_000);

let postgres: Postgres;
let minio: Minio;
let mlflow: Mlflow;

beforeAll(async () => {
  const settings = databaseSettings();
  [postgres, minio] = await Promise.all([Postgres.start(undefined, settings.postgres), Minio.start()]);
  await minio.mc('mb', 's/bucket');
  await postgres.sql('postgres', [`CREATE ROLE mlflow LOGIN PASSWORD '${PASSWORD}'`], ['CREATE DATABASE mlflow OWNER mlflow']);
  const keys = { AWS_ACCESS_KEY_ID: minio.rootUser, AWS_SECRET_ACCESS_KEY: minio.rootPassword, MLFLOW_S3_ENDPOINT_URL: minio.url };
  mlflow = await Mlflow.start(postgres.uri(), { PGUSER: 'mlflow', PGPASSWORD: PASSWORD, ...keys, ...settings.server }, 's3://bucket');
}, 120_000);

afterAll(() => mlflow.stop());

class Load {
  public readonly wrong: string[] = [];
  public answers = 0;

  /** The text of an answer, which is counted. */
  public async ask(method: string, path: string, body: unknown): Promise<string> {
    const { status, text } = await mlflow.request(method, path, body);
    this.answers++;
    if (status !== 200) this.wrong.push(`${status} ${text.slice(0, 200)}`);
    return text;
  }

  public async run(): Promise<string> {
    const made = JSON.parse(await this.ask('POST', '/api/2.0/mlflow/runs/create', { experiment_id: '0', start_time: 1 })) as { run?: { info: { run_id: string } } };
    return made.run?.info.run_id ?? 'none';
  }
}

/** As many clients as that at once, each of which does this. */
async function clients(count: number, action: (load: Load, client: number) => Promise<void>): Promise<Load> {
  const load = new Load();
  await Promise.all(Array.from({ length: count }, (_, client) => action(load, client)));
  return load;
}

const batch = (step: number) => Array.from({ length: 20 }, (_, index) => ({ key: `metric ${index}`, value: index, timestamp: 1, step }));

test.each([1, 8, 32, 64])('%d clients at once get no other answer than 200', async (count) => {
  const { wrong, answers } = await clients(count, async (load) => {
    for (let round = 0; round < ROUNDS; round++) {
      const run = await load.run();
      await load.ask('POST', '/api/2.0/mlflow/runs/log-batch', { run_id: run, metrics: batch(round) });
      await load.ask('POST', '/api/2.0/mlflow/runs/search', { experiment_ids: ['0'], max_results: 20 });
      await load.ask('PUT', `/api/2.0/mlflow-artifacts/artifacts/0/${run}/artifacts/notes.txt`, 'content');
    }
  });

  expect(wrong).toEqual([]);
  expect(answers).toBe(count * ROUNDS * 4);
});

// MLflow opens four sessions for it, one in the other: what the pool has to have, so that none waits for all others
test('64 clients that rename their runs at once get no other answer than 200', async () => {
  const { wrong, answers } = await clients(64, async (load, client) => {
    const run = await load.run();
    for (let round = 0; round < ROUNDS; round++) {
      await load.ask('POST', '/api/2.0/mlflow/runs/log-batch', { run_id: run, tags: [{ key: 'mlflow.runName', value: `${client} ${round}` }] });
    }
  });

  expect(wrong).toEqual([]);
  expect(answers).toBe(64 * (ROUNDS + 1));
});

test('few connections are left when the clients are gone', async () => {
  await sleep(200);
  const [open] = await postgres.answers('postgres', ["SELECT count(*) FROM pg_stat_activity WHERE datname = 'mlflow'"]);
  // 10 for each pool of the process, and those of the process that started it
  expect(open).toBeGreaterThan(0);
  expect(open).toBeLessThanOrEqual(24);
});
