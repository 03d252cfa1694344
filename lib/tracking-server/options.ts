import { Duration, Size } from 'cdk8s';
import { ArtifactTransfer } from '../proxied-artifacts/artifact-transfer';
import { AutoscalingOptions } from '../operations/autoscaling';
import { BasicAuthOptions } from '../login/basic-auth';
import { PodDisruptionBudgetOptions } from '../operations/disruption-budget';
import { GarbageCollectionOptions } from '../operations/garbage-collection';
import { HttpRouteOptions } from '../access/http-route';
import { IngressOptions } from '../access/ingress';
import { MetricsOptions } from '../monitoring/metrics';
import { OidcOptions } from '../login/oauth2-proxy';
import { ServiceAccountOptions } from '../operations/service-account';
import { ServiceOptions } from './service';
import { ImageOptions } from '../options/image-options';
import { NetworkPolicyOptions } from '../options/network-policy-options';
import { PodOptions } from '../options/pod-options';
import { ContainerResources } from '../options/resources';
import { k8s } from '../../imports/k8s';

/**
 * From which level on the server logs.
 *
 * @see https://mlflow.org/docs/latest/api_reference/python_api/mlflow.environment_variables.html#mlflow.environment_variables.MLFLOW_LOGGING_LEVEL
 */
export enum LogLevel {
  /** Everything, with what is of use to developers of MLflow only. */
  DEBUG = 'DEBUG',

  /** Each request, and what the server does. */
  INFO = 'INFO',

  /** What may go wrong, and no requests. */
  WARNING = 'WARNING',

  /** What went wrong. */
  ERROR = 'ERROR',
}

/**
 * Which pages may show the web UI in a frame.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/security/network/
 */
export enum XFrameOptions {
  /** Pages of the same origin. */
  SAMEORIGIN = 'SAMEORIGIN',

  /** No page. */
  DENY = 'DENY',

  /** Every page: the header is left out. */
  NONE = 'NONE',
}

/**
 * Connections of a server process to the database.
 *
 * @see https://docs.sqlalchemy.org/en/20/core/pooling.html
 */
export interface ConnectionPool {
  /**
   * Connections that each server process keeps open. All processes of all pods together stay below what the database allows.
   *
   * @default - 5, SQLAlchemy's own
   */
  readonly size?: number;

  /**
   * Further connections that a process may open for a while.
   *
   * @default - 10, SQLAlchemy's own
   */
  readonly maxOverflow?: number;

  /**
   * Age at which a connection is replaced: less than after which a firewall or a proxy drops it.
   *
   * @default - never
   */
  readonly recycle?: Duration;
}

/** Options of a tracking server that have nothing to do with where it stores things. */
export interface TrackingServerOptions {
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
   * Host names, as clients write them, for which the server answers. `*` is all; a name with a port is written
   * `name:*`. The list replaces MLflow's own, which does not have the names of the Services.
   *
   * @default ["*"]
   * @see https://mlflow.org/docs/latest/self-hosting/security/network/
   */
  readonly allowedHosts?: string[];

  /**
   * How artifacts travel between clients and the artifact store.
   *
   * @default ArtifactTransfer.PROXIED
   */
  readonly artifactTransfer?: ArtifactTransfer;

  /**
   * Whether the server runs the job runners behind MLflow's evaluation and optimisation of prompts. They take
   * about 1.5 GiB, so raise `resources` with it.
   *
   * @default false
   */
  readonly jobExecution?: boolean;

  /**
   * Whether a start upgrades a database whose schema is older than this MLflow. Without it the pod stops and says so,
   * since there is no way back: take a backup, set it for one rollout, and remove it.
   *
   * @default false
   * @see https://mlflow.org/docs/latest/self-hosting/migration/
   */
  readonly upgradeSchema?: boolean;

  /**
   * How long a pod waits for stores that are not there yet before it fails and is started again. What waiting cannot
   * mend, such as a wrong key, fails at once.
   *
   * @default Duration.minutes(5)
   */
  readonly startupDeadline?: Duration;

  /**
   * How long a pod that is asked to stop may take to finish the transfers in flight.
   *
   * @default Duration.minutes(2)
   * @see https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
   */
  readonly terminationGracePeriod?: Duration;

  /**
   * Disk for files in transit: MLflow spools each transfer, so it has to hold the files that travel at one time.
   *
   * @default Size.gibibytes(10)
   * @see https://kubernetes.io/docs/concepts/storage/volumes/#emptydir
   */
  readonly scratchSize?: Size;

  /**
   * CPU and memory of a pod.
   *
   * @default - 250m to 2 cores, 512 MiB to 1 GiB
   */
  readonly resources?: ContainerResources;

  /**
   * Further flags for `mlflow server`, behind the managed ones.
   *
   * @default - none
   * @see https://mlflow.org/docs/latest/api_reference/cli.html#mlflow-server
   */
  readonly extraArgs?: string[];

  /**
   * Further environment variables of the server, behind the managed ones.
   *
   * @default - none
   * @see https://mlflow.org/docs/latest/api_reference/python_api/mlflow.environment_variables.html
   */
  readonly extraEnv?: k8s.EnvVar[];

  /**
   * Sources of further environment variables of the server: whole ConfigMaps and Secrets. A managed variable wins.
   *
   * @default - none
   * @see https://kubernetes.io/docs/tasks/configure-pod-container/configure-pod-configmap/#configure-all-key-value-pairs-in-a-configmap-as-container-environment-variables
   */
  readonly envFrom?: k8s.EnvFromSource[];

  /**
   * Path under which the server answers, such as `/mlflow`: web UI, API, artifacts and health page, so that probes, routes
   * and `trackingUri` follow. Clients set `<host>/mlflow` as their tracking URI.
   *
   * @default - none: the server answers at "/"
   * @see https://mlflow.org/docs/latest/api_reference/cli.html#cmdoption-mlflow-server-static-prefix
   */
  readonly staticPrefix?: string;

  /**
   * Whether the server answers for the names of its Services and the hosts of `ingress` and `httpRoute` only, besides those in
   * `allowedHosts`. The web page of another site can then not use the browser of a user to talk to it (DNS rebinding).
   *
   * @default false
   * @see https://mlflow.org/docs/latest/self-hosting/security/network/
   */
  readonly deriveAllowedHosts?: boolean;

  /**
   * Origins of web pages of other sites that may call the API, such as `https://notebooks.example.com`. The server's own
   * pages, at the hosts of `ingress`, `httpRoute` and `allowedHosts`, may in any case.
   *
   * @default - none but those on the browser's own machine
   * @see https://mlflow.org/docs/latest/self-hosting/security/network/
   */
  readonly corsAllowedOrigins?: string[];

  /**
   * Which pages may show the web UI in a frame.
   *
   * @default XFrameOptions.SAMEORIGIN
   */
  readonly xFrameOptions?: XFrameOptions;

  /**
   * From which level on the server logs.
   *
   * @default LogLevel.INFO
   */
  readonly logLevel?: LogLevel;

  /**
   * Connections of each server process to the database.
   *
   * @default - those of SQLAlchemy
   */
  readonly connectionPool?: ConnectionPool;

  /**
   * Type and annotations of Service `<name>-service`.
   *
   * @default - ClusterIP
   */
  readonly service?: ServiceOptions;

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
   * Login with MLflow's own users and permissions.
   *
   * @default - none: who reaches the server may do everything
   */
  readonly basicAuth?: BasicAuthOptions;

  /**
   * Login with an OpenID Connect provider, by an oauth2-proxy before the server. Ingress and HTTPRoute lead to the proxy then.
   *
   * @default - none
   */
  readonly oidc?: OidcOptions;

  /**
   * Metrics for Prometheus, with alerts and a dashboard.
   *
   * @default - none; those of the monitor of the stores are always there
   */
  readonly metrics?: MetricsOptions;

  /**
   * CronJob that removes for good what users have deleted, with its artifacts.
   *
   * @default - none
   */
  readonly garbageCollection?: GarbageCollectionOptions;

  /**
   * Number of pods by their load, in place of `replicas`.
   *
   * @default - none
   */
  readonly autoscaling?: AutoscalingOptions;

  /**
   * How many pods a drain of nodes leaves.
   *
   * @default - where there is more than one pod, one may be missing; else none
   */
  readonly podDisruptionBudget?: PodDisruptionBudgetOptions;

  /**
   * ServiceAccount of the pods, for stores that know them by it.
   *
   * @default - that of the namespace, whose token is not mounted
   */
  readonly serviceAccount?: ServiceAccountOptions;

  /**
   * Where the images come from.
   *
   * @default - each from its own registry
   */
  readonly images?: ImageOptions;

  /**
   * Where the pods run, and what they have besides.
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
}
