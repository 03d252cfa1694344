import { Construct } from 'constructs';
import { PodDisruptionBudget } from '../kube/objects';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { k8s } from '../../imports/k8s';

/**
 * How many pods a drain of nodes leaves. A pod that is not ready may always be taken.
 *
 * @see https://kubernetes.io/docs/tasks/run-application/configure-pdb/
 */
export interface PodDisruptionBudgetOptions {
  /**
   * How many pods stay. Not together with `maxUnavailable`.
   *
   * @default - see `maxUnavailable`
   */
  readonly minAvailable?: number;

  /**
   * How many pods may be missing.
   *
   * @default 1
   */
  readonly maxUnavailable?: number;
}

const SHAPE: Shape<PodDisruptionBudgetOptions> = { minAvailable: 'value', maxUnavailable: 'value' };

/** The PodDisruptionBudget of pods. `replicas` is the smallest number of them, and `replicasProp` the prop that says so. */
export function disruptionBudget(
  scope: Construct,
  checks: PropChecks,
  given: PodDisruptionBudgetOptions,
  pods: { readonly metadata: k8s.ObjectMeta; readonly podLabels: { [key: string]: string }; readonly replicas: number; readonly replicasProp: string },
): k8s.KubePodDisruptionBudget {
  const { minAvailable, maxUnavailable } = checks.props(given, SHAPE, 'podDisruptionBudget.');
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    checks.fault({
      prop: 'podDisruptionBudget.minAvailable',
      value: minAvailable,
      rule: `a budget has one of the two, and podDisruptionBudget.maxUnavailable = ${maxUnavailable} is given as well (https://kubernetes.io/docs/tasks/run-application/configure-pdb/)`,
      fix: 'leave one of them out',
    });
  }
  if (minAvailable !== undefined) {
    checks.count('podDisruptionBudget.minAvailable', minAvailable, 'the number of pods');
    if (minAvailable >= pods.replicas) {
      checks.fault({
        prop: 'podDisruptionBudget.minAvailable',
        value: minAvailable,
        rule: `it is below ${pods.replicasProp} = ${pods.replicas}: with no pod to spare, no node can be drained`,
        fix: `lower podDisruptionBudget.minAvailable, or raise ${pods.replicasProp}`,
      });
    }
  } else {
    checks.count('podDisruptionBudget.maxUnavailable', maxUnavailable ?? 1, 'the number of pods');
  }
  const amount = (value: number) => k8s.IntOrString.fromNumber(value);
  return new PodDisruptionBudget(scope, 'DisruptionBudget', {
    metadata: pods.metadata,
    spec: {
      ...(minAvailable === undefined ? { maxUnavailable: amount(maxUnavailable ?? 1) } : { minAvailable: amount(minAvailable) }),
      selector: { matchLabels: pods.podLabels },
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
    },
  });
}
