import { ApiObject, Chart, Duration, Size, Testing } from 'cdk8s';
import { ArtifactTransfer, Credentials, IArtifactStore, IBackendStore, Images, Metrics, Minio, Postgres, StoreMonitor, TrackingServer, TrackingServerProps } from '../../lib';
import { Manifests, PATIENCE, containers, faults, get, ofKind, workloads } from '../helpers';
import { k8s } from '../../imports/k8s';

/** Where the secrets of each server are from. */
const OWN = { MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY: 'key webhook-key of Secret mlflow-server-secrets', MLFLOW_CRYPTO_KEK_PASSPHRASE: 'key kek-passphrase-1 of Secret mlflow-server-secrets' };

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

  test('mounts the preflight and a place for files, and neither script nor plugin', () => {
    expect(monitor.volumeMounts).toEqual([
      { name: 'preflight', mountPath: '/app/preflight' },
      { name: 'tmp', mountPath: '/tmp' },
    ]);
    expect(pod.spec.volumes).toEqual([
      { name: 'preflight', configMap: { name: 'mlflow-preflight' } },
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
    });
    expect(pod.metadata.labels).toEqual(deployment.metadata.labels);
    expect(deployment.spec.selector).toEqual({ matchLabels: SELECTOR });
  });
});

test('a server has one', () => {
  const chart = Testing.chart();
  const server = new TrackingServer(chart, 'Server', { backendStore: new Postgres(chart, 'Postgres'), artifactStore: new Minio(chart, 'Minio') });
  new StoreMonitor(chart, 'Second', { server });
  expect(faults(chart)).toEqual([expect.stringMatching(/^\[test\/Second\] server: got Deployment "mlflow-monitor" .*which \[test\/Server\/Monitor.*\] makes already.*Fix: make one StoreMonitor/)]);
});

describe('what it runs', () => {
  test('the preflight, with the word monitor and the flags that name the stores', () => {
    const { monitor } = synth();
    expect(monitor.command).toEqual(['python3', '/app/preflight']);
    expect(monitor.args).toEqual(['monitor', '--backend-store-uri=postgresql://db.example.com/runs', '--artifacts-destination=s3://models/team-a']);
  });

  test('on PostgreSQL and MinIO, whatever the options of the server are', () => {
    expect(onPostgresAndMinio().monitor.args).toEqual([
      'monitor',
      `--backend-store-uri=postgresql+psycopg2://postgres.mlflow.svc.cluster.local:5432/mlflow${PATIENCE}`,
      '--artifacts-destination=s3://mlflow-bucket',
    ]);
    const options = { port: 8888, extraArgs: ['--enable-workspaces'], settings: { allowedHosts: ['mlflow.example.com'] }, artifactTransfer: ArtifactTransfer.DIRECT };
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
      { name: 'STARTUP_SOURCES', value: JSON.stringify({ AWS_ACCESS_KEY_ID: 'key id of Secret aws', PGPASSWORD: 'key pass of Secret db', ...OWN }) },
      { name: 'STARTUP_MONITOR_PORT', value: '8080' },
      { name: 'HOME', value: '/tmp' },
      { name: 'PYTHONNOUSERSITE', value: '1' },
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
      'PYTHONNOUSERSITE',
    ]);
    const [server] = containers(get(objects, 'Deployment', 'mlflow'));
    for (const variable of monitor.env) {
      if (variable.name !== 'STARTUP_MONITOR_PORT') expect(server.env).toContainEqual(variable);
    }
  });

  const LOOKED_FOR = [
    'HTTPS_PROXY', 'http_proxy', 'NO_PROXY', 'all_proxy', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE',
    'AWS_SESSION_TOKEN', 'AWS_CA_BUNDLE', 'AWS_ROLE_ARN', 'AZURE_CLIENT_ID', 'AZURE_STORAGE_CONNECTION_STRING', 'GOOGLE_APPLICATION_CREDENTIALS', 'GCE_METADATA_HOST', 'BOTO_CONFIG',
    'PGSSLMODE', 'PGSSLROOTCERT', 'PGCONNECT_TIMEOUT', 'MLFLOW_S3_IGNORE_TLS', 'MLFLOW_S3_UPLOAD_EXTRA_ARGS', 'MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE', 'MLFLOW_GCS_UPLOAD_CHUNK_SIZE', 'MLFLOW_MYSQL_SSL_CA',
  ];

  test.each(LOOKED_FOR)('has %s of the user, which the clients of the stores read', (name) => {
    const variable = { name, valueFrom: { secretKeyRef: { name: 'mine', key: 'value' } } };
    const { monitor, objects } = synth({ extraEnv: [variable] });
    const [server] = containers(get(objects, 'Deployment', 'mlflow'));
    expect(server.env).toContainEqual(variable);
    expect(monitor.env).toContainEqual(variable);
  });

  test.each(['OPENAI_API_KEY', 'MLFLOW_LOGGING_LEVEL', 'MLFLOW_DEPLOYMENTS_TARGET', 'HF_TOKEN', 'CACHE', 'PYTHONPATH', 'MY_AWS_KEY', 'MY_PROXY', 'PAGER'])('has no %s of the user', (name) => {
    const { monitor, objects } = synth({ artifactTransfer: ArtifactTransfer.DIRECT, guard: { enabled: false }, extraEnv: [{ name, valueFrom: { secretKeyRef: { name: 'mine', key: 'value' } } }] });
    expect(namesOf(containers(get(objects, 'Deployment', 'mlflow'))[0].env)).toContain(name);
    expect(namesOf(monitor.env)).not.toContain(name);
  });

  test('has no envFrom, in which anything may be', () => {
    expect(synth({ envFrom: [{ secretRef: { name: 'providers' } }] }).monitor).not.toHaveProperty('envFrom');
  });

  // $(HOME) in a value means a variable that stands before it, in the monitor as in the server
  test('has the variables of the user last, as the server has', () => {
    const own = [extraEnv[0], { name: 'AWS_CONFIG_FILE', value: '$(HOME)/aws' }, extraEnv[2]];
    const { monitor, objects } = synth({ extraEnv: own });
    const [server] = containers(get(objects, 'Deployment', 'mlflow'));
    expect(server.env.slice(-3)).toEqual(own);
    expect(monitor.env.slice(-3)).toEqual(own);
    expect(namesOf(monitor.env.slice(0, -3))).toEqual(namesOf(synth().monitor.env));
  });

  test('has no settings of the MLflow server', () => {
    const { monitor } = synth({ workers: 4, settings: { jobExecution: true } });
    expect(monitor.env).toEqual(synth().monitor.env);
    for (const name of ['MLFLOW_WORKERS', 'MLFLOW_SERVER_ENABLE_JOB_EXECUTION', 'PYTHONPATH', 'MALLOC_ARENA_MAX']) {
      expect(namesOf(monitor.env)).not.toContain(name);
    }
  });

  test('names each variable once', () => {
    const all = { preflight: { upgradeSchema: true }, artifactStore: { ...artifactStore, userMayComeLate: true }, extraEnv };
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
      preflight: { startupDeadline: Duration.minutes(10) },
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
          ...OWN,
        }),
      },
      { name: 'STARTUP_USER_MAY_COME_LATE', value: 'true' },
      { name: 'STARTUP_MONITOR_PORT', value: '8080' },
      { name: 'HOME', value: '/tmp' },
      { name: 'PYTHONNOUSERSITE', value: '1' },
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

  test('is the only one for clients that does', () => {
    const withUnready = ofKind(onPostgresAndMinio().objects, 'Service').filter(({ spec }) => spec.publishNotReadyAddresses === true && spec.clusterIP !== 'None');
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

test('options of the pods of the server do not change it', () => {
  const options = {
    replicas: 3,
    resources: { cpuLimit: '4', memoryLimit: Size.gibibytes(3) },
    scratchSize: Size.gibibytes(50),
    pod: { terminationGracePeriod: Duration.minutes(10) },
  };
  expect(synth(options).deployment).toEqual(synth().deployment);
});

test('name and namespace are those of the server', () => {
  const { deployment, service } = synth({ name: 'team-a', namespace: 'shared' });
  for (const object of [deployment, service]) {
    expect(object.metadata).toMatchObject({ name: 'team-a-monitor', namespace: 'shared' });
    expect(object.metadata.labels['app.kubernetes.io/instance']).toBe('team-a');
  }
  expect(deployment.spec.template.spec.volumes[0].configMap.name).toBe('team-a-preflight');
});

test('the tracking server hands it out, to be patched', () => {
  const chart = new Chart(Testing.app(), 'test');
  const tracking = new TrackingServer(chart, 'TrackingServer', { backendStore, artifactStore });
  const { deployment, service, port, connections } = tracking.monitor!;
  expect([deployment.name, service.name, port]).toEqual(['mlflow-monitor', 'mlflow-monitor', 8080]);
  expect(ApiObject.of(tracking)).not.toBe(deployment);
  expect(ApiObject.of(tracking.node.findChild('Monitor'))).toBe(deployment);
  deployment.metadata.addAnnotation('team', 'a');
  connections.allowFrom({ namespaceSelector: {} });
  expect(faults(chart)).toEqual([]);
  expect(get(Testing.synth(chart), 'Deployment', 'mlflow-monitor').metadata.annotations).toMatchObject({ team: 'a' });
  expect(get(Testing.synth(chart), 'NetworkPolicy', 'mlflow-monitor').spec.ingress[0].from).toEqual([{ namespaceSelector: {} }]);
});

describe('who may ask it', () => {
  const PEER = { namespaceSelector: { matchLabels: { team: 'a' } } };
  const from = (objects: Manifests) => (get(objects, 'NetworkPolicy', 'mlflow-monitor').spec.ingress ?? []).flatMap((rule: { from?: object[] }) => rule.from ?? ['everybody']);
  const withMetrics = (scrapers?: object[]) => {
    const chart = Testing.chart();
    const server = new TrackingServer(chart, 'TrackingServer', { backendStore, artifactStore });
    new Metrics(chart, 'Metrics', { server, scrapers: scrapers as k8s.NetworkPolicyPeer[] });
    return Testing.synth(chart) as Manifests;
  };

  test('is nobody by default', () => {
    expect(from(synth().objects)).toEqual([]);
    expect(get(synth().objects, 'NetworkPolicy', 'mlflow-monitor').spec.policyTypes).toContain('Ingress');
  });

  test('is who is named, and Prometheus where it scrapes', () => {
    expect(from(synth({ preflight: { monitorClients: [PEER] } }).objects)).toEqual([PEER]);
    expect(from(withMetrics())).toEqual([{ namespaceSelector: {}, podSelector: { matchLabels: { 'app.kubernetes.io/name': 'prometheus' } } }]);
    expect(from(withMetrics([PEER]))).toEqual([PEER]);
  });

  test.each<[TrackingServerProps['preflight'], object, RegExp]>([
    [{ monitor: false, monitorClients: [PEER] }, {}, /preflight\.monitorClients: got a list of 1\. Rule: with preflight\.monitor = false/],
    [{ monitorClients: [PEER] }, { networkPolicy: { enabled: false } }, /clients: got a list of 1\. Rule: with networkPolicy\.enabled = false/],
    [{ monitorClients: [{}] }, {}, /clients\[0\]: got .* Rule: a peer has/],
    [{ monitorClients: PEER as unknown as k8s.NetworkPolicyPeer[] }, {}, /clients: got .* Rule: .*list/],
  ])('%j with %j is a fault', (preflight, options, fault) => {
    const chart = Testing.chart();
    new TrackingServer(chart, 'TrackingServer', { backendStore, artifactStore, preflight, ...options });
    expect(faults(chart)).toEqual([expect.stringMatching(fault)]);
  });
});
