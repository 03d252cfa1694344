import { Lazy, Size } from 'cdk8s';
import { Construct } from 'constructs';
import { PreflightPod } from './preflight-pod';
import { WatchingPod } from './watching-pod';
import { Connections } from '../kube/connections';
import { containerResources } from '../kube/pod';
import { goodPeers } from '../kube/policy-peers';
import { ContainerResources } from '../options/resources';
import { connectingPod, storeEgress } from '../tracking-server/store-clients';
import { ITrackingServer } from '../tracking-server/server';
import { ofServer } from '../tracking-server/add-on';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { rejectTakenNames } from '../validation/unique-names';
import { k8s } from '../../imports/k8s';

const PORT = 8080;
const RESOURCES: Required<ContainerResources> = { cpuRequest: '10m', cpuLimit: '500m', memoryRequest: Size.mebibytes(96), memoryLimit: Size.mebibytes(192) };
const SHAPE: Shape<Omit<StoreMonitorProps, 'server'>> = { clients: 'list' };

/** Props of `StoreMonitor`. */
export interface StoreMonitorProps {
  /** The server whose stores are tried. */
  readonly server: ITrackingServer;

  /**
   * Who may ask it for its metrics, where there are NetworkPolicies.
   *
   * @default - nobody but the kubelet, and the `scrapers` of `Metrics`
   * @see https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors
   */
  readonly clients?: k8s.NetworkPolicyPeer[];
}

/**
 * A small pod that tries both stores every 15 s. It is unready, and its metrics `mlflow_artifact_store_writable` and
 * `mlflow_database_reachable` are 0, as long as one of them does not work. The tracking server itself stays ready then: it
 * still serves all that can be read, and an unready server would take that away from everybody too. A tracking server makes
 * it itself, unless `preflight.monitor` is false.
 *
 * @example
 * import { App, Chart } from 'cdk8s';
 * import { MlflowStack, StoreMonitor } from 'cdk8s-mlflow';
 *
 * const app = new App();
 * const chart = new Chart(app, 'mlflow', { namespace: 'mlflow' });
 * const { trackingServer } = new MlflowStack(chart, 'Stack');
 *
 * // an exporter of your own asks for the metrics
 * const monitor = StoreMonitor.of(trackingServer)!;
 * monitor.connections.allowFromPods({ app: 'exporter' });
 * console.log(`http://${monitor.service.name}:${monitor.port}/metrics`);
 * app.synth();
 */
export class StoreMonitor extends Construct {
  /**
   * The monitor that a server has made.
   *
   * @param server the server
   * @returns nothing where `preflight.monitor` is false
   */
  public static of(server: ITrackingServer): StoreMonitor | undefined {
    return server.node.children.find((child) => child instanceof StoreMonitor);
  }

  /** The pod. */
  public readonly deployment: k8s.KubeDeployment;

  /** Service `<name of the server>-monitor`, with the metrics. */
  public readonly service: k8s.KubeService;

  /** Port of the Service. */
  public readonly port: number = PORT;

  /** Labels of the objects. */
  public readonly labels: { [key: string]: string };

  /** Labels that select the pod. */
  public readonly podLabels: { [key: string]: string };

  /** Who may connect to the pod, and to whom it connects. */
  public readonly connections: Connections;

  /** NetworkPolicy of the pod, where `networkPolicy.enabled` of the server is true. */
  public readonly networkPolicy?: k8s.KubeNetworkPolicy;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the server
   */
  public constructor(scope: Construct, id: string, props: StoreMonitorProps) {
    super(place(scope, id), id);
    const { server, ...given } = ofServer(this, props);
    const { backendStore, artifactStore, options } = server;
    const checks = new PropChecks(this, [server]);
    const { clients = [] } = checks.props(given, SHAPE);
    const beside = new PreflightPod(this, checks, server, 'store-monitor', 'monitor');
    this.labels = beside.metadata.labels;
    this.podLabels = beside.podLabels;
    const resources = containerResources(checks, options.preflight?.monitorResources, RESOURCES, '256Mi', 'preflight.monitorResources');

    this.connections = new Connections({ podLabels: this.podLabels, ports: [PORT], isolated: true });
    this.connections.allowFrom(...goodPeers(checks, 'clients', clients));
    this.connections.allowTo(...storeEgress(server, artifactStore, backendStore));
    for (const store of [artifactStore, backendStore]) store.connections?.allowFromPods(this.podLabels);
    const args = ['monitor', ...beside.databaseFlags, `--artifacts-destination=${artifactStore.artifactsDestination}`];
    const env = [...artifactStore.environment, ...backendStore.environment, ...beside.files.environment(), { name: 'STARTUP_MONITOR_PORT', value: String(PORT) }];
    const pod = new WatchingPod(this, checks, server, {
      beside,
      container: { ...beside.container('monitor', args, env, [...(artifactStore.volumeMounts ?? []), ...(backendStore.volumeMounts ?? [])]), resources },
      port: PORT,
      readiness: { periodSeconds: 5, failureThreshold: 1 },
      volumes: [...(artifactStore.volumes ?? []), ...(backendStore.volumes ?? [])],
      connections: this.connections,
      // the new pod does not wait for the old one, which may be unready for as long as a store is
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: k8s.IntOrString.fromNumber(1), maxSurge: k8s.IntOrString.fromNumber(0) } },
      finish: (spec) => connectingPod(server, () => ({ ...spec(), serviceAccountName: Lazy.any({ produce: () => server.serviceAccountName }) as unknown as string })),
    });
    this.deployment = pod.deployment;
    this.service = pod.service;
    this.networkPolicy = pod.networkPolicy;
    if (clients.length > 0 && pod.networkPolicy === undefined) {
      checks.fault({ prop: 'clients', value: clients, hidden: true, rule: 'with networkPolicy.enabled = false there is no NetworkPolicy that they could stand in', fix: 'leave them out, or networkPolicy.enabled of the server' });
    }
    rejectTakenNames(this, 'server', 'make one StoreMonitor for each tracking server, which makes it itself unless preflight.monitor is false');
  }
}
