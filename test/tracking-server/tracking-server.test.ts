import { ApiObject, Chart, Duration, Size, Testing } from 'cdk8s';
import {
  ArtifactTransfer,
  Credentials,
  IArtifactStore,
  IBackendStore,
  ICredentials,
  Images,
  Minio,
  Postgres,
  StartupScript,
  TrackingServer,
  TrackingServerProps,
} from '../../lib';
import { START_MLFLOW_PY } from '../../lib/assets.generated';
import { fingerprint } from '../../lib/kube/hash';
import { Manifests, containers, faults, get, ofKind, shape } from '../helpers';

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

/** The value of a variable of server and of monitor, undefined where it is not set. */
function startup(objects: Manifests, name: string): unknown[] {
  return ['mlflow', 'mlflow-monitor'].map((deployment) => {
    const found = containers(get(objects, 'Deployment', deployment))[0].env.filter((variable: { name: string }) => variable.name === name);
    expect(found.length).toBeLessThan(2);
    return found[0]?.value;
  });
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
      '--backend-store-uri=postgresql://postgres.mlflow.svc.cluster.local:5432/mlflow',
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
      { name: 'PYTHONPATH', value: '/app/plugins' },
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
        }),
      },
      { name: 'HOME', value: '/tmp' },
      { name: 'MALLOC_ARENA_MAX', value: '2' },
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

  test('the probes ask the health endpoint', () => {
    for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe']) {
      expect(server[probe].httpGet).toEqual({ path: '/health', port: 'http' });
    }
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
    expect(tracking.monitor.name).toBe('ml-monitor');
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
    expect(synth({ extraEnv }).server.env).toEqual([...synth().server.env, ...extraEnv]);
  });

  test('the environment of the artifact store, of the backend store, of MLflow, of the user', () => {
    const { server } = synth({ extraEnv: [{ name: 'ZZ', value: '1' }] });
    expect(server.env.map(({ name }: { name: string }) => name)).toEqual([
      'AWS_ACCESS_KEY_ID',
      'MLFLOW_S3_ENDPOINT_URL',
      'PGUSER',
      'MLFLOW_WORKERS',
      'MLFLOW_SERVER_ENABLE_JOB_EXECUTION',
      'PYTHONPATH',
      'STARTUP_DEPLOYMENT',
      'STARTUP_DEADLINE_SECONDS',
      'STARTUP_ARTIFACT_TRANSFER',
      'STARTUP_SOURCES',
      'HOME',
      'MALLOC_ARENA_MAX',
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

  test('allowedHosts', () => {
    const allowedHosts = ['mlflow.example.com', 'mlflow-service:*', '10.*'];
    expect(synth({ allowedHosts }).server.args).toContain('--allowed-hosts=mlflow.example.com,mlflow-service:*,10.*');
  });

  test('replicas', () => {
    expect(synth({ replicas: 3 }).deployment.spec.replicas).toBe(3);
  });

  test('workers', () => {
    expect(env({ workers: 4 }, 'MLFLOW_WORKERS')).toBe('4');
  });

  test('jobExecution', () => {
    expect(env({ jobExecution: true }, 'MLFLOW_SERVER_ENABLE_JOB_EXECUTION')).toBe('true');
    expect(env({ jobExecution: false }, 'MLFLOW_SERVER_ENABLE_JOB_EXECUTION')).toBe('false');
  });

  test('startupDeadline is what the script waits, and the probe waits longer', () => {
    const props = { startupDeadline: Duration.minutes(10) };
    expect(env(props, 'STARTUP_DEADLINE_SECONDS')).toBe('600');
    const { periodSeconds, failureThreshold } = synth(props).server.startupProbe;
    expect(periodSeconds * failureThreshold).toBe(720);
  });

  test('terminationGracePeriod', () => {
    expect(synth().pod.spec.terminationGracePeriodSeconds).toBe(120);
    expect(synth({ terminationGracePeriod: Duration.minutes(10) }).pod.spec.terminationGracePeriodSeconds).toBe(600);
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
    expect(synth({ name: 'team-a' }).objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
      'ConfigMap team-a-startup-script',
      'ConfigMap team-a-plugins',
      'Deployment team-a',
      'Service team-a-service',
      'Service team-a-server',
      'Deployment team-a-monitor',
      'Service team-a-monitor',
      'NetworkPolicy team-a',
      'NetworkPolicy team-a-monitor',
    ]);
  });

  test('a script of the user\'s own starts the server only: monitor and garbage collection have that of the library', () => {
    const chart = Testing.chart();
    const startupScript = new StartupScript(chart, 'Script', { name: 'mine', content: 'pass' });
    const { monitorScript } = new TrackingServer(chart, 'TrackingServer', { backendStore, artifactStore, startupScript, garbageCollection: {} });
    expect(monitorScript?.configMapName).toBe('mlflow-monitor-script');
    const objects = Testing.synth(chart);
    const script = ({ spec }: Manifests[number]) => spec.template.spec.volumes.find(({ name }: { name: string }) => name === 'startup-script').configMap.name;
    expect([get(objects, 'Deployment', 'mlflow'), get(objects, 'Deployment', 'mlflow-monitor'), get(objects, 'CronJob', 'mlflow-gc').spec.jobTemplate].map(script)).toEqual([
      'mine',
      'mlflow-monitor-script',
      'mlflow-monitor-script',
    ]);
    expect(new TrackingServer(Testing.chart(), 'TrackingServer', { backendStore, artifactStore }).monitorScript).toBeUndefined();
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
      expect(ofKind(objects, 'ConfigMap').map(({ metadata }) => metadata.name)).toEqual(['my-script', 'mlflow-plugins', 'mlflow-monitor-script']);
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

describe('what the script is told', () => {
  function onMinio(credentials?: (scope: Chart) => ICredentials): Manifests {
    const chart = Testing.chart();
    new TrackingServer(chart, 'TrackingServer', {
      backendStore: new Postgres(chart, 'Postgres'),
      artifactStore: new Minio(chart, 'Minio', { credentials: credentials?.(chart) }),
    });
    return Testing.synth(chart);
  }

  test.each(['mlflow', 'team-a'])('the Deployment of the server, in the monitor too: %s', (name) => {
    const { objects } = synth({ name });
    for (const deployment of [name, `${name}-monitor`]) {
      const [{ env: variables }] = containers(get(objects, 'Deployment', deployment));
      expect(variables.filter((variable: { name: string }) => variable.name === 'STARTUP_DEPLOYMENT')).toEqual([{ name: 'STARTUP_DEPLOYMENT', value: name }]);
    }
  });

  test.each([undefined, false])('upgradeSchema: %s leaves the schema alone', (upgradeSchema) => {
    expect(startup(synth({ upgradeSchema }).objects, 'STARTUP_UPGRADE_SCHEMA')).toEqual([undefined, undefined]);
    expect(JSON.stringify(synth({ upgradeSchema }).deployment)).not.toContain('UPGRADE_SCHEMA');
  });

  test('upgradeSchema: true is one variable more, and nothing else', () => {
    const { objects, server } = synth({ upgradeSchema: true });
    const upgrade = { name: 'STARTUP_UPGRADE_SCHEMA', value: 'true' };
    const position = server.env.findIndex(({ name }: { name: string }) => name === upgrade.name);
    expect(server.env[position]).toEqual(upgrade);
    expect(server.env.toSpliced(position, 1)).toEqual(synth().server.env);
    expect({ ...server, env: [] }).toEqual({ ...synth().server, env: [] });
    const rest = (all: Manifests) => all.filter(({ kind }) => kind !== 'Deployment');
    expect(rest(objects)).toEqual(rest(synth().objects));
  });

  test('upgradeSchema is the way to set its variable', () => {
    const extraEnv = [{ name: 'STARTUP_UPGRADE_SCHEMA', value: 'false' }];
    const message =
      '[test/TrackingServer] extraEnv[0]: got "STARTUP_UPGRADE_SCHEMA". ' +
      'Rule: an extra variable does not repeat a managed one, of which Kubernetes would silently take the last. ' +
      'Fix: leave it out and use the prop that sets it (a store, workers, jobExecution, artifactTransfer, startupDeadline, upgradeSchema, staticPrefix, corsAllowedOrigins, xFrameOptions, logLevel, connectionPool, metrics, basicAuth).';
    for (const upgradeSchema of [undefined, false, true]) expect(faults(chartWith({ upgradeSchema, extraEnv }))).toEqual([message]);
  });

  test.each<[boolean | undefined, string | undefined]>([
    [undefined, undefined],
    [false, undefined],
    [true, 'true'],
  ])('userMayComeLate of a store: %s', (userMayComeLate, value) => {
    const { objects } = synth({ artifactStore: { ...artifactStore, userMayComeLate } });
    expect(startup(objects, 'STARTUP_USER_MAY_COME_LATE')).toEqual([value, value]);
  });

  test('an unknown key of MinIO is final where the cluster made it up, and waited for where it did not', () => {
    const variable = 'STARTUP_USER_MAY_COME_LATE';
    expect(startup(onMinio(), variable)).toEqual([undefined, undefined]);
    expect(startup(onMinio((scope) => new Credentials(scope, 'Keys', { secretName: 'keys' })), variable)).toEqual([undefined, undefined]);
    expect(startup(onMinio((scope) => Credentials.fromSecretName(scope, 'Keys', 'keys')), variable)).toEqual(['true', 'true']);
  });

  test('key and Secret of each variable from a Secret, and of no other', () => {
    const sources = JSON.stringify({ AWS_ACCESS_KEY_ID: 'key id of Secret aws' });
    expect(startup(synth().objects, 'STARTUP_SOURCES')).toEqual([sources, sources]);
    const configMap = { name: 'PGUSER', valueFrom: { configMapKeyRef: { name: 'settings', key: 'user' } } };
    expect(startup(synth({ backendStore: { ...backendStore, environment: [configMap] } }).objects, 'STARTUP_SOURCES')).toEqual([sources, sources]);
  });

  test('no source where there is no Secret', () => {
    const plain = { ...artifactStore, environment: [{ name: 'AWS_ACCESS_KEY_ID', value: 'plain-id' }] };
    expect(startup(synth({ artifactStore: plain }).objects, 'STARTUP_SOURCES')).toEqual(['{}', '{}']);
  });

  test('names of Secrets and keys of the user, and no value of them', () => {
    const warn = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    const literals = { secretName: 'my-keys', username: 'literal-user', password: 'literal-pass:word', usernameKey: 'id', passwordKey: 'pass' };
    const objects = onMinio((scope) => Credentials.fromLiterals(scope, 'Keys', literals));
    warn.mockRestore();
    const [server, monitor] = startup(objects, 'STARTUP_SOURCES');
    expect(JSON.parse(String(server))).toEqual({
      AWS_ACCESS_KEY_ID: 'key id of Secret my-keys',
      AWS_SECRET_ACCESS_KEY: 'key pass of Secret my-keys',
      PGUSER: 'key username of Secret postgres-user',
      PGPASSWORD: 'key password of Secret postgres-user',
    });
    expect(monitor).toBe(server);
    for (const deployment of ofKind(objects, 'Deployment')) {
      for (const value of [literals.username, literals.password]) {
        expect(JSON.stringify(deployment)).not.toContain(value);
        expect(JSON.stringify(deployment)).not.toContain(Buffer.from(value).toString('base64'));
      }
    }
  });
});

describe('faults', () => {
  const at = (message: string) => `[test/TrackingServer] ${message}`;

  test.each<[keyof TrackingServerProps, unknown, string]>([
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
    ['startupDeadline', 300, '300'],
    ['startupDeadline', Duration.seconds(0), '"0 s"'],
    ['terminationGracePeriod', Duration.millis(1500), '"1.5 s"'],
    ['scratchSize', Size.gibibytes(0), '"0Gi"'],
    ['scratchSize', '10Gi', '"10Gi"'],
  ])('%s cannot be %j', (prop, value, got) => {
    expect(faults(chartWith({ [prop]: value }))).toContainEqual(
      expect.stringMatching(`^\\[test/TrackingServer\\] ${prop}: got ${got}\\. Rule: .+\\. Fix: .+\\.$`),
    );
  });

  test.each([
    ['replicas', 'the number of replicas'],
    ['workers', 'the number of workers'],
  ])('%s are called what they are', (prop, what) => {
    expect(faults(chartWith({ [prop]: 0 }))).toEqual([at(`${prop}: got 0. Rule: ${what} is a whole number of 1 or more. Fix: pass a number such as 1.`)]);
  });

  test.each(
    (['upgradeSchema', 'jobExecution'] as const).flatMap((prop): [keyof TrackingServerProps, unknown, string][] => [
      [prop, 'false', '"false"'],
      [prop, 'true', '"true"'],
      [prop, '', '""'],
      [prop, 0, '0'],
      [prop, 1, '1'],
      [prop, {}, '{}'],
    ]),
  )('%s is true or false, and cannot be %j', (prop, value, got) => {
    expect(faults(chartWith({ [prop]: value }))).toEqual([
      at(`${prop}: got ${got}. Rule: the value is true or false, and no text or number. Fix: pass true or false.`),
    ]);
  });

  test('the longest name still makes names within 63 characters', () => {
    const longest = (objects: Manifests) => Math.max(...objects.map(({ metadata }) => metadata.name.length));
    expect(longest(synth({ name: 'a'.repeat(48) }).objects)).toBe(63);
    const chart = Testing.chart();
    const startupScript = new StartupScript(chart, 'Script', { content: 'pass\n' });
    new TrackingServer(chart, 'TrackingServer', { backendStore, artifactStore, startupScript, name: 'a'.repeat(48) });
    expect(longest(Testing.synth(chart))).toBe(63);
  });

  describe('stores', () => {
    test.each(['backendStore', 'artifactStore'] as const)('%s of another namespace', (prop) => {
      const stores = { backendStore: { ...backendStore, secretNamespace: 'mlflow' }, artifactStore: { ...artifactStore, secretNamespace: 'mlflow' } };
      expect(faults(chartWith(stores))).toEqual([]);
      expect(faults(chartWith({ ...stores, [prop]: { ...stores[prop], secretNamespace: 'other' } }))).toEqual([
        at(
          `${prop}: got "a store with its Secret in namespace \\"other\\"". Rule: a pod reads Secrets of its own namespace only, here "mlflow" ` +
            '(https://kubernetes.io/docs/concepts/configuration/secret/). Fix: put the store and the tracking server into one namespace.',
        ),
      ]);
    });

    test('a startup script of another namespace', () => {
      const chart = Testing.chart();
      const startupScript = new StartupScript(chart, 'Script', { namespace: 'other' });
      new TrackingServer(chart, 'TrackingServer', { backendStore, artifactStore, startupScript });
      expect(faults(chart)).toEqual([
        at(
          'startupScript: got "a ConfigMap in namespace \\"other\\"". Rule: a pod mounts ConfigMaps of its own namespace only, here "mlflow" ' +
            '(https://kubernetes.io/docs/concepts/configuration/configmap/). Fix: make the StartupScript with namespace "mlflow".',
        ),
      ]);
    });

    const PASSWORD_REST =
      'Rule: the URI stands in the arguments of a process, so it has no password in it. ' +
      'Fix: leave user name and password out of the URI and pass PGUSER and PGPASSWORD in backendStore.environment.';

    test.each([
      ['postgresql://me:hunter2@db/runs', 'postgresql://(not shown)@db/runs'],
      ['postgresql+psycopg2://me:hunter2@db:5432/runs?sslmode=require', 'postgresql+psycopg2://(not shown)@db:5432/runs?sslmode=require'],
      ['mysql://me:hunter2@db/runs', 'mysql://(not shown)@db/runs'],
      ['postgresql://:hunter2@db/runs', 'postgresql://(not shown)@db/runs'],
      ['postgresql://me:hunter2@b@db/runs', 'postgresql://(not shown)@db/runs'],
      // what SQLAlchemy takes for a password as well
      ['postgresql://me:hunter2/b@db/runs', 'postgresql://(not shown)@db/runs'],
    ])('a password in the URI %s', (uri, shown) => {
      expect(faults(chartWith({ backendStore: { uri, environment: [] } }))).toEqual([at(`backendStore.uri: got "${shown}". ${PASSWORD_REST}`)]);
    });

    test('a password in the query of the URI, which libpq reads too', () => {
      const [fault, ...rest] = faults(chartWith({ backendStore: { uri: 'postgresql://db/runs?user=me&password=hunter2', environment: [] } }));
      expect(fault).toMatch(/^\[test\/TrackingServer\] backendStore\.uri: got .+\. Rule: .+ Fix: .+\.$/);
      expect(fault).not.toContain('hunter2');
      expect(rest).toEqual([]);
    });

    test.each([
      'postgresql://db/runs',
      'postgresql://db.example.com:5432/runs?sslmode=require',
      'postgresql://me@db:5432/runs',
      'postgresql:///runs?host=/var/run/postgresql',
      'postgresql://[::1]:5432/runs',
      'sqlite:////data/mlflow.db',
      'mysql+pymysql://db:3306/runs',
    ])('the URI %s has none', (uri) => {
      expect(faults(chartWith({ backendStore: { uri, environment: [] } }))).toEqual([]);
    });
  });

  describe('allowedHosts', () => {
    const SOURCE = '(https://mlflow.org/docs/latest/self-hosting/security/network/)';
    const FIX = 'Fix: leave the prop out to allow all hosts, or pass a list such as ["mlflow.example.com", "mlflow-service:*"].';

    test.each<[unknown, string]>([
      [[], '[]'],
      ['*', '"*"'],
      [{}, '{}'],
    ])('cannot be %j', (allowedHosts, got) => {
      expect(faults(chartWith({ allowedHosts: allowedHosts as string[] }))).toEqual([
        at(`allowedHosts: got ${got}. Rule: the list names one host or more: a server that allows none refuses every client ${SOURCE}. ${FIX}`),
      ]);
    });

    test.each<[unknown, string]>([
      ['', '""'],
      [' ', '" "'],
      ['https://mlflow.example.com', '"https://mlflow.example.com"'],
      ['mlflow.example.com/', '"mlflow.example.com/"'],
      ['a,b', '"a,b"'],
      ['a b', '"a b"'],
      ['a\n', '"a\\n"'],
      [5, '5'],
      [null, 'null'],
    ])('cannot have %j in it', (host, got) => {
      expect(faults(chartWith({ allowedHosts: ['mlflow.example.com', host as string] }))).toEqual([
        at(`allowedHosts[1]: got ${got}. Rule: a host is a name, with a port or a pattern if need be, without scheme, path, comma or white space ${SOURCE}. ${FIX}`),
      ]);
    });

    test('names each host that is wrong', () => {
      const prop = (fault: string) => fault.slice(0, fault.indexOf(':'));
      expect(faults(chartWith({ allowedHosts: ['a b', 'ok', ''] })).map(prop)).toEqual([at('allowedHosts[0]'), at('allowedHosts[2]')]);
    });
  });

  describe('extraArgs', () => {
    const byConstruct = (index: number, arg: string, flag: string, reason: string) =>
      at(
        `extraArgs[${index}]: got "${arg}". Rule: ${flag} is a managed flag, set by the construct itself. Fix: leave it out: ${reason}.`,
      );
    const byProp = (index: number, arg: string, flag: string, prop: string) =>
      at(`extraArgs[${index}]: got "${arg}". Rule: ${flag} is a managed flag, set by the prop ${prop}. Fix: use the prop ${prop}.`);
    const LISTENS = 'the container always listens on all its addresses';
    const PROXIES = 'it is what keeps clients off the artifact store';

    test.each([
      ['--host=127.0.0.1', '--host', LISTENS],
      ['--host', '--host', LISTENS],
      ['-h', '-h', LISTENS],
      ['-h127.0.0.1', '-h', LISTENS],
      ['-h=127.0.0.1', '-h', LISTENS],
      ['--default-artifact-root=s3://mine', '--default-artifact-root', PROXIES],
      ['--default-artifact-root', '--default-artifact-root', PROXIES],
      ['--serve-artifacts', '--serve-artifacts', PROXIES],
      ['--no-serve-artifacts', '--no-serve-artifacts', PROXIES],
    ])('%s is managed by nothing but the construct', (arg, flag, reason) => {
      expect(faults(chartWith({ extraArgs: [arg] }))).toEqual([byConstruct(0, arg, flag, reason)]);
    });

    test.each([
      ['--port=5001', '--port', 'port'],
      ['--port 5001', '--port', 'port'],
      ['-p', '-p', 'port'],
      ['-p5001', '-p', 'port'],
      ['-p 5001', '-p', 'port'],
      ['-p=5001', '-p', 'port'],
      ['--backend-store-uri=sqlite:///mlflow.db', '--backend-store-uri', 'backendStore'],
      ['--artifacts-destination=s3://mine', '--artifacts-destination', 'artifactStore'],
      ['--allowed-hosts=a', '--allowed-hosts', 'allowedHosts'],
      ['--workers=4', '--workers', 'workers'],
      ['-w', '-w', 'workers'],
      ['-w4', '-w', 'workers'],
    ])('%s is managed by a prop', (arg, flag, prop) => {
      expect(faults(chartWith({ extraArgs: [arg] }))).toEqual([byProp(0, arg, flag, prop)]);
    });

    test('the value of a flag is not looked at, each flag is', () => {
      expect(faults(chartWith({ extraArgs: ['--dev', '--port', '5001', '--workers', '2'] }))).toEqual([
        byProp(1, '--port', '--port', 'port'),
        byProp(3, '--workers', '--workers', 'workers'),
      ]);
    });

    test.each(['--dev', '--expose-prometheus=/tmp/metrics', '--hostname=x', '--port-range=1', '--workers-per-core=1', 'mlflow', '/tmp/-p', '--app-name=basic-auth'])(
      '%s is taken',
      (arg) => {
        expect(faults(chartWith({ extraArgs: [arg] }))).toEqual([]);
      },
    );
  });

  describe('extraEnv', () => {
    const MANAGED =
      'Rule: an extra variable does not repeat a managed one, of which Kubernetes would silently take the last. ' +
      'Fix: leave it out and use the prop that sets it (a store, workers, jobExecution, artifactTransfer, startupDeadline, upgradeSchema, staticPrefix, corsAllowedOrigins, xFrameOptions, logLevel, connectionPool, metrics, basicAuth).';

    test.each<string>(synth().server.env.map(({ name }: { name: string }) => name))('%s is managed', (name) => {
      expect(faults(chartWith({ extraEnv: [{ name, value: 'mine' }] }))).toEqual([at(`extraEnv[0]: got "${name}". ${MANAGED}`)]);
    });

    test.each(['STARTUP_', 'STARTUP_MONITOR_PORT', 'STARTUP_UPGRADE_SCHEMA', 'STARTUP_USER_MAY_COME_LATE', 'STARTUP_ANYTHING'])(
      '%s is reserved for the script, even where it is not set',
      (name) => {
        expect(synth().server.env.map((variable: { name: string }) => variable.name)).not.toContain(name);
        expect(faults(chartWith({ extraEnv: [{ name, value: 'mine' }] }))).toEqual([at(`extraEnv[0]: got "${name}". ${MANAGED}`)]);
      },
    );

    test('each reserved variable is named, once for each time that it is there', () => {
      const extraEnv = ['STARTUP_A', 'A', 'STARTUP_A', 'STARTUP_B'].map((name) => ({ name, value: 'mine' }));
      expect(faults(chartWith({ extraEnv }))).toEqual([
        at(`extraEnv[0]: got "STARTUP_A". ${MANAGED}`),
        at(`extraEnv[2]: got "STARTUP_A". ${MANAGED}`),
        at(`extraEnv[3]: got "STARTUP_B". ${MANAGED}`),
      ]);
    });

    test.each(['STARTUP', 'STARTUPS', 'STARTUP-A', 'startup_a', 'MY_STARTUP_A', '_STARTUP_A', 'MONITOR_PORT'])('%s is free', (name) => {
      expect(faults(chartWith({ extraEnv: [{ name, value: 'mine' }] }))).toEqual([]);
    });

    test('a variable that is named twice', () => {
      const extraEnv = [
        { name: 'A', value: '1' },
        { name: 'B', value: '2' },
        { name: 'A', value: '3' },
      ];
      expect(faults(chartWith({ extraEnv }))).toEqual([
        at('extraEnv[2]: got "A". Rule: each variable is named once. Fix: leave one of the two out.'),
      ]);
    });

    test('a managed variable that is named twice', () => {
      const extraEnv = [
        { name: 'HOME', value: '/a' },
        { name: 'HOME', value: '/b' },
      ];
      expect(faults(chartWith({ extraEnv }))).toEqual([at(`extraEnv[0]: got "HOME". ${MANAGED}`), at(`extraEnv[1]: got "HOME". ${MANAGED}`)]);
    });

    test('PYTHONPATH is free where there is no plugin', () => {
      const extraEnv = [{ name: 'PYTHONPATH', value: '/mine' }];
      expect(faults(chartWith({ extraEnv, artifactTransfer: ArtifactTransfer.DIRECT }))).toEqual([]);
    });

    test.each<[unknown, string]>([
      ['', '""'],
      ['1A', '"1A"'],
      ['A B', '"A B"'],
      ['A=B', '"A=B"'],
      ['Ä', '"Ä"'],
      [undefined, 'undefined'],
      [7, '7'],
    ])('the name %j is refused', (name, got) => {
      expect(faults(chartWith({ extraEnv: [{ name: name as string, value: '1' }] }))).toEqual([
        at(
          `extraEnv[0]: got ${got}. Rule: the name of a variable has letters, digits, "-", "_" and ".", no digit first ` +
            '(https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-container/). ' +
            'Fix: pass a name such as "MLFLOW_LOGGING_LEVEL".',
        ),
      ]);
    });

    test.each(['A', '_', 'a.b-c_D9', 'MLFLOW_LOGGING_LEVEL'])('the name %s is taken', (name) => {
      expect(faults(chartWith({ extraEnv: [{ name, value: '1' }] }))).toEqual([]);
    });

    test('two stores that set the same variable', () => {
      const region = { name: 'AWS_REGION', value: 'eu-west-1' };
      const stores = {
        backendStore: { ...backendStore, environment: [region] },
        artifactStore: { ...artifactStore, environment: [{ ...region, value: 'us-east-1' }] },
      };
      expect(faults(chartWith(stores))).toEqual([expect.stringMatching(/^\[test\/TrackingServer\] .*AWS_REGION.* Rule: .+ Fix: .+\.$/)]);
    });
  });
});
