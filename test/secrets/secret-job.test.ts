import { Testing } from 'cdk8s';
import { Construct } from 'constructs';
import { ImageSource } from '../../lib/kube/image-source';
import { PodSettings } from '../../lib/kube/pod-settings';
import { PropChecks } from '../../lib/validation/prop-checks';
import { SecretJob, SecretJobProps, Step, secretRules } from '../../lib/secrets/secret-job';
import { containers, get, ofKind } from '../helpers';

const step = (name: string, more: Partial<Step> = {}): Step => ({ name, image: `${name}:1`, command: ['python3', 'cats.py', name], env: [], ...more });

function synth(props: Partial<SecretJobProps> = {}, images: object = {}, pod: object = {}) {
  const chart = Testing.chart();
  const checks = new PropChecks(new Construct(chart, 'Part'));
  const source = new ImageSource(checks, images);
  const job = new SecretJob(chart, 'Job', {
    part: { name: 'cats', instance: 'mlflow', component: 'cat-filler', image: 'cats:1' },
    name: 'cats',
    namespace: 'here',
    images: source,
    pod: new PodSettings(checks, pod, source),
    rules: secretRules(['cats'], []),
    scripts: { 'cats.py': 'pass\n' },
    steps: [step('first', { usesApi: true }), step('second'), step('last', { usesApi: true })],
    volumes: [],
    ...props,
  });
  return { job, objects: Testing.synth(chart) };
}

test('the steps run one after the other', () => {
  const { spec } = get(synth().objects, 'Job', 'cats').spec.template;
  expect(spec.initContainers.map(({ name }: { name: string }) => name)).toEqual(['first', 'second']);
  expect(spec.containers.map(({ name, command }: { name: string; command: string[] }) => [name, command])).toEqual([['last', ['python3', '/scripts/cats.py', 'last']]]);
  expect(spec.restartPolicy).toBe('OnFailure');
  expect(get(synth({ steps: [step('only')] }).objects, 'Job', 'cats').spec.template.spec).not.toHaveProperty('initContainers');
});

test('a token, good for an hour, is mounted where a step talks to the API server, and nowhere else', () => {
  const { objects } = synth();
  const { spec } = get(objects, 'Job', 'cats').spec.template;
  expect(spec).toMatchObject({ serviceAccountName: 'cats', automountServiceAccountToken: false, enableServiceLinks: false });
  expect(get(objects, 'ServiceAccount', 'cats').automountServiceAccountToken).toBe(false);
  const mount = { name: 'api-access', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true };
  expect(containers(get(objects, 'Job', 'cats')).map(({ volumeMounts }) => volumeMounts.some((other: object) => JSON.stringify(other) === JSON.stringify({ mountPath: mount.mountPath, name: mount.name, readOnly: true })))).toEqual([true, false, true]);
  expect(spec.volumes.at(-1)).toEqual({
    name: 'api-access',
    projected: {
      sources: [
        { serviceAccountToken: { path: 'token', expirationSeconds: 3600 } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
      ],
    },
  });
});

test('its ServiceAccount has the rights of its Role, in its namespace', () => {
  const { objects } = synth({ rules: secretRules(['mine'], ['theirs']) });
  expect(get(objects, 'Role', 'cats').rules).toEqual([
    { apiGroups: [''], resources: ['secrets'], resourceNames: ['mine'], verbs: ['get', 'patch'] },
    { apiGroups: [''], resources: ['secrets'], resourceNames: ['theirs'], verbs: ['get'] },
  ]);
  expect(get(objects, 'RoleBinding', 'cats')).toMatchObject({ roleRef: { kind: 'Role', name: 'cats' }, subjects: [{ kind: 'ServiceAccount', name: 'cats', namespace: 'here' }] });
});

test.each([
  [[], []],
  [['a'], []],
  [[], ['b']],
])('a rule without names would be for all Secrets, and there is none: %j, %j', (filled, read) => {
  const rules = secretRules(filled, read);
  expect(rules).toHaveLength(filled.length + read.length);
  for (const { resourceNames } of rules) expect(resourceNames).toHaveLength(1);
});

test('images, their policy and their login, and the place of pods', () => {
  const { spec, metadata } = get(synth({}, { pullPolicy: 'Always', pullSecrets: ['login'] }, { nodeSelector: { disk: 'ssd' }, labels: { team: 'a' }, affinity: { nodeAffinity: {} } }).objects, 'Job', 'cats').spec.template;
  expect(spec).toMatchObject({ imagePullSecrets: [{ name: 'login' }], nodeSelector: { disk: 'ssd' } });
  expect(spec).not.toHaveProperty('affinity');
  expect([...spec.initContainers, ...spec.containers].map(({ imagePullPolicy }: { imagePullPolicy: string }) => imagePullPolicy)).toEqual(['Always', 'Always', 'Always']);
  expect(metadata.labels).toEqual({ team: 'a', 'app.kubernetes.io/name': 'cats', 'app.kubernetes.io/instance': 'mlflow', 'app.kubernetes.io/component': 'cat-filler' });
});

test('its name changes with its scripts, which the pods read from a ConfigMap', () => {
  const nameOf = (props?: Partial<SecretJobProps>): string => ofKind(synth(props).objects, 'Job')[0].metadata.name;
  expect(nameOf()).toMatch(/^cats-[0-9a-f]{10}$/);
  expect(nameOf()).toBe(nameOf());
  expect(nameOf({ scripts: { 'cats.py': 'print()\n' } })).not.toBe(nameOf());
  expect(get(synth().objects, 'ConfigMap', 'cats').data).toEqual({ 'cats.py': 'pass\n' });
});

test('a policy, where there is one, lets it to the API server and to what is given, and nobody in', () => {
  expect(ofKind(synth().objects, 'NetworkPolicy')).toEqual([]);
  expect(synth().job.networkPolicy).toBeUndefined();
  const { objects, job } = synth({ egress: [{ to: [{ podSelector: {} }] }] });
  const { podSelector, policyTypes, egress, ...rest } = get(objects, 'NetworkPolicy', 'cats').spec;
  expect([podSelector, policyTypes, rest]).toEqual([{ matchLabels: job.podLabels }, ['Ingress', 'Egress'], {}]);
  expect(egress.slice(1)).toEqual([{ ports: [443, 6443, 8443, 16443].map((port) => ({ protocol: 'TCP', port })) }, { to: [{ podSelector: {} }] }]);
});
