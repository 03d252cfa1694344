import { ApiObject, Chart, JsonPatch, Size, Testing } from 'cdk8s';
import { CloudNativePg, CloudNativePgProps, Images, Minio, MlflowStack, TrackingServer } from '../../lib';
import { PATIENCE, faults, get, ofKind } from '../helpers';

function made(props: CloudNativePgProps = {}) {
  const chart = Testing.chart();
  const store = new CloudNativePg(chart, 'Database', props);
  return { chart, store, objects: () => Testing.synth(chart) };
}

const clusterOf = (props: CloudNativePgProps) => get(made(props).objects(), 'Cluster', props.name ?? 'postgres');

test('three instances, of which one copy has each write, and a database whose owner is no superuser', () => {
  const { spec, metadata } = clusterOf({});
  expect(metadata).toMatchObject({ name: 'postgres', namespace: 'mlflow' });
  expect(spec).toEqual({
    affinity: { enablePodAntiAffinity: true, podAntiAffinityType: 'preferred', topologyKey: 'kubernetes.io/hostname' },
    bootstrap: { initdb: { database: 'mlflow', dataChecksums: true, owner: 'mlflow' } },
    enableSuperuserAccess: false,
    ephemeralVolumesSizeLimit: { shm: '128Mi' },
    imageName: Images.CLOUD_NATIVE_PG,
    imagePullPolicy: 'IfNotPresent',
    instances: 3,
    postgresql: { parameters: { max_connections: '100' }, synchronous: { dataDurability: 'required', method: 'any', number: 1 } },
    resources: { limits: { 'cpu': '1', 'ephemeral-storage': '1Gi', 'memory': '1Gi' }, requests: { 'cpu': '100m', 'ephemeral-storage': '64Mi', 'memory': '256Mi' } },
    storage: { size: '10Gi' },
  });
});

test('the image is of the version whose dump the other image takes', () => {
  const major = (image: string) => /:(\d+)\./.exec(image)![1];
  expect(major(Images.CLOUD_NATIVE_PG)).toBe(major(Images.POSTGRES));
});

test('the tracking server has the Secrets, the Services and the certificate of the operator', () => {
  const { store } = made({ name: 'db', namespace: 'team-a' });
  expect(store.uri).toBe(`postgresql+psycopg2://db-rw.team-a.svc:5432/mlflow${PATIENCE}`);
  expect(store.secretNamespace).toBe('team-a');
  expect(store.environment).toEqual([
    { name: 'PGUSER', valueFrom: { secretKeyRef: { name: 'db-app', key: 'username' } } },
    { name: 'PGPASSWORD', valueFrom: { secretKeyRef: { name: 'db-app', key: 'password' } } },
    { name: 'PGSSLMODE', value: 'verify-full' },
    { name: 'PGSSLROOTCERT', value: '/etc/mlflow/backend-store-ca/ca.crt' },
  ]);
  expect(store.volumes).toEqual([{ name: 'backend-store-ca', secret: { secretName: 'db-ca', items: [{ key: 'ca.crt', path: 'ca.crt' }], defaultMode: 0o440 } }]);
});

test('what is only read comes from the copies, where that is asked for', () => {
  const { store } = made({ readReplica: true });
  expect(store.environment.at(-1)).toEqual({ name: 'MLFLOW_READ_REPLICA_BACKEND_STORE_URI', value: `postgresql+psycopg2://postgres-ro.mlflow.svc:5432/mlflow${PATIENCE}` });
});

test('it takes the connections of all pods of the tracking servers, and has memory for them', () => {
  const chart = new Chart(Testing.app(), 'test', { namespace: 'mlflow' });
  const backendStore = new CloudNativePg(chart, 'Database');
  const artifactStore = new Minio(chart, 'Store');
  new TrackingServer(chart, 'Server', { backendStore, artifactStore, replicas: 4 });
  const { spec } = get(Testing.synth(chart), 'Cluster', 'postgres');
  expect(Number(spec.postgresql.parameters.max_connections)).toBeGreaterThan(100);
  expect(spec.resources.limits.memory).toBe('2Gi');
});

test('too little memory for the connections is a fault', () => {
  const chart = new Chart(Testing.app(), 'test', { namespace: 'mlflow' });
  const backendStore = new CloudNativePg(chart, 'Database', { resources: { memoryLimit: Size.mebibytes(512) } });
  new MlflowStack(chart, 'Stack', { backendStore, trackingServer: { replicas: 4 } });
  expect(faults(chart)).toEqual([expect.stringMatching(/^\[test\/Database\] resources\.memoryLimit: got "512Mi"/)]);
});

test.each<[CloudNativePgProps, object | undefined]>([
  [{ instances: 1 }, undefined],
  [{ instances: 2 }, undefined],
  [{ instances: 2, synchronousReplicas: 1 }, { number: 1 }],
  [{ instances: 5 }, { number: 1 }],
  [{ instances: 5, synchronousReplicas: 2 }, { number: 2 }],
  [{ synchronousReplicas: 0 }, undefined],
])('%j: copies that have each write', (props, expected) => {
  const { synchronous } = clusterOf(props).spec.postgresql;
  if (expected === undefined) expect(synchronous).toBeUndefined();
  else expect(synchronous).toMatchObject(expected);
});

test('what of the pods the operator takes', () => {
  const { spec } = clusterOf({
    images: { registry: 'registry.example.com', pullSecrets: ['login'] },
    pod: {
      labels: { team: 'vision' },
      annotations: { note: 'x' },
      nodeSelector: { disk: 'fast' },
      tolerations: [{ key: 'db', operator: 'Exists' }],
      topologySpread: [{ topologyKey: 'topology.kubernetes.io/zone', required: true }],
      priorityClassName: 'high',
    },
  });
  expect(spec).toMatchObject({
    imageName: expect.stringMatching(/^registry\.example\.com\/cloudnative-pg\/postgresql:17/),
    imagePullSecrets: [{ name: 'login' }],
    inheritedMetadata: { labels: { team: 'vision' }, annotations: { note: 'x' } },
    affinity: { nodeSelector: { disk: 'fast' }, tolerations: [{ key: 'db', operator: 'Exists' }] },
    topologySpreadConstraints: [{ topologyKey: 'topology.kubernetes.io/zone', maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: { 'cnpg.io/cluster': 'postgres' } } }],
    priorityClassName: 'high',
  });
});

describe('backups', () => {
  test('to an object store, with the log: base backups from a copy, by a schedule with seconds', () => {
    const objects = made({ backup: { schedule: '30 2 * * 1-5', objectStoreName: 'vault' } }).objects();
    const { spec } = get(objects, 'Cluster', 'postgres');
    expect(spec.plugins).toEqual([{ name: 'barman-cloud.cloudnative-pg.io', isWALArchiver: true, parameters: { barmanObjectName: 'vault' } }]);
    expect(spec.backup).toBeUndefined();
    expect(get(objects, 'ScheduledBackup', 'postgres').spec).toEqual({
      backupOwnerReference: 'none',
      cluster: { name: 'postgres' },
      method: 'plugin',
      pluginConfiguration: { name: 'barman-cloud.cloudnative-pg.io' },
      schedule: '0 30 2 * * 1-5',
      target: 'prefer-standby',
    });
  });

  test('by snapshots of the volumes', () => {
    const objects = made({ backup: { schedule: '@daily', volumeSnapshotClassName: 'csi' } }).objects();
    expect(get(objects, 'Cluster', 'postgres').spec).toMatchObject({ backup: { volumeSnapshot: { className: 'csi' } } });
    expect(get(objects, 'ScheduledBackup', 'postgres').spec).toMatchObject({ method: 'volumeSnapshot', schedule: '@daily' });
  });
});

describe('NetworkPolicies', () => {
  test('clients reach the database only; the operator and the other instances also ask for the state', () => {
    const { chart, store } = made();
    store.connections!.allowFromPods({ app: 'notebook' });
    const objects = Testing.synth(chart);
    const port = (number: number) => ({ port: number, protocol: 'TCP' });
    expect(get(objects, 'NetworkPolicy', 'postgres').spec).toMatchObject({
      podSelector: { matchLabels: { 'cnpg.io/cluster': 'postgres' } },
      ingress: [{ from: [{ podSelector: { matchLabels: { app: 'notebook' } } }], ports: [port(5432)] }],
      egress: [{}],
    });
    expect(get(objects, 'NetworkPolicy', 'postgres-operator').spec.ingress).toEqual([
      {
        from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'cnpg-system' } } }, { podSelector: { matchLabels: { 'cnpg.io/cluster': 'postgres' } } }],
        ports: [port(5432), port(8000)],
      },
    ]);
  });

  test('Prometheus reaches the metrics that a PodMonitor is for', () => {
    const objects = made({ monitoring: { labels: { release: 'prometheus' } }, operatorNamespace: 'databases' }).objects();
    expect(get(objects, 'PodMonitor', 'postgres')).toMatchObject({
      metadata: { labels: { 'release': 'prometheus', 'app.kubernetes.io/instance': 'postgres' } },
      spec: { selector: { matchLabels: { 'cnpg.io/cluster': 'postgres' } }, podMetricsEndpoints: [{ port: 'metrics' }] },
    });
    const { ingress } = get(objects, 'NetworkPolicy', 'postgres-operator').spec;
    expect(ingress[0].from[0].namespaceSelector.matchLabels).toEqual({ 'kubernetes.io/metadata.name': 'databases' });
    expect(ingress[1]).toEqual({ from: [{ namespaceSelector: {}, podSelector: { matchLabels: { 'app.kubernetes.io/name': 'prometheus' } } }], ports: [{ port: 9187, protocol: 'TCP' }] });
  });

  test('there are none where they are switched off', () => {
    expect(ofKind(made({ networkPolicy: { enabled: false } }).objects(), 'NetworkPolicy')).toEqual([]);
  });
});

test('a whole stack on it has no other database, and lets its pods in', () => {
  const chart = new Chart(Testing.app(), 'test', { namespace: 'mlflow' });
  const backendStore = new CloudNativePg(chart, 'Database');
  new MlflowStack(chart, 'Stack', { backendStore });
  const objects = Testing.synth(chart);
  expect(ofKind(objects, 'StatefulSet').map(({ metadata }) => metadata.name)).toEqual(['minio']);
  const [{ from }] = get(objects, 'NetworkPolicy', 'postgres').spec.ingress;
  expect(from.map((peer: { podSelector: { matchLabels: Record<string, string> } }) => peer.podSelector.matchLabels['app.kubernetes.io/component'])).toEqual(['tracking-server', 'store-monitor']);
});

test('the typed object takes patches for what this construct does not know', () => {
  const { chart, store } = made();
  ApiObject.of(store).addJsonPatch(JsonPatch.add('/spec/logLevel', 'debug'));
  expect(get(Testing.synth(chart), 'Cluster', 'postgres').spec.logLevel).toBe('debug');
});

test.each<[CloudNativePgProps, RegExp]>([
  [{ instances: 0 }, /instances: got 0/],
  [{ instances: 1.5 }, /instances: got 1\.5/],
  [{ synchronousReplicas: 3 }, /synchronousReplicas: got 3\. Rule: .*here 2/],
  [{ synchronousReplicas: -1 }, /synchronousReplicas: got -1/],
  [{ instances: 1, readReplica: true }, /readReplica: got true\. Rule: .*instances = 1 has none/],
  [{ database: 'Postgres' }, /database: got "Postgres"/],
  [{ database: 'template1' }, /database: got "template1"/],
  [{ username: 'postgres' }, /username: got "postgres"/],
  [{ username: 'streaming_replica' }, /username: got "streaming_replica"/],
  [{ name: 'Big' }, /name: got "Big"/],
  [{ image: 'a b' }, /image: got "a b"/],
  [{ backup: { schedule: '0 3 * * *' } }, /backup: got "neither of objectStoreName and volumeSnapshotClassName"/],
  [{ backup: { schedule: '0 3 * * *', objectStoreName: 'a', volumeSnapshotClassName: 'b' } }, /backup: got "both objectStoreName and volumeSnapshotClassName"/],
  [{ backup: { schedule: '0 0 3 * * *', objectStoreName: 'a' } }, /backup\.schedule: got "0 0 3 \* \* \*"/],
  [{ backup: { objectStoreName: 'a' } as never }, /backup\.schedule: got undefined/],
  [{ pod: { sidecars: [{ name: 'a', image: 'b:1' }] } }, /pod\.sidecars: .*the operator makes the pods/],
  [{ pod: { affinity: {} } }, /pod\.affinity: /],
  [{ operatorNamespace: 'a_b' }, /operatorNamespace: got "a_b"/],
  [{ monitoring: { scrapers: [{}] } }, /monitoring\.scrapers\[0\]/],
  [{ monitoring: { labels: { a: 'b c' } } }, /monitoring\.labels/],
  [{ walStorageSize: 5 as never }, /walStorageSize/],
  [{ replicas: 3 } as never, /replicas/],
])('%j is a fault', (props, message) => {
  expect(faults(made(props).chart)).toEqual([expect.stringMatching(message)]);
});
