import { Construct } from 'constructs';
import { HorizontalPodAutoscaler } from '../kube/objects';
import type { TrackingServer } from '../tracking-server/tracking-server';
import { ofServer } from '../validation/add-on';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { rejectTakenNames } from '../validation/unique-names';
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

/** Props of `Autoscaling`. */
export interface AutoscalingProps extends AutoscalingOptions {
  /** The server whose pods are counted by their load. */
  readonly server: TrackingServer;
}

const SHAPE: Shape<AutoscalingOptions> = { minReplicas: 'value', maxReplicas: 'value', targetCpuPercent: 'value', targetMemoryPercent: 'value' };

/**
 * Number of pods of a tracking server by their load, in place of its prop `replicas`. The cluster needs a metrics server.
 *
 * @see https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
 */
export class Autoscaling extends Construct {
  /** The HorizontalPodAutoscaler, which has the name of the server. */
  public readonly autoscaler: k8s.KubeHorizontalPodAutoscalerV2;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the server, and how many pods it has at which load
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: AutoscalingProps) {
    super(place(scope, id), id);
    const { server, ...given } = ofServer(this, props);
    this.node.addValidation({ validate: () => (checkRequests(checks, server, cpuAndMemory), []) });
    const checks = new PropChecks(this);
    const options = checks.props(given, SHAPE);
    const minReplicas = checks.count('minReplicas', options.minReplicas ?? 2, 'the number of pods');
    const maxReplicas = checks.count('maxReplicas', checks.required('maxReplicas', options.maxReplicas, Number.MAX_SAFE_INTEGER, 'the number of pods', '5'), 'the number of pods');
    if (maxReplicas < minReplicas) {
      checks.fault({ prop: 'maxReplicas', value: maxReplicas, rule: `it is not below minReplicas = ${minReplicas}`, fix: 'raise maxReplicas, or lower minReplicas' });
    }
    const targets = { cpu: options.targetCpuPercent ?? 80, memory: options.targetMemoryPercent };
    const cpuAndMemory = (['cpu', 'memory'] as const).filter((name) => targets[name] !== undefined);
    const metrics = cpuAndMemory.map((name) => {
      const averageUtilization = checks.count(name === 'cpu' ? 'targetCpuPercent' : 'targetMemoryPercent', targets[name]!, 'the share, in percent,');
      return { type: 'Resource', resource: { name, target: { type: 'Utilization', averageUtilization } } };
    });
    server.scaleBy(this, minReplicas);
    this.autoscaler = new HorizontalPodAutoscaler(this, 'Autoscaler', {
      metadata: { name: server.name, namespace: server.namespace, labels: server.labels },
      spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: server.name }, minReplicas, maxReplicas, metrics },
    });
    rejectTakenNames(this, 'server', 'make one Autoscaling for each tracking server');
    this.node.defaultChild = this.autoscaler;
  }
}

/** Faults where the load of a pod cannot be told in percent, since one of its containers asks for nothing. */
function checkRequests(checks: PropChecks, server: TrackingServer, resources: string[]): void {
  for (const { name, resources: amounts } of server.containers) {
    const missing = resources.filter((resource) => [amounts?.requests, amounts?.limits].every((given) => given?.[resource] === undefined));
    if (missing.length > 0) {
      checks.fault({
        prop: 'server',
        value: `container "${name}" without requests of ${missing.join(' and ')}`,
        rule: 'autoscaling goes by percent of what all containers of a pod request, and does nothing where one requests none (https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details)',
        fix: `give the container resources.requests of ${missing.join(' and ')} (pod.sidecars of the tracking server), or leave autoscaling out`,
      });
    }
  }
}
