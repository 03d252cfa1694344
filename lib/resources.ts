import { Size } from 'cdk8s';

/**
 * CPU and memory of one container. A field that is left out keeps the default of the part it belongs to.
 *
 * @see https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/
 */
export interface ContainerResources {
  /**
   * CPU that the scheduler reserves, as a Kubernetes quantity: `250m` is a quarter of a core.
   *
   * @default - the default of the part
   */
  readonly cpuRequest?: string;

  /**
   * CPU that the container may use at most, as a Kubernetes quantity: `2` is two cores.
   *
   * @default - the default of the part
   */
  readonly cpuLimit?: string;

  /**
   * Memory that the scheduler reserves.
   *
   * @default - the default of the part
   */
  readonly memoryRequest?: Size;

  /**
   * Memory above which the container is killed.
   *
   * @default - the default of the part
   */
  readonly memoryLimit?: Size;
}
