// The version of MLflow behind that of the default image: how artifacts travel, and the way of a database from one to the other.
import { execFileSync } from 'node:child_process';
import { Testing } from 'cdk8s';
import { ArtifactTransfer, Credentials, ExternalS3, MlflowStackProps } from '../../lib';
import { program } from '../processes';
import { Result, lines } from '../run-script';
import { ServedStack, Stores } from './stack';

const PYTHON_NEXT = program('PYTHON_NEXT', 'python-next', 'pip install --no-deps mlflow==3.18.0 over an environment of test/servers/requirements.txt, and set PYTHON_NEXT to its Python');
const VERSION = '3.18.0';
const NEXT = { python: PYTHON_NEXT };
const START_MS = 180_000;

jest.setTimeout(START_MS);
execFileSync(PYTHON_NEXT, ['-W', 'ignore', '-c', `import mlflow; assert mlflow.__version__ == "${VERSION}", mlflow.__version__`], { stdio: 'pipe' });

let stores: Stores;

beforeAll(async () => {
  stores = await Stores.start();
  await stores.makeDatabase('versions');
}, START_MS);

/** What starts a server, but for the server itself. */
async function preflight(stack: ServedStack): Promise<Result> {
  return stack.run('true', stack.args.slice(2), { STARTUP_DEADLINE_SECONDS: '1' });
}

const transfers = async (mlflow: ServedStack) => {
  const { json } = (await mlflow.ask('/api/3.0/mlflow/server-info')) as { json: { [name: string]: boolean } };
  return [json.multipart_uploads_enabled, json.multipart_downloads_enabled];
};

const ROUND_TRIP = `
import mlflow
with mlflow.start_run() as run:
    mlflow.log_text("of both versions", "note.txt")
print(mlflow.artifacts.load_text(run.info.artifact_uri + "/note.txt"))
`;

test('a database of 3.17 waits for upgradeSchema, is upgraded with it, and is not for 3.17 from then on', async () => {
  const before = await ServedStack.of(stores, 'versions', {});
  expect(await preflight(before)).toMatchObject({ code: 0 });

  const refused = await preflight(await ServedStack.of(stores, 'versions', {}, NEXT));
  expect({ code: refused.code, title: lines(refused.stderr)[0] }).toEqual({ code: 8, title: expect.stringMatching(/^ERROR: .*schema.* older/) });

  const upgrade: MlflowStackProps = { trackingServer: { preflight: { upgradeSchema: true } } };
  expect(await preflight(await ServedStack.of(stores, 'versions', upgrade, NEXT))).toMatchObject({ code: 0 });

  const back = await preflight(before);
  expect({ code: back.code, title: lines(back.stderr)[0] }).toEqual({ code: 8, title: expect.stringMatching(/^ERROR: .*schema.* newer/) });
});

test('PROXIED keeps clients to the tracking server, and the doctor finds nothing', async () => {
  const mlflow = await ServedStack.of(stores, 'versions', {}, NEXT);
  await mlflow.start();

  expect(await transfers(mlflow)).toEqual([false, false]);
  expect(lines(await mlflow.client(ROUND_TRIP)).at(-1)).toBe('of both versions');
  const { code, stdout } = await mlflow.run('doctor', mlflow.args);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining(`✓ tracking server: MLflow ${VERSION}`) });
  await mlflow.stop();
});

test('DIRECT sends them to the artifact store, which this version does only where it is told to', async () => {
  const chart = Testing.chart();
  const credentials = Credentials.fromSecretName(chart, 'Keys', 'keys');
  const artifactStore = new ExternalS3(chart, 'Store', { bucket: 'mlflow-bucket', endpointUrl: 'https://s3.example.com', credentials });
  const mlflow = await ServedStack.of(stores, 'versions', { artifactStore, trackingServer: { artifactTransfer: ArtifactTransfer.DIRECT } }, NEXT);
  await mlflow.start();

  expect(await transfers(mlflow)).toEqual([true, true]);
  expect(lines(await mlflow.client(ROUND_TRIP)).at(-1)).toBe('of both versions');
  const { code, stdout } = await mlflow.run('doctor', mlflow.args);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.not.stringContaining('✗') });
});
