import { Testing } from 'cdk8s';
import { Construct } from 'constructs';
import { ImagePullPolicy, Images } from '../../lib';
import { ImageSource } from '../../lib/kube/image-source';
import { PropChecks } from '../../lib/validation/prop-checks';
import { told } from '../tracking-server/server';
import { faults } from '../helpers';

const DIGEST = `sha256:${'a'.repeat(64)}`;

function source(options?: object) {
  const chart = Testing.chart();
  return { chart, images: new ImageSource(new PropChecks(new Construct(chart, 'Part')), options as never) };
}
const named = (image: string, options?: object): string => source(options).images.of('image', image);
const wrong = (options: object): string[] => faults(source(options).chart);

test('with nothing said each image is what it is', () => {
  const { images, chart } = source();
  for (const image of Object.values(Images) as string[]) expect(images.of('image', image)).toBe(image);
  expect([images.pullPolicy, images.pullSecrets]).toEqual(['IfNotPresent', undefined]);
  expect(faults(chart)).toEqual([]);
});

test.each([
  ['ghcr.io/mlflow/mlflow:v1', 'registry.example.com/mirror/mlflow/mlflow:v1'],
  ['docker.io/library/postgres:17', 'registry.example.com/mirror/library/postgres:17'],
  ['postgres:17', 'registry.example.com/mirror/postgres:17'],
  ['bitnami/postgres:17', 'registry.example.com/mirror/bitnami/postgres:17'],
  ['localhost/a:1', 'registry.example.com/mirror/a:1'],
  ['localhost:5000/a/b:1', 'registry.example.com/mirror/a/b:1'],
  [`quay.io/a/b@${DIGEST}`, `registry.example.com/mirror/a/b@${DIGEST}`],
])('registry takes the place of that of %s', (image, expected) => {
  expect(named(image, { registry: 'registry.example.com/mirror' })).toBe(expected);
});

test.each(['registry', 'registry.example.com', 'registry.example.com:5000', '10.0.0.1:5000/a/b-c', 'Registry.example.com'])('%s is a registry', (registry) => {
  expect(wrong({ registry })).toEqual([]);
});

test('digests are for the image without registry, and stand behind it', () => {
  const digests = { 'ghcr.io/mlflow/mlflow:v1': DIGEST };
  expect(named('ghcr.io/mlflow/mlflow:v1', { digests })).toBe(`ghcr.io/mlflow/mlflow:v1@${DIGEST}`);
  expect(named('ghcr.io/mlflow/mlflow:v2', { digests })).toBe('ghcr.io/mlflow/mlflow:v2');
  expect(named('ghcr.io/mlflow/mlflow:v1', { digests, registry: 'r' })).toBe(`r/mlflow/mlflow:v1@${DIGEST}`);
  const own = `ghcr.io/mlflow/mlflow:v1@sha256:${'b'.repeat(64)}`;
  expect(named(own, { digests: { [own]: DIGEST } })).toBe(own);
});

test('pullPolicy and pullSecrets', () => {
  const { images } = source({ pullPolicy: ImagePullPolicy.ALWAYS, pullSecrets: ['a', 'b'] });
  expect([images.pullPolicy, images.pullSecrets]).toEqual(['Always', [{ name: 'a' }, { name: 'b' }]]);
});

test('an image that is none is told with the prop that gave it', () => {
  const { chart, images } = source({ registry: 'r' });
  images.of('bootstrapImage', 'python');
  expect(faults(chart)).toEqual([told('bootstrapImage', '"python"', 'an image names a tag or a digest', 'v1.2.3', 'Part')]);
});

test.each<[object, string, string, string, string]>([
  [{ registry: 'https://registry.example.com' }, 'registry', '"https://registry.example.com"', 'without scheme', 'registry.example.com/mirror'],
  [{ registry: 'registry.example.com/' }, 'registry', '"registry.example.com/"', 'without "/" at the end', ''],
  [{ registry: '' }, 'registry', '""', 'a registry is a host', ''],
  [{ registry: 'a/B' }, 'registry', '"a/B"', 'a registry is a host', ''],
  [{ registry: 5 }, 'registry', '5', 'a registry is a host', ''],
  [{ digests: { mlflow: DIGEST } }, 'digests["mlflow"]', '"mlflow"', 'an image names a tag or a digest', ''],
  [{ digests: { 'a:1': 'sha256:abc' } }, 'digests["a:1"]', '"sha256:abc"', '64 hexadecimal digits', 'pass the digest that the registry shows'],
  [{ digests: { 'a:1': Symbol('a') } }, 'digests["a:1"]', 'Symbol(a)', '64 hexadecimal digits', ''],
  [{ digests: 'a' }, 'digests', 'a string', 'it is an object', ''],
  [{ pullSecrets: 'a' }, 'pullSecrets', '"a"', 'it is a list', ''],
  [{ pullSecrets: ['a', 'B c'] }, 'pullSecrets[1]', '"B c"', 'RFC 1123 subdomain', ''],
  [{ pullSecrets: [{ name: 'a' }] }, 'pullSecrets[0]', 'an object with name', 'a list of names of Secrets', '"registry-login"'],
  [{ pullPolicy: 'Never' }, 'pullPolicy', '"Never"', 'the policy is one of IfNotPresent, Always', ''],
  [{ registri: 'a' }, 'registri', 'a string', 'there is no prop of this name', 'did you mean images.registry?'],
])('%p is refused', (options, prop, got, rule, fix) => {
  const { chart, images } = source(options);
  images.of('image', 'a:1');
  expect(faults(chart)).toEqual([told(`images.${prop}`, got, rule, fix, 'Part')]);
});
