import { ApiObject, Chart, Duration, Size, Testing } from 'cdk8s';
import {
  IArtifactStore,
  IBackendStore,
  Images,
  Minio,
  Postgres,
  StartupScript,
  TrackingServer,
  TrackingServerProps,
} from '../../lib';
import { START_MLFLOW_PY } from '../../lib/assets.generated';
import { fingerprint } from '../../lib/kube/hash';
import { Manifests, PATIENCE, containers, faults, get, ofKind, shape } from '../helpers';

const backendStore: IBackendStore = {
  uri: 'postgresql://db.example.com/runs',
  environment: [{ name: 'PGUSER', value: 'me' }],
};
const artifactStore: IArtifactStore = {
  artifactsDestination: 's3://models/team-a',
  environment: [
    { name: 'AWS_ACCESS_KEY_ID', valueFrom: { secretKeyRef: { name: 'aws', key: 'id' } } },
    { name: 'MLFLOW_S3_ENDPOINT_URL', value: 'https://s3.example.com' },
  ],
};

function chartWith(props: Partial<TrackingServerProps> = {}): Chart {
  const chart = Testing.chart();
  new TrackingServer(chart, 'TrackingServer', { backendStore, artifactStore, ...props });
  return chart;
}

function synth(props: Partial<TrackingServerProps> = {}) {
  const objects = Testing.synth(chartWith(props));
  const deployment = get(objects, 'Deployment', props.name ?? 'mlflow');
  const [server] = containers(deployment);
  return { objects, deployment, server, pod: deployment.spec.template };
}

function env(props: Partial<TrackingServerProps>, name: string): string | undefined {
  return synth(props).server.env.find((variable: { name: string }) => variable.name === name)?.value;
}

describe('on PostgreSQL and MinIO', () => {
  const chart = Testing.chart();
  new TrackingServer(chart, 'TrackingServer', { backendStore: new Postgres(chart, 'Postgres'), artifactStore: new Minio(chart, 'Minio') });
  const objects = Testing.synth(chart);
  const deployment = get(objects, 'Deployment', 'mlflow');
  const [server] = containers(deployment);

  test('the arguments', () => {
    expect(server.command).toEqual(['python3', '/app/start-mlflow.py']);
    expect(server.args).toEqual([
      'mlflow',
      'server',
      '--host=0.0.0.0',
      '--port=5000',
      `--backend-store-uri=postgresql+psycopg2://postgres.mlflow.svc.cluster.local:5432/mlflow${PATIENCE}`,
      '--artifacts-destination=s3://mlflow-bucket',
      '--default-artifact-root=mlflow-artifacts:/',
      '--serve-artifacts',
      '--allowed-hosts=*',
    ]);
  });

  test('the environment', () => {
    expect(server.env).toEqual([
      { name: 'AWS_ACCESS_KEY_ID', valueFrom: { secretKeyRef: { name: 'minio-user', key: 'AWS_ACCESS_KEY_ID' } } },
      { name: 'AWS_SECRET_ACCESS_KEY', valueFrom: { secretKeyRef: { name: 'minio-user', key: 'AWS_SECRET_ACCESS_KEY' } } },
      { name: 'MLFLOW_S3_ENDPOINT_URL', value: 'http://minio.mlflow.svc.cluster.local:9000' },
      { name: 'AWS_DEFAULT_REGION', value: 'us-east-1' },
      { name: 'AWS_REGION', value: 'us-east-1' },
      { name: 'PGUSER', valueFrom: { secretKeyRef: { name: 'postgres-user', key: 'username' } } },
      { name: 'PGPASSWORD', valueFrom: { secretKeyRef: { name: 'postgres-user', key: 'password' } } },
      { name: 'MLFLOW_WORKERS', value: '1' },
      { name: 'MLFLOW_SERVER_ENABLE_JOB_EXECUTION', value: 'false' },
      { name: 'MLFLOW_DISABLE_TELEMETRY', value: 'true' },
      { name: 'UVICORN_TIMEOUT_KEEP_ALIVE', value: '620' },
      { name: 'MLFLOW_SQLALCHEMYSTORE_POOL_SIZE', value: '10' },
      { name: 'MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW', value: '111' },
      { name: 'MLFLOW_MODEL_CATALOG_URI', value: 'file:///none' },
      { name: 'UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN', value: '215' },
      { name: 'PYTHONPATH', value: '/app/plugins' },
      { name: 'UVICORN_HTTP', value: 'app_layers.protocol:LayeredProtocol' },
      { name: 'APP_LAYERS', value: 'proxied_artifacts.layer:wrap,mlflow_guard.layer:wrap' },
      { name: 'STARTUP_DEPLOYMENT', value: 'mlflow' },
      { name: 'STARTUP_DEADLINE_SECONDS', value: '300' },
      { name: 'STARTUP_ARTIFACT_TRANSFER', value: 'proxied' },
      {
        name: 'STARTUP_SOURCES',
        value: JSON.stringify({
          AWS_ACCESS_KEY_ID: 'key AWS_ACCESS_KEY_ID of Secret minio-user',
          AWS_SECRET_ACCESS_KEY: 'key AWS_SECRET_ACCESS_KEY of Secret minio-user',
          PGUSER: 'key username of Secret postgres-user',
          PGPASSWORD: 'key password of Secret postgres-user',
          MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY: 'key webhook-key of Secret mlflow-server-secrets',
          MLFLOW_CRYPTO_KEK_PASSPHRASE: 'key kek-passphrase-1 of Secret mlflow-server-secrets',
        }),
      },
      { name: 'GUARD_ASSISTANT', value: 'false' },
      { name: 'GUARD_MAX_BODY_BYTES', value: '33554432' },
      { name: 'GUARD_OWN_PLACES', value: 'true' },
      { name: 'MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX', value: '^((mlflow-artifacts|models|runs):|(dummy-source|prompt-template)$)' },
      { name: 'MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY', valueFrom: { secretKeyRef: { name: 'mlflow-server-secrets', key: 'webhook-key' } } },
      { name: 'MLFLOW_CRYPTO_KEK_PASSPHRASE', valueFrom: { secretKeyRef: { name: 'mlflow-server-secrets', key: 'kek-passphrase-1' } } },
      { name: 'MLFLOW_CRYPTO_KEK_VERSION', value: '1' },
      { name: 'HOME', value: '/tmp' },
      { name: 'MALLOC_ARENA_MAX', value: '2' },
      { name: 'PYTHONNOUSERSITE', value: '1' },
    ]);
  });
});

describe('alone', () => {
  const { objects, deployment, server, pod } = synth();

  test('the whole server', () => {
    // the fingerprint of the script changes with each word of it
    const text = JSON.stringify(shape(objects)).replaceAll(`"${fingerprint(START_MLFLOW_PY)}"`, '"(start-mlflow.py)"');
    expect(JSON.parse(text)).toMatchSnapshot();
  });

  test('the script is mounted as one executable file', () => {
    expect(server.volumeMounts).toContainEqual({
      name: 'startup-script',
      mountPath: '/app/start-mlflow.py',
      subPath: 'start-mlflow.py',
      readOnly: true,
    });
    expect(pod.spec.volumes).toContainEqual({ name: 'startup-script', configMap: { name: 'mlflow-startup-script', defaultMode: 0o755 } });
  });

  test('the pod gets nothing from the cluster that it was not given', () => {
    expect(pod.spec.enableServiceLinks).toBe(false);
    expect(pod.spec.automountServiceAccountToken).toBe(false);
    expect(pod.spec).not.toHaveProperty('serviceAccountName');
  });

  test('two Services lead to the same pods', () => {
    const [first, second, ...rest] = ofKind(objects, 'Service');
    expect([first.metadata.name, second.metadata.name]).toEqual(['mlflow-service', 'mlflow-server']);
    expect(rest.map(({ metadata }) => metadata.name)).toEqual(['mlflow-monitor']);
    expect(first.spec).toEqual({
      type: 'ClusterIP',
      selector: deployment.spec.selector.matchLabels,
      ports: [{ name: 'http', port: 5000, targetPort: 'http' }],
    });
    expect(second.spec).toEqual(first.spec);
  });

  test('a rollout never takes the last pod away', () => {
    expect(deployment.spec.replicas).toBe(1);
    expect(deployment.spec.strategy).toEqual({ type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } });
  });

  test('it starts and is ready as soon as its health page is there', () => {
    for (const probe of ['startupProbe', 'readinessProbe']) expect(server[probe]).toMatchObject({ httpGet: { path: '/health', port: 'http' }, timeoutSeconds: 5 });
  });

  test('a server that is busy is unready after 15 s, and dead only where nothing listens for two minutes', () => {
    const { readinessProbe: ready, livenessProbe: alive } = server;
    expect(alive.tcpSocket).toEqual({ port: 'http' });
    expect(alive).not.toHaveProperty('httpGet');
    expect([ready.periodSeconds * ready.failureThreshold, alive.periodSeconds * alive.failureThreshold]).toEqual([15, 120]);
  });

  test('a pod that goes serves what still comes, well within its time', () => {
    const [, , program] = server.lifecycle.preStop.exec.command;
    expect(server.lifecycle).toEqual({ preStop: { exec: { command: ['python3', '-c', program] } } });
    const seconds = Number(/^import time; open\("\/tmp\/stopping", "w"\)\.close\(\); time\.sleep\((\d+)\)$/.exec(program)?.[1]);
    expect(seconds).toBeGreaterThanOrEqual(5);
    expect(seconds).toBeLessThan(pod.spec.terminationGracePeriodSeconds / 2);
  });

  test('what it tells others', () => {
    const tracking = new TrackingServer(Testing.chart(), 'TrackingServer', { backendStore, artifactStore, name: 'ml', namespace: 'team-a', port: 8080 });
    expect(tracking).toMatchObject({
      namespace: 'team-a',
      port: 8080,
      trackingUri: 'http://ml-service.team-a.svc.cluster.local:8080',
      podLabels: {
        'app.kubernetes.io/name': 'mlflow',
        'app.kubernetes.io/instance': 'ml',
        'app.kubernetes.io/component': 'tracking-server',
      },
    });
    expect(tracking.service.name).toBe('ml-service');
    expect(tracking.serverService.name).toBe('ml-server');
    expect(tracking.startupScript.configMapName).toBe('ml-startup-script');
    expect(tracking.monitor?.deployment.name).toBe('ml-monitor');
    expect(tracking.preflight?.configMap.name).toBe('ml-preflight');
    expect(tracking.proxiedArtifacts?.configMap.name).toBe('ml-transfer');
    expect(ApiObject.of(tracking)).toBe(tracking.deployment);
  });
});

describe('options', () => {
  test('extraArgs go behind the managed flags', () => {
    const extraArgs = ['--uvicorn-opts=--log-level debug', '--expose-prometheus', '/tmp/metrics'];
    const { args } = synth({ extraArgs }).server;
    expect(args.slice(0, 9)).toEqual(synth().server.args);
    expect(args.slice(9)).toEqual(extraArgs);
  });

  test('extraEnv goes behind the managed variables', () => {
    const extraEnv = [
      { name: 'MLFLOW_LOGGING_LEVEL', value: 'DEBUG' },
      { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'mine', key: 'token' } } },
    ];
    const { env: all } = synth({ extraEnv }).server;
    expect(all.slice(-2)).toEqual(extraEnv);
    expect(all.slice(0, -2).map(({ name }: { name: string }) => name)).toEqual(synth().server.env.map(({ name }: { name: string }) => name));
  });

  test('the environment of the artifact store, of the backend store, of MLflow, of the user', () => {
    const { server } = synth({ extraEnv: [{ name: 'ZZ', value: '1' }] });
    expect(server.env.map(({ name }: { name: string }) => name)).toEqual([
      'AWS_ACCESS_KEY_ID',
      'MLFLOW_S3_ENDPOINT_URL',
      'PGUSER',
      'MLFLOW_WORKERS',
      'MLFLOW_SERVER_ENABLE_JOB_EXECUTION',
      'MLFLOW_DISABLE_TELEMETRY',
      'UVICORN_TIMEOUT_KEEP_ALIVE',
      'MLFLOW_SQLALCHEMYSTORE_POOL_SIZE',
      'MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW',
      'UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN',
      'PYTHONPATH',
      'UVICORN_HTTP',
      'APP_LAYERS',
      'STARTUP_DEPLOYMENT',
      'STARTUP_DEADLINE_SECONDS',
      'STARTUP_ARTIFACT_TRANSFER',
      'STARTUP_SOURCES',
      'GUARD_ASSISTANT',
      'GUARD_MAX_BODY_BYTES',
      'GUARD_OWN_PLACES',
      'MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX',
      'MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY',
      'MLFLOW_CRYPTO_KEK_PASSPHRASE',
      'MLFLOW_CRYPTO_KEK_VERSION',
      'HOME',
      'MALLOC_ARENA_MAX',
      'PYTHONNOUSERSITE',
      'ZZ',
    ]);
    expect(server.env.slice(0, 3)).toEqual([...artifactStore.environment, ...backendStore.environment]);
    expect(server.args).toEqual(
      expect.arrayContaining(['--backend-store-uri=postgresql://db.example.com/runs', '--artifacts-destination=s3://models/team-a']),
    );
  });

  test('port is that of flag, container and Services', () => {
    const { objects, server } = synth({ port: 8888 });
    expect(server.args).toContain('--port=8888');
    expect(server.args).not.toContain('--port=5000');
    expect(server.ports).toEqual([{ name: 'http', containerPort: 8888 }]);
    expect(ofKind(objects, 'Service').map(({ spec }) => spec.ports)).toEqual([
      [{ name: 'http', port: 8888, targetPort: 'http' }],
      [{ name: 'http', port: 8888, targetPort: 'http' }],
      [{ name: 'metrics', port: 8080, targetPort: 'metrics' }],
    ]);
  });

  test('replicas', () => {
    expect(synth({ replicas: 3 }).deployment.spec.replicas).toBe(3);
  });

  test('workers', () => {
    expect(env({ workers: 4 }, 'MLFLOW_WORKERS')).toBe('4');
  });

  test('terminationGracePeriod', () => {
    expect(synth().pod.spec.terminationGracePeriodSeconds).toBe(240);
    expect(synth({ pod: { terminationGracePeriod: Duration.minutes(10) } }).pod.spec.terminationGracePeriodSeconds).toBe(600);
  });

  test('scratchSize is the disk, and the limit of the container leaves room for it', () => {
    const { server, pod } = synth({ scratchSize: Size.gibibytes(2) });
    expect(pod.spec.volumes).toContainEqual({ name: 'tmp', emptyDir: { sizeLimit: '2Gi' } });
    expect(server.resources.limits['ephemeral-storage']).toBe('2304Mi');
  });

  test('resources', () => {
    expect(synth().server.resources).toEqual({
      requests: { cpu: '250m', memory: '512Mi', 'ephemeral-storage': '64Mi' },
      limits: { cpu: '2', memory: '1Gi', 'ephemeral-storage': '10496Mi' },
    });
    expect(synth({ resources: { cpuLimit: '4', memoryLimit: Size.gibibytes(3) } }).server.resources).toMatchObject({
      requests: { cpu: '250m', memory: '512Mi' },
      limits: { cpu: '4', memory: '3Gi' },
    });
  });

  test('image is what runs, and the version of the pods', () => {
    const { deployment, server, pod } = synth({ image: 'registry.example.com/mlflow:v9-mine' });
    expect(server.image).toBe('registry.example.com/mlflow:v9-mine');
    for (const { labels } of [deployment.metadata, pod.metadata]) expect(labels['app.kubernetes.io/version']).toBe('v9-mine');
    expect(deployment.spec.selector.matchLabels).not.toHaveProperty(['app.kubernetes.io/version']);
    expect(synth().server.image).toBe(Images.MLFLOW);
  });

  test('name stands in the names of all objects', () => {
    expect(synth({ name: 'team-a' }).objects.map(({ kind, metadata }) => `${kind} ${metadata.name.replace(/-[0-9a-f]{10}$/, '')}`)).toEqual([
      'ConfigMap team-a-startup-script',
      'Deployment team-a',
      'Service team-a-service',
      'Service team-a-server',
      'NetworkPolicy team-a',
      'ConfigMap team-a-transfer',
      'ConfigMap team-a-transfer-info',
      'ConfigMap team-a-layers',
      'ConfigMap team-a-guard',
      'ConfigMap team-a-preflight',
      'ConfigMap team-a-preflight-relocate',
      'Deployment team-a-monitor',
      'Service team-a-monitor',
      'NetworkPolicy team-a-monitor',
      'Secret team-a-server-secrets',
      'ServiceAccount team-a-secrets',
      'Role team-a-secrets',
      'RoleBinding team-a-secrets',
      'Job team-a-secrets',
      'NetworkPolicy team-a-secrets',
      'ConfigMap team-a-fill-secrets',
    ]);
  });

  test('namespace', () => {
    for (const object of synth({ namespace: 'team-a' }).objects) expect(object.metadata.namespace).toBe('team-a');
  });

  test('startupScript is mounted, and its text replaces the pods when it changes', () => {
    const checksum = (content: string) => {
      const chart = Testing.chart();
      const startupScript = new StartupScript(chart, 'Script', { name: 'my-script', content });
      new TrackingServer(chart, 'TrackingServer', { backendStore, artifactStore, startupScript });
      const objects = Testing.synth(chart);
      expect(ofKind(objects, 'ConfigMap').map(({ metadata }) => metadata.name)).toEqual(['my-script', 'mlflow-transfer', 'mlflow-transfer-info', 'mlflow-layers', 'mlflow-guard', 'mlflow-preflight', 'mlflow-preflight-relocate', 'mlflow-fill-secrets']);
      const { spec, metadata } = get(objects, 'Deployment', 'mlflow').spec.template;
      expect(spec.volumes).toContainEqual({ name: 'startup-script', configMap: { name: 'my-script', defaultMode: 0o755 } });
      return metadata.annotations['checksum/startup-script'];
    };
    expect(checksum('pass')).toMatch(/^[0-9a-f]{10}$/);
    expect(checksum('pass')).toBe(checksum('pass'));
    expect(checksum('pass')).not.toBe(checksum('pass\n'));
    expect(checksum('pass')).not.toBe(synth().pod.metadata.annotations['checksum/startup-script']);
  });
});

describe('faults', () => {
  const at = (message: string) => `[test/TrackingServer] ${message}`;

  test.each<[string, unknown, string]>([
    ['name', 'ML_flow', '"ML_flow"'],
    ['name', 'a'.repeat(49), `"${'a'.repeat(49)}"`],
    ['namespace', 'Team A', '"Team A"'],
    ['image', 'mlflow', '"mlflow"'],
    ['port', 80, '80'],
    ['port', '5000', '"5000"'],
    ['replicas', 0, '0'],
    ['replicas', -1, '-1'],
    ['replicas', 1.5, '1.5'],
    ['workers', 0, '0'],
    ['workers', '2', '"2"'],
    ['pod.terminationGracePeriod', Duration.millis(1500), '"1.5 s"'],
    ['scratchSize', Size.gibibytes(0), '"0Gi"'],
    ['scratchSize', '10Gi', '"10Gi"'],
  ])('%s cannot be %j', (prop, value, got) => {
    const [outer, inner] = prop.split('.');
    expect(faults(chartWith({ [outer]: inner === undefined ? value : { [inner]: value } }))).toContainEqual(
      expect.stringMatching(`^\\[test/TrackingServer\\] ${prop}: got ${got}\\. Rule: .+\\. Fix: .+\\.$`),
    );
  });

  test.each([
    ['replicas', 'the number of replicas'],
    ['workers', 'the number of workers'],
  ])('%s are called what they are', (prop, what) => {
    expect(faults(chartWith({ [prop]: 0 }))).toEqual([at(`${prop}: got 0. Rule: ${what} is a whole number of 1 or more. Fix: pass a number such as 1.`)]);
  });

  test('the longest name still makes names within 63 characters', () => {
    const longest = (objects: Manifests) => Math.max(...objects.map(({ metadata }) => metadata.name.length));
    expect(longest(synth({ name: 'a'.repeat(44) }).objects)).toBe(63);
  });
});
