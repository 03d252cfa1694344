import { Construct } from 'constructs';
import { STORE_RESOURCES, STORE_SIZE, StatefulStoreProps, checkSecretNamespaces, storeName, withoutSecrets } from './store';
import { Cluster } from '../kube/cluster';
import { Connections } from '../kube/connections';
import { ImageSource } from '../kube/image-source';
import { Part, labels, selectorLabels, workloadLabels } from '../kube/labels';
import { networkPolicyOptions, podPolicy } from '../kube/network';
import { ConfigMap, PodDisruptionBudget, Service, StatefulSet } from '../kube/objects';
import { CONTAINER_SECURITY, POD_SECURITY, containerResources, volumeClaim } from '../kube/pod';
import { PodSettings } from '../kube/pod-settings';
import { programPlace } from '../kube/programs-chart';
import { Images } from '../options/images';
import { ContainerResources } from '../options/resources';
import { BootstrapJob } from '../secrets/bootstrap-job';
import { Credentials, ICredentials } from '../secrets/credentials';
import { InPlaceCredentials } from '../secrets/in-place-credentials';
import { Script } from '../secrets/secret-job';
import { rejectSharedSecrets } from '../secrets/secret-users';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { rejectSharedSelector, rejectTakenNames } from '../validation/unique-names';
import { k8s } from '../../imports/k8s';

/** Volume of the data, which the container of the server mounts. */
export const VOLUME = 'data';

/** Volume of the scripts of the server, which its container mounts. */
export const SCRIPTS = 'scripts';

/** The Secret of a user of the server, where the props name none. */
export interface UserKind {
  /** Id of the construct. */
  readonly id: string;
  /** What follows the name of the store in that of the Secret. */
  readonly suffix: string;
  readonly username: string;
  readonly usernameKey?: string;
  readonly passwordKey?: string;
  /** Whether it keeps name and keys in all generations, and the script gives it another password: the server needs no restart then. */
  readonly inPlace?: boolean;
}

/** What all stores of one kind have. */
export interface StoreKind {
  /** All props of this kind. */
  readonly shape: Shape<StatefulStoreProps>;
  readonly name: string;
  readonly software: string;
  readonly component: string;
  readonly image: string;
  /** Port at which clients connect. */
  readonly port: number;
  /** Whether the Service that clients use has no address of its own, and governs the StatefulSet. */
  readonly headless: boolean;
  readonly user: UserKind;
  /** Who makes the user, and the prop that has its credentials. */
  readonly administrator: UserKind & { readonly prop: string };
}

/** What is known of a store when it describes its server. */
export interface StoreSetup<Props = StatefulStoreProps> {
  /** The construct itself, whose connections are there at synth. */
  readonly store: Construct & { readonly connections?: Connections };
  readonly checks: PropChecks;
  /** The props that have the right shape. */
  readonly props: Props;
  readonly name: string;
  readonly host: string;
  readonly user: ICredentials;
  readonly administrator: ICredentials;
  readonly storageSize: string;
}

/** What a store has of its own. */
export interface StoreServer {
  /** How many servers there are. They connect to each other where there is more than one. */
  readonly replicas?: number;
  /** The container, without what all containers have. */
  readonly container: k8s.Container;
  /** The limit of its memory where the props have none, which may be a `Lazy`. */
  readonly memoryLimit?: k8s.Quantity;
  /** CPU and memory where the props have none, and it is not that of all stores. */
  readonly resources?: Required<ContainerResources>;
  /** Scripts in the pod of the server. A change of them replaces no pod: the kubelet brings it to those that run. */
  readonly scripts?: { [file: string]: string };
  readonly volumes: k8s.Volume[];
  readonly terminationGracePeriodSeconds: number;
  readonly ports: k8s.ServicePort[];
  /** The script that makes the user of the tracking server, and what the user needs. */
  readonly script: Script;
  readonly scriptEnv: k8s.EnvVar[];
  readonly scriptVolumes?: k8s.Volume[];
  readonly scriptMounts?: k8s.VolumeMount[];
  /** URL of the store for clients that want one. */
  readonly storeUrl?: string;
}

/**
 * A store that is one server with a volume, and a Job that makes the user of the tracking server. jsii puts its fields into
 * the classes of the stores, which is why it has no type parameters: of a base with some, jsii would not find the base.
 *
 * @internal
 */
export abstract class StatefulStore extends Construct {
  /** Namespace of the Secret that `environment` refers to. The tracking server has to be in the same one. */
  public readonly secretNamespace?: string;

  /** What the NetworkPolicies of the pods which use the store let out: connections to the server. */
  public readonly egress?: k8s.NetworkPolicyEgressRule[];

  /** Who may connect to the server: the bootstrap Job, `networkPolicy.clients`, and whoever is let in here. */
  public readonly connections?: Connections;

  /** Names of the PersistentVolumeClaims, of which each server has one. */
  public readonly volumeClaims?: string[];

  /** Namespace of all objects. */
  public readonly namespace: string;

  /** User with whose name and password the tracking server works. */
  public readonly credentials: ICredentials;

  /** The server. */
  public readonly statefulSet: k8s.KubeStatefulSet;

  /** ConfigMap with the scripts in the pod of the server, where this kind of store has some. */
  public readonly scripts?: k8s.KubeConfigMap;

  /** Service that clients connect to. */
  public readonly service: k8s.KubeService;

  /**
   * Headless Service that governs the StatefulSet.
   *
   * @see https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id
   */
  public readonly headlessService: k8s.KubeService;

  /** Labels that select the pod of the server. */
  public readonly podLabels: { [key: string]: string };

  /**
   * Job that makes the user of the tracking server, and what the user needs. Its name ends with a fingerprint of its spec,
   * after all patches.
   */
  public readonly bootstrapJob: k8s.KubeJob;

  /** ServiceAccount of the bootstrap Job. */
  public readonly bootstrapServiceAccount: k8s.KubeServiceAccount;

  /** Role of the bootstrap Job: it may read, and where they are generated fill, the Secrets of this store. */
  public readonly bootstrapRole: k8s.KubeRole;

  /** RoleBinding of the bootstrap Job. */
  public readonly bootstrapRoleBinding: k8s.KubeRoleBinding;

  /** ConfigMap with the script of the bootstrap Job that this kind of store has. */
  public readonly bootstrapScripts: k8s.KubeConfigMap;

  /** ConfigMap with the script that fills Secrets. All Jobs of the same `instance` in the namespace share it. */
  public readonly fillSecretsScript: k8s.KubeConfigMap;

  /** NetworkPolicy of the server, where `networkPolicy.enabled` is true. */
  public readonly networkPolicy?: k8s.KubeNetworkPolicy;

  /** PodDisruptionBudget of the servers, where there are several: one may be missing. */
  public readonly disruptionBudget?: k8s.KubePodDisruptionBudget;

  /** NetworkPolicy of the bootstrap Job, where `networkPolicy.enabled` is true. */
  public readonly bootstrapNetworkPolicy?: k8s.KubeNetworkPolicy;

  protected constructor(scope: Construct, id: string, given: StatefulStoreProps, kind: StoreKind, describe: (setup: StoreSetup) => StoreServer) {
    super(place(scope, id), id);
    const checks = new PropChecks(this);
    const props = checks.props(withoutSecrets(checks, given, ['credentials', kind.administrator.prop]), kind.shape);
    const name = storeName(checks, props.name ?? kind.name);
    const images = new ImageSource(checks, props.images);
    const image = images.of('image', props.image ?? kind.image);
    const part: Part = {
      name: kind.software,
      instance: props.instance === undefined ? name : checks.labelValue('instance', props.instance),
      component: kind.component,
      image,
    };
    this.podLabels = selectorLabels(part);
    this.namespace = checks.namespace(this, props.namespace);
    const host = new Cluster(checks, props.cluster).nearHost(name, this.namespace);
    const storageSize = checks.size('storageSize', props.storageSize ?? STORE_SIZE);
    const storageClassName = checks.storageClassName(props.storageClassName);
    const metadata = { name, namespace: this.namespace, labels: labels(part) };
    const pod = new PodSettings(checks, props.pod, images);
    const network = networkPolicyOptions(checks, props.networkPolicy);
    const connections = new Connections({ podLabels: this.podLabels, ports: [kind.port], isolated: true });
    if (network?.clients !== undefined) connections.allowFrom(...network.clients);
    if (network !== undefined) connections.allowTo(...network.egress);
    this.connections = connections;
    this.egress = [connections.toThese];

    const users = props as { [prop: string]: ICredentials | undefined };
    const credentials = (prop: string, { id, suffix, inPlace, ...user }: UserKind, declared: 'credentialsGeneration' | 'administratorGeneration'): ICredentials => {
      const generation = props[declared] === undefined ? undefined : checks.count(declared, props[declared], 'the generation');
      if (users[prop] !== undefined && generation !== undefined) {
        checks.fault({ prop: declared, value: generation, rule: `it is for credentials that the store makes, and ${prop} has others`, fix: `leave it out, and pass generation to what makes ${prop}` });
      }
      const made = inPlace === true ? InPlaceCredentials : Credentials;
      return users[prop] ?? new made(this, id, { ...user, generation: Number.isInteger(generation) ? generation : undefined, secretName: `${name}-${suffix}`, namespace: this.namespace, labels: labels(part) });
    };
    const { prop, ...administratorKind } = kind.administrator;
    const administrator = credentials(prop, administratorKind, 'administratorGeneration');
    this.credentials = credentials('credentials', kind.user, 'credentialsGeneration');
    this.secretNamespace = this.credentials.namespace;
    checkSecretNamespaces(checks, this.namespace, { credentials: this.credentials, [prop]: administrator });
    rejectSharedSecrets(this, checks, name, { [prop]: administrator, credentials: this.credentials });

    const server = describe({ store: this, checks, props, name, host, user: this.credentials, administrator, storageSize });
    const replicas = server.replicas ?? 1;
    const resources = containerResources(checks, props.resources, server.resources ?? STORE_RESOURCES, '1Gi');
    const limits = server.memoryLimit === undefined ? resources.limits : { ...resources.limits, memory: server.memoryLimit };
    const selected = { selector: this.podLabels, ports: server.ports };
    const headless = { clusterIp: 'None', ...selected };
    this.service = new Service(this, 'Service', { metadata, spec: kind.headless ? headless : { type: 'ClusterIP', ...selected } });
    this.headlessService = kind.headless
      ? this.service
      : // a pod has its name from the start on, and not only while it is ready
        new Service(this, 'HeadlessService', { metadata: { ...metadata, name: `${name}-headless` }, spec: { ...headless, publishNotReadyAddresses: true } });

    if (server.scripts !== undefined) this.scripts = new ConfigMap(...programPlace(this, 'Scripts'), { metadata, data: server.scripts });
    const scripts = this.scripts === undefined ? [] : [{ name: SCRIPTS, configMap: { name: this.scripts.name } }];
    this.statefulSet = new StatefulSet(this, 'StatefulSet', {
      metadata: { ...metadata, labels: workloadLabels(part) },
      spec: {
        serviceName: this.headlessService.name,
        replicas,
        // with OrderedReady a pod that never gets ready, for a wrong image for example, would not be replaced when that is mended
        podManagementPolicy: 'Parallel',
        selector: { matchLabels: this.podLabels },
        template: {
          metadata: { labels: pod.labels(workloadLabels(part)), annotations: pod.annotations() },
          spec: pod.complete({
            ...pod.placement(this.podLabels, replicas > 1),
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            // a volume is as large as its data, and each start would go through all of it
            securityContext: { ...POD_SECURITY, fsGroupChangePolicy: 'OnRootMismatch' },
            terminationGracePeriodSeconds: server.terminationGracePeriodSeconds,
            containers: [
              {
                ...server.container,
                image,
                imagePullPolicy: images.pullPolicy,
                resources: { ...resources, limits },
                securityContext: CONTAINER_SECURITY,
                terminationMessagePolicy: 'FallbackToLogsOnError',
              },
            ],
            volumes: [...server.volumes, ...scripts],
          }),
        },
        volumeClaimTemplates: [volumeClaim(VOLUME, this.podLabels, storageSize, storageClassName)],
      },
    });
    this.volumeClaims = Array.from({ length: replicas }, (_, index) => `${VOLUME}-${name}-${index}`);
    if (replicas > 1) this.disruptionBudget = this.joined(metadata, connections);
    rejectTakenNames(this, 'name', 'give each store of the namespace, or each stack, its own name');
    rejectSharedSelector(this, name, this.namespace, this.podLabels);
    this.node.defaultChild = this.statefulSet;

    const bootstrap = new BootstrapJob(this, 'Bootstrap', {
      part,
      name,
      namespace: this.namespace,
      pythonImage: images.of('bootstrapImage', props.bootstrapImage ?? Images.MLFLOW),
      images,
      pod,
      egress: network && [connections.toThese, ...network.egress],
      admin: administrator,
      pods: Array.from({ length: replicas }, (_, index) => `${name}-${index}`),
      adminInPlace: kind.administrator.inPlace,
      user: this.credentials,
      toolImage: image,
      script: server.script,
      scriptEnv: server.scriptEnv,
      scriptVolumes: server.scriptVolumes,
      scriptMounts: server.scriptMounts,
      storeUrl: server.storeUrl,
    });
    this.bootstrapJob = bootstrap.job;
    this.bootstrapServiceAccount = bootstrap.serviceAccount;
    this.bootstrapRole = bootstrap.role;
    this.bootstrapRoleBinding = bootstrap.roleBinding;
    this.bootstrapScripts = bootstrap.scripts;
    this.fillSecretsScript = bootstrap.fillSecretsScript;
    this.bootstrapNetworkPolicy = bootstrap.networkPolicy;
    connections.allowFromPods(bootstrap.connections.podLabels);
    if (network !== undefined) this.networkPolicy = podPolicy(this, 'NetworkPolicy', { ...metadata, connections });
  }

  /** Several servers reach each other, and a drain of nodes takes one at a time. */
  private joined(metadata: k8s.ObjectMeta, connections: Connections): k8s.KubePodDisruptionBudget {
    connections.allowFromPods(this.podLabels);
    connections.allowTo(connections.toThese);
    return new PodDisruptionBudget(this, 'DisruptionBudget', {
      metadata,
      spec: { maxUnavailable: k8s.IntOrString.fromNumber(1), unhealthyPodEvictionPolicy: 'AlwaysAllow', selector: { matchLabels: this.podLabels } },
    });
  }
}
