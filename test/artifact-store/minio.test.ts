import { ApiObject, Chart, Testing } from 'cdk8s';
import { Credentials, Images, Minio, MinioProps } from '../../lib';
import { MAKE_BUCKET_SH } from '../../lib/assets.generated';
import { containers, faults, get, ofKind, shape, workloads } from '../helpers';

function synth(props?: MinioProps) {
  const chart = Testing.chart();
  const minio = new Minio(chart, 'Minio', props);
  const objects = Testing.synth(chart);
  const name = props?.name ?? 'minio';
  const [server] = containers(get(objects, 'StatefulSet', name));
  const [, tool] = containers(get(objects, 'Job', `${name}-bootstrap`));
  return { minio, objects, server, tool };
}

test('the whole store', () => {
  expect(shape(synth().objects)).toMatchSnapshot();
});

test('what it tells the tracking server', () => {
  const { minio } = synth();
  expect(minio.artifactsDestination).toBe('s3://mlflow-bucket');
  expect(minio.environment).toEqual([
    { name: 'AWS_ACCESS_KEY_ID', valueFrom: { secretKeyRef: { name: 'minio-user', key: 'AWS_ACCESS_KEY_ID' } } },
    { name: 'AWS_SECRET_ACCESS_KEY', valueFrom: { secretKeyRef: { name: 'minio-user', key: 'AWS_SECRET_ACCESS_KEY' } } },
    { name: 'MLFLOW_S3_ENDPOINT_URL', value: 'http://minio.mlflow.svc.cluster.local:9000' },
    { name: 'AWS_DEFAULT_REGION', value: 'us-east-1' },
    { name: 'AWS_REGION', value: 'us-east-1' },
  ]);
  expect(minio.secretNamespace).toBe('mlflow');
});

describe('the user may come after the tracking server', () => {
  test('not where the cluster makes up the keys: their Secret is filled after the user is made', () => {
    expect(synth().minio.userMayComeLate).toBe(false);
    const chart = Testing.chart();
    expect(new Minio(chart, 'Minio', { credentials: new Credentials(chart, 'Keys', { secretName: 'keys' }) }).userMayComeLate).toBe(false);
  });

  test('where the keys are there before the Job has made their user', () => {
    const chart = Testing.chart();
    const credentials = Credentials.fromSecretName(chart, 'Keys', 'keys');
    expect(new Minio(chart, 'Minio', { credentials }).userMayComeLate).toBe(true);
  });

  test('whatever the root credentials are', () => {
    const chart = Testing.chart();
    const rootCredentials = Credentials.fromSecretName(chart, 'Root', 'root');
    expect(new Minio(chart, 'Minio', { rootCredentials }).userMayComeLate).toBe(false);
  });
});

test('what it tells everybody', () => {
  const { minio } = synth({ namespace: 'team-a', name: 'files', bucket: 'models', region: 'eu-west-1' });
  expect(minio).toMatchObject({
    namespace: 'team-a',
    bucket: 'models',
    region: 'eu-west-1',
    endpointUrl: 'http://files.team-a.svc.cluster.local:9000',
    artifactsDestination: 's3://models',
  });
  expect(ApiObject.of(minio)).toBe(minio.statefulSet);
  expect(minio.service.name).toBe('files');
});

test('the server', () => {
  const { server } = synth();
  expect(server.image).toBe(Images.MINIO);
  expect(server.args).toEqual(['server', '/data', '--console-address=:9001']);
  expect(server).not.toHaveProperty('command');
  expect(server.ports).toEqual([
    { name: 's3', containerPort: 9000 },
    { name: 'console', containerPort: 9001 },
  ]);
  expect(server.env).toEqual([
    { name: 'MINIO_ROOT_USER', valueFrom: { secretKeyRef: { name: 'minio-root', key: 'username' } } },
    { name: 'MINIO_ROOT_PASSWORD', valueFrom: { secretKeyRef: { name: 'minio-root', key: 'password' } } },
    { name: 'MINIO_SITE_REGION', value: 'us-east-1' },
    { name: 'MINIO_UPDATE', value: 'off' },
    { name: 'HOME', value: '/tmp' },
  ]);
  expect(server.volumeMounts).toContainEqual({ name: 'data', mountPath: '/data' });
});

test('the Service leads to the API and to the console', () => {
  const { objects } = synth();
  expect(get(objects, 'Service', 'minio').spec).toMatchObject({
    type: 'ClusterIP',
    ports: [
      { name: 's3', port: 9000, targetPort: 's3' },
      { name: 'console', port: 9001, targetPort: 'console' },
    ],
  });
});

test('the Job makes the bucket', () => {
  const { objects, tool } = synth();
  expect(get(objects, 'ConfigMap', 'minio-bootstrap').data['make-bucket.sh']).toBe(MAKE_BUCKET_SH);
  expect(tool.image).toBe(Images.MINIO);
  expect(tool.command).toEqual(['/bin/bash', '/scripts/make-bucket.sh']);
  expect(tool.env).toEqual([
    { name: 'CREDENTIALS_DIR', value: '/credentials' },
    { name: 'STORE_URL', value: 'http://minio.mlflow.svc.cluster.local:9000' },
    { name: 'STORE_NAME', value: 'minio' },
    { name: 'BUCKET', value: 'mlflow-bucket' },
    { name: 'REGION', value: 'us-east-1' },
    { name: 'POLICY', value: 'mlflow-bucket-only' },
    { name: 'ADMIN_SECRET', value: 'minio-root' },
    { name: 'DEADLINE_SECONDS', value: '600' },
  ]);
});

test('the name stands in the names of all objects', () => {
  const names = synth({ name: 'files' }).objects.map(({ kind, metadata }) => `${kind} ${metadata.name.replace(/-[0-9a-f]{10}$/, '-*')}`);
  expect(names).toEqual([
    'Secret files-root',
    'Secret files-user',
    'Service files',
    'StatefulSet files',
    'ServiceAccount files-bootstrap',
    'Role files-bootstrap',
    'RoleBinding files-bootstrap',
    'ConfigMap files-bootstrap',
    'Job files-bootstrap-*',
  ]);
});

test('bucket and region reach server, Job and clients', () => {
  const { minio, server, tool } = synth({ bucket: 'models', region: 'eu-west-1' });
  expect(server.env).toContainEqual({ name: 'MINIO_SITE_REGION', value: 'eu-west-1' });
  for (const variable of [
    { name: 'BUCKET', value: 'models' },
    { name: 'REGION', value: 'eu-west-1' },
    { name: 'POLICY', value: 'models-only' },
  ]) {
    expect(tool.env).toContainEqual(variable);
  }
  expect(minio.environment).toEqual(
    expect.arrayContaining([
      { name: 'AWS_DEFAULT_REGION', value: 'eu-west-1' },
      { name: 'AWS_REGION', value: 'eu-west-1' },
    ]),
  );
});

test('another image runs the server and its client, and is the version of the server', () => {
  const { objects, server, tool } = synth({ image: 'registry.example.com/minio:v9' });
  expect([server.image, tool.image]).toEqual(['registry.example.com/minio:v9', 'registry.example.com/minio:v9']);
  expect(get(objects, 'StatefulSet', 'minio').metadata.labels['app.kubernetes.io/version']).toBe('v9');
});

test('the root user is known to the server and to the Job only', () => {
  const chart = Testing.chart();
  const rootCredentials = Credentials.fromSecretName(chart, 'Root', 'my-root', { usernameKey: 'id', passwordKey: 'key' });
  const minio = new Minio(chart, 'Minio', { rootCredentials });
  const objects = Testing.synth(chart);
  const [server] = containers(get(objects, 'StatefulSet', 'minio'));
  expect(server.env.slice(0, 2)).toEqual([
    { name: 'MINIO_ROOT_USER', valueFrom: { secretKeyRef: { name: 'my-root', key: 'id' } } },
    { name: 'MINIO_ROOT_PASSWORD', valueFrom: { secretKeyRef: { name: 'my-root', key: 'key' } } },
  ]);
  expect(JSON.stringify(minio.environment)).not.toContain('my-root');
  expect(ofKind(objects, 'Secret').map(({ metadata }) => metadata.name)).toEqual(['minio-user']);
  expect(minio.rootCredentials).toBe(rootCredentials);
});

test('the namespace is that of the chart', () => {
  const chart = new Chart(Testing.app(), 'test', { namespace: 'from-chart' });
  expect(new Minio(chart, 'Minio').endpointUrl).toBe('http://minio.from-chart.svc.cluster.local:9000');
});

test('the StatefulSet is one pod, named after the Service', () => {
  const [statefulSet] = ofKind(workloads(synth().objects), 'StatefulSet');
  expect(statefulSet.spec).toMatchObject({ serviceName: 'minio', replicas: 1 });
});

test.each<[unknown, string]>([
  ['', '""'],
  ['US-East-1', '"US-East-1"'],
  ['eu west', '"eu west"'],
  ['eu_west', '"eu_west"'],
  ['-eu', '"-eu"'],
  ['eu-', '"eu-"'],
  ['a'.repeat(64), `"${'a'.repeat(64)}"`],
])('the region %j is refused', (region, got) => {
  const chart = Testing.chart();
  new Minio(chart, 'Minio', { region: region as string });
  expect(faults(chart)).toEqual([
    `[test/Minio] region: got ${got}. Rule: a region has lower-case letters, digits and hyphens ` +
      '(https://docs.aws.amazon.com/general/latest/gr/rande.html). Fix: pass a region such as "us-east-1".',
  ]);
});

test.each<[keyof MinioProps, unknown, string]>([
  ['name', 'Minio', '"Minio"'],
  ['name', 'a'.repeat(43), `"${'a'.repeat(43)}"`],
  ['image', 'silo', '"silo"'],
  ['bucket', 'My_Bucket', '"My_Bucket"'],
  ['storageSize', '10Gi', '"10Gi"'],
])('%s cannot be %j', (prop, value, got) => {
  const chart = Testing.chart();
  new Minio(chart, 'Minio', { [prop]: value });
  expect(faults(chart)).toContainEqual(expect.stringMatching(`^\\[test/Minio\\] ${prop}: got ${got}\\. Rule: .+\\. Fix: .+\\.$`));
});

test('root credentials of another namespace are a fault', () => {
  const chart = Testing.chart();
  new Minio(chart, 'Minio', { rootCredentials: new Credentials(chart, 'Root', { secretName: 'root', namespace: 'other' }) });
  expect(faults(chart)).toEqual([
    '[test/Minio] rootCredentials: got "Secret \\"root\\" in namespace \\"other\\"". Rule: a pod reads Secrets of its own namespace only, here "mlflow" ' +
      '(https://kubernetes.io/docs/concepts/configuration/secret/). Fix: pass credentials with namespace "mlflow".',
  ]);
});
