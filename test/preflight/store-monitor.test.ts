import { ApiObject, Chart, Duration, Size, Testing } from 'cdk8s';
import { ArtifactTransfer, Credentials, IArtifactStore, IBackendStore, Images, Minio, Postgres, StartupScript, TrackingServer, TrackingServerProps } from '../../lib';
import { START_MLFLOW_PY } from '../../lib/assets.generated';
import { fingerprint } from '../../lib/kube/hash';
import { decided } from '../../lib/kube/linters';
import { Manifests, containers, faults, get, ofKind, workloads } from '../helpers';

const backendStore: IBackendStore = {
  uri: 'postgresql://db.example.com/runs',
  environment: [
    { name: 'PGUSER', value: 'me' },
    { name: 'PGPASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'pass' } } },
  ],
};
const artifactStore: IArtifactStore = {
  artifactsDestination: 's3://models/team-a',
  environment: [
    { name: 'AWS_ACCESS_KEY_ID', valueFrom: { secretKeyRef: { name: 'aws', key: 'id' } } },
    { name: 'MLFLOW_S3_ENDPOINT_URL', value: 'https://s3.example.com' },
  ],
};
const extraEnv = [
  { name: 'HTTPS_PROXY', value: 'http://proxy.example.com:3128' },
  { name: 'CACHE', value: '$(HOME)/cache' },
  { name: 'AWS_SESSION_TOKEN', valueFrom: { secretKeyRef: { name: 'mine', key: 'token' } } },
];
const SELECTOR = {
  'app.kubernetes.io/name': 'mlflow',
  'app.kubernetes.io/instance': 'mlflow',
  'app.kubernetes.io/component': 'store-monitor',
};
const LABELS = { ...SELECTOR, 'app.kubernetes.io/part-of': 'mlflow', 'app.kubernetes.io/managed-by': 'cdk8s' };

function partsOf(objects: Manifests, name = 'mlflow') {
  const deployment = get(objects, 'Deployment', `${name}-monitor`);
  const [monitor, ...others] = containers(deployment);
  expect(others).toEqual([]);
  return { objects, deployment, monitor, pod: deployment.spec.template, service: get(objects, 'Service', `${name}-monitor`) };
}

function synth(props: Partial<TrackingServerProps> = {}) {
  const chart = Testing.chart();
  new TrackingServer(chart, 'TrackingServer', { backendStore, artifactStore, ...props });
  return partsOf(Testing.synth(chart), props.name);
}

function onPostgresAndMinio() {
  const chart = Testing.chart();
  new TrackingServer(chart, 'TrackingServer', { backendStore: new Postgres(chart, 'Postgres'), artifactStore: new Minio(chart, 'Minio') });
  return partsOf(Testing.synth(chart));
}

const namesOf = (env: { name: string }[]) => env.map(({ name }) => name);
/** Workloads whose pods a selector matches. */
const selected = (objects: Manifests, selector: { [key: string]: string }) =>
  workloads(objects)
    .filter(({ spec }) => Object.entries(selector).every(([key, value]) => spec.template.metadata.labels[key] === value))
    .map(({ kind, metadata }) => `${kind} ${metadata.name}`);

describe('the pod', () => {
  const { deployment, monitor, pod } = synth();

  test('is one at a time', () => {
    expect(deployment.spec.replicas).toBe(1);
    expect(deployment.spec.strategy).toEqual({ type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } });
  });

  test('is restricted', () => {
    expect(pod.spec.securityContext).toEqual({
      runAsNonRoot: true,
      runAsUser: 10001,
      runAsGroup: 10001,
      fsGroup: 10001,
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(monitor.securityContext).toEqual({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, readOnlyRootFilesystem: true });
    for (const field of ['hostNetwork', 'hostPID', 'hostIPC']) expect(pod.spec).not.toHaveProperty(field);
  });

  test('gets nothing from the cluster that it was not given', () => {
    expect(pod.spec.automountServiceAccountToken).toBe(false);
    expect(pod.spec.enableServiceLinks).toBe(false);
    expect(pod.spec).not.toHaveProperty('serviceAccountName');
  });

  test('takes little', () => {
    expect(monitor.resources).toEqual({
      requests: { cpu: '10m', memory: '96Mi', 'ephemeral-storage': '64Mi' },
      limits: { cpu: '500m', memory: '192Mi', 'ephemeral-storage': '256Mi' },
    });
  });

  test('mounts the script and a place for files, and no plugin', () => {
    expect(monitor.volumeMounts).toEqual([
      { name: 'startup-script', mountPath: '/app/start-mlflow.py', subPath: 'start-mlflow.py', readOnly: true },
      { name: 'tmp', mountPath: '/tmp' },
    ]);
    expect(pod.spec.volumes).toEqual([
      { name: 'startup-script', configMap: { name: 'mlflow-startup-script', defaultMode: 0o755 } },
      { name: 'tmp', emptyDir: { sizeLimit: '64Mi' } },
    ]);
  });

  test('is unready as soon as a store does not work, and is not killed for it', () => {
    expect(monitor.ports).toEqual([{ name: 'metrics', containerPort: 8080 }]);
    expect(monitor.readinessProbe).toEqual({ httpGet: { path: '/ready', port: 'metrics' }, periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 1 });
    expect(monitor.livenessProbe).toEqual({
      httpGet: { path: '/metrics', port: 'metrics' },
      initialDelaySeconds: 10,
      periodSeconds: 20,
      timeoutSeconds: 5,
    });
    expect(monitor).not.toHaveProperty('startupProbe');
  });

  test('leaves the reason of its end', () => {
    expect(monitor.terminationMessagePolicy).toBe('FallbackToLogsOnError');
  });

  test('has the labels of the installation, with a component of its own', () => {
    expect(deployment.metadata).toEqual({
      name: 'mlflow-monitor',
      namespace: 'mlflow',
      labels: { ...LABELS, 'app.kubernetes.io/version': 'v3.17.2-full' },
      annotations: decided({ images: [Images.MLFLOW], pullPolicy: 'IfNotPresent', secretsInEnv: true, single: true }),
    });
    expect(pod.metadata.labels).toEqual(deployment.metadata.labels);
    expect(deployment.spec.selector).toEqual({ matchLabels: SELECTOR });
  });
});

describe('what it runs', () => {
  test('the script, with the word monitor and the flags that name the stores', () => {
    const { monitor } = synth();
    expect(monitor.command).toEqual(['python3', '/app/start-mlflow.py']);
    expect(monitor.args).toEqual(['monitor', '--backend-store-uri=postgresql://db.example.com/runs', '--artifacts-destination=s3://models/team-a']);
  });

  test('on PostgreSQL and MinIO, whatever the options of the server are', () => {
    expect(onPostgresAndMinio().monitor.args).toEqual([
      'monitor',
      '--backend-store-uri=postgresql://postgres.mlflow.svc.cluster.local:5432/mlflow',
      '--artifacts-destination=s3://mlflow-bucket',
    ]);
    const options = { port: 8888, extraArgs: ['--dev'], allowedHosts: ['mlflow.example.com'], artifactTransfer: ArtifactTransfer.DIRECT };
    expect(synth(options).monitor.args).toEqual(synth().monitor.args);
  });

  test('the stores are those of the server', () => {
    const { objects, monitor } = onPostgresAndMinio();
    const [server] = containers(get(objects, 'Deployment', 'mlflow'));
    for (const flag of monitor.args.slice(1)) expect(server.args).toContain(flag);
  });

  test('the image of the server, which is the version too', () => {
    expect(synth().monitor.image).toBe(Images.MLFLOW);
    const { monitor, pod } = synth({ image: 'registry.example.com/mlflow:v9-mine' });
    expect(monitor.image).toBe('registry.example.com/mlflow:v9-mine');
    expect(monitor.imagePullPolicy).toBe('IfNotPresent');
    expect(pod.metadata.labels['app.kubernetes.io/version']).toBe('v9-mine');
  });
});

describe('the environment', () => {
  test('is that of both stores and of the script', () => {
    expect(synth().monitor.env).toEqual([
      ...artifactStore.environment,
      ...backendStore.environment,
      { name: 'STARTUP_DEPLOYMENT', value: 'mlflow' },
      { name: 'STARTUP_DEADLINE_SECONDS', value: '300' },
      { name: 'STARTUP_ARTIFACT_TRANSFER', value: 'proxied' },
      { name: 'STARTUP_SOURCES', value: JSON.stringify({ AWS_ACCESS_KEY_ID: 'key id of Secret aws', PGPASSWORD: 'key pass of Secret db' }) },
      { name: 'STARTUP_MONITOR_PORT', value: '8080' },
      { name: 'HOME', value: '/tmp' },
    ]);
  });

  test('on PostgreSQL and MinIO', () => {
    const { objects, monitor } = onPostgresAndMinio();
    expect(namesOf(monitor.env)).toEqual([
      'AWS_ACCESS_KEY_ID',
      'AWS_SECRET_ACCESS_KEY',
      'MLFLOW_S3_ENDPOINT_URL',
      'AWS_DEFAULT_REGION',
      'AWS_REGION',
      'PGUSER',
      'PGPASSWORD',
      'STARTUP_DEPLOYMENT',
      'STARTUP_DEADLINE_SECONDS',
      'STARTUP_ARTIFACT_TRANSFER',
      'STARTUP_SOURCES',
      'STARTUP_MONITOR_PORT',
      'HOME',
    ]);
    const [server] = containers(get(objects, 'Deployment', 'mlflow'));
    for (const variable of monitor.env) {
      if (variable.name !== 'STARTUP_MONITOR_PORT') expect(server.env).toContainEqual(variable);
    }
  });

  test('has the variables of the user, as they are, and nothing else for them', () => {
    const { monitor, objects } = synth({ extraEnv });
    const names = namesOf(extraEnv);
    expect(monitor.env.filter(({ name }: { name: string }) => names.includes(name))).toEqual(extraEnv);
    expect(monitor.env.filter(({ name }: { name: string }) => !names.includes(name))).toEqual(synth().monitor.env);
    const [server] = containers(get(objects, 'Deployment', 'mlflow'));
    expect(server.env.filter(({ name }: { name: string }) => names.includes(name))).toEqual(extraEnv);
  });

  // $(HOME) in a value means a variable that stands before it, in the monitor as in the server
  test('has the variables of the user last, as the server has', () => {
    const { monitor, objects } = synth({ extraEnv });
    const [server] = containers(get(objects, 'Deployment', 'mlflow'));
    expect(server.env.slice(-extraEnv.length)).toEqual(extraEnv);
    expect(monitor.env).toEqual([...synth().monitor.env, ...extraEnv]);
  });

  test('has PYTHONPATH of the user where the server has it', () => {
    const variable = { name: 'PYTHONPATH', value: '/mine' };
    const { monitor, objects } = synth({ artifactTransfer: ArtifactTransfer.DIRECT, extraEnv: [variable] });
    const [server] = containers(get(objects, 'Deployment', 'mlflow'));
    for (const { env } of [server, monitor]) expect(env.filter(({ name }: { name: string }) => name === 'PYTHONPATH')).toEqual([variable]);
  });

  test('has no settings of the MLflow server', () => {
    const { monitor } = synth({ workers: 4, jobExecution: true });
    expect(monitor.env).toEqual(synth().monitor.env);
    for (const name of ['MLFLOW_WORKERS', 'MLFLOW_SERVER_ENABLE_JOB_EXECUTION', 'PYTHONPATH', 'MALLOC_ARENA_MAX']) {
      expect(namesOf(monitor.env)).not.toContain(name);
    }
  });

  test('names each variable once', () => {
    const all = { upgradeSchema: true, artifactStore: { ...artifactStore, userMayComeLate: true }, extraEnv };
    for (const { monitor } of [synth(all), onPostgresAndMinio()]) {
      expect(new Set(namesOf(monitor.env)).size).toBe(monitor.env.length);
    }
  });

  test('follows the stores', () => {
    const chart = Testing.chart();
    const existing = (name: string) => Credentials.fromSecretName(chart, name, name, { usernameKey: 'user', passwordKey: 'pass' });
    new TrackingServer(chart, 'TrackingServer', {
      backendStore: new Postgres(chart, 'Postgres', { credentials: existing('db') }),
      artifactStore: new Minio(chart, 'Minio', { credentials: existing('s3'), region: 'eu-west-1' }),
      startupDeadline: Duration.minutes(10),
    });
    expect(partsOf(Testing.synth(chart)).monitor.env).toEqual([
      { name: 'AWS_ACCESS_KEY_ID', valueFrom: { secretKeyRef: { name: 's3', key: 'user' } } },
      { name: 'AWS_SECRET_ACCESS_KEY', valueFrom: { secretKeyRef: { name: 's3', key: 'pass' } } },
      { name: 'MLFLOW_S3_ENDPOINT_URL', value: 'http://minio.mlflow.svc.cluster.local:9000' },
      { name: 'AWS_DEFAULT_REGION', value: 'eu-west-1' },
      { name: 'AWS_REGION', value: 'eu-west-1' },
      { name: 'PGUSER', valueFrom: { secretKeyRef: { name: 'db', key: 'user' } } },
      { name: 'PGPASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'pass' } } },
      { name: 'STARTUP_DEPLOYMENT', value: 'mlflow' },
      { name: 'STARTUP_DEADLINE_SECONDS', value: '600' },
      { name: 'STARTUP_ARTIFACT_TRANSFER', value: 'proxied' },
      {
        name: 'STARTUP_SOURCES',
        value: JSON.stringify({
          AWS_ACCESS_KEY_ID: 'key user of Secret s3',
          AWS_SECRET_ACCESS_KEY: 'key pass of Secret s3',
          PGUSER: 'key user of Secret db',
          PGPASSWORD: 'key pass of Secret db',
        }),
      },
      { name: 'STARTUP_USER_MAY_COME_LATE', value: 'true' },
      { name: 'STARTUP_MONITOR_PORT', value: '8080' },
      { name: 'HOME', value: '/tmp' },
    ]);
  });
});

describe('the Service', () => {
  test('leads to pods that are not ready too', () => {
    const { service } = synth();
    expect(service.metadata).toEqual({ name: 'mlflow-monitor', namespace: 'mlflow', labels: LABELS });
    expect(service.spec).toEqual({
      type: 'ClusterIP',
      selector: SELECTOR,
      publishNotReadyAddresses: true,
      ports: [{ name: 'metrics', port: 8080, targetPort: 'metrics' }],
    });
  });

  test('is the only one that does', () => {
    const withUnready = ofKind(onPostgresAndMinio().objects, 'Service').filter(({ spec }) => spec.publishNotReadyAddresses === true);
    expect(withUnready.map(({ metadata }) => metadata.name)).toEqual(['mlflow-monitor']);
  });

  test('keeps its port whatever that of the server is', () => {
    const { monitor, service } = synth({ port: 8888 });
    expect(monitor.ports).toEqual([{ name: 'metrics', containerPort: 8080 }]);
    expect(service.spec.ports).toEqual([{ name: 'metrics', port: 8080, targetPort: 'metrics' }]);
  });
});

test('monitor and server select their own pods only', () => {
  const { objects, deployment, service } = onPostgresAndMinio();
  const server = get(objects, 'Deployment', 'mlflow');
  for (const selector of [deployment.spec.selector.matchLabels, service.spec.selector]) {
    expect(selected(objects, selector)).toEqual(['Deployment mlflow-monitor']);
  }
  const selectors = [server.spec.selector.matchLabels, ...['mlflow-service', 'mlflow-server'].map((name) => get(objects, 'Service', name).spec.selector)];
  for (const selector of selectors) expect(selected(objects, selector)).toEqual(['Deployment mlflow']);
});

test('two monitors in one namespace select their own pods only', () => {
  const chart = Testing.chart();
  for (const name of ['red', 'blue']) new TrackingServer(chart, name, { backendStore, artifactStore, name });
  const objects = Testing.synth(chart);
  for (const name of ['red', 'blue']) {
    const { deployment, service } = partsOf(objects, name);
    expect(selected(objects, deployment.spec.selector.matchLabels)).toEqual([`Deployment ${name}-monitor`]);
    expect(selected(objects, service.spec.selector)).toEqual([`Deployment ${name}-monitor`]);
  }
});

describe('the script', () => {
  const SCRIPT = 'checksum/startup-script';

  function withScript(content?: string) {
    const chart = Testing.chart();
    const startupScript = new StartupScript(chart, 'Script', { name: 'my-script', content });
    new TrackingServer(chart, 'TrackingServer', { backendStore, artifactStore, startupScript });
    return { ...partsOf(Testing.synth(chart)), checksum: startupScript.checksum };
  }

  const configMaps = (objects: Manifests) => ofKind(objects, 'ConfigMap').map(({ metadata }) => metadata.name);

  test('is that of the server, and its fingerprint the only annotation', () => {
    const { objects, pod } = synth();
    const server = get(objects, 'Deployment', 'mlflow').spec.template;
    expect(pod.metadata.annotations).toEqual({ [SCRIPT]: server.metadata.annotations[SCRIPT] });
    expect(pod.metadata.annotations[SCRIPT]).toMatch(/^[0-9a-f]{10}$/);
    expect(pod.spec.volumes[0]).toEqual(server.spec.volumes[0]);
  });

  test('replaces the pod when it changes', () => {
    const { objects, pod, checksum } = withScript();
    expect(checksum).toBe(fingerprint(START_MLFLOW_PY));
    expect(pod.metadata.annotations).toEqual({ [SCRIPT]: checksum });
    expect(pod.spec.volumes[0]).toEqual({ name: 'startup-script', configMap: { name: 'my-script', defaultMode: 0o755 } });
    expect(configMaps(objects)).toEqual(['my-script', 'mlflow-plugins']);
    expect(withScript().pod).toEqual(pod);
    expect(synth().pod.metadata.annotations[SCRIPT]).toBe(checksum);
  });

  test('of the library is that of the server, also where it is passed as a text', () => {
    const { objects, pod } = withScript(START_MLFLOW_PY);
    expect(pod).toEqual(withScript().pod);
    expect(configMaps(objects)).toEqual(['my-script', 'mlflow-plugins']);
  });

  test('of the user starts the server only: the monitor has that of the library', () => {
    const { objects, monitor, pod, checksum } = withScript('pass\n');
    const server = get(objects, 'Deployment', 'mlflow').spec.template;
    expect(server.metadata.annotations[SCRIPT]).toBe(checksum);
    expect(server.spec.volumes[0]).toEqual({ name: 'startup-script', configMap: { name: 'my-script', defaultMode: 0o755 } });

    expect(pod.metadata.annotations).toEqual({ [SCRIPT]: fingerprint(START_MLFLOW_PY) });
    expect(pod.spec.volumes).toEqual([
      { name: 'startup-script', configMap: { name: 'mlflow-monitor-script', defaultMode: 0o755 } },
      { name: 'tmp', emptyDir: { sizeLimit: '64Mi' } },
    ]);
    expect(monitor).toEqual(synth().monitor);

    expect(configMaps(objects)).toEqual(['my-script', 'mlflow-plugins', 'mlflow-monitor-script']);
    expect(get(objects, 'ConfigMap', 'mlflow-monitor-script')).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'mlflow-monitor-script', namespace: 'mlflow', labels: { ...LABELS, 'app.kubernetes.io/component': 'tracking-server' } },
      data: { 'start-mlflow.py': START_MLFLOW_PY },
    });
  });

  test('of the user does not replace the monitor when it changes', () => {
    const [one, other] = [withScript('pass'), withScript('pass\n')];
    expect(one.checksum).not.toBe(other.checksum);
    expect(one.deployment).toEqual(other.deployment);
  });

  test('of the user cannot have the name that the monitor needs', () => {
    const chart = Testing.chart();
    const startupScript = new StartupScript(chart, 'Script', { name: 'mlflow-monitor-script', content: 'pass\n' });
    new TrackingServer(chart, 'TrackingServer', { backendStore, artifactStore, startupScript });
    expect(faults(chart)).toEqual([
      '[test/TrackingServer] name: got ConfigMap "mlflow-monitor-script" in namespace "mlflow", which [test/Script/ConfigMap] makes already. ' +
        'Rule: in one namespace each kind has a name once, and the second object would overwrite the first ' +
        '(https://kubernetes.io/docs/concepts/overview/working-with-objects/names/). Fix: give each tracking server of the namespace, or each stack, its own name.',
    ]);
  });

  test('of the user makes no second fault of a wrong name', () => {
    const chart = Testing.chart();
    const startupScript = new StartupScript(chart, 'Script', { content: 'pass\n' });
    new TrackingServer(chart, 'TrackingServer', { backendStore, artifactStore, startupScript, name: 'ML_flow' });
    expect(faults(chart)).toEqual([expect.stringMatching(/^\[test\/TrackingServer\] name: got "ML_flow"\. Rule: .+ Fix: pass a name such as "ml-flow"\.$/)]);
  });

  test('of the user for two servers: each monitor has a ConfigMap of its own, in the namespace of the server', () => {
    const chart = Testing.chart();
    const startupScript = new StartupScript(chart, 'Script', { name: 'my-script', namespace: 'shared', content: 'pass\n' });
    for (const name of ['red', 'blue']) new TrackingServer(chart, name, { backendStore, artifactStore, startupScript, name, namespace: 'shared' });
    const objects = Testing.synth(chart);
    expect(configMaps(objects)).toEqual(['my-script', 'red-plugins', 'red-monitor-script', 'blue-plugins', 'blue-monitor-script']);
    for (const name of ['red', 'blue']) {
      expect(get(objects, 'ConfigMap', `${name}-monitor-script`).metadata.namespace).toBe('shared');
      expect(partsOf(objects, name).pod.spec.volumes[0].configMap.name).toBe(`${name}-monitor-script`);
    }
  });
});

test('options of the pods of the server do not change it', () => {
  const options = {
    replicas: 3,
    resources: { cpuLimit: '4', memoryLimit: Size.gibibytes(3) },
    scratchSize: Size.gibibytes(50),
    terminationGracePeriod: Duration.minutes(10),
  };
  expect(synth(options).deployment).toEqual(synth().deployment);
});

test('name and namespace are those of the server', () => {
  const { deployment, service } = synth({ name: 'team-a', namespace: 'shared' });
  for (const object of [deployment, service]) {
    expect(object.metadata).toMatchObject({ name: 'team-a-monitor', namespace: 'shared' });
    expect(object.metadata.labels['app.kubernetes.io/instance']).toBe('team-a');
  }
  expect(deployment.spec.template.spec.volumes[0].configMap.name).toBe('team-a-startup-script');
});

test('the tracking server hands it out, to be patched', () => {
  const chart = new Chart(Testing.app(), 'test');
  const tracking = new TrackingServer(chart, 'TrackingServer', { backendStore, artifactStore });
  expect(tracking.monitor.name).toBe('mlflow-monitor');
  expect(ApiObject.of(tracking)).not.toBe(tracking.monitor);
  expect(ApiObject.of(tracking.node.findChild('Monitor'))).toBe(tracking.monitor);
  tracking.monitor.metadata.addAnnotation('team', 'a');
  expect(faults(chart)).toEqual([]);
  expect(get(Testing.synth(chart), 'Deployment', 'mlflow-monitor').metadata.annotations).toMatchObject({ team: 'a' });
});
