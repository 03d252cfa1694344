import { Chart, Lazy, Testing } from 'cdk8s';
import * as plus from 'cdk8s-plus-28';
import { MlflowStack, MlflowStackProps } from '../../lib';
import { containers, faults, get } from '../helpers';

// Objects of cdk8s-plus where a name, an option or an object of Kubernetes is wanted. With the other versions of it: test/consumers.

function told(props: (chart: Chart) => object): string[] {
  const chart = new Chart(Testing.app(), 'ml', { namespace: 'ml' });
  new MlflowStack(chart, 'Stack', props(chart) as MlflowStackProps);
  return faults(chart);
}
const pod = (options: object) => ({ trackingServer: { pod: options } });
const account = (chart: Chart) => new plus.ServiceAccount(chart, 'Other', { metadata: { name: 'other' } });
const secret = (chart: Chart) => new plus.Secret(chart, 'Other', { metadata: { name: 'other' } });
const volume = (chart: Chart) => plus.Volume.fromEmptyDir(chart, 'Other', 'scratch');

test.each<[string, (chart: Chart) => object, string, string]>([
  ['a ServiceAccount as options', (chart) => ({ serviceAccount: account(chart) }), 'props: got the construct "ml/Other". Rule: it is a plain object, and no construct', 'such as { create: false, name: … } with the name of this construct'],
  ['a ServiceAccount as a name', (chart) => ({ serviceAccount: { create: false, name: account(chart) } }), 'name: got the construct "ml/Other". Rule: the name of an object is', 'pass the name of this construct'],
  ['a Secret as a name', (chart) => ({ ingress: { hosts: ['a.example.com'], tls: { secretName: secret(chart) } } }), 'tls.secretName: got the construct "ml/Other"', 'pass the name of this construct'],
  ['a Namespace', (chart) => ({ namespace: new plus.Namespace(chart, 'Other') }), 'namespace: got the construct "ml/Other". Rule: a namespace is', 'pass the name of this construct'],
  ['a Volume', (chart) => pod({ volumes: [volume(chart)] }), 'pod.volumes[0]: got the construct "ml/Other". Rule: a volume is one of the API', '{ name: "scratch", emptyDir: {} }'],
  ['the labels of pods as client', (chart) => ({ trackingServer: { networkPolicy: { clients: [plus.Pods.select(chart, 'Other', { labels: { app: 'a' } })] } } }), 'networkPolicy.clients[0]: got the construct "ml/Other". Rule: a peer is one of the API', '{ podSelector: { matchLabels: { app: "reports" } } }'],
  ['an EnvValue', () => ({ trackingServer: { extraEnv: [{ name: 'A', value: plus.EnvValue.fromValue('s3cr3t') }] } }), 'extraEnv[0].value: got an object with value, valueFrom', '{ name: "A", ...value }'],
  ['an EnvValue of a sidecar', () => pod({ sidecars: [{ name: 'a', image: 'a:1', env: [{ name: 'A', value: plus.EnvValue.fromValue('s3cr3t') }] }] }), 'pod.sidecars[0].env[0].value: got an object with value, valueFrom', '{ name: "A", ...value }'],
  ['a number in a sidecar', () => pod({ sidecars: [{ name: 'a', image: 'a:1', env: [{ name: 'A', value: 5 }] }] }), 'pod.sidecars[0].env[0].value: got a number', 'such as "5" or "true"'],
  ['a Secret in a variable', (chart) => ({ trackingServer: { extraEnv: [{ name: 'A', valueFrom: { secretKeyRef: { name: secret(chart), key: 'k' } } }] } }), 'extraEnv[0].valueFrom.secretKeyRef.name: got the construct "ml/Other"', 'pass the name of this construct'],
  ['an EnvValue as valueFrom', () => ({ trackingServer: { extraEnv: [{ name: 'A', valueFrom: plus.EnvValue.fromValue('s3cr3t') }] } }), 'extraEnv[0].valueFrom: got an object with value, valueFrom', '{ name: …, ...value }'],
  ['a Secret as source of variables', (chart) => ({ trackingServer: { envFrom: [{ secretRef: secret(chart) }] } }), 'envFrom[0].secretRef: got the construct "ml/Other"', 'pass the name of this construct'],
  ['a Secret in a source of variables', (chart) => ({ trackingServer: { envFrom: [{ secretRef: { name: secret(chart) } }] } }), 'envFrom[0].secretRef.name: got the construct "ml/Other"', 'pass the name of this construct'],
  ['a name as reference', () => ({ trackingServer: { envFrom: [{ secretRef: 'provider' }] } }), 'envFrom[0].secretRef: got a string. Rule: a reference is an object', 'pass { name: "my-secret" }'],
  ['a name as reference of a key', () => ({ trackingServer: { extraEnv: [{ name: 'A', valueFrom: { secretKeyRef: 'provider' } }] } }), 'extraEnv[0].valueFrom.secretKeyRef: got a string', 'pass { name: "my-secret", key: "value" }'],
  ['a ConfigMap in a volume', (chart) => pod({ volumes: [{ name: 'a', configMap: { name: new plus.ConfigMap(chart, 'Other', { metadata: { name: 'other' } }) } }] }), 'pod.volumes[0].configMap.name: got the construct "ml/Other"', 'pass the name of this construct'],
  ['a Secret in a sidecar', (chart) => pod({ sidecars: [{ name: 'a', image: 'a:1', env: [{ name: 'A', valueFrom: { secretKeyRef: { name: secret(chart), key: 'k' } } }] }] }), 'pod.sidecars[0].env[0].valueFrom.secretKeyRef.name: got the construct "ml/Other"', 'pass the name of this construct'],
  ['variables by their names', () => ({ trackingServer: { extraEnv: { A: 's3cr3t' } } }), 'extraEnv: got an object with A. Rule: it is a list', 'pass a list'],
  ['the props of a Container', () => pod({ sidecars: [{ name: 'a', image: 'a:1', envVariables: {} }] }), 'pod.sidecars[0].envVariables: got an object with nothing in it. Rule: there is no prop of this name', 'did you mean pod.sidecars[0].env?'],
  ['a field of a mount that is none', () => pod({ volumes: [{ name: 'a', emptyDir: {} }], volumeMounts: [{ name: 'a', mountPath: '/a', path: '/b' }] }), 'pod.volumeMounts[0].path: got a string. Rule: there is no prop of this name', 'mountPath'],
])('%s is one fault that says how', (_, props, got, fix) => {
  const messages = told(props);
  expect(messages).toEqual([expect.stringContaining(got)]);
  expect(messages[0]).toContain(fix);
  expect(messages[0]).not.toContain('s3cr3t');
});

test('an EnvValue that is spread into a variable, and what is known at synth only, are taken', () => {
  const chart = new Chart(Testing.app(), 'ml', { namespace: 'ml' });
  const token = plus.EnvValue.fromSecretValue({ secret: secret(chart), key: 'token' });
  const late = { name: 'LATE', value: Lazy.any({ produce: () => 'b' }) as string };
  new MlflowStack(chart, 'Stack', { trackingServer: { extraEnv: [{ name: 'TOKEN', ...token }, late] } });
  const [{ env }] = containers(get(Testing.synth(chart), 'Deployment', 'mlflow'));
  expect(env).toEqual(expect.arrayContaining([{ name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'other', key: 'token' } } }, { name: 'LATE', value: 'b' }]));
});

test('an IntOrString is data, whatever a bundler makes of the name of its class', () => {
  class _A {
    public constructor(public readonly value: string | number) {}
  }
  const egress = [{ ports: [{ port: new _A(443) }, { port: plus.k8s.IntOrString.fromString('https') }] }];
  expect(told(() => ({ trackingServer: { networkPolicy: { egress: egress as plus.k8s.NetworkPolicyEgressRule[] } } }))).toEqual([]);
});

test('fields of a security context that are undefined leave the defaults', () => {
  const chart = new Chart(Testing.app(), 'ml', { namespace: 'ml' });
  new MlflowStack(chart, 'Stack', { trackingServer: { pod: { sidecars: [{ name: 'a', image: 'a:1', securityContext: { runAsUser: 65534, capabilities: undefined } }] } } });
  const sidecar = containers(get(Testing.synth(chart), 'Deployment', 'mlflow')).find(({ name }) => name === 'a')!;
  expect(sidecar.securityContext).toEqual({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, readOnlyRootFilesystem: true, runAsUser: 65534 });
});
