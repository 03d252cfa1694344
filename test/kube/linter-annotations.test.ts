import { ApiObject, Chart, JsonPatch, Testing } from 'cdk8s';
import { Construct } from 'constructs';
import { LinterAnnotations } from '../../lib/kube/linter-annotations';
import { Deployment } from '../../lib/kube/objects';
import { k8s } from '../../imports/k8s';

const DIGEST = `@sha256:${'0'.repeat(64)}`;
const [PULL, DIGESTS, ENV] = [
  'CKV_K8S_15=A pinned image starts without its registry',
  'CKV_K8S_43=Pinned by tag; images.digests adds the digest of your registry',
  'CKV_K8S_35=Server and drivers read their credentials from the environment',
];
/** A container that neither linter finds anything in. */
const GOOD = { name: 'a', image: `a:1${DIGEST}`, imagePullPolicy: 'Always' };
const template = (...containers: object[]) => ({ metadata: { labels: { app: 'a' } }, spec: { containers } });
const service = (spec: object = {}, metadata: object = {}) => (chart: Chart) => new ApiObject(chart, `Service${chart.node.children.length}`, { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a', ...metadata }, spec: { selector: { app: 'a' }, ...spec } } as object as never);

/** The annotations of a workload, with these objects beside it. */
function annotations(kind: string, spec: object, { beside = [], metadata = {} }: { beside?: ((chart: Chart) => unknown)[]; metadata?: object } = {}) {
  const chart = Testing.chart();
  new ApiObject(chart, 'Workload', { apiVersion: 'x/v1', kind, metadata: { name: 'a', ...metadata }, spec } as object as never);
  beside.forEach((make) => make(chart));
  LinterAnnotations.add(chart);
  return (Testing.synth(chart)[0] as { metadata: { annotations?: object } }).metadata.annotations;
}
const ofDeployment = (container: object, options?: object) => annotations('Deployment', { template: template(container) }, options);

test('what is good needs none', () => expect(ofDeployment(GOOD)).toBeUndefined());

test('checkov finds them: they are numbered from 1 on, each with its reason', () => {
  const container = { name: 'a', image: 'a:1', imagePullPolicy: 'IfNotPresent', env: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'a', key: 'b' } } }] };
  expect(ofDeployment(container)).toEqual({ 'checkov.io/skip1': PULL, 'checkov.io/skip2': DIGESTS, 'checkov.io/skip3': ENV, 'kube-score/ignore': 'container-image-pull-policy' });
});

test.each<[string, object, object | undefined]>([
  ['pulled if not present, by tag', { image: 'a:1', imagePullPolicy: 'IfNotPresent' }, { 'checkov.io/skip1': PULL, 'checkov.io/skip2': DIGESTS, 'kube-score/ignore': 'container-image-pull-policy' }],
  ['the same as what Kubernetes takes where nothing is said', { image: 'r.example.com:5000/a:1', imagePullPolicy: undefined }, { 'checkov.io/skip1': PULL, 'checkov.io/skip2': DIGESTS, 'kube-score/ignore': 'container-image-pull-policy' }],
  ['pulled always since there is no tag', { image: 'r.example.com:5000/a', imagePullPolicy: undefined }, { 'checkov.io/skip1': DIGESTS }],
  ['pulled always since it is the latest', { image: 'a:latest', imagePullPolicy: undefined }, { 'checkov.io/skip1': DIGESTS }],
  ['pulled if not present, by digest', { imagePullPolicy: 'IfNotPresent' }, { 'kube-score/ignore': 'container-image-pull-policy' }],
  ['pulled always, by tag', { image: 'a:1' }, { 'checkov.io/skip1': DIGESTS }],
  ['with a secret in its environment', { env: [{ name: 'A', value: 'b' }, { name: 'B', valueFrom: { secretKeyRef: { name: 'a', key: 'b' } } }] }, { 'checkov.io/skip1': ENV }],
  ['with a Secret as its environment', { envFrom: [{ secretRef: { name: 'a' } }] }, { 'checkov.io/skip1': ENV }],
  ['with other variables', { env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'b' } } }], envFrom: [{ configMapRef: { name: 'a' } }] }, undefined],
])('a container %s', (_, container, expected) => {
  expect(ofDeployment({ ...GOOD, ...container })).toEqual(expected);
});

test.each<[string, (template: object) => object]>([
  ['Deployment', (it) => ({ template: it })],
  ['StatefulSet', (it) => ({ template: it })],
  ['DaemonSet', (it) => ({ template: it })],
  ['Job', (it) => ({ template: it })],
  ['CronJob', (it) => ({ jobTemplate: { spec: { template: it } } })],
  ['Pod', (it) => (it as { spec: object }).spec],
])('a %s has pods, of which each container counts', (kind, spec) => {
  const pod = { ...template(GOOD), spec: { initContainers: [{ ...GOOD, name: 'b', image: 'b:1' }], containers: [GOOD] } };
  const headless = [service({ clusterIP: 'None' })];
  expect(annotations(kind, { ...spec(pod), ...(kind === 'StatefulSet' && { serviceName: 'a' }) }, { beside: headless })).toMatchObject({ 'checkov.io/skip1': DIGESTS });
});

test('what has no pods has no annotations', () => {
  expect(annotations('ConfigMap', {})).toBeUndefined();
  expect(annotations('NetworkPolicy', { podSelector: {} })).toBeUndefined();
});

describe('probes', () => {
  const ignored = (livenessProbe: object, readinessProbe: object | undefined, kind = 'DaemonSet') => annotations(kind, { template: template({ ...GOOD, livenessProbe, readinessProbe }) });
  const same = { 'kube-score/ignore': 'pod-probes-identical' };
  const [http, tcp, exec] = [{ httpGet: { path: '/health', port: 'http' } }, { tcpSocket: { port: 80 } }, { exec: { command: ['a', 'b'] } }];

  test.each([[http, { httpGet: { path: '/health', port: 'metrics' } }], [tcp, tcp], [exec, exec], [{ ...http, periodSeconds: 5 }, http]])('that are the same to kube-score: %j and %j', (liveness, readiness) => {
    expect(ignored(liveness, readiness)).toEqual(same);
    expect(ignored(liveness, readiness, 'Job')).toBeUndefined();
  });

  test.each([[http, { httpGet: { path: '/ready', port: 'http' } }], [http, { httpGet: { path: '/health', port: 80 } }], [tcp, { tcpSocket: { port: 81 } }], [exec, { exec: { command: ['a'] } }], [http, tcp], [http, undefined]])('that are not: %j and %j', (liveness, readiness) => {
    expect(ignored(liveness, readiness)).toBeUndefined();
  });
});

describe('one pod of a Deployment', () => {
  const replicas = (count: number | undefined, ...beside: ((chart: Chart) => unknown)[]) => annotations('Deployment', { replicas: count, template: template(GOOD) }, { beside });
  const few = { 'kube-score/ignore': 'deployment-replicas' };
  const scaler = (chart: Chart) => new ApiObject(chart, 'Scaler', { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', metadata: { name: 'a' }, spec: { scaleTargetRef: { kind: 'Deployment', name: 'a' } } } as object as never);

  test('is told where a Service sends requests to it', () => {
    expect(replicas(1, service())).toEqual(few);
    expect(replicas(undefined, service())).toEqual(few);
  });

  test('is not told for two, without a Service, with another one, or where it is scaled', () => {
    expect(replicas(2, service())).toBeUndefined();
    expect(replicas(1)).toBeUndefined();
    expect(replicas(1, service({ selector: { app: 'b' } }))).toBeUndefined();
    expect(replicas(1, service({}, { namespace: 'other' }))).toBeUndefined();
    expect(replicas(undefined, service(), scaler)).toBeUndefined();
  });
});

describe('the Service of a StatefulSet', () => {
  const governed = (...beside: ((chart: Chart) => unknown)[]) => annotations('StatefulSet', { serviceName: 'a', template: template(GOOD) }, { beside });

  test('is fine without an address', () => expect(governed(service({ clusterIP: 'None' }))).toBeUndefined());

  test('is told with an address, of other pods, or where there is none', () => {
    for (const beside of [[service()], [service({ clusterIP: 'None', selector: { app: 'b' } })], [service({ clusterIP: 'None' }, { name: 'b' })], []]) {
      expect(governed(...beside)).toEqual({ 'kube-score/ignore': 'statefulset-has-servicename' });
    }
  });
});

describe('annotations that are there', () => {
  test('stay, and what they say is not said again', () => {
    const mine = { 'checkov.io/skip1': 'CKV_K8S_43=We say so', 'checkov.io/skip3': 'CKV_K8S_8=Too', 'kube-score/ignore': 'pod-probes', 'example.com/team': 'vision' };
    const container = { name: 'a', image: 'a:1', env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'a', key: 'b' } } }] };
    expect(ofDeployment(container, { metadata: { annotations: mine } })).toEqual({ ...mine, 'checkov.io/skip2': PULL, 'checkov.io/skip4': ENV });
  });

  test('stay where they were added by a call before, or by a patch', () => {
    const chart = Testing.chart();
    const object = new Deployment(chart, 'Object', { metadata: { name: 'x', annotations: { a: 'b' } }, spec: { selector: { matchLabels: { app: 'a' } }, template: template({ name: 'a', image: 'a:1' }) as k8s.PodTemplateSpec } });
    object.addJsonPatch(JsonPatch.add('/metadata/annotations/checkov.io~1skip1', 'CKV_K8S_15=Patched'));
    LinterAnnotations.add(chart);
    const [first] = Testing.synth(chart);
    expect(first.metadata.annotations).toEqual({ a: 'b', 'checkov.io/skip1': 'CKV_K8S_15=Patched', 'checkov.io/skip2': DIGESTS, 'kube-score/ignore': 'container-image-pull-policy' });
    LinterAnnotations.add(chart);
    expect(Testing.synth(chart)).toEqual([first]);
  });
});

test('are for what is below the scope only', () => {
  const chart = Testing.chart();
  const make = (id: string) => {
    const scope = new Construct(chart, id);
    new ApiObject(scope, 'Job', { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: id }, spec: { template: template({ name: 'a', image: 'a:1' }) } } as object as never);
    return scope;
  };
  make('other');
  LinterAnnotations.add(make('mine'));
  expect(Testing.synth(chart).map(({ metadata }) => [metadata.name, metadata.annotations !== undefined])).toEqual([['other', false], ['mine', true]]);
});

test('an object that cannot be rendered is left to the synth, which tells what is wrong', () => {
  const chart = Testing.chart();
  const object = new Deployment(chart, 'Object', { metadata: { name: 'x' }, spec: { selector: {}, template: {} } });
  object.addJsonPatch(JsonPatch.remove('/nowhere/at/all'));
  expect(() => LinterAnnotations.add(chart)).not.toThrow();
  expect(() => Testing.synth(chart)).toThrow('[test/Object] JSON patch: got remove "/nowhere/at/all"');
});
