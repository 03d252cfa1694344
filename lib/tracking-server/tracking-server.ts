import { Duration, Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import { AllowedHosts } from './allowed-hosts';
import { checkConnections, countConnections } from './connection-pool';
import { addExtraArgs, addExtraEnv } from './extras';
import { applyMission, applyOrigins, applyStores } from './mission';
import { applyModelCatalog } from './model-catalog';
import { Layer, ServerProcess } from './process';
import { rejectFixedReplicas } from './scaling';
import { FurtherPods, ITrackingServer } from './server';
import { ServerPod } from './server-pod';
import { ServiceShape, serviceSpec } from './service';
import { SETTINGS, applySettings, checkedPrefix } from './settings';
import { IStartupScript, StartupScript, usableScript } from './startup-script';
import { storeClients } from './store-clients';
import { checkIdentity, checkStores, egressTo, usableArtifactStore, usableBackendStore, variables } from './stores';
import { TRACKING_SERVER, TrackingServerProps } from './tracking-server-props';
import { ArtifactRoutes, RouteBackend } from '../access/route-target';
import { IArtifactStore } from '../artifact-store/artifact-store';
import { IBackendStore } from '../backend-store/backend-store';
import { addFeatures } from '../features/features';
import { warnOfBudgets } from '../features/gateway-budgets';
import { JOBS, JobExecution } from '../features/job-execution';
import { Guard, wantedGuard } from '../guard/guard';
import { Cluster } from '../kube/cluster';
import { Connections } from '../kube/connections';
import { ImageSource } from '../kube/image-source';
import { Part, labels, selectorLabels, workloadLabels } from '../kube/labels';
import { networkPolicyOptions, podPolicy } from '../kube/network';
import { Deployment, Service } from '../kube/objects';
import { PodSettings } from '../kube/pod-settings';
import { Images } from '../options/images';
import { Preflight, wantedPreflight, wantsMonitor } from '../preflight/preflight';
import { StoreMonitor } from '../preflight/store-monitor';
import { ArtifactTransfer } from '../proxied-artifacts/artifact-transfer';
import { transferDirectly } from '../proxied-artifacts/direct-transfer';
import { ProxiedArtifacts } from '../proxied-artifacts/proxied-artifacts';
import { ICredentials } from '../secrets/credentials';
import { ServerSecrets } from '../server-secrets/server-secrets';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { rejectTakenNames } from '../validation/unique-names';
import { k8s } from '../../imports/k8s';

/** Longest name: the names that begin with it still have to be within 63 characters. */
const MAX_NAME = 63 - '-secrets-0123456789'.length;

/**
 * MLflow tracking server that hands artifacts through (`--serve-artifacts`): clients know its URI and nothing else.
 *
 * What it can do besides comes from add-ons, such as `Metrics` or `Oauth2Proxy`, which use the methods below, as an add-on
 * in your own repository can. Each passes itself as the owner, so that a message can name who set something.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/architecture/tracking-server/
 */
export class TrackingServer extends Construct implements ITrackingServer {
  public readonly name: string;
  public readonly namespace: string;
  public readonly port: number;
  public readonly staticPrefix: string;
  public readonly host: string;
  public readonly trackingUri: string;
  public readonly options: TrackingServerProps;
  public readonly backendStore: IBackendStore;
  public readonly artifactStore: IArtifactStore;

  /** The script that starts the server. */
  public readonly startupScript: IStartupScript;

  /** What keeps clients off the artifact store, where `artifactTransfer` is `PROXIED`. */
  public readonly proxiedArtifacts?: ProxiedArtifacts;

  /** What is tried before the server starts, unless `preflight.enabled` is false. */
  public readonly preflight?: Preflight;

  /** What refuses requests before MLflow sees them, unless `guard.enabled` is false. */
  public readonly guard?: Guard;

  /** The pod that tries both stores again and again, unless `preflight.monitor` is false. */
  public readonly monitor?: StoreMonitor;

  /** The secrets with which the server encrypts what users store in its database. */
  public readonly secrets: ServerSecrets;

  public readonly deployment: k8s.KubeDeployment;
  public readonly service: k8s.KubeService;

  /** Service `<name>-server`, a second name for the same pods. */
  public readonly serverService: k8s.KubeService;

  public readonly labels: { [key: string]: string };
  public readonly podLabels: { [key: string]: string };
  public readonly connections: Connections;

  /** NetworkPolicy of the server, where `networkPolicy.enabled` is true. */
  public readonly networkPolicy?: k8s.KubeNetworkPolicy;

  private readonly backend: RouteBackend;
  private artifactRoutes?: ArtifactRoutes;
  private readonly furtherPods: FurtherPods[] = [];
  private readonly process: ServerProcess;
  private readonly hosts: AllowedHosts;
  private readonly pod: ServerPod;
  private readonly fixedReplicas: number;
  private readonly jobs: JobExecution;
  private scaledTo?: { readonly minReplicas: number; readonly maxReplicas: number };
  private loginCredentials?: ICredentials;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the two stores, and the options of the server
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: TrackingServerProps) {
    super(place(scope, id), id);
    this.node.addValidation({ validate: () => this.checkWhole(checks) });
    const checks = new PropChecks(this);
    props = checks.props(props, TRACKING_SERVER);
    this.options = props;
    this.backendStore = usableBackendStore(checks, props.backendStore);
    this.artifactStore = usableArtifactStore(checks, props.artifactStore);
    this.name = checks.name('name', props.name ?? 'mlflow', MAX_NAME);
    this.namespace = checks.namespace(this, props.namespace);
    this.port = checks.port('port', props.port ?? 5000);
    checkStores(checks, this.namespace, this.backendStore, this.artifactStore);

    const images = new ImageSource(checks, props.images);
    const image = images.of('image', props.image ?? Images.MLFLOW);
    const part: Part = { name: 'mlflow', instance: this.name, component: 'tracking-server', image };
    this.labels = labels(part);
    this.podLabels = selectorLabels(part);
    const cluster = new Cluster(checks, props.cluster);
    const settings = checks.props(props.settings ?? {}, SETTINGS, 'settings.');
    this.staticPrefix = checkedPrefix(checks, settings.staticPrefix);
    const services = [`${this.name}-service`, `${this.name}-server`];
    this.host = cluster.host(services[0], this.namespace);
    this.trackingUri = `http://${this.host}:${this.port}${this.staticPrefix}`;
    this.backend = { name: this.name, namespace: this.namespace, labels: this.labels, serviceName: services[0], port: this.port, path: this.staticPrefix === '' ? '/' : this.staticPrefix };
    this.hosts = new AllowedHosts(checks, settings, { services, namespace: this.namespace, domain: cluster.domain, port: this.port });
    this.fixedReplicas = checks.count('replicas', props.replicas ?? 1, 'the number of replicas');
    this.startupScript = usableScript(checks, props.startupScript, this.namespace) ?? new StartupScript(this, 'StartupScript', { name: `${this.name}-startup-script`, namespace: this.namespace, labels: this.labels });
    this.process = new ServerProcess(this);
    const stores = { artifactStore: this.artifactStore, backendStore: this.backendStore };
    applyMission(this.process, { ...stores, hosts: this.hosts, port: () => this.pod.processPort, address: cluster.anyAddress });
    this.jobs = new JobExecution(checks, settings.jobExecution, { host: cluster.anyAddress, staticPrefix: this.staticPrefix, guarded: props.guard?.enabled !== false, image });
    const pool = applySettings(checks, this.process, settings, props.workers ?? 1, this.jobs);
    applyOrigins(this.process, this.hosts);
    applyModelCatalog(checks, this.process, settings.modelCatalogUri, () => this.networkPolicy && this.connections._rules, props.extraEnv);
    applyStores(checks, this.process, stores);
    this.pod = new ServerPod(checks, {
      ...{ image, images, resources: props.resources, scratchSize: props.scratchSize, port: this.port },
      settings: new PodSettings(checks, props.pod, images),
      scratchVolume: props.scratchVolume,
      platform: cluster.platform,
      process: this.process,
      script: this.startupScript,
      jobs: this.jobs,
      healthPath: `${this.staticPrefix}/health`,
      envFrom: props.envFrom && checks.members('envFrom', props.envFrom, {}, 'sources', '{ secretRef: { name: "model-provider" } }'),
      labels: workloadLabels(part),
      podLabels: this.podLabels,
    });
    for (const [prop, { volumes, volumeMounts }] of Object.entries(stores)) this.pod.addVolumes(`the prop ${prop}`, volumes, volumeMounts);
    const clients = storeClients(checks, props.storeClients, this.process, this.pod);

    // a port that is none is told by its prop, and not by each policy that lets through to it
    this.connections = new Connections({ podLabels: this.podLabels, ports: [Number.isInteger(this.port) ? this.port : 5000] });
    for (const store of [this.backendStore, this.artifactStore]) store.connections?.allowFromPods(this.podLabels);
    const network = networkPolicyOptions(checks, props.networkPolicy);
    if (network?.clients) this.connections.allowFrom(...network.clients);
    this.connections.allowTo(...egressTo(this.artifactStore, this.backendStore, clients), ...(network?.egress ?? []));

    const metadata = { name: this.name, namespace: this.namespace, labels: this.labels };
    this.deployment = new Deployment(this, 'Deployment', {
      metadata: { ...metadata, labels: workloadLabels(part) },
      spec: {
        replicas: Lazy.any({ produce: () => (this.scaledTo === undefined ? this.fixedReplicas : undefined) }) as number,
        progressDeadlineSeconds: Lazy.any({ produce: () => this.pod.progressDeadline }) as number,
        selector: { matchLabels: this.podLabels },
        strategy: Lazy.any({ produce: () => this.jobs.strategy }) as k8s.DeploymentStrategy,
        template: Lazy.any({ produce: () => this.pod.template(this.minReplicas > 1) }) as k8s.PodTemplateSpec,
      },
    });
    this.node.defaultChild = this.deployment;
    rejectTakenNames(this, 'name', 'give each tracking server of the namespace, or each stack, its own name');

    const service = (serviceId: string, name: string, { annotations, spec }: ServiceShape) =>
      new Service(this, serviceId, { metadata: { ...metadata, name, annotations }, spec: { ...spec, selector: this.podLabels } });
    this.service = service('Service', services[0], serviceSpec(checks, props.service, this.port));
    this.serverService = service('ServerService', services[1], serviceSpec(checks, undefined, this.port));
    if (network !== undefined) this.networkPolicy = podPolicy(this, 'NetworkPolicy', { ...metadata, connections: this.connections });

    const transfer = checks.oneOf('artifactTransfer', props.artifactTransfer ?? ArtifactTransfer.PROXIED, Object.values(ArtifactTransfer), 'artifactTransfer');
    if (transfer === ArtifactTransfer.DIRECT) transferDirectly(checks, this, cluster.domain);
    if (transfer === ArtifactTransfer.PROXIED) this.proxiedArtifacts = new ProxiedArtifacts(this, 'ProxiedArtifacts', { server: this });
    const preflight = wantedPreflight(checks, props.preflight);
    if (preflight !== undefined) this.preflight = new Preflight(this, 'Preflight', { ...preflight, server: this });
    addFeatures(checks, this, props);
    if (wantsMonitor(checks, props.preflight)) this.monitor = new StoreMonitor(this, 'Monitor', { server: this, clients: props.preflight?.monitorClients });

    countConnections(props.backendStore, pool, { pods: () => this.maxReplicas, workers: props.workers ?? 1, process: this.process, monitored: this.monitor !== undefined });

    const guard = wantedGuard(checks, props.guard);
    if (guard !== undefined) this.guard = new Guard(this, 'Guard', { ...guard, server: this });
    this.secrets = new ServerSecrets(this, 'Secrets', { ...props.secrets, server: this });

    const { extraArgs = [], extraEnv = [] } = props;
    checks.members('extraArgs', extraArgs, 'string', 'flags', '"--uvicorn-opts=--timeout-keep-alive=120"');
    addExtraArgs(checks, this.process, extraArgs);
    variables(checks, 'extraEnv', extraEnv);
    addExtraEnv(checks, this.process, extraEnv);
  }

  public get minReplicas(): number {
    return this.scaledTo?.minReplicas ?? this.fixedReplicas;
  }

  public get routeBackend(): RouteBackend {
    return { ...this.backend, artifactRoutes: this.artifactRoutes };
  }

  public get allowsAllHosts(): boolean {
    return this.hosts.all;
  }

  public get podSpec(): k8s.PodSpec {
    return this.pod.template(false).spec!;
  }

  public get environment(): k8s.EnvVar[] {
    return this.process.env;
  }

  public get clientCredentials(): ICredentials | undefined {
    return this.loginCredentials;
  }

  public get serviceAccountName(): string | undefined {
    return this.pod.serviceAccountName;
  }

  public addFlag(owner: Construct, flag: string): void {
    this.process.argument(Layer.ADD_ONS, owner, flag);
  }

  public addVariable(owner: Construct, variable: k8s.EnvVar): void {
    this.process.variable(Layer.ADD_ONS, owner, variable.name, () => variable);
  }

  public addVolume(owner: Construct, volume: k8s.Volume, ...mounts: k8s.VolumeMount[]): void {
    this.pod.addVolume(owner, volume, mounts);
  }

  public addSidecar(owner: Construct, container: k8s.Container): void {
    this.pod.addSidecar(owner, container);
  }

  public addFront(owner: Construct, container: k8s.Container, ...volumes: k8s.Volume[]): number {
    this.pod.addFront(owner, container, volumes);
    return this.pod.processPort;
  }

  public addPods(owner: Construct, pods: FurtherPods): k8s.PodTemplateSpec {
    const without = { name: JOBS, value: 'false' };
    const template = () => this.pod.template(pods.maxReplicas > 1, further);
    owner.node.addValidation({ validate: () => (template(), []) });
    const further = { ...pods, variables: [without, ...(pods.variables ?? [])], checks: new PropChecks(owner) };
    this.furtherPods.push(further);
    return Lazy.any({ produce: template }) as k8s.PodTemplateSpec;
  }

  public addArtifactRoutes(owner: Construct, serviceName: string, paths: string[]): void {
    if (this.pod.take('addArtifactRoutes', owner, 'routes of artifacts', 'one construct has them')) this.artifactRoutes = { serviceName, paths };
  }

  public addPodAnnotation(owner: Construct, name: string, value: string): void {
    this.pod.addAnnotation(owner, name, value);
  }

  public addAllowedHost(host: string): void {
    this.hosts.addClient(host);
  }

  public addRoute(route: Construct, hosts: string[]): void {
    this.hosts.addRoute(route, hosts);
  }

  public allowFrom(...peers: k8s.NetworkPolicyPeer[]): void {
    this.connections.allowFrom(...peers);
  }

  public allowTo(...rules: k8s.NetworkPolicyEgressRule[]): void {
    this.connections.allowTo(...rules);
  }

  public allowStartup(duration: Duration): void {
    this.pod.allowStartup(Math.ceil(duration.toSeconds({ integral: false })));
  }

  public allowTermination(duration: Duration): void {
    this.pod.allowTermination(Math.ceil(duration.toSeconds({ integral: false })));
  }

  public scaleBy(owner: Construct, minReplicas: number, maxReplicas?: number): void {
    rejectFixedReplicas(owner, this, this.options.replicas);
    if (this.pod.take('scaleBy', owner, 'number of pods', 'one add-on sets it')) this.scaledTo = { minReplicas, maxReplicas: maxReplicas ?? minReplicas };
  }

  public runJobs(owner: Construct, what: string): void {
    this.jobs.want(owner, what);
  }

  public runAs(owner: Construct, serviceAccountName: string): void {
    if (this.pod.take('runAs', owner, 'ServiceAccount', 'a pod has one (https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/)')) this.pod.serviceAccountName = serviceAccountName;
  }

  public addLogin(owner: Construct, credentials?: ICredentials): boolean {
    const first = this.pod.take('addLogin', owner, 'login', 'a server has one login: clients would have to pass both of them, and send one header for it');
    if (first) this.loginCredentials = credentials;
    return first;
  }

  /** The most pods, as connections to the database are counted: another Deployment replaces one of its own at a time, too. */
  private get maxReplicas(): number {
    return this.furtherPods.reduce((sum, { maxReplicas }) => sum + maxReplicas + 1, this.scaledTo?.maxReplicas ?? this.fixedReplicas);
  }

  /** What add-ons bring is checked when all of it is there. */
  private checkWhole(checks: PropChecks): string[] {
    this.pod.template(true);
    checkIdentity(checks, this);
    this.jobs.check({ replicas: this.fixedReplicas, scaled: this.scaledTo !== undefined });
    warnOfBudgets(this, this.options.gateway ?? {}, this.scaledTo?.maxReplicas ?? this.fixedReplicas, this.options.workers ?? 1);
    checkConnections(checks, this.options.backendStore, this.backendStore.maxConnections);
    return [];
  }
}
