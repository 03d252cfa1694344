import { Duration, Size } from 'cdk8s';
import { Construct } from 'constructs';
import { Layer, Owner, ServerProcess, named } from './process';
import { FurtherPods } from './server';
import { IStartupScript } from './startup-script';
import type { JobExecution } from '../features/job-execution';
import { ImageSource } from '../kube/image-source';
import { CONTAINER_SECURITY, POD_SECURITY, containerResources } from '../kube/pod';
import { PodSettings, checkVolume } from '../kube/pod-settings';
import { scratch } from '../kube/scratch';
import { ContainerResources } from '../options/resources';
import { ScratchVolume } from '../options/scratch-volume';
import { PropChecks } from '../validation/prop-checks';
import { k8s } from '../../imports/k8s';

interface Labels { [key: string]: string }

/** Seconds until the first answer of the server, at the most. */
const START_SECONDS = 120;
/** Seconds in which endpoints learn that a pod goes, which on a busy node takes more than 5: until then requests still come, and are served. */
const DRAIN_SECONDS = 10;
/** What is left of the time after that is for transfers that are not over, to take back what they have stored. */
const LAST_SECONDS = 15;
const GRACEFUL = 'UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN';
/** By this file the server knows that the pod is asked to stop. */
const STOPPING = '/tmp/stopping';
/** Seconds after which Kubernetes takes a rollout for failed, unless it is told otherwise. */
const PROGRESS_DEADLINE = 600;
const LAST_PORT = 65535;
const SCRATCH: k8s.VolumeMount = { name: 'tmp', mountPath: '/tmp' };
const GRACE = Duration.minutes(4);
const DEFAULTS: Required<ContainerResources> = { cpuRequest: '250m', cpuLimit: '2', memoryRequest: Size.mebibytes(512), memoryLimit: Size.gibibytes(1) };

export interface ServerPodProps {
  readonly image: string;
  readonly images: ImageSource;
  readonly settings: PodSettings;
  readonly resources?: ContainerResources;
  readonly scratchSize?: Size;
  readonly scratchVolume?: ScratchVolume;
  /** What runs the cluster. */
  readonly platform: string;
  readonly process: ServerProcess;
  readonly script: IStartupScript;
  readonly jobs: JobExecution;
  readonly port: number;
  /** Path of the page that tells whether the server answers. */
  readonly healthPath: string;
  readonly envFrom?: k8s.EnvFromSource[];
  readonly labels: Labels;
  readonly podLabels: Labels;
}

/** Pods of another Deployment, whose construct tells what is wrong in them. */
export interface Further extends FurtherPods {
  readonly checks: PropChecks;
}

/** A container that takes the port of the server in its pods. */
interface Front {
  readonly container: k8s.Container;
  readonly volumes: k8s.Volume[];
}

/** The pods of the tracking server: its container, and what is added to it until synth. */
export class ServerPod {
  public serviceAccountName?: string;

  private readonly annotations: Labels = {};
  private readonly scratch: k8s.Volume;
  private readonly diskLimit: string;
  private readonly volumes: k8s.Volume[] = [];
  private readonly mounts: k8s.VolumeMount[] = [];
  private readonly sidecars: k8s.Container[] = [];
  private readonly clients: k8s.Container[] = [];
  private readonly owners = new Map<string, Owner>();
  private front?: Front;
  private startSeconds = START_SECONDS;
  private graceSeconds: number;

  public constructor(
    private readonly checks: PropChecks,
    private readonly props: ServerPodProps,
  ) {
    const { volume, diskLimit } = scratch(checks, 'tmp', props);
    this.diskLimit = diskLimit;
    this.graceSeconds = props.settings.terminationGracePeriod ?? GRACE.toSeconds();
    const { script, process } = props;
    const graceful = () => ({ name: GRACEFUL, value: String(Math.max(1, this.graceSeconds - DRAIN_SECONDS - LAST_SECONDS)) });
    process.variable(Layer.SETTINGS, 'the prop pod.terminationGracePeriod', GRACEFUL, graceful);
    this.scratch = volume;
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

  /** Adds a container that is there before the server and longer, and that other pods have as well. */
  public addClient(owner: Owner, container: k8s.Container): void {
    if (this.take('addSidecar', owner, `container ${container.name}`)) this.clients.push(container);
  }

  /** Puts a container before the server, which then listens at another port. */
  public addFront(owner: Owner, container: k8s.Container, volumes: k8s.Volume[]): void {
    const free = ['port http', `container ${container.name}`, ...volumes.map(({ name }) => `volume ${name}`)].map((what) => this.take('addFront', owner, what));
    if (free.every(Boolean)) this.front = { container, volumes };
  }

  /** Port at which the process of the server listens. */
  public get processPort(): number {
    const { port } = this.props;
    if (this.front === undefined) return port;
    return port === LAST_PORT ? port - 1 : port + 1;
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

  /** The template of the pods. `several` says whether there may be more than one of them; `further` are others of the same server. */
  public template(several: boolean, further?: Further): k8s.PodTemplateSpec {
    const { image, images, settings, process, script, jobs, envFrom } = this.props;
    const { labels, podLabels } = further ?? this.props;
    const front = further === undefined ? this.front : undefined;
    const containerPort = front === undefined ? this.props.port : this.processPort;
    const port = k8s.IntOrString.fromString(front === undefined ? 'http' : 'mlflow');
    const health = { httpGet: { path: this.props.healthPath, port } };
    const own = further === undefined ? this.props.resources : (further.resources ?? this.props.resources);
    const resources = containerResources(further?.checks ?? this.checks, own, further === undefined ? jobs.resources(DEFAULTS) : DEFAULTS, this.diskLimit);
    const spec = settings.complete({
      ...(this.serviceAccountName === undefined ? {} : { serviceAccountName: this.serviceAccountName }),
      ...settings.placement(podLabels, several),
      automountServiceAccountToken: false,
      // a Service called "mlflow" would set MLFLOW_PORT=tcp://…, which the server takes for its port
      enableServiceLinks: false,
      securityContext: POD_SECURITY,
      ...(this.clients.length > 0 && { initContainers: settings.restricted('storeClients.sidecars', this.clients).map((container) => ({ ...container, restartPolicy: 'Always' })) }),
      containers: [
        {
          name: 'mlflow',
          image,
          imagePullPolicy: images.pullPolicy,
          command: ['python3', script.mountPath],
          args: further === undefined ? process.args : process.args.map((argument) => (argument === `--port=${this.processPort}` ? `--port=${containerPort}` : argument)),
          env: further === undefined ? process.env : replaced(process.env, further.variables ?? []),
          envFrom,
          ports: [{ name: port.value as string, containerPort }],
          lifecycle: { preStop: { exec: { command: ['python3', '-c', `${further === undefined ? jobs.farewell : ''}import time; open("${STOPPING}", "w").close(); time.sleep(${DRAIN_SECONDS})`] } } },
          startupProbe: { ...health, periodSeconds: 2, timeoutSeconds: 5, failureThreshold: Math.ceil(this.startSeconds / 2) },
          readinessProbe: { ...health, periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3 },
          // a page is answered by threads that long transfers hold: a server that is busy is unready for a while, and not dead
          livenessProbe: { tcpSocket: { port }, periodSeconds: 15, timeoutSeconds: 10, failureThreshold: 8 },
          resources,
          securityContext: CONTAINER_SECURITY,
          terminationMessagePolicy: 'FallbackToLogsOnError',
          volumeMounts: [...this.mounts, SCRATCH],
        },
        ...(front === undefined ? [] : settings.restricted('addFront', [{ ...front.container, ports: [{ name: 'http', containerPort: this.props.port }] }])),
        ...settings.restricted('addSidecar', this.sidecars),
      ],
      volumes: [...this.volumes, this.scratch, ...(front?.volumes ?? [])],
    });
    return {
      metadata: { labels: settings.labels(labels), annotations: settings.annotations(this.annotations) },
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

/** Variables, of which some have another value. */
function replaced(variables: k8s.EnvVar[], others: k8s.EnvVar[]): k8s.EnvVar[] {
  return variables.map((variable) => others.find(({ name }) => name === variable.name) ?? variable);
}

/** What a fault is of: the prop that is the owner, or the port that it used. */
function propOf(port: string, owner: Owner): string {
  return typeof owner === 'string' ? owner.replace('the prop ', '') : port;
}
