import { Environment, lines } from '../run-script';
import { PgBouncer, Postgres, answers } from './servers';
import { Mlflow, databaseSettings } from './tracking-server';

const PASSWORD = 'PgPasswordThatNobodyMaySee';
const READY = /Starting MLflow with the artifacts in/;
// "mlflow" in ASCII, as the preflight has it
const LOCK = 0x6d6c666c6f77;

jest.setTimeout(120_000);

const USER = { PGUSER: 'mlflow', PGPASSWORD: PASSWORD };

let postgres: Postgres;
let pooler: PgBouncer;
let environment: Environment;

beforeAll(async () => {
  postgres = await Postgres.start();
  await postgres.sql('postgres', [`CREATE ROLE mlflow LOGIN PASSWORD '${PASSWORD}'`]);
  pooler = await PgBouncer.start(postgres, { mlflow: PASSWORD });
  environment = { ...USER, STARTUP_DEADLINE_SECONDS: '90', ...databaseSettings().server };
}, 90_000);

afterAll(() => pooler.stop());

async function database(name: string): Promise<string> {
  await postgres.sql('postgres', [`CREATE DATABASE ${name} OWNER mlflow`]);
  return pooler.uri(name);
}

/** What is left on the connections that the pooler keeps. */
function left(name: string): Promise<unknown[]> {
  const locks = `SELECT locktype || ' ' || mode FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE datname = '${name}' AND locktype = 'advisory'`;
  return postgres.answers('postgres', [`${locks} UNION ALL SELECT state FROM pg_stat_activity WHERE datname = '${name}' AND state LIKE 'idle in transaction%'`]);
}

describe('behind a pooler that shares connections by transaction', () => {
  let mlflow: Mlflow;

  beforeAll(async () => {
    const uri = await database('mlflow');
    mlflow = await Mlflow.start(uri, environment);
  }, 120_000);

  afterAll(() => mlflow.stop());

  test('nothing of the start stays on a connection, and the next start waits for nobody', async () => {
    expect(await left('mlflow')).toEqual([]);

    // as somebody does who locks the session: the client goes, and the pooler keeps its connection
    await answers(pooler.uri('mlflow'), USER, [`SELECT 1 FROM pg_advisory_lock(${LOCK})`]);
    const before = await left('mlflow');
    const { code, stdout, seconds } = await mlflow.pod().ended;

    expect(before).toEqual(['advisory ExclusiveLock']);
    expect({ code, lines: lines(stdout) }).toEqual({ code: 0, lines: [expect.stringMatching(READY)] });
    expect(seconds).toBeLessThan(15);
    await postgres.sql('mlflow', ["SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"]);
  });

  test('no request is refused for what another left on its connection', async () => {
    const responses = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const all = [];
        for (let round = 0; round < 6; round++) {
          const made = await mlflow.post('runs/create', { experiment_id: '0', start_time: 1 });
          const { run } = JSON.parse(made.text) as { run: { info: { run_id: string } } };
          all.push(made, await mlflow.post('runs/log-batch', { run_id: run.info.run_id, metrics: [{ key: 'a', value: 1, timestamp: 1, step: round }] }));
          all.push(await mlflow.post('runs/search', { experiment_ids: ['0'] }), await mlflow.post('experiments/search', { max_results: 10 }));
        }
        return all;
      }),
    );

    expect(responses.flat()).toHaveLength(8 * 6 * 4);
    expect(responses.flat().filter(({ status }) => status !== 200)).toEqual([]);
    expect(await left('mlflow')).toEqual([]);
  });

  // psycopg 3 sends the ids as the texts that they are, and PostgreSQL then finds no operator for them
  test('a dataset is added to experiments', async () => {
    const experiment = JSON.parse((await mlflow.post('experiments/create', { name: 'second' })).text) as { experiment_id: string };
    const made = await mlflow.request('POST', '/api/3.0/mlflow/datasets/create', { name: 'questions', experiment_ids: ['0'] });
    const { dataset } = JSON.parse(made.text) as { dataset: { dataset_id: string } };

    const { status, text } = await mlflow.request('POST', `/api/3.0/mlflow/datasets/${dataset.dataset_id}/add-experiments`, { dataset_id: dataset.dataset_id, experiment_ids: [experiment.experiment_id] });

    expect({ status, text }).toEqual({ status: 200, text: expect.stringContaining(dataset.dataset_id) });
  });

  test('a URI that leaves the driver to SQLAlchemy is told, and no other', async () => {
    const uri = pooler.uri('mlflow');
    const [told, untold] = await Promise.all([uri.replace('+psycopg2', ''), uri].map(async (one) => (await (await Mlflow.on(one, environment)).pod().ended).stderr));

    expect(told).toMatch(/^WARNING: --backend-store-uri takes psycopg 3, .* Write postgresql\+psycopg2:\/\/\n$/);
    expect(untold).toBe('');
  });
});

test('two pods that start at once on an empty database make its tables once', async () => {
  const uri = await database('twice');
  const mlflow = await Mlflow.on(uri, environment);

  const starts = await Promise.all([mlflow.pod(110_000).ended, mlflow.pod(110_000).ended]);

  expect(starts.map(({ code, stdout }) => [code, READY.test(stdout)])).toEqual([[0, true], [0, true]]);
  expect(starts.filter(({ stdout }) => stdout.includes('The database is empty: initialising it'))).toHaveLength(1);
  expect(starts.filter(({ stdout }) => stdout.includes('another pod is initialising it'))).toHaveLength(1);
  expect(await left('twice')).toEqual([]);
});
