import { MlflowStack } from '../../lib';
import { decided } from '../../lib/kube/linters';
import { Testing } from 'cdk8s';
import { workloads } from '../helpers';

const DIGEST = `a:1@sha256:${'a'.repeat(64)}`;
const skipped = (annotations: object) => Object.entries(annotations).flatMap(([key, value]) => (key.startsWith('checkov') ? [String(value).split('=')[0]] : []));

test.each<[object, string[], string | undefined]>([
  [{ images: ['a:1'], pullPolicy: 'IfNotPresent' }, ['CKV_K8S_15', 'CKV_K8S_43'], 'container-image-pull-policy'],
  [{ images: ['a:1'], pullPolicy: 'Always' }, ['CKV_K8S_43'], undefined],
  [{ images: [DIGEST, 'a:1'], pullPolicy: 'Always' }, ['CKV_K8S_43'], undefined],
  [{ images: [DIGEST], pullPolicy: 'Always' }, [], undefined],
  [{ images: [DIGEST], pullPolicy: 'Always', secretsInEnv: true }, ['CKV_K8S_35'], undefined],
  [{ images: [DIGEST], pullPolicy: 'Always', sameProbes: true }, [], 'pod-probes-identical'],
  [{ images: [DIGEST], pullPolicy: 'Always', serviceWithAddress: true }, [], 'statefulset-has-servicename'],
  [{ images: [DIGEST], pullPolicy: 'Always', single: true }, [], 'deployment-replicas'],
  [{ images: ['a:1'], pullPolicy: 'IfNotPresent', single: true, sameProbes: true }, ['CKV_K8S_15', 'CKV_K8S_43'], 'container-image-pull-policy,pod-probes-identical,deployment-replicas'],
])('%j', (decisions, checks, ignored) => {
  const annotations = decided(decisions as never);
  expect(skipped(annotations)).toEqual(checks);
  expect(annotations['kube-score/ignore']).toBe(ignored);
});

test('checkov finds them: they are numbered from 1 on, each with its reason', () => {
  const annotations = decided({ images: ['a:1'], pullPolicy: 'IfNotPresent', secretsInEnv: true });
  expect(Object.keys(annotations).slice(0, 3)).toEqual(['checkov.io/skip1', 'checkov.io/skip2', 'checkov.io/skip3']);
  for (const key of Object.keys(annotations).slice(0, 3)) expect(annotations[key]).toMatch(/^CKV_K8S_\d+=\w.{10,}$/);
});

test('every workload of a stack says what was decided for it', () => {
  const chart = Testing.chart();
  new MlflowStack(chart, 'Stack');
  for (const { metadata } of workloads(Testing.synth(chart))) expect(skipped(metadata.annotations)).toContain('CKV_K8S_43');
});
