// The guard in front of a real MLflow, with the files and the variables that a synthesized server has.
import { spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Preflight } from '../../lib';
import { Environment, ROOT, scratch } from '../run-script';
import { Answer, Mlflow, delivered } from './plain-mlflow';
import { Minio, PYTHON } from './servers';

const ADMIN_PASSWORD = 'AdminPasswordThatNobodyMaySee';
const METRICS_TOKEN = 'MetricsTokenThatNobodyMaySee';
const ASSISTANT = 'ajax-api/3.0/mlflow/assistant/config';
const MEBIBYTE = 1024 ** 2;

jest.setTimeout(180_000);

let minio: Minio;

beforeAll(async () => {
  minio = await Minio.start();
  await minio.mc('mb', 's/mlflow-bucket');
}, 60_000);

function on(changes: Environment, flags?: string[], prefix?: string): Promise<Mlflow> {
  return Mlflow.on({ ...minio.environment, ...changes }, flags, prefix);
}

function refused({ status, body }: Answer): [number, string, string] {
  const { error_code: code, message } = JSON.parse(body) as { error_code: string; message: string };
  return [status, code, message];
}

describe('with two workers', () => {
  let mlflow: Mlflow;

  beforeAll(async () => {
    const metrics = join(scratch(), 'metrics');
    mlflow = await (await on({ ...delivered(), MLFLOW_WORKERS: '2', MLFLOW_EXPOSE_PROMETHEUS: metrics })).start();
  }, 150_000);
  afterAll(() => mlflow.stop());

  test.each([ASSISTANT, `/${ASSISTANT}`, ASSISTANT.replace('assistant', '%61ssistant'), 'ajax-api/3.0/mlflow/./assistant/config', 'ajax-api/3.0/mlflow/assistant', 'ajax-api/3.0/mlflow/assistant/providers/'])(
    'the assistant is closed, asked from the machine itself at %s',
    async (path) => {
      for (const method of ['GET', 'PUT', 'POST']) expect(refused(await mlflow.ask(method, path, '{}'))).toEqual([403, 'PERMISSION_DENIED', expect.stringContaining('guard.assistant')]);
    },
  );

  test('a large body is refused, by its length and as it comes, and the server stays small', async () => {
    const before = mlflow.peak;
    const large = Array<Buffer>(100).fill(Buffer.alloc(MEBIBYTE, 'x'));
    const length = { 'content-length': String(100 * MEBIBYTE) };
    for (const headers of [length, {}] as Record<string, string>[]) {
      expect(refused(await mlflow.ask('POST', 'api/2.0/mlflow/runs/create', large, headers))).toEqual([413, 'BAD_REQUEST', expect.stringContaining('guard.maxBodySize')]);
    }
    expect(mlflow.peak - before).toBeLessThan(60);
  });

  test('what unpacks to 1.5 GB is refused, and not unpacked', async () => {
    const before = mlflow.peak;
    const bomb = Buffer.concat(Array<Buffer>(6).fill(gzipSync(Buffer.alloc(250_000_000))));
    expect(bomb.length).toBeLessThan(2_000_000);
    for (const path of ['v1/traces', '/v1/traces']) {
      const headers = { 'content-encoding': 'gzip', 'content-type': 'application/x-protobuf', 'x-mlflow-experiment-id': '0' };
      expect(refused(await mlflow.ask('POST', path, bomb, headers))).toEqual([413, 'BAD_REQUEST', expect.stringContaining('unpacked')]);
    }
    expect(mlflow.peak - before).toBeLessThan(60);
  });

  test('many small objects are refused, which would take a hundred times their size', async () => {
    const before = mlflow.peak;
    expect(refused(await mlflow.ask('POST', 'api/2.0/mlflow/experiments/create', `{"name":"x","tags":[${'{},'.repeat(5 * MEBIBYTE)}{}]}`))[0]).toBe(413);
    const spans = Buffer.from('1200'.repeat(MEBIBYTE), 'hex');
    const field = (content: Buffer, tag: number) => Buffer.concat([Buffer.from([tag, (content.length & 127) | 128, ((content.length >> 7) & 127) | 128, ((content.length >> 14) & 127) | 128, content.length >> 21]), content]);
    const request2 = field(field(spans, 0x12), 0x0a);
    expect(refused(await mlflow.ask('POST', 'v1/traces', request2, { 'content-type': 'application/x-protobuf', 'x-mlflow-experiment-id': '0' }))[0]).toBe(413);
    expect(mlflow.peak - before).toBeLessThan(80);
  });

  test('values are counted as well as objects, and what MLflow would take apart for minutes is small', async () => {
    const before = mlflow.peak;
    const many = `{"run_id":"x","tags":[${'"ab",'.repeat(6 * MEBIBYTE)}""]}`;
    expect(refused(await mlflow.ask('POST', 'api/2.0/mlflow/runs/set-tag', many))).toEqual([413, 'BAD_REQUEST', expect.stringContaining('objects and lists')]);
    for (const [path, field] of [['graphql', 'query'], ['api/2.0/mlflow/runs/search', 'filter'], ['api/3.0/mlflow/traces/search', 'filter']]) {
      const text = { [field]: `{${'a '.repeat(4 * MEBIBYTE)}}` };
      expect(refused(await mlflow.ask('POST', path, JSON.stringify(text)))).toEqual([413, 'BAD_REQUEST', expect.stringContaining('a search has at most')]);
    }
    expect(mlflow.peak - before).toBeLessThan(80);
  });

  test('a search by thousands of ids goes on', async () => {
    const ids = Array.from({ length: 7000 }, (_, index) => `'${index.toString(16).padStart(32, '0')}'`);
    const answer = await mlflow.ask('POST', 'api/2.0/mlflow/runs/search', JSON.stringify({ experiment_ids: Array.from({ length: 999 }, (_, index) => String(index)), filter: `attributes.run_id IN (${ids.slice(0, 500).join(',')})` }));
    expect(answer.status).toBe(200);
  });

  test.each(['s3://mlflow-bucket/1', 'file:///tmp/x', '/tmp/metrics/x.db', 'mlflow-artifacts:/', 'mlflow-artifacts:/0', 'mlflow-artifacts:/team/../0'])('no experiment is made at %s', async (location) => {
    for (const path of ['2.0/mlflow/experiments/create', '/2.0/mlflow/experiments/create']) {
      const answer = await mlflow.post(path, { name: `at ${location}`, artifact_location: location });
      if (answer.status !== 308) expect(refused(answer)).toEqual([400, 'INVALID_PARAMETER_VALUE', expect.stringContaining('guard.foreignArtifacts')]);
    }
    expect(await mlflow.client(`print(len(MlflowClient().search_experiments(filter_string="name LIKE 'at %'")))`)).toBe('0');
  });

  test('an experiment may have a folder of its own, which no other gets', async () => {
    const made = await mlflow.client(`
client = MlflowClient()
mlflow.set_experiment(experiment_id=client.create_experiment("team", artifact_location="mlflow-artifacts:/team/a"))
with mlflow.start_run() as run:
    mlflow.log_text("mine", "a.txt")
print(mlflow.artifacts.load_text(run.info.artifact_uri + "/a.txt"))
for location in ("mlflow-artifacts:/team/a", "mlflow-artifacts:/team", "mlflow-artifacts:/team/a/" + run.info.run_id):
    try:
        client.create_experiment("other", artifact_location=location)
    except mlflow.MlflowException as error:
        print(error.error_code)
print(client.create_experiment("other", artifact_location="mlflow-artifacts:/team/b") != "0")
`);
    expect(made.split('\n').slice(-5)).toEqual(['mine', ...Array<string>(3).fill('INVALID_PARAMETER_VALUE'), 'True']);
  });

  test.each(['s3://mlflow-bucket/1', '/tmp', 'file:///tmp', 'http://127.0.0.1/api/2.0/mlflow-artifacts/artifacts/1'])('no model version comes from %s', async (source) => {
    await mlflow.post('2.0/mlflow/registered-models/create', { name: 'attack' });
    expect(refused(await mlflow.post('2.0/mlflow/model-versions/create', { name: 'attack', source }))).toEqual([400, 'INVALID_PARAMETER_VALUE', expect.any(String)]);
  });

  test('no trace gets a place from a client', async () => {
    const id = await mlflow.client(`
with mlflow.start_span("s") as span:
    pass
mlflow.flush_trace_async_logging()
print(span.trace_id)
`);
    const trace = id.split('\n').at(-1)!;
    const tag = { key: 'mlflow.artifactLocation', value: 's3://mlflow-bucket/1' };
    const expected = [400, 'INVALID_PARAMETER_VALUE', expect.stringContaining('mlflow.artifactLocation')];
    for (const version of ['2.0', '3.0']) expect(refused(await mlflow.ask('PATCH', `api/${version}/mlflow/traces/${trace}/tags`, JSON.stringify(tag)))).toEqual(expected);
    const now = String(Date.now() * 1e6);
    const attribute = { key: 'mlflow.traceTag.mlflow.artifactLocation', value: { stringValue: '"s3://mlflow-bucket/1"' } };
    const span = { traceId: '0'.repeat(31) + '7', spanId: '0'.repeat(15) + '7', name: 's', startTimeUnixNano: now, endTimeUnixNano: now, attributes: [attribute] };
    const spans = (gzip: boolean) => {
      const body = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
      return mlflow.ask('POST', 'v1/traces', gzip ? gzipSync(body) : body, { 'x-mlflow-experiment-id': '0', ...(gzip ? { 'content-encoding': 'gzip' } : {}) });
    };
    expect([refused(await spans(false)), refused(await spans(true))]).toEqual([expected, expected]);
    span.attributes[0] = { ...attribute, key: 'mlflow.traceTag.mine' };
    expect((await spans(true)).status).toBe(200);
    expect(await mlflow.client(`print({trace.info.tags["mlflow.artifactLocation"].split(":")[0] for trace in mlflow.search_traces(locations=["0"], return_type="list")})`)).toBe("{'mlflow-artifacts'}");
  });

  test('what clients do all day goes on', async () => {
    const code = `
class Model(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[str]) -> list[str]:
        return model_input

client = MlflowClient()
mlflow.set_experiment("normal")
with mlflow.start_run() as run:
    mlflow.log_metrics({f"m{i}": i for i in range(1000)})
    info = mlflow.pyfunc.log_model(name="m", python_model=Model(), pip_requirements=["mlflow"])
    mlflow.log_input(mlflow.data.from_dict({"a": [1]}) if hasattr(mlflow.data, "from_dict") else mlflow.data.meta_dataset.MetaDataset(mlflow.data.http_dataset_source.HTTPDatasetSource("http://x"), name="d"))
versions = [
    mlflow.register_model(info.model_uri, "registered"),
    mlflow.register_model(f"runs:/{run.info.run_id}/m", "registered"),
    client.copy_model_version("models:/registered/1", "copy"),
]
print([version.version for version in versions], mlflow.pyfunc.load_model("models:/copy/1").predict(["x"]))
mlflow.genai.register_prompt("prompt", "Hello {{name}}")
print(mlflow.genai.load_prompt("prompts:/prompt/1").template)

@mlflow.trace
def traced(x):
    return x * 2

traced(3)
mlflow.flush_trace_async_logging()
(trace,) = mlflow.search_traces(return_type="list")
mlflow.set_trace_tag(trace.info.trace_id, "key", "value")
print(trace.data.spans[0].outputs)
`;
    expect((await mlflow.client(code)).split('\n').slice(-3)).toEqual(["[1, 1, 1] ['x']", 'Hello {{name}}', '6'].map((line, index) => (index === 0 ? expect.stringMatching(/^\[.*1.*2.*1.*\] \['x'\]$/) : line)));
  });

  test('artifacts may be of any size, and their paths may have dots within the folder of the run', async () => {
    const code = `
import os, tempfile
from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository
client = MlflowClient()
mlflow.set_experiment("artifacts")
with mlflow.start_run() as run:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "large")
        with open(path, "wb") as file:
            file.truncate(70 << 20)
        mlflow.log_artifact(path, "d/e")
print([(file.path, file.file_size) for file in client.list_artifacts(run.info.run_id, "./d/./e")])
print([file.path.split("/")[-1] for file in client.list_artifacts(run.info.run_id, ".")])
print([file.path.split("/")[-1] for file in MlflowArtifactsRepository(run.info.artifact_uri).list_artifacts("./d")])
print(run.info.experiment_id, run.info.run_id)
`;
    const [listed, root, direct, ids] = (await mlflow.client(code)).split('\n').slice(-4);
    expect([listed, root, direct]).toEqual([expect.stringContaining(`large', ${70 * MEBIBYTE})`), "['d']", "['e']"]);
    const [experiment, run] = ids.split(' ');
    const list = (path: string) => mlflow.ask('GET', `api/2.0/mlflow-artifacts/artifacts?path=${encodeURIComponent(path)}`);
    expect(JSON.parse((await list(`${experiment}/${run}/artifacts/./d`)).body)).toEqual({ files: [expect.objectContaining({ path: 'e' })] });
    for (const path of [`./${experiment}/${run}/artifacts`, `${experiment}/./${run}/artifacts`, `${experiment}/${run}/artifacts/../..`, '.']) expect([path, (await list(path)).status]).toEqual([path, 400]);
  });

  test("names of files that MLflow's client does not keep are those that the doctor for clients finds in a folder", async () => {
    const fine = ['a.txt', 'd/ä ö.txt', '100%', 'a%zz', 'x ', 'a&b=c+d;e', '[a]{b}<c>', 'a:b', 'd/.hidden', '..a', 'p%00q', 'd/e f/g'];
    const cut = ['x#1.txt', 'x?1.txt', 'd#1/x.txt', 'p%20q.txt', 'p%2Fq', '%2Fq', 'a%2520', 'a  #', 'x\t', 'x\n', 'x\x1f', 'd/x;', ' x', ' d/x', 'Epoch:1', 'x\ny', 'd/#x', 'p%23q', '%2e%2e'];
    const code = `
import json, os, requests, sys, tempfile
from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository
sys.path.insert(0, ${JSON.stringify(scratch({ 'mlflow_doctor.py': Preflight.CLIENT_DOCTOR }))})
from mlflow_doctor import Problem, names_kept, stored_name

def succeeds(action, *arguments):
    try:
        return bool(action(*arguments))
    except Exception:
        return False

def stored(path):
    answer = requests.get(f"{mlflow.get_tracking_uri()}/api/2.0/mlflow-artifacts/artifacts", params={"path": path})
    for file in answer.json().get("files", []):
        inner = f"{path}/{file['path']}"
        yield from stored(inner) if file["is_dir"] else [inner]

for index, name in enumerate(json.loads(${JSON.stringify(JSON.stringify([...fine, ...cut]))})):
    with tempfile.TemporaryDirectory() as here, tempfile.TemporaryDirectory() as there:
        os.makedirs(os.path.dirname(os.path.join(here, name)), exist_ok=True)
        with open(os.path.join(here, name), "w") as file:
            file.write(name)
        repository = MlflowArtifactsRepository(f"mlflow-artifacts:/names/{index}")
        succeeds(repository.log_artifacts, here)
        found = [path.split("/", 2)[2] for path in stored(f"names/{index}")]
        back = succeeds(repository.download_artifacts, "", there) and os.path.isfile(os.path.join(there, name))
        print(json.dumps([name, found == [stored_name(name)] if stored_name(name) else found == [], back, succeeds(names_kept, here)]))
`;
    const results = (await mlflow.client(code)).split('\n').filter((line) => line.startsWith('[')).map((line) => JSON.parse(line) as unknown);
    expect(results).toEqual([...fine.map((name) => [name, true, true, true]), ...cut.map((name) => [name, true, false, false])]);
  });

  test('each refusal is counted, whichever worker it met', async () => {
    const count = async () => {
      const { body } = await mlflow.ask('GET', 'metrics');
      return Number(/^mlflow_guard_refusals_total\{reason="assistant"\} (\S+)$/m.exec(body)?.[1] ?? 0);
    };
    await mlflow.ask('GET', ASSISTANT);
    const before = await count();
    await Promise.all(Array.from({ length: 20 }, () => mlflow.ask('GET', ASSISTANT)));
    expect([before > 0, (await count()) - before]).toEqual([true, 20]);
  });
});

describe("with MLflow's own login and a prefix", () => {
  let mlflow: Mlflow;
  const authorization = `Basic ${Buffer.from(`admin:${ADMIN_PASSWORD}`).toString('base64')}`;

  beforeAll(async () => {
    const database = join(scratch(), 'auth');
    const ini = scratch({ 'auth.ini': `[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///${database}\nauthorization_function = mlflow.server.auth:authenticate_request_basic_auth\nauth_cache_ttl_seconds = 60\n` });
    const login = { MLFLOW_AUTH_CONFIG_PATH: join(ini, 'auth.ini'), MLFLOW_AUTH_ADMIN_USERNAME: 'admin', MLFLOW_AUTH_ADMIN_PASSWORD: ADMIN_PASSWORD, MLFLOW_FLASK_SERVER_SECRET_KEY: 'FlaskKeyThatNobodyMaySee', GUARD_PASSWORDS_ONLY: 'true' };
    const metrics = { MLFLOW_EXPOSE_PROMETHEUS: join(scratch(), 'metrics'), GUARD_METRICS_TOKEN_FILE: join(scratch({ token: METRICS_TOKEN }), 'token') };
    mlflow = await (await on({ ...delivered(), ...login, ...metrics, MLFLOW_STATIC_PREFIX: '/ml' }, ['--app-name=basic-auth'], '/ml')).start();
  }, 150_000);
  afterAll(() => mlflow.stop());

  test('the assistant is closed to everybody, and large bodies are refused before the login', async () => {
    for (const headers of [{}, { authorization }] as Record<string, string>[]) {
      expect(refused(await mlflow.ask('GET', ASSISTANT, '', headers))[0]).toBe(403);
      expect(refused(await mlflow.ask('POST', 'api/2.0/mlflow/runs/create', Array<Buffer>(40).fill(Buffer.alloc(MEBIBYTE)), headers))[0]).toBe(413);
    }
  });

  test('the login is as it was', async () => {
    expect((await mlflow.ask('GET', 'api/2.0/mlflow/experiments/get?experiment_id=0')).status).toBe(401);
    expect((await mlflow.ask('GET', 'api/2.0/mlflow/experiments/get?experiment_id=0', '', { authorization })).status).toBe(200);
    expect((await mlflow.ask('PUT', 'api/2.0/mlflow-artifacts/artifacts/0/x', 'content')).status).toBe(401);
  });

  // with its memory of passwords, MLflow by itself answers 500
  test.each(['Bearer a-token', 'Digest username="admin"', 'Basic', 'Basic ?', 'Basic YWRtaW4=', 'Basic  YWRtaW4='])('credentials that are no password of a user are none: %s', async (other) => {
    for (const path of ['api/2.0/mlflow/experiments/get?experiment_id=0', 'api/2.0/mlflow-artifacts/artifacts/0/x', 'graphql']) {
      expect([path, (await mlflow.ask('GET', path, '', { authorization: other })).status]).toEqual([path, 401]);
    }
  });

  test('Prometheus gets its page by a token, which opens nothing else', async () => {
    const ask = async (path: string, token: string) => fetch(`${new URL(mlflow.url).origin}${path}`, { headers: { Authorization: `Bearer ${token}` } });
    await mlflow.ask('GET', ASSISTANT);
    const page = await ask('/metrics', METRICS_TOKEN);
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('mlflow_guard_refusals_total{reason="assistant"}')]);
    expect((await ask('/metrics', 'another')).status).toBe(401);
    expect((await ask('/ml/api/2.0/mlflow/experiments/get?experiment_id=0', METRICS_TOKEN)).status).toBe(401);
  });

  test('an upload under the prefix is streamed, and not held in memory', async () => {
    const before = mlflow.peak;
    const large = Array<Buffer>(200).fill(Buffer.alloc(MEBIBYTE, 'y'));
    expect((await mlflow.ask('PUT', 'api/2.0/mlflow-artifacts/artifacts/0/large', large, { authorization })).status).toBe(200);
    expect(mlflow.peak - before).toBeLessThan(100);
    expect(await minio.mc('stat', 's/mlflow-bucket/0/large')).toContain('200 MiB');
  });
});

/** What comes back for these bytes, until the connection ends. */
function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.setEncoding('utf8').on('data', (piece: string) => (text += piece)).on('error', () => socket.destroy()).on('close', () => resolve(text));
  });
}

test('the assistant is closed under a prefix that looks like the path of artifacts, and heads have a bound, with httptools at hand and without uvloop', async () => {
  const environment = delivered();
  const mlflow = await (await Mlflow.on({ ...environment, UVICORN_LOOP: 'asyncio', MLFLOW_STATIC_PREFIX: '/mlflow-artifacts' }, [], '/mlflow-artifacts')).start();
  expect(refused(await mlflow.ask('GET', ASSISTANT))[0]).toBe(403);
  const get = (head: string) => exchange(mlflow.port, `GET /mlflow-artifacts/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${head}\r\n`);
  expect(await get('')).toMatch(/^HTTP\/1\.1 200/);
  expect(await get(`X: ${'y'.repeat(300_000)}\r\n`)).not.toMatch(/^HTTP\/1\.1 200/);
  await mlflow.stop();
});

const SERVED = `
import asyncio, socket
from app_layers.protocol import LayeredProtocol
from uvicorn.config import Config
from uvicorn.server import ServerState

made = []
GET = b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"

async def serve(app):
    # as uvicorn makes it for its workers
    config = Config(app, http=LayeredProtocol, host="127.0.0.1", port=0, log_config=None, lifespan="off")
    def make():
        made.append(LayeredProtocol(config, ServerState(), {}))
        return made[-1]
    server = await asyncio.get_running_loop().create_server(make, sock=config.bind_socket())
    return await asyncio.open_connection(*server.sockets[0].getsockname())
`;

/** What the function `main` of a program prints, which can `serve` an app by uvicorn with the layers around it. */
function withLayers(program: string): string {
  const env = { ...process.env, PYTHONPATH: join(ROOT, 'lib/plugins'), APP_LAYERS: 'copy:copy', PYTHONDONTWRITEBYTECODE: '1' };
  const { stdout, stderr } = spawnSync(PYTHON, ['-c', `${SERVED}${program}asyncio.run(main())`], { encoding: 'utf8', env });
  expect(stderr).toBe('');
  return stdout;
}

// the second part of an answer would wait for 40 ms until the client acknowledged the first
test('a connection to one of several workers sends at once, as one to a single worker does', () => {
  const program = `
async def app(scope, receive, send): ...
async def main():
    _, writer = await serve(app)
    while not made or made[0].transport is None:
        await asyncio.sleep(0.01)
    print(made[0].transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
    writer.close()
`;
  expect(withLayers(program)).toBe('1\n');
});

test('of an answer whose body is not there yet nothing leaves: who has its head does not ask again', () => {
  const program = `
killed = asyncio.Event()
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await killed.wait()
    await send({"type": "http.response.body", "body": b"it"})
async def main():
    reader, writer = await serve(app)
    writer.write(GET)
    try:
        print(await asyncio.wait_for(reader.read(1000), 1))
    except asyncio.TimeoutError:
        print("nothing")
    killed.set()
    print((await reader.read(1000)).endswith(b"it"))
    writer.close()
`;
  expect(withLayers(program)).toBe('nothing\nTrue\n');
});

test('an answer that is there leaves, though its request is still heard out', () => {
  const program = `
answered = asyncio.Event()
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 400, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"no", "more_body": True})
    await answered.wait()
    await send({"type": "http.response.body"})
async def main():
    reader, writer = await serve(app)
    writer.write(GET)
    print(await asyncio.wait_for(reader.readuntil(b"no"), 10) != b"")
    answered.set()
    writer.close()
`;
  expect(withLayers(program)).toBe('True\n');
});

test('the assistant answers where it is asked for', async () => {
  const mlflow = await (await on(delivered({ guard: { assistant: true } }))).start();
  expect((await mlflow.ask('GET', ASSISTANT)).status).toBe(200);
  await mlflow.stop();
});

test.each(['1', '2'])('a server whose guard cannot work does not start, and says why, with %s workers', async (MLFLOW_WORKERS) => {
  const { stderr, stdout, code } = await (await on({ ...delivered(), MLFLOW_WORKERS, GUARD_MAX_BODY_BYTES: 'much' })).failed();
  expect(stdout + stderr).toContain('the guard cannot stand in front of MLflow: GUARD_MAX_BODY_BYTES is a number of bytes');
  // a null would be the limit of this test
  expect(code).not.toBeNull();
});
