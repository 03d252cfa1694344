import { Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import { PreflightPackage } from './preflight-package';
import { Connections } from '../kube/connections';
import { ImageSource } from '../kube/image-source';
import { Part, labels, selectorLabels, workloadLabels } from '../kube/labels';
import { networkPolicyOptions, podPolicy } from '../kube/network';
import { Deployment, Service } from '../kube/objects';
import { CONTAINER_SECURITY, POD_SECURITY, emptyDir, quantities } from '../kube/pod';
import { PodSettings } from '../kube/pod-settings';
import { Images } from '../options/images';
import { egressTo } from '../tracking-server/stores';
import type { TrackingServer } from '../tracking-server/tracking-server';
import { ofServer } from '../validation/add-on';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { rejectTakenNames } from '../validation/unique-names';
import { k8s } from '../../imports/k8s';

const PORT = 8080;
/** What the libraries of the stores read besides what the stores themselves say: certificates, proxies, and where credentials are. */
const READ_BY_STORES = /^(AWS|AZURE|GOOGLE|GCE|BOTO|PG|MLFLOW_(S3|BOTO|GCS|MYSQL|TRACKING_(SERVER_CERT_PATH|INSECURE_TLS)))(_|[A-Z]|$)|^(https?|no|all)_proxy$|^(SSL_CERT|REQUESTS_CA|CURL_CA)_/i;

/** Props of `StoreMonitor`. */
export interface StoreMonitorProps {
  /** The server whose stores are tried. */
  readonly server: TrackingServer;
}

/**
 * A small pod that tries both stores every 15 s. It is unready, and its metrics `mlflow_artifact_store_writable` and
 * `mlflow_database_reachable` are 0, as long as one of them does not work. The tracking server itself stays ready then: it
 * still serves all that can be read, and an unready server would take that away from everybody too. A tracking server makes
 * it itself, unless `preflight.monitor` is false.
 */
export class StoreMonitor extends Construct {
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
    const { server } = ofServer(this, props);
    const { backendStore, artifactStore, options } = server;
    const checks = new PropChecks(this, [server]);
    const images = new ImageSource(checks, options.images);
    const pod = new PodSettings(checks, options.pod, images);
    const part: Part = { name: 'mlflow', instance: server.name, component: 'store-monitor', image: images.of('image', options.image ?? Images.MLFLOW) };
    this.labels = labels(part);
    this.podLabels = selectorLabels(part);
    const metadata = { name: `${server.name}-monitor`, namespace: server.namespace, labels: this.labels };
    const files = PreflightPackage.of(server);
    const databaseFlags = backendStore.uri === undefined ? [] : [`--backend-store-uri=${backendStore.uri}`];
    const extras = (options.extraEnv ?? []).filter((variable) => READ_BY_STORES.test(String(variable?.name)));

    this.deployment = new Deployment(this, 'Deployment', {
      metadata: { ...metadata, labels: workloadLabels(part) },
      spec: {
        replicas: 1,
        selector: { matchLabels: this.podLabels },
        // the new pod does not wait for the old one, which may be unready for as long as a store is
        strategy: {
          type: 'RollingUpdate',
          rollingUpdate: { maxUnavailable: k8s.IntOrString.fromNumber(1), maxSurge: k8s.IntOrString.fromNumber(0) },
        },
        template: {
          metadata: { labels: pod.labels(workloadLabels(part)), annotations: pod.annotations() },
          spec: {
            ...pod.helperPlacement(),
            serviceAccountName: Lazy.any({ produce: () => server.serviceAccountName }) as unknown as string,
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            securityContext: POD_SECURITY,
            containers: [
              {
                name: 'monitor',
                image: part.image,
                imagePullPolicy: images.pullPolicy,
                command: ['python3', files.path],
                args: ['monitor', ...databaseFlags, `--artifacts-destination=${artifactStore.artifactsDestination}`],
                env: [
                  ...artifactStore.environment,
                  ...backendStore.environment,
                  ...files.environment(),
                  { name: 'STARTUP_MONITOR_PORT', value: String(PORT) },
                  { name: 'HOME', value: '/tmp' },
                  ...extras,
                ],
                ports: [{ name: 'metrics', containerPort: PORT }],
                readinessProbe: {
                  httpGet: { path: '/ready', port: k8s.IntOrString.fromString('metrics') },
                  periodSeconds: 5,
                  timeoutSeconds: 5,
                  failureThreshold: 1,
                },
                livenessProbe: {
                  httpGet: { path: '/metrics', port: k8s.IntOrString.fromString('metrics') },
                  initialDelaySeconds: 10,
                  periodSeconds: 20,
                  timeoutSeconds: 5,
                },
                resources: {
                  requests: quantities({ cpu: '10m', memory: '96Mi', 'ephemeral-storage': '64Mi' }),
                  limits: quantities({ cpu: '500m', memory: '192Mi', 'ephemeral-storage': '256Mi' }),
                },
                securityContext: CONTAINER_SECURITY,
                terminationMessagePolicy: 'FallbackToLogsOnError',
                volumeMounts: [files.volumeMount, { name: 'tmp', mountPath: '/tmp' }, ...(artifactStore.volumeMounts ?? []), ...(backendStore.volumeMounts ?? [])],
              },
            ],
            volumes: [files.volume, emptyDir('tmp', '64Mi'), ...(artifactStore.volumes ?? []), ...(backendStore.volumes ?? [])],
          },
        },
      },
    });
    this.node.defaultChild = this.deployment;
    rejectTakenNames(this, 'server', 'make one StoreMonitor for each tracking server, which makes it itself unless preflight.monitor is false');

    this.service = new Service(this, 'Service', {
      metadata,
      spec: {
        type: 'ClusterIP',
        selector: this.podLabels,
        // the metrics are asked for most when the pod is not ready
        publishNotReadyAddresses: true,
        ports: [{ name: 'metrics', port: PORT, targetPort: k8s.IntOrString.fromString('metrics') }],
      },
    });

    this.connections = new Connections({ podLabels: this.podLabels, ports: [PORT] });
    this.connections.allowTo(...egressTo(artifactStore, backendStore));
    for (const store of [artifactStore, backendStore]) store.connections?.allowFromPods(this.podLabels);
    const network = networkPolicyOptions(checks, options.networkPolicy);
    if (network !== undefined) {
      this.connections.allowTo(...network.egress);
      this.networkPolicy = podPolicy(this, 'NetworkPolicy', { ...metadata, connections: this.connections });
    }
  }
}
