import { Duration } from 'cdk8s';
import { ContainerResources } from '../options/resources';
import { k8s } from '../../imports/k8s';

/** What is tried before a tracking server starts. */
export interface PreflightSettings {
  /**
   * How long a pod waits for stores that are not there yet before it fails and is started again. What waiting cannot
   * mend, such as a wrong key, fails at once.
   *
   * @default Duration.minutes(5)
   */
  readonly startupDeadline?: Duration;

  /**
   * Whether a database whose schema is older than this MLflow is upgraded. Without it the pod stops and says so, since there
   * is no way back but a backup: set it for one rollout, and remove it. In a `MlflowStack` a Job does it, after a backup
   * (`SchemaUpgrade`); a server by itself does it at its start, and takes none.
   *
   * @default false
   * @see https://mlflow.org/docs/latest/self-hosting/migration/
   */
  readonly upgradeSchema?: boolean;

  /**
   * How long an upgrade of the schema may take, with `upgradeSchema`. Neither the startup probe nor a pod that is asked to
   * stop cuts it off before.
   *
   * @default Duration.hours(1)
   */
  readonly upgradeDeadline?: Duration;
}

/** What is tried before a tracking server starts, and while it runs. */
export interface PreflightOptions extends PreflightSettings {
  /**
   * Whether both stores are tried before the server starts. Without it, MLflow starts at once, and the first request finds
   * out what does not work.
   *
   * @default true
   */
  readonly enabled?: boolean;

  /**
   * Whether a pod of its own tries both stores again and again while the server runs.
   *
   * @default true
   */
  readonly monitor?: boolean;

  /**
   * CPU and memory of that pod. A LimitRange of the namespace may ask for more than it needs.
   *
   * @default - 10m to 500m, 96 MiB to 192 MiB
   * @see https://kubernetes.io/docs/concepts/policy/limit-range/
   */
  readonly monitorResources?: ContainerResources;

  /**
   * Who may ask this pod for its metrics, where there are NetworkPolicies: they tell how the stores are. With `metrics` its
   * `scrapers` may anyway, and so may the kubelet.
   *
   * @default - nobody else
   * @see https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors
   */
  readonly monitorClients?: k8s.NetworkPolicyPeer[];
}
