import { Chart, Testing } from 'cdk8s';
import { Construct } from 'constructs';
import { FILL_SECRETS_PY } from '../../lib/assets.generated';
import { ImageSource } from '../../lib/kube/image-source';
import { PodSettings } from '../../lib/kube/pod-settings';
import { PropChecks } from '../../lib/validation/prop-checks';
import { GeneratedSecret, GeneratedSecretProps } from '../../lib/secrets/generated-secret';
import { Credentials, Minio } from '../../lib';
import { containers, faults, get, ofKind } from '../helpers';

function synth(props: Partial<GeneratedSecretProps> = {}) {
  const chart = Testing.chart();
  const generated = secret(chart, props);
  return { generated, objects: Testing.synth(chart) };
}

function secret(chart: Chart, props: Partial<GeneratedSecretProps> = {}) {
  const checks = new PropChecks(new Construct(chart, 'Part'));
  const images = new ImageSource(checks, {});
  return new GeneratedSecret(chart, 'Keys', {
    part: { name: 'cats', instance: 'mlflow', component: 'door', image: 'cats:1' },
    secretName: 'cats-keys',
    namespace: 'here',
    values: { user: { text: 'tom' }, key: { length: 64 } },
    image: 'python:3.14',
    images,
    pod: new PodSettings(checks, {}, images),
    networkPolicy: true,
    ...props,
  });
}

test('the Secret is declared without a value', () => {
  expect(get(synth().objects, 'Secret', 'cats-keys')).toEqual({
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: {
      name: 'cats-keys',
      namespace: 'here',
      labels: expect.objectContaining({ 'app.kubernetes.io/component': 'door', 'app.kubernetes.io/instance': 'mlflow' }),
    },
  });
});

test('one container fills it, and may do nothing else', () => {
  const { objects } = synth();
  const job = get(objects, 'Job', 'cats-keys-bootstrap');
  expect(containers(job)).toMatchObject([
    {
      image: 'python:3.14',
      command: ['python3', '/scripts/fill-secrets.py', 'fill'],
      env: [{ name: 'SECRETS', value: JSON.stringify([{ secretName: 'cats-keys', values: { user: { text: 'tom' }, key: { length: 64 } } }]) }],
    },
  ]);
  expect(get(objects, 'ConfigMap', 'mlflow-fill-secrets').data).toEqual({ 'fill-secrets.py': FILL_SECRETS_PY });
  expect(get(objects, 'Role', 'cats-keys-bootstrap').rules).toEqual([{ apiGroups: [''], resources: ['secrets'], resourceNames: ['cats-keys'], verbs: ['get', 'patch'] }]);
  expect(job.spec.template.metadata.labels['app.kubernetes.io/component']).toBe('door-bootstrap');
});

test('the API server is all that it connects to, where there are policies', () => {
  expect(get(synth().objects, 'NetworkPolicy', 'cats-keys-bootstrap').spec.egress).toHaveLength(2);
  expect(ofKind(synth({ networkPolicy: false }).objects, 'NetworkPolicy')).toEqual([]);
});

test('the way to it is that to its Secret', () => {
  const { generated } = synth();
  expect(generated.node.defaultChild).toBe(generated.secret);
});

test('a Secret that a store in another chart of the app fills is a fault', () => {
  const app = Testing.app();
  const stores = new Chart(app, 'stores');
  new Minio(stores, 'Minio', { namespace: 'here', credentials: new Credentials(stores, 'Keys', { secretName: 'cats-keys', namespace: 'here' }) });
  const chart = new Chart(app, 'login');
  secret(chart);
  expect(faults(chart)).toContain(
    '[login/Keys] secretName: got "Secret \\"cats-keys\\" in namespace \\"here\\"". Rule: a generated Secret is for one user, and it is that of ' +
      'credentials of minio in [stores/Minio] already: the Job that fills it last would leave the other with values that its server does not know ' +
      '(InvalidAccessKeyId, password authentication failed). Fix: pass credentials of its own, such as new Credentials(…) with another secretName.',
  );
});
