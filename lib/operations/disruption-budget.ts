import { Construct } from 'constructs';
import { PodDisruptionBudget } from '../kube/objects';
import { ITrackingServer } from '../tracking-server/server';
import { ofServer } from '../tracking-server/add-on';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { rejectTakenNames } from '../validation/unique-names';
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

/** Props of `DisruptionBudget`. */
export interface DisruptionBudgetProps extends PodDisruptionBudgetOptions {
  /** The server of whose pods some stay. */
  readonly server: ITrackingServer;
}

const SHAPE: Shape<PodDisruptionBudgetOptions> = { minAvailable: 'value', maxUnavailable: 'value' };

/**
 * How many pods of a tracking server a drain of nodes leaves. A pod that is not ready may always be taken.
 *
 * @see https://kubernetes.io/docs/tasks/run-application/configure-pdb/
 */
export class DisruptionBudget extends Construct {
  /** The PodDisruptionBudget, which has the name of the server. */
  public readonly podDisruptionBudget: k8s.KubePodDisruptionBudget;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the server, and how many of its pods stay
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: DisruptionBudgetProps) {
    super(place(scope, id), id);
    const { server, ...given } = ofServer(this, props);
    // the number of pods is known when all of the server is there
    this.node.addValidation({ validate: () => (checkSpare(checks, given.minAvailable, server.minReplicas), []) });
    const checks = new PropChecks(this);
    const spec = budgetSpec(checks, checks.props(given, SHAPE));
    this.podDisruptionBudget = new PodDisruptionBudget(this, 'DisruptionBudget', {
      metadata: { name: server.name, namespace: server.namespace, labels: server.labels },
      spec: { ...spec, selector: { matchLabels: server.podLabels } },
    });
    rejectTakenNames(this, 'server', 'make one DisruptionBudget for each tracking server');
    this.node.defaultChild = this.podDisruptionBudget;
  }
}

/** The spec of a PodDisruptionBudget, but for its selector. */
export function budgetSpec(checks: PropChecks, { minAvailable, maxUnavailable }: PodDisruptionBudgetOptions, prefix = ''): k8s.PodDisruptionBudgetSpec {
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    checks.fault({
      prop: `${prefix}minAvailable`,
      value: minAvailable,
      rule: `a budget has one of the two, and maxUnavailable = ${maxUnavailable} is given as well (https://kubernetes.io/docs/tasks/run-application/configure-pdb/)`,
      fix: 'leave one of them out',
    });
  }
  const [prop, value] = minAvailable === undefined ? (['maxUnavailable', maxUnavailable ?? 1] as const) : (['minAvailable', minAvailable] as const);
  return { [prop]: k8s.IntOrString.fromNumber(checks.count(`${prefix}${prop}`, value, 'the number of pods')), unhealthyPodEvictionPolicy: 'AlwaysAllow' };
}

/** Faults where a budget leaves no pod to spare; `by` is what would raise their number. */
export function checkSpare(checks: PropChecks, minAvailable: number | undefined, replicas: number, prefix = '', by = 'replicas of the tracking server (with autoscaling: minReplicas)'): void {
  if (typeof minAvailable !== 'number' || minAvailable < replicas) return;
  checks.fault({
    prop: `${prefix}minAvailable`,
    value: minAvailable,
    rule: `it is below the number of pods, of which there may be ${replicas}: with no pod to spare, no node can be drained`,
    fix: `lower minAvailable, or raise ${by}`,
  });
}
