import { ApiObject, Chart, Size, Testing } from 'cdk8s';
import { Credentials, ImagePullPolicy, Images, Minio, MinioProps } from '../../lib';
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

function names(list: { name: string }[]): string[] {
  return list.map(({ name }) => name);
}

test('the whole store', () => {
  expect(shape(synth().objects)).toMatchSnapshot();
});

test('the whole store with all its options', () => {
  const props: MinioProps = {
    prefix: 'mlflow',
    versioning: true,
    lifecycleRules: [{ noncurrentExpireDays: 30 }],
    quota: Size.gibibytes(8),
    console: false,
    tls: { secretName: 'minio-tls' },
  };
  expect(shape(synth(props).objects)).toMatchSnapshot();
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
  expect(server.args).toEqual(['server', '/data']);
  expect(server).not.toHaveProperty('command');
  expect(server.ports).toEqual([{ name: 's3', containerPort: 9000 }]);
  expect(server.env).toEqual([
    { name: 'MINIO_ROOT_USER', valueFrom: { secretKeyRef: { name: 'minio-root', key: 'username' } } },
    { name: 'MINIO_ROOT_PASSWORD', valueFrom: { secretKeyRef: { name: 'minio-root', key: 'password' } } },
    { name: 'MINIO_SITE_REGION', value: 'us-east-1' },
    { name: 'MINIO_UPDATE', value: 'off' },
    { name: 'MINIO_BROWSER', value: 'off' },
    { name: 'HOME', value: '/tmp' },
  ]);
  expect(server.volumeMounts).toContainEqual({ name: 'data', mountPath: '/data' });
});

test('the Service leads to the API, and to the console where there is one', () => {
  const { objects } = synth({ console: true });
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
    { name: 'ADMIN_SECRET_NAME', value: 'minio-root' },
  ]);
});

test('the name stands in the names of all objects', () => {
  const objects = synth({ name: 'files' }).objects.map(({ kind, metadata }) => `${kind} ${metadata.name.replace(/-[0-9a-f]{10}$/, '-*')}`);
  expect(objects).toEqual([
    'Secret files-root',
    'Secret files-user',
    'Service files',
    'Service files-headless',
    'StatefulSet files',
    'ServiceAccount files-bootstrap',
    'Role files-bootstrap',
    'RoleBinding files-bootstrap',
    'ConfigMap files-bootstrap',
    'Job files-bootstrap-*',
    'NetworkPolicy files-bootstrap',
    'NetworkPolicy files',
    'ConfigMap files-fill-secrets',
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

test('the StatefulSet is one pod', () => {
  const { objects } = synth();
  const [statefulSet] = ofKind(workloads(objects), 'StatefulSet');
  expect(statefulSet.spec.replicas).toBe(1);
});

test('a headless Service governs the StatefulSet, beside the one for clients', () => {
  const { minio, objects } = synth();
  expect(get(objects, 'StatefulSet', 'minio').spec.serviceName).toBe('minio-headless');
  expect(get(objects, 'Service', 'minio-headless').spec).toMatchObject({ clusterIP: 'None', publishNotReadyAddresses: true, selector: minio.podLabels });
  expect([minio.service.name, minio.headlessService.name]).toEqual(['minio', 'minio-headless']);
});

describe('several servers', () => {
  const several = (props: MinioProps = {}) => synth({ servers: 4, ...props });

  test('each knows all others by names that are there before they are', () => {
    const { objects, server } = several({ namespace: 'team-a', cluster: { domain: 'example.internal' } });
    expect(get(objects, 'StatefulSet', 'minio').spec).toMatchObject({ replicas: 4, podManagementPolicy: 'Parallel', serviceName: 'minio-headless' });
    expect(server.args).toEqual(['server', 'http://minio-{0...3}.minio-headless.team-a.svc.example.internal:9000/data']);
    expect(get(objects, 'Service', 'minio-headless').spec.publishNotReadyAddresses).toBe(true);
  });

  test('with TLS and short names too', () => {
    const { server } = several({ name: 'store', tls: { secretName: 'store-tls' }, cluster: { shortNames: true } });
    expect(server.args.slice(0, 2)).toEqual(['server', 'https://store-{0...3}.store-headless:9000/data']);
  });

  test('they are on different nodes if they can, and a drain takes one at a time', () => {
    const { minio, objects } = several();
    const [term] = get(objects, 'StatefulSet', 'minio').spec.template.spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution;
    expect(term.podAffinityTerm).toEqual({ topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: minio.podLabels } });
    expect(get(objects, 'PodDisruptionBudget', 'minio').spec).toEqual({ maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow', selector: { matchLabels: minio.podLabels } });
    expect(minio.disruptionBudget!.name).toBe('minio');
    expect(ofKind(synth().objects, 'PodDisruptionBudget')).toEqual([]);
  });

  test('they reach each other', () => {
    const { minio, objects } = several();
    const { ingress, egress } = get(objects, 'NetworkPolicy', 'minio').spec;
    const themselves = { podSelector: { matchLabels: minio.podLabels } };
    expect(ingress[0].from).toContainEqual(themselves);
    expect(egress).toContainEqual({ to: [themselves], ports: [{ port: 9000, protocol: 'TCP' }] });
  });

  test('each has a volume, and all are watched', () => {
    expect(several().minio.volumeClaims).toEqual(['data-minio-0', 'data-minio-1', 'data-minio-2', 'data-minio-3']);
  });

  test.each([
    [4, 40],
    [5, 60],
    [8, 80],
    [16, 240],
    [20, 240],
    [32, 480],
  ])('of %i servers with 20 GiB each, objects may take %i GiB', (servers, room) => {
    const told = (gibibytes: number) => {
      const chart = Testing.chart();
      new Minio(chart, 'Minio', { servers, storageSize: Size.gibibytes(20), quota: Size.gibibytes(gibibytes) });
      return faults(chart);
    };
    expect(told(room)).toEqual([]);
    expect(told(room + 1)).toEqual([expect.stringMatching(/quota: got "\d+Gi"\. Rule: a quota is not above the room for objects, here 0?\.\d+ of \d+ times storageSize = 20Gi/)]);
  });

  test.each([0, 2, 3, 17, 1.5, -4, '4'])('%j servers are a fault', (servers) => {
    const chart = Testing.chart();
    new Minio(chart, 'Minio', { servers: servers as number });
    expect(faults(chart)).toEqual([expect.stringMatching(/^\[test\/Minio\] servers: got .+ Rule: there is one server, or as many as make equal sets of 4 to 16 drives/)]);
  });
});

describe('the console', () => {
  test('is there where it is asked for', () => {
    const { minio, server } = synth({ console: true });
    expect(minio.consoleUrl).toBe('http://minio.mlflow.svc.cluster.local:9001');
    expect(server.args).toEqual(['server', '/data', '--console-address=:9001']);
    expect(names(server.ports)).toEqual(['s3', 'console']);
    expect(names(server.env)).not.toContain('MINIO_BROWSER');
  });

  test('is off by default, with its port and its URL', () => {
    const { minio, objects, server } = synth();
    expect(synth({ console: false }).objects).toEqual(objects);
    expect(server.env).toContainEqual({ name: 'MINIO_BROWSER', value: 'off' });
    expect(server.args).toEqual(['server', '/data']);
    expect(names(server.ports)).toEqual(['s3']);
    expect(names(get(objects, 'Service', 'minio').spec.ports)).toEqual(['s3']);
    expect(minio.consoleUrl).toBeUndefined();
  });
});

describe('TLS', () => {
  const HOST = 'minio.mlflow.svc.cluster.local';
  const CA = '/etc/mlflow/artifact-store-ca/ca.crt';
  const tls = { secretName: 'minio-tls' };

  test('is off by default', () => {
    const { minio, objects } = synth();
    expect([minio.volumes, minio.volumeMounts]).toEqual([undefined, undefined]);
    expect(minio.endpointUrl).toMatch(/^http:/);
    expect(JSON.stringify([workloads(objects), minio.environment])).not.toMatch(/https:|"HTTPS"|--certs-dir|SSL_CERT_FILE|AWS_CA_BUNDLE/);
  });

  test('the URLs have its scheme, for clients and for the Job', () => {
    const { minio, objects, tool } = synth({ tls, console: true });
    expect([minio.endpointUrl, minio.consoleUrl]).toEqual([`https://${HOST}:9000`, `https://${HOST}:9001`]);
    expect(minio.environment).toContainEqual({ name: 'MLFLOW_S3_ENDPOINT_URL', value: `https://${HOST}:9000` });
    expect(tool.env).toContainEqual({ name: 'STORE_URL', value: `https://${HOST}:9000` });
    const [prepare] = containers(get(objects, 'Job', 'minio-bootstrap'));
    expect(prepare.env).toContainEqual({ name: 'STORE_URL', value: `https://${HOST}:9000` });
    expect(JSON.stringify(workloads(objects))).not.toContain('http://');
  });

  test('the server has the certificate under the names that it looks for, and its probes speak TLS', () => {
    const { objects, server } = synth({ tls });
    expect(server.args).toEqual(['server', '/data', '--certs-dir=/etc/minio/certs']);
    expect(server.volumeMounts).toContainEqual({ name: 'certs', mountPath: '/etc/minio/certs' });
    expect(get(objects, 'StatefulSet', 'minio').spec.template.spec.volumes).toContainEqual({
      name: 'certs',
      secret: {
        secretName: 'minio-tls',
        items: [
          { key: 'tls.crt', path: 'public.crt' },
          { key: 'tls.key', path: 'private.key' },
        ],
        defaultMode: 0o440,
      },
    });
    const paths = [server.startupProbe, server.readinessProbe, server.livenessProbe].map(({ httpGet }) => [httpGet.scheme, httpGet.path]);
    expect(paths).toEqual([
      ['HTTPS', '/minio/health/live'],
      ['HTTPS', '/minio/health/ready'],
      ['HTTPS', '/minio/health/live'],
    ]);
  });

  const file = (secretName: string, key: string) => ({ secret: { secretName, items: [{ key, path: 'ca.crt' }], defaultMode: 0o440 } });

  test.each<[string, MinioProps['tls'], object]>([
    ['the Secret of the certificate', tls, file('minio-tls', 'ca.crt')],
    ['another Secret', { ...tls, ca: { secretName: 'authority', key: 'root.pem' } }, file('authority', 'root.pem')],
    [
      'a ConfigMap',
      { ...tls, ca: { configMapName: 'bundle' } },
      { configMap: { name: 'bundle', items: [{ key: 'ca.crt', path: 'ca.crt' }], defaultMode: 0o440 } },
    ],
  ])('Job and tracking server have the authority from %s', (_, given, source) => {
    const { minio, objects, tool } = synth({ tls: given });
    const volume = { name: 'artifact-store-ca', ...source };
    const mount = { name: 'artifact-store-ca', mountPath: '/etc/mlflow/artifact-store-ca' };
    expect([minio.volumes, minio.volumeMounts]).toEqual([[volume], [mount]]);
    expect(minio.environment).toContainEqual({ name: 'AWS_CA_BUNDLE', value: CA });
    expect(get(objects, 'Job', 'minio-bootstrap').spec.template.spec.volumes).toContainEqual(volume);
    expect(tool.volumeMounts).toContainEqual(mount);
    expect(tool.env).toContainEqual({ name: 'SSL_CERT_FILE', value: CA });
  });

  test('the key of the server is mounted nowhere but in the server', () => {
    const { minio, objects } = synth({ tls });
    expect(JSON.stringify(minio.volumes)).not.toContain('tls.key');
    expect(JSON.stringify(get(objects, 'Job', 'minio-bootstrap'))).not.toContain('tls.key');
  });

  test.each<[unknown, string]>([
    [{}, 'tls\\.secretName: got undefined\\. Rule: .*certificate.*\\. Fix: pass "minio-tls"\\.'],
    [{ secretName: 'Minio_TLS' }, 'tls\\.secretName: got "Minio_TLS"\\. Rule: .+\\. Fix: pass a name such as "minio-tls"\\.'],
    [{ secretNam: 'x', secretName: 'x' }, 'tls\\.secretNam: .+ Fix: did you mean tls\\.secretName\\?\\.'],
    [{ ...tls, ca: { secretName: 'a', configMapName: 'b' } }, 'tls\\.ca: got "both a Secret \\\\"a\\\\" and a ConfigMap \\\\"b\\\\""\\. .+'],
    [{ ...tls, ca: { secretName: 'a', key: 'a/b' } }, 'tls\\.ca\\.key: got "a/b"\\. .+'],
    [{ ...tls, ca: 'ca.crt' }, 'tls\\.ca: .+'],
    ['minio-tls', 'tls: .+'],
  ])('cannot be %j', (given, fault) => {
    const chart = Testing.chart();
    new Minio(chart, 'Minio', { tls: given as MinioProps['tls'] });
    expect(faults(chart)).toEqual([expect.stringMatching(`^\\[test/Minio\\] ${fault}$`)]);
  });
});

describe('what all stores have', () => {
  test('a registry and a pull policy for all images', () => {
    const { objects, server } = synth({ images: { registry: 'registry.example.com', pullPolicy: ImagePullPolicy.ALWAYS, pullSecrets: ['login'] } });
    const job = get(objects, 'Job', 'minio-bootstrap');
    for (const container of [server, ...containers(job)]) {
      expect(container.image).toMatch(/^registry\.example\.com\//);
      expect(container.imagePullPolicy).toBe('Always');
    }
    for (const pod of [get(objects, 'StatefulSet', 'minio'), job]) expect(pod.spec.template.spec.imagePullSecrets).toEqual([{ name: 'login' }]);
  });

  test('settings of the pod', () => {
    const { objects, server } = synth({
      pod: { nodeSelector: { disk: 'ssd' }, volumes: [{ name: 'extra', emptyDir: {} }], volumeMounts: [{ name: 'extra', mountPath: '/extra' }] },
    });
    const { nodeSelector, volumes } = get(objects, 'StatefulSet', 'minio').spec.template.spec;
    expect(nodeSelector).toEqual({ disk: 'ssd' });
    expect(names(volumes)).toEqual(['tmp', 'extra']);
    expect(server.volumeMounts).toContainEqual({ name: 'extra', mountPath: '/extra' });
  });

  test('the volume of the certificate is taken', () => {
    const chart = Testing.chart();
    new Minio(chart, 'Minio', { tls: { secretName: 'minio-tls' }, pod: { volumes: [{ name: 'certs', emptyDir: {} }] } });
    expect(faults(chart)).toEqual([expect.stringMatching(/^\[test\/Minio\] pod\.volumes\[0\]: got "certs"\./)]);
  });

  test('NetworkPolicies, or none', () => {
    const { minio, objects } = synth();
    const policy = get(objects, 'NetworkPolicy', 'minio').spec;
    expect(policy.podSelector.matchLabels).toEqual(minio.podLabels);
    expect(policy.ingress.map(({ ports }: { ports: { port: number }[] }) => ports.map(({ port }) => port))).toEqual([[9000]]);
    expect(minio.egress).toEqual([expect.objectContaining({ to: [{ podSelector: { matchLabels: minio.podLabels } }] })]);
    const open = synth({ networkPolicy: { enabled: false } });
    expect(ofKind(open.objects, 'NetworkPolicy')).toEqual([]);
    expect([open.minio.networkPolicy, open.minio.bootstrapNetworkPolicy]).toEqual([undefined, undefined]);
  });
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
  ['console', 'false', '"false"'],
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
