import { Construct } from 'constructs';
import { HorizontalPodAutoscaler } from '../kube/objects';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { k8s } from '../../imports/k8s';

/**
 * Number of pods by their load. The cluster needs a metrics server.
 *
 * @see https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
 */
export interface AutoscalingOptions {
  /**
   * Fewest pods.
   *
   * @default 2
   */
  readonly minReplicas?: number;

  /** Most pods. */
  readonly maxReplicas: number;

  /**
   * CPU, in percent of `resources.cpuRequest`, that the pods use on average.
   *
   * @default 80
   */
  readonly targetCpuPercent?: number;

  /**
   * Memory, in percent of `resources.memoryRequest`, that the pods use on average. MLflow gives little memory back, so that a
   * low value keeps pods for ever.
   *
   * @default - memory does not count
   */
  readonly targetMemoryPercent?: number;
}

const SHAPE: Shape<AutoscalingOptions> = { minReplicas: 'value', maxReplicas: 'value', targetCpuPercent: 'value', targetMemoryPercent: 'value' };

/** The HorizontalPodAutoscaler of a Deployment. */
export function autoscaler(scope: Construct, checks: PropChecks, given: AutoscalingOptions, metadata: k8s.ObjectMeta): k8s.KubeHorizontalPodAutoscalerV2 {
  const options = checks.props(given, SHAPE, 'autoscaling.');
  const minReplicas = checks.count('autoscaling.minReplicas', options.minReplicas ?? 2, 'the number of pods');
  const maxReplicas = checks.count('autoscaling.maxReplicas', checks.required('autoscaling.maxReplicas', options.maxReplicas, Number.MAX_SAFE_INTEGER, 'the number of pods', '5'), 'the number of pods');
  if (maxReplicas < minReplicas) {
    checks.fault({ prop: 'autoscaling.maxReplicas', value: maxReplicas, rule: `it is not below autoscaling.minReplicas = ${minReplicas}`, fix: 'raise autoscaling.maxReplicas, or lower autoscaling.minReplicas' });
  }
  const targets = { cpu: options.targetCpuPercent ?? 80, memory: options.targetMemoryPercent };
  const props = { cpu: 'autoscaling.targetCpuPercent', memory: 'autoscaling.targetMemoryPercent' };
  const metrics = (['cpu', 'memory'] as const).flatMap((name) => {
    const averageUtilization = targets[name];
    if (averageUtilization === undefined) return [];
    checks.count(props[name], averageUtilization, 'the share, in percent,');
    return [{ type: 'Resource', resource: { name, target: { type: 'Utilization', averageUtilization } } }];
  });
  return new HorizontalPodAutoscaler(scope, 'Autoscaler', {
    metadata,
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: metadata.name! }, minReplicas, maxReplicas, metrics },
  });
}
