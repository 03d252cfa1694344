import { Duration, Size } from 'cdk8s';
import { Construct } from 'constructs';
import { ArtifactTransfer } from './artifact-transfer';
import { ProxiedS3Plugin } from './proxied-s3-plugin';
import { IStartupScript, StartupScript } from './startup-script';
import { StoreMonitor } from './store-monitor';
import { IArtifactStore } from '../artifact-store/artifact-store';
import { IBackendStore } from '../backend-store/backend-store';
import { Part, labels, selectorLabels, workloadLabels } from '../common/labels';
import { Deployment, Service } from '../common/objects';
import { place } from '../common/place';
import { CONTAINER_SECURITY, POD_SECURITY, containerResources, emptyDir } from '../common/pod';
import { PropChecks, quantity } from '../common/prop-checks';
import { Shape } from '../common/prop-shape';
import { rejectTakenNames } from '../common/unique-names';
import { Images } from '../images';
import { ContainerResources } from '../resources';
import { k8s } from '../../imports/k8s';

/** Longest name: `<name>-startup-script` still has to be within 63 characters. */
const MAX_NAME = 48;
const HOST = '0.0.0.0';
/** Seconds between the end of the wait for the database and the first answer of the server, at the most. */
const START_SECONDS = 120;

/** Flags that come from a prop. */
const PROP_FLAGS: { [flag: string]: string } = {
  '--port': 'port',
  '-p': 'port',
  '--backend-store-uri': 'backendStore',
  '--artifacts-destination': 'artifactStore',
  '--allowed-hosts': 'allowedHosts',
  '--workers': 'workers',
  '-w': 'workers',
};
const LISTENS = 'the container always listens on all its addresses';
const PROXIES = 'it is what keeps clients off the artifact store';
/** Flags that are always the same, and why. */
const FIXED_FLAGS: { [flag: string]: string } = {
  '--host': LISTENS,
  '-h': LISTENS,
  '--default-artifact-root': PROXIES,
  '--serve-artifacts': PROXIES,
  '--no-serve-artifacts': PROXIES,
};

/** Options of a tracking server that have nothing to do with where it stores things. */
export interface TrackingServerOptions {
  /**
   * Image of MLflow, with boto3 and psycopg2 in it.
   *
   * @default Images.MLFLOW
   */
  readonly image?: string;

  /**
   * Number of pods.
   *
   * @default 1
   */
  readonly replicas?: number;

  /**
   * Server processes in each pod. Each takes about 300 MiB.
   *
   * @default 1
   * @see https://mlflow.org/docs/latest/api_reference/cli.html#mlflow-server
   */
  readonly workers?: number;

  /**
   * Port of the server and of its Services.
   *
   * @default 5000
   */
  readonly port?: number;

  /**
   * Host names, as clients write them, for which the server answers. `*` is all; a name with a port is written
   * `name:*`. The list replaces MLflow's own, which does not have the names of the Services.
   *
   * @default ["*"]
   * @see https://mlflow.org/docs/latest/self-hosting/security/network/
   */
  readonly allowedHosts?: string[];

  /**
   * How artifacts travel between clients and the artifact store.
   *
   * @default ArtifactTransfer.PROXIED
   */
  readonly artifactTransfer?: ArtifactTransfer;

  /**
   * Whether the server runs the job runners behind MLflow's evaluation and optimisation of prompts. They take
   * about 1.5 GiB, so raise `resources` with it.
   *
   * @default false
   */
  readonly jobExecution?: boolean;

  /**
   * Whether a start upgrades a database whose schema is older than this MLflow. Without it the pod stops and says so,
   * since there is no way back: take a backup, set it for one rollout, and remove it.
   *
   * @default false
   * @see https://mlflow.org/docs/latest/self-hosting/migration/
   */
  readonly upgradeSchema?: boolean;

  /**
   * How long a pod waits for stores that are not there yet before it fails and is started again. What waiting cannot
   * mend, such as a wrong key, fails at once.
   *
   * @default Duration.minutes(5)
   */
  readonly startupDeadline?: Duration;

  /**
   * How long a pod that is asked to stop may take to finish the transfers in flight.
   *
   * @default Duration.minutes(2)
   * @see https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
   */
  readonly terminationGracePeriod?: Duration;

  /**
   * Disk for files in transit: MLflow spools each transfer, so it has to hold the files that travel at one time.
   *
   * @default Size.gibibytes(10)
   * @see https://kubernetes.io/docs/concepts/storage/volumes/#emptydir
   */
  readonly scratchSize?: Size;

  /**
   * CPU and memory of a pod.
   *
   * @default - 250m to 2 cores, 512 MiB to 1 GiB
   */
  readonly resources?: ContainerResources;

  /**
   * Further flags for `mlflow server`, behind the managed ones.
   *
   * @default - none
   * @see https://mlflow.org/docs/latest/api_reference/cli.html#mlflow-server
   */
  readonly extraArgs?: string[];

  /**
   * Further environment variables of the server, behind the managed ones.
   *
   * @default - none
   * @see https://mlflow.org/docs/latest/api_reference/python_api/mlflow.environment_variables.html
   */
  readonly extraEnv?: k8s.EnvVar[];
}

/** Props of `TrackingServer`. */
export interface TrackingServerProps extends TrackingServerOptions {
  /** Where experiments, runs and the model registry are kept. */
  readonly backendStore: IBackendStore;

  /** Where artifacts are kept. */
  readonly artifactStore: IArtifactStore;

  /**
   * Name of the Deployment, and beginning of the names of all other objects: the Services are `<name>-service` and
   * `<name>-server`.
   *
   * @default "mlflow"
   * @see https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#rfc-1035-label-names
   */
  readonly name?: string;

  /**
   * Namespace of all objects.
   *
   * @default - the namespace of the chart, else "mlflow"
   */
  readonly namespace?: string;

  /**
   * The script that starts the server.
   *
   * @default - a new `StartupScript` with the name "<name>-startup-script"
   */
  readonly startupScript?: IStartupScript;
}

const OPTIONS: Shape<TrackingServerOptions> = {
  image: 'value',
  replicas: 'value',
  workers: 'value',
  port: 'value',
  allowedHosts: 'value',
  artifactTransfer: 'value',
  jobExecution: 'value',
  upgradeSchema: 'value',
  startupDeadline: 'value',
  terminationGracePeriod: 'value',
  scratchSize: 'value',
  resources: {},
  extraArgs: 'list',
  extraEnv: 'list',
};
const SHAPE: Shape<TrackingServerProps> = {
  ...OPTIONS,
  backendStore: { uri: 'string', environment: 'list' },
  artifactStore: { artifactsDestination: 'string', environment: 'list' },
  name: 'value',
  namespace: 'value',
  startupScript: { configMapName: 'string', namespace: 'string', key: 'string', mountPath: 'string', checksum: 'string', custom: 'boolean' },
};

/**
 * MLflow tracking server that hands artifacts through (`--serve-artifacts`): clients know its URI and nothing else.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/architecture/tracking-server/
 */
export class TrackingServer extends Construct {
  /** Namespace of all objects. */
  public readonly namespace: string;

  /** Port of the server and of its Services. */
  public readonly port: number;

  /** URI for clients in the cluster: what they pass to `mlflow.set_tracking_uri`. */
  public readonly trackingUri: string;

  /** Host name of the server, which resolves in the whole cluster. */
  public readonly host: string;

  /** The script that starts the server. */
  public readonly startupScript: IStartupScript;

  /** ConfigMap with the MLflow plugin, where `artifactTransfer` is `PROXIED`. */
  public readonly plugins?: k8s.KubeConfigMap;

  /** The server. */
  public readonly deployment: k8s.KubeDeployment;

  /** Service `<name>-service`. */
  public readonly service: k8s.KubeService;

  /** Service `<name>-server`, a second name for the same pods. */
  public readonly serverService: k8s.KubeService;

  /**
   * The pod that tries both stores again and again: unready as long as one of them does not work, with the metrics
   * `mlflow_artifact_store_writable` and `mlflow_database_reachable` at port 8080 of Service `<name>-monitor`.
   */
  public readonly monitor: k8s.KubeDeployment;

  /** Service `<name>-monitor`, with the metrics of the monitor. */
  public readonly monitorService: k8s.KubeService;

  /** Labels that select the pods. */
  public readonly podLabels: { [key: string]: string };

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the two stores, and the options of the server
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: TrackingServerProps) {
    super(place(scope, id), id);
    const checks = new PropChecks(this);
    props = checks.props(props, SHAPE);
    props = { ...props, backendStore: usableBackendStore(checks, props.backendStore), artifactStore: usableArtifactStore(checks, props.artifactStore) };
    const name = checks.name('name', props.name ?? 'mlflow', MAX_NAME);
    const image = checks.image('image', props.image ?? Images.MLFLOW);
    const part: Part = { name: 'mlflow', instance: name, component: 'tracking-server', image };
    this.namespace = checks.namespace(this, props.namespace);
    this.port = checks.port('port', props.port ?? 5000);
    this.podLabels = selectorLabels(part);
    const metadata = { name, namespace: this.namespace, labels: labels(part) };
    const startupDeadline = checks.seconds('startupDeadline', props.startupDeadline ?? Duration.minutes(5));
    const scratchSize = checks.size('scratchSize', props.scratchSize ?? Size.gibibytes(10));
    checkStores(checks, this.namespace, props);

    this.startupScript =
      props.startupScript ??
      new StartupScript(this, 'StartupScript', { name: `${name}-startup-script`, namespace: this.namespace, labels: labels(part) });
    const transfer = checks.oneOf(
      'artifactTransfer',
      props.artifactTransfer ?? ArtifactTransfer.PROXIED,
      Object.values(ArtifactTransfer),
      'artifactTransfer',
    );
    const plugin =
      transfer === ArtifactTransfer.PROXIED
        ? new ProxiedS3Plugin(this, 'ProxiedS3Plugin', { name: `${name}-plugins`, namespace: this.namespace, labels: labels(part) })
        : undefined;

    const storeFlags = [
      `--backend-store-uri=${props.backendStore.uri}`,
      `--artifacts-destination=${props.artifactStore.artifactsDestination}`,
    ];
    const args = [
      'mlflow',
      'server',
      `--host=${HOST}`,
      `--port=${this.port}`,
      ...storeFlags,
      '--default-artifact-root=mlflow-artifacts:/',
      '--serve-artifacts',
      `--allowed-hosts=${allowedHosts(checks, props.allowedHosts).join(',')}`,
      ...extraArgs(checks, checks.members('extraArgs', props.extraArgs ?? [], 'string', 'flags', '"--gunicorn-opts=--timeout=120"')),
    ];
    const storeEnv = [...props.artifactStore.environment, ...props.backendStore.environment];
    const upgradeSchema = checks.flag('upgradeSchema', props.upgradeSchema ?? false);
    const scriptEnv = startupEnv(name, startupDeadline, transfer, upgradeSchema, props);
    const managedEnv: k8s.EnvVar[] = [
      ...storeEnv,
      { name: 'MLFLOW_WORKERS', value: String(checks.count('workers', props.workers ?? 1, 'the number of workers')) },
      { name: 'MLFLOW_SERVER_ENABLE_JOB_EXECUTION', value: String(checks.flag('jobExecution', props.jobExecution ?? false)) },
      ...(plugin === undefined ? [] : [{ name: 'PYTHONPATH', value: plugin.mountPath }]),
      ...scriptEnv,
      { name: 'HOME', value: '/tmp' },
      // transfers run in many threads, and glibc would keep a heap for each: measured, 49 MiB less after 600 MiB up and down
      { name: 'MALLOC_ARENA_MAX', value: '2' },
    ];
    const extras = extraEnv(checks, managedEnv, variables(checks, 'extraEnv', props.extraEnv ?? []));
    const health = { httpGet: { path: '/health', port: k8s.IntOrString.fromString('http') } };

    this.deployment = new Deployment(this, 'Deployment', {
      metadata: { ...metadata, labels: workloadLabels(part) },
      spec: {
        replicas: checks.count('replicas', props.replicas ?? 1, 'the number of replicas'),
        selector: { matchLabels: this.podLabels },
        strategy: {
          type: 'RollingUpdate',
          rollingUpdate: { maxUnavailable: k8s.IntOrString.fromNumber(0), maxSurge: k8s.IntOrString.fromNumber(1) },
        },
        template: {
          metadata: {
            labels: workloadLabels(part),
            annotations: {
              'checksum/startup-script': this.startupScript.checksum,
              ...(plugin === undefined ? {} : { 'checksum/plugins': plugin.checksum }),
            },
          },
          spec: {
            automountServiceAccountToken: false,
            // a Service called "mlflow" would set MLFLOW_PORT=tcp://…, which the server takes for its port
            enableServiceLinks: false,
            securityContext: POD_SECURITY,
            terminationGracePeriodSeconds: checks.seconds('terminationGracePeriod', props.terminationGracePeriod ?? Duration.minutes(2)),
            containers: [
              {
                name: 'mlflow',
                image,
                imagePullPolicy: 'IfNotPresent',
                command: ['python3', this.startupScript.mountPath],
                args,
                env: [...managedEnv, ...extras],
                ports: [{ name: 'http', containerPort: this.port }],
                startupProbe: { ...health, periodSeconds: 2, timeoutSeconds: 5, failureThreshold: Math.ceil((startupDeadline + START_SECONDS) / 2) },
                readinessProbe: { ...health, periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3 },
                // a server that is busy with transfers answers late and is healthy all the same
                livenessProbe: { ...health, periodSeconds: 15, timeoutSeconds: 10, failureThreshold: 8 },
                resources: containerResources(
                  checks,
                  props.resources,
                  {
                    cpuRequest: '250m',
                    cpuLimit: '2',
                    memoryRequest: Size.mebibytes(512),
                    memoryLimit: Size.gibibytes(1),
                  },
                  `${Math.ceil(quantity(scratchSize) / 1024 ** 2) + 256}Mi`,
                ),
                securityContext: CONTAINER_SECURITY,
                terminationMessagePolicy: 'FallbackToLogsOnError',
                volumeMounts: [
                  {
                    name: 'startup-script',
                    mountPath: this.startupScript.mountPath,
                    subPath: this.startupScript.key,
                    readOnly: true,
                  },
                  ...(plugin === undefined ? [] : [{ name: plugin.volume.name, mountPath: plugin.mountPath, readOnly: true }]),
                  { name: 'tmp', mountPath: '/tmp' },
                ],
              },
            ],
            volumes: [
              { name: 'startup-script', configMap: { name: this.startupScript.configMapName, defaultMode: 0o755 } },
              ...(plugin === undefined ? [] : [plugin.volume]),
              emptyDir('tmp', scratchSize),
            ],
          },
        },
      },
    });
    rejectTakenNames(this, 'name', 'give each tracking server of the namespace, or each stack, its own name');
    this.node.defaultChild = this.deployment;

    const service = (constructId: string, serviceName: string): k8s.KubeService =>
      new Service(this, constructId, {
        metadata: { ...metadata, name: serviceName },
        spec: {
          type: 'ClusterIP',
          selector: this.podLabels,
          ports: [{ name: 'http', port: this.port, targetPort: k8s.IntOrString.fromString('http') }],
        },
      });
    this.service = service('Service', `${name}-service`);
    this.serverService = service('ServerService', `${name}-server`);
    const monitor = new StoreMonitor(this, 'Monitor', {
      part,
      name: `${name}-monitor`,
      namespace: this.namespace,
      startupScript: this.startupScript.custom
        ? new StartupScript(this, 'MonitorScript', { name: `${name}-monitor-script`, namespace: this.namespace, labels: labels(part) })
        : this.startupScript,
      flags: storeFlags,
      env: [...storeEnv, ...scriptEnv],
      extraEnv: extras,
    });
    this.monitor = monitor.deployment;
    this.monitorService = monitor.service;
    this.plugins = plugin?.configMap;
    this.host = `${name}-service.${this.namespace}.svc.cluster.local`;
    this.trackingUri = `http://${this.host}:${this.port}`;
  }
}

/** What the start script has to know of the constructs. */
function startupEnv(name: string, deadline: number, transfer: string, upgradeSchema: boolean, props: TrackingServerProps): k8s.EnvVar[] {
  const fromSecrets = [...props.artifactStore.environment, ...props.backendStore.environment].flatMap(({ name: variable, valueFrom }) =>
    valueFrom?.secretKeyRef === undefined ? [] : [[variable, `key ${valueFrom.secretKeyRef.key} of Secret ${valueFrom.secretKeyRef.name}`]],
  );
  return [
    { name: 'STARTUP_DEPLOYMENT', value: name },
    { name: 'STARTUP_DEADLINE_SECONDS', value: String(deadline) },
    { name: 'STARTUP_ARTIFACT_TRANSFER', value: transfer },
    { name: 'STARTUP_SOURCES', value: JSON.stringify(Object.fromEntries(fromSecrets)) },
    ...(props.artifactStore.userMayComeLate ? [{ name: 'STARTUP_USER_MAY_COME_LATE', value: 'true' }] : []),
    ...(upgradeSchema ? [{ name: 'STARTUP_UPGRADE_SCHEMA', value: 'true' }] : []),
  ];
}

function usableBackendStore(checks: PropChecks, store?: IBackendStore): IBackendStore {
  const none = { uri: '', environment: [] };
  const { uri, environment, secretNamespace } = checks.required('backendStore', store, none, 'the place for experiments and runs', 'a store such as new Postgres(…)');
  return { uri, environment: variables(checks, 'backendStore.environment', environment), secretNamespace };
}

function usableArtifactStore(checks: PropChecks, store?: IArtifactStore): IArtifactStore {
  const none: IArtifactStore = { artifactsDestination: '', environment: [] };
  const given = checks.required('artifactStore', store, none, 'the place for artifacts', 'a store such as new Minio(…)');
  const { artifactsDestination, environment, userMayComeLate, secretNamespace } = given;
  return { artifactsDestination, environment: variables(checks, 'artifactStore.environment', environment), userMayComeLate, secretNamespace };
}

function variables(checks: PropChecks, prop: string, list: k8s.EnvVar[]): k8s.EnvVar[] {
  return checks.members(prop, list, {}, 'environment variables', '{ name: "MLFLOW_LOGGING_LEVEL", value: "DEBUG" }');
}

function checkStores(checks: PropChecks, namespace: string, props: TrackingServerProps): void {
  for (const prop of ['backendStore', 'artifactStore'] as const) {
    const secretNamespace = props[prop].secretNamespace;
    if (secretNamespace !== undefined && secretNamespace !== namespace) {
      checks.fault({
        prop,
        value: `a store with its Secret in namespace "${secretNamespace}"`,
        rule: `a pod reads Secrets of its own namespace only, here "${namespace}" (https://kubernetes.io/docs/concepts/configuration/secret/)`,
        fix: `put the store and the tracking server into one namespace`,
      });
    }
  }
  if (/^[^:]+:\/\/[^@]*:[^@]*@|[?&]password=/.test(props.backendStore.uri)) {
    checks.fault({
      prop: 'backendStore.uri',
      value: props.backendStore.uri.replace(/\/\/.*@/, '//(not shown)@').replace(/([?&]password=)[^&]*/g, '$1(not shown)'),
      rule: 'the URI stands in the arguments of a process, so it has no password in it',
      fix: 'leave user name and password out of the URI and pass PGUSER and PGPASSWORD in backendStore.environment',
    });
  }
  if (props.startupScript !== undefined && props.startupScript.namespace !== namespace) {
    checks.fault({
      prop: 'startupScript',
      value: `a ConfigMap in namespace "${props.startupScript.namespace}"`,
      rule: `a pod mounts ConfigMaps of its own namespace only, here "${namespace}" (https://kubernetes.io/docs/concepts/configuration/configmap/)`,
      fix: `make the StartupScript with namespace "${namespace}"`,
    });
  }
}

function allowedHosts(checks: PropChecks, hosts: string[] = ['*']): string[] {
  const fix = 'leave the prop out to allow all hosts, or pass a list such as ["mlflow.example.com", "mlflow-service:*"]';
  const source = '(https://mlflow.org/docs/latest/self-hosting/security/network/)';
  if (!Array.isArray(hosts) || hosts.length === 0) {
    checks.fault({ prop: 'allowedHosts', value: hosts, rule: `the list names one host or more: a server that allows none refuses every client ${source}`, fix });
    return [];
  }
  hosts.forEach((host, index) => {
    if (typeof host !== 'string' || !/^[^\s,/]+$/.test(host)) {
      checks.fault({
        prop: `allowedHosts[${index}]`,
        value: host,
        rule: `a host is a name, with a port or a pattern if need be, without scheme, path, comma or white space ${source}`,
        fix,
      });
    }
  });
  return hosts;
}

function extraArgs(checks: PropChecks, args: string[]): string[] {
  args.forEach((arg, index) => {
    const flag = /^(--[^=\s]+|-[a-z])/.exec(String(arg))?.[1];
    if (flag !== undefined && (flag in PROP_FLAGS || flag in FIXED_FLAGS)) {
      checks.fault({
        prop: `extraArgs[${index}]`,
        value: arg,
        rule: `${flag} is a managed flag, set by ${flag in PROP_FLAGS ? `the prop ${PROP_FLAGS[flag]}` : 'the construct itself'}`,
        fix: flag in PROP_FLAGS ? `use the prop ${PROP_FLAGS[flag]}` : `leave it out: ${FIXED_FLAGS[flag]}`,
      });
    }
  });
  return args;
}

function extraEnv(checks: PropChecks, managed: k8s.EnvVar[], extras: k8s.EnvVar[]): k8s.EnvVar[] {
  const taken = new Set<string>();
  for (const { name } of managed) {
    if (taken.has(name)) {
      checks.fault({
        prop: 'artifactStore, backendStore',
        value: name,
        rule: 'a variable is set once: of two values Kubernetes would silently take the last',
        fix: 'leave it out of the environment of one of the stores',
      });
    }
    taken.add(name);
  }
  extras.forEach(({ name }, index) => {
    const isManaged = managed.some((variable) => variable.name === name) || String(name).startsWith('STARTUP_');
    if (isManaged || taken.has(name)) {
      checks.fault({
        prop: `extraEnv[${index}]`,
        value: name,
        rule: isManaged
          ? 'an extra variable does not repeat a managed one, of which Kubernetes would silently take the last'
          : 'each variable is named once',
        fix: isManaged ? 'leave it out and use the prop that sets it (a store, workers, jobExecution, artifactTransfer, startupDeadline, upgradeSchema)' : 'leave one of the two out',
      });
    }
    taken.add(name);
    if (typeof name !== 'string' || !/^[-._a-zA-Z][-._a-zA-Z0-9]*$/.test(name)) {
      checks.fault({
        prop: `extraEnv[${index}]`,
        value: name,
        rule: 'the name of a variable has letters, digits, "-", "_" and ".", no digit first (https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-container/)',
        fix: 'pass a name such as "MLFLOW_LOGGING_LEVEL"',
      });
    }
  });
  return extras;
}
