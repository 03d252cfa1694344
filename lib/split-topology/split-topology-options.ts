import { AutoscalingOptions } from '../operations/autoscaling';
import { PodDisruptionBudgetOptions } from '../operations/disruption-budget';
import { ContainerResources } from '../options/resources';
import { Shape } from '../validation/prop-shape';

/**
 * Pods of their own for transfers of artifacts, behind the URI of the tracking server. `{}` is all of it with defaults.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/architecture/tracking-server/
 */
export interface SplitTopologyOptions {
  /**
   * Number of artifact servers.
   *
   * @default 2
   */
  readonly replicas?: number;

  /**
   * Number of artifact servers by their load, in place of `replicas`.
   *
   * @default - none
   */
  readonly autoscaling?: AutoscalingOptions;

  /**
   * How many artifact servers a drain of nodes leaves.
   *
   * @default - where there is more than one, one may be missing; else none
   */
  readonly podDisruptionBudget?: PodDisruptionBudgetOptions;

  /**
   * CPU and memory of an artifact server.
   *
   * @default - those of the tracking server, without what job runners take
   */
  readonly resources?: ContainerResources;

  /**
   * Image of nginx, of version 1.22 or later.
   *
   * @default Images.NGINX
   */
  readonly routerImage?: string;

  /**
   * CPU and memory of the router, which stands before the server in each of its pods.
   *
   * @default - 50m to 1 core, 32 MiB to 128 MiB
   */
  readonly routerResources?: ContainerResources;
}

export const SPLIT_TOPOLOGY: Shape<SplitTopologyOptions> = { replicas: 'value', autoscaling: {}, podDisruptionBudget: {}, resources: {}, routerImage: 'value', routerResources: {} };
