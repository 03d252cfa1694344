// What artifacts and metadata cost: the server of a stack, a plain `mlflow server` with its defaults, and boto3 straight to
// the same MinIO, in turn.
import { ContainerResources, MlflowStackProps, ResourcePresets } from '../../lib';
import { Environment, scratch } from '../run-script';
import { Mlflow } from '../servers/plain-mlflow';
import { PYTHON } from '../servers/servers';
import { ServedStack, Stores } from '../servers/stack';
import { Row, SHORT, clients, judge } from './results';

jest.setTimeout(SHORT ? 300_000 : 7_200_000);

/** As measuring.py has it. */
interface Server {
  readonly name: string;
  readonly url: string;
  readonly home: string;
  readonly scratch: string;
}

let stores: Stores;
let env: Environment;

beforeAll(async () => {
  // for all servers and their workers; each stack sets it for its own
  stores = await Stores.start(['max_connections=1500']);
  // of a user that may do as much as the server, and of no server
  env = { ...stores.environment, HOME: scratch(), AWS_DEFAULT_REGION: 'us-east-1', MLFLOW_DISABLE_TELEMETRY: 'true', MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR: 'false' };
}, 300_000);

/** The server of a stack, with a database of its own. */
async function serve(name: string, database: string, props: MlflowStackProps = {}): Promise<Server> {
  await stores.makeDatabase(database);
  const served = await ServedStack.of(stores, database, props);
  const folder = scratch();
  served.env.TMPDIR = folder;
  await served.start();
  return { name, url: served.url, home: served.env.HOME, scratch: folder };
}

/** `mlflow server` as MLflow has it, with the same stores. */
async function servePlain(): Promise<Server> {
  await stores.makeDatabase('plain');
  const folder = scratch();
  const defaults = { MLFLOW_WORKERS: '4', MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'true' };
  const mlflow = await Mlflow.on({ ...stores.environment, ...defaults, TMPDIR: folder }, [`--backend-store-uri=${stores.postgres.uri('plain')}`]);
  await mlflow.start();
  return { name: 'plain `mlflow server`, 4 workers', url: mlflow.url, home: mlflow.folder, scratch: folder };
}

/** Starts a server with the first test that wants it. */
function once(start: () => Promise<Server>): () => Promise<Server> {
  let started: Promise<Server> | undefined;
  return () => (started ??= start());
}

const stack = once(() => serve('the stack', 'stack'));
const idler = once(() => serve('of a server with nothing else to do', 'idler'));
const plain = once(servePlain);
const workers = (count: number, resources: ContainerResources) => once(() => serve(`the stack, ${count} workers`, `workers${count}`, { trackingServer: { workers: count, resources } }));
const [two, four] = [workers(2, ResourcePresets.MEDIUM), workers(4, ResourcePresets.LARGE)];

async function run(command: string, servers: (() => Promise<Server>)[], given: object): Promise<Row[]> {
  const started: Server[] = [];
  for (const server of servers) started.push(await server());
  return clients(PYTHON, 'clients.py', [command, JSON.stringify({ bucket: 'mlflow-bucket', servers: started, ...given })], env);
}

/** What says little on a machine that does other things. */
const ifLong = SHORT ? test.skip : test;

test('a large file', async () => {
  judge(await run('large', SHORT ? [stack] : [stack, plain], SHORT ? { mebibytes: 128, rounds: 3 } : { mebibytes: 1024, rounds: 5 }));
});

ifLong('many small files', async () => {
  judge(await run('small', [stack, plain], { count: 1000, rounds: 5 }));
});

test('a crowd', async () => {
  const rows = await run('crowd', [stack, idler], SHORT ? { clients: 8, mebibytes: 32, idle: 3 } : { clients: 8, mebibytes: 1024, idle: 30 });
  judge(rows.filter(({ disk }) => !SHORT || disk !== undefined));
});

ifLong('many files in one folder', async () => {
  judge(await run('listing', [plain, stack], { count: 10_000, rounds: 3 }));
});

ifLong('metadata', async () => {
  await run('metadata', [plain, stack, two, four], { clients: [1, 8, 32], seconds: 5, rounds: 3 });
});
