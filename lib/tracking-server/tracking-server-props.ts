import { Size } from 'cdk8s';
import { ServiceOptions } from './service';
import { ServerSettings } from './settings';
import { IStartupScript } from './startup-script';
import { IArtifactStore } from '../artifact-store/artifact-store';
import { IBackendStore } from '../backend-store/backend-store';
import { FEATURES, FeatureOptions } from '../features/feature-options';
import { GuardOptions } from '../guard/guard-options';
import { ClusterOptions } from '../options/cluster-options';
import { ImageOptions } from '../options/image-options';
import { NetworkPolicyOptions } from '../options/network-policy-options';
import { PodOptions } from '../options/pod-options';
import { ContainerResources } from '../options/resources';
import { ScratchVolume } from '../options/scratch-volume';
import { StoreClientOptions } from '../options/store-client-options';
import { PreflightOptions } from '../preflight/preflight-options';
import { ArtifactTransfer } from '../proxied-artifacts/artifact-transfer';
import { ServerSecretsOptions } from '../server-secrets/server-secrets-options';
import { Shape } from '../validation/prop-shape';
import { k8s } from '../../imports/k8s';

/** Options of a tracking server that have nothing to do with where it stores things. */
export interface TrackingServerOptions extends FeatureOptions {
  /**
   * Image of MLflow, with boto3, psycopg and psycopg2 in it.
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
   * CPU and memory of a pod.
   *
   * @default - 250m to 2 cores, 512 MiB to 1 GiB
   */
  readonly resources?: ContainerResources;

  /**
   * Disk for files in transit, where they do not stream: MLflow spools what goes through the server with `ArtifactTransfer.DIRECT`,
   * and downloads of a version with which streaming was not tried.
   *
   * @default Size.gibibytes(10)
   * @see https://kubernetes.io/docs/concepts/storage/volumes/#emptydir
   */
  readonly scratchSize?: Size;

  /**
   * The kind of volume on which such files are. A folder of the node needs no storage class, and a pod that fills it is evicted; a
   * volume of its own makes one transfer fail.
   *
   * @default - ScratchVolume.emptyDir(); on GKE Autopilot, which has little of the disk of its nodes, ScratchVolume.ephemeral()
   */
  readonly scratchVolume?: ScratchVolume;

  /**
   * Settings of MLflow.
   *
   * @default - those of MLflow, but for the hosts, which are all
   */
  readonly settings?: ServerSettings;

  /**
   * How artifacts travel between clients and the artifact store.
   *
   * @default ArtifactTransfer.PROXIED
   */
  readonly artifactTransfer?: ArtifactTransfer;

  /**
   * What is tried before the server starts, and while it runs.
   *
   * @default - both stores are tried, and the schema of the database has to fit
   */
  readonly preflight?: PreflightOptions;

  /**
   * What is refused before MLflow sees it.
   *
   * @default - the assistant, large bodies, and artifacts at places that are not the server's own
   */
  readonly guard?: GuardOptions;

  /**
   * The secrets with which the server encrypts what users store in its database.
   *
   * @default - made up in the cluster, in Secret "<name>-server-secrets"
   */
  readonly secrets?: ServerSecretsOptions;

  /**
   * Type and annotations of Service `<name>-service`.
   *
   * @default - ClusterIP
   */
  readonly service?: ServiceOptions;

  /**
   * Further flags for `mlflow server`, behind all others.
   *
   * @default - none
   * @see https://mlflow.org/docs/latest/api_reference/cli.html#mlflow-server
   */
  readonly extraArgs?: string[];

  /**
   * Further environment variables of the server, behind all others. A secret comes from a Secret.
   *
   * @default - none
   * @see https://mlflow.org/docs/latest/api_reference/python_api/mlflow.environment_variables.html
   */
  readonly extraEnv?: k8s.EnvVar[];

  /**
   * What every pod that connects to the stores needs for it: the server, its monitor and the clean-up. The proxy of a managed
   * database, the certificate of a client, variables of a driver.
   *
   * @default - what the stores say themselves
   */
  readonly storeClients?: StoreClientOptions;

  /**
   * Sources of further environment variables of the server and the clean-up: whole ConfigMaps and Secrets. Any other variable
   * wins. What connects to the stores belongs to `storeClients`: the monitor has no such source, in which anything may be.
   *
   * @default - none
   * @see https://kubernetes.io/docs/tasks/configure-pod-container/configure-pod-configmap/#configure-all-key-value-pairs-in-a-configmap-as-container-environment-variables
   */
  readonly envFrom?: k8s.EnvFromSource[];

  /**
   * Where the images come from.
   *
   * @default - each from its own registry
   */
  readonly images?: ImageOptions;

  /**
   * Where the pods run, and what they have besides. Parts that belong to the server, such as its monitor, run there too.
   *
   * @default - any node, nothing
   */
  readonly pod?: PodOptions;

  /**
   * NetworkPolicies of the server and of what belongs to it.
   *
   * @default - everybody may connect to the server, which itself connects to its stores only
   */
  readonly networkPolicy?: NetworkPolicyOptions;

  /**
   * What the server has to know of the cluster.
   *
   * @default - domain "cluster.local", IPv4
   */
  readonly cluster?: ClusterOptions;
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

export const TRACKING_SERVER: Shape<TrackingServerProps> = {
  image: 'value',
  replicas: 'value',
  workers: 'value',
  port: 'value',
  resources: {},
  scratchSize: 'value',
  scratchVolume: {},
  settings: {},
  artifactTransfer: 'value',
  preflight: {},
  guard: {},
  secrets: {},
  service: {},
  extraArgs: 'list',
  extraEnv: 'list',
  storeClients: {},
  envFrom: 'list',
  images: {},
  pod: {},
  networkPolicy: {},
  cluster: {},
  ...FEATURES,
  backendStore: { environment: 'list' },
  artifactStore: { artifactsDestination: 'string', environment: 'list' },
  name: 'value',
  namespace: 'value',
  startupScript: { configMapName: 'string', namespace: 'string', key: 'string', mountPath: 'string', checksum: 'string' },
};
