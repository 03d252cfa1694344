import { Duration } from 'cdk8s';
import { ArtifactTransfer, ProxiedArtifacts } from '../../lib';
import { PROXIED_ARTIFACTS } from '../../lib/assets.generated';
import { get } from '../helpers';
import { namesOf, server, synth, valueOf, wrong } from '../tracking-server/server';

const objectsWith = (props: object = {}) => synth({ guard: { enabled: false }, ...props });
const podOf = (props: object = {}) => get(objectsWith(props), 'Deployment', 'mlflow').spec.template;
const INFO = {
  METADATA: 'Metadata-Version: 2.1\nName: proxied-artifacts\nVersion: 1.0\n',
  'entry_points.txt':
    '[mlflow.artifact_repository]\n' +
    's3 = proxied_artifacts.repository:ProxiedS3ArtifactRepository\n' +
    'gs = proxied_artifacts.repository:ProxiedGCSArtifactRepository\n' +
    'wasbs = proxied_artifacts.repository:ProxiedAzureBlobArtifactRepository\n',
};

test('is a Python distribution in ConfigMaps', () => {
  const objects = objectsWith({ name: 'ml', namespace: 'team-a' });
  const configMap = (name: string, data: object) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'team-a', labels: server({ name: 'ml' }).labels }, data });
  expect(get(objects, 'ConfigMap', 'ml-transfer')).toEqual(configMap('ml-transfer', PROXIED_ARTIFACTS));
  expect(get(objects, 'ConfigMap', 'ml-transfer-info')).toEqual(configMap('ml-transfer-info', INFO));
});

test('its entry points name classes that the module has', () => {
  const entries = [...INFO['entry_points.txt'].matchAll(/^(\w+) = proxied_artifacts\.(\w+):(\w+)$/gm)];
  expect(entries.map(([, scheme]) => scheme)).toEqual(['s3', 'gs', 'wasbs']);
  for (const [, , module, className] of entries) expect(PROXIED_ARTIFACTS[`${module}.py`]).toMatch(new RegExp(`^class ${className}\\(`, 'm'));
});

test('its volumes have the layout of an installed distribution, on the path of Python', () => {
  const { spec } = podOf();
  for (const [name, folder] of [
    ['transfer', 'proxied_artifacts'],
    ['transfer-info', 'proxied_artifacts-1.0.dist-info'],
  ]) {
    expect(spec.volumes).toContainEqual({ name, configMap: { name: `mlflow-${name}` } });
    expect(spec.containers[0].volumeMounts).toContainEqual({ name, mountPath: `/app/plugins/${folder}` });
  }
  expect(valueOf(spec.containers[0], 'PYTHONPATH')).toBe('/app/plugins');
  expect(valueOf(spec.containers[0], 'APP_LAYERS')).toBe('proxied_artifacts.layer:wrap');
});

test('uvicorn gives up on transfers early enough for them to take back what they have stored', () => {
  const seconds = (pod?: object) => valueOf(podOf({ pod }).spec.containers[0], 'UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN');
  expect([seconds(), seconds({ terminationGracePeriod: Duration.minutes(30) }), seconds({ terminationGracePeriod: Duration.seconds(10) })]).toEqual(['215', '1775', '1']);
});

test('is an add-on, which a server that hands artifacts through makes itself', () => {
  expect(server().proxiedArtifacts).toBeInstanceOf(ProxiedArtifacts);
  expect(server({ artifactTransfer: ArtifactTransfer.DIRECT }).proxiedArtifacts).toBeUndefined();
  expect(wrong({}, (it, scope) => new ProxiedArtifacts(scope, 'Again', { server: it }))).toContainEqual(expect.stringMatching(/^\[test\/Again\] server: got .*\[test\/TrackingServer\/ProxiedArtifacts\] has put the same files/));
  expect(namesOf(podOf({ artifactTransfer: ArtifactTransfer.DIRECT }).spec.volumes)).not.toContain('transfer');
});
