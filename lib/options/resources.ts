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

/**
 * Sizes of a tracking server with one worker, to pass as `resources`. Measured: MLflow without load takes about 360 MiB for the
 * first worker, and 300 MiB for each further one.
 */
export class ResourcePresets {
  /** A team of a few: 250m to 1 core, 512 MiB to 1 GiB. */
  public static readonly SMALL: ContainerResources = { cpuRequest: '250m', cpuLimit: '1', memoryRequest: Size.mebibytes(512), memoryLimit: Size.gibibytes(1) };

  /** Up to two workers: 500m to 2 cores, 1 GiB to 2 GiB. */
  public static readonly MEDIUM: ContainerResources = { cpuRequest: '500m', cpuLimit: '2', memoryRequest: Size.gibibytes(1), memoryLimit: Size.gibibytes(2) };

  /** Up to four workers, or `jobExecution` with some jobs at a time: 1 to 4 cores, 2 GiB to 4 GiB. */
  public static readonly LARGE: ContainerResources = { cpuRequest: '1', cpuLimit: '4', memoryRequest: Size.gibibytes(2), memoryLimit: Size.gibibytes(4) };
}
