import { Construct } from 'constructs';
import { PreflightPackage } from './preflight-package';
import { Connections } from '../kube/connections';
import { ImageSource } from '../kube/image-source';
import { Part, labels, selectorLabels, workloadLabels } from '../kube/labels';
import { networkPolicyOptions, podPolicy } from '../kube/network';
import { CONTAINER_SECURITY, POD_SECURITY } from '../kube/pod';
import { PodSettings } from '../kube/pod-settings';
import { Images } from '../options/images';
import { ITrackingServer } from '../tracking-server/server';
import { checkWayToStores } from '../tracking-server/store-clients';
import { PropChecks } from '../validation/prop-checks';
import { k8s } from '../../imports/k8s';

/** A pod beside that of a server, in which a program of the preflight connects to the stores: what all of them have. */
export class PreflightPod {
  public readonly images: ImageSource;
  public readonly settings: PodSettings;
  public readonly files: PreflightPackage;
  public readonly part: Part;
  public readonly podLabels: { [key: string]: string };
  public readonly metadata: { readonly name: string; readonly namespace: string; readonly labels: { [key: string]: string } };

  /** The flag with the database, unless its URI is in a variable. */
  public readonly databaseFlags: string[];

  /**
   * @param owner the construct that makes it
   * @param checks its checks
   * @param server the server
   * @param component the label of its pods
   * @param suffix what stands behind the name of the server in its name
   */
  public constructor(
    private readonly owner: Construct,
    private readonly checks: PropChecks,
    private readonly server: ITrackingServer,
    component: string,
    suffix: string,
  ) {
    const { backendStore, options } = server;
    this.images = new ImageSource(checks, options.images);
    this.settings = new PodSettings(checks, options.pod, this.images);
    this.part = { name: 'mlflow', instance: server.name, component, image: this.images.of('image', options.image ?? Images.MLFLOW) };
    this.podLabels = selectorLabels(this.part);
    this.metadata = { name: `${server.name}-${suffix}`, namespace: server.namespace, labels: labels(this.part) };
    this.files = PreflightPackage.of(server);
    this.databaseFlags = backendStore.uri === undefined ? [] : [`--backend-store-uri=${backendStore.uri}`];
    checkWayToStores(owner, server);
  }

  /** Metadata of the Deployment, Job or CronJob. */
  public get workload(): k8s.ObjectMeta {
    return { ...this.metadata, labels: workloadLabels(this.part) };
  }

  /** Metadata of the pods. */
  public template(annotations?: { [key: string]: string }): k8s.ObjectMeta {
    return { labels: this.settings.labels(workloadLabels(this.part)), annotations: this.settings.annotations(annotations) };
  }

  /** Where the pods run, and as whom, without a token of the API. */
  public spec(): Partial<k8s.PodSpec> {
    return { ...this.settings.helperPlacement(), automountServiceAccountToken: false, enableServiceLinks: false, securityContext: POD_SECURITY };
  }

  /** A container that runs a program of the preflight, with what is mounted and set besides. */
  public container(name: string, args: string[], env: k8s.EnvVar[], volumeMounts: k8s.VolumeMount[] = []): k8s.Container {
    return {
      ...this.restricted,
      name,
      image: this.part.image,
      command: ['python3', this.files.path],
      args,
      env: [...env, { name: 'HOME', value: '/tmp' }, { name: 'PYTHONNOUSERSITE', value: '1' }],
      volumeMounts: [this.files.volumeMount, { name: 'tmp', mountPath: '/tmp' }, ...volumeMounts],
    };
  }

  /** What a container has whatever it runs. */
  public get restricted(): Pick<k8s.Container, 'imagePullPolicy' | 'securityContext' | 'terminationMessagePolicy'> {
    return { imagePullPolicy: this.images.pullPolicy, securityContext: CONTAINER_SECURITY, terminationMessagePolicy: 'FallbackToLogsOnError' };
  }

  /** Whether MLflow and its drivers may read a variable that the user gives to the server. */
  public readonly isExtra = (name: string): boolean => (this.server.options.extraEnv ?? []).some((variable) => variable?.name === name);

  /** NetworkPolicy of the pods, which may connect to these peers; undefined where the server has none. */
  public policy(...peers: Parameters<Connections['allowTo']>): k8s.KubeNetworkPolicy | undefined {
    const network = networkPolicyOptions(this.checks, this.server.options.networkPolicy);
    if (network === undefined) return undefined;
    const connections = new Connections({ podLabels: this.podLabels });
    connections.allowTo(...peers, ...network.egress);
    return podPolicy(this.owner, 'NetworkPolicy', { ...this.metadata, connections });
  }
}
