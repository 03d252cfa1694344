import { Testing } from 'cdk8s';
import { ArtifactTransfer, TrackingServer } from '../../lib';
import { Manifests, containers, faults, get, ofKind } from '../helpers';

function chartWith(artifactTransfer?: ArtifactTransfer) {
  const chart = Testing.chart();
  new TrackingServer(chart, 'TrackingServer', {
    backendStore: { uri: 'postgresql://db/mlflow', environment: [] },
    artifactStore: { artifactsDestination: 's3://bucket', environment: [] },
    artifactTransfer,
  });
  return chart;
}

function traces(objects: Manifests) {
  const deployment = get(objects, 'Deployment', 'mlflow');
  const [server] = containers(deployment);
  return {
    configMaps: ofKind(objects, 'ConfigMap').map(({ metadata }) => metadata.name),
    pythonPath: server.env.filter(({ name }: { name: string }) => name === 'PYTHONPATH'),
    mounts: server.volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath),
    volumes: deployment.spec.template.spec.volumes.map(({ name }: { name: string }) => name),
    annotations: Object.keys(deployment.spec.template.metadata.annotations),
  };
}

test.each([undefined, ArtifactTransfer.PROXIED])('with %s the plugin keeps clients to the tracking server', (transfer) => {
  expect(traces(Testing.synth(chartWith(transfer)))).toEqual({
    configMaps: ['mlflow-startup-script', 'mlflow-transfer', 'mlflow-transfer-info', 'mlflow-layers', 'mlflow-guard', 'mlflow-preflight', 'mlflow-preflight-relocate', 'mlflow-fill-secrets'],
    pythonPath: [{ name: 'PYTHONPATH', value: '/app/plugins' }],
    mounts: ['/app/start-mlflow.py', '/app/plugins/proxied_artifacts', '/app/plugins/proxied_artifacts-1.0.dist-info', '/app/plugins/app_layers', '/app/preflight', '/app/plugins/mlflow_guard', '/tmp'],
    volumes: ['startup-script', 'transfer', 'transfer-info', 'layers', 'preflight', 'guard', 'tmp'],
    annotations: ['checksum/plugins', 'checksum/startup-script'],
  });
});

test.each([
  [ArtifactTransfer.DIRECT, 'true'],
  [ArtifactTransfer.PROXIED, undefined],
])('with %s a server of MLflow 3.18 is told to offer presigned URLs: %s', (transfer, value) => {
  const { env } = containers(get(Testing.synth(chartWith(transfer)), 'Deployment', 'mlflow'))[0];
  const valueOf = (name: string) => env.find((variable: { name: string }) => variable.name === name)?.value;
  expect(['MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD', 'MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD'].map(valueOf)).toEqual([value, value]);
});

test('DIRECT leaves no trace of the plugin', () => {
  const objects = Testing.synth(chartWith(ArtifactTransfer.DIRECT));
  expect(JSON.stringify(objects)).not.toMatch(/proxied.artifacts/);
});

test.each<[ArtifactTransfer | undefined, string]>([
  [undefined, 'proxied'],
  [ArtifactTransfer.PROXIED, 'proxied'],
  [ArtifactTransfer.DIRECT, 'direct'],
])('with %s the script and the monitor know that it is %s', (transfer, value) => {
  const objects = Testing.synth(chartWith(transfer));
  for (const name of ['mlflow', 'mlflow-monitor']) {
    const [{ env }] = containers(get(objects, 'Deployment', name));
    expect(env.filter((variable: { name: string }) => variable.name === 'STARTUP_ARTIFACT_TRANSFER')).toEqual([{ name: 'STARTUP_ARTIFACT_TRANSFER', value }]);
  }
});

test('the plugin is all that differs', () => {
  const [proxied, direct] = [ArtifactTransfer.PROXIED, ArtifactTransfer.DIRECT].map((transfer) => {
    const objects = Testing.synth(chartWith(transfer));
    return { rest: objects.filter(({ kind }) => !['ConfigMap', 'Deployment'].includes(kind)), args: containers(get(objects, 'Deployment', 'mlflow'))[0].args };
  });
  expect(direct).toEqual(proxied);
});

test.each<[unknown, string]>([
  ['presigned', '"presigned"'],
  ['PROXIED', '"PROXIED"'],
  ['', '""'],
  [true, 'true'],
])('%j is refused', (transfer, got) => {
  expect(faults(chartWith(transfer as ArtifactTransfer))).toEqual([
    `[test/TrackingServer] artifactTransfer: got ${got}. Rule: artifactTransfer is one of proxied, direct. Fix: pass one of them.`,
  ]);
});

test('an endpoint in the domain of the cluster is for PROXIED transfer only', () => {
  const on = (domain: string) => {
    const chart = Testing.chart();
    new TrackingServer(chart, 'TrackingServer', {
      backendStore: { uri: 'postgresql://db/mlflow', environment: [] },
      artifactStore: { artifactsDestination: 's3://bucket', environment: [{ name: 'MLFLOW_S3_ENDPOINT_URL', value: 'http://minio.mlflow.svc.k8s.example.com:9000' }] },
      artifactTransfer: ArtifactTransfer.DIRECT,
      cluster: { domain },
    });
    return faults(chart);
  };
  expect(on('k8s.example.com')).toEqual([expect.stringContaining('resolves in the cluster only')]);
  expect(on('cluster.local')).toEqual([]);
});
