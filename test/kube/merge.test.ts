import { Duration } from 'cdk8s';
import { mergeCluster, mergeImages, mergePod, sharedPod } from '../../lib/kube/merge';
import { ImagePullPolicy } from '../../lib/options/image-options';
import { PodOptions } from '../../lib/options/pod-options';

const shared: PodOptions = {
  labels: { team: 'vision', tier: 'all' },
  annotations: { scan: 'true' },
  nodeSelector: { disk: 'ssd' },
  tolerations: [{ key: 'ml' }],
  priorityClassName: 'high',
};

describe('mergePod', () => {
  test('takes what the other does not say', () => {
    expect(mergePod(shared, undefined)).toEqual(shared);
    expect(mergePod(undefined, shared)).toEqual(shared);
    expect(mergePod(undefined, undefined)).toBeUndefined();
    expect(mergePod(shared, {})).toEqual(shared);
  });

  test('a field of a part is in the place of that of all', () => {
    const own = { nodeSelector: { arch: 'arm64' }, tolerations: [], terminationGracePeriod: Duration.minutes(1) };
    expect(mergePod(shared, own)).toEqual({ ...shared, ...own });
  });

  test('labels and annotations are put together key by key', () => {
    expect(mergePod(shared, { labels: { tier: 'web', more: 'a' }, annotations: { scan: 'false' } })).toEqual({
      ...shared,
      labels: { team: 'vision', tier: 'web', more: 'a' },
      annotations: { scan: 'false' },
    });
    expect(mergePod({ labels: { a: '1' } }, { annotations: { b: '2' } })).toEqual({ labels: { a: '1' }, annotations: { b: '2' } });
  });

  test('a field that a part leaves open is not lost', () => {
    expect(mergePod(shared, { labels: undefined, nodeSelector: undefined, tolerations: null as never })).toEqual(shared);
  });

  test('changes none of the two', () => {
    const [below, above] = [{ labels: { a: '1' } }, { labels: { b: '2' } }];
    mergePod(below, above);
    expect([below, above]).toEqual([{ labels: { a: '1' } }, { labels: { b: '2' } }]);
  });

  test.each([[5], ['text'], [['a']], [null], [true]])('%j is left to the checks of the part', (own) => {
    expect(mergePod(shared, own as never)).toBe(own ?? shared);
    expect(mergePod(own as never, shared)).toBe(shared);
    expect(mergePod(shared, { labels: own } as never)?.labels).toBe(own ?? shared.labels);
    expect(mergePod({ labels: own } as never, shared)?.labels).toBe(shared.labels);
  });
});

test('mergeImages puts digests together, and has the rest of the part', () => {
  const below = { registry: 'a', digests: { 'a:1': 'sha256:a', 'b:1': 'sha256:b' }, pullSecrets: ['a'], pullPolicy: ImagePullPolicy.ALWAYS };
  expect(mergeImages(below, { registry: 'b', digests: { 'a:1': 'sha256:c' }, pullSecrets: ['b'] })).toEqual({
    registry: 'b',
    digests: { 'a:1': 'sha256:c', 'b:1': 'sha256:b' },
    pullSecrets: ['b'],
    pullPolicy: ImagePullPolicy.ALWAYS,
  });
});

test('mergeCluster goes field by field', () => {
  expect(mergeCluster({ domain: 'a', ipFamily: 'IPv6' as never }, { domain: 'b' })).toEqual({ domain: 'b', ipFamily: 'IPv6' });
  expect(mergeCluster(undefined, undefined)).toBeUndefined();
});

describe('sharedPod', () => {
  test('is where the pods run and how they are marked, and nothing that is in them', () => {
    const own = { volumes: [], volumeMounts: [], initContainers: [], sidecars: [], terminationGracePeriod: Duration.minutes(1) };
    const placed = { ...shared, affinity: {}, topologySpread: [{ topologyKey: 'zone' }] };
    expect(sharedPod({ ...placed, ...own })).toEqual(placed);
  });

  test.each([[undefined], [5], [null]])('%j is left to the checks of the part', (pod) => {
    expect(sharedPod(pod as never)).toBe(pod);
  });
});
