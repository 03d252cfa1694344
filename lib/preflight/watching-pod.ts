import { Construct } from 'constructs';
import { PreflightPod } from './preflight-pod';
import { Connections } from '../kube/connections';
import { networkPolicyOptions, podPolicy } from '../kube/network';
import { Deployment, Service } from '../kube/objects';
import { emptyDir } from '../kube/pod';
import { ITrackingServer } from '../tracking-server/server';
import { PropChecks } from '../validation/prop-checks';
import { k8s } from '../../imports/k8s';

/** What differs between the pods that watch something for Prometheus. */
export interface Watching {
  readonly beside: PreflightPod;
  readonly container: k8s.Container;
  /** Of the pages /metrics and /ready. */
  readonly port: number;
  /** How often, in seconds, and after how many failures the pod is unready. */
  readonly readiness: { readonly periodSeconds: number; readonly failureThreshold?: number };
  readonly volumes: k8s.Volume[];
  readonly connections: Connections;
  readonly strategy?: k8s.DeploymentStrategy;
  /** What the pod has besides, once all is known of the server. */
  readonly finish?: (spec: () => k8s.PodSpec) => k8s.PodSpec;
}

/** One small pod that watches something for Prometheus, its Service and its NetworkPolicy. */
export class WatchingPod {
  public readonly deployment: k8s.KubeDeployment;
  public readonly service: k8s.KubeService;
  public readonly networkPolicy?: k8s.KubeNetworkPolicy;

  public constructor(owner: Construct, checks: PropChecks, server: ITrackingServer, { beside, container, port: number, readiness, volumes, connections, strategy, finish = (spec) => spec() }: Watching) {
    const { metadata, podLabels } = beside;
    const port = k8s.IntOrString.fromString('metrics');
    const watching: k8s.Container = {
      ...container,
      ports: [{ name: 'metrics', containerPort: number }],
      readinessProbe: { httpGet: { path: '/ready', port }, timeoutSeconds: 5, ...readiness },
      livenessProbe: { httpGet: { path: '/metrics', port }, initialDelaySeconds: 10, periodSeconds: 20, timeoutSeconds: 5 },
    };
    this.deployment = new Deployment(owner, 'Deployment', {
      metadata: beside.workload,
      spec: {
        replicas: 1,
        selector: { matchLabels: podLabels },
        strategy,
        template: { metadata: beside.template(), spec: finish(() => ({ ...beside.spec(), containers: [watching], volumes: [beside.files.volume, emptyDir('tmp', '64Mi'), ...volumes] })) },
      },
    });
    owner.node.defaultChild = this.deployment;
    // the metrics are asked for most when what is watched does not answer, and the pod is not ready
    this.service = new Service(owner, 'Service', { metadata, spec: { type: 'ClusterIP', selector: podLabels, publishNotReadyAddresses: true, ports: [{ name: 'metrics', port: number, targetPort: port }] } });
    const network = networkPolicyOptions(checks, server.options.networkPolicy);
    if (network === undefined) return;
    connections.allowTo(...network.egress);
    this.networkPolicy = podPolicy(owner, 'NetworkPolicy', { ...metadata, connections });
  }
}
