import { Testing } from 'cdk8s';
import { PROXIED_ARTIFACTS_PY } from '../../lib/assets.generated';
import { ProxiedArtifactsPlugin } from '../../lib/proxied-artifacts/proxied-artifacts-plugin';

function plugin() {
  const chart = Testing.chart();
  const construct = new ProxiedArtifactsPlugin(chart, 'Plugin', { name: 'mlflow-plugins', namespace: 'mlflow', labels: { team: 'a' } });
  return { construct, objects: Testing.synth(chart) };
}

test('is a Python distribution in a ConfigMap', () => {
  expect(plugin().objects).toEqual([
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'mlflow-plugins', namespace: 'mlflow', labels: { team: 'a' } },
      data: {
        'proxied_artifacts.py': PROXIED_ARTIFACTS_PY,
        METADATA: 'Metadata-Version: 2.1\nName: proxied-artifacts\nVersion: 1.0\n',
        'entry_points.txt':
          '[mlflow.artifact_repository]\n' +
          's3 = proxied_artifacts:ProxiedS3ArtifactRepository\n' +
          'gs = proxied_artifacts:ProxiedGCSArtifactRepository\n' +
          'wasbs = proxied_artifacts:ProxiedAzureBlobArtifactRepository\n',
      },
    },
  ]);
});

test('its entry points name classes that the module has', () => {
  const [{ data }] = plugin().objects;
  const entries = [...data['entry_points.txt'].matchAll(/^(\w+) = (\w+):(\w+)$/gm)];
  expect(entries.map(([, scheme]) => scheme)).toEqual(['s3', 'gs', 'wasbs']);
  for (const [, , module, className] of entries) expect(data[`${module}.py`]).toMatch(new RegExp(`^class ${className}\\(`, 'm'));
});

test('its volume has the layout of an installed distribution', () => {
  const { construct, objects } = plugin();
  expect(construct.mountPath).toBe('/app/plugins');
  expect(construct.volume).toEqual({
    name: 'plugins',
    configMap: {
      name: 'mlflow-plugins',
      items: [
        { key: 'proxied_artifacts.py', path: 'proxied_artifacts.py' },
        { key: 'METADATA', path: 'proxied_artifacts-1.0.dist-info/METADATA' },
        { key: 'entry_points.txt', path: 'proxied_artifacts-1.0.dist-info/entry_points.txt' },
      ],
    },
  });
  expect(construct.volume.configMap!.items!.map(({ key }) => key).sort()).toEqual(Object.keys(objects[0].data).sort());
});

test('its checksum is that of its files', () => {
  expect(plugin().construct.checksum).toMatch(/^[0-9a-f]{10}$/);
  expect(plugin().construct.checksum).toBe(plugin().construct.checksum);
  jest.isolateModules(() => {
    jest.doMock('../../lib/assets.generated', () => ({ PROXIED_ARTIFACTS_PY: 'pass\n' }));
    const changed = jest.requireActual<{ ProxiedArtifactsPlugin: typeof ProxiedArtifactsPlugin }>('../../lib/proxied-artifacts/proxied-artifacts-plugin');
    const other = new changed.ProxiedArtifactsPlugin(Testing.chart(), 'Plugin', { name: 'mlflow-plugins', namespace: 'mlflow', labels: {} });
    expect(other.checksum).toMatch(/^[0-9a-f]{10}$/);
    expect(other.checksum).not.toBe(plugin().construct.checksum);
  });
});
