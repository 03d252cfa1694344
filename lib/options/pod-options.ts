import { Duration } from 'cdk8s';
import { ContainerResources } from './resources';
import { k8s } from '../../imports/k8s';

/**
 * How the pods of a workload are spread over the cluster. Which pods are counted, the construct says itself.
 *
 * @see https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
 */
export interface TopologySpread {
  /**
   * Label of nodes that makes the domains, such as `topology.kubernetes.io/zone` or `kubernetes.io/hostname`.
   */
  readonly topologyKey: string;

  /**
   * By how many pods two domains may differ.
   *
   * @default 1
   */
  readonly maxSkew?: number;

  /**
   * Whether a pod that would break the rule waits. Otherwise the scheduler does what it can.
   *
   * @default false
   */
  readonly required?: boolean;
}

/** Where the pods of a construct run, and what they have besides what the construct gives them. */
export interface PodOptions {
  /**
   * Further labels of the pods.
   *
   * @default - none
   */
  readonly labels?: { [key: string]: string };

  /**
   * Further annotations of the pods.
   *
   * @default - none
   */
  readonly annotations?: { [key: string]: string };

  /**
   * Labels that a node has to have.
   *
   * @default - any node
   * @see https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#nodeselector
   */
  readonly nodeSelector?: { [key: string]: string };

  /**
   * Taints of nodes that the pods stand.
   *
   * @default - none
   * @see https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
   */
  readonly tolerations?: k8s.Toleration[];

  /**
   * Rules for the choice of nodes. For the spread of replicas see `topologySpread`, which needs no selector.
   *
   * @default - where there is more than one pod, they run on different nodes if they can
   * @see https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#affinity-and-anti-affinity
   */
  readonly affinity?: k8s.Affinity;

  /**
   * How the replicas of a workload are spread.
   *
   * @default - as the scheduler does by itself
   * @see https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
   */
  readonly topologySpread?: TopologySpread[];

  /**
   * Priority class of the pods.
   *
   * @default - the default class of the cluster
   * @see https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/
   */
  readonly priorityClassName?: string;

  /**
   * Further volumes of the pods of the server.
   *
   * @default - none
   */
  readonly volumes?: k8s.Volume[];

  /**
   * Further mounts of the container of the server.
   *
   * @default - none
   */
  readonly volumeMounts?: k8s.VolumeMount[];

  /**
   * Containers that run before the server starts. A security context that one does not have is that of this library,
   * which passes the Pod Security Standard `restricted`.
   *
   * @default - none
   */
  readonly initContainers?: k8s.Container[];

  /**
   * Containers beside the server. A security context that one does not have is that of this library, which passes the
   * Pod Security Standard `restricted`.
   *
   * @default - none
   */
  readonly sidecars?: k8s.Container[];

  /**
   * CPU and memory of each container of the Jobs that fill Secrets and make users and buckets. A LimitRange of the namespace may ask
   * for more than they need.
   *
   * @default - 50m to 500m, 64 MiB to 256 MiB
   * @see https://kubernetes.io/docs/concepts/policy/limit-range/
   */
  readonly bootstrapResources?: ContainerResources;

  /**
   * How long a pod that is asked to stop may take to finish what it does, the transfers in flight for example.
   *
   * @default - 4 minutes for the tracking server, 2 minutes for PostgreSQL, 1 minute for MinIO, 30 seconds for others
   * @see https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
   */
  readonly terminationGracePeriod?: Duration;
}
