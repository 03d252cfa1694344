import { Chart, Lazy, Size } from 'cdk8s';
import { Construct } from 'constructs';
import { artifactPrefixes } from './artifact-paths';
import { routerConfig } from './router-config';
import { SPLIT_TOPOLOGY, SplitTopologyOptions } from './split-topology-options';
import { Cluster } from '../kube/cluster';
import { Connections } from '../kube/connections';
import { fingerprint } from '../kube/hash';
import { Part, labels, selectorLabels, workloadLabels } from '../kube/labels';
import { networkPolicyOptions, podPolicy } from '../kube/network';
import { ConfigMap, Deployment, HorizontalPodAutoscaler, PodDisruptionBudget, Service } from '../kube/objects';
import { containerResources, emptyDir } from '../kube/pod';
import { downAlert } from '../monitoring/alert-rules';
import { ScrapeTargets } from '../monitoring/scrape-targets';
import { autoscalerSpec, checkScaling } from '../operations/autoscaling';
import { budgetSpec, checkSpare } from '../operations/disruption-budget';
import { Images } from '../options/images';
import { ArtifactTransfer } from '../proxied-artifacts/artifact-transfer';
import { ofServer } from '../tracking-server/add-on';
import { ITrackingServer } from '../tracking-server/server';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { rejectSharedSelector, rejectTakenNames } from '../validation/unique-names';
import { k8s } from '../../imports/k8s';

const ROUTER = 'router';
const FOLDER = '/etc/mlflow-router';
const FILE = 'nginx.conf';
const ROUTER_RESOURCES = { cpuRequest: '50m', cpuLimit: '1', memoryRequest: Size.mebibytes(32), memoryLimit: Size.mebibytes(128) };
/** nginx ends where a name does not resolve, as in the first moments of a pod it may not. */
const START = `trap 'exit 0' TERM QUIT; until nginx -e stderr -t -q -c ${FOLDER}/${FILE}; do sleep 1; done; exec nginx -e stderr -c ${FOLDER}/${FILE} -g 'daemon off;'`;
/** Seconds in which endpoints learn that a pod goes, as for the server beside it; then what is under way comes to its end. */
const FAREWELL = 'sleep 10; kill -QUIT 1; sleep 86400';

/** Props of `SplitTopology`. */
export interface SplitTopologyProps extends SplitTopologyOptions {
  /** The server whose transfers go to pods of their own. */
  readonly server: ITrackingServer;
}

/**
 * Transfers of artifacts in pods of their own, which share neither process nor limits with requests for metadata: a Deployment of
 * artifact servers, and nginx before the server in each of its pods, which sends there what is for artifacts. Clients know the one URI
 * that they knew before. Ingress and HTTPRoute lead to both themselves, but for a few paths of the web UI.
 *
 * Artifact servers are whole tracking servers of the same image, settings and secrets, but run no jobs: a server with
 * `--artifacts-only` refuses the downloads of the web UI.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/architecture/tracking-server/
 */
export class SplitTopology extends Construct {
  /** The artifact servers, `<name of the server>-artifacts`. */
  public readonly deployment: k8s.KubeDeployment;

  /** Service of the artifact servers, with the port of the tracking server. */
  public readonly service: k8s.KubeService;

  /** ConfigMap `<name of the server>-router` with the configuration of nginx. */
  public readonly configMap: k8s.KubeConfigMap;

  /** The HorizontalPodAutoscaler of the artifact servers, where `autoscaling` asks for it. */
  public readonly autoscaler?: k8s.KubeHorizontalPodAutoscalerV2;

  /** How many artifact servers a drain of nodes leaves, where there is more than one or `podDisruptionBudget` asks for it. */
  public readonly disruptionBudget?: k8s.KubePodDisruptionBudget;

  /** NetworkPolicy of the artifact servers, where `networkPolicy.enabled` of the server is true. */
  public readonly networkPolicy?: k8s.KubeNetworkPolicy;

  /** Labels that select the artifact servers. */
  public readonly podLabels: { [key: string]: string };

  /** Who may connect to the artifact servers, and to whom they connect: the same as of the server, and its router. */
  public readonly connections: Connections;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the server, and its artifact servers
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: SplitTopologyProps) {
    super(place(scope, id), id);
    const { server, ...given } = ofServer(this, props);
    this.node.addValidation({ validate: () => (given.autoscaling && checkScaling(checks, server, given.autoscaling, 'autoscaling.'), []) });
    const checks = new PropChecks(this, [server]);
    const options = checks.props(given, SPLIT_TOPOLOGY);
    const { namespace, options: shared } = server;
    if (shared.artifactTransfer === ArtifactTransfer.DIRECT) {
      checks.fault({
        prop: 'server',
        value: 'a server with artifactTransfer = ArtifactTransfer.DIRECT',
        rule: 'with it the large transfers go past all servers, so that there are none to split off',
        fix: 'leave the split topology out, or artifactTransfer of the tracking server',
      });
    }
    if (options.replicas !== undefined && options.autoscaling !== undefined) {
      checks.fault({ prop: 'replicas', value: options.replicas, rule: 'with autoscaling the number of pods is not fixed: each apply would set it back', fix: 'leave replicas out, or autoscaling' });
    }
    const part: Part = { name: 'mlflow', instance: server.name, component: 'artifact-server', image: shared.image ?? Images.MLFLOW };
    const name = `${server.name}-artifacts`;
    const metadata = { name, namespace, labels: labels(part) };
    this.podLabels = selectorLabels(part);
    const scaling = options.autoscaling && autoscalerSpec(checks, name, options.autoscaling, 'autoscaling.');
    const replicas = checks.count('replicas', options.replicas ?? 2, 'the number of artifact servers');
    const [least, most] = scaling === undefined ? [replicas, replicas] : [scaling.minReplicas!, scaling.maxReplicas];

    const template = server.addPods(this, { labels: workloadLabels(part), podLabels: this.podLabels, maxReplicas: most, resources: options.resources });
    this.deployment = new Deployment(this, 'Deployment', {
      metadata: { ...metadata, labels: workloadLabels(part) },
      spec: {
        ...(scaling === undefined && { replicas }),
        selector: { matchLabels: this.podLabels },
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: k8s.IntOrString.fromNumber(0), maxSurge: k8s.IntOrString.fromNumber(1) } },
        template,
      },
    });
    this.node.defaultChild = this.deployment;
    this.service = new Service(this, 'Service', {
      metadata,
      spec: { type: 'ClusterIP', selector: this.podLabels, ports: [{ name: 'http', port: server.port, targetPort: k8s.IntOrString.fromString('http') }] },
    });
    if (scaling !== undefined) this.autoscaler = new HorizontalPodAutoscaler(this, 'Autoscaler', { metadata, spec: scaling });
    if (least > 1 || options.podDisruptionBudget !== undefined) {
      const budget = checks.props(options.podDisruptionBudget ?? {}, { minAvailable: 'value', maxUnavailable: 'value' }, 'podDisruptionBudget.');
      checkSpare(checks, budget.minAvailable, least, 'podDisruptionBudget.', scaling === undefined ? 'replicas' : 'autoscaling.minReplicas');
      this.disruptionBudget = new PodDisruptionBudget(this, 'DisruptionBudget', { metadata, spec: { ...budgetSpec(checks, budget, 'podDisruptionBudget.'), selector: { matchLabels: this.podLabels } } });
    }

    this.connections = new Connections({ podLabels: this.podLabels, ports: server.connections.ports });
    this.connections.follow(server.connections);
    this.connections.allowFromPods(server.podLabels);
    server.allowTo(this.connections.toThese);
    for (const store of [server.backendStore, server.artifactStore, shared.registryStore]) store?.connections?.allowFromPods(this.podLabels);
    if (networkPolicyOptions(PropChecks.unheard(), shared.networkPolicy) !== undefined) this.networkPolicy = podPolicy(this, 'NetworkPolicy', { ...metadata, connections: this.connections });

    this.configMap = this.addRouter(checks, server, options);
    // the name of the Service is there before somebody asks for it
    if (Chart.of(this) === Chart.of(server)) server.deployment.addDependency(this.service, this.configMap);
    server.addArtifactRoutes(this, name, artifactPrefixes(server.staticPrefix));
    ScrapeTargets.of(server).add({
      id: 'Artifacts',
      service: this.service,
      labels: metadata.labels,
      podLabels: this.podLabels,
      connections: this.connections,
      asServer: true,
      rules: (further) => [
        downAlert(
          { name: server.name, namespace },
          further,
          'MlflowArtifactServersDown',
          'critical',
          `namespace="${namespace}",job="${name}"`,
          'no artifact server answers',
          `Prometheus has reached none of them for 5 minutes: files can be neither logged nor read. See "kubectl --namespace ${namespace} get pods" and "kubectl --namespace ${namespace} logs --selector app.kubernetes.io/instance=${server.name},app.kubernetes.io/component=artifact-server --prefix --tail=20".`,
        ),
      ],
    });
    rejectTakenNames(this, 'server', 'make one SplitTopology for each tracking server');
    rejectSharedSelector(this, name, namespace, this.podLabels);
  }

  /** nginx before the server, in its pods. */
  private addRouter(checks: PropChecks, server: ITrackingServer, options: SplitTopologyOptions): k8s.KubeConfigMap {
    const cluster = new Cluster(checks, server.options.cluster);
    const configName = `${server.name}-router`;
    const ping = { tcpSocket: { port: k8s.IntOrString.fromString('http') }, timeoutSeconds: 5 };
    const checksum = { name: 'ROUTER_CONFIG', value: Lazy.any({ produce: () => fingerprint(config()) }) as unknown as string };
    const [everywhere, here] = cluster.anyAddress === '::' ? ['[::]', '[::1]'] : ['0.0.0.0', '127.0.0.1'];
    const port = server.addFront(
      this,
      {
        name: ROUTER,
        image: options.routerImage ?? Images.NGINX,
        command: ['sh', '-c', START],
        env: [checksum],
        lifecycle: { preStop: { exec: { command: ['sh', '-c', FAREWELL] } } },
        readinessProbe: { ...ping, periodSeconds: 5 },
        livenessProbe: { ...ping, periodSeconds: 15, failureThreshold: 8 },
        resources: containerResources(checks, options.routerResources, ROUTER_RESOURCES, '64Mi', 'routerResources'),
        terminationMessagePolicy: 'FallbackToLogsOnError',
        volumeMounts: [
          { name: ROUTER, mountPath: FOLDER },
          { name: `${ROUTER}-tmp`, mountPath: '/tmp' },
        ],
      },
      { name: ROUTER, configMap: { name: configName } },
      emptyDir(`${ROUTER}-tmp`, '16Mi'),
    );
    const config = () =>
      routerConfig({
        listen: `${everywhere}:${server.port}`,
        metadata: `${here}:${port}`,
        artifacts: `${cluster.nearHost(this.service.name, server.namespace)}:${server.port}`,
        staticPrefix: server.staticPrefix,
        keepAlive: server.environment.find(({ name }) => name === 'UVICORN_TIMEOUT_KEEP_ALIVE')?.value ?? '620',
      });
    const part: Part = { name: 'mlflow', instance: server.name, component: 'router', image: Images.NGINX };
    return new ConfigMap(this, 'ConfigMap', { metadata: { name: configName, namespace: server.namespace, labels: labels(part) }, data: Lazy.any({ produce: () => ({ [FILE]: config() }) }) as { [key: string]: string } });
  }
}
