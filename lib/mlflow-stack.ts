import { ApiObject, Chart, JsonPatch } from 'cdk8s';
import { Construct, IConstruct } from 'constructs';
import { HttpRouteOptions, ServerHttpRoute } from './access/http-route';
import { IngressOptions, ServerIngress } from './access/ingress';
import { RouteOptions, isHost, routeUri } from './access/route';
import { IRouteTarget } from './access/route-target';
import { IArtifactStore } from './artifact-store/artifact-store';
import { Minio } from './artifact-store/minio';
import { IBackendStore } from './backend-store/backend-store';
import { Postgres } from './backend-store/postgres';
import { putBehind } from './kube/chart-order';
import { Cluster } from './kube/cluster';
import { ImageSource } from './kube/image-source';
import { mergeCluster, mergeImages, mergePod } from './kube/merge';
import { Namespace } from './kube/objects';
import { PodSettings } from './kube/pod-settings';
import { programsOf } from './kube/programs-chart';
import { Login } from './login/login';
import { Metrics, MetricsOptions } from './monitoring/metrics';
import { Autoscaling, AutoscalingOptions } from './operations/autoscaling';
import { DisruptionBudget, PodDisruptionBudgetOptions } from './operations/disruption-budget';
import { GarbageCollection, GarbageCollectionOptions } from './operations/garbage-collection';
import { ServerServiceAccount, ServiceAccountOptions } from './operations/service-account';
import { ClusterOptions } from './options/cluster-options';
import { ImageOptions } from './options/image-options';
import { PodOptions } from './options/pod-options';
import { IStartupScript } from './tracking-server/startup-script';
import { TrackingServer } from './tracking-server/tracking-server';
import { TrackingServerOptions } from './tracking-server/tracking-server-props';
import { place } from './validation/place';
import { PropChecks } from './validation/prop-checks';
import { Shape } from './validation/prop-shape';
import { rejectTakenNames } from './validation/unique-names';
import { k8s } from '../imports/k8s';

const DEFAULT_NAME = 'mlflow';
/** Longest name: that of a store, `<name>-postgres`, has at most 42 characters. */
const MAX_NAME = 33;

/** Props of `MlflowStack`. */
export interface MlflowStackProps {
  /**
   * Name of the stack. With the default the objects have the well-known names: `mlflow`, `mlflow-service`,
   * `mlflow-server`, `postgres`, `minio`, `mlflow-startup-script`. With another, all of them begin with it, so that
   * several stacks fit into one namespace.
   *
   * @default "mlflow"
   */
  readonly name?: string;

  /**
   * Namespace of all objects.
   *
   * @default - the namespace of the chart, else "mlflow"
   */
  readonly namespace?: string;

  /**
   * Whether the stack makes its Namespace, which enforces the Pod Security Standard `restricted`. Pass false where
   * the namespace exists or belongs to somebody else.
   *
   * @default true
   * @see https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
   */
  readonly createNamespace?: boolean;

  /**
   * Where experiments, runs and the model registry are kept.
   *
   * @default - a new `Postgres`
   */
  readonly backendStore?: IBackendStore;

  /**
   * Where artifacts are kept.
   *
   * @default - a new `Minio`
   */
  readonly artifactStore?: IArtifactStore;

  /**
   * The script that starts the tracking server.
   *
   * @default - a new `StartupScript`
   */
  readonly startupScript?: IStartupScript;

  /**
   * Options of the tracking server.
   *
   * @default - those of `TrackingServer`
   */
  readonly trackingServer?: TrackingServerOptions;

  /**
   * Where the images of all parts that the stack makes come from.
   *
   * @default - each from its own registry
   */
  readonly images?: ImageOptions;

  /**
   * Where the pods of all parts that the stack makes run, their labels and annotations. `trackingServer.pod` goes over it, field
   * by field.
   *
   * @default - any node
   */
  readonly pod?: PodOptions;

  /**
   * What all parts that the stack makes have to know of the cluster.
   *
   * @default - domain "cluster.local", IPv4
   */
  readonly cluster?: ClusterOptions;

  /**
   * Who may use the stack: `Login.basicAuth()` or `Login.oidc({…})`.
   *
   * @default - everybody who reaches it may do everything
   */
  readonly login?: Login;

  /**
   * Ingress with the web UI and the API.
   *
   * @default - none
   */
  readonly ingress?: IngressOptions;

  /**
   * HTTPRoute of the Gateway API with the web UI and the API.
   *
   * @default - none
   */
  readonly httpRoute?: HttpRouteOptions;

  /**
   * Metrics for Prometheus, with alerts and a dashboard.
   *
   * @default - none; those of the monitor of the stores are there all the same
   */
  readonly metrics?: MetricsOptions;

  /**
   * CronJob that removes for good what users have deleted, with its artifacts.
   *
   * @default - none
   */
  readonly garbageCollection?: GarbageCollectionOptions;

  /**
   * Number of pods of the tracking server by their load, in place of `trackingServer.replicas`.
   *
   * @default - none
   */
  readonly autoscaling?: AutoscalingOptions;

  /**
   * How many pods of the tracking server a drain of nodes leaves.
   *
   * @default - where there is more than one pod, one may be missing; else none
   */
  readonly podDisruptionBudget?: PodDisruptionBudgetOptions;

  /**
   * ServiceAccount of the pods of the tracking server, for stores that know them by it.
   *
   * @default - that of the namespace, whose token is not mounted
   */
  readonly serviceAccount?: ServiceAccountOptions;

  /**
   * Whether all parts that the stack makes have NetworkPolicies, which choose pods of the stack only: each pod is reached by,
   * and reaches, what it has to, name resolution included. The tracking server is open to all clients, unless
   * `trackingServer.networkPolicy.clients` names them.
   *
   * @default true
   * @see https://kubernetes.io/docs/concepts/services-networking/network-policies/
   */
  readonly networkPolicies?: boolean;
}

const SHAPE: Shape<MlflowStackProps> = {
  name: 'value',
  namespace: 'value',
  createNamespace: 'value',
  backendStore: {},
  artifactStore: {},
  startupScript: {},
  trackingServer: {},
  images: {},
  pod: {},
  networkPolicies: 'value',
  cluster: {},
  login: {},
  ingress: {},
  httpRoute: {},
  metrics: {},
  garbageCollection: {},
  autoscaling: {},
  podDisruptionBudget: {},
  serviceAccount: {},
};

/**
 * MLflow on Kubernetes, complete: a tracking server with proxied artifacts, PostgreSQL as backend store and MinIO as
 * artifact store. Every part can be replaced by passing another.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/architecture/tracking-server/
 */
export class MlflowStack extends Construct {
  /** Namespace of all objects. */
  public readonly namespace: string;

  /** The Namespace, where the stack makes it. */
  public readonly namespaceObject?: k8s.KubeNamespace;

  /** Where experiments, runs and the model registry are kept. */
  public readonly backendStore: IBackendStore;

  /** Where artifacts are kept. */
  public readonly artifactStore: IArtifactStore;

  /** The database of the backend store, where the stack makes it. */
  public readonly postgres?: Postgres;

  /** The object store of the artifact store, where the stack makes it. */
  public readonly minio?: Minio;

  /** The tracking server. */
  public readonly trackingServer: TrackingServer;

  /** URI for clients in the cluster: what they pass to `mlflow.set_tracking_uri`. */
  public readonly trackingUri: string;

  /** URI for clients outside of the cluster, where `ingress` or `httpRoute` gives them one. */
  public readonly externalUri?: string;

  /** What the login has made, a `BasicAuth` or an `Oauth2Proxy`, where `login` asks for one. */
  public readonly login?: IConstruct;

  /** The Ingress, where `ingress` asks for one. */
  public readonly ingress?: ServerIngress;

  /** The HTTPRoute, where `httpRoute` asks for one. */
  public readonly httpRoute?: ServerHttpRoute;

  /** What Prometheus and Grafana need, where `metrics` asks for it. */
  public readonly metrics?: Metrics;

  /** The clean-up, where `garbageCollection` asks for it. */
  public readonly garbageCollection?: GarbageCollection;

  /** The number of pods by their load, where `autoscaling` asks for it. */
  public readonly autoscaling?: Autoscaling;

  /** How many pods a drain leaves, where there is more than one or `podDisruptionBudget` asks for it. */
  public readonly disruptionBudget?: DisruptionBudget;

  /** The ServiceAccount, where `serviceAccount` asks for it. */
  public readonly serviceAccount?: ServerServiceAccount;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props where the stack goes, its parts and their options
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: MlflowStackProps = {}) {
    super(place(scope, id), id);
    const checks = new PropChecks(this);
    props = checks.props(props, SHAPE);
    const name = checks.name('name', props.name ?? DEFAULT_NAME, MAX_NAME);
    const namespace = checks.namespace(this, props.namespace);
    const storeName = (store: string) => (name === DEFAULT_NAME ? store : `${name}-${store}`);
    this.namespace = namespace;

    if (checks.flag('createNamespace', props.createNamespace ?? true)) this.namespaceObject = this.makeNamespace(namespace, props);
    const networkPolicies = checks.flag('networkPolicies', props.networkPolicies ?? true);
    const networkPolicy = networkPolicies ? undefined : { enabled: false };
    const { images, cluster } = props;
    const pod = checkedPod(checks, props.pod);
    // what is wrong in them is told once, here, and not by each part
    new PodSettings(checks, pod, new ImageSource(checks, images));
    new Cluster(checks, cluster);
    const common = { instance: name, namespace, images, pod, networkPolicy, cluster };
    if (props.backendStore === undefined) this.postgres = new Postgres(this, 'BackendStore', { name: storeName('postgres'), ...common });
    if (props.artifactStore === undefined) this.minio = new Minio(this, 'ArtifactStore', { name: storeName('minio'), ...common });
    this.backendStore = props.backendStore ?? this.postgres!;
    this.artifactStore = props.artifactStore ?? this.minio!;
    for (const prop of ['name', 'namespace', 'backendStore', 'artifactStore', 'startupScript']) {
      if ((props.trackingServer as { [prop: string]: unknown } | undefined)?.[prop] !== undefined) {
        checks.fault({ prop: `trackingServer.${prop}`, value: '(not used)', rule: 'the stack gives its own to the tracking server', fix: `pass ${prop} to MlflowStack itself` });
      }
    }
    if (!networkPolicies && props.trackingServer?.networkPolicy !== undefined) {
      checks.fault({
        prop: 'trackingServer.networkPolicy',
        value: props.trackingServer.networkPolicy,
        hidden: true,
        rule: 'with networkPolicies = false there are none',
        fix: 'leave trackingServer.networkPolicy out, or networkPolicies',
      });
    }
    const options = props.trackingServer;
    const server = new TrackingServer(this, 'TrackingServer', {
      ...options,
      images: mergeImages(images, options?.images),
      pod: mergePod(pod, options?.pod),
      networkPolicy: options?.networkPolicy ?? networkPolicy,
      cluster: mergeCluster(cluster, options?.cluster),
      name,
      namespace,
      backendStore: this.backendStore,
      artifactStore: this.artifactStore,
      startupScript: props.startupScript,
    });
    this.trackingServer = server;
    this.trackingUri = server.trackingUri;
    this.node.defaultChild = server;

    const { login, ingress, httpRoute, metrics, garbageCollection, autoscaling, podDisruptionBudget, serviceAccount } = props;
    const target = login === undefined ? server : this.bindLogin(checks, login, [ingress, httpRoute]);
    this.login = this.node.tryFindChild('Login');
    if (ingress) this.ingress = new ServerIngress(this, 'Ingress', { ...ingress, target });
    if (httpRoute) this.httpRoute = new ServerHttpRoute(this, 'HttpRoute', { ...httpRoute, target });
    this.externalUri = this.ingress?.uri ?? this.httpRoute?.uri;
    if (metrics) this.metrics = new Metrics(this, 'Metrics', { ...metrics, server });
    if (garbageCollection) this.garbageCollection = new GarbageCollection(this, 'GarbageCollection', { ...garbageCollection, server });
    if (autoscaling) this.autoscaling = new Autoscaling(this, 'Autoscaling', { ...autoscaling, server });
    if (podDisruptionBudget || server.minReplicas > 1) this.disruptionBudget = new DisruptionBudget(this, 'DisruptionBudget', { ...podDisruptionBudget, server });
    if (serviceAccount) this.serviceAccount = new ServerServiceAccount(this, 'ServiceAccount', { ...serviceAccount, server });
  }

  /**
   * The Namespace comes first: before what stands in the chart already, before its programs, and before parts in other charts. It
   * stands beside the stack, so that something which the user puts before the stack can still come behind it.
   */
  private makeNamespace(name: string, { backendStore, artifactStore, startupScript }: MlflowStackProps): k8s.KubeNamespace {
    const chart = Chart.of(this);
    const programs = programsOf(this);
    const place = programs ?? chart;
    const before = place.node.findAll().filter((construct) => ApiObject.isApiObject(construct));
    const path = this.node.path.slice(programs === undefined ? chart.node.path.length + 1 : 0);
    const namespace = new Namespace(place, `${path}/Namespace`, {
      metadata: {
        name,
        labels: {
          'app.kubernetes.io/part-of': 'mlflow',
          'app.kubernetes.io/managed-by': 'cdk8s',
          'pod-security.kubernetes.io/enforce': 'restricted',
        },
      },
    });
    // cdk8s gives the namespace of the chart to every object, and a Namespace is in none
    if (chart.namespace !== undefined) namespace.addJsonPatch(JsonPatch.remove('/metadata/namespace'));
    rejectTakenNames(namespace, 'createNamespace', 'let one stack of the namespace make it, and pass createNamespace: false to the others');
    for (const object of before) object.node.addDependency(namespace);
    if (programs === undefined) this.node.addDependency(namespace);
    const elsewhere = [backendStore, artifactStore, startupScript].filter((part) => Construct.isConstruct(part)).filter((part) => Chart.of(part) !== chart);
    for (const part of elsewhere) putBehind(part, namespace);
    // where cdk8s numbers the files, names do not order them
    if (programs !== undefined && elsewhere.length > 0) putBehind(this, namespace);
    return namespace;
  }

  private bindLogin(checks: PropChecks, login: Login, routes: (RouteOptions | undefined)[]): IRouteTarget {
    if (typeof login.bind !== 'function') {
      checks.fault({ prop: 'login', value: login, hidden: true, rule: 'it is a Login', fix: 'pass Login.basicAuth() or Login.oidc({ issuerUrl: …, clientCredentials: … })' });
      return this.trackingServer;
    }
    const { path } = this.trackingServer.routeBackend;
    const urls = routes.flatMap((route) => (Array.isArray(route?.hosts) ? (routeUri(route.hosts.filter(isHost), route.tls !== undefined, path) ?? []) : []));
    // where the hosts are wrong, their route tells, and the login need not
    const wrong = routes.some((route) => route !== undefined && !(Array.isArray(route.hosts) && route.hosts.length > 0 && route.hosts.every(isHost)));
    return login.bind(this, this.trackingServer, urls[0] ?? (wrong ? routeUri(['mlflow.example.com'], true, path) : undefined));
  }
}

/** The prop `pod` without what is for pods of one part, and not for those of all, which has no place in it. */
function checkedPod(checks: PropChecks, pod: PodOptions | undefined): PodOptions | undefined {
  const ofOnePart = ['volumes', 'volumeMounts', 'initContainers', 'sidecars'] as const;
  for (const prop of ofOnePart) {
    if (pod?.[prop] !== undefined) {
      checks.fault({ prop: `pod.${prop}`, value: pod[prop], hidden: true, rule: 'it is for the pods of one part, and not for those of all', fix: `pass trackingServer.pod.${prop}, or the pod of a store` });
    }
  }
  return pod && { ...pod, ...Object.fromEntries(ofOnePart.map((prop) => [prop, undefined])) };
}
