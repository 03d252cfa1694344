import { Duration, Size } from 'cdk8s';
import { Construct } from 'constructs';
import { backupAlerts } from './backup-alerts';
import { backupPanels } from './backup-panels';
import { checkBackupStores } from './backup-checks';
import { BackupMonitor } from './backup-monitor';
import { BackupOptions } from './backup-options';
import { BackupPod, BackupPodProps } from './backup-pod';
import { IArtifactStore } from '../artifact-store/artifact-store';
import { BACKUP, BACKUP_DATABASE_SH, COPY_OBJECTS_SH } from '../assets.generated';
import { ConfigMap, CronJob } from '../kube/objects';
import { programPlace } from '../kube/programs-chart';
import { ScrapeTargets } from '../monitoring/scrape-targets';
import { ContainerResources } from '../options/resources';
import { ofServer } from '../tracking-server/add-on';
import { ITrackingServer } from '../tracking-server/server';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { checkSchedule, checkTimeZone, longestGap } from '../validation/schedule';
import { rejectTakenNames } from '../validation/unique-names';
import { k8s } from '../../imports/k8s';

/** Props of `Backup`. */
export interface BackupProps extends BackupOptions {
  /** The server whose database and artifacts are backed up. */
  readonly server: ITrackingServer;
}

const SHAPE: Shape<BackupOptions> = {
  destination: {},
  schedule: 'value',
  timeZone: 'value',
  retention: 'value',
  maxAge: 'value',
  deadline: 'value',
  suspend: 'value',
  postgresImage: 'value',
  mcImage: 'value',
  scratchSize: 'value',
  scratchVolume: {},
  resources: {},
};
const RESOURCES: Required<ContainerResources> = { cpuRequest: '100m', cpuLimit: '1', memoryRequest: Size.mebibytes(256), memoryLimit: Size.gibibytes(1) };
const DAY = 24 * 3600;
/** For the run itself, which begins at the time of the schedule. */
const RUN = 2 * 3600;
/** Secrets that encrypt what is in the database: the manifest has a mark of each. */
const OPENS = /^MLFLOW_(WEBHOOK_SECRET_ENCRYPTION_KEY|CRYPTO_KEK_PASSPHRASE)$/;
/** The administrator of the login of a stack, who is restored with the password of another one. */
const ADMIN = /^MLFLOW_AUTH_ADMIN_(USERNAME|PASSWORD)$/;
const NOWHERE: IArtifactStore = { artifactsDestination: '', environment: [] };

/**
 * CronJob that backs up the database and the artifacts of a tracking server: `pg_dump` first, then the objects of the bucket with
 * `mc`, only what is new or changed. Then it restores the dump, as it lies at the destination, in its own pod, counts all rows,
 * and compares a sample of objects by their hashes. A second CronJob, which never runs by itself, is the way back.
 *
 * @see https://www.postgresql.org/docs/current/app-pgdump.html
 */
export class Backup extends Construct {
  /** The CronJob `<name of the server>-backup`. */
  public readonly cronJob: k8s.KubeCronJob;

  /** CronJob `<name of the server>-restore`, which never runs by itself: `kubectl create job --from` restores a backup. */
  public readonly restore: k8s.KubeCronJob;

  /** ConfigMap `<name of the server>-backup` with the programs. */
  public readonly programs: k8s.KubeConfigMap;

  /** Deployment `<name of the server>-backup-monitor`, which tells Prometheus of the backups. */
  public readonly monitor: k8s.KubeDeployment;

  /** Service of this Deployment, with the metrics. */
  public readonly monitorService: k8s.KubeService;

  /** NetworkPolicy of the pods that back up, where `networkPolicy.enabled` of the server is true. */
  public readonly networkPolicy?: k8s.KubeNetworkPolicy;

  /** NetworkPolicy of the pods that restore, where `networkPolicy.enabled` of the server is true. */
  public readonly restoreNetworkPolicy?: k8s.KubeNetworkPolicy;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the server, and where its backups go
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: BackupProps) {
    super(place(scope, id), id);
    const { server, ...given } = ofServer(this, props);
    const checks = new PropChecks(this, [server]);
    const checked = checks.props(given, SHAPE);
    const destination = checks.required('destination', checked.destination, NOWHERE, 'the bucket for the backups', 'new ExternalS3(…)');
    const options: BackupOptions = { ...checked, destination };
    if (destination !== NOWHERE) checkBackupStores(checks, server, destination);
    const schedule = checkSchedule(checks, 'schedule', options.schedule ?? '0 2 * * *');
    if (options.timeZone !== undefined) checkTimeZone(checks, 'timeZone', options.timeZone);
    const retention = checks.seconds('retention', options.retention ?? Duration.days(30));
    const deadline = checks.seconds('deadline', options.deadline ?? Duration.hours(12));
    const maxAge = options.maxAge === undefined ? usualAge(schedule) : checks.seconds('maxAge', options.maxAge);

    const { name, namespace, labels } = server;
    const data = { ...BACKUP, 'backup-database.sh': BACKUP_DATABASE_SH, 'copy-objects.sh': COPY_OBJECTS_SH };
    this.programs = new ConfigMap(...programPlace(this, 'Programs'), { metadata: { name: `${name}-backup`, namespace, labels }, data });
    const pod: Omit<BackupPodProps, 'component'> = { server, options, programs: this.programs, defaults: RESOURCES };

    const save = new BackupPod(this, checks, { ...pod, component: 'backup' });
    const opens = () => server.environment.filter((variable) => OPENS.test(variable.name));
    this.cronJob = new CronJob(this, 'CronJob', {
      metadata: save.beside.workload,
      spec: {
        schedule,
        timeZone: options.timeZone,
        suspend: checks.flag('suspend', options.suspend ?? false),
        concurrencyPolicy: 'Forbid',
        startingDeadlineSeconds: 3600,
        successfulJobsHistoryLimit: 1,
        failedJobsHistoryLimit: 3,
        jobTemplate: {
          metadata: { labels: save.beside.workload.labels },
          spec: {
            backoffLimit: 2,
            activeDeadlineSeconds: deadline,
            template: {
              metadata: save.beside.template({ 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false' }),
              spec: save.podSpec(() => [
                save.python('begin', ['begin']),
                save.postgres('dump', 'save'),
                save.python('compare', ['compare']),
                save.mc('copy', 'save'),
                save.python('seal', ['seal', 'fetch'], opens()),
                save.postgres('trial', 'try'),
                save.python('finish', ['finish'], [{ name: 'RETENTION_SECONDS', value: String(retention) }]),
              ]),
            },
          },
        },
      },
    });
    this.node.defaultChild = this.cronJob;

    const back = new BackupPod(new Construct(this, 'WayBack'), PropChecks.unheard(), { ...pod, component: 'restore' });
    const chosen = [{ name: 'BACKUP', value: '' }, { name: 'OVERWRITE', value: 'false' }];
    this.restore = new CronJob(this, 'Restore', {
      metadata: back.beside.workload,
      spec: {
        // it is only a template
        schedule: '0 0 1 1 *',
        suspend: true,
        jobTemplate: {
          metadata: { labels: back.beside.workload.labels },
          spec: {
            backoffLimit: 0,
            template: {
              metadata: back.beside.template({ 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false' }),
              spec: back.podSpec(() => [
                back.python('look', ['look'], [...chosen, ...opens()]),
                back.mc('objects', 'restore'),
                back.python('check', ['check']),
                back.postgres('database', 'restore', chosen),
                back.python('restored', ['restored'], [...opens(), ...server.environment.filter((variable) => ADMIN.test(variable.name))]),
              ]),
            },
          },
        },
      },
    });
    rejectTakenNames(this, 'server', 'make one Backup for each tracking server');

    const monitor = new BackupMonitor(this, 'Monitor', { server, destination, programs: this.programs });
    this.monitor = monitor.deployment;
    this.monitorService = monitor.service;
    const backedUp = { name, namespace, monitor: monitor.service.name, maxAgeSeconds: maxAge };
    ScrapeTargets.of(server).add({ ...monitor, id: 'Backup', labels: monitor.labels, rules: (further) => backupAlerts(backedUp, further), panels: backupPanels(backedUp) });
    this.networkPolicy = save.connect();
    this.restoreNetworkPolicy = back.connect();
  }
}

/** A day, or the longest time between two runs of a rarer schedule, and the time of a run. */
function usualAge(schedule: string): number {
  try {
    return Math.ceil(Math.max(DAY, longestGap(schedule) ?? DAY)) + RUN;
  } catch {
    // a schedule that is none has a fault of its own
    return DAY + RUN;
  }
}
