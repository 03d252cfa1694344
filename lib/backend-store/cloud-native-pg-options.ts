import { Duration, Size } from 'cdk8s';
import { ClusterOptions } from '../options/cluster-options';
import { ImageOptions } from '../options/image-options';
import { NetworkPolicyOptions } from '../options/network-policy-options';
import { PodOptions } from '../options/pod-options';
import { ContainerResources } from '../options/resources';
import { k8s } from '../../imports/k8s';

/**
 * Backups that the operator takes by a schedule: of one kind, so exactly one of `objectStoreName` and `volumeSnapshotClassName`.
 *
 * @see https://cloudnative-pg.io/documentation/current/backup/
 */
export interface CloudNativePgBackup {
  /**
   * When, as Kubernetes takes it for a CronJob, such as `0 3 * * *`; in the time zone of the operator, which is UTC.
   *
   * @see https://cloudnative-pg.io/documentation/current/backup/#scheduled-backups
   */
  readonly schedule: string;

  /**
   * Name of an `ObjectStore` of the Barman Cloud plugin, in the same namespace: base backups and the log go there, so that any
   * moment can be restored. How long they are kept is said in that object.
   *
   * @default - none
   * @see https://cloudnative-pg.io/plugin-barman-cloud/docs/usage/
   */
  readonly objectStoreName?: string;

  /**
   * Class of the snapshots of the volumes. Nobody removes old ones.
   *
   * @default - none
   * @see https://cloudnative-pg.io/documentation/current/appendixes/backup_volumesnapshot/
   */
  readonly volumeSnapshotClassName?: string;
}

/**
 * A PodMonitor, by which Prometheus finds the metrics of each instance.
 *
 * @see https://cloudnative-pg.io/documentation/current/monitoring/
 */
export interface CloudNativePgMonitoring {
  /**
   * Further labels of the PodMonitor, by which a Prometheus chooses what is for it, such as `release: kube-prometheus-stack`.
   *
   * @default - none
   */
  readonly labels?: { [key: string]: string };

  /**
   * How often they are asked.
   *
   * @default - as Prometheus is configured
   */
  readonly scrapeInterval?: Duration;

  /**
   * Pods of Prometheus, which the NetworkPolicy lets in.
   *
   * @default - pods with the label `app.kubernetes.io/name: prometheus`, in any namespace
   */
  readonly scrapers?: k8s.NetworkPolicyPeer[];
}

/** Props of `CloudNativePg`. */
export interface CloudNativePgProps {
  /**
   * Name of the `Cluster` of the operator, and beginning of the names of what the operator makes: Services `<name>-rw` and
   * `<name>-ro`, Secrets `<name>-app` and `<name>-ca`.
   *
   * @default "postgres"
   */
  readonly name?: string;

  /**
   * Namespace of all objects.
   *
   * @default - the namespace of the chart, else "mlflow"
   */
  readonly namespace?: string;

  /**
   * Name of the application that the store belongs to, which goes into the label `app.kubernetes.io/instance`.
   *
   * @default - `name`
   */
  readonly instance?: string;

  /**
   * Number of instances: one that is written to, and copies of it, of which one takes over when it is gone.
   *
   * @default 3
   * @see https://cloudnative-pg.io/documentation/current/replication/
   */
  readonly instances?: number;

  /**
   * How many copies have a write before it is acknowledged. With 0 the newest writes are lost where the first instance is lost.
   *
   * @default - 1 with three instances or more, otherwise 0: with two, no write would be taken while one of them is away
   * @see https://cloudnative-pg.io/documentation/current/replication/#synchronous-replication
   */
  readonly synchronousReplicas?: number;

  /**
   * Image of PostgreSQL: one made for the operator.
   *
   * @default Images.CLOUD_NATIVE_PG
   * @see https://cloudnative-pg.io/documentation/current/container_images/
   */
  readonly image?: string;

  /**
   * Where the image comes from.
   *
   * @default - its own registry
   */
  readonly images?: ImageOptions;

  /**
   * Name of the database.
   *
   * @default "mlflow"
   */
  readonly database?: string;

  /**
   * Name of its owner, with whom the tracking server logs in. The operator makes up the password, and rotates no password by itself.
   *
   * @default "mlflow"
   */
  readonly username?: string;

  /**
   * Size of the volume of each instance. It can be raised where the StorageClass allows it.
   *
   * @default Size.gibibytes(10)
   * @see https://cloudnative-pg.io/documentation/current/storage/#volume-expansion
   */
  readonly storageSize?: Size;

  /**
   * StorageClass of the volumes. The copies make a volume that is copied itself needless.
   *
   * @default - that of the cluster
   */
  readonly storageClassName?: string;

  /**
   * Size of a volume of its own for the log of each instance.
   *
   * @default - the log is on the volume of the data
   * @see https://cloudnative-pg.io/documentation/current/storage/#volume-for-wal
   */
  readonly walStorageSize?: Size;

  /**
   * CPU and memory of each instance.
   *
   * @default - 100m to 1 core, 256 MiB to 1 GiB, and as much more as the connections of the tracking servers need
   */
  readonly resources?: ContainerResources;

  /**
   * Connections that each instance takes (`max_connections`).
   *
   * @default - as many as its tracking servers open, 20 for others, and 100 at least
   */
  readonly maxConnections?: number;

  /**
   * Whether MLflow reads from the copies what it only reads. A copy lags behind, by milliseconds in general; MLflow does not fall back
   * to the first instance when no copy is there.
   *
   * @default false
   * @see https://mlflow.org/docs/latest/api_reference/cli.html#mlflow-server
   */
  readonly readReplica?: boolean;

  /**
   * Backups by a schedule.
   *
   * @default - none
   */
  readonly backup?: CloudNativePgBackup;

  /**
   * Metrics for Prometheus.
   *
   * @default - no PodMonitor
   */
  readonly monitoring?: CloudNativePgMonitoring;

  /**
   * Where the pods run, and their labels and annotations: `labels`, `annotations`, `nodeSelector`, `tolerations`, `topologySpread` and
   * `priorityClassName`. All else of the pods is the operator's.
   *
   * @default - on different nodes if they can
   */
  readonly pod?: PodOptions;

  /**
   * NetworkPolicies of the instances.
   *
   * @default - tracking servers, other instances and the operator come in; everything goes out, since nobody knows where backups are
   */
  readonly networkPolicy?: NetworkPolicyOptions;

  /**
   * Namespace of the operator, which has to reach the instances.
   *
   * @default "cnpg-system"
   * @see https://cloudnative-pg.io/documentation/current/networking/
   */
  readonly operatorNamespace?: string;

  /**
   * What the store has to know of the cluster.
   *
   * @default - the domain is "cluster.local", and pods have IPv4 addresses
   */
  readonly cluster?: ClusterOptions;
}
