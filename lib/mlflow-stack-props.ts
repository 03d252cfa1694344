import { HttpRouteOptions } from './access/http-route';
import { IngressOptions } from './access/ingress';
import { IArtifactStore } from './artifact-store/artifact-store';
import { IBackendStore } from './backend-store/backend-store';
import { BackupOptions } from './backup/backup-options';
import { Login } from './login/login';
import { MetricsOptions } from './monitoring/metrics';
import { AutoscalingOptions } from './operations/autoscaling';
import { PodDisruptionBudgetOptions } from './operations/disruption-budget';
import { GarbageCollectionOptions } from './operations/garbage-collection';
import { ServiceAccountOptions } from './operations/service-account';
import { ClusterOptions } from './options/cluster-options';
import { ImageOptions } from './options/image-options';
import { PodOptions } from './options/pod-options';
import { StackSize } from './options/stack-size';
import { SplitTopologyOptions } from './split-topology/split-topology-options';
import { StoreGenerations } from './store/store-generations';
import { IStartupScript } from './tracking-server/startup-script';
import { TrackingServerOptions } from './tracking-server/tracking-server-props';
import { SchemaUpgradeOptions } from './upgrade/schema-upgrade';

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
   * What the pods of the stores that the stack makes, of the tracking server and of the Jobs that fill Secrets ask for.
   * What is given to a part goes over it, field by field.
   *
   * @default StackSize.DEFAULT
   */
  readonly size?: StackSize;

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
   * Numbers of the generated credentials of the stores that the stack makes: raise one by one, and its values are rotated.
   *
   * @default - the first ones
   */
  readonly generations?: StoreGenerations;

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
   * CronJob that backs up database and artifacts to a bucket elsewhere, and tries each backup, with the way back.
   *
   * @default - none
   */
  readonly backup?: BackupOptions;

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
   * Pods of their own for transfers of artifacts, behind the same URI, with limits and a number of their own.
   *
   * @default - none: each pod of the tracking server does both
   */
  readonly splitTopology?: SplitTopologyOptions;

  /**
   * How the database is upgraded, where `trackingServer.preflight.upgradeSchema` asks for it: in a Job, after a backup.
   *
   * @default - a backup on a volume of 10 GiB, which stays
   * @see https://mlflow.org/docs/latest/self-hosting/migration/
   */
  readonly schemaUpgrade?: SchemaUpgradeOptions;

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
