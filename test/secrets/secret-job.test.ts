import { Chart, Testing } from 'cdk8s';
import { Construct } from 'constructs';
import { FILL_SECRETS_PY, OUTDATED_PODS_PY, SECRET_API_PY } from '../../lib/assets.generated';
import { fingerprint } from '../../lib/kube/hash';
import { ImageSource } from '../../lib/kube/image-source';
import { PodSettings } from '../../lib/kube/pod-settings';
import { ProgramsChart } from '../../lib/kube/programs-chart';
import { PropChecks } from '../../lib/validation/prop-checks';
import { SecretJob, SecretJobProps, Step, secretRules } from '../../lib/secrets/secret-job';
import { Manifests, containers, get, ofKind } from '../helpers';

const step = (name: string, more: Partial<Step> = {}): Step => ({ name, image: `${name}:1`, command: ['python3', 'cats.py', name], env: [], ...more });

function synth(props: Partial<SecretJobProps> = {}, images: object = {}, pod: object = {}) {
  const chart = Testing.chart();
  const job = makeJob(chart, props, images, pod);
  return { job, objects: Testing.synth(chart) };
}

function makeJob(chart: Chart, props: Partial<SecretJobProps> = {}, images: object = {}, pod: object = {}) {
  const checks = new PropChecks(new Construct(chart, 'Part'));
  const source = new ImageSource(checks, images);
  return new SecretJob(chart, 'Job', {
    part: { name: 'cats', instance: 'mlflow', component: 'cat-filler', image: 'cats:1' },
    name: 'cats',
    namespace: 'here',
    images: source,
    pod: new PodSettings(checks, pod, source),
    rules: secretRules(['cats'], []),
    script: { name: 'cats.py', text: 'pass\n' },
    steps: [step('first', { usesApi: true }), step('second'), step('last', { usesApi: true })],
    volumes: [],
    ...props,
  });
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
  const mount = { name: 'api-access', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' };
  expect(containers(get(objects, 'Job', 'cats')).map(({ volumeMounts }) => volumeMounts.some((other: object) => JSON.stringify(other) === JSON.stringify({ mountPath: mount.mountPath, name: mount.name })))).toEqual([true, false, true]);
  expect(spec.volumes.at(-1)).toEqual({
    name: 'api-access',
    projected: {
      sources: [
        { serviceAccountToken: { path: 'token', expirationSeconds: 3600 } },
        { configMap: { name: 'kube-root-ca.crt' } },
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

test('its name changes with its script, which the pods read from a ConfigMap', () => {
  const nameOf = (props?: Partial<SecretJobProps>): string => ofKind(synth(props).objects, 'Job')[0].metadata.name;
  expect(nameOf()).toMatch(/^cats-[0-9a-f]{10}$/);
  expect(nameOf()).toBe(nameOf());
  expect(nameOf({ script: { name: 'cats.py', text: 'print()\n' } })).not.toBe(nameOf());
  expect(get(synth().objects, 'ConfigMap', 'cats').data).toEqual({ 'cats.py': 'pass\n' });
});

test('it never gives up: an apply would not start it again', () => {
  const { spec } = get(synth().objects, 'Job', 'cats');
  expect(spec.backoffLimit).toBe(2147483647);
  expect(spec.template.spec.restartPolicy).toBe('OnFailure');
  expect(spec).not.toHaveProperty('activeDeadlineSeconds');
});

const FILLS = [FILL_SECRETS_PY, OUTDATED_PODS_PY, SECRET_API_PY];

describe('the scripts', () => {
  const scriptsOf = (objects: Manifests, name = 'cats') => get(objects, 'Job', name).spec.template.spec.volumes.find((volume: { name: string }) => volume.name === 'scripts');
  const checksumOf = (objects: Manifests) => get(objects, 'Job', 'cats').spec.template.metadata.annotations['checksum/scripts'];

  test('are its own and the one that fills Secrets, in one folder, with a checksum of both', () => {
    const { job, objects } = synth();
    expect(scriptsOf(objects)).toEqual({ name: 'scripts', projected: { sources: [{ configMap: { name: 'cats' } }, { configMap: { name: 'mlflow-fill-secrets' } }] } });
    expect([job.scripts.name, job.fillSecretsScript.name]).toEqual(['cats', 'mlflow-fill-secrets']);
    expect(checksumOf(objects)).toBe(fingerprint([...FILLS, 'pass\n'].map(fingerprint)));
  });

  test('are the one that fills Secrets, where it has none of its own', () => {
    const { job, objects } = synth({ script: undefined });
    expect(scriptsOf(objects)).toEqual({ name: 'scripts', configMap: { name: 'mlflow-fill-secrets' } });
    expect(ofKind(objects, 'ConfigMap').map(({ metadata }) => metadata.name)).toEqual(['mlflow-fill-secrets']);
    expect(job.scripts).toBe(job.fillSecretsScript);
    expect(checksumOf(objects)).toBe(fingerprint(FILLS.map(fingerprint)));
  });

  test('stand in the ProgramsChart of the chart, where there is one', () => {
    const app = Testing.app();
    const chart = new Chart(app, 'mlflow');
    const programs = new ProgramsChart(app, 'mlflow-programs', { chart });
    makeJob(chart);
    expect(ofKind(Testing.synth(chart), 'ConfigMap')).toEqual([]);
    expect(Testing.synth(programs).map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual(['ConfigMap mlflow-fill-secrets', 'ConfigMap cats']);
  });
});

test('a policy, where there is one, lets it to the API server and to what is given, and nobody in', () => {
  expect(ofKind(synth().objects, 'NetworkPolicy')).toEqual([]);
  expect(synth().job.networkPolicy).toBeUndefined();
  const { objects, job } = synth({ egress: [{ to: [{ podSelector: {} }] }] });
  const { podSelector, policyTypes, egress, ...rest } = get(objects, 'NetworkPolicy', 'cats').spec;
  expect([podSelector, policyTypes, rest]).toEqual([{ matchLabels: job.connections.podLabels }, ['Ingress', 'Egress'], {}]);
  expect(egress.slice(1)).toEqual([{ ports: [443, 6443, 8443, 16443].map((port) => ({ protocol: 'TCP', port })) }, { to: [{ podSelector: {} }] }]);
});
