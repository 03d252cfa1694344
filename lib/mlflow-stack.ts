import { ApiObject, Chart, JsonPatch } from 'cdk8s';
import { Construct } from 'constructs';
import { IArtifactStore } from './artifact-store/artifact-store';
import { Minio } from './artifact-store/minio';
import { IBackendStore } from './backend-store/backend-store';
import { Postgres } from './backend-store/postgres';
import { ImageSource } from './kube/image-source';
import { Namespace } from './kube/objects';
import { place } from './validation/place';
import { PodSettings } from './kube/pod-settings';
import { PropChecks } from './validation/prop-checks';
import { Shape } from './validation/prop-shape';
import { rejectTakenNames } from './validation/unique-names';
import { ImageOptions } from './options/image-options';
import { PodOptions } from './options/pod-options';
import { IStartupScript } from './tracking-server/startup-script';
import { TrackingServerOptions } from './tracking-server/options';
import { TrackingServer } from './tracking-server/tracking-server';
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
   * Where the pods of all parts that the stack makes run, their labels and annotations. `trackingServer.pod` is in place of
   * it for the tracking server.
   *
   * @default - any node
   */
  readonly pod?: PodOptions;

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

    if (checks.flag('createNamespace', props.createNamespace ?? true)) {
      // a store that is passed in stands before the stack, and its objects need the Namespace just as well
      const before = Chart.of(this).node.findAll().filter((construct) => ApiObject.isApiObject(construct));
      this.namespaceObject = new Namespace(this, 'Namespace', {
        metadata: {
          name: namespace,
          labels: {
            'app.kubernetes.io/part-of': 'mlflow',
            'app.kubernetes.io/managed-by': 'cdk8s',
            'pod-security.kubernetes.io/enforce': 'restricted',
          },
        },
      });
      // cdk8s gives the namespace of the chart to every object, and a Namespace is in none
      if (Chart.of(this).namespace !== undefined) this.namespaceObject.addJsonPatch(JsonPatch.remove('/metadata/namespace'));
      rejectTakenNames(this.namespaceObject, 'createNamespace', 'let one stack of the namespace make it, and pass createNamespace: false to the others');
      for (const object of before) object.node.addDependency(this.namespaceObject);
    }

    const networkPolicies = checks.flag('networkPolicies', props.networkPolicies ?? true);
    const networkPolicy = networkPolicies ? undefined : { enabled: false };
    const { images } = props;
    const pod = checkedPod(checks, props.pod);
    // what is wrong in them is told once, here, and not by each part
    new PodSettings(checks, pod, new ImageSource(checks, images));
    const common = { instance: name, namespace, images, pod, networkPolicy };
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
    this.trackingServer = new TrackingServer(this, 'TrackingServer', {
      ...options,
      images: options?.images ?? images,
      pod: options?.pod ?? pod,
      networkPolicy: options?.networkPolicy ?? networkPolicy,
      name,
      namespace,
      backendStore: this.backendStore,
      artifactStore: this.artifactStore,
      startupScript: props.startupScript,
    });
    this.trackingUri = this.trackingServer.trackingUri;
    this.node.defaultChild = this.trackingServer;
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
