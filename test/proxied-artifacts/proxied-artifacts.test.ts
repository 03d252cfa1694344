import { Testing } from 'cdk8s';
import { ArtifactTransfer, ProxiedArtifacts } from '../../lib';
import { PROXIED_ARTIFACTS_PY } from '../../lib/assets.generated';
import { ProxiedArtifacts as Actual } from '../../lib/proxied-artifacts/proxied-artifacts';
import { get } from '../helpers';
import { namesOf, server, synth, valueOf, wrong } from '../tracking-server/server';

const plugins = (props: object = {}) => get(synth(props), 'ConfigMap', `${(props as { name?: string }).name ?? 'mlflow'}-plugins`);
const podOf = (props: object = {}) => get(synth(props), 'Deployment', 'mlflow').spec.template;
const checksum = (): string => podOf().metadata.annotations['checksum/plugins'];

test('is a Python distribution in a ConfigMap', () => {
  expect(plugins({ name: 'ml', namespace: 'team-a' })).toEqual({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'ml-plugins', namespace: 'team-a', labels: server({ name: 'ml' }).labels },
    data: {
      'proxied_artifacts.py': PROXIED_ARTIFACTS_PY,
      METADATA: 'Metadata-Version: 2.1\nName: proxied-artifacts\nVersion: 1.0\n',
      'entry_points.txt':
        '[mlflow.artifact_repository]\n' +
        's3 = proxied_artifacts:ProxiedS3ArtifactRepository\n' +
        'gs = proxied_artifacts:ProxiedGCSArtifactRepository\n' +
        'wasbs = proxied_artifacts:ProxiedAzureBlobArtifactRepository\n',
    },
  });
});

test('its entry points name classes that the module has', () => {
  const { data } = plugins();
  const entries = [...data['entry_points.txt'].matchAll(/^(\w+) = (\w+):(\w+)$/gm)];
  expect(entries.map(([, scheme]) => scheme)).toEqual(['s3', 'gs', 'wasbs']);
  for (const [, , module, className] of entries) expect(data[`${module}.py`]).toMatch(new RegExp(`^class ${className}\\(`, 'm'));
});

test('its volume has the layout of an installed distribution, on the path of Python', () => {
  const { spec } = podOf();
  const items = [
    { key: 'proxied_artifacts.py', path: 'proxied_artifacts.py' },
    { key: 'METADATA', path: 'proxied_artifacts-1.0.dist-info/METADATA' },
    { key: 'entry_points.txt', path: 'proxied_artifacts-1.0.dist-info/entry_points.txt' },
  ];
  expect(spec.volumes).toContainEqual({ name: 'plugins', configMap: { name: 'mlflow-plugins', items } });
  expect(spec.containers[0].volumeMounts).toContainEqual({ name: 'plugins', mountPath: '/app/plugins', readOnly: true });
  expect(valueOf(spec.containers[0], 'PYTHONPATH')).toBe('/app/plugins');
  expect(items.map(({ key }) => key).sort()).toEqual(Object.keys(plugins().data).sort());
});

test('its checksum, which replaces the pods, is that of its files', () => {
  expect(checksum()).toMatch(/^[0-9a-f]{10}$/);
  expect(checksum()).toBe(checksum());
  jest.isolateModules(() => {
    jest.doMock('../../lib/assets.generated', () => ({ PROXIED_ARTIFACTS_PY: 'pass\n' }));
    const changed = jest.requireActual<{ ProxiedArtifacts: typeof Actual }>('../../lib/proxied-artifacts/proxied-artifacts');
    const it = server({ artifactTransfer: ArtifactTransfer.DIRECT });
    new changed.ProxiedArtifacts(it, 'Changed', { server: it });
    const { annotations } = get(Testing.synth(it.node.scopes[1] as never), 'Deployment', 'mlflow').spec.template.metadata;
    expect(annotations['checksum/plugins']).toMatch(/^[0-9a-f]{10}$/);
    expect(annotations['checksum/plugins']).not.toBe(checksum());
  });
});

test('is an add-on, which a server that hands artifacts through makes itself', () => {
  expect(server().proxiedArtifacts).toBeInstanceOf(ProxiedArtifacts);
  expect(server({ artifactTransfer: ArtifactTransfer.DIRECT }).proxiedArtifacts).toBeUndefined();
  expect(wrong({}, (it, scope) => new ProxiedArtifacts(scope, 'Again', { server: it }))).toContainEqual(expect.stringMatching(/^\[test\/Again\] addVolume: got "volume plugins"/));
  expect(namesOf(podOf({ artifactTransfer: ArtifactTransfer.DIRECT }).spec.volumes)).not.toContain('plugins');
});
