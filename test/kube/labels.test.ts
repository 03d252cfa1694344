import { Part, labels, selectorLabels, workloadLabels } from '../../lib/kube/labels';

const part: Part = { name: 'minio', instance: 'mlflow', component: 'artifact-store', image: 'docker.io/pgsty/silo:v1' };
const VERSION = 'app.kubernetes.io/version';

test('selectors hold nothing that changes', () => {
  expect(selectorLabels(part)).toEqual({
    'app.kubernetes.io/name': 'minio',
    'app.kubernetes.io/instance': 'mlflow',
    'app.kubernetes.io/component': 'artifact-store',
  });
  expect(selectorLabels({ ...part, image: 'other:v2' })).toEqual(selectorLabels(part));
});

test('objects say what they are part of', () => {
  expect(labels(part)).toEqual({
    ...selectorLabels(part),
    'app.kubernetes.io/part-of': 'mlflow',
    'app.kubernetes.io/managed-by': 'cdk8s',
  });
});

test('workloads have a version as well', () => {
  expect(workloadLabels(part)).toEqual({ ...labels(part), [VERSION]: 'v1' });
});

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

test.each([
  ['mlflow:v3.17.2-full', 'v3.17.2-full'],
  ['registry.example.com:5000/mlflow:v1', 'v1'],
  [`mlflow:v1@${digest}`, 'v1'],
  ['mlflow:1', '1'],
  [`mlflow:${'a'.repeat(63)}`, 'a'.repeat(63)],
])('the version of %s', (image, version) => {
  expect(workloadLabels({ ...part, image })[VERSION]).toBe(version);
});

test.each([
  ['no tag', 'mlflow'],
  ['a port and no tag', 'registry.example.com:5000/mlflow'],
  ['a digest alone', `mlflow@${digest}`],
  ['a tag that is longer than a label', `mlflow:${'a'.repeat(64)}`],
  ['a tag that ends with what a label cannot end with', 'mlflow:v1-'],
  ['a tag that begins with what a label cannot begin with', 'mlflow:_v1'],
  ['a tag of one character that a label cannot be', 'mlflow:_'],
])('%s makes no label', (_, image) => {
  expect(workloadLabels({ ...part, image })).toEqual(labels(part));
});
