import { ApiObject, Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import { IBackendStore } from './backend-store';
import { CloudNativePgBackup, CloudNativePgMonitoring, CloudNativePgProps } from './cloud-native-pg-options';
import { ExternalPostgres } from './external-postgres';
import { identifier } from './postgres-names';
import { PostgresMemory } from './postgres-memory';
import { Cluster } from '../kube/cluster';
import { Connections, tcp } from '../kube/connections';
import { ImageSource } from '../kube/image-source';
import { Part, labels } from '../kube/labels';
import { networkPolicyOptions, podPolicy } from '../kube/network';
import { CloudNativePgCluster, NetworkPolicy, PodMonitor, ScheduledBackup } from '../kube/objects';
import { containerResources } from '../kube/pod';
import { PodSettings } from '../kube/pod-settings';
import { PROMETHEUS, goodPeers } from '../kube/policy-peers';
import { Images } from '../options/images';
import { PodOptions } from '../options/pod-options';
import { Credentials, ICredentials } from '../secrets/credentials';
import { neededConnections } from '../store/connection-demand';
import { maxConnections } from '../store/external-store';
import { STORE_SIZE, storeName } from '../store/store';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { checkSchedule } from '../validation/schedule';
import { rejectTakenNames } from '../validation/unique-names';
import {
  ClusterSpec,
  ClusterSpecBackup,
  ClusterSpecEphemeralVolumesSizeLimit,
  ClusterSpecPlugins,
  ClusterSpecPostgresqlSynchronousDataDurability,
  ClusterSpecPostgresqlSynchronousMethod,
  ClusterSpecResources,
} from '../../imports/cnpgcluster-postgresql.cnpg.io';
import { k8s } from '../../imports/k8s';
import { ScheduledBackupSpec, ScheduledBackupSpecBackupOwnerReference, ScheduledBackupSpecMethod, ScheduledBackupSpecTarget } from '../../imports/scheduledbackup-postgresql.cnpg.io';

const DEFAULT_NAME = 'postgres';
const PORT = 5432;
/** Where the operator asks an instance how it is. */
const STATUS_PORT = 8000;
const METRICS_PORT = 9187;
const BARMAN = 'barman-cloud.cloudnative-pg.io';
/** What goes beside the data of a container: the operator's own temporary files. */
const TEMPORARY = '1Gi';
const SHAPE: Shape<CloudNativePgProps> = {
  name: 'value',
  namespace: 'value',
  instance: 'value',
  instances: 'value',
  synchronousReplicas: 'value',
  image: 'value',
  images: {},
  database: 'value',
  username: 'value',
  storageSize: 'value',
  storageClassName: 'value',
  walStorageSize: 'value',
  resources: {},
  maxConnections: 'value',
  readReplica: 'value',
  backup: {},
  monitoring: {},
  pod: {},
  networkPolicy: {},
  operatorNamespace: 'value',
  cluster: {},
};
const BACKUP: Shape<CloudNativePgBackup> = { schedule: 'value', objectStoreName: 'value', volumeSnapshotClassName: 'value' };
const MONITORING: Shape<CloudNativePgMonitoring> = { labels: 'labels', scrapeInterval: 'value', scrapers: 'list' };
/** What of the pods is the operator's. */
const NOT_OURS: (keyof PodOptions)[] = ['affinity', 'volumes', 'volumeMounts', 'initContainers', 'sidecars', 'bootstrapResources', 'terminationGracePeriod'];

/**
 * PostgreSQL by the operator CloudNativePG as backend store: one instance that is written to, copies of it of which one takes over,
 * backups, and metrics. The operator makes user, password and certificates; the tracking server checks whom it talks to. Without
 * the operator in the cluster the manifests cannot be applied.
 *
 * @see https://cloudnative-pg.io/documentation/current/
 */
export class CloudNativePg extends Construct implements IBackendStore {
  public readonly uri?: string;
  public readonly environment: k8s.EnvVar[];
  public readonly secretNamespace?: string;
  public readonly volumes?: k8s.Volume[];
  public readonly volumeMounts?: k8s.VolumeMount[];
  public readonly egress?: k8s.NetworkPolicyEgressRule[];

  /** Who may connect to the instances. */
  public readonly connections?: Connections;

  /** Connections that each instance takes, where `maxConnections` says it. */
  public readonly maxConnections?: number;

  /** Name of the cluster of PostgreSQL. */
  public readonly name: string;

  /** Namespace of all objects. */
  public readonly namespace: string;

  /** Host name of the instance that is written to: the Service `<name>-rw`. */
  public readonly host: string;

  /** Host name of its copies: the Service `<name>-ro`. */
  public readonly readOnlyHost: string;

  /** Port of the instances. */
  public readonly port: number = PORT;

  /** Name of the database. */
  public readonly database: string;

  /** Owner of the database, with whom the tracking server logs in: the operator's Secret `<name>-app`. */
  public readonly credentials: ICredentials;

  /** Labels that select the pods. */
  public readonly podLabels: { [key: string]: string };

  /** The object that the operator makes all else from: a `Cluster` of `postgresql.cnpg.io`. */
  public readonly cluster: ApiObject;

  /** ScheduledBackup `<name>`, where `backup` is given. */
  public readonly scheduledBackup?: ApiObject;

  /** PodMonitor `<name>`, where `monitoring` is given. */
  public readonly podMonitor?: ApiObject;

  /** NetworkPolicy of the instances for their clients, where `networkPolicy.enabled` is true. */
  public readonly networkPolicy?: k8s.KubeNetworkPolicy;

  /** NetworkPolicy `<name>-operator` of the instances for the operator, for each other and for Prometheus. */
  public readonly operatorNetworkPolicy?: k8s.KubeNetworkPolicy;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props instances, database, volumes and backups
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: CloudNativePgProps = {}) {
    super(place(scope, id), id);
    const checks = new PropChecks(this);
    props = checks.props(props, SHAPE);
    const name = props.name ?? DEFAULT_NAME;
    // what is wrong in a name is told once, and not of all that has its name from it
    this.name = checks.passes(() => storeName(checks, name)) ? name : DEFAULT_NAME;
    this.namespace = checks.namespace(this, props.namespace);
    this.database = identifier(checks, 'database', props.database ?? 'mlflow', ['postgres', 'template0', 'template1']);
    this.maxConnections = maxConnections(checks, 'maxConnections', props.maxConnections);
    this.podLabels = { 'cnpg.io/cluster': this.name };
    new Cluster(checks, props.cluster);
    const images = new ImageSource(checks, props.images);
    const image = images.of('image', props.image ?? Images.CLOUD_NATIVE_PG);
    const part: Part = {
      name: 'postgresql',
      instance: props.instance === undefined ? this.name : checks.labelValue('instance', props.instance),
      component: 'backend-store',
      image,
    };
    const metadata = { name: this.name, namespace: this.namespace, labels: labels(part) };
    const backup = props.backup && checkBackup(checks, checks.props(props.backup, BACKUP, 'backup.'));

    // what the certificates of the operator have in every version: the names without the domain of the cluster
    const service = (suffix: string) => `${this.name}-${suffix}.${this.namespace}.svc`;
    this.host = service('rw');
    this.readOnlyHost = service('ro');
    this.credentials = Credentials.fromSecretName(this, 'AppUser', `${this.name}-app`, { namespace: this.namespace });
    const instances = checks.count('instances', props.instances ?? 3, 'the number of instances');
    const client = new ExternalPostgres(this, 'Client', {
      host: this.host,
      database: this.database,
      credentials: this.credentials,
      tls: { ca: { secretName: `${this.name}-ca` } },
      readReplica: readReplica(checks, props.readReplica ?? false, instances) ? { host: this.readOnlyHost } : undefined,
    });
    this.uri = client.uri;
    this.environment = client.environment;
    this.secretNamespace = client.secretNamespace;
    this.volumes = client.volumes;
    this.volumeMounts = client.volumeMounts;

    const network = networkPolicyOptions(checks, props.networkPolicy);
    this.connections = new Connections({ podLabels: this.podLabels, ports: [PORT], isolated: true });
    this.egress = [this.connections.toThese];

    this.cluster = new CloudNativePgCluster(this, 'Cluster', { metadata, spec: { ...this.spec(checks, props, images, image, instances), ...backup?.cluster } });
    this.node.defaultChild = this.cluster;
    if (backup) this.scheduledBackup = new ScheduledBackup(this, 'ScheduledBackup', { metadata, spec: { ...backup.spec, cluster: { name: this.name } } });
    const monitoring = props.monitoring && checks.props(props.monitoring, MONITORING, 'monitoring.');
    if (monitoring) {
      const interval = monitoring.scrapeInterval && `${checks.seconds('monitoring.scrapeInterval', monitoring.scrapeInterval)}s`;
      this.podMonitor = new PodMonitor(this, 'PodMonitor', {
        metadata: { ...metadata, labels: { ...monitoring.labels, ...metadata.labels } },
        spec: { selector: { matchLabels: this.podLabels }, podMetricsEndpoints: [{ port: 'metrics', interval }] },
      });
    }
    rejectTakenNames(this, 'name', 'give each store of the namespace, or each stack, its own name');

    const operatorNamespace = checks.objectName('operatorNamespace', props.operatorNamespace ?? 'cnpg-system');
    if (network === undefined) return;
    if (network.clients !== undefined) this.connections.allowFrom(...network.clients);
    // to the API server, to the other instances, and to where the backups are
    this.connections.allowTo({});
    this.networkPolicy = podPolicy(this, 'NetworkPolicy', { ...metadata, connections: this.connections });
    const scrapers = monitoring && goodPeers(checks, 'monitoring.scrapers', monitoring.scrapers ?? [PROMETHEUS]);
    const operator = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': operatorNamespace } } };
    this.operatorNetworkPolicy = new NetworkPolicy(this, 'OperatorNetworkPolicy', {
      metadata: { ...metadata, name: `${this.name}-operator` },
      spec: {
        podSelector: { matchLabels: this.podLabels },
        policyTypes: ['Ingress'],
        ingress: [
          { from: [operator, { podSelector: { matchLabels: this.podLabels } }], ports: tcp([PORT, STATUS_PORT]) },
          ...(scrapers === undefined ? [] : [{ from: scrapers, ports: tcp([METRICS_PORT]) }]),
        ],
      },
    });
  }

  private spec(checks: PropChecks, props: CloudNativePgProps, images: ImageSource, imageName: string, instances: number): ClusterSpec {
    const memory = new PostgresMemory(this, props.resources);
    const { requests, limits } = containerResources(checks, props.resources, memory.defaults, TEMPORARY);
    const storageClass = checks.storageClassName(props.storageClassName);
    const username = identifier(checks, 'username', props.username ?? 'mlflow', ['postgres', 'streaming_replica']);
    const number = synchronous(checks, props.synchronousReplicas, instances);
    for (const prop of NOT_OURS) {
      if (props.pod?.[prop] !== undefined) {
        checks.fault({
          prop: `pod.${prop}`,
          value: props.pod[prop],
          hidden: true,
          rule: 'the operator makes the pods, and takes labels, annotations, nodeSelector, tolerations, topologySpread and priorityClassName for them (https://cloudnative-pg.io/documentation/current/scheduling/)',
          fix: 'leave it out, or add what the operator knows of it to the field `cluster` of this construct by a JsonPatch',
        });
      }
    }
    const pod = new PodSettings(checks, props.pod, images);
    const { nodeSelector, tolerations, topologySpreadConstraints, priorityClassName } = pod.placement(this.podLabels);
    const [podLabels, annotations] = [pod.labels({}), pod.annotations()];
    return {
      instances,
      imageName,
      imagePullPolicy: images.pullPolicy,
      imagePullSecrets: images.pullSecrets?.map(({ name }) => ({ name: name! })),
      inheritedMetadata: Object.keys(podLabels).length === 0 && annotations === undefined ? undefined : { labels: podLabels, annotations },
      bootstrap: { initdb: { database: this.database, owner: username, dataChecksums: true } },
      postgresql: {
        parameters: { max_connections: Lazy.any({ produce: () => String(this.maxConnections ?? neededConnections(this)) }) as unknown as string },
        synchronous: number === 0 ? undefined : { method: ClusterSpecPostgresqlSynchronousMethod.ANY, number, dataDurability: ClusterSpecPostgresqlSynchronousDataDurability.REQUIRED },
      },
      storage: { size: checks.size('storageSize', props.storageSize ?? STORE_SIZE), storageClass },
      walStorage: props.walStorageSize && { size: checks.size('walStorageSize', props.walStorageSize), storageClass },
      resources: { requests, limits: { ...limits, memory: memory.limit ?? limits!.memory } } as unknown as ClusterSpecResources,
      ephemeralVolumesSizeLimit: { shm: memory.shared } as unknown as ClusterSpecEphemeralVolumesSizeLimit,
      affinity: { enablePodAntiAffinity: true, podAntiAffinityType: 'preferred', topologyKey: 'kubernetes.io/hostname', nodeSelector, tolerations },
      topologySpreadConstraints,
      priorityClassName,
      enableSuperuserAccess: false,
    };
  }
}

function readReplica(checks: PropChecks, given: boolean, instances: number): boolean {
  const wanted = checks.flag('readReplica', given);
  if (wanted && instances < 2) {
    checks.fault({ prop: 'readReplica', value: given, rule: `it takes a copy to read from, and instances = ${instances} has none`, fix: 'raise instances, or leave readReplica out' });
  }
  return wanted;
}

function synchronous(checks: PropChecks, given: number | undefined, instances: number): number {
  if (given === undefined) return instances > 2 ? 1 : 0;
  if (!Number.isInteger(given) || given < 0 || given >= instances) {
    checks.fault({
      prop: 'synchronousReplicas',
      value: given,
      rule: `it is a whole number from 0 to the number of copies, here ${instances - 1}: with more no write would ever be acknowledged (https://cloudnative-pg.io/documentation/current/replication/#synchronous-replication)`,
      fix: 'pass such a number, or raise instances',
    });
  }
  return given;
}

interface Backup {
  /** What the cluster says of it. */
  readonly cluster: { readonly backup?: ClusterSpecBackup; readonly plugins?: ClusterSpecPlugins[] };
  readonly spec: Omit<ScheduledBackupSpec, 'cluster'>;
}

function checkBackup(checks: PropChecks, { schedule: given, objectStoreName, volumeSnapshotClassName }: CloudNativePgBackup): Backup {
  const schedule = withSeconds(checkSchedule(checks, 'backup.schedule', checks.required('backup.schedule', given, '0 3 * * *', 'when there is one', '"0 3 * * *"')));
  if ((objectStoreName === undefined) === (volumeSnapshotClassName === undefined)) {
    checks.fault({
      prop: 'backup',
      value: objectStoreName === undefined ? 'neither of objectStoreName and volumeSnapshotClassName' : 'both objectStoreName and volumeSnapshotClassName',
      rule: 'a backup goes to an object store or is a snapshot of the volumes (https://cloudnative-pg.io/documentation/current/backup/)',
      fix: 'pass one of the two, such as objectStoreName: "backups"',
    });
  }
  const shared = { schedule, backupOwnerReference: ScheduledBackupSpecBackupOwnerReference.NONE, target: ScheduledBackupSpecTarget.PREFER_HYPHEN_STANDBY };
  if (objectStoreName === undefined) {
    const className = checks.objectName('backup.volumeSnapshotClassName', volumeSnapshotClassName ?? 'none');
    return { cluster: { backup: { volumeSnapshot: { className } } }, spec: { ...shared, method: ScheduledBackupSpecMethod.VOLUME_SNAPSHOT } };
  }
  const parameters = { barmanObjectName: checks.objectName('backup.objectStoreName', objectStoreName) };
  return {
    cluster: { plugins: [{ name: BARMAN, isWalArchiver: true, parameters }] },
    spec: { ...shared, method: ScheduledBackupSpecMethod.PLUGIN, pluginConfiguration: { name: BARMAN } },
  };
}

/** The operator's schedules begin with the seconds. */
function withSeconds(schedule: string): string {
  return schedule.startsWith('@') ? schedule : `0 ${schedule.trim()}`;
}
