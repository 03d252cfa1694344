// What a call, a file and a GiB take of the server and of its stores, in seconds of CPU and bytes: cli/capacity/measured.json, on which
// `cdk8s-mlflow capacity` rests, is made of it.
import { networkInterfaces } from 'node:os';
import { FIGURES, FigureName, figure } from '../../cli/capacity/figures';
import { ResourcePresets } from '../../lib';
import { freePort, start, until } from '../processes';
import { scratch } from '../run-script';
import { MC, MINIO, PYTHON } from '../servers/servers';
import { ServedStack, Stores } from '../servers/stack';
import { SHORT, clients, judge } from './results';

jest.setTimeout(SHORT ? 600_000 : 7_200_000);

const SERVERS = 4;
const ROOT_USER = { user: 'minio-root-user-1234', password: 'RootPasswordThatNobodyMaySee' };

/** MinIO of four servers, as four pods are one. In a container they take loopback for a name that is not there yet. */
async function fourMinios() {
  const address = Object.values(networkInterfaces()).flat().find((one) => one?.family === 'IPv4' && !one.internal)?.address ?? '127.0.0.1';
  const ports = await Promise.all(Array.from({ length: SERVERS }, freePort));
  const data = ports.map(() => scratch());
  const drives = ports.map((port, index) => `http://${address}:${port}${data[index]}`);
  // the drives are folders of one, which it takes for a mistake otherwise
  const env = { HOME: scratch(), MINIO_ROOT_USER: ROOT_USER.user, MINIO_ROOT_PASSWORD: ROOT_USER.password, MINIO_CI_CD: 'on', MINIO_BROWSER: 'off' };
  const pids = ports.map((port) => start([MINIO, 'server', ...drives, `--address=${address}:${port}`], env).pid!);
  const url = `http://${address}:${ports[0]}`;
  await until('four servers of MinIO', async () => (await fetch(`${url}/minio/health/cluster`)).ok || undefined, 120_000);
  return { ...ROOT_USER, pids, url, data };
}

async function serve(stores: Stores, database: string, workers: number) {
  await stores.makeDatabase(database);
  const served = await ServedStack.of(stores, database, { trackingServer: { workers, resources: workers > 2 ? ResourcePresets.LARGE : ResourcePresets.MEDIUM } });
  await served.start();
  return { name: `${workers} workers`, url: served.url, home: served.env.HOME, scratch: served.env.HOME };
}

test('calls, files and GiB', async () => {
  // of a database that waits for its disk, or its log is never synced
  const stores = await Stores.start(['fsync=on', 'max_connections=500']);
  const { postgres, minio } = stores;
  const workers = SHORT ? [] : [2, 4];
  const more = [];
  const server = await serve(stores, 'costs', 1);
  for (const count of workers) more.push(await serve(stores, `costs${count}`, count));
  const size = SHORT ? { calls: 20, rounds: 1, files: 20, mebibytes: 128, crowd: 16, seconds: 2, wait: 0 } : { calls: 100, rounds: 3, files: 100, mebibytes: 512, crowd: 64, seconds: 10, wait: 12 };
  const given = {
    ...size,
    server,
    more,
    workers,
    postgres: { pid: postgres.pid, uri: postgres.uri('costs').replace('+psycopg2', ''), ...postgres.superuser },
    minio: { pid: minio.pid, data: minio.data, trace: { command: [MC, '--json', 'admin', 'trace', '--call', 'os', 's'], env: minio.clientEnvironment } },
    four: await fourMinios(),
  };
  const env = { ...stores.environment, HOME: scratch(), AWS_DEFAULT_REGION: 'us-east-1', MLFLOW_DISABLE_TELEMETRY: 'true', MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR: 'false' };
  const rows = await clients(PYTHON, 'costs.py', [JSON.stringify(given)], env);
  expect(rows.map(({ figure }) => figure)).toEqual(expect.arrayContaining(Object.keys(FIGURES).filter((name) => !SHORT || !/^memory\.workers[24]$/.test(name))));
  // of the server, whose figures a few calls are enough for: what has grown makes the page a promise that is not kept
  const known = rows.filter(({ figure: name }) => /\.server$|^memory\./.test(name!)).map((row) => ({ ...row, target: figure(row.figure as FigureName) }));
  if (SHORT) judge(known);
});
