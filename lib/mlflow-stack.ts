import { ApiObject, Chart, JsonPatch } from 'cdk8s';
import { Construct } from 'constructs';
import { IArtifactStore } from './artifact-store/artifact-store';
import { Minio } from './artifact-store/minio';
import { IBackendStore } from './backend-store/backend-store';
import { Postgres } from './backend-store/postgres';
import { Namespace } from './common/objects';
import { place } from './common/place';
import { PropChecks } from './common/prop-checks';
import { Shape } from './common/prop-shape';
import { rejectTakenNames } from './common/unique-names';
import { IStartupScript } from './tracking-server/startup-script';
import { TrackingServer, TrackingServerOptions } from './tracking-server/tracking-server';
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
}

const SHAPE: Shape<MlflowStackProps> = {
  name: 'value',
  namespace: 'value',
  createNamespace: 'value',
  backendStore: {},
  artifactStore: {},
  startupScript: {},
  trackingServer: {},
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

    if (props.backendStore === undefined) this.postgres = new Postgres(this, 'BackendStore', { name: storeName('postgres'), instance: name, namespace });
    if (props.artifactStore === undefined) this.minio = new Minio(this, 'ArtifactStore', { name: storeName('minio'), instance: name, namespace });
    this.backendStore = props.backendStore ?? this.postgres!;
    this.artifactStore = props.artifactStore ?? this.minio!;
    for (const prop of ['name', 'namespace', 'backendStore', 'artifactStore', 'startupScript']) {
      if (prop in (props.trackingServer ?? {})) {
        checks.fault({ prop: `trackingServer.${prop}`, value: '(not used)', rule: 'the stack gives its own to the tracking server', fix: `pass ${prop} to MlflowStack itself` });
      }
    }
    this.trackingServer = new TrackingServer(this, 'TrackingServer', {
      ...props.trackingServer,
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
