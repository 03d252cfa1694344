import { k8s } from '../../imports/k8s';

/**
 * What every pod that connects to the stores of a tracking server needs for it, besides what the stores say themselves: the pods
 * of the server, its monitor, and the clean-up.
 */
export interface StoreClientOptions {
  /**
   * Environment variables, such as `PGOPTIONS` or `PGSSLCERT`.
   *
   * @default - none
   * @see https://www.postgresql.org/docs/current/libpq-envars.html
   */
  readonly environment?: k8s.EnvVar[];

  /**
   * Volumes, with the certificate of a client for example. They are mounted in several pods at a time: a Secret, a ConfigMap, or
   * what has a copy for each pod.
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
   * Containers that run beside the programs, such as the proxy of a managed database. They start before them and end behind them, so
   * that the pods of the clean-up end, too. A security context that one does not have is that of this library, which passes the Pod
   * Security Standard `restricted`.
   *
   * @default - none
   * @see https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/
   */
  readonly sidecars?: k8s.Container[];

  /**
   * What the NetworkPolicies of these pods let out, besides the connections that the stores need.
   *
   * @default - nothing
   */
  readonly egress?: k8s.NetworkPolicyEgressRule[];
}
