import { Duration, Size } from 'cdk8s';
import { Construct } from 'constructs';
import { Owner, ServerProcess, named } from './process';
import { IStartupScript } from './startup-script';
import { ImageSource } from '../kube/image-source';
import { CONTAINER_SECURITY, POD_SECURITY, containerResources, emptyDir } from '../kube/pod';
import { PodSettings, checkVolume } from '../kube/pod-settings';
import { ContainerResources } from '../options/resources';
import { PropChecks, quantity } from '../validation/prop-checks';
import { k8s } from '../../imports/k8s';

interface Labels { [key: string]: string }

/** Seconds until the first answer of the server, at the most. */
const START_SECONDS = 120;
/** Seconds in which endpoints learn that a pod goes: until then requests still come, and are served. */
const DRAIN_SECONDS = 5;
/** Seconds after which Kubernetes takes a rollout for failed, unless it is told otherwise. */
const PROGRESS_DEADLINE = 600;
const SCRATCH: k8s.VolumeMount = { name: 'tmp', mountPath: '/tmp' };
const GRACE = Duration.minutes(2);
const DEFAULTS: Required<ContainerResources> = { cpuRequest: '250m', cpuLimit: '2', memoryRequest: Size.mebibytes(512), memoryLimit: Size.gibibytes(1) };

export interface ServerPodProps {
  readonly image: string;
  readonly images: ImageSource;
  readonly settings: PodSettings;
  readonly resources?: ContainerResources;
  readonly scratchSize?: Size;
  readonly process: ServerProcess;
  readonly script: IStartupScript;
  readonly port: number;
  /** Path of the page that tells whether the server answers. */
  readonly healthPath: string;
  readonly envFrom?: k8s.EnvFromSource[];
  readonly labels: Labels;
  readonly podLabels: Labels;
}

/** The pods of the tracking server: its container, and what is added to it until synth. */
export class ServerPod {
  public serviceAccountName?: string;

  private readonly resources: k8s.ResourceRequirements;
  private readonly annotations: Labels = {};
  private readonly scratch: k8s.Volume;
  private readonly volumes: k8s.Volume[] = [];
  private readonly mounts: k8s.VolumeMount[] = [];
  private readonly sidecars: k8s.Container[] = [];
  private readonly owners = new Map<string, Owner>();
  private startSeconds = START_SECONDS;
  private graceSeconds: number;

  public constructor(
    private readonly checks: PropChecks,
    private readonly props: ServerPodProps,
  ) {
    const scratchSize = checks.size('scratchSize', props.scratchSize ?? Size.gibibytes(10));
    this.resources = containerResources(checks, props.resources, DEFAULTS, `${Math.ceil(quantity(scratchSize) / 1024 ** 2) + 256}Mi`);
    this.graceSeconds = props.settings.terminationGracePeriod ?? GRACE.toSeconds();
    const { script } = props;
    this.scratch = emptyDir('tmp', scratchSize);
    const itself = 'the server itself';
    this.addAnnotation(itself, 'checksum/startup-script', script.checksum);
    this.addVolume(itself, { name: 'startup-script', configMap: { name: script.configMapName, defaultMode: 0o755 } }, [
      { name: 'startup-script', mountPath: script.mountPath, subPath: script.key, readOnly: true },
    ]);
    for (const taken of ['volume tmp', `mount ${SCRATCH.mountPath}`, 'container mlflow']) this.owners.set(taken, itself);
  }

  public addVolume(owner: Owner, volume: k8s.Volume, mounts: k8s.VolumeMount[]): void {
    checkVolume(this.checksOf(owner), propOf('addVolume', owner), volume);
    if (this.take('addVolume', owner, `volume ${volume.name}`)) this.volumes.push(volume);
    this.addMounts(owner, [volume], mounts);
  }

  public addVolumes(owner: Owner, volumes: k8s.Volume[] = [], mounts: k8s.VolumeMount[] = []): void {
    for (const volume of volumes) this.addVolume(owner, volume, []);
    this.addMounts(owner, volumes, mounts);
  }

  public addSidecar(owner: Owner, container: k8s.Container): void {
    if (this.take('addSidecar', owner, `container ${container.name}`)) this.sidecars.push(container);
  }

  public addAnnotation(owner: Owner, name: string, value: string): void {
    if (this.take('addPodAnnotation', owner, `annotation ${name}`, 'each annotation is set once')) this.annotations[name] = value;
  }

  public allowStartup(seconds: number): void {
    this.startSeconds += seconds;
  }

  public allowTermination(seconds: number): void {
    this.graceSeconds = Math.max(this.graceSeconds, seconds);
  }

  /** Seconds in which a new pod has to be ready, where the start may take longer than Kubernetes expects by itself. */
  public get progressDeadline(): number | undefined {
    const seconds = this.startSeconds + 60;
    return seconds > PROGRESS_DEADLINE ? seconds : undefined;
  }

  /** The template of the pods. `several` says whether there may be more than one of them. */
  public template(several: boolean): k8s.PodTemplateSpec {
    const { image, images, settings, process, script, port, envFrom, podLabels } = this.props;
    const health = { httpGet: { path: this.props.healthPath, port: k8s.IntOrString.fromString('http') } };
    const spec = settings.complete({
      ...(this.serviceAccountName === undefined ? {} : { serviceAccountName: this.serviceAccountName }),
      ...settings.placement(podLabels, several),
      automountServiceAccountToken: false,
      // a Service called "mlflow" would set MLFLOW_PORT=tcp://…, which the server takes for its port
      enableServiceLinks: false,
      securityContext: POD_SECURITY,
      containers: [
        {
          name: 'mlflow',
          image,
          imagePullPolicy: images.pullPolicy,
          command: ['python3', script.mountPath],
          args: process.args,
          env: process.env,
          envFrom,
          ports: [{ name: 'http', containerPort: port }],
          lifecycle: { preStop: { exec: { command: ['python3', '-c', `import time; time.sleep(${DRAIN_SECONDS})`] } } },
          startupProbe: { ...health, periodSeconds: 2, timeoutSeconds: 5, failureThreshold: Math.ceil(this.startSeconds / 2) },
          readinessProbe: { ...health, periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3 },
          // a page is answered by threads that long transfers hold: a server that is busy is unready for a while, and not dead
          livenessProbe: { tcpSocket: { port: k8s.IntOrString.fromString('http') }, periodSeconds: 15, timeoutSeconds: 10, failureThreshold: 8 },
          resources: this.resources,
          securityContext: CONTAINER_SECURITY,
          terminationMessagePolicy: 'FallbackToLogsOnError',
          volumeMounts: [...this.mounts, SCRATCH],
        },
        ...settings.restricted('addSidecar', this.sidecars),
      ],
      volumes: [...this.volumes, this.scratch],
    });
    return {
      metadata: { labels: settings.labels(this.props.labels), annotations: settings.annotations(this.annotations) },
      spec: { ...spec, terminationGracePeriodSeconds: this.graceSeconds },
    };
  }

  /** Gives an owner what there is once; false where it has another owner already, which is a fault of this one. */
  public take(port: string, owner: Owner, what: string, rule = 'in a pod each volume and each container has a name of its own, and each mount a path of its own'): boolean {
    const other = this.owners.get(what);
    this.owners.set(what, other ?? owner);
    if (other !== undefined) {
      this.checksOf(owner).fault({
        prop: propOf(port, owner),
        value: what,
        rule: `${rule}, and ${named(other)} has this one`,
        fix: `take another, or leave it to ${named(other)}`,
      });
    }
    return other === undefined;
  }

  private addMounts(owner: Owner, volumes: k8s.Volume[], mounts: k8s.VolumeMount[]): void {
    for (const mount of mounts) {
      if (volumes.every(({ name }) => name !== mount.name)) {
        this.checksOf(owner).fault({
          prop: propOf('addVolume', owner),
          value: `mount ${mount.mountPath} of a volume ${mount.name}`,
          rule: 'a mount is of the volume that comes with it (https://kubernetes.io/docs/concepts/storage/volumes/)',
          fix: `give it the name of ${volumes.map(({ name }) => name).join(' or ') || 'a volume that comes with it'}`,
        });
      } else if (this.take('addVolume', owner, `mount ${mount.mountPath}`)) this.mounts.push(mount);
    }
  }

  private checksOf(owner: Owner): PropChecks {
    return typeof owner === 'string' ? this.checks : new PropChecks(owner as Construct);
  }
}

/** What a fault is of: the prop that is the owner, or the port that it used. */
function propOf(port: string, owner: Owner): string {
  return typeof owner === 'string' ? owner.replace('the prop ', '') : port;
}
