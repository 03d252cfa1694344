import { Testing } from 'cdk8s';
import { Construct } from 'constructs';
import { FILL_SECRETS_PY } from '../../lib/assets.generated';
import { ImageSource } from '../../lib/kube/image-source';
import { PodSettings } from '../../lib/kube/pod-settings';
import { PropChecks } from '../../lib/validation/prop-checks';
import { GeneratedSecret, GeneratedSecretProps } from '../../lib/secrets/generated-secret';
import { containers, get, ofKind } from '../helpers';

function synth(props: Partial<GeneratedSecretProps> = {}) {
  const chart = Testing.chart();
  const checks = new PropChecks(new Construct(chart, 'Part'));
  const images = new ImageSource(checks, {});
  const generated = new GeneratedSecret(chart, 'Keys', {
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
  return { generated, objects: Testing.synth(chart) };
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
  expect(get(objects, 'ConfigMap', 'cats-keys-bootstrap').data).toEqual({ 'fill-secrets.py': FILL_SECRETS_PY });
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
