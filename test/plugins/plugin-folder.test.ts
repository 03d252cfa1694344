import { ArtifactTransfer, Guard, ProxiedArtifacts } from '../../lib';
import { PluginFolder } from '../../lib/plugins/plugin-folder';
import { get, ofKind } from '../helpers';
import { namesOf, server, synth, valueOf, wrong } from '../tracking-server/server';

const NONE = { guard: { enabled: false }, artifactTransfer: ArtifactTransfer.DIRECT };
const podOf = (objects: ReturnType<typeof synth>) => get(objects, 'Deployment', 'mlflow').spec.template;

test('is one for a server', () => {
  const it = server();
  expect(PluginFolder.of(it)).toBe(PluginFolder.of(it));
});

test('is not there where nobody needs it', () => {
  const { spec } = podOf(synth(NONE));
  expect(namesOf(spec.volumes)).not.toContain('layers');
  expect(valueOf(spec.containers[0], 'PYTHONPATH')).toBeUndefined();
  expect(valueOf(spec.containers[0], 'UVICORN_HTTP')).toBeUndefined();
});

test('has the folders that are put into it until synth, and a checksum of them', () => {
  const after = (content: string) => synth(NONE, (it) => PluginFolder.of(it).add(it, 'mine', 'a', { 'b.py': content }));
  const objects = after('pass\n');
  expect(get(objects, 'ConfigMap', 'mlflow-mine').data).toEqual({ 'b.py': 'pass\n' });
  const { metadata, spec } = podOf(objects);
  expect(spec.volumes).toContainEqual({ name: 'mine', configMap: { name: 'mlflow-mine' } });
  expect(spec.containers[0].volumeMounts).toContainEqual({ name: 'mine', mountPath: '/app/plugins/a' });
  expect(valueOf(spec.containers[0], 'PYTHONPATH')).toBe('/app/plugins');
  const checksumOf = (all: typeof objects) => podOf(all).metadata.annotations['checksum/plugins'];
  expect(metadata.annotations['checksum/plugins']).toMatch(/^[0-9a-f]{10}$/);
  expect(checksumOf(after('pass\n'))).toBe(checksumOf(objects));
  expect(checksumOf(after('other\n'))).not.toBe(checksumOf(objects));
});

test('a layer brings what puts it in front of the app, and those that come later stand around it', () => {
  const objects = synth(NONE, (it) => ['inner:wrap', 'outer:wrap'].forEach((name) => PluginFolder.of(it).addLayer(name)));
  const [container] = podOf(objects).spec.containers;
  expect(valueOf(container, 'UVICORN_HTTP')).toBe('app_layers.protocol:LayeredProtocol');
  expect(valueOf(container, 'APP_LAYERS')).toBe('inner:wrap,outer:wrap');
  expect(Object.keys(get(objects, 'ConfigMap', 'mlflow-layers').data)).toContain('protocol.py');
  expect(ofKind(objects, 'ConfigMap').filter(({ metadata }) => metadata.name === 'mlflow-layers')).toHaveLength(1);
});

test.each([
  ['Guard', Guard],
  ['ProxiedArtifacts', ProxiedArtifacts],
])('a second %s is a fault, with the name of the first', (name, construct) => {
  expect(wrong({}, (it, scope) => new construct(scope, 'Again', { server: it }))).toContainEqual(
    expect.stringMatching(new RegExp(`^\\[test/Again\\] server: got .*\\[test/TrackingServer/${name}\\] has put the same files`)),
  );
});
