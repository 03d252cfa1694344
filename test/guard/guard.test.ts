import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Size, Testing } from 'cdk8s';
import { ArtifactTransfer, Guard, TrackingServer, TrackingServerOptions } from '../../lib';
import { containers, faults, get } from '../helpers';
import { ROOT } from '../run-script';

function serverWith(options: TrackingServerOptions = {}) {
  const chart = Testing.chart();
  const server = new TrackingServer(chart, 'TrackingServer', {
    backendStore: { uri: 'postgresql://db/mlflow', environment: [] },
    artifactStore: { artifactsDestination: 's3://bucket', environment: [] },
    ...options,
  });
  return { chart, server };
}

function variables(options?: TrackingServerOptions): Record<string, string> {
  const [{ env }] = containers(get(Testing.synth(serverWith(options).chart), 'Deployment', 'mlflow'));
  return Object.fromEntries(env.map(({ name, value }: { name: string; value: string }) => [name, value]));
}

const SOURCES = 'MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX';

test('a server has a guard, which uvicorn finds in the folder of plugins', () => {
  expect(variables()).toMatchObject({
    PYTHONPATH: '/app/plugins',
    UVICORN_HTTP: 'app_layers.protocol:LayeredProtocol',
    APP_LAYERS: 'proxied_artifacts.layer:wrap,mlflow_guard.layer:wrap',
    GUARD_ASSISTANT: 'false',
    GUARD_MAX_BODY_BYTES: String(32 * 1024 ** 2),
    GUARD_OWN_PLACES: 'true',
  });
  const objects = Testing.synth(serverWith().chart);
  const { volumes } = get(objects, 'Deployment', 'mlflow').spec.template.spec;
  expect(volumes).toContainEqual({ name: 'guard', configMap: { name: 'mlflow-guard' } });
  const { data } = get(objects, 'ConfigMap', 'mlflow-guard');
  const modules = readdirSync(join(ROOT, 'lib/guard/mlflow_guard')).filter((name) => name.endsWith('.py'));
  expect(modules).toContain('layer.py');
  for (const name of modules) expect(data[name]).toContain('"""');
  expect(Object.keys(data).sort()).toEqual(modules.sort());
});

test('its switches are variables', () => {
  expect(variables({ guard: { assistant: true, maxBodySize: Size.mebibytes(100), foreignArtifacts: true } })).toMatchObject({
    GUARD_ASSISTANT: 'true',
    GUARD_MAX_BODY_BYTES: '104857600',
    GUARD_OWN_PLACES: 'false',
  });
});

test('the arguments of the server are the same with and without it', () => {
  const args = (options?: TrackingServerOptions) => containers(get(Testing.synth(serverWith(options).chart), 'Deployment', 'mlflow'))[0].args;
  expect(args()).toEqual(args({ guard: { enabled: false } }));
});

test.each<[string, TrackingServerOptions, boolean]>([
  ['with PROXIED artifacts', {}, true],
  ['with DIRECT artifacts', { artifactTransfer: ArtifactTransfer.DIRECT }, false],
  ['with DIRECT artifacts, where that is asked for', { artifactTransfer: ArtifactTransfer.DIRECT, guard: { foreignArtifacts: false } }, true],
  ['with artifacts anywhere', { guard: { foreignArtifacts: true } }, false],
])('%s model versions come from the server itself: %#', (_, options, own) => {
  const env = variables(options);
  expect([env.GUARD_OWN_PLACES, SOURCES in env]).toEqual([String(own), own]);
});

test('the sources of model versions are places of the server, and what MLflow writes for a prompt', () => {
  const pattern = new RegExp(variables()[SOURCES]);
  for (const source of ['mlflow-artifacts:/1/r/artifacts/m', 'models:/m-1', 'models:/a/1', 'runs:/r/m', 'dummy-source', 'prompt-template']) expect(source).toMatch(pattern);
  for (const source of ['s3://mlflow-bucket/1', '/tmp', 'file:///x', 'http://h/api/2.0/mlflow-artifacts/artifacts/1', 'x dummy-source', 'prompt-template/x', ' runs:/r', 'S3://b#runs:/']) {
    expect(source).not.toMatch(pattern);
  }
});

test('without a guard there is nothing of it', () => {
  const { chart, server } = serverWith({ guard: { enabled: false }, artifactTransfer: ArtifactTransfer.DIRECT });
  expect(server.guard).toBeUndefined();
  expect(JSON.stringify(Testing.synth(chart))).not.toMatch(/guard|UVICORN_HTTP|plugins/i);
});

test('the guard is a public part of the server', () => {
  const { server } = serverWith();
  expect(server.guard).toBeInstanceOf(Guard);
  expect(server.guard!.configMap.name).toBe('mlflow-guard');
});

test.each<[TrackingServerOptions, string]>([
  [{ guard: { assistant: 'yes' as unknown as boolean } }, '[test/TrackingServer/Guard] assistant: got "yes"'],
  [{ guard: { maxBodySize: Size.kibibytes(1023) } }, '[test/TrackingServer/Guard] maxBodySize: got "1023Ki". Rule: MLflow\'s own clients send batches of up to 1 MiB'],
  [{ guard: { maxBodySize: 5 as unknown as Size } }, '[test/TrackingServer/Guard] maxBodySize: got 5. Rule: a size is a cdk8s Size'],
  [{ guard: { size: 5 } as TrackingServerOptions['guard'] }, '[test/TrackingServer/Guard] size: got a number. Rule: there is no prop of this name'],
  [{ guard: { enabled: false, assistant: true } }, '[test/TrackingServer] guard.assistant: got'],
  [{ extraArgs: ['--uvicorn-opts=--timeout-keep-alive=5 --http h11'] }, '[test/TrackingServer/Guard] extraArgs[0]: got "--uvicorn-opts=--timeout-keep-alive=5 --http h11". Rule: uvicorn speaks HTTP by way of the guard'],
  [{ extraArgs: ['--uvicorn-opts', '--http=h11'] }, '[test/TrackingServer/Guard] extraArgs[1]: got "--http=h11"'],
  [{ extraEnv: [{ name: 'MLFLOW_UVICORN_OPTS', value: '--http=auto' }] }, '[test/TrackingServer/Guard] extraEnv: MLFLOW_UVICORN_OPTS: got "--http=auto"'],
  [{ extraArgs: ['--uvicorn-opts="--http=h11" --ws none'] }, 'Rule: uvicorn speaks HTTP by way of the guard'],
  [{ extraEnv: [{ name: 'UVICORN_HTTP', value: 'h11' }] }, 'UVICORN_HTTP'],
  [{ extraEnv: [{ name: SOURCES, value: '.*' }] }, SOURCES],
])('%j is refused', (options, message) => {
  expect(faults(serverWith(options).chart)).toEqual([expect.stringContaining(message)]);
});

test('options of uvicorn that leave the guard alone are fine', () => {
  expect(faults(serverWith({ extraArgs: ['--uvicorn-opts=--h11-max-incomplete-event-size=9 --http-foo'], guard: {} }).chart)).toEqual([]);
  expect(faults(serverWith({ extraArgs: ['--uvicorn-opts=--http=h11'], guard: { enabled: false } }).chart)).toEqual([]);
});
