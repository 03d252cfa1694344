import { Construct } from 'constructs';
import { PropChecks } from '../validation/prop-checks';

/** Faults where an add-on sets the number of pods, and the prop `replicas` of the server as well. */
export function rejectFixedReplicas(owner: Construct, server: Construct, replicas: number | undefined): void {
  if (replicas === undefined) return;
  new PropChecks(owner).fault({
    prop: 'server',
    value: `[${server.node.path}] with replicas = ${replicas}`,
    rule: 'with autoscaling the number of pods is not fixed: each apply would set it back (https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#migrating-deployments-and-statefulsets-to-horizontal-autoscaling)',
    fix: 'leave replicas of the tracking server out and pass minReplicas here, or leave autoscaling out',
  });
}
