import { Connections } from '../kube/connections';
import { k8s } from '../../imports/k8s';

/**
 * The database in which the tracking server keeps experiments, runs and the model registry.
 *
 * Implement it to use another database than `Postgres`.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/architecture/backend-store/
 */
export interface IBackendStore {
  /**
   * SQLAlchemy URI of the database, without user name and password: it stands in the arguments of a process.
   *
   * @default - `environment` has it, from a Secret, as MLFLOW_BACKEND_STORE_URI
   * @see https://docs.sqlalchemy.org/en/20/core/engines.html#database-urls
   */
  readonly uri?: string;

  /**
   * Environment that the database driver reads its credentials from, in the order in which it stands in the pod:
   * for PostgreSQL `PGUSER` and `PGPASSWORD`.
   *
   * @see https://www.postgresql.org/docs/current/libpq-envars.html
   */
  readonly environment: k8s.EnvVar[];

  /**
   * Namespace of the Secrets that `environment` refers to. The tracking server has to be in the same one.
   *
   * @default - no Secret is referred to
   */
  readonly secretNamespace?: string;

  /**
   * Volumes that the pods which use the store need, with a certificate of an authority for example.
   *
   * @default - none
   */
  readonly volumes?: k8s.Volume[];

  /**
   * Mounts of `volumes`.
   *
   * @default - none
   */
  readonly volumeMounts?: k8s.VolumeMount[];

  /**
   * What the NetworkPolicies of the pods which use the store let out.
   *
   * @default - everything, since nobody knows where the store is
   * @see https://kubernetes.io/docs/concepts/services-networking/network-policies/
   */
  readonly egress?: k8s.NetworkPolicyEgressRule[];

  /**
   * Who may connect to the pods of the store. The tracking server adds itself, by `allowFromPods`.
   *
   * @default - nobody has to be let in
   * @see https://kubernetes.io/docs/concepts/services-networking/network-policies/
   */
  readonly connections?: Connections;

  /**
   * Connections that the database takes, from all pods together. Servers that would open more are a fault.
   *
   * @default - nobody knows, and nothing is checked
   * @see https://www.postgresql.org/docs/current/runtime-config-connection.html
   */
  readonly maxConnections?: number;

  /**
   * Names of the PersistentVolumeClaims of the store, in the namespace of the tracking server. Metrics watch how full they are.
   *
   * @default - none
   * @see https://kubernetes.io/docs/concepts/storage/persistent-volumes/
   */
  readonly volumeClaims?: string[];
}
