import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiObject, App, Chart, Duration, JsonPatch, Size, Testing } from 'cdk8s';
import { Construct } from 'constructs';
import {
  Autoscaling,
  BasicAuth,
  Credentials,
  DisruptionBudget,
  GarbageCollection,
  IArtifactStore,
  IBackendStore,
  IRouteTarget,
  ImagePullPolicy,
  IpFamily,
  LogLevel,
  Login,
  Metrics,
  Minio,
  MlflowStack,
  MlflowStackProps,
  Oauth2Proxy,
  Postgres,
  ServerHttpRoute,
  ServerIngress,
  ServerServiceAccount,
  StartupScript,
  TrackingServer,
  XFrameOptions,
  SecretsJob,
} from '../lib';
import { START_MLFLOW_PY } from '../lib/assets.generated';
import { fingerprint } from '../lib/kube/hash';
import { k8s } from '../imports/k8s';
import { Manifests, PATIENCE, containers, faults, get, ofKind, shape, workloads } from './helpers';

const SELECTOR_LABELS = ['app.kubernetes.io/component', 'app.kubernetes.io/instance', 'app.kubernetes.io/name'];

function synth(props?: MlflowStackProps): Manifests {
  const chart = Testing.chart();
  new MlflowStack(chart, 'Stack', props);
  return Testing.synth(chart);
}

/** Kind, namespace and name of each object, without the fingerprint of a Job. */
function names(objects: Manifests): string[] {
  return objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? '-'}/${metadata.name.replace(/-[0-9a-f]{10}$/, '')}`);
}

function withExistingSecrets(): Manifests {
  const chart = Testing.chart();
  const existing = (name: string) => Credentials.fromSecretName(chart, name, name);
  new MlflowStack(chart, 'Stack', {
    backendStore: new Postgres(chart, 'Postgres', { credentials: existing('a'), superuserCredentials: existing('b') }),
    artifactStore: new Minio(chart, 'Minio', { credentials: existing('c'), rootCredentials: existing('d') }),
  });
  return Testing.synth(chart);
}

/** All options that go together, with one of the two logins. */
function everything(chart: Construct, login: 'basicAuth' | 'oidc', props: MlflowStackProps = {}): MlflowStack {
  const logins = {
    basicAuth: () => Login.basicAuth({ adminUsername: 'root' }),
    oidc: () => Login.oidc({ issuerUrl: 'https://login.example.com', clientCredentials: Credentials.fromSecretName(chart, 'Client', 'client', { namespace: props.namespace }) }),
  };
  const tls = { certificate: { issuerName: 'letsencrypt' } };
  return new MlflowStack(chart, 'Stack', {
    images: { registry: 'registry.example.com/mirror', pullSecrets: ['registry'], pullPolicy: ImagePullPolicy.ALWAYS },
    pod: { labels: { team: 'vision' }, annotations: { 'example.com/scan': 'true' }, nodeSelector: { disk: 'ssd' }, tolerations: [{ key: 'ml', operator: 'Exists' }], priorityClassName: 'high' },
    startupScript: new StartupScript(chart, 'Script', { namespace: props.namespace, name: `${props.name ?? 'mlflow'}-script`, content: 'pass\n' }),
    login: logins[login](),
    autoscaling: { maxReplicas: 5, targetMemoryPercent: 90 },
    podDisruptionBudget: { minAvailable: 1 },
    serviceAccount: {},
    ingress: { hosts: ['mlflow.example.com'], tls },
    httpRoute: { hosts: ['mlflow.example.com'], gatewayName: 'public', tls },
    metrics: {},
    garbageCollection: { jobs: true },
    ...props,
    trackingServer: {
      ...(login === 'basicAuth' ? { service: { annotations: { a: 'b' } } } : {}),
      settings: {
        staticPrefix: '/ml',
        deriveAllowedHosts: true,
        corsAllowedOrigins: ['https://notebooks.example.com'],
        xFrameOptions: XFrameOptions.DENY,
        logLevel: LogLevel.DEBUG,
        connectionPool: { size: 5, maxOverflow: 45, recycle: Duration.minutes(5) },
      },
      preflight: { upgradeSchema: true, startupDeadline: Duration.minutes(3) },
      envFrom: [{ secretRef: { name: 'providers' } }],
      ...(props.networkPolicies === false ? {} : { networkPolicy: { clients: [{ namespaceSelector: {} }], egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }] } }),
      resources: { memoryLimit: Size.gibibytes(2) },
      ...props.trackingServer,
    },
  });
}

function synthAll(login: 'basicAuth' | 'oidc', props?: MlflowStackProps): Manifests {
  const chart = Testing.chart();
  everything(chart, login, props);
  return Testing.synth(chart);
}

/** All objects that have pods, a CronJob by its Job. */
function pods(objects: Manifests): Manifests {
  return objects.flatMap((object) => (object.kind === 'CronJob' ? [{ ...object, spec: object.spec.jobTemplate.spec }] : workloads([object])));
}

const LOGINS = ['basicAuth', 'oidc'] as const;

const stacks: [string, Manifests][] = [
  ['the default stack', synth()],
  ['a stack with a name', synth({ name: 'team-a' })],
  ['a stack with job execution', synth({ trackingServer: { settings: { jobExecution: true } } })],
  ['a stack with existing Secrets', withExistingSecrets()],
  ['a stack with all options and basicAuth', synthAll('basicAuth')],
  ['a stack with all options and oidc', synthAll('oidc')],
  ['a stack with artifact servers and all options', synthAll('basicAuth', { splitTopology: { autoscaling: { maxReplicas: 4, targetTransfers: 4 } } })],
];

describe('the default stack', () => {
  const objects = synth();
  const [server] = containers(get(objects, 'Deployment', 'mlflow'));

  test('as a whole', () => {
    // the fingerprint of the script changes with each word of it
    const text = JSON.stringify(shape(objects)).replaceAll(`"${fingerprint(START_MLFLOW_PY)}"`, '"(start-mlflow.py)"');
    expect(JSON.parse(text)).toMatchSnapshot();
  });

  test('is these objects', () => {
    expect(names(objects)).toEqual([
      'Namespace -/mlflow',
      'Secret mlflow/postgres-superuser',
      'Secret mlflow/postgres-user',
      'Service mlflow/postgres',
      'ConfigMap mlflow/postgres',
      'StatefulSet mlflow/postgres',
      'ServiceAccount mlflow/postgres-bootstrap',
      'Role mlflow/postgres-bootstrap',
      'RoleBinding mlflow/postgres-bootstrap',
      'ConfigMap mlflow/postgres-bootstrap',
      'Job mlflow/postgres-bootstrap',
      'NetworkPolicy mlflow/postgres-bootstrap',
      'NetworkPolicy mlflow/postgres',
      'Secret mlflow/minio-root',
      'Secret mlflow/minio-user',
      'Service mlflow/minio',
      'Service mlflow/minio-headless',
      'StatefulSet mlflow/minio',
      'ServiceAccount mlflow/minio-bootstrap',
      'Role mlflow/minio-bootstrap',
      'RoleBinding mlflow/minio-bootstrap',
      'ConfigMap mlflow/minio-bootstrap',
      'Job mlflow/minio-bootstrap',
      'NetworkPolicy mlflow/minio-bootstrap',
      'NetworkPolicy mlflow/minio',
      'ConfigMap mlflow/mlflow-startup-script',
      'Deployment mlflow/mlflow',
      'Service mlflow/mlflow-service',
      'Service mlflow/mlflow-server',
      'NetworkPolicy mlflow/mlflow',
      'ConfigMap mlflow/mlflow-transfer',
      'ConfigMap mlflow/mlflow-transfer-info',
      'ConfigMap mlflow/mlflow-layers',
      'ConfigMap mlflow/mlflow-guard',
      'ConfigMap mlflow/mlflow-preflight',
      'ConfigMap mlflow/mlflow-preflight-relocate',
      'Deployment mlflow/mlflow-monitor',
      'Service mlflow/mlflow-monitor',
      'NetworkPolicy mlflow/mlflow-monitor',
      'Secret mlflow/mlflow-server-secrets',
      'ServiceAccount mlflow/mlflow-secrets',
      'Role mlflow/mlflow-secrets',
      'RoleBinding mlflow/mlflow-secrets',
      'Job mlflow/mlflow-secrets',
      'NetworkPolicy mlflow/mlflow-secrets',
      'ConfigMap mlflow/mlflow-fill-secrets',
    ]);
  });

  test('starts MLflow with these arguments', () => {
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

  test('gives MLflow these variables', () => {
    expect(server.env.map(({ name }: { name: string }) => name)).toEqual([
      'AWS_ACCESS_KEY_ID',
      'AWS_SECRET_ACCESS_KEY',
      'MLFLOW_S3_ENDPOINT_URL',
      'AWS_DEFAULT_REGION',
      'AWS_REGION',
      'PGUSER',
      'PGPASSWORD',
      'MLFLOW_WORKERS',
      'MLFLOW_SERVER_ENABLE_JOB_EXECUTION',
      'MLFLOW_DISABLE_TELEMETRY',
      'UVICORN_TIMEOUT_KEEP_ALIVE',
      'MLFLOW_SQLALCHEMYSTORE_POOL_SIZE',
      'MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW',
      'MLFLOW_MODEL_CATALOG_URI',
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
    ]);
    expect(server.env).toContainEqual({ name: 'MLFLOW_S3_ENDPOINT_URL', value: 'http://minio.mlflow.svc.cluster.local:9000' });
  });

  test('has no secret value in it', () => {
    const secrets = ofKind(objects, 'Secret');
    expect(secrets).toHaveLength(5);
    for (const secret of secrets) expect(Object.keys(secret).sort()).toEqual(['apiVersion', 'kind', 'metadata', 'type']);
  });

  test('enforces the Pod Security Standard in its Namespace', () => {
    expect(objects[0]).toEqual({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: 'mlflow',
        labels: {
          'app.kubernetes.io/part-of': 'mlflow',
          'app.kubernetes.io/managed-by': 'cdk8s',
          'pod-security.kubernetes.io/enforce': 'restricted',
        },
      },
    });
  });

  test('tells others where it is', () => {
    const stack = new MlflowStack(Testing.chart(), 'Stack');
    expect(stack.trackingUri).toBe('http://mlflow-service.mlflow.svc.cluster.local:5000');
    expect(stack.namespace).toBe('mlflow');
    expect(stack.namespaceObject?.name).toBe('mlflow');
    expect(stack.backendStore).toBeInstanceOf(Postgres);
    expect(stack.artifactStore).toBeInstanceOf(Minio);
    expect(ApiObject.of(stack)).toBe(stack.trackingServer.deployment);
  });

  test('can be patched', () => {
    const chart = Testing.chart();
    new MlflowStack(chart, 'Stack').trackingServer.deployment.addJsonPatch(JsonPatch.replace('/spec/replicas', 5));
    expect(get(Testing.synth(chart), 'Deployment', 'mlflow').spec.replicas).toBe(5);
  });
});

describe.each(stacks)('in %s', (_, objects) => {
  const named = pods(objects).map((workload): [string, Manifests[number]] => [`${workload.kind} ${workload.metadata.name.replace(/-[0-9a-f]{10}$/, '')}`, workload]);
  const all = named.flatMap(([name, workload]) =>
    containers(workload).map((container): [string, Manifests[number]] => [`${container.name} of ${name}`, container]),
  );

  // the way back is a template of a Job, for the pods that the policy of the upgrade is for
  const running = named.filter(([name]) => !name.endsWith('-schema-restore')).map(([, workload]) => workload);

  test('there are seven kinds of pods, with eleven containers, and those of the options', () => {
    const kinds = (kind: string) => named.filter(([name]) => name.startsWith(`${kind} `)).length;
    const options = ['oauth2-proxy', 'gc', 'schema-upgrade', 'schema-restore', 'artifacts'].filter((end) => named.some(([name]) => name.endsWith(`-${end}`)));
    expect([kinds('StatefulSet'), kinds('Deployment') + kinds('Job') + kinds('CronJob')]).toEqual([2, 5 + options.length]);
    const steps = (options.includes('schema-upgrade') ? 2 : 0) + (options.includes('artifacts') ? 1 : 0);
    expect(all).toHaveLength(11 + options.length + steps);
  });

  test.each(named)('the pods of %s run as nobody of the node, with the default filter of system calls', (__, { spec }) => {
    expect(spec.template.spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    expect(spec.template.spec.securityContext.runAsUser).toBeGreaterThan(0);
    for (const field of ['hostNetwork', 'hostPID', 'hostIPC']) expect(spec.template.spec).not.toHaveProperty(field);
    for (const volume of spec.template.spec.volumes) expect(volume).not.toHaveProperty('hostPath');
  });

  test.each(all)('%s has no rights and a read-only file system', (__, container) => {
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      readOnlyRootFilesystem: true,
    });
  });

  test.each(all)('%s says what it needs and what it may take', (__, { resources }) => {
    for (const amounts of [resources.requests, resources.limits]) {
      expect(amounts.cpu).toMatch(/^[1-9][0-9]*m?$/);
      expect(amounts.memory).toMatch(/^[1-9][0-9]*[MG]i$/);
    }
  });

  test.each(all)('%s has an image with a version', (__, { image }) => {
    expect(image).toMatch(/:[\w.-]*\d[\w.-]*$/);
  });

  test.each(named)('the containers of %s get a token only where they need it, and no variables of Services', (__, workload) => {
    const { spec } = workload.spec.template;
    expect([spec.automountServiceAccountToken, spec.enableServiceLinks]).toEqual([false, false]);
    const tokens = spec.volumes.filter(({ projected }: { projected?: object }) => JSON.stringify(projected ?? {}).includes('serviceAccountToken')).map(({ name }: { name: string }) => name);
    const mounting = containers(workload).filter(({ volumeMounts }) => volumeMounts.some(({ name }: { name: string }) => tokens.includes(name)));
    expect(mounting.map(({ name }) => name)).toEqual(containers(workload).filter(({ command }) => command?.[1] === '/scripts/fill-secrets.py').map(({ name }) => name));
  });

  test.each(named)('all that is mounted into the pods of %s is there', (__, workload) => {
    const { volumes } = workload.spec.template.spec;
    const claims: Manifests = workload.spec.volumeClaimTemplates ?? [];
    const there = [...volumes.map(({ name }: { name: string }) => name), ...claims.map(({ metadata }) => metadata.name)];
    const mounted = containers(workload).flatMap(({ volumeMounts }) => volumeMounts.map(({ name }: { name: string }) => name));
    expect(new Set(mounted)).toEqual(new Set(there));
    for (const { configMap } of volumes) {
      if (configMap === undefined) continue;
      const { data } = get(objects, 'ConfigMap', configMap.name);
      for (const { key } of configMap.items ?? []) expect(data).toHaveProperty([key]);
    }
  });

  test('selectors are made of name, instance and component', () => {
    const selectors = [
      ...workloads(objects).flatMap(({ spec }) => spec.selector?.matchLabels ?? []),
      ...ofKind(objects, 'Service').map(({ spec }) => spec.selector),
      ...ofKind(objects, 'StatefulSet').map(({ spec }) => spec.volumeClaimTemplates[0].metadata.labels),
    ];
    expect(selectors.length).toBeGreaterThanOrEqual(11);
    for (const selector of selectors) expect(Object.keys(selector).sort()).toEqual(SELECTOR_LABELS);
  });

  const matches = (selector: { [key: string]: string }) =>
    workloads(objects).filter(({ spec }) => Object.entries(selector).every(([key, value]) => spec.template.metadata.labels[key] === value));

  test('each workload selects its own pods and no others', () => {
    for (const workload of workloads(objects)) {
      if (workload.kind === 'Job') continue;
      expect(matches(workload.spec.selector.matchLabels)).toEqual([workload]);
    }
  });

  test('each Service leads to the pods of one workload, at ports that they have, and never to those of a Job', () => {
    const targets = ofKind(objects, 'Service').map(({ metadata, spec }) => {
      const found = matches(spec.selector);
      const ports = found.flatMap((workload) => containers(workload).flatMap((container) => container.ports ?? []));
      for (const { targetPort } of spec.ports) expect(ports).toContainEqual(expect.objectContaining({ name: targetPort }));
      return [metadata.name.replace(/^.*-/, ''), found.map(({ kind, metadata: { labels } }) => `${kind} ${labels['app.kubernetes.io/component']}`)];
    });
    expect(Object.fromEntries(targets)).toMatchObject({
      postgres: ['StatefulSet backend-store'],
      minio: ['StatefulSet artifact-store'],
      service: ['Deployment tracking-server'],
      server: ['Deployment tracking-server'],
      monitor: ['Deployment store-monitor'],
    });
    for (const [name, found] of targets) if (name === 'proxy') expect(found).toEqual(['Deployment login-proxy']);
    expect(new Set(targets.map(([name]) => name)).size).toBe(targets.length);
  });

  test('each NetworkPolicy is for the pods of one workload, and each workload has one, with ports that the pods have', () => {
    const policies = ofKind(objects, 'NetworkPolicy').map(({ metadata, spec }) => {
      const found = running.filter(({ spec: { template } }) => Object.entries(spec.podSelector.matchLabels).every(([key, value]) => template.metadata.labels[key] === value));
      expect([metadata.name, found.length]).toEqual([metadata.name, 1]);
      const ports = containers(found[0]).flatMap((container) => container.ports ?? []).map(({ containerPort }: { containerPort: number }) => containerPort);
      for (const { port } of (spec.ingress ?? []).flatMap((rule: { ports: object[] }) => rule.ports)) expect(ports).toContain(port);
      return found[0];
    });
    expect(new Set(policies).size).toBe(policies.length);
    expect(policies).toHaveLength(running.length);
  });

  test('each pod that a policy names is one of the stack', () => {
    const peers = ofKind(objects, 'NetworkPolicy').flatMap(({ spec }) => [
      ...(spec.ingress ?? []).flatMap((rule: { from?: object[] }) => rule.from ?? []),
      ...(spec.egress ?? []).flatMap((rule: { to?: object[] }) => rule.to ?? []),
    ]) as { namespaceSelector?: object; podSelector?: { matchLabels: { [key: string]: string } } }[];
    const selectors = peers.flatMap(({ namespaceSelector, podSelector }) => (namespaceSelector !== undefined || podSelector === undefined ? [] : [podSelector.matchLabels]));
    expect(selectors.length).toBeGreaterThanOrEqual(8);
    for (const selector of selectors) {
      expect(running.filter(({ spec: { template } }) => Object.entries(selector).every(([key, value]) => template.metadata.labels[key] === value))).toHaveLength(1);
    }
  });

  test('there is no template of Helm in it', () => {
    const elsewhere = objects.map((object) => (object.kind === 'PrometheusRule' || object.metadata.name.endsWith('-dashboard') ? {} : object));
    expect(JSON.stringify(elsewhere)).not.toContain('{{');
  });

  test('no name is there twice', () => {
    expect(new Set(names(objects)).size).toBe(objects.length);
  });

  test('nothing depends on the place in the tree of constructs', () => {
    expect(JSON.stringify(objects)).not.toContain('cdk8s.io/metadata.addr');
  });

  test('the claim templates are complete', () => {
    for (const { spec } of ofKind(objects, 'StatefulSet')) {
      expect(spec.volumeClaimTemplates).toEqual([
        expect.objectContaining({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', status: { phase: 'Pending' } }),
      ]);
    }
  });

  test('all names and labels are short enough', () => {
    for (const { metadata } of objects) {
      expect(metadata.name.length).toBeLessThanOrEqual(63);
      for (const value of Object.values(metadata.labels ?? {})) expect(value).toMatch(/^[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?$/);
    }
  });
});

describe('the place in the tree', () => {
  const plain = JSON.stringify(synth());

  test('another id changes nothing', () => {
    const chart = new Chart(Testing.app(), 'another-chart');
    new MlflowStack(chart, 'Another');
    expect(JSON.stringify(Testing.synth(chart))).toBe(plain);
  });

  test('constructs around the stack change nothing', () => {
    const chart = Testing.chart();
    new MlflowStack(new Construct(new Construct(chart, 'Platform'), 'Learning'), 'Stack');
    expect(JSON.stringify(Testing.synth(chart))).toBe(plain);
  });

  test('the next synth changes nothing', () => {
    const chart = Testing.chart();
    new MlflowStack(chart, 'Stack');
    expect(JSON.stringify(Testing.synth(chart))).toBe(plain);
    expect(JSON.stringify(Testing.synth(chart))).toBe(plain);
  });
});

describe('the namespace', () => {
  test('is the prop, else that of the chart, else mlflow', () => {
    const chart = (id: string, namespace?: string) => new Chart(Testing.app(), id, { namespace });
    expect(new MlflowStack(chart('a', 'from-chart'), 'Stack', { namespace: 'from-prop' }).namespace).toBe('from-prop');
    expect(new MlflowStack(chart('b', 'from-chart'), 'Stack').namespace).toBe('from-chart');
    expect(new MlflowStack(chart('c'), 'Stack').namespace).toBe('mlflow');
  });

  test.each<[string, string | undefined, MlflowStackProps]>([
    ['the prop', undefined, { namespace: 'team-a' }],
    ['the chart', 'team-a', {}],
    ['the prop against the chart', 'other', { namespace: 'team-a' }],
  ])('of %s is that of all objects, and the Namespace itself is in none', (_, namespace, props) => {
    const chart = new Chart(Testing.app(), 'test', { namespace });
    new MlflowStack(chart, 'Stack', props);
    const [first, ...rest] = Testing.synth(chart);
    expect(first).toMatchObject({ kind: 'Namespace', metadata: { name: 'team-a' } });
    expect(first.metadata).not.toHaveProperty('namespace');
    for (const { metadata } of rest) expect(metadata.namespace).toBe('team-a');
    // the programs are the same in all namespaces, and have such a name in them as an example
    const given = JSON.stringify(rest.filter(({ metadata }) => !/-(startup-script|preflight|preflight-relocate)$/.test(metadata.name)));
    expect(given).not.toContain('mlflow.svc.cluster.local');
    expect(rest.length).toBe(45);
  });

  test('is not made where it exists', () => {
    const stack = new MlflowStack(Testing.chart(), 'Stack', { createNamespace: false });
    expect(stack.namespaceObject).toBeUndefined();
    expect(ofKind(synth({ createNamespace: false }), 'Namespace')).toEqual([]);
    expect(synth({ createNamespace: false })).toEqual(synth().slice(1));
  });

  test.each<[unknown, string]>([
    ['false', '"false"'],
    ['true', '"true"'],
    ['', '""'],
    [0, '0'],
    [1, '1'],
  ])('is made or not, and createNamespace cannot be %j', (createNamespace, got) => {
    const chart = Testing.chart();
    new MlflowStack(chart, 'Stack', { createNamespace: createNamespace as boolean });
    expect(faults(chart)).toEqual([
      `[test/Stack] createNamespace: got ${got}. Rule: the value is true or false, and no text or number. Fix: pass true or false.`,
    ]);
  });

  test.each([undefined, 'mlflow'])('stands before stores that were there before it, in a chart of namespace %s', (namespace) => {
    const chart = new Chart(Testing.app(), 'test', { namespace });
    const script = new StartupScript(chart, 'Script');
    const artifactStore = new Minio(chart, 'Files', { instance: 'mlflow' });
    const backendStore = new Postgres(new Construct(chart, 'Data'), 'Database', { instance: 'mlflow' });
    new MlflowStack(chart, 'Stack', { artifactStore, backendStore, startupScript: script });
    const objects = Testing.synth(chart);
    expect(names(objects)[0]).toBe('Namespace -/mlflow');
    expect([...names(objects)].sort()).toEqual([...names(synth())].sort());
  });
});

describe('what comes first', () => {
  const configMap = (scope: Construct, name: string) => new k8s.KubeConfigMap(scope, name, { metadata: { name, namespace: 'mlflow' } });

  test('is the Namespace, where the stack comes behind something that was there before it', () => {
    const chart = Testing.chart();
    const before = configMap(chart, 'before');
    const stack = new MlflowStack(chart, 'Stack');
    stack.node.addDependency(before);
    const order = names(Testing.synth(chart));
    expect(order.slice(0, 2)).toEqual(['Namespace -/mlflow', 'ConfigMap mlflow/before']);
  });

  test('is the Namespace, where the stack comes behind a construct with several objects, deep in the chart', () => {
    const chart = Testing.chart();
    const around = new Construct(new Construct(chart, 'Platform'), 'Base');
    ['one', 'two'].forEach((name) => configMap(around, name));
    const stack = new MlflowStack(new Construct(chart, 'Learning'), 'Stack');
    stack.node.addDependency(chart.node.findChild('Platform'));
    expect(names(Testing.synth(chart)).slice(0, 3)).toEqual(['Namespace -/mlflow', 'ConfigMap mlflow/one', 'ConfigMap mlflow/two']);
  });

  test('is the Namespace, where something stands behind the stack', () => {
    const chart = Testing.chart();
    new MlflowStack(chart, 'Stack');
    configMap(chart, 'behind');
    expect(names(Testing.synth(chart))[0]).toBe('Namespace -/mlflow');
  });

  test('is the chart of the Namespace, before those of the stores', () => {
    const outdir = mkdtempSync(join(tmpdir(), 'cdk8s-mlflow-stack-'));
    const app = new App({ outdir });
    const [files, data, chart] = ['files', 'data', 'mlflow'].map((id) => new Chart(app, id, { namespace: 'team' }));
    new MlflowStack(chart, 'Stack', { backendStore: new Postgres(new Construct(data, 'Deep'), 'Database'), artifactStore: new Minio(files, 'Minio') });
    app.synth();
    const order = readdirSync(outdir).sort();
    expect(order).toHaveLength(3);
    expect(order[0]).toMatch(/^0000-mlflow/);
    expect(names(Testing.synth(chart))[0]).toBe('Namespace -/team');
    rmSync(outdir, { recursive: true });
  });

  test('is the chart of the Namespace, before those of add-ons and of the script', () => {
    const app = Testing.app();
    const [addOns, config, chart] = ['add-ons', 'config', 'mlflow'].map((id) => new Chart(app, id, { namespace: 'team' }));
    const { trackingServer: server } = new MlflowStack(chart, 'Stack', { startupScript: new StartupScript(config, 'Script') });
    new GarbageCollection(addOns, 'GarbageCollection', { server });
    new ServerIngress(addOns, 'Ingress', { target: server, hosts: ['mlflow.example.com'] });
    app.synth();
    expect(readdirSync(app.outdir).sort()).toEqual(['0000-mlflow.k8s.yaml', '0001-add-ons.k8s.yaml', '0002-config.k8s.yaml']);
  });

  test.each<[string, (charts: { data: Chart; chart: Chart }, stack: MlflowStack | undefined) => void]>([
    ['a chart that comes behind that of a store', ({ data, chart }) => chart.addDependency(data)],
    ['a stack that comes behind its store', (_, stack) => stack?.node.addDependency(stack.backendStore as Postgres)],
  ])('is what the user says, before the stack or later: %s', (_, say) => {
    for (const early of [true, false]) {
      const app = Testing.app();
      const [chart, data] = ['a', 'b'].map((id) => new Chart(app, id, { namespace: 'team' }));
      const backendStore = new Postgres(data, 'Database');
      if (early) say({ data, chart }, undefined);
      const stack = new MlflowStack(chart, 'Stack', { backendStore });
      say({ data, chart }, stack);
      app.synth();
      expect(readdirSync(app.outdir).sort()).toEqual(['0000-b.k8s.yaml', '0001-a.k8s.yaml']);
    }
  });
});

describe('several stacks', () => {
  test('in two namespaces', () => {
    const app = Testing.app();
    const [one, two] = ['team-a', 'team-b'].map((namespace) => {
      const chart = new Chart(app, namespace, { namespace });
      new MlflowStack(chart, 'Stack');
      return chart;
    });
    const text = (chart: Chart) => JSON.stringify(Testing.synth(chart).map(({ kind, metadata, ...rest }) => ({ kind, metadata, rest })));
    expect(text(one)).not.toContain('team-b');
    expect(names(Testing.synth(one)).join().replaceAll('team-a', 'team-b')).toBe(names(Testing.synth(two)).join());
  });

  test('in two namespaces of one chart', () => {
    const chart = Testing.chart();
    new MlflowStack(chart, 'A', { namespace: 'team-a' });
    new MlflowStack(chart, 'B', { namespace: 'team-b' });
    const objects = names(Testing.synth(chart));
    expect(new Set(objects).size).toBe(92);
    expect(objects.slice(0, 2).sort()).toEqual(['Namespace -/team-a', 'Namespace -/team-b']);
  });

  test('in one namespace, with names of their own', () => {
    const chart = new Chart(Testing.app(), 'test', { namespace: 'shared' });
    const [red, blue] = ['red', 'blue'].map((name, index) => new MlflowStack(chart, name, { name, createNamespace: index === 0 }));
    const objects = Testing.synth(chart);

    expect(new Set(names(objects)).size).toBe(objects.length);
    expect(objects).toHaveLength(91);
    expect(ofKind(objects, 'Namespace')).toHaveLength(1);
    expect([red.trackingUri, blue.trackingUri]).toEqual([
      'http://red-service.shared.svc.cluster.local:5000',
      'http://blue-service.shared.svc.cluster.local:5000',
    ]);
    expect(containers(get(objects, 'Deployment', 'blue'))[0].args).toContain(
      `--backend-store-uri=postgresql+psycopg2://blue-postgres.shared.svc.cluster.local:5432/mlflow${PATIENCE}`,
    );
    const blues = objects.filter(({ metadata }) => metadata.name.startsWith('blue'));
    expect(blues).toHaveLength(45);
    expect(JSON.stringify(blues)).not.toMatch(/\bred\b/);
    for (const { metadata } of blues) expect(metadata.labels['app.kubernetes.io/instance']).toBe('blue');
  });

  test('in one namespace select their own pods only', () => {
    const chart = Testing.chart();
    ['red', 'blue'].forEach((name, index) => new MlflowStack(chart, name, { name, createNamespace: index === 0 }));
    const objects = Testing.synth(chart);
    for (const { metadata, spec } of ofKind(objects, 'Service')) {
      const found = workloads(objects).filter((workload) =>
        Object.entries(spec.selector).every(([key, value]) => workload.spec.template.metadata.labels[key] === value),
      );
      expect(found).toHaveLength(1);
      expect(found[0].metadata.name.split('-')[0]).toBe(metadata.name.split('-')[0]);
    }
  });

  test('of equal names in two charts of one app and one namespace are a fault', () => {
    const app = Testing.app();
    const [one, two] = ['one', 'two'].map((id) => new Chart(app, id, { namespace: 'shared' }));
    new MlflowStack(one, 'Stack');
    new MlflowStack(two, 'Stack', { createNamespace: false });
    const told = faults(one);
    expect(told).toEqual(faults(two));
    expect(told).toContainEqual(expect.stringMatching(/^\[two\/Stack\/TrackingServer\] name: got .*Deployment "mlflow" in namespace "shared".* which \[one\/Stack\/TrackingServer\/.+\] makes already\./));
    expect(told.every((fault) => fault.startsWith('[two/'))).toBe(true);
  });

  test('that both make the Namespace are a fault, in one chart as in two', () => {
    const app = Testing.app();
    const [one, two] = ['one', 'two'].map((id) => new Chart(app, id, { namespace: 'shared' }));
    new MlflowStack(one, 'Stack', { name: 'red' });
    new MlflowStack(two, 'Stack', { name: 'blue' });
    expect(faults(one)).toEqual([expect.stringMatching(/^\[two\/.*Stack.*Namespace\] createNamespace: got Namespace "shared", which \[one\/.+\] makes already\. .+ pass createNamespace: false to the others\.$/)]);
    const chart = Testing.chart();
    ['red', 'blue'].forEach((name) => new MlflowStack(chart, name, { name }));
    expect(faults(chart)).toHaveLength(1);
  });

  test('with one name in one namespace are a fault', () => {
    const chart = Testing.chart();
    new MlflowStack(chart, 'First');
    new MlflowStack(chart, 'Second', { createNamespace: false });
    const told = faults(chart).map((fault) => fault.slice(0, fault.indexOf(' got')));
    expect(told.filter((fault) => fault.endsWith(' name:'))).toEqual([
      '[test/Second/BackendStore] name:',
      '[test/Second/ArtifactStore] name:',
      '[test/Second/TrackingServer] name:',
    ]);
  });
});

describe('parts', () => {
  const backendStore: IBackendStore = { uri: 'postgresql://db.example.com/runs', environment: [{ name: 'PGUSER', value: 'me' }] };
  const artifactStore: IArtifactStore = {
    artifactsDestination: 's3://models/team-a',
    environment: [{ name: 'AWS_ACCESS_KEY_ID', value: 'id' }],
  };

  test('a database with another name', () => {
    const chart = Testing.chart();
    const database = new Postgres(chart, 'Database', { name: 'runs-db', database: 'runs' });
    const stack = new MlflowStack(chart, 'Stack', { backendStore: database });
    const objects = Testing.synth(chart);
    expect(stack.backendStore).toBe(database);
    expect(ofKind(objects, 'StatefulSet').map(({ metadata }) => metadata.name)).toEqual(['runs-db', 'minio']);
    const [server] = containers(get(objects, 'Deployment', 'mlflow'));
    expect(server.args).toContain(`--backend-store-uri=postgresql+psycopg2://runs-db.mlflow.svc.cluster.local:5432/runs${PATIENCE}`);
    expect(server.env).toContainEqual({ name: 'PGPASSWORD', valueFrom: { secretKeyRef: { name: 'runs-db-user', key: 'password' } } });
  });

  test('an object store with another name and bucket', () => {
    const chart = Testing.chart();
    const files = new Minio(chart, 'Files', { name: 'files', bucket: 'models' });
    new MlflowStack(chart, 'Stack', { artifactStore: files });
    const objects = Testing.synth(chart);
    expect(ofKind(objects, 'StatefulSet').map(({ metadata }) => metadata.name)).toEqual(['files', 'postgres']);
    const [server] = containers(get(objects, 'Deployment', 'mlflow'));
    expect(server.args).toContain('--artifacts-destination=s3://models');
    expect(server.env).toContainEqual({ name: 'MLFLOW_S3_ENDPOINT_URL', value: 'http://files.mlflow.svc.cluster.local:9000' });
  });

  test('stores that are elsewhere', () => {
    const objects = synth({ backendStore, artifactStore });
    expect(names(objects)).toEqual([
      'Namespace -/mlflow',
      'ConfigMap mlflow/mlflow-startup-script',
      'Deployment mlflow/mlflow',
      'Service mlflow/mlflow-service',
      'Service mlflow/mlflow-server',
      'NetworkPolicy mlflow/mlflow',
      'ConfigMap mlflow/mlflow-transfer',
      'ConfigMap mlflow/mlflow-transfer-info',
      'ConfigMap mlflow/mlflow-layers',
      'ConfigMap mlflow/mlflow-guard',
      'ConfigMap mlflow/mlflow-preflight',
      'ConfigMap mlflow/mlflow-preflight-relocate',
      'Deployment mlflow/mlflow-monitor',
      'Service mlflow/mlflow-monitor',
      'NetworkPolicy mlflow/mlflow-monitor',
      'Secret mlflow/mlflow-server-secrets',
      'ServiceAccount mlflow/mlflow-secrets',
      'Role mlflow/mlflow-secrets',
      'RoleBinding mlflow/mlflow-secrets',
      'Job mlflow/mlflow-secrets',
      'NetworkPolicy mlflow/mlflow-secrets',
      'ConfigMap mlflow/mlflow-fill-secrets',
    ]);
    const [server] = containers(get(objects, 'Deployment', 'mlflow'));
    expect(server.args).toEqual(
      expect.arrayContaining(['--backend-store-uri=postgresql://db.example.com/runs', '--artifacts-destination=s3://models/team-a']),
    );
    expect(server.env.slice(0, 3)).toEqual([
      { name: 'AWS_ACCESS_KEY_ID', value: 'id' },
      { name: 'PGUSER', value: 'me' },
      { name: 'MLFLOW_WORKERS', value: '1' },
    ]);
  });

  test('a startup script', () => {
    const chart = Testing.chart();
    const startupScript = new StartupScript(chart, 'Script', { name: 'my-script', content: 'pass\n' });
    const stack = new MlflowStack(chart, 'Stack', { startupScript });
    expect(stack.trackingServer.startupScript).toBe(startupScript);
    const objects = Testing.synth(chart);
    const { metadata, spec } = get(objects, 'Deployment', 'mlflow').spec.template;
    expect(metadata.annotations['checksum/startup-script']).toBe(startupScript.checksum);
    expect(spec.volumes[0]).toEqual({ name: 'startup-script', configMap: { name: 'my-script', defaultMode: 0o755 } });
    expect(get(objects, 'ConfigMap', 'my-script').data).toEqual({ 'start-mlflow.py': 'pass\n' });
    const others = names(synth()).filter((name) => name !== 'ConfigMap mlflow/mlflow-startup-script');
    expect(names(objects).sort()).toEqual([...others, 'ConfigMap mlflow/my-script'].sort());
  });

  test('options of the tracking server', () => {
    const objects = synth({ trackingServer: { replicas: 2, port: 8888, extraArgs: ['--enable-workspaces'], preflight: { upgradeSchema: true } } });
    const deployment = get(objects, 'Deployment', 'mlflow');
    expect(deployment.spec.replicas).toBe(2);
    expect(containers(deployment)[0].args.at(-1)).toBe('--enable-workspaces');
    expect(ofKind(objects, 'Service').map(({ spec }) => spec.ports[0].port)).toEqual([5432, 9000, 9000, 8888, 8888, 8080]);
    expect(containers(deployment)[0].env).toContainEqual({ name: 'STARTUP_UPGRADE_SCHEMA', value: 'true' });
    expect(new MlflowStack(Testing.chart(), 'Stack', { trackingServer: { port: 8888 } }).trackingUri).toBe(
      'http://mlflow-service.mlflow.svc.cluster.local:8888',
    );
  });

  test.each([
    ['settings', 'jobExecution', 'TrackingServer] settings.jobExecution'],
    ['preflight', 'upgradeSchema', 'TrackingServer/Preflight] upgradeSchema'],
  ])('%s.%s as a text is a fault of the tracking server', (option, prop, place) => {
    const chart = Testing.chart();
    new MlflowStack(chart, 'Stack', { trackingServer: { [option]: { [prop]: 'false' } } });
    expect(faults(chart)).toEqual([`[test/Stack/${place}: got "false". Rule: the value is true or false, and no text or number. Fix: pass true or false.`]);
  });

  test('a store of another namespace is a fault', () => {
    const chart = Testing.chart();
    new MlflowStack(chart, 'Stack', { backendStore: new Postgres(chart, 'Database', { namespace: 'databases' }) });
    expect(faults(chart)).toEqual([
      '[test/Stack/TrackingServer] backendStore: got "a store with its Secret in namespace \\"databases\\"". ' +
        'Rule: a pod reads Secrets of its own namespace only, here "mlflow" (https://kubernetes.io/docs/concepts/configuration/secret/). ' +
        'Fix: put the store and the tracking server into one namespace.',
    ]);
  });
});

describe('the name', () => {
  test('begins the names of all objects but the Namespace', () => {
    const [namespace, ...rest] = synth({ name: 'team-a' });
    expect(namespace.metadata.name).toBe('mlflow');
    for (const { metadata } of rest) expect(metadata.name).toMatch(/^team-a(-|$)/);
  });

  test('may have 33 characters', () => {
    expect(Math.max(...synth({ name: 'a'.repeat(33) }).map(({ metadata }) => metadata.name.length))).toBe(63);
  });

  test('may not have 34', () => {
    const chart = Testing.chart();
    new MlflowStack(chart, 'Stack', { name: 'a'.repeat(34) });
    expect(faults(chart)).toEqual([
      `[test/Stack] name: got "${'a'.repeat(34)}". Rule: a name is an RFC 1123 label that begins with a letter: lower-case letters, digits and hyphens, ` +
        'no hyphen at the end, at most 33 characters so that the names derived from it stay within 63 ' +
        `(https://kubernetes.io/docs/concepts/overview/working-with-objects/names/). Fix: pass a name such as "${'a'.repeat(33)}".`,
    ]);
  });
});

describe('escape hatches', () => {
  const chart = Testing.chart();
  const stack = new MlflowStack(chart, 'Stack');
  const constructs = chart.node.findAll();
  const objects = constructs.filter((construct): construct is ApiObject => ApiObject.isApiObject(construct));

  /** All that the fields of a construct lead to. */
  function reached(from: object, seen = new Set<unknown>()): Set<unknown> {
    for (const field of Object.values(from).flat()) {
      if (!Construct.isConstruct(field) || seen.has(field)) continue;
      seen.add(field);
      if (!ApiObject.isApiObject(field)) reached(field, seen);
    }
    return seen;
  }

  test('every object is a field of the construct that it belongs to, to which a field leads', () => {
    const fields = reached(SecretsJob.of(stack.trackingServer)!, reached(stack));
    expect(objects.filter((object) => !fields.has(object)).map((object) => object.node.path)).toEqual([]);
  });

  test.each(LOGINS)('so is one with all options and %s', (login) => {
    const other = Testing.chart();
    const whole = everything(other, login);
    const fields = reached(SecretsJob.of(whole.trackingServer)!, reached(whole));
    const all = other.node.findAll().filter((construct) => ApiObject.isApiObject(construct));
    expect(all.length).toBeGreaterThan(45);
    expect(all.filter((object) => !fields.has(object)).map((object) => object.node.path)).toEqual([]);
  });

  test('every construct has a default child, which is its main object or the way there', () => {
    const containers = constructs.filter((construct) => construct !== chart && !ApiObject.isApiObject(construct));
    expect(containers.length).toBeGreaterThan(8);
    for (const construct of containers) expect([construct.node.path, construct.node.defaultChild]).not.toContain(undefined);
    expect(ApiObject.of(stack.trackingServer)).toBe(stack.trackingServer.deployment);
    expect(ApiObject.of(stack.minio!)).toBe(stack.minio!.statefulSet);
    expect(ApiObject.of(stack.postgres!)).toBe(stack.postgres!.statefulSet);
  });

  test('attributes lead to what the objects are called', () => {
    const { trackingServer, minio, postgres } = stack;
    expect(trackingServer.trackingUri).toBe(`http://${trackingServer.host}:${trackingServer.port}`);
    expect(trackingServer.host.split('.').slice(0, 2)).toEqual([trackingServer.service.name, stack.namespace]);
    expect(minio!.endpointUrl).toBe('http://minio.mlflow.svc.cluster.local:9000');
    expect(minio!.consoleUrl).toBeUndefined();
    expect([minio!.credentials.secretName, minio!.credentials.usernameKey]).toEqual(['minio-user', 'AWS_ACCESS_KEY_ID']);
    expect([postgres!.host, postgres!.port, postgres!.database]).toEqual(['postgres.mlflow.svc.cluster.local', 5432, 'mlflow']);
    const manifests = Testing.synth(chart);
    const workloads = [trackingServer.deployment, minio!.statefulSet, postgres!.statefulSet];
    for (const [index, { podLabels }] of [trackingServer, minio!, postgres!].entries()) {
      expect(get(manifests, workloads[index].kind, workloads[index].name).spec.template.metadata.labels).toMatchObject(podLabels);
    }
  });

  test('stores that are passed in are not the fields for those that the stack makes', () => {
    const other = Testing.chart();
    const backendStore = new Postgres(other, 'Database');
    const { postgres, minio } = new MlflowStack(other, 'Stack', { backendStore });
    expect(postgres).toBeUndefined();
    expect(minio).toBeInstanceOf(Minio);
  });
});

test.each(['name', 'namespace', 'backendStore', 'artifactStore', 'startupScript'])('trackingServer.%s is refused, since the stack gives its own', (prop) => {
  const chart = Testing.chart();
  new MlflowStack(chart, 'Stack', { trackingServer: { [prop]: 'x' } });
  expect(faults(chart)).toEqual([
    `[test/Stack] trackingServer.${prop}: got "(not used)". Rule: the stack gives its own to the tracking server. Fix: pass ${prop} to MlflowStack itself.`,
  ]);
});

test('a member that trackingServer leaves open is none that the stack gives', () => {
  const chart = Testing.chart();
  new MlflowStack(chart, 'Stack', { trackingServer: { name: undefined } as object });
  expect(faults(chart)).toEqual([]);
});

describe('options for all parts', () => {
  const images = { registry: 'registry.example.com/mirror', pullSecrets: ['login'], pullPolicy: ImagePullPolicy.ALWAYS };
  const pod = { labels: { team: 'vision' }, nodeSelector: { disk: 'ssd' }, tolerations: [{ key: 'ml', operator: 'Exists' }], priorityClassName: 'high' };

  test.each(LOGINS)('images are where those of all containers come from, with %s', (login) => {
    const all = pods(synthAll(login, { images }));
    expect(all.length).toBeGreaterThan(7);
    for (const workload of all) {
      expect(workload.spec.template.spec.imagePullSecrets).toEqual([{ name: 'login' }]);
      for (const { image, imagePullPolicy } of containers(workload)) expect([image, imagePullPolicy]).toEqual([expect.stringMatching(/^registry\.example\.com\/mirror\/[^.]+:/), 'Always']);
    }
  });

  test.each(LOGINS)('pod is where all pods run, with %s', (login) => {
    const { labels, ...place } = pod;
    for (const { spec } of pods(synthAll(login, { pod }))) {
      expect(spec.template.spec).toMatchObject(place);
      expect(spec.template.metadata.labels).toMatchObject(labels);
    }
  });

  test('trackingServer.images and trackingServer.pod go over them, field by field, and labels, annotations and digests key by key', () => {
    const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
    const shared = { images: { ...images, digests: { 'a:1': digest('a'), 'b:1': digest('b') } }, pod: { ...pod, annotations: { 'example.com/scan': 'true', 'example.com/owner': 'ml' } } };
    const objects = synth({
      ...shared,
      trackingServer: {
        image: 'a:1',
        images: { registry: 'r.example.com', digests: { 'a:1': digest('c') } },
        pod: { nodeSelector: { arch: 'arm64' }, labels: { tier: 'web' }, annotations: { 'example.com/scan': 'false' }, sidecars: [{ name: 'log', image: 'b:1' }] },
      },
    });
    for (const name of ['mlflow', 'mlflow-monitor']) {
      const { metadata, spec } = get(objects, 'Deployment', name).spec.template;
      expect(spec).toMatchObject({ nodeSelector: { arch: 'arm64' }, tolerations: pod.tolerations, priorityClassName: 'high', imagePullSecrets: [{ name: 'login' }] });
      expect(spec.nodeSelector).not.toHaveProperty('disk');
      expect(metadata.labels).toMatchObject({ team: 'vision', tier: 'web' });
      expect(metadata.annotations).toMatchObject({ 'example.com/scan': 'false', 'example.com/owner': 'ml' });
      expect(spec.containers[0]).toMatchObject({ image: `r.example.com/a:1@${digest('c')}`, imagePullPolicy: 'Always' });
    }
    expect(containers(get(objects, 'Deployment', 'mlflow'))[1].image).toBe(`r.example.com/b:1@${digest('b')}`);
    const { metadata, spec } = get(objects, 'StatefulSet', 'minio').spec.template;
    expect(spec).toMatchObject({ nodeSelector: { disk: 'ssd' }, imagePullSecrets: [{ name: 'login' }] });
    expect(metadata.labels).not.toHaveProperty('tier');
  });

  test('and are not lost where trackingServer leaves them open', () => {
    const open = { images: undefined, pod: undefined, networkPolicy: undefined };
    expect(synth({ images, pod, networkPolicies: false, trackingServer: open })).toEqual(synth({ images, pod, networkPolicies: false }));
  });

  test('a store that is passed in has its own', () => {
    const chart = Testing.chart();
    new MlflowStack(chart, 'Stack', { images, pod, backendStore: new Postgres(chart, 'Database') });
    const { spec } = get(Testing.synth(chart), 'StatefulSet', 'postgres').spec.template;
    expect(spec).not.toHaveProperty('nodeSelector');
    expect(spec.containers[0].image).not.toMatch(/^registry/);
  });

  test.each<[MlflowStackProps, string]>([
    [{ images: { registry: 'https://a' } }, 'images.registry'],
    [{ images: { pullPolicy: 'Never' as never } }, 'images.pullPolicy'],
    [{ images: { digests: { a: 'b' } } }, 'images.digests["a"]'],
    [{ images: { registri: 'a' } as object }, 'images.registri'],
    [{ images: 5 as never }, 'images'],
    [{ pod: { labels: { 'app.kubernetes.io/name': 'a' } } }, 'pod.labels["app.kubernetes.io/name"]'],
    [{ pod: { annotations: { a: 5 as never } } }, 'pod.annotations["a"]'],
    [{ pod: { priorityClassName: 'A b' } }, 'pod.priorityClassName'],
    [{ pod: { topologySpread: [{} as never] } }, 'pod.topologySpread[0].topologyKey'],
    [{ pod: { tolerations: ['a' as never] } }, 'pod.tolerations[0]'],
    [{ pod: [] as never }, 'pod'],
    [{ pod: { volumes: [{ name: 'tmp', emptyDir: {} }] } }, 'pod.volumes'],
    [{ pod: { volumeMounts: [{ name: 'a', mountPath: '/a' }] } }, 'pod.volumeMounts'],
    [{ pod: { initContainers: [{ name: 'a' }] } }, 'pod.initContainers'],
    [{ pod: { sidecars: [{ name: 'a', securityContext: { runAsUser: 0 } }] } }, 'pod.sidecars'],
    [{ networkPolicies: 'false' as never }, 'networkPolicies'],
  ])('%j is told by the stack, and by no part of it', (props, prop) => {
    const chart = Testing.chart();
    everything(chart, 'oidc', props);
    const told = [...new Set(faults(chart).map((fault) => fault.slice(0, fault.indexOf(': got'))))];
    expect(told).toEqual([`[test/Stack] ${prop}`]);
    expect(faults(chart)).toHaveLength(prop === 'images.digests["a"]' ? 2 : 1);
  });

  test('what is for the pods of one part has a place of its own', () => {
    const chart = Testing.chart();
    new MlflowStack(chart, 'Stack', { pod: { sidecars: [{ name: 'log', image: 'log:1' }] } });
    expect(faults(chart)).toEqual([
      '[test/Stack] pod.sidecars: got a list of 1. Rule: it is for the pods of one part, and not for those of all. Fix: pass trackingServer.pod.sidecars, or the pod of a store.',
    ]);
  });

  test('a fault of trackingServer.pod is told beside one of pod', () => {
    const chart = Testing.chart();
    new MlflowStack(chart, 'Stack', { pod: { priorityClassName: 'A b' }, trackingServer: { pod: { priorityClassName: 'C d' } } });
    expect(faults(chart).map((fault) => fault.slice(0, fault.indexOf('. Rule')))).toEqual(['[test/Stack] pod.priorityClassName: got "A b"', '[test/Stack/TrackingServer] pod.priorityClassName: got "C d"']);
  });

  test.each(LOGINS)('networkPolicies: false makes none, and changes nothing else, with %s', (login) => {
    const without = synthAll(login, { networkPolicies: false });
    expect(ofKind(without, 'NetworkPolicy')).toEqual([]);
    // but that MLflow may have its list of models from GitHub
    const server = containers(get(without, 'Deployment', 'mlflow'))[0];
    server.env = containers(get(synthAll(login), 'Deployment', 'mlflow'))[0].env;
    expect(without).toEqual(synthAll(login).filter(({ kind }) => kind !== 'NetworkPolicy'));
    expect(ofKind(synth({ networkPolicies: false }), 'NetworkPolicy')).toEqual([]);
  });

  test('networkPolicies: false contradicts trackingServer.networkPolicy', () => {
    const chart = Testing.chart();
    new MlflowStack(chart, 'Stack', { networkPolicies: false, trackingServer: { networkPolicy: { clients: [] } } });
    expect(faults(chart)).toEqual([
      '[test/Stack] trackingServer.networkPolicy: got an object with clients. Rule: with networkPolicies = false there are none. Fix: leave trackingServer.networkPolicy out, or networkPolicies.',
    ]);
  });

  test('the stores let in the pods of the stack that use them, and no others', () => {
    const objects = synthAll('basicAuth');
    const components = (name: string) =>
      get(objects, 'NetworkPolicy', name).spec.ingress[0].from.map(({ podSelector }: { podSelector: { matchLabels: { [key: string]: string } } }) => podSelector.matchLabels['app.kubernetes.io/component']).sort();
    expect(components('postgres')).toEqual(['backend-store-bootstrap', 'garbage-collection', 'schema-upgrade', 'store-monitor', 'tracking-server']);
    expect(components('minio')).toEqual(['artifact-store-bootstrap', 'store-monitor', 'tracking-server']);
  });
});

describe('the cluster', () => {
  test.each(LOGINS)('its domain is in all names, with %s', (login) => {
    const all = synthAll(login, { cluster: { domain: 'k8s.example.com' } });
    // the programs have such a name in them as an example
    const text = JSON.stringify(all.filter(({ kind, metadata }) => kind !== 'ConfigMap' || !/-(startup-script|preflight|preflight-relocate)$/.test(metadata.name)));
    expect(text).not.toContain('cluster.local');
    for (const host of ['mlflow-service', 'postgres', 'minio']) expect(text).toContain(`${host}.mlflow.svc.k8s.example.com`);
  });

  test('the fields of all parts tell of it', () => {
    const stack = new MlflowStack(Testing.chart(), 'Stack', { cluster: { domain: 'a.example.com' } });
    expect([stack.trackingUri, stack.postgres?.host, stack.minio?.endpointUrl]).toEqual([
      'http://mlflow-service.mlflow.svc.a.example.com:5000',
      'postgres.mlflow.svc.a.example.com',
      'http://minio.mlflow.svc.a.example.com:9000',
    ]);
  });

  test('trackingServer.cluster goes over it, field by field', () => {
    const stack = new MlflowStack(Testing.chart(), 'Stack', { cluster: { ipFamily: IpFamily.IPV6, domain: 'a.example.com' }, trackingServer: { cluster: { domain: 'b.example.com' } } });
    expect(stack.trackingUri).toBe('http://mlflow-service.mlflow.svc.b.example.com:5000');
    expect(stack.trackingServer.podSpec.containers[0].args).toContain('--host=::');
  });

  test.each(LOGINS)('on IPv6 all listen at all addresses, and an address has brackets before its port, with %s', (login) => {
    const all = synthAll(login, { cluster: { ipFamily: IpFamily.IPV6 } });
    const { args } = containers(get(all, 'Deployment', 'mlflow'))[0];
    expect(args).toContain('--host=::');
    expect(args.find((arg: string) => arg.startsWith('--allowed-hosts='))).toContain('[$(POD_IP)]:5000');
    if (login === 'oidc') expect(containers(get(all, 'Deployment', 'mlflow-oauth2-proxy'))[0].args).toContain('--http-address=[::]:4180');
    for (const workload of pods(all)) expect(JSON.stringify(workload)).not.toMatch(/0\.0\.0\.0|[^[]\$\(POD_IP\):/);
  });

  test.each([{ domain: 'Cluster.Local' }, { ipFamily: 'ipv6' as never }, { domian: 'a' } as object, 5 as never])('%j is told by the stack, and by no part of it', (cluster) => {
    const chart = Testing.chart();
    everything(chart, 'oidc', { cluster });
    expect(faults(chart)).toEqual([expect.stringMatching(/^\[test\/Stack\] cluster/)]);
  });
});

describe('add-ons', () => {
  test('are there where an option asks for them, as fields', () => {
    const plain = new MlflowStack(Testing.chart(), 'Stack');
    const made = everything(Testing.chart(), 'basicAuth');
    const kinds = { login: BasicAuth, ingress: ServerIngress, httpRoute: ServerHttpRoute, metrics: Metrics, garbageCollection: GarbageCollection, autoscaling: Autoscaling, disruptionBudget: DisruptionBudget, serviceAccount: ServerServiceAccount };
    for (const [field, kind] of Object.entries(kinds)) {
      expect([field, plain[field as keyof MlflowStack]]).toEqual([field, undefined]);
      expect(made[field as keyof MlflowStack]).toBeInstanceOf(kind);
    }
    expect(everything(Testing.chart(), 'oidc').login).toBeInstanceOf(Oauth2Proxy);
  });

  test('are the same as the constructs made by hand', () => {
    const chart = Testing.chart();
    const { trackingServer: server } = new MlflowStack(chart, 'Stack');
    new BasicAuth(chart, 'Login', { server });
    new ServerIngress(chart, 'Ingress', { target: server, hosts: ['mlflow.example.com'] });
    new Metrics(chart, 'Metrics', { server });
    new GarbageCollection(chart, 'GarbageCollection', { server });
    const byOptions = synth({ login: Login.basicAuth(), ingress: { hosts: ['mlflow.example.com'] }, metrics: {}, garbageCollection: {} });
    const sorted = (objects: Manifests) => objects.map((object) => JSON.stringify(object)).sort();
    expect(sorted(Testing.synth(chart))).toEqual(sorted(byOptions));
  });

  test('a disruption budget is there by itself where there is more than one pod', () => {
    const budgets = (props: MlflowStackProps) => ofKind(synth(props), 'PodDisruptionBudget').map(({ spec }) => spec.maxUnavailable ?? spec.minAvailable);
    expect([budgets({}), budgets({ trackingServer: { replicas: 2 } }), budgets({ autoscaling: { maxReplicas: 3 } }), budgets({ podDisruptionBudget: {} })]).toEqual([[], [1], [1], [1]]);
  });

  test('externalUri is that of the Ingress, else that of the HTTPRoute', () => {
    const uri = (props: MlflowStackProps) => new MlflowStack(Testing.chart(), 'Stack', props).externalUri;
    const httpRoute = { hosts: ['runs.example.com'], gatewayName: 'public' };
    const ingress = { hosts: ['*.example.com', 'mlflow.example.com'], tls: { secretName: 'tls' } };
    expect([uri({}), uri({ httpRoute }), uri({ httpRoute, ingress }), uri({ ingress, trackingServer: { settings: { staticPrefix: '/ml' } } })]).toEqual([
      undefined,
      'http://runs.example.com',
      'https://mlflow.example.com',
      'https://mlflow.example.com/ml',
    ]);
  });

  test('a fault of one stands at its path', () => {
    const chart = Testing.chart();
    new MlflowStack(chart, 'Stack', { ingress: { hosts: ['A b'] }, autoscaling: { maxReplicas: 0 }, garbageCollection: { schedule: 'often' }, login: Login.basicAuth({ adminUsername: '' }) });
    expect(faults(chart).map((fault) => fault.slice(0, fault.indexOf(' got'))).sort()).toEqual([
      '[test/Stack/Autoscaling] maxReplicas:',
      '[test/Stack/Autoscaling] maxReplicas:',
      '[test/Stack/GarbageCollection] schedule:',
      '[test/Stack/Ingress] hosts[0]:',
      '[test/Stack/Login] adminUsername:',
    ]);
  });

  test('a login is a Login, of this library or one of the user', () => {
    const chart = Testing.chart();
    new MlflowStack(chart, 'Stack', { login: { adminUsername: 'root' } as never });
    expect(faults(chart)).toEqual(['[test/Stack] login: got an object with adminUsername. Rule: it is a Login. Fix: pass Login.basicAuth() or Login.oidc({ issuerUrl: …, clientCredentials: … }).']);

    class Header extends Login {
      public url?: string;
      public bind(scope: Construct, server: TrackingServer, externalUrl?: string): IRouteTarget {
        this.url = externalUrl;
        server.addVariable(new Construct(scope, 'Login'), { name: 'MLFLOW_MINE', value: '1' });
        return { routeBackend: { ...server.routeBackend, serviceName: 'mine', port: 80 }, addRoute: (route, hosts) => server.addRoute(route, hosts) };
      }
    }
    const login = new Header();
    const objects = synth({ login, ingress: { hosts: ['mlflow.example.com'], tls: { secretName: 'tls' } } });
    expect(login.url).toBe('https://mlflow.example.com');
    expect(ofKind(objects, 'Ingress')[0].spec.rules[0].http.paths[0].backend.service.name).toBe('mine');
    expect(containers(get(objects, 'Deployment', 'mlflow'))[0].env).toContainEqual({ name: 'MLFLOW_MINE', value: '1' });
  });
});

describe('with all options on', () => {
  test.each(LOGINS)('the next synth is the same, with %s', (login) => {
    expect(JSON.stringify(synthAll(login))).toBe(JSON.stringify(synthAll(login)));
  });

  test('two stacks in one namespace, with different logins, are apart', () => {
    const chart = Testing.chart();
    everything(new Construct(chart, 'A'), 'basicAuth', { name: 'red' });
    everything(new Construct(chart, 'B'), 'oidc', { name: 'blue', createNamespace: false });
    const objects = Testing.synth(chart);
    expect(new Set(names(objects)).size).toBe(objects.length);
    for (const { metadata, spec } of [...ofKind(objects, 'Service'), ...ofKind(objects, 'NetworkPolicy'), ...ofKind(objects, 'PodDisruptionBudget')]) {
      const selector: { [key: string]: string } = spec.podSelector?.matchLabels ?? spec.selector.matchLabels ?? spec.selector;
      const found = pods(objects).filter(({ metadata: { name }, spec: { template } }) => !name.endsWith('-schema-restore') && Object.entries(selector).every(([key, value]) => template.metadata.labels[key] === value));
      expect(found.map((workload) => workload.metadata.name.split('-')[0])).toEqual([metadata.name.split('-')[0]]);
    }
    const reds = JSON.stringify(objects.filter(({ metadata, kind }) => metadata.name.startsWith('red') && kind !== 'ConfigMap'));
    expect(reds).not.toMatch(/\bblue\b/);
  });

  test.each(LOGINS)('the longest name with %s has 33 characters', (login) => {
    const length = 33;
    expect(Math.max(...synthAll(login, { name: 'a'.repeat(length) }).map(({ metadata }) => metadata.name.length))).toBeLessThanOrEqual(63);
    const chart = Testing.chart();
    everything(chart, login, { name: 'a'.repeat(length + 1) });
    expect(faults(chart)).toEqual([expect.stringMatching(new RegExp(`^\\[test/Stack(/Login)?\\] (name|server): got "a+"\\. .+ at most ${length} characters`))]);
  });

  test.each(LOGINS)('no secret is in it, with %s', (login) => {
    for (const secret of ofKind(synthAll(login), 'Secret')) expect(Object.keys(secret).sort()).toEqual(['apiVersion', 'kind', 'metadata', 'type']);
  });
});
