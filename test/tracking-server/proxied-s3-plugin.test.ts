import { Testing } from 'cdk8s';
import { PROXIED_S3_PY } from '../../lib/assets.generated';
import { ProxiedS3Plugin } from '../../lib/tracking-server/proxied-s3-plugin';

function plugin() {
  const chart = Testing.chart();
  const construct = new ProxiedS3Plugin(chart, 'Plugin', { name: 'mlflow-plugins', namespace: 'mlflow', labels: { team: 'a' } });
  return { construct, objects: Testing.synth(chart) };
}

test('is a Python distribution in a ConfigMap', () => {
  expect(plugin().objects).toEqual([
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'mlflow-plugins', namespace: 'mlflow', labels: { team: 'a' } },
      data: {
        'proxied_s3.py': PROXIED_S3_PY,
        METADATA: 'Metadata-Version: 2.1\nName: proxied-s3\nVersion: 1.0\n',
        'entry_points.txt': '[mlflow.artifact_repository]\ns3 = proxied_s3:ProxiedS3ArtifactRepository\n',
      },
    },
  ]);
});

test('its entry point names a class that the module has', () => {
  const [{ data }] = plugin().objects;
  const [, module, className] = /^s3 = (\w+):(\w+)$/m.exec(data['entry_points.txt'])!;
  expect(data[`${module}.py`]).toMatch(new RegExp(`^class ${className}\\(`, 'm'));
});

test('its volume has the layout of an installed distribution', () => {
  const { construct, objects } = plugin();
  expect(construct.mountPath).toBe('/app/plugins');
  expect(construct.volume).toEqual({
    name: 'plugins',
    configMap: {
      name: 'mlflow-plugins',
      items: [
        { key: 'proxied_s3.py', path: 'proxied_s3.py' },
        { key: 'METADATA', path: 'proxied_s3-1.0.dist-info/METADATA' },
        { key: 'entry_points.txt', path: 'proxied_s3-1.0.dist-info/entry_points.txt' },
      ],
    },
  });
  expect(construct.volume.configMap!.items!.map(({ key }) => key).sort()).toEqual(Object.keys(objects[0].data).sort());
});

test('its checksum is that of its files', () => {
  expect(plugin().construct.checksum).toMatch(/^[0-9a-f]{10}$/);
  expect(plugin().construct.checksum).toBe(plugin().construct.checksum);
  jest.isolateModules(() => {
    jest.doMock('../../lib/assets.generated', () => ({ PROXIED_S3_PY: 'pass\n' }));
    const changed = jest.requireActual<{ ProxiedS3Plugin: typeof ProxiedS3Plugin }>('../../lib/tracking-server/proxied-s3-plugin');
    const other = new changed.ProxiedS3Plugin(Testing.chart(), 'Plugin', { name: 'mlflow-plugins', namespace: 'mlflow', labels: {} });
    expect(other.checksum).toMatch(/^[0-9a-f]{10}$/);
    expect(other.checksum).not.toBe(plugin().construct.checksum);
  });
});
