import { Duration, Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import { AllowedHosts } from './allowed-hosts';
import { addExtraArgs, addExtraEnv } from './extras';
import { applyMission, applyOrigins, applyStores } from './mission';
import { Layer, ServerProcess } from './process';
import { ServerPod } from './server-pod';
import { ServiceShape, serviceSpec } from './service';
import { SETTINGS, applySettings, checkedPrefix } from './settings';
import { IStartupScript, StartupScript, usableScript } from './startup-script';
import { checkIdentity, checkStores, egressTo, usableArtifactStore, usableBackendStore, variables } from './stores';
import { TRACKING_SERVER, TrackingServerProps } from './tracking-server-props';
import { IRouteTarget, RouteBackend } from '../access/route-target';
import { IArtifactStore } from '../artifact-store/artifact-store';
import { IBackendStore } from '../backend-store/backend-store';
import { Cluster } from '../kube/cluster';
import { Connections } from '../kube/connections';
import { ImageSource } from '../kube/image-source';
import { Part, labels, selectorLabels, workloadLabels } from '../kube/labels';
import { networkPolicyOptions, podPolicy } from '../kube/network';
import { Deployment, Service } from '../kube/objects';
import { PodSettings } from '../kube/pod-settings';
import { Images } from '../options/images';
import { Preflight, wantedPreflight } from '../preflight/preflight';
import { StoreMonitor } from '../preflight/store-monitor';
import { ArtifactTransfer, checkEndpoint } from '../proxied-artifacts/artifact-transfer';
import { ProxiedArtifacts } from '../proxied-artifacts/proxied-artifacts';
import { ICredentials } from '../secrets/credentials';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { rejectTakenNames } from '../validation/unique-names';
import { k8s } from '../../imports/k8s';

const SCALED_TWICE = {
  rule: 'with autoscaling the number of pods is not fixed: each apply would set it back (https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#migrating-deployments-and-statefulsets-to-horizontal-autoscaling)',
  fix: 'leave replicas of the tracking server out and pass minReplicas here, or leave autoscaling out',
};
/** Longest name: the names that begin with it still have to be within 63 characters. */
const MAX_NAME = 63 - '-startup-script'.length;

/**
 * MLflow tracking server that hands artifacts through (`--serve-artifacts`): clients know its URI and nothing else.
 *
 * What it can do besides comes from add-ons, such as `Metrics` or `Oauth2Proxy`, which use the methods below, as an add-on
 * in your own repository can. Each passes itself as the owner, so that a message can name who set something.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/architecture/tracking-server/
 */
export class TrackingServer extends Construct implements IRouteTarget {
  /** Name of the Deployment, and beginning of the names of all other objects. */
  public readonly name: string;

  /** Namespace of all objects. */
  public readonly namespace: string;

  /** Port of the server and of its Services. */
  public readonly port: number;

  /** Path under which the server answers; empty where that is "/". */
  public readonly staticPrefix: string;

  /** Host name of the server, which resolves in the whole cluster. */
  public readonly host: string;

  /** URI for clients in the cluster: what they pass to `mlflow.set_tracking_uri`. */
  public readonly trackingUri: string;

  /** The props as they were given, whose defaults add-ons share: where pods run, where images come from, the cluster. */
  public readonly options: TrackingServerProps;

  /** Where experiments, runs and the model registry are kept. */
  public readonly backendStore: IBackendStore;

  /** Where artifacts are kept. */
  public readonly artifactStore: IArtifactStore;

  /** The script that starts the server. */
  public readonly startupScript: IStartupScript;

  /** What keeps clients off the artifact store, where `artifactTransfer` is `PROXIED`. */
  public readonly proxiedArtifacts?: ProxiedArtifacts;

  /** What is tried before the server starts, unless `preflight.enabled` is false. */
  public readonly preflight?: Preflight;

  /** The pod that tries both stores again and again, unless `preflight.monitor` is false. */
  public readonly monitor?: StoreMonitor;

  /** The server. */
  public readonly deployment: k8s.KubeDeployment;

  /** Service `<name>-service`. */
  public readonly service: k8s.KubeService;

  /** Service `<name>-server`, a second name for the same pods. */
  public readonly serverService: k8s.KubeService;

  /** Labels of the objects. */
  public readonly labels: { [key: string]: string };

  /** Labels that select the pods. */
  public readonly podLabels: { [key: string]: string };

  /** Who may connect to the pods, and to whom they connect. */
  public readonly connections: Connections;

  /** NetworkPolicy of the server, where `networkPolicy.enabled` is true. */
  public readonly networkPolicy?: k8s.KubeNetworkPolicy;

  public readonly routeBackend: RouteBackend;

  private readonly process: ServerProcess;
  private readonly hosts: AllowedHosts;
  private readonly pod: ServerPod;
  private readonly fixedReplicas: number;
  private scaledTo?: number;
  private loginCredentials?: ICredentials;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the two stores, and the options of the server
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: TrackingServerProps) {
    super(place(scope, id), id);
    // what add-ons bring is checked when all of it is there
    this.node.addValidation({ validate: () => (this.pod.template(true), checkIdentity(checks, this), []) });
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
    this.routeBackend = { name: this.name, namespace: this.namespace, labels: this.labels, serviceName: services[0], port: this.port, path: this.staticPrefix === '' ? '/' : this.staticPrefix };
    this.hosts = new AllowedHosts(checks, settings, { services, namespace: this.namespace, domain: cluster.domain, port: this.port });
    this.fixedReplicas = checks.count('replicas', props.replicas ?? 1, 'the number of replicas');
    this.startupScript = usableScript(checks, props.startupScript, this.namespace) ?? new StartupScript(this, 'StartupScript', { name: `${this.name}-startup-script`, namespace: this.namespace, labels: this.labels });
    this.process = new ServerProcess(this);
    const stores = { artifactStore: this.artifactStore, backendStore: this.backendStore };
    applyMission(this.process, { ...stores, hosts: this.hosts, port: this.port, address: cluster.anyAddress });
    applySettings(checks, this.process, settings, props.workers ?? 1);
    applyOrigins(this.process, this.hosts);
    applyStores(checks, this.process, stores);
    this.pod = new ServerPod(checks, {
      image,
      images,
      settings: new PodSettings(checks, props.pod, images),
      resources: props.resources,
      scratchSize: props.scratchSize,
      process: this.process,
      script: this.startupScript,
      port: this.port,
      healthPath: `${this.staticPrefix}/health`,
      envFrom: props.envFrom && checks.members('envFrom', props.envFrom, {}, 'sources', '{ secretRef: { name: "model-provider" } }'),
      labels: workloadLabels(part),
      podLabels: this.podLabels,
    });
    for (const [prop, { volumes, volumeMounts }] of Object.entries(stores)) this.pod.addVolumes(`the prop ${prop}`, volumes, volumeMounts);

    // a port that is none is told by its prop, and not by each policy that lets through to it
    this.connections = new Connections({ podLabels: this.podLabels, ports: [Number.isInteger(this.port) ? this.port : 5000] });
    for (const store of [this.backendStore, this.artifactStore]) store.connections?.allowFromPods(this.podLabels);
    const network = networkPolicyOptions(checks, props.networkPolicy);
    if (network?.clients) this.connections.allowFrom(...network.clients);
    this.connections.allowTo(...egressTo(this.artifactStore, this.backendStore), ...(network?.egress ?? []));

    const metadata = { name: this.name, namespace: this.namespace, labels: this.labels };
    this.deployment = new Deployment(this, 'Deployment', {
      metadata: { ...metadata, labels: workloadLabels(part) },
      spec: {
        replicas: Lazy.any({ produce: () => (this.scaledTo === undefined ? this.fixedReplicas : undefined) }) as number,
        progressDeadlineSeconds: Lazy.any({ produce: () => this.pod.progressDeadline }) as number,
        selector: { matchLabels: this.podLabels },
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: k8s.IntOrString.fromNumber(0), maxSurge: k8s.IntOrString.fromNumber(1) } },
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
    if (transfer === ArtifactTransfer.DIRECT) checkEndpoint(checks, this.artifactStore, cluster.domain);
    if (transfer === ArtifactTransfer.PROXIED) this.proxiedArtifacts = new ProxiedArtifacts(this, 'ProxiedArtifacts', { server: this });
    const preflight = wantedPreflight(checks, props.preflight);
    if (preflight !== undefined) this.preflight = new Preflight(this, 'Preflight', { ...preflight, server: this });
    if (checks.flag('preflight.monitor', props.preflight?.monitor ?? true)) this.monitor = new StoreMonitor(this, 'Monitor', { server: this });

    const { extraArgs = [], extraEnv = [] } = props;
    checks.members('extraArgs', extraArgs, 'string', 'flags', '"--uvicorn-opts=--timeout-keep-alive=120"');
    addExtraArgs(checks, this.process, extraArgs);
    variables(checks, 'extraEnv', extraEnv);
    addExtraEnv(checks, this.process, extraEnv);
  }

  /** Fewest pods that there are. */
  public get minReplicas(): number {
    return this.scaledTo ?? this.fixedReplicas;
  }

  /** Whether the server answers for every host, so that none has to be added. */
  public get allowsAllHosts(): boolean {
    return this.hosts.all;
  }

  /** The containers of a pod, with those that add-ons and users have added. */
  public get containers(): k8s.Container[] {
    return this.pod.template(false).spec!.containers;
  }

  /** The variables of the server, as they will stand in the pod. */
  public get environment(): k8s.EnvVar[] {
    return this.process.env;
  }

  /** Credentials with which parts of the stack log in to the server, where an add-on has set up a login. */
  public get clientCredentials(): ICredentials | undefined {
    return this.loginCredentials;
  }

  /** ServiceAccount of the pods, where an add-on has set one. */
  public get serviceAccountName(): string | undefined {
    return this.pod.serviceAccountName;
  }

  /**
   * Adds a flag of `mlflow server`. A flag that another owner has set, or the variable of the same meaning, is a fault.
   *
   * @param owner the construct that adds it
   * @param flag the flag, with its value, as one argument, such as `--app-name=basic-auth`
   * @throws at synth, where somebody else sets it
   */
  public addFlag(owner: Construct, flag: string): void {
    this.process.argument(Layer.ADD_ONS, owner, flag);
  }

  /**
   * Adds an environment variable of the server. One that another owner has set, or the flag of the same meaning, is a fault.
   *
   * @param owner the construct that adds it
   * @param variable the variable; its value may be a `Lazy`
   * @throws at synth, where somebody else sets it
   */
  public addVariable(owner: Construct, variable: k8s.EnvVar): void {
    this.process.variable(Layer.ADD_ONS, owner, variable.name, () => variable);
  }

  /**
   * Adds a volume to the pods, and mounts it into the container of the server.
   *
   * @param owner the construct that adds it
   * @param volume the volume
   * @param mounts where it is mounted
   * @throws at synth, where its name or one of the paths is taken
   */
  public addVolume(owner: Construct, volume: k8s.Volume, ...mounts: k8s.VolumeMount[]): void {
    this.pod.addVolume(owner, volume, mounts);
  }

  /**
   * Adds a container beside that of the server. An image, a pull policy and a security context that it does not have are
   * those of this library.
   *
   * @param owner the construct that adds it
   * @param container the container
   * @throws at synth, where its name is taken, or where it would break the Pod Security Standard `restricted`
   */
  public addSidecar(owner: Construct, container: k8s.Container): void {
    this.pod.addSidecar(owner, container);
  }

  /**
   * Adds an annotation of the pods, so that they are replaced when it changes: the checksum of a file that is mounted.
   *
   * @param owner the construct that adds it
   * @param name the name of the annotation, such as `checksum/login`
   * @param value its value
   * @throws at synth, where somebody else has set it
   */
  public addPodAnnotation(owner: Construct, name: string, value: string): void {
    this.pod.addAnnotation(owner, name, value);
  }

  /**
   * Lets the server answer for a host that programs ask for. Where it answers for all, this changes nothing.
   *
   * @param host the host with its port, as it stands in the header of a request
   */
  public addAllowedHost(host: string): void {
    this.hosts.addClient(host);
  }

  public addRoute(route: Construct, hosts: string[]): void {
    this.hosts.addRoute(route, hosts);
  }

  /**
   * Lets clients connect to the server; nobody else may then.
   *
   * @param peers who may connect
   */
  public allowFrom(...peers: k8s.NetworkPolicyPeer[]): void {
    this.connections.allowFrom(...peers);
  }

  /**
   * Lets the server connect to something.
   *
   * @param rules to whom, and at which ports
   */
  public allowTo(...rules: k8s.NetworkPolicyEgressRule[]): void {
    this.connections.allowTo(...rules);
  }

  /**
   * Gives a pod more time to start, before Kubernetes starts it again.
   *
   * @param duration the time that is added
   */
  public allowStartup(duration: Duration): void {
    this.pod.allowStartup(Math.ceil(duration.toSeconds({ integral: false })));
  }

  /**
   * Gives a pod that is asked to stop at least this time.
   *
   * @param duration the time
   */
  public allowTermination(duration: Duration): void {
    this.pod.allowTermination(Math.ceil(duration.toSeconds({ integral: false })));
  }

  /**
   * Leaves the number of pods to somebody else.
   *
   * @param owner the construct that sets it
   * @param minReplicas fewest pods that there will be
   * @throws at synth, where the prop `replicas` fixes it
   */
  public scaleBy(owner: Construct, minReplicas: number): void {
    if (this.options.replicas !== undefined) new PropChecks(owner).fault({ prop: 'server', value: `[${this.node.path}] with replicas = ${this.options.replicas}`, ...SCALED_TWICE });
    if (this.pod.take('scaleBy', owner, 'number of pods', 'one add-on sets it')) this.scaledTo = minReplicas;
  }

  /**
   * Gives the pods a ServiceAccount, by which a store may know them.
   *
   * @param owner the construct that does
   * @param serviceAccountName its name
   * @throws at synth, where somebody else has given them one
   */
  public runAs(owner: Construct, serviceAccountName: string): void {
    if (this.pod.take('runAs', owner, 'ServiceAccount', 'a pod has one (https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/)')) this.pod.serviceAccountName = serviceAccountName;
  }

  /**
   * Says that a construct decides who comes in, be it before the server or in it. A server has one such login.
   *
   * @param owner the construct that is the login
   * @param credentials the user with whom parts of the stack log in themselves, where they do not pass the login by
   * @returns whether it is the only one
   * @throws at synth, where there is another, whose name stands in the message
   */
  public addLogin(owner: Construct, credentials?: ICredentials): boolean {
    const first = this.pod.take('addLogin', owner, 'login', 'a server has one login: clients would have to pass both of them, and send one header for it');
    if (first) this.loginCredentials = credentials;
    return first;
  }
}
