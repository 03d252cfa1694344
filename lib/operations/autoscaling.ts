import { Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import { HorizontalPodAutoscaler } from '../kube/objects';
import { ArtifactTransfer } from '../proxied-artifacts/artifact-transfer';
import { ITrackingServer } from '../tracking-server/server';
import { ofServer } from '../tracking-server/add-on';
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

  /**
   * Transfers of artifacts, uploads and downloads, that a pod has under way on average: the metric
   * `mlflow_artifact_transfers_in_progress` of the pods, which `metrics` has and an adapter such as prometheus-adapter hands to
   * Kubernetes. While it does not, CPU counts alone, and pods are added but not taken away.
   *
   * @default - transfers do not count
   * @see https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#scaling-on-custom-metrics
   */
  readonly targetTransfers?: number;
}

/** Props of `Autoscaling`. */
export interface AutoscalingProps extends AutoscalingOptions {
  /** The server whose pods are counted by their load. */
  readonly server: ITrackingServer;
}

const SHAPE: Shape<AutoscalingOptions> = { minReplicas: 'value', maxReplicas: 'value', targetCpuPercent: 'value', targetMemoryPercent: 'value', targetTransfers: 'value' };
/** What the layer of the proxied artifacts counts in each pod. */
const TRANSFERS = 'mlflow_artifact_transfers_in_progress';

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
    this.node.addValidation({ validate: () => (checkScaling(checks, server, given), checkPlace(checks, server, given), []) });
    const checks = new PropChecks(this);
    const { metrics, ...spec } = autoscalerSpec(checks, server.name, given);
    server.scaleBy(this, spec.minReplicas!, spec.maxReplicas);
    this.autoscaler = new HorizontalPodAutoscaler(this, 'Autoscaler', {
      metadata: { name: server.name, namespace: server.namespace, labels: server.labels },
      spec: { ...spec, metrics: Lazy.any({ produce: () => metrics!.map((metric) => ofContainer(metric, server)) }) as unknown as k8s.MetricSpecV2[] },
    });
    rejectTakenNames(this, 'server', 'make one Autoscaling for each tracking server');
    this.node.defaultChild = this.autoscaler;
  }
}

/** The spec of a HorizontalPodAutoscaler of a Deployment. */
export function autoscalerSpec(checks: PropChecks, deployment: string, given: AutoscalingOptions, prefix = ''): k8s.HorizontalPodAutoscalerSpecV2 {
  const options = checks.props(given, SHAPE, prefix);
  const count = (prop: keyof AutoscalingOptions, value: number, what: string) => checks.count(`${prefix}${prop}`, value, what);
  const minReplicas = count('minReplicas', options.minReplicas ?? 2, 'the number of pods');
  const maxReplicas = count('maxReplicas', checks.required(`${prefix}maxReplicas`, options.maxReplicas, Number.MAX_SAFE_INTEGER, 'the number of pods', '5'), 'the number of pods');
  if (maxReplicas < minReplicas) {
    checks.fault({ prop: `${prefix}maxReplicas`, value: maxReplicas, rule: `it is not below minReplicas = ${minReplicas}`, fix: 'raise maxReplicas, or lower minReplicas' });
  }
  const share = (name: string, averageUtilization: number) => ({ type: 'Resource', resource: { name, target: { type: 'Utilization', averageUtilization } } });
  const { targetCpuPercent: cpu = 80, targetMemoryPercent: memory, targetTransfers: transfers } = options;
  const metrics: k8s.MetricSpecV2[] = [share('cpu', count('targetCpuPercent', cpu, 'the share, in percent,'))];
  if (memory !== undefined) metrics.push(share('memory', count('targetMemoryPercent', memory, 'the share, in percent,')));
  if (transfers !== undefined) {
    const averageValue = k8s.Quantity.fromString(String(count('targetTransfers', transfers, 'the number of transfers')));
    metrics.push({ type: 'Pods', pods: { metric: { name: TRANSFERS }, target: { type: 'AverageValue', averageValue } } });
  }
  return { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: deployment }, minReplicas, maxReplicas, metrics };
}

/** Faults where the load of the pods of a server cannot be told. */
export function checkScaling(checks: PropChecks, server: ITrackingServer, options: AutoscalingOptions, prefix = ''): void {
  const { targetMemoryPercent, targetTransfers } = options;
  checkRequests(checks, server, targetMemoryPercent === undefined ? ['cpu'] : ['cpu', 'memory']);
  if (targetTransfers === undefined) return;
  const prop = `${prefix}targetTransfers`;
  if (server.options.artifactTransfer === ArtifactTransfer.DIRECT) {
    checks.fault({ prop, value: targetTransfers, rule: 'with ArtifactTransfer.DIRECT the large transfers go past the server, which does not know of them', fix: `leave ${prop} out, or artifactTransfer of the tracking server` });
  } else if (server.environment.every(({ name }) => name !== 'MLFLOW_EXPOSE_PROMETHEUS')) {
    checks.fault({ prop, value: targetTransfers, rule: 'the number of transfers is on the page /metrics of the server, which it has none of without metrics', fix: `pass metrics of the stack, or leave ${prop} out` });
  }
}

/** Faults where transfers are counted in pods that have none. */
function checkPlace(checks: PropChecks, { routeBackend: { artifactRoutes } }: ITrackingServer, { targetTransfers }: AutoscalingOptions): void {
  if (targetTransfers === undefined || artifactRoutes === undefined) return;
  checks.fault({
    prop: 'targetTransfers',
    value: targetTransfers,
    rule: `transfers are under way in the pods behind Service ${artifactRoutes.serviceName}, and these have none`,
    fix: 'pass it in autoscaling of the split topology',
  });
}

/** A share of what the server itself requests, where a router stands before it, whose load is no reason for more servers. */
function ofContainer(metric: k8s.MetricSpecV2, server: ITrackingServer): k8s.MetricSpecV2 {
  if (metric.resource === undefined || server.routeBackend.artifactRoutes === undefined) return metric;
  return { type: 'ContainerResource', containerResource: { container: server.podSpec.containers[0].name, ...metric.resource } };
}

/** Faults where the load of a pod cannot be told in percent, since one of its containers asks for nothing. */
function checkRequests(checks: PropChecks, server: ITrackingServer, resources: string[]): void {
  const { containers, initContainers = [] } = server.podSpec;
  for (const { name, resources: amounts } of [...containers, ...initContainers.filter(({ restartPolicy }) => restartPolicy === 'Always')]) {
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
