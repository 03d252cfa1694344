import { ApiObject, Duration, Size } from 'cdk8s';
import { Construct } from 'constructs';
import { allowedHosts, ownOrigins } from './allowed-hosts';
import { ArtifactTransfer } from '../proxied-artifacts/artifact-transfer';
import { autoscaler } from '../operations/autoscaling';
import { LOGIN_KEYS, Login } from '../login/basic-auth';
import { disruptionBudget } from '../operations/disruption-budget';
import { GarbageCollection } from '../operations/garbage-collection';
import { ServerHttpRoute } from '../access/http-route';
import { ServerIngress } from '../access/ingress';
import { Metrics } from '../monitoring/metrics';
import { Oauth2Proxy } from '../login/oauth2-proxy';
import { ConnectionPool, LogLevel, TrackingServerOptions, XFrameOptions } from './options';
import { ProxiedArtifactsPlugin } from '../proxied-artifacts/proxied-artifacts-plugin';
import { RouteTarget, routeUri } from '../access/route';
import { ServiceType, serviceSpec } from './service';
import { serviceAccount } from '../operations/service-account';
import { IStartupScript, StartupScript } from './startup-script';
import { StoreMonitor } from '../preflight/store-monitor';
import { IArtifactStore } from '../artifact-store/artifact-store';
import { Minio } from '../artifact-store/minio';
import { IBackendStore } from '../backend-store/backend-store';
import { Postgres } from '../backend-store/postgres';
import { ImageSource } from '../kube/image-source';
import { Part, labels, selectorLabels, workloadLabels } from '../kube/labels';
import { decided } from '../kube/linters';
import { connect, networkPolicyOptions, podPolicy, toPods } from '../kube/network';
import { Deployment, Service } from '../kube/objects';
import { place } from '../validation/place';
import { CONTAINER_SECURITY, POD_SECURITY, containerResources, emptyDir } from '../kube/pod';
import { PodSettings } from '../kube/pod-settings';
import { PropChecks, quantity } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { rejectTakenNames } from '../validation/unique-names';
import { Images } from '../options/images';
import { PodOptions } from '../options/pod-options';
import { k8s } from '../../imports/k8s';

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
  '--static-prefix': 'staticPrefix',
};
/** Flags that a prop sets where it is given. */
const OPTIONAL_FLAGS: { [flag: string]: keyof TrackingServerOptions } = {
  '--app-name': 'basicAuth',
  '--expose-prometheus': 'metrics',
  '--cors-allowed-origins': 'corsAllowedOrigins',
  '--x-frame-options': 'xFrameOptions',
  '--uvicorn-opts': 'logLevel',
};
/** Variables that a prop sets, where probes and routes follow. */
const PROP_VARIABLES = ['MLFLOW_STATIC_PREFIX'];
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
  envFrom: 'list',
  staticPrefix: 'value',
  deriveAllowedHosts: 'value',
  corsAllowedOrigins: 'list',
  xFrameOptions: 'value',
  logLevel: 'value',
  connectionPool: {},
  service: {},
  ingress: {},
  httpRoute: {},
  basicAuth: {},
  oidc: {},
  metrics: {},
  garbageCollection: {},
  autoscaling: {},
  podDisruptionBudget: {},
  serviceAccount: {},
  images: {},
  pod: {},
  networkPolicy: {},
};
const POOL: Shape<ConnectionPool> = { size: 'value', maxOverflow: 'value', recycle: 'value' };
const SHAPE: Shape<TrackingServerProps> = {
  ...OPTIONS,
  backendStore: { environment: 'list' },
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

  /** The script of the store monitor and of the garbage collection, where `startupScript` is one of the user's own. */
  public readonly monitorScript?: IStartupScript;

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

  /** URI for clients outside of the cluster, where `ingress` or `httpRoute` gives them one. */
  public readonly externalUri?: string;

  /** The Ingress, where `ingress` asks for one. */
  public readonly ingress?: k8s.KubeIngress;

  /** The HTTPRoute, where `httpRoute` asks for one. */
  public readonly httpRoute?: ApiObject;

  /** The Certificates for `ingress` and `httpRoute`, where cert-manager makes them. */
  public readonly certificates: ApiObject[] = [];

  /** ConfigMap with the configuration of MLflow's login, where `basicAuth` asks for it. */
  public readonly loginConfig?: k8s.KubeConfigMap;

  /** Secret with the administrator of MLflow's login, where the cluster makes it up. */
  public readonly loginSecret?: k8s.KubeSecret;

  /** Job that makes up the administrator's password. */
  public readonly loginBootstrapJob?: k8s.KubeJob;

  /** ServiceAccount of the Job that makes up the administrator's password. */
  public readonly loginBootstrapServiceAccount?: k8s.KubeServiceAccount;

  /** Role of the Job that makes up the administrator's password: it may fill this Secret. */
  public readonly loginBootstrapRole?: k8s.KubeRole;

  /** RoleBinding of the Job that makes up the administrator's password. */
  public readonly loginBootstrapRoleBinding?: k8s.KubeRoleBinding;

  /** ConfigMap with the script of the Job that makes up the administrator's password. */
  public readonly loginBootstrapScripts?: k8s.KubeConfigMap;

  /** NetworkPolicy of the Job that makes up the administrator's password. */
  public readonly loginBootstrapNetworkPolicy?: k8s.KubeNetworkPolicy;

  /** The oauth2-proxy before the server, where `oidc` asks for it. */
  public readonly oauth2Proxy?: Oauth2Proxy;

  /** The CronJob that removes for good what is deleted, where `garbageCollection` asks for it. */
  public readonly garbageCollection?: k8s.KubeCronJob;

  /** NetworkPolicy of the garbage collection. */
  public readonly garbageCollectionNetworkPolicy?: k8s.KubeNetworkPolicy;

  /** ServiceMonitor of the server, where `metrics` asks for it. */
  public readonly serviceMonitor?: ApiObject;

  /** ServiceMonitor of the monitor of the stores, where `metrics` asks for it. */
  public readonly monitorServiceMonitor?: ApiObject;

  /** PrometheusRule with the alerts, where `metrics` asks for it. */
  public readonly prometheusRule?: ApiObject;

  /** ConfigMap with the dashboard for Grafana, where `metrics` asks for it. */
  public readonly dashboard?: k8s.KubeConfigMap;

  /** The HorizontalPodAutoscaler, where `autoscaling` asks for it. */
  public readonly autoscaler?: k8s.KubeHorizontalPodAutoscalerV2;

  /** The PodDisruptionBudget, where there is more than one pod or `podDisruptionBudget` asks for it. */
  public readonly disruptionBudget?: k8s.KubePodDisruptionBudget;

  /** The ServiceAccount, where `serviceAccount` asks for one to be made. */
  public readonly serviceAccount?: k8s.KubeServiceAccount;

  /** NetworkPolicy of the server, where `networkPolicy.enabled` is true. */
  public readonly networkPolicy?: k8s.KubeNetworkPolicy;

  /** NetworkPolicy of the monitor of the stores, where `networkPolicy.enabled` is true. */
  public readonly monitorNetworkPolicy?: k8s.KubeNetworkPolicy;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the two stores, and the options of the server
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: TrackingServerProps) {
    super(place(scope, id), id);
    const checks = new PropChecks(this);
    const stores = [props?.backendStore, props?.artifactStore];
    props = checks.props(props, SHAPE);
    props = { ...props, backendStore: usableBackendStore(checks, props.backendStore), artifactStore: usableArtifactStore(checks, props.artifactStore) };
    const { backendStore, artifactStore } = props;
    const name = checks.name('name', props.name ?? 'mlflow', maxName(props));
    const images = new ImageSource(checks, props.images);
    const image = images.of('image', props.image ?? Images.MLFLOW);
    const part: Part = { name: 'mlflow', instance: name, component: 'tracking-server', image };
    const pod = new PodSettings(checks, props.pod, images);
    const network = networkPolicyOptions(checks, props.networkPolicy);
    this.namespace = checks.namespace(this, props.namespace);
    this.port = checks.port('port', props.port ?? 5000);
    this.podLabels = selectorLabels(part);
    this.host = `${name}-service.${this.namespace}.svc.cluster.local`;
    const prefix = staticPrefix(checks, props.staticPrefix);
    const serverUrl = `http://${this.host}:${this.port}`;
    this.trackingUri = `${serverUrl}${prefix}`;
    const metadata = { name, namespace: this.namespace, labels: labels(part) };
    const startupDeadline = checks.seconds('startupDeadline', props.startupDeadline ?? Duration.minutes(5));
    const scratchSize = checks.size('scratchSize', props.scratchSize ?? Size.gibibytes(10));
    checkStores(checks, this.namespace, props);
    checkTogether(checks, props);

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
        ? new ProxiedArtifactsPlugin(this, 'ProxiedArtifactsPlugin', { name: `${name}-plugins`, namespace: this.namespace, labels: labels(part) })
        : undefined;
    const login =
      props.basicAuth &&
      new Login(this, 'Login', checks, props.basicAuth, {
        part,
        name,
        namespace: this.namespace,
        databaseUri: backendStore.uri ?? '',
        image,
        images,
        pod,
        networkPolicy: network !== undefined,
      });
    const account = props.serviceAccount && serviceAccount(this, checks, props.serviceAccount, metadata);
    const identity = account && { serviceAccountName: account.name };
    this.serviceAccount = account?.object;

    const databaseFlags = backendStore.uri === undefined ? [] : [`--backend-store-uri=${backendStore.uri}`];
    const storeFlags = [...databaseFlags, `--artifacts-destination=${artifactStore.artifactsDestination}`];
    const hosts = allowedHosts(checks, {
      given: props.allowedHosts,
      derive: props.deriveAllowedHosts,
      services: [`${name}-service`, `${name}-server`],
      namespace: this.namespace,
      port: this.port,
      routes: { 'ingress.hosts': texts(props.ingress?.hosts), 'httpRoute.hosts': texts(props.httpRoute?.hosts) },
      scraped: props.metrics !== undefined,
      collected: props.garbageCollection !== undefined,
    });
    const args = [
      'mlflow',
      'server',
      `--host=${HOST}`,
      `--port=${this.port}`,
      ...storeFlags,
      '--default-artifact-root=mlflow-artifacts:/',
      '--serve-artifacts',
      `--allowed-hosts=${hosts.join(',')}`,
      ...(login === undefined ? [] : ['--app-name=basic-auth']),
      ...extraArgs(checks, checks.members('extraArgs', props.extraArgs ?? [], 'string', 'flags', '"--gunicorn-opts=--timeout=120"'), props),
    ];
    const storeEnv = [...artifactStore.environment, ...backendStore.environment];
    const upgradeSchema = checks.flag('upgradeSchema', props.upgradeSchema ?? false);
    const scriptEnv = startupEnv(name, startupDeadline, transfer, upgradeSchema, props, login?.environment ?? []);
    const managedEnv: k8s.EnvVar[] = [
      ...storeEnv,
      { name: 'MLFLOW_WORKERS', value: String(checks.count('workers', props.workers ?? 1, 'the number of workers')) },
      { name: 'MLFLOW_SERVER_ENABLE_JOB_EXECUTION', value: String(checks.flag('jobExecution', props.jobExecution ?? false)) },
      ...(plugin === undefined ? [] : [{ name: 'PYTHONPATH', value: plugin.mountPath }]),
      ...scriptEnv,
      { name: 'HOME', value: '/tmp' },
      // transfers run in many threads, and glibc would keep a heap for each: measured, 49 MiB less after 600 MiB up and down
      { name: 'MALLOC_ARENA_MAX', value: '2' },
      ...serverEnv(checks, props, prefix),
      ...(login?.environment ?? []),
      ...(hosts.some((host) => host.startsWith('$(POD_IP)')) ? [{ name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }] : []),
    ];
    const extras = extraEnv(checks, managedEnv, variables(checks, 'extraEnv', props.extraEnv ?? []));
    const envFrom = props.envFrom && checks.members('envFrom', props.envFrom, {}, 'sources', '{ secretRef: { name: "model-provider" } }');
    const volumes = [...(artifactStore.volumes ?? []), ...(backendStore.volumes ?? [])];
    const volumeMounts = [...(artifactStore.volumeMounts ?? []), ...(backendStore.volumeMounts ?? [])];
    const health = { httpGet: { path: `${prefix}/health`, port: k8s.IntOrString.fromString('http') } };
    const replicas = checks.count('replicas', props.replicas ?? 1, 'the number of replicas');
    const several = props.autoscaling !== undefined || replicas > 1;

    this.deployment = new Deployment(this, 'Deployment', {
      metadata: {
        ...metadata,
        labels: workloadLabels(part),
        annotations: decided({ images: [image], pullPolicy: images.pullPolicy, secretsInEnv: true, sameProbes: true, single: props.autoscaling === undefined && replicas === 1 }),
      },
      spec: {
        replicas: props.autoscaling === undefined ? replicas : undefined,
        selector: { matchLabels: this.podLabels },
        strategy: {
          type: 'RollingUpdate',
          rollingUpdate: { maxUnavailable: k8s.IntOrString.fromNumber(0), maxSurge: k8s.IntOrString.fromNumber(1) },
        },
        template: {
          metadata: {
            labels: pod.labels(workloadLabels(part)),
            annotations: pod.annotations({
              'checksum/startup-script': this.startupScript.checksum,
              ...(plugin === undefined ? {} : { 'checksum/plugins': plugin.checksum }),
              ...(login === undefined ? {} : { 'checksum/login': login.checksum }),
            }),
          },
          spec: pod.complete({
            ...identity,
            ...pod.placement(this.podLabels, several),
            automountServiceAccountToken: false,
            // a Service called "mlflow" would set MLFLOW_PORT=tcp://…, which the server takes for its port
            enableServiceLinks: false,
            securityContext: POD_SECURITY,
            terminationGracePeriodSeconds: checks.seconds('terminationGracePeriod', props.terminationGracePeriod ?? Duration.minutes(2)),
            containers: [
              {
                name: 'mlflow',
                image,
                imagePullPolicy: images.pullPolicy,
                command: ['python3', this.startupScript.mountPath],
                args,
                env: [...managedEnv, ...extras],
                envFrom,
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
                  ...volumeMounts,
                  ...(login === undefined ? [] : [login.volumeMount]),
                ],
              },
            ],
            volumes: [
              { name: 'startup-script', configMap: { name: this.startupScript.configMapName, defaultMode: 0o755 } },
              ...(plugin === undefined ? [] : [plugin.volume]),
              emptyDir('tmp', scratchSize),
              ...volumes,
              ...(login === undefined ? [] : [login.volume]),
            ],
          }),
        },
      },
    });
    rejectTakenNames(this, 'name', 'give each tracking server of the namespace, or each stack, its own name');
    this.node.defaultChild = this.deployment;

    const published = serviceSpec(checks, props.service, this.port);
    this.service = new Service(this, 'Service', {
      metadata: { ...metadata, name: `${name}-service`, annotations: published.annotations },
      spec: { ...published.spec, selector: this.podLabels },
    });
    this.serverService = new Service(this, 'ServerService', {
      metadata: { ...metadata, name: `${name}-server` },
      spec: { ...serviceSpec(checks, undefined, this.port).spec, selector: this.podLabels },
    });

    if (this.startupScript.custom) {
      this.monitorScript = new StartupScript(this, 'MonitorScript', { name: `${name}-monitor-script`, namespace: this.namespace, labels: labels(part) });
    }
    const ownScript = this.monitorScript ?? this.startupScript;
    const monitor = new StoreMonitor(this, 'Monitor', {
      part,
      name: `${name}-monitor`,
      namespace: this.namespace,
      images,
      pod,
      placement: { ...identity, ...pod.helperPlacement() },
      startupScript: ownScript,
      flags: storeFlags,
      env: [...storeEnv, ...scriptEnv],
      extraEnv: extras,
      envFrom,
      volumes,
      volumeMounts,
    });
    this.monitor = monitor.deployment;
    this.monitorService = monitor.service;
    this.plugins = plugin?.configMap;

    const gc =
      props.garbageCollection &&
      new GarbageCollection(this, 'GarbageCollection', checks, props.garbageCollection, {
        part,
        name: `${name}-gc`,
        namespace: this.namespace,
        image,
        images,
        pod,
        placement: pod.helperPlacement(),
        script: ownScript,
        flags: databaseFlags,
        env: [
          ...backendStore.environment,
          { name: 'MLFLOW_TRACKING_URI', value: this.trackingUri },
          ...(login?.clientEnvironment ?? []),
          ...scriptEnv.filter(({ name: variable }) => ['STARTUP_DEADLINE_SECONDS', 'STARTUP_DEPLOYMENT', 'STARTUP_SOURCES'].includes(variable)),
        ],
        envFrom,
        volumes: backendStore.volumes ?? [],
        volumeMounts: backendStore.volumeMounts ?? [],
        egress: network && [...egressTo(backendStore), toPods(this.podLabels, this.port), ...network.egress],
        servers: [this, ...stores.slice(0, 1).filter((store) => typeof store === 'object' && store !== null)],
      });
    this.garbageCollection = gc?.cronJob;
    this.garbageCollectionNetworkPolicy = gc?.networkPolicy;

    const route = { name, metadata, path: prefix === '' ? '/' : prefix };
    const external = externalUri(props, prefix);
    if (props.oidc !== undefined) {
      this.oauth2Proxy = new Oauth2Proxy(this, 'Oauth2Proxy', {
        ...props.oidc,
        name: `${name}-oauth2-proxy`,
        instance: name,
        namespace: this.namespace,
        // what cannot be a URL is told where port and hosts are checked
        upstreamUrl: URL.canParse(serverUrl) ? serverUrl : 'http://mlflow',
        upstreamPodLabels: this.podLabels,
        externalUrl: external !== undefined && URL.canParse(external) ? external : 'https://mlflow.example.com',
        bootstrapImage: props.image,
        images: props.images,
        pod: proxyPod(props.pod),
        networkPolicy: props.networkPolicy && { enabled: props.networkPolicy.enabled, egress: props.networkPolicy.egress },
      });
      connect(this, this.oauth2Proxy.podLabels);
    }
    const target: RouteTarget = {
      ...route,
      service: this.oauth2Proxy?.service ?? this.service,
      port: this.oauth2Proxy?.port ?? this.port,
    };
    const ingress = props.ingress && new ServerIngress(this, 'Ingress', checks, props.ingress, target);
    const httpRoute = props.httpRoute && new ServerHttpRoute(this, 'HttpRoute', checks, props.httpRoute, target);
    this.ingress = ingress?.ingress;
    this.httpRoute = httpRoute?.httpRoute;
    this.certificates = [ingress?.certificate, httpRoute?.certificate].filter((certificate) => certificate !== undefined);
    this.externalUri = external;

    this.loginConfig = login?.configMap;
    this.loginSecret = login?.generated?.secret;
    this.loginBootstrapJob = login?.generated?.bootstrap.job;
    this.loginBootstrapServiceAccount = login?.generated?.bootstrap.serviceAccount;
    this.loginBootstrapRole = login?.generated?.bootstrap.role;
    this.loginBootstrapRoleBinding = login?.generated?.bootstrap.roleBinding;
    this.loginBootstrapScripts = login?.generated?.bootstrap.scripts;
    this.loginBootstrapNetworkPolicy = login?.generated?.bootstrap.networkPolicy;

    const metrics =
      props.metrics &&
      new Metrics(this, 'Metrics', {
        checks,
        part,
        name,
        namespace: this.namespace,
        options: props.metrics,
        serviceName: `${name}-service`,
        portName: 'http',
        monitorName: `${name}-monitor`,
        monitorPortName: 'metrics',
        login: login && { secretName: login.secretName, ...LOGIN_KEYS },
        volumeClaims: stores.flatMap((store) => volumeClaims(store)),
      });
    this.serviceMonitor = metrics?.serviceMonitor;
    this.monitorServiceMonitor = metrics?.monitorServiceMonitor;
    this.prometheusRule = metrics?.prometheusRule;
    this.dashboard = metrics?.dashboard;

    this.autoscaler = props.autoscaling && autoscaler(this, checks, props.autoscaling, metadata);
    if (several || props.podDisruptionBudget !== undefined) {
      this.disruptionBudget = disruptionBudget(this, checks, props.podDisruptionBudget ?? {}, {
        metadata,
        podLabels: this.podLabels,
        replicas: props.autoscaling === undefined ? replicas : (props.autoscaling.minReplicas ?? 2),
        replicasProp: props.autoscaling === undefined ? 'replicas' : 'autoscaling.minReplicas',
      });
    }

    for (const store of stores.filter((given) => typeof given === 'object' && given !== null)) {
      connect(store!, this.podLabels);
      connect(store!, monitor.podLabels);
    }
    if (network !== undefined) {
      const egress = [...egressTo(artifactStore), ...egressTo(backendStore), ...network.egress];
      // behind a login proxy nobody else is let in, but whom the user names
      const clients = props.oidc === undefined && network.clients === undefined ? {} : { server: this, clients: network.clients };
      this.networkPolicy = podPolicy(this, 'NetworkPolicy', { ...metadata, podLabels: this.podLabels, ports: [this.port], egress, ...clients });
      this.monitorNetworkPolicy = podPolicy(this, 'MonitorNetworkPolicy', {
        name: `${name}-monitor`,
        namespace: this.namespace,
        labels: monitor.labels,
        podLabels: monitor.podLabels,
        ports: [monitor.port],
        egress,
      });
    }
  }
}

/** Longest name: the names that begin with it, that of a Job with its fingerprint, still have to be within 63 characters. */
function maxName({ oidc, basicAuth }: TrackingServerProps): number {
  if (oidc !== undefined) return 63 - '-oauth2-proxy-cookie-bootstrap-0123456789'.length;
  if (basicAuth !== undefined && basicAuth.secretName === undefined) return 63 - '-login-bootstrap-0123456789'.length;
  return 63 - '-startup-script'.length;
}

/** What the start script has to know of the constructs. */
function startupEnv(name: string, deadline: number, transfer: string, upgradeSchema: boolean, props: TrackingServerProps, login: k8s.EnvVar[]): k8s.EnvVar[] {
  const fromSecrets = [...props.artifactStore.environment, ...props.backendStore.environment, ...login].flatMap(({ name: variable, valueFrom }) =>
    valueFrom?.secretKeyRef === undefined ? [] : [[variable, `key ${valueFrom.secretKeyRef.key} of Secret ${valueFrom.secretKeyRef.name}`]],
  );
  return [
    { name: 'STARTUP_DEPLOYMENT', value: name },
    { name: 'STARTUP_DEADLINE_SECONDS', value: String(deadline) },
    { name: 'STARTUP_ARTIFACT_TRANSFER', value: transfer },
    { name: 'STARTUP_SOURCES', value: JSON.stringify(Object.fromEntries(fromSecrets)) },
    ...(props.artifactStore.userMayComeLate ? [{ name: 'STARTUP_USER_MAY_COME_LATE', value: 'true' }] : []),
    ...(props.artifactStore.usesPodIdentity ? [{ name: 'STARTUP_POD_IDENTITY', value: 'true' }] : []),
    ...(upgradeSchema ? [{ name: 'STARTUP_UPGRADE_SCHEMA', value: 'true' }] : []),
  ];
}

function usableBackendStore(checks: PropChecks, store?: IBackendStore): IBackendStore {
  const none: IBackendStore = { uri: '', environment: [] };
  const given = checks.required('backendStore', store, none, 'the place for experiments and runs', 'a store such as new Postgres(…)');
  const { uri, environment } = given;
  const usable = variables(checks, 'backendStore.environment', environment);
  if (uri === undefined ? !usable.some(({ name }) => name === 'MLFLOW_BACKEND_STORE_URI') : typeof uri !== 'string') {
    checks.fault({
      prop: 'backendStore.uri',
      value: uri,
      hidden: true,
      rule: 'it is a text, or backendStore.environment has MLFLOW_BACKEND_STORE_URI from a Secret (https://mlflow.org/docs/latest/self-hosting/architecture/backend-store/)',
      fix: 'pass a store such as new Postgres(…), ExternalPostgres or ExternalDatabase',
    });
  }
  return { uri: uri === undefined || typeof uri === 'string' ? uri : '', environment: usable, ...usableRest(checks, 'backendStore', given) };
}

function usableArtifactStore(checks: PropChecks, store?: IArtifactStore): IArtifactStore {
  const none: IArtifactStore = { artifactsDestination: '', environment: [] };
  const given = checks.required('artifactStore', store, none, 'the place for artifacts', 'a store such as new Minio(…)');
  const { artifactsDestination, environment, userMayComeLate, usesPodIdentity } = given;
  return {
    artifactsDestination,
    environment: variables(checks, 'artifactStore.environment', environment),
    userMayComeLate,
    usesPodIdentity,
    ...usableRest(checks, 'artifactStore', given),
  };
}

type StoreRest = Pick<IBackendStore, 'secretNamespace' | 'volumes' | 'volumeMounts' | 'egress'>;

/** What stores of all kinds may have besides. */
function usableRest(checks: PropChecks, prop: string, { secretNamespace, volumes, volumeMounts, egress }: StoreRest): StoreRest {
  const rest = checks.props({ secretNamespace, volumes, volumeMounts, egress }, { secretNamespace: 'value', volumes: 'list', volumeMounts: 'list', egress: 'list' }, `${prop}.`);
  return {
    ...rest,
    volumes: rest.volumes && checks.members(`${prop}.volumes`, rest.volumes, {}, 'volumes', '{ name: "ca", configMap: { name: "ca" } }'),
    volumeMounts: rest.volumeMounts && checks.members(`${prop}.volumeMounts`, rest.volumeMounts, {}, 'mounts', '{ name: "ca", mountPath: "/etc/ca" }'),
    egress: rest.egress && checks.members(`${prop}.egress`, rest.egress, {}, 'rules', '{ ports: [{ port: k8s.IntOrString.fromNumber(443) }] }'),
  };
}

/** What the pods may connect to for a store. Of one that does not tell, nobody knows: everything. */
function egressTo(store: IBackendStore | IArtifactStore): k8s.NetworkPolicyEgressRule[] {
  return store.egress ?? [{}];
}

/** The volumes of a store that this library makes. */
function volumeClaims(store: unknown): string[] {
  return store instanceof Postgres || store instanceof Minio ? [`data-${store.statefulSet.name}-0`] : [];
}

/** The strings in a list that may have been given from a language without types. */
function texts(list: unknown): string[] {
  return Array.isArray(list) ? list.filter((member): member is string => typeof member === 'string') : [];
}

function staticPrefix(checks: PropChecks, prefix = ''): string {
  if (typeof prefix !== 'string' || !/^(\/[A-Za-z0-9._~-]+)*$/.test(prefix)) {
    checks.fault({
      prop: 'staticPrefix',
      value: prefix,
      rule: 'a prefix begins with "/", does not end with it, and has letters, digits, ".", "_", "~" and "-" between (https://mlflow.org/docs/latest/api_reference/cli.html#cmdoption-mlflow-server-static-prefix)',
      fix: 'pass a path such as "/mlflow"',
    });
  }
  return prefix;
}

/** Settings of the server that have a variable, so that its flags stay as everybody knows them. */
function serverEnv(checks: PropChecks, props: TrackingServerProps, prefix: string): k8s.EnvVar[] {
  const env: { [name: string]: string | undefined } = { MLFLOW_STATIC_PREFIX: prefix === '' ? undefined : prefix };
  const given = checks.members('corsAllowedOrigins', props.corsAllowedOrigins ?? [], 'string', 'origins', '"https://notebooks.example.com"');
  given.forEach((origin, index) => {
    if (!/^(\*|https?:\/\/[^\s,/]+)$/.test(origin)) {
      checks.fault({
        prop: `corsAllowedOrigins[${index}]`,
        value: origin,
        rule: 'an origin is scheme, host and port, without path (https://mlflow.org/docs/latest/self-hosting/security/network/)',
        fix: 'pass an origin such as "https://notebooks.example.com"',
      });
    }
  });
  const origins = [...ownOrigins(texts(props.allowedHosts), [...texts(props.ingress?.hosts), ...texts(props.httpRoute?.hosts)]), ...given];
  if (origins.length > 0) env.MLFLOW_SERVER_CORS_ALLOWED_ORIGINS = origins.join(',');
  if (props.xFrameOptions !== undefined) env.MLFLOW_SERVER_X_FRAME_OPTIONS = checks.oneOf('xFrameOptions', props.xFrameOptions, Object.values(XFrameOptions), 'xFrameOptions');
  if (props.logLevel !== undefined) {
    const level = checks.oneOf('logLevel', props.logLevel, Object.values(LogLevel), 'logLevel');
    env.MLFLOW_LOGGING_LEVEL = level;
    env.MLFLOW_UVICORN_OPTS = `--log-level=${String(level).toLowerCase()}`;
  }
  const pool = checks.props(props.connectionPool ?? {}, POOL, 'connectionPool.');
  if (pool.size !== undefined) env.MLFLOW_SQLALCHEMYSTORE_POOL_SIZE = String(checks.count('connectionPool.size', pool.size, 'the number of connections'));
  if (pool.maxOverflow !== undefined) {
    if (!Number.isInteger(pool.maxOverflow) || pool.maxOverflow < 0) {
      checks.fault({ prop: 'connectionPool.maxOverflow', value: pool.maxOverflow, rule: 'the number of connections is a whole number of 0 or more (https://docs.sqlalchemy.org/en/20/core/pooling.html)', fix: 'pass a number such as 10' });
    }
    env.MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW = String(pool.maxOverflow);
  }
  if (pool.recycle !== undefined) env.MLFLOW_SQLALCHEMYSTORE_POOL_RECYCLE = String(checks.seconds('connectionPool.recycle', pool.recycle));
  if (props.metrics !== undefined) env.MLFLOW_EXPOSE_PROMETHEUS = '/tmp/metrics';
  return Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
}

/** URI for clients outside of the cluster: that of the Ingress, else that of the HTTPRoute. */
function externalUri(props: TrackingServerProps, prefix: string): string | undefined {
  const route = [props.ingress, props.httpRoute].find((given) => texts(given?.hosts).some((host) => !host.startsWith('*')));
  return route && routeUri(texts(route.hosts), route.tls !== undefined, prefix);
}

/** The pods of the login proxy run where those of the server do, and have nothing of what is for the server. */
function proxyPod(pod: PodOptions | undefined): PodOptions | undefined {
  if (pod === undefined) return undefined;
  const { labels: podLabels, annotations, nodeSelector, tolerations, affinity, topologySpread, priorityClassName } = pod;
  return { labels: podLabels, annotations, nodeSelector, tolerations, affinity, topologySpread, priorityClassName };
}

/** Faults of props that contradict each other. */
function checkTogether(checks: PropChecks, props: TrackingServerProps): void {
  if (props.autoscaling !== undefined && props.replicas !== undefined) {
    checks.fault({
      prop: 'replicas',
      value: props.replicas,
      rule: 'with autoscaling the number of pods is not fixed: each apply would set it back (https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#migrating-deployments-and-statefulsets-to-horizontal-autoscaling)',
      fix: 'leave replicas out and pass autoscaling.minReplicas, or leave autoscaling out',
    });
  }
  if (props.basicAuth !== undefined && props.oidc !== undefined) {
    checks.fault({
      prop: 'basicAuth',
      value: props.basicAuth,
      hidden: true,
      rule: 'oidc is given as well, and a request has one Authorization header: it is for the proxy or for MLflow',
      fix: 'leave basicAuth or oidc out',
    });
  }
  if (props.basicAuth !== undefined && props.backendStore.uri === undefined) {
    checks.fault({
      prop: 'basicAuth',
      value: props.basicAuth,
      hidden: true,
      rule: 'MLflow reads the database of its users from a file, and the URI of backendStore stands in a Secret (https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth/)',
      fix: 'pass a backendStore whose URI has no secret in it, such as ExternalPostgres, or use oidc',
    });
  }
  if (props.oidc !== undefined && externalUri(props, '') === undefined) {
    checks.fault({
      prop: 'oidc',
      value: 'without a host',
      rule: 'browsers come from the provider back to a host that ingress.hosts or httpRoute.hosts names',
      fix: 'pass ingress or httpRoute',
    });
  }
  const hosts = [...new Set([...texts(props.ingress?.hosts), ...texts(props.httpRoute?.hosts)])];
  const oneCookie = texts(props.oidc?.extraArgs).some((arg) => arg.startsWith('--cookie-domain='));
  if (props.oidc !== undefined && hosts.length > 1 && !oneCookie) {
    checks.fault({
      prop: 'oidc',
      value: hosts,
      rule: 'the provider sends users back to the first host of ingress.hosts or httpRoute.hosts, and a login that began at another fails there',
      fix: 'leave one host, or share the cookies of one domain: oidc.extraArgs ["--cookie-domain=.example.com", "--whitelist-domain=.example.com"]',
    });
  }
  if (props.oidc !== undefined && props.service?.type !== undefined && props.service.type !== ServiceType.CLUSTER_IP) {
    checks.fault({
      prop: 'service.type',
      value: props.service.type,
      rule: 'with oidc clients come to the login proxy, and this Service leads past it to the server',
      fix: 'leave service.type out, or oidc',
    });
  }
  for (const prop of ['name', 'namespace', 'instance', 'upstreamUrl', 'upstreamPodLabels', 'externalUrl', 'bootstrapImage', 'images', 'pod', 'networkPolicy']) {
    if ((props.oidc as { [prop: string]: unknown } | undefined)?.[prop] !== undefined) {
      checks.fault({ prop: `oidc.${prop}`, value: '(not used)', rule: 'the tracking server gives its own to the login proxy', fix: 'leave it out, or make an Oauth2Proxy of your own' });
    }
  }
  if (props.ingress?.tls?.certificate !== undefined && props.httpRoute?.tls?.certificate !== undefined && props.ingress.tls.secretName !== undefined && props.ingress.tls.secretName === props.httpRoute.tls.secretName) {
    checks.fault({
      prop: 'httpRoute.tls.secretName',
      value: props.httpRoute.tls.secretName,
      rule: 'the certificate of ingress.tls stands in this Secret, and each certificate has its own',
      fix: 'pass another name, or leave it out',
    });
  }
  if (props.autoscaling !== undefined) checkRequests(checks, props.pod?.sidecars, props.autoscaling.targetMemoryPercent === undefined ? ['cpu'] : ['cpu', 'memory']);
  const scraped = props.metrics !== undefined && props.metrics.serviceMonitor !== false;
  if (props.oidc !== undefined && scraped && props.networkPolicy?.enabled !== false && props.networkPolicy?.clients === undefined) {
    checks.fault({
      prop: 'metrics',
      value: props.metrics,
      hidden: true,
      rule: 'with oidc the NetworkPolicy lets nobody to the server but the proxy and networkPolicy.clients, so that Prometheus would find it down',
      fix: 'name the pods of Prometheus in networkPolicy.clients, or pass metrics.serviceMonitor: false',
    });
  }
  if (props.artifactStore.usesPodIdentity && props.serviceAccount === undefined) {
    checks.fault({
      prop: 'serviceAccount',
      value: undefined,
      rule: 'artifactStore has no keys, so that the store knows the pods by their ServiceAccount (https://docs.aws.amazon.com/eks/latest/userguide/iam-roles-for-service-accounts.html)',
      fix: 'pass serviceAccount, with the annotation of your cloud, or give credentials to artifactStore',
    });
  }
  const endpoint = props.artifactStore.environment.find(({ name }) => name === 'MLFLOW_S3_ENDPOINT_URL')?.value;
  if (props.artifactTransfer === ArtifactTransfer.DIRECT && endpoint !== undefined && isInCluster(endpoint)) {
    checks.fault({
      prop: 'artifactTransfer',
      value: props.artifactTransfer,
      rule: `clients go to the endpoint of artifactStore by themselves, and ${endpoint} resolves in the cluster only (https://mlflow.org/docs/latest/self-hosting/architecture/tracking-server/)`,
      fix: 'use ArtifactTransfer.PROXIED, or an artifactStore with an endpoint that all clients reach, such as ExternalS3',
    });
  }
}

/** Faults where the load of a pod cannot be told in percent, since one of its containers asks for nothing. */
function checkRequests(checks: PropChecks, sidecars: k8s.Container[] | undefined, resources: string[]): void {
  for (const [index, sidecar] of Array.isArray(sidecars) ? sidecars.entries() : []) {
    const missing = resources.filter((resource) => [sidecar?.resources?.requests, sidecar?.resources?.limits].every((amounts) => amounts?.[resource] === undefined));
    if (missing.length > 0) {
      checks.fault({
        prop: `pod.sidecars[${index}].resources.requests`,
        value: `no ${missing.join(', ')}`,
        rule: 'autoscaling goes by percent of what all containers of a pod request, and does nothing where one requests none (https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details)',
        fix: `pass requests of ${missing.join(' and ')}, or leave autoscaling out`,
      });
    }
  }
}

/** Whether a host has a name that is known in a cluster only, or is the machine itself. */
function isInCluster(endpoint: string): boolean {
  const host = /^https?:\/\/([^/:]+)/i.exec(endpoint)?.[1].toLowerCase() ?? '';
  return !host.includes('.') || /\.svc(\.cluster\.local)?$|\.cluster\.local$|^127\./.test(host);
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
  const { uri } = props.backendStore;
  if (typeof uri === 'string' && /^[^:]+:\/\/[^@]*:[^@]*@|[?&]password=/.test(uri)) {
    checks.fault({
      prop: 'backendStore.uri',
      value: uri.replace(/\/\/.*@/, '//(not shown)@').replace(/([?&]password=)[^&]*/g, '$1(not shown)'),
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

function extraArgs(checks: PropChecks, args: string[], props: TrackingServerOptions): string[] {
  const given = Object.entries(OPTIONAL_FLAGS).filter(([, prop]) => props[prop] !== undefined);
  const propFlags: { [flag: string]: string } = { ...PROP_FLAGS, ...Object.fromEntries(given) };
  args.forEach((arg, index) => {
    const flag = /^(--[^=\s]+|-[a-z])/.exec(String(arg))?.[1];
    if (flag !== undefined && (flag in propFlags || flag in FIXED_FLAGS)) {
      checks.fault({
        prop: `extraArgs[${index}]`,
        value: arg,
        rule: `${flag} is a managed flag, set by ${flag in propFlags ? `the prop ${propFlags[flag]}` : 'the construct itself'}`,
        fix: flag in propFlags ? `use the prop ${propFlags[flag]}` : `leave it out: ${FIXED_FLAGS[flag]}`,
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
    const isManaged = managed.some((variable) => variable.name === name) || PROP_VARIABLES.includes(name) || String(name).startsWith('STARTUP_');
    if (isManaged || taken.has(name)) {
      checks.fault({
        prop: `extraEnv[${index}]`,
        value: name,
        rule: isManaged
          ? 'an extra variable does not repeat a managed one, of which Kubernetes would silently take the last'
          : 'each variable is named once',
        fix: isManaged ? 'leave it out and use the prop that sets it (a store, workers, jobExecution, artifactTransfer, startupDeadline, upgradeSchema, staticPrefix, corsAllowedOrigins, xFrameOptions, logLevel, connectionPool, metrics, basicAuth)' : 'leave one of the two out',
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
