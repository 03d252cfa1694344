// Two real MLflows and the real nginx between them, with what a split topology has for them: clients know the one URI of nginx.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { Agent, IncomingHttpHeaders, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Login, MlflowStackProps } from '../../lib';
import { get as objectOf } from '../helpers';
import { end, freePort, program, start, until } from '../processes';
import { Environment, scratch } from '../run-script';
import { ServedStack, Stores } from './stack';
import { MEBIBYTE, Upload, pathOf, put as putAt, store as storeAt } from './uploads';

const NGINX = program('NGINX', 'nginx', 'apt-get install nginx-light, or set NGINX to it');
const ADMIN = { username: 'admin', password: 'AdminPasswordThatNobodyMaySee' };
const READER = { username: 'reader', password: 'ReaderPasswordThatNobodyMaySee' };
const PROPS: MlflowStackProps = { splitTopology: {}, metrics: { serviceMonitor: false, alerts: false, dashboard: false }, login: Login.basicAuth() };
const START_MS = 300_000;

jest.setTimeout(START_MS + 20_000);

/** nginx, with the configuration of the manifest and the addresses of this machine. */
class Router {
  public readonly url: string;
  public readonly folder = scratch();
  private child?: ReturnType<typeof start>;

  public constructor(
    public readonly port: number,
    metadata: ServedStack,
    artifacts: ServedStack,
  ) {
    this.url = `http://127.0.0.1:${port}`;
    const addresses = { '0.0.0.0:5000': `127.0.0.1:${port}`, '127.0.0.1:5001': `127.0.0.1:${metadata.port}`, 'mlflow-artifacts.mlflow.svc.cluster.local:5000': `127.0.0.1:${artifacts.port}`, '/tmp/': `${this.folder}/` };
    let config: string = objectOf(metadata.manifests, 'ConfigMap', 'mlflow-router').data['nginx.conf'];
    for (const [inPod, here] of Object.entries(addresses)) {
      expect(config).toContain(inPod);
      config = config.replaceAll(inPod, here);
    }
    writeFileSync(join(this.folder, 'nginx.conf'), config);
  }

  /** With the options that the container has. */
  public async start(): Promise<this> {
    this.child = start([NGINX, '-e', 'stderr', '-c', join(this.folder, 'nginx.conf'), '-g', 'daemon off;'], {});
    await until('nginx', async () => (await fetch(`${this.url}/health`)).ok || undefined);
    return this;
  }

  public signal(name: NodeJS.Signals): void {
    this.child!.kill(name);
  }

  public stop(): Promise<void> {
    return end(this.child!);
  }

  /** The most memory that one of its processes has had, in MiB. */
  public get peak(): number {
    const ours = [this.child!.pid!, ...readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && parentOf(pid) === this.child!.pid)];
    return Math.max(...ours.map((pid) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024));
  }

  /** What lies in the folders in which nginx would keep what it does not hand on at once. */
  public get spooled(): string[] {
    return readdirSync(this.folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map(({ name }) => name).filter((name) => !name.startsWith('nginx.'));
  }
}

function parentOf(pid: string): number {
  try {
    return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);
  } catch {
    return 0;
  }
}

let stores: Stores;
let metadata: ServedStack;
let artifacts: ServedStack;
let router: Router;

beforeAll(async () => {
  stores = await Stores.start();
  await stores.makeDatabase('split');
  [metadata, artifacts] = await Promise.all(['mlflow', 'mlflow-artifacts'].map((deployment) => ServedStack.of(stores, 'split', PROPS, { deployment })));
  for (const server of [metadata, artifacts]) {
    const ini: string = objectOf(server.manifests, 'ConfigMap', 'mlflow-login').data['basic_auth.ini'];
    const config = scratch({ 'basic_auth.ini': ini.replace(/^database_uri = .*$/m, `database_uri = ${stores.postgres.uri('split')}`) });
    Object.assign(server.env, { MLFLOW_AUTH_CONFIG_PATH: join(config, 'basic_auth.ini'), MLFLOW_AUTH_ADMIN_USERNAME: ADMIN.username, MLFLOW_AUTH_ADMIN_PASSWORD: ADMIN.password });
    Object.assign(server.env, { MLFLOW_FLASK_SERVER_SECRET_KEY: 'a-key-for-both', GUARD_METRICS_TOKEN_FILE: join(scratch({ token: 'TokenOfPrometheus' }), 'token'), MLFLOW_EXPOSE_PROMETHEUS: scratch() });
  }
  // as in the cluster, both at once on an empty database
  await Promise.all([metadata.start(), artifacts.start()]);
  router = await new Router(await freePort(), metadata, artifacts).start();
  expect(await ask('POST', 'api/2.0/mlflow/users/create', JSON.stringify(READER))).toMatchObject({ status: 200 });
}, 2 * START_MS);

const login = ({ username, password }: typeof ADMIN): Environment => ({ authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` });

interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly size: number;
  readonly hash: string;
  readonly broken: boolean;
}

/** A request whose path is sent as it is; `port` is another than that of nginx to go past it. */
function ask(method: string, path: string, body: Buffer | string = '', headers: Environment = {}, port = router.port, onData: (size: number) => void = () => undefined): Promise<Got> {
  return new Promise((resolve, reject) => {
    const all = { ...login(ADMIN), 'content-type': 'application/json', ...(body === '' ? {} : { 'content-length': String(Buffer.byteLength(body)) }), ...headers };
    const asked = request({ host: '127.0.0.1', port, method, path: `/${path}`, headers: all, agent: new Agent() }, (response) => {
      const hash = createHash('sha256');
      let [text, size, answered] = ['', 0, false];
      const over = (broken: boolean) => {
        if (!answered) resolve({ status: response.statusCode!, headers: response.headers, text, size, hash: hash.digest('hex'), broken });
        answered = true;
      };
      response.on('data', (data: Buffer) => {
        size += data.length;
        if (size < 100_000) text += data.toString('latin1');
        hash.update(data);
        onData(size);
      });
      response.on('end', () => over(false)).on('error', () => over(true));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}


const put = (name: string, announced: number, port = router.port): Upload => putAt(port, name, announced, login(ADMIN));
const store = (name: string, blocks: number, port = router.port): Promise<string> => storeAt(port, name, blocks, login(ADMIN));

const incomplete = async () => (await stores.minio.mc('ls', '--incomplete', '--recursive', 's/mlflow-bucket')).trim();
const stored = async (name: string) => (await stores.objects()).some((path) => path.startsWith(name));
const under = async (server: ServedStack, direction: string) => {
  const { text } = await ask('GET', 'metrics', '', { authorization: 'Bearer TokenOfPrometheus' }, server.port);
  const found = new RegExp(`^mlflow_artifact_transfers_in_progress\\{direction="${direction}"\\} (\\S+)`, 'm').exec(text);
  return found === null ? undefined : Number(found[1]);
};

test('a client with the one URI logs and reads what it does with one server: runs, models, files, lists', async () => {
  const program = `
import mlflow, os, tempfile
from mlflow import MlflowClient
mlflow.set_experiment("split")
with mlflow.start_run() as run:
    mlflow.log_metric("a", 1)
    mlflow.log_text("through nginx", "folder/note.txt")
    path = os.path.join(tempfile.mkdtemp(), "large.bin")
    open(path, "wb").write(os.urandom(40 * 1024 ** 2))
    mlflow.log_artifact(path)
client = MlflowClient()
back = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="large.bin")
print(sorted(file.path for file in client.list_artifacts(run.info.run_id)), open(back, "rb").read() == open(path, "rb").read())
print(mlflow.artifacts.load_text(run.info.artifact_uri + "/folder/note.txt"), client.get_run(run.info.run_id).data.metrics)
`;
  const printed = await metadata.client(program, { MLFLOW_TRACKING_URI: router.url, MLFLOW_TRACKING_USERNAME: ADMIN.username, MLFLOW_TRACKING_PASSWORD: ADMIN.password });
  expect(printed.split('\n').slice(-2)).toEqual(["['folder', 'large.bin'] True", "through nginx {'a': 1.0}"]);
});

describe('who may do what is the same by both ways', () => {
  test.each<[string, () => number]>([
    ['by nginx', () => router.port],
    ['at the artifact servers themselves', () => artifacts.port],
  ])('%s', async (_, port) => {
    const run = JSON.parse((await ask('POST', 'api/2.0/mlflow/experiments/create', JSON.stringify({ name: `of-admin-${_}` }))).text) as { experiment_id: string };
    const file = pathOf(`${run.experiment_id}/r/artifacts/a.txt`);
    const statuses = async (who: Environment) => [await ask('PUT', file, 'text', who, port()), await ask('GET', file, '', who, port()), await ask('DELETE', file, '', who, port())].map(({ status }) => status);
    expect((await statuses({ authorization: '' })).every((status) => status === 401)).toBe(true);
    expect((await ask('PUT', file, 'text', login(ADMIN), port())).status).toBe(200);
    expect(await statuses(login(READER))).toEqual([403, 200, 403]);
  });
});

test('each server remembers for a while who has logged in, and forgets whom it is told to', async () => {
  const [leaver, other] = [{ username: 'leaver', password: 'FirstPasswordThatNobodyMaySee' }, 'SecondPasswordThatNobodyMaySee'];
  const users = (path: string, body: object, method = 'POST') => ask(method, `api/2.0/mlflow/users/${path}`, JSON.stringify(body));
  expect((await users('create', leaver)).status).toBe(200);
  const statuses = async (password = leaver.password) => {
    const who = login({ ...leaver, password });
    return [(await ask('GET', 'api/2.0/mlflow/experiments/get?experiment_id=0', '', who)).status, (await ask('GET', pathOf('1/no/such/file'), '', who)).status];
  };
  expect(await statuses()).toEqual([200, 404]);
  // behind MLflow's back, where no password is right any more: one that is not checked again still is
  await stores.postgres.sql('split', ["UPDATE users SET password_hash = 'scrypt:32768:8:1$x$00' WHERE username = 'leaver'"]);
  expect(await statuses()).toEqual([200, 404]);
  expect(await statuses('AnotherPasswordThatNobodyMaySee')).toEqual([401, 401]);
  expect((await users('update-password', { ...leaver, password: other }, 'PATCH')).status).toBe(200);
  expect(await statuses()).toEqual([401, 404]);
  expect(await statuses(other)).toEqual([200, 404]);
  expect((await users('delete', { username: leaver.username }, 'DELETE')).status).toBe(200);
  expect((await statuses(other))[0]).toBe(401);
});

test('a name with ".." leads nowhere', async () => {
  for (const path of ['api/2.0/mlflow-artifacts/artifacts/0/r/artifacts/../../../x', 'api/2.0/mlflow-artifacts/artifacts/%2e%2e/x', 'api/2.0/mlflow-artifacts/../../../x']) {
    expect([path, (await ask('PUT', path, 'text')).status]).not.toEqual([path, 200]);
  }
  expect(await stored('x')).toBe(false);
});

test('requests for metadata come through as they are: large bodies, long paths, large and odd headers', async () => {
  const metrics = Array.from({ length: 1000 }, (_, step) => ({ key: `metric-${step}-${'x'.repeat(200)}`, value: step, timestamp: 1, step }));
  const run = JSON.parse((await ask('POST', 'api/2.0/mlflow/runs/create', JSON.stringify({ experiment_id: '0' }))).text) as { run: { info: { run_id: string } } };
  const body = JSON.stringify({ run_id: run.run.info.run_id, metrics });
  expect([body.length > 250_000, (await ask('POST', 'api/2.0/mlflow/runs/log-batch', body)).status]).toEqual([true, 200]);
  expect((await ask('GET', `api/2.0/mlflow/runs/get?run_id=${run.run.info.run_id}&more=${'x'.repeat(20_000)}`)).status).toBe(200);
  expect((await ask('GET', 'api/2.0/mlflow/experiments/get?experiment_id=0', '', { 'x-large': 'x'.repeat(30_000), odd_header: 'yes' })).status).toBe(200);
});

test('bytes are handed on as they come: ranges, no copy on a disk, little memory, and counted while they are under way', async () => {
  const hash = await store('1/r/artifacts/large', 256);
  const [whole, part, head] = await Promise.all([ask('GET', pathOf('1/r/artifacts/large')), ask('GET', pathOf('1/r/artifacts/large'), '', { range: 'bytes=10-19' }), ask('HEAD', pathOf('1/r/artifacts/large'))]);
  expect([whole.status, whole.size, whole.hash, whole.broken]).toEqual([200, 256 * MEBIBYTE, hash, false]);
  expect([part.status, part.size, part.headers['content-range']]).toEqual([206, 10, `bytes 10-19/${256 * MEBIBYTE}`]);
  expect([head.status, head.headers['content-length'], head.headers.etag]).toEqual([200, String(256 * MEBIBYTE), whole.headers.etag]);

  const uploads = Array.from({ length: 4 }, (_, index) => put(`1/r/artifacts/slow-${index}`, 64 * MEBIBYTE));
  await Promise.all(uploads.map(({ sent }) => sent(32)));
  await until('the count', async () => ((await under(artifacts, 'upload')) === 4 ? true : undefined));
  expect([await under(artifacts, 'download'), await under(metadata, 'upload'), router.spooled]).toEqual([0, 0, []]);
  await Promise.all(uploads.map(async ({ sent, asked, status }) => (await sent(32), asked.end(), expect(await status).toBe(200))));
  await until('the end of the count', async () => ((await under(artifacts, 'upload')) === 0 ? true : undefined));
  expect(router.peak).toBeLessThan(64);
});

test('an upload of a slow client, by a few bytes at a time', async () => {
  const text = 'slow'.repeat(10);
  const { asked, status } = put('1/r/artifacts/trickle', text.length);
  for (const letter of text) {
    asked.write(letter);
    await sleep(50);
  }
  asked.end();
  expect(await status).toBe(200);
  expect((await ask('GET', pathOf('1/r/artifacts/trickle'))).text).toBe(text);
});

test('an upload that is broken off leaves nothing', async () => {
  const { sent, asked } = put('1/r/artifacts/aborted', 100 * MEBIBYTE);
  await sent(40);
  await until('parts in the store', async () => ((await incomplete()) === '' ? undefined : true));
  asked.destroy();
  await until('the parts to be taken back', async () => ((await incomplete()) === '' ? true : undefined));
  expect(await stored('1/r/artifacts/aborted')).toBe(false);
});

test('a pod that is asked to stop lets its transfers end, and takes no more', async () => {
  const { sent, asked, status } = put('1/r/artifacts/last', 40 * MEBIBYTE);
  await sent(20);
  // what the preStop hook sends to process 1
  router.signal('SIGQUIT');
  await until('a closed door', () => fetch(`${router.url}/health`).then(() => undefined, () => true));
  await sent(20);
  asked.end();
  expect(await status).toBe(200);
  router = await new Router(await freePort(), metadata, artifacts).start();
});

/** Milliseconds that requests for metadata took, one after the other, with those who answered in turn. */
async function asked(ports: number[], wanted: () => boolean): Promise<number[]> {
  const [times, body] = [[] as number[], JSON.stringify({ experiment_id: '0', tags: [] })];
  for (let turn = 0; wanted(); turn += 1) {
    const [port, begun] = [ports[turn % ports.length], performance.now()];
    const answers = turn % 3 === 0 ? ask('POST', 'api/2.0/mlflow/runs/create', body, {}, port) : ask('GET', 'api/2.0/mlflow/experiments/get?experiment_id=0', '', {}, port);
    expect((await answers).status).toBe(200);
    times.push(performance.now() - begun);
  }
  return times;
}

/** How docs/how-to/split-topology.md knows when it pays; SPLIT_FIGURES is the number of rounds. */
const figures = process.env.SPLIT_FIGURES === undefined ? test.skip : test;
figures(
  'metadata beside eight large transfers',
  async () => {
    await store('1/r/artifacts/of-figures', 256);
    const ways: { [way: string]: number[] } = { 'one server': [metadata.port], 'two servers, each for both': [metadata.port, artifacts.port], split: [router.port] };
    const found: { [way: string]: { idle: number[]; beside: number[]; mebibytes: number } } = {};
    for (let round = 0; round < Number(process.env.SPLIT_FIGURES); round += 1) {
      for (const [way, ports] of Object.entries(ways)) {
        const kept = (found[way] ??= { idle: [], beside: [], mebibytes: 0 });
        let left = 60;
        kept.idle.push(...(await asked(ports, () => (left -= 1) >= 0)));
        let over = false;
        const transfers = Array.from({ length: 8 }, async (_, index) => {
          while (!over) {
            const got = index % 2 === 0 ? await ask('GET', pathOf('1/r/artifacts/of-figures'), '', {}, ports[(index >> 1) % ports.length]) : undefined;
            if (got === undefined) await store(`1/r/artifacts/figures-${index}`, 128, ports[(index >> 1) % ports.length]);
            kept.mebibytes += got === undefined ? 128 : got.size / MEBIBYTE;
          }
        });
        await sleep(2000);
        const end = performance.now() + 15_000;
        kept.beside.push(...(await asked(ports, () => performance.now() < end)));
        over = true;
        await Promise.all(transfers);
      }
    }
    const quantile = (times: number[], share: number) => Math.round([...times].sort((a, b) => a - b)[Math.floor(share * (times.length - 1))]);
    const row = (times: number[]) => `median ${quantile(times, 0.5)} ms, p95 ${quantile(times, 0.95)} ms, ${times.length} requests`;
    console.log(Object.entries(found).map(([way, { idle, beside, mebibytes }]) => `${way}: idle ${row(idle)}; beside transfers ${row(beside)}, ${Math.round(mebibytes)} MiB`).join('\n'));
    for (const { beside, mebibytes } of Object.values(found)) expect([beside.length > 0, mebibytes > 0]).toEqual([true, true]);
  },
  1_800_000,
);

// from here on one of the two is gone
test('a download whose server dies in the middle is no whole file to a client', async () => {
  let killed: Promise<void> | undefined;
  const got = await ask('GET', pathOf('1/r/artifacts/large'), '', {}, router.port, () => (killed ??= artifacts.stop()));
  await killed;
  expect([got.status, got.broken, got.size < 256 * MEBIBYTE]).toEqual([200, true, true]);
});

test('without artifact servers there are no artifacts, and all else works', async () => {
  const run = JSON.parse((await ask('POST', 'api/2.0/mlflow/runs/create', JSON.stringify({ experiment_id: '0' }))).text) as { run: { info: { run_id: string } } };
  const id = run.run.info.run_id;
  for (const path of [pathOf('1/a'), `ajax-${pathOf('1/a')}`, `api/2.0/mlflow/artifacts/list?run_id=${id}`, `get-artifact?run_id=${id}&path=a`, 'model-versions/get-artifact?name=a&version=1&path=a', 'ajax-api/3.0/mlflow/get-trace-artifact?request_id=a', 'ajax-api/2.0/mlflow/logged-models/m-1/artifacts/files?artifact_file_path=a']) {
    expect([path, (await ask('GET', path)).status]).toEqual([path, 502]);
  }
  for (const path of ['health', 'version', '', `api/2.0/mlflow/runs/get?run_id=${id}`, 'ajax-api/2.0/mlflow/experiments/get?experiment_id=0']) expect([path, (await ask('GET', path)).status]).toEqual([path, 200]);
});

test('they come back without a restart of nginx, and need no other server', async () => {
  await artifacts.start();
  await metadata.stop();
  expect((await ask('GET', pathOf('1/r/artifacts/trickle'))).status).toBe(200);
  expect((await ask('GET', 'health')).status).toBe(502);
  await until('a count that the dead process has not left', async () => ((await under(artifacts, 'download')) === 0 ? true : undefined));
});
