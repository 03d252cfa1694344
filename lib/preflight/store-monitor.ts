import { Construct } from 'constructs';
import { IStartupScript } from '../tracking-server/startup-script';
import { ImageSource } from '../kube/image-source';
import { Part, labels, selectorLabels, workloadLabels } from '../kube/labels';
import { decided } from '../kube/linters';
import { Deployment, Service } from '../kube/objects';
import { CONTAINER_SECURITY, POD_SECURITY, emptyDir, quantities } from '../kube/pod';
import { PodSettings } from '../kube/pod-settings';
import { k8s } from '../../imports/k8s';

const PORT = 8080;

export interface StoreMonitorProps {
  readonly part: Part;
  readonly name: string;
  readonly namespace: string;
  readonly images: ImageSource;
  readonly pod: PodSettings;
  readonly placement: Partial<k8s.PodSpec>;
  readonly startupScript: IStartupScript;
  /** Flags of the server that name its stores. */
  readonly flags: string[];
  readonly env: k8s.EnvVar[];
  /** The user's own variables, which stand behind all others, as in the server. */
  readonly extraEnv: k8s.EnvVar[];
  readonly envFrom?: k8s.EnvFromSource[];
  readonly volumes: k8s.Volume[];
  readonly volumeMounts: k8s.VolumeMount[];
}

/**
 * A small pod that tries both stores every 15 s. It is unready, and its metrics are 0, as long as one of them does not
 * work. The tracking server itself stays ready then: it still serves all that can be read, and an unready server would
 * take that away from everybody too.
 */
export class StoreMonitor extends Construct {
  public readonly deployment: k8s.KubeDeployment;
  public readonly service: k8s.KubeService;
  public readonly port = PORT;
  public readonly labels: { [key: string]: string };

  /** Labels that select the pod. */
  public readonly podLabels: { [key: string]: string };

  public constructor(scope: Construct, id: string, props: StoreMonitorProps) {
    super(scope, id);
    const part: Part = { ...props.part, component: 'store-monitor' };
    const { images, pod } = props;
    this.labels = labels(part);
    this.podLabels = selectorLabels(part);
    const metadata = { name: props.name, namespace: props.namespace, labels: this.labels };
    const script = props.startupScript;

    this.deployment = new Deployment(this, 'Deployment', {
      metadata: { ...metadata, labels: workloadLabels(part), annotations: decided({ images: [part.image], pullPolicy: images.pullPolicy, secretsInEnv: true, single: true }) },
      spec: {
        replicas: 1,
        selector: { matchLabels: this.podLabels },
        // the new pod does not wait for the old one, which may be unready for as long as a store is
        strategy: {
          type: 'RollingUpdate',
          rollingUpdate: { maxUnavailable: k8s.IntOrString.fromNumber(1), maxSurge: k8s.IntOrString.fromNumber(0) },
        },
        template: {
          metadata: { labels: pod.labels(workloadLabels(part)), annotations: pod.annotations({ 'checksum/startup-script': script.checksum }) },
          spec: {
            ...props.placement,
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            securityContext: POD_SECURITY,
            containers: [
              {
                name: 'monitor',
                image: part.image,
                imagePullPolicy: images.pullPolicy,
                command: ['python3', script.mountPath],
                args: ['monitor', ...props.flags],
                env: [...props.env, { name: 'STARTUP_MONITOR_PORT', value: String(PORT) }, { name: 'HOME', value: '/tmp' }, ...props.extraEnv],
                envFrom: props.envFrom,
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
                volumeMounts: [
                  { name: 'startup-script', mountPath: script.mountPath, subPath: script.key, readOnly: true },
                  { name: 'tmp', mountPath: '/tmp' },
                  ...props.volumeMounts,
                ],
              },
            ],
            volumes: [{ name: 'startup-script', configMap: { name: script.configMapName, defaultMode: 0o755 } }, emptyDir('tmp', '64Mi'), ...props.volumes],
          },
        },
      },
    });
    this.node.defaultChild = this.deployment;

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
  }
}
