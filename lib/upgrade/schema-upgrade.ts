import { Duration, Size } from 'cdk8s';
import { Construct } from 'constructs';
import { SCHEMA_BACKUP_SH } from '../assets.generated';
import { fingerprint } from '../kube/hash';
import { ConfigMap, ContentNamedJob, CronJob, PersistentVolumeClaim } from '../kube/objects';
import { claimSpec, containerResources, emptyDir } from '../kube/pod';
import { programPlace } from '../kube/programs-chart';
import { Images } from '../options/images';
import { ContainerResources, ResourcePresets } from '../options/resources';
import { PreflightPod } from '../preflight/preflight-pod';
import { STORE_SIZE } from '../store/store';
import { ofServer } from '../tracking-server/add-on';
import { ITrackingServer } from '../tracking-server/server';
import { connectingPod, storeEgress } from '../tracking-server/store-clients';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { rejectTakenNames } from '../validation/unique-names';
import { k8s } from '../../imports/k8s';

const SCRIPT = 'schema-backup.sh';
const SCRIPTS_DIR = '/scripts';
/** Where the containers of the Job hand to each other what has to be done, and what was backed up. */
const HANDOVER_DIR = '/handover';
const BACKUP_DIR = '/backup';
/** Exit code of the program where the schema is not one to upgrade, or its upgrade failed: `exits.py`. */
const EXIT_SCHEMA = 8;
/** What the programs read of the settings of the preflight. */
const STARTUP = ['STARTUP_DEADLINE_SECONDS', 'STARTUP_DEPLOYMENT', 'STARTUP_SOURCES'];
/** Controllers that remove what is no longer in the manifests leave the backup alone. */
const KEPT = { 'argocd.argoproj.io/sync-options': 'Prune=false,Delete=false', 'helm.sh/resource-policy': 'keep', 'kustomize.toolkit.fluxcd.io/prune': 'disabled' };

/** How the schema of the database is upgraded, where `preflight.upgradeSchema` of the server asks for it. */
export interface SchemaUpgradeOptions {
  /**
   * Whether the database is dumped first, with `pg_dump`, onto a volume that stays. There is no upgrade without a whole dump.
   * Pass false where you have taken a backup yourself, such as a snapshot, or where the database is no PostgreSQL.
   *
   * @default true
   * @see https://www.postgresql.org/docs/current/app-pgdump.html
   */
  readonly backup?: boolean;

  /**
   * Image with `pg_dump`, which has to be of the version of the server, or of a newer one.
   *
   * @default Images.POSTGRES
   */
  readonly backupImage?: string;

  /**
   * Size of the volume of the dumps, of which each revision of the schema has one.
   *
   * @default Size.gibibytes(10)
   */
  readonly storageSize?: Size;

  /**
   * StorageClass of this volume.
   *
   * @default - that of the cluster
   * @see https://kubernetes.io/docs/concepts/storage/storage-classes/
   */
  readonly storageClassName?: string;

  /**
   * CPU and memory of each container of the Job.
   *
   * @default ResourcePresets.SMALL
   */
  readonly resources?: ContainerResources;
}

/** Props of `SchemaUpgrade`. */
export interface SchemaUpgradeProps extends SchemaUpgradeOptions {
  /** The server whose database is upgraded. Its `preflight.upgradeSchema` is true. */
  readonly server: ITrackingServer;
}

const SHAPE: Shape<SchemaUpgradeOptions> = { backup: 'value', backupImage: 'value', storageSize: 'value', storageClassName: 'value', resources: {} };

/**
 * Upgrades the schema of the database of a tracking server, in a Job, however many pods the server has: it looks whether
 * the schema is older, dumps the database onto a volume, and upgrades it if, and only if, the dump is whole. New pods of the
 * server wait for it, and the old ones go on serving, also where it fails. No probe ends it, and SIGTERM only before it begins.
 * A Job that was killed in the middle starts anew. The suspended CronJob is for the way back.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/migration/
 * @example
 * import { App, Chart, Size } from 'cdk8s';
 * import { MlflowStack } from 'cdk8s-mlflow';
 *
 * const app = new App();
 * const chart = new Chart(app, 'mlflow', { namespace: 'mlflow' });
 * const { schemaUpgrade } = new MlflowStack(chart, 'Stack', {
 *   trackingServer: { preflight: { upgradeSchema: true } },
 *   schemaUpgrade: { storageSize: Size.gibibytes(50) },
 * });
 * console.log(`dump and upgrade: Job ${schemaUpgrade!.job.name}; the way back: CronJob ${schemaUpgrade!.restore!.name}`);
 * app.synth();
 */
export class SchemaUpgrade extends Construct {
  /** The Job `<name of the server>-schema-upgrade-<fingerprint>`. */
  public readonly job: k8s.KubeJob;

  /** PersistentVolumeClaim `<name of the server>-schema-backup`, where `backup` is true. */
  public readonly volumeClaim?: k8s.KubePersistentVolumeClaim;

  /** ConfigMap `<name of the server>-schema-backup` with the program that saves and restores; undefined with `backup: false`. */
  public readonly script?: k8s.KubeConfigMap;

  /** CronJob `<name of the server>-schema-restore`, which never runs by itself: `kubectl create job --from` takes the backup back. */
  public readonly restore?: k8s.KubeCronJob;

  /** NetworkPolicy of its pods, where `networkPolicy.enabled` of the server is true. */
  public readonly networkPolicy?: k8s.KubeNetworkPolicy;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the server, and where the backup goes
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: SchemaUpgradeProps) {
    super(place(scope, id), id);
    const { server, ...given } = ofServer(this, props);
    const { backendStore, options: shared } = server;
    const checks = new PropChecks(this, [server]);
    const options = checks.props(given, SHAPE);
    const beside = new PreflightPod(this, checks, server, 'schema-upgrade', 'schema-upgrade');
    const { metadata } = beside;
    const backupImage = beside.images.of('backupImage', options.backupImage ?? Images.POSTGRES);
    const backup = checks.flag('backup', options.backup ?? true);
    const storageSize = checks.size('storageSize', options.storageSize ?? STORE_SIZE);
    const storageClassName = checks.storageClassName(options.storageClassName);
    const resources = containerResources(checks, options.resources, ResourcePresets.SMALL as Required<ContainerResources>, '1Gi');
    const { upgradeSchema, upgradeDeadline = Duration.hours(1) } = shared.preflight ?? {};
    if (upgradeSchema !== true) {
      checks.fault({ prop: 'server', value: `a server with preflight.upgradeSchema = ${String(upgradeSchema)}`, rule: 'a schema is upgraded on purpose only', fix: 'pass preflight: { upgradeSchema: true } to the server, or leave this construct out' });
    }
    const uri = String(backendStore.uri ?? '');
    if (backup && !/^postgres(ql)?(\+\w+)?:/.test(uri)) {
      checks.fault({
        prop: 'backup',
        value: backup,
        rule: 'pg_dump backs up a PostgreSQL whose URI stands in the manifests, as Postgres and ExternalPostgres have it (https://www.postgresql.org/docs/current/app-pgdump.html)',
        fix: 'take a backup by the means of your database, and pass backup: false (schemaUpgrade: { backup: false } of MlflowStack)',
      });
    }
    for (const prop of ['backupImage', 'storageSize', 'storageClassName'] as const) {
      if (!backup && options[prop] !== undefined) checks.fault({ prop, value: options[prop], hidden: true, rule: 'with backup = false there is no dump', fix: `leave ${prop} out, or backup` });
    }

    const handover = { name: 'handover', mountPath: HANDOVER_DIR };
    const tmp = { name: 'tmp', mountPath: '/tmp' };
    const storeMounts = backendStore.volumeMounts ?? [];
    const mlflow = (name: string, args: string[], env: k8s.EnvVar[]): k8s.Container => ({ ...beside.container(name, ['upgrade', ...args, ...beside.databaseFlags], env, [handover, ...storeMounts]), resources });
    const dump = (name: string, args: string[], env: k8s.EnvVar[]): k8s.Container => ({
      name,
      image: backupImage,
      ...beside.restricted,
      resources,
      command: ['/bin/bash', `${SCRIPTS_DIR}/${SCRIPT}`, ...args],
      env,
      volumeMounts: [{ name: 'backup', mountPath: BACKUP_DIR }, { name: 'scripts', mountPath: SCRIPTS_DIR }, handover, tmp, ...storeMounts],
    });
    const environment = (): k8s.EnvVar[] => [
      ...backendStore.environment,
      ...beside.files.environment().filter(({ name }) => STARTUP.includes(name)),
      { name: 'UPGRADE_FOLDER', value: HANDOVER_DIR },
      { name: 'STARTUP_UPGRADE_SCHEMA', value: 'true' },
      { name: 'UPGRADE_BACKUP', value: String(backup) },
      { name: 'UPGRADE_JOB', value: metadata.name },
    ];
    const dumpEnvironment: k8s.EnvVar[] = [
      { name: 'DATABASE_URI', value: uri },
      { name: 'BACKUP_FOLDER', value: BACKUP_DIR },
      { name: 'DEADLINE_SECONDS', value: String(checks.seconds('preflight.startupDeadline', shared.preflight?.startupDeadline ?? Duration.minutes(5))) },
    ];
    const volumes = [emptyDir('handover', '1Mi'), emptyDir('tmp', '512Mi'), ...(backendStore.volumes ?? [])];
    const podSpec = () => ({ ...beside.spec(), restartPolicy: 'Never' });

    let backupVolumes: k8s.Volume[] = [];
    if (backup) {
      const name = `${server.name}-schema-backup`;
      this.volumeClaim = new PersistentVolumeClaim(this, 'Backup', { metadata: { ...metadata, name, annotations: KEPT }, spec: claimSpec(storageSize, storageClassName) });
      this.script = new ConfigMap(...programPlace(this, 'Script'), { metadata: { ...metadata, name }, data: { [SCRIPT]: SCHEMA_BACKUP_SH } });
      backupVolumes = [{ name: 'backup', persistentVolumeClaim: { claimName: name } }, { name: 'scripts', configMap: { name: this.script.name } }];
    }
    this.job = new ContentNamedJob(this, 'Job', {
      metadata: beside.workload,
      spec: {
        backoffLimit: 6,
        podFailurePolicy: {
          rules: [
            // what was evicted or drained was no try
            { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] } as k8s.PodFailurePolicyRule,
            // it would fail again
            { action: 'FailJob', onExitCodes: { operator: 'In', values: [EXIT_SCHEMA] } } as k8s.PodFailurePolicyRule,
          ],
        },
        template: {
          metadata: beside.template({ 'checksum/script': fingerprint(SCHEMA_BACKUP_SH), 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false' }),
          spec: connectingPod(server, () => ({
            ...podSpec(),
            // a migration that has begun is finished
            terminationGracePeriodSeconds: checks.seconds('preflight.upgradeDeadline', upgradeDeadline),
            initContainers: [mlflow('look', ['--look'], []), ...(backup ? [dump('backup', ['save'], dumpEnvironment)] : [])],
            containers: [mlflow('upgrade', [], environment())],
            volumes: [beside.files.volume, ...volumes, ...backupVolumes],
          }), beside.isExtra),
        },
      },
    });
    this.node.defaultChild = this.job;
    if (backup) {
      const again = [{ name: 'DEPLOYMENT', value: server.name }, { name: 'NAMESPACE', value: server.namespace }];
      this.restore = new CronJob(this, 'Restore', {
        metadata: { ...beside.workload, name: `${server.name}-schema-restore`, annotations: KEPT },
        spec: {
          // it is only a template
          schedule: '0 0 1 1 *',
          suspend: true,
          jobTemplate: {
            spec: {
              backoffLimit: 0,
              template: {
                metadata: beside.template(),
                spec: connectingPod(server, () => ({
                  ...podSpec(),
                  containers: [{ ...dump('restore', ['restore'], []), env: [...backendStore.environment, ...dumpEnvironment, ...again] }],
                  volumes: [...volumes, ...backupVolumes],
                }), beside.isExtra),
              },
            },
          },
        },
      });
    }
    rejectTakenNames(this, 'server', 'make one SchemaUpgrade for each tracking server');
    server.addVariable(this, { name: 'STARTUP_UPGRADE_JOB', value: metadata.name });
    server.addVariable(this, { name: 'STARTUP_UPGRADE_SECONDS', value: String(checks.seconds('preflight.upgradeDeadline', upgradeDeadline)) });

    backendStore.connections?.allowFromPods(beside.podLabels);
    this.networkPolicy = beside.policy(...storeEgress(server, backendStore));
  }
}
