import { Duration, Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import { BackupOptions } from './backup-options';
import { secondStore } from '../artifact-store/second-store';
import { Cluster } from '../kube/cluster';
import { containerResources, emptyDir } from '../kube/pod';
import { scratch } from '../kube/scratch';
import { Images } from '../options/images';
import { ContainerResources } from '../options/resources';
import { PreflightPod } from '../preflight/preflight-pod';
import { ITrackingServer } from '../tracking-server/server';
import { connectingPod, storeEgress } from '../tracking-server/store-clients';
import { PropChecks } from '../validation/prop-checks';
import { k8s } from '../../imports/k8s';

/** Where the programs of the backup are: beside those of the preflight, which they import. */
const PROGRAMS: k8s.VolumeMount = { name: 'backup', mountPath: '/app/mlflow_backup' };
const HANDOVER: k8s.VolumeMount = { name: 'handover', mountPath: '/handover' };
const SCRATCH: k8s.VolumeMount = { name: 'scratch', mountPath: '/scratch' };
const MC: k8s.VolumeMount = { name: 'mc', mountPath: '/mc' };
const TMP: k8s.VolumeMount = { name: 'tmp', mountPath: '/tmp' };
/** Before the names of the variables, volumes and paths of the destination: PREFIX of `bucket.py`. */
export const DESTINATION = { variable: 'BACKUP_', volume: 'backup-', path: '/backup' };
/** What the programs read of the settings of the preflight. */
const STARTUP = ['STARTUP_DEADLINE_SECONDS', 'STARTUP_DEPLOYMENT', 'STARTUP_SOURCES', 'STARTUP_USER_MAY_COME_LATE'];

/** What a pod of the backup is made of. */
export interface BackupPodProps {
  readonly server: ITrackingServer;
  readonly options: BackupOptions;
  /** ConfigMap with the programs. */
  readonly programs: k8s.KubeConfigMap;
  /** The label of its pods, and what stands behind the name of the server in its name. */
  readonly component: string;
  readonly defaults: Required<ContainerResources>;
}

/** A pod with programs of the backup, which connects to the destination, and to the stores of the server, too. */
export class BackupPod {
  public readonly beside: PreflightPod;
  private readonly images: { readonly postgres: string; readonly mc: string };
  private readonly resources: k8s.ResourceRequirements;
  private readonly scratch: k8s.Volume;
  private readonly deadline: string;

  public constructor(
    owner: Construct,
    checks: PropChecks,
    private readonly props: BackupPodProps,
  ) {
    const { server, options, component, defaults } = props;
    this.beside = new PreflightPod(owner, checks, server, component, component);
    this.images = {
      postgres: this.beside.images.of('postgresImage', options.postgresImage ?? Images.POSTGRES),
      mc: this.beside.images.of('mcImage', options.mcImage ?? Images.MINIO),
    };
    const { volume, diskLimit } = scratch(checks, SCRATCH.name, {
      scratchSize: options.scratchSize,
      scratchVolume: options.scratchVolume,
      platform: new Cluster(PropChecks.unheard(), server.options.cluster).platform,
      podLabels: this.beside.podLabels,
    });
    this.scratch = volume;
    this.resources = containerResources(checks, options.resources, defaults, diskLimit);
    this.deadline = String(checks.seconds('preflight.startupDeadline', server.options.preflight?.startupDeadline ?? Duration.minutes(5)));
  }

  /** A container that runs steps of the package. */
  public python(name: string, steps: string[], further: k8s.EnvVar[] = []): k8s.Container {
    const { server } = this.props;
    const container = this.beside.container(name, steps, [...this.environment(), ...further], [PROGRAMS, HANDOVER, SCRATCH, MC, ...this.mounts]);
    return { ...container, command: ['python3', PROGRAMS.mountPath], envFrom: server.options.envFrom, resources: this.resources };
  }

  /** A container with the tools of PostgreSQL. */
  public postgres(name: string, step: string, further: k8s.EnvVar[] = []): k8s.Container {
    const { backendStore } = this.props.server;
    const env = [...backendStore.environment, { name: 'DATABASE_URI', value: backendStore.uri ?? '' }, { name: 'DEADLINE_SECONDS', value: this.deadline }];
    return this.shell(name, this.images.postgres, ['backup-database.sh', step], [...env, ...folders(), ...further], [HANDOVER, SCRATCH, ...(backendStore.volumeMounts ?? [])]);
  }

  /** A container with mc. */
  public mc(name: string, step: string): k8s.Container {
    return this.shell(name, this.images.mc, ['copy-objects.sh', step], folders(), [HANDOVER, MC]);
  }

  /** The pod: steps one after the other, of which each needs that the one before went well. */
  public podSpec(steps: () => k8s.Container[]): k8s.PodSpec {
    const { server } = this.props;
    return connectingPod(server, () => {
      const all = steps();
      return {
        ...this.beside.spec(),
        serviceAccountName: Lazy.any({ produce: () => server.serviceAccountName }) as unknown as string,
        restartPolicy: 'Never',
        initContainers: all.slice(0, -1),
        containers: all.slice(-1),
        volumes: [
          this.beside.files.volume,
          { name: PROGRAMS.name, configMap: { name: this.props.programs.name } },
          emptyDir(HANDOVER.name, '1Gi'),
          // it has keys in it
          emptyDir(MC.name, '1Mi', true),
          emptyDir(TMP.name, '512Mi'),
          this.scratch,
          ...this.stores.flatMap(({ volumes = [] }) => volumes),
          ...this.destination.volumes,
        ],
      };
    }, this.beside.isExtra);
  }

  /** NetworkPolicy of the pods, and that they are let in. */
  public connect(): k8s.KubeNetworkPolicy | undefined {
    const { server, options } = this.props;
    const all = [...this.stores, options.destination];
    for (const store of all) store.connections?.allowFromPods(this.beside.podLabels);
    return this.beside.policy(...storeEgress(server, ...all));
  }

  private get stores() {
    return [this.props.server.artifactStore, this.props.server.backendStore];
  }

  private get destination() {
    return secondStore(this.props.options.destination, DESTINATION);
  }

  private get mounts(): k8s.VolumeMount[] {
    return [...this.stores.flatMap(({ volumeMounts = [] }) => volumeMounts), ...this.destination.volumeMounts];
  }

  private environment(): k8s.EnvVar[] {
    const { server, options } = this.props;
    return [
      ...server.artifactStore.environment,
      ...server.backendStore.environment,
      ...this.destination.environment,
      { name: 'BACKUP_DESTINATION', value: options.destination.artifactsDestination },
      { name: 'BACKUP_STARTUP_SOURCES', value: sourcesOf(options.destination.environment) },
      { name: 'ARTIFACTS_DESTINATION', value: server.artifactStore.artifactsDestination },
      { name: 'DATABASE_URI', value: server.backendStore.uri ?? '' },
      ...folders(),
      ...this.beside.files.environment().filter(({ name }) => STARTUP.includes(name)),
    ];
  }

  private shell(name: string, image: string, [script, ...args]: string[], env: k8s.EnvVar[], mounts: k8s.VolumeMount[]): k8s.Container {
    return {
      ...this.beside.restricted,
      name,
      image,
      resources: this.resources,
      command: ['/bin/bash', `${PROGRAMS.mountPath}/${script}`, ...args],
      env: [...env, { name: 'HOME', value: '/tmp' }],
      volumeMounts: [PROGRAMS, TMP, ...mounts],
    };
  }
}

function folders(): k8s.EnvVar[] {
  return [
    { name: 'HANDOVER_FOLDER', value: HANDOVER.mountPath },
    { name: 'SCRATCH_FOLDER', value: SCRATCH.mountPath },
    { name: 'MC_CONFIG_DIR', value: MC.mountPath },
  ];
}

/** Where each value comes from, so that a message can name the key of the Secret. */
export function sourcesOf(environment: k8s.EnvVar[]): string {
  const references = environment.flatMap(({ name, valueFrom }) => (valueFrom?.secretKeyRef ? [[name, `key ${valueFrom.secretKeyRef.key} of Secret ${valueFrom.secretKeyRef.name}`]] : []));
  return JSON.stringify(Object.fromEntries(references));
}
