import { Size } from 'cdk8s';
import { ClusterOptions } from '../options/cluster-options';
import { ImageOptions } from '../options/image-options';
import { NetworkPolicyOptions } from '../options/network-policy-options';
import { PodOptions } from '../options/pod-options';
import { ContainerResources } from '../options/resources';

/** Props that every store of this library has. */
export interface StoreOptions {
  /**
   * Namespace of all objects.
   *
   * @default - the namespace of the chart, else "mlflow"
   */
  readonly namespace?: string;

  /**
   * Size of the volume. A StatefulSet keeps its first value: Kubernetes refuses a change.
   *
   * @default Size.gibibytes(10)
   * @see https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#volume-claim-templates
   */
  readonly storageSize?: Size;

  /**
   * Storage class of the volume.
   *
   * @default - the default class of the cluster
   * @see https://kubernetes.io/docs/concepts/storage/storage-classes/
   */
  readonly storageClassName?: string;

  /**
   * CPU and memory of the server.
   *
   * @default - 100m to 1 core, 256 MiB to 1 GiB; of `Postgres` as much more as the connections of its tracking servers need
   */
  readonly resources?: ContainerResources;

  /**
   * Number of the values of the user that the tracking server has, where the cluster makes them up: raise it by one to rotate
   * them. The old user ends when no pod has it any more. Of other credentials say it there.
   *
   * @default 1
   */
  readonly credentialsGeneration?: number;

  /**
   * Number of the values of the administrator, where the cluster makes them up: raise it by one to rotate them. That of MinIO
   * restarts the server.
   *
   * @default 1
   */
  readonly administratorGeneration?: number;

  /**
   * Name of the application that the store belongs to, which goes into the label `app.kubernetes.io/instance`.
   * Stores of one kind in a namespace have one each, since their Services find their pods by it.
   *
   * @default - `name`
   */
  readonly instance?: string;

  /**
   * Image whose Python fills the generated Secrets.
   *
   * @default Images.MLFLOW
   */
  readonly bootstrapImage?: string;

  /**
   * Where the images come from.
   *
   * @default - each from its own registry
   */
  readonly images?: ImageOptions;

  /**
   * Where the pod runs, and what it has besides.
   *
   * @default - any node, nothing
   */
  readonly pod?: PodOptions;

  /**
   * NetworkPolicies of the store and of its bootstrap Job.
   *
   * @default - exactly the traffic of the store and of the tracking servers that use it
   */
  readonly networkPolicy?: NetworkPolicyOptions;

  /**
   * What the store has to know of the cluster.
   *
   * @default - the domain is "cluster.local", and pods have IPv4 addresses
   */
  readonly cluster?: ClusterOptions;
}
