// Artifacts that stream through a real MLflow, to a store and from it, with the files and variables that a synthesized server has.
import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { IncomingMessage, request } from 'node:http';
import { Server, Socket, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, until } from '../processes';
import { Environment, scratch } from '../run-script';
import { Mlflow, delivered } from './plain-mlflow';
import { Minio, PYTHON } from './servers';
import { BLOCK, MEBIBYTE, Upload, pathOf, put as putAt, store as storeAt } from './uploads';

const NEXT = process.env.PYTHON_NEXT;
const ADMIN = basic('admin', 'AdminPasswordThatNobodyMaySee');
const READER = basic('reader', 'ReaderPasswordThatNobodyMaySee');

jest.setTimeout(120_000);

function basic(user: string, password: string): Environment {
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
}

/** The way to the store, which can be cut. */
class Way {
  /** Bytes of answers that still come through. */
  public left = Infinity;
  public readonly port: Promise<number>;
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;

  public constructor(target: number) {
    this.server = createServer((client) => {
      const store = connect(target, '127.0.0.1');
      for (const socket of [client, store]) {
        this.sockets.add(socket);
        socket.on('error', () => undefined).on('close', () => [client, store].forEach((each) => each.destroy()));
      }
      client.pipe(store);
      store.on('data', (data) => {
        if (data.length > this.left) return this.cut();
        this.left -= data.length;
        if (!client.write(data)) {
          store.pause();
          client.once('drain', () => store.resume());
        }
      });
    });
    this.port = freePort().then((port) => new Promise((resolve) => this.server.listen(port, '127.0.0.1', () => resolve(port))));
  }

  public cut(): void {
    for (const socket of this.sockets) socket.destroy();
    this.sockets.clear();
  }

  public close(): void {
    this.cut();
    this.server.close();
  }
}

interface Got {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly size: number;
  readonly hash: string;
  readonly text: string;
  /** Why the connection broke; undefined where it ended well. */
  readonly broken?: string;
}

let minio: Minio;
let way: Way;
let mlflow: Mlflow;
let scratchFolder: string;

/** A request for a file, of which little is kept. */
function get(name: string, headers: Environment = {}, method = 'GET', path = pathOf(name), server = mlflow): Promise<Got> {
  return new Promise((resolve, reject) => {
    const hash = createHash('sha256');
    let [size, text] = [0, ''];
    let end: (broken?: string) => void = () => undefined;
    request({ host: '127.0.0.1', port: server.port, path: `/${path}`, method, headers }, (response) => {
      // the hash is that of what came, also where more than one event says that this is all
      end = (broken) => resolve({ status: response.statusCode!, headers: response.headers, size, hash: hash.copy().digest('hex'), text, broken });
      response.on('data', (data: Buffer) => {
        size += data.length;
        if (size < 10_000) text += data.toString('latin1');
        hash.update(data);
      });
      response.on('end', () => end()).on('error', (error: NodeJS.ErrnoException) => end(error.code));
    })
      .on('error', (error: NodeJS.ErrnoException) => (end(error.code), reject(error)))
      .end();
  });
}

const put = (name: string, announced: number, headers?: Environment): Upload => putAt(mlflow.port, name, announced, headers);
const store = (name: string, blocks: number): Promise<string> => storeAt(mlflow.port, name, blocks);

const incomplete = async () => (await minio.mc('ls', '--incomplete', '--recursive', 's/mlflow-bucket')).trim();
const nothingIncomplete = () => until('uploads to be taken back', async () => ((await incomplete()) === '' ? true : undefined));
const objects = async (name: string) => (await minio.mc('ls', '--recursive', `s/mlflow-bucket/${name}`)).trim();

/** What lies in the folder that stands for the scratch volume; what goes while it is looked at does not count. */
function scratchSize(path = scratchFolder): number {
  try {
    const found = statSync(path);
    return found.isDirectory() ? readdirSync(path).reduce((sum, name) => sum + scratchSize(join(path, name)), 0) : found.size;
  } catch {
    return 0;
  }
}

/** The most that was there while something ran, which has ended in any case. */
async function scratchDuring(work: Promise<unknown>): Promise<number> {
  let [most, over] = [0, false];
  const ended = work.finally(() => (over = true));
  while (!over) {
    most = Math.max(most, scratchSize());
    await Promise.race([ended.catch(() => undefined), sleep(5)]);
  }
  await ended;
  return most;
}

async function serve(changes: Environment = {}, flags: string[] = [], prefix = '', python = PYTHON): Promise<Mlflow> {
  scratchFolder = scratch();
  const endpoint = { MLFLOW_S3_ENDPOINT_URL: `http://127.0.0.1:${await way.port}` };
  return (await Mlflow.on({ ...minio.environment, ...endpoint, TMPDIR: scratchFolder, ...delivered(), ...changes }, flags, prefix, python)).start();
}

beforeAll(async () => {
  minio = await Minio.start();
  way = new Way(minio.port);
  await minio.mc('mb', 's/mlflow-bucket');
}, 60_000);

afterAll(() => way.close());

beforeEach(() => {
  way.left = Infinity;
});

// images ending in -full have uvloop, others have not
describe.each([['3.17', 'uvloop', PYTHON], ...(NEXT === undefined ? [] : [['3.18', 'asyncio', NEXT]])])('MLflow %s, by %s', (_version, loop, python) => {
  beforeAll(async () => {
    // what the store does not answer is given up soon
    mlflow = await serve({ AWS_MAX_ATTEMPTS: '2', UVICORN_LOOP: loop }, [], '', python);
  }, 120_000);
  afterAll(() => mlflow.stop());

  test('files of all sizes come back as they went, and lie on no disk', async () => {
    const most = await scratchDuring(
      (async () => {
        for (const blocks of [0, 1, 8, 9, 60]) {
          const hash = await store(`sizes/${blocks}`, blocks);
          const got = await get(`sizes/${blocks}`);
          expect([got.status, got.hash, got.size, got.headers['content-length'], got.broken]).toEqual([200, hash, blocks * MEBIBYTE, String(blocks * MEBIBYTE), undefined]);
          expect(got.headers.etag).toMatch(/^"[0-9a-f]{32}(-\d+)?"$/);
        }
      })(),
    );
    expect(most).toBe(0);
    expect((await minio.mc('stat', 's/mlflow-bucket/sizes/60')).replaceAll(' ', '')).toMatch(/ETag:[0-9a-f]{32}-8/);
  });

  test('the official client logs and loads folders, models and text', async () => {
    const code = `
class Model(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[str]) -> list[str]:
        return model_input

with mlflow.start_run() as run:
    mlflow.log_text("mine", "d/a.txt")
    info = mlflow.pyfunc.log_model(name="m", python_model=Model(), pip_requirements=["mlflow"])
print(mlflow.artifacts.load_text(run.info.artifact_uri + "/d/a.txt"), mlflow.pyfunc.load_model(info.model_uri).predict(["x"]))
try:
    mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="d/none.txt")
except Exception as error:
    print("path is correct" in str(error))
print(run.info.experiment_id, run.info.run_id, info.model_id)
`;
    const [loaded, missing, ids] = (await mlflow.client(code)).split('\n').slice(-3);
    expect([loaded, missing]).toEqual(["mine ['x']", 'True']);
    const [experiment, run, model] = ids.split(' ');
    // the three ways on which the pages of MLflow get a file
    const ways = [`get-artifact?run_uuid=${run}&path=d%2Fa.txt`, `ajax-api/2.0/mlflow-artifacts/artifacts/${experiment}/${run}/artifacts/d/a.txt`, `ajax-api/2.0/mlflow/logged-models/${model}/artifacts/files?artifact_file_path=MLmodel`];
    for (const path of ways) {
      const got = await get('', {}, 'GET', path);
      expect([path, got.status, got.headers['content-length'], got.headers['x-content-type-options'], got.headers['content-disposition']]).toEqual([path, 200, String(got.size), 'nosniff', expect.stringMatching(/^attachment; filename=(a.txt|MLmodel)$/)]);
      expect(got.text).toContain(path.includes('MLmodel') ? 'model_id' : 'mine');
    }
  });

  test('a part, a known file, a missing one and a wrong path are answered as HTTP has it', async () => {
    await store('ranges/f', 9);
    const { headers } = await get('ranges/f', {}, 'HEAD');
    const etag = headers.etag!;
    expect([headers['content-length'], headers['accept-ranges']]).toEqual([String(9 * MEBIBYTE), 'bytes']);
    const part = await get('ranges/f', { range: `bytes=${MEBIBYTE}-${MEBIBYTE + 99}`, 'if-range': etag });
    expect([part.status, part.headers['content-range'], part.text]).toEqual([206, `bytes ${MEBIBYTE}-${MEBIBYTE + 99}/${9 * MEBIBYTE}`, BLOCK.subarray(0, 100).toString('latin1')]);
    expect((await get('ranges/f', { range: 'bytes=-5' })).size).toBe(5);
    expect((await get('ranges/f', { range: 'bytes=0-5', 'if-range': '"another"' })).size).toBe(9 * MEBIBYTE);
    const beyond = await get('ranges/f', { range: `bytes=${9 * MEBIBYTE}-` });
    expect([beyond.status, beyond.headers['content-range']]).toEqual([416, `bytes */${9 * MEBIBYTE}`]);
    expect((await get('ranges/f', { 'if-none-match': etag })).status).toBe(304);
    expect((await get('ranges/none')).status).toBe(404);
    for (const path of ['ranges/../f', '..%2Ff', 'ranges/%2e%2e/f', '/f', 'ranges/./f', 'x/artifacts/%2e%2e/f']) expect([path, (await get('', {}, 'GET', pathOf(path))).status]).toEqual([path, 400]);
  });

  test('a store that breaks in the middle breaks the download, which no client takes for whole', async () => {
    await store('broken/f', 40);
    way.left = 20 * MEBIBYTE;
    const got = await get('broken/f');
    way.left = Infinity;
    expect([got.status, got.headers['content-length'], got.broken]).toEqual([200, String(40 * MEBIBYTE), 'ECONNRESET']);
    expect(got.size).toBeLessThan(40 * MEBIBYTE);
    expect((await get('broken/f')).broken).toBeUndefined();
  });

  test('an upload that is broken off leaves nothing, and what was there stays', async () => {
    const before = await store('kept/f', 9);
    const upload = put('kept/f', 60 * MEBIBYTE);
    await upload.sent(40);
    await until('parts in the store', async () => ((await incomplete()) === '' ? undefined : true));
    upload.asked.destroy();
    await nothingIncomplete();
    expect((await get('kept/f')).hash).toBe(before);
    const small = put('kept/small', 60);
    small.asked.write('short');
    await sleep(100);
    small.asked.destroy();
    await sleep(300);
    expect(await objects('kept/small')).toBe('');
  });

  test('an error of the store is an error of the upload, and what was there stays', async () => {
    const before = await store('failed/f', 9);
    const upload = put('failed/f', 60 * MEBIBYTE);
    await upload.sent(20);
    way.left = 0;
    const failing = upload.sent(40);
    expect([500, 'ECONNRESET', 'EPIPE']).toContain(await upload.status);
    const refused = await fetch(`http://127.0.0.1:${mlflow.port}/${pathOf('failed/small')}`, { method: 'PUT', body: 'small' });
    expect([refused.status, await refused.text()]).toEqual([500, expect.stringMatching(/"The artifact store does not take the file \(\w+Error: /)]);
    way.left = Infinity;
    upload.asked.destroy();
    await failing;
    expect((await get('failed/f')).hash).toBe(before);
  });

  test('many large transfers, and a slow one, take little memory and no disk', async () => {
    await store('memory/source', 150);
    const before = mlflow.peak;
    const slow = put('memory/slow', 3 * MEBIBYTE);
    const names = Array.from({ length: 8 }, (_, index) => `memory/${index}`);
    const work = async () => {
      await slow.sent(1);
      await Promise.all([...names.map((name) => store(name, 100)), ...names.map(() => get('memory/source'))]);
      await slow.sent(2);
      slow.asked.end();
    };
    const most = await scratchDuring(work());
    expect(await slow.status).toBe(200);
    expect([most, mlflow.peak - before < 350]).toEqual([0, true]);
    expect((await objects('memory')).split('\n')).toHaveLength(10);
  });
});

test('a store that is away for some seconds is waited for, by uploads and downloads', async () => {
  mlflow = await serve();
  const before = await store('waiting/other', 1);
  const upload = put('waiting/f', 30 * MEBIBYTE);
  await upload.sent(20);
  way.left = 0;
  way.cut();
  const going = upload.sent(10).then(() => upload.asked.end());
  const waiting = Promise.all([store('waiting/small', 1), get('waiting/other').then(({ hash }) => hash)]);
  await sleep(4_000);
  way.left = Infinity;
  await going;
  expect([await upload.status, await waiting]).toEqual([200, [before, before]]);
  expect((await get('waiting/f')).size).toBe(30 * MEBIBYTE);
  await mlflow.stop();
});

test('a server that stops takes back what has not come to its end', async () => {
  mlflow = await serve({ UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN: '1' });
  const upload = put('stopped/f', 60 * MEBIBYTE);
  await upload.sent(40);
  await until('parts in the store', async () => ((await incomplete()) === '' ? undefined : true));
  await mlflow.stop();
  expect(await upload.status).not.toBe(200);
  expect([await incomplete(), await objects('stopped')]).toEqual(['', '']);
});

test('with a version of MLflow that was not tried, downloads go its way, and the log says so', async () => {
  const dist = scratch({ 'mlflow-9.9.9.dist-info/METADATA': 'Metadata-Version: 2.1\nName: mlflow\nVersion: 9.9.9\n' });
  const { PYTHONPATH } = delivered();
  mlflow = await serve({ PYTHONPATH: `${dist}:${PYTHONPATH}` });
  const hash = await store('fallback/f', 9);
  const got = await get('fallback/f');
  expect([got.status, got.hash, got.headers['content-length']]).toEqual([200, hash, undefined]);
  await mlflow.stop();
  expect(mlflow.printed).toContain('MLflow 9.9.9 downloads by the scratch disk');
});

describe("with MLflow's own login, and workspaces", () => {
  let run: string;
  let file: string;

  beforeAll(async () => {
    const ini = scratch({ 'auth.ini': `[mlflow]\ndefault_permission = NO_PERMISSIONS\ndatabase_uri = sqlite:///${join(scratch(), 'auth')}\nauthorization_function = mlflow.server.auth:authenticate_request_basic_auth\n` });
    const login = { MLFLOW_AUTH_CONFIG_PATH: join(ini, 'auth.ini'), MLFLOW_AUTH_ADMIN_USERNAME: 'admin', MLFLOW_AUTH_ADMIN_PASSWORD: 'AdminPasswordThatNobodyMaySee', MLFLOW_FLASK_SERVER_SECRET_KEY: 'FlaskKeyThatNobodyMaySee' };
    mlflow = await serve({ ...login, MLFLOW_ENABLE_WORKSPACES: 'true' }, ['--app-name=basic-auth']);
    const code = `
import os
from mlflow.server import get_app_client
get_app_client("basic-auth", mlflow.get_tracking_uri()).create_user("reader", "ReaderPasswordThatNobodyMaySee")
client = MlflowClient()
mlflow.create_workspace("other")
with mlflow.start_run() as run:
    mlflow.log_text("mine", "a.txt")
print(run.info.run_id, run.info.artifact_uri)
`;
    const out = await mlflow.client(code, { MLFLOW_TRACKING_USERNAME: 'admin', MLFLOW_TRACKING_PASSWORD: 'AdminPasswordThatNobodyMaySee' });
    const [id, uri] = out.split('\n').at(-1)!.split(' ');
    [run, file] = [id, `${uri.replace('mlflow-artifacts:/', '')}/a.txt`];
    expect(file).toMatch(/^workspaces\/default\//);
  }, 120_000);
  afterAll(() => mlflow.stop());

  test('nobody gets, or puts, a file without login or permission, by whichever way and method', async () => {
    const ways = [pathOf(file), `ajax-api/2.0/mlflow-artifacts/artifacts/${file}`, `get-artifact?run_uuid=${run}&path=a.txt`];
    for (const path of ways) {
      for (const method of ['GET', 'HEAD']) {
        const statuses = [];
        for (const user of [{}, READER, ADMIN]) statuses.push((await get('', user, method, path)).status);
        expect([method, path, ...statuses]).toEqual([method, path, 401, 403, 200]);
      }
      for (const headers of [{ range: 'bytes=0-1' }, { 'if-none-match': '"x"' }] as Environment[]) expect((await get('', { ...headers, ...READER }, 'GET', path)).status).toBe(403);
      expect((await get('', ADMIN, 'GET', path)).text).toBe('mine');
    }
    const answers = [];
    for (const user of [{}, READER]) answers.push((await mlflow.ask('PUT', ways[0], 'theirs', user)).status);
    expect(answers).toEqual([401, 403]);
    expect((await get('', ADMIN, 'GET', ways[0])).text).toBe('mine');
  });

  test('nobody gets a file of another workspace', async () => {
    const other = { ...ADMIN, 'X-MLFLOW-WORKSPACE': 'other' };
    const within = file.replace('workspaces/default/', '');
    expect([(await get(file, other)).status, (await get(within, other)).status]).toEqual([400, 404]);
    expect((await mlflow.ask('PUT', pathOf(file), 'theirs', other)).status).toBe(400);
    expect((await mlflow.ask('PUT', pathOf(within), 'theirs', other)).status).toBe(200);
    expect(await objects('workspaces/other')).toContain('a.txt');
    expect((await get(within, other)).text).toBe('theirs');
    expect((await get(`workspaces/other/${within}`, ADMIN)).status).toBe(400);
    expect((await get(file, ADMIN)).text).toBe('mine');
  });
});
