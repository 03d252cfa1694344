import { Construct, IConstruct } from 'constructs';
import { ServerHttpRoute } from './access/http-route';
import { ServerIngress } from './access/ingress';
import { RouteOptions, isHost, routeUri } from './access/route';
import { IRouteTarget } from './access/route-target';
import { IArtifactStore } from './artifact-store/artifact-store';
import { Minio } from './artifact-store/minio';
import { IBackendStore } from './backend-store/backend-store';
import { Postgres } from './backend-store/postgres';
import { Backup } from './backup/backup';
import { Cluster } from './kube/cluster';
import { ImageSource } from './kube/image-source';
import { mergeCluster, mergeImages, mergePod, podOfAll } from './kube/merge';
import { PodSettings } from './kube/pod-settings';
import { Login } from './login/login';
import { Metrics } from './monitoring/metrics';
import { Autoscaling } from './operations/autoscaling';
import { DisruptionBudget } from './operations/disruption-budget';
import { GarbageCollection } from './operations/garbage-collection';
import { ServerServiceAccount } from './operations/service-account';
import { SplitTopology } from './split-topology/split-topology';
import { storeGenerations } from './store/store-generations';
import { MlflowStackProps } from './mlflow-stack-props';
import { makeNamespace } from './stack-namespace';
import { stackSize } from './stack-size';
import { TrackingServer } from './tracking-server/tracking-server';
import { SchemaUpgrade } from './upgrade/schema-upgrade';
import { place } from './validation/place';
import { PropChecks } from './validation/prop-checks';
import { Shape } from './validation/prop-shape';
import { k8s } from '../imports/k8s';

const DEFAULT_NAME = 'mlflow';
/** Longest name: that of a store, `<name>-postgres`, has at most 42 characters. */
const MAX_NAME = 33;

const SHAPE: Shape<MlflowStackProps> = {
  name: 'value',
  namespace: 'value',
  createNamespace: 'value',
  size: 'value',
  backendStore: {},
  artifactStore: {},
  generations: {},
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
  backup: {},
  autoscaling: {},
  podDisruptionBudget: {},
  splitTopology: {},
  schemaUpgrade: {},
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

  /** The backups, where `backup` asks for them. */
  public readonly backup?: Backup;

  /** The number of pods by their load, where `autoscaling` asks for it. */
  public readonly autoscaling?: Autoscaling;

  /** How many pods a drain leaves, where there is more than one or `podDisruptionBudget` asks for it. */
  public readonly disruptionBudget?: DisruptionBudget;

  /** The artifact servers, and what sends transfers to them, where `splitTopology` asks for it. */
  public readonly splitTopology?: SplitTopology;

  /** The upgrade of the schema, where `trackingServer.preflight.upgradeSchema` asks for it. */
  public readonly schemaUpgrade?: SchemaUpgrade;

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

    if (checks.flag('createNamespace', props.createNamespace ?? true)) this.namespaceObject = makeNamespace(this, namespace, [props.backendStore, props.artifactStore, props.startupScript]);
    const networkPolicies = checks.flag('networkPolicies', props.networkPolicies ?? true);
    const networkPolicy = networkPolicies ? undefined : { enabled: false };
    const { images, cluster } = props;
    const size = stackSize(checks, props.size);
    const pod = size.pod(podOfAll(checks, props.pod));
    // what is wrong in them is told once, here, and not by each part
    new PodSettings(checks, pod, new ImageSource(checks, images));
    new Cluster(checks, cluster);
    const common = { instance: name, namespace, images, pod, networkPolicy, cluster };
    const generations = storeGenerations(checks, props.generations, { backendStore: props.backendStore, artifactStore: props.artifactStore });
    if (props.backendStore === undefined) this.postgres = new Postgres(this, 'BackendStore', { name: storeName('postgres'), ...common, ...size.backendStore, ...generations.backendStore });
    if (props.artifactStore === undefined) this.minio = new Minio(this, 'ArtifactStore', { name: storeName('minio'), ...common, ...size.artifactStore, ...generations.artifactStore });
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
    const options = size.server(props.trackingServer);
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

    const { login, ingress, httpRoute, metrics, garbageCollection, backup, autoscaling, podDisruptionBudget, schemaUpgrade, serviceAccount, splitTopology } = props;
    const target = login === undefined ? server : this.bindLogin(checks, login, [ingress, httpRoute]);
    this.login = this.node.tryFindChild('Login');
    if (ingress) this.ingress = new ServerIngress(this, 'Ingress', { ...ingress, target });
    if (httpRoute) this.httpRoute = new ServerHttpRoute(this, 'HttpRoute', { ...httpRoute, target });
    this.externalUri = this.ingress?.uri ?? this.httpRoute?.uri;
    if (metrics) this.metrics = new Metrics(this, 'Metrics', { ...metrics, server });
    if (garbageCollection) this.garbageCollection = new GarbageCollection(this, 'GarbageCollection', { ...garbageCollection, server });
    if (backup) this.backup = new Backup(this, 'Backup', { ...backup, server });
    if (autoscaling) this.autoscaling = new Autoscaling(this, 'Autoscaling', { ...autoscaling, server });
    if (podDisruptionBudget || server.minReplicas > 1) this.disruptionBudget = new DisruptionBudget(this, 'DisruptionBudget', { ...podDisruptionBudget, server });
    const upgrades = options?.preflight?.upgradeSchema === true && options.preflight.enabled !== false;
    if (upgrades || schemaUpgrade) this.schemaUpgrade = new SchemaUpgrade(this, 'SchemaUpgrade', { ...schemaUpgrade, server });
    if (splitTopology) this.splitTopology = new SplitTopology(this, 'SplitTopology', { ...splitTopology, server });
    if (serviceAccount) this.serviceAccount = new ServerServiceAccount(this, 'ServiceAccount', { ...serviceAccount, server });
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
