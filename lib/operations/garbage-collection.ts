import { Duration } from 'cdk8s';
import { Construct } from 'constructs';
import { Cluster } from '../kube/cluster';
import { CronJob } from '../kube/objects';
import { containerResources, emptyDir } from '../kube/pod';
import { ContainerResources, ResourcePresets } from '../options/resources';
import { PreflightPod } from '../preflight/preflight-pod';
import { connectingPod, storeEgress } from '../tracking-server/store-clients';
import { ITrackingServer } from '../tracking-server/server';
import { TELEMETRY } from '../tracking-server/settings';
import { ofServer, variablesOfLogin } from '../tracking-server/add-on';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { checkSchedule, checkTimeZone } from '../validation/schedule';
import { rejectTakenNames } from '../validation/unique-names';
import { k8s } from '../../imports/k8s';

/**
 * CronJob that runs `mlflow gc`: experiments, runs and models that users have deleted stay in the database and in the
 * artifact store, where they can be restored, until it removes them for good.
 *
 * @see https://mlflow.org/docs/latest/api_reference/cli.html#mlflow-gc
 */
export interface GarbageCollectionOptions {
  /**
   * When it runs, as cron writes it, in the time zone of the cluster's control plane unless `timeZone` is given.
   *
   * @default "0 3 * * *", every night at three
   * @see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax
   */
  readonly schedule?: string;

  /**
   * Time zone of `schedule`, such as `Europe/Berlin`.
   *
   * @default - that of the control plane, most often UTC
   * @see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#time-zones
   */
  readonly timeZone?: string;

  /**
   * How long ago something has to be deleted.
   *
   * @default Duration.days(30)
   */
  readonly olderThan?: Duration;

  /**
   * Whether it removes old records of jobs as well, which `jobExecution` leaves.
   *
   * @default false
   */
  readonly jobs?: boolean;

  /**
   * Whether nothing runs for now.
   *
   * @default false
   */
  readonly suspend?: boolean;

  /**
   * CPU and memory of the pod.
   *
   * @default ResourcePresets.SMALL
   */
  readonly resources?: ContainerResources;
}

/** Props of `GarbageCollection`. */
export interface GarbageCollectionProps extends GarbageCollectionOptions {
  /** The server whose deleted experiments, runs and models are removed. */
  readonly server: ITrackingServer;
}

const SHAPE: Shape<GarbageCollectionOptions> = { schedule: 'value', timeZone: 'value', olderThan: 'value', jobs: 'value', suspend: 'value', resources: {} };
/** Exit code of the program where it could not remove everything: `exits.py`. */
const EXIT_KEPT = 11;
/** What the program of the clean-up reads of the settings of the preflight. */
const STARTUP = ['STARTUP_DEADLINE_SECONDS', 'STARTUP_DEPLOYMENT', 'STARTUP_SOURCES'];

/**
 * CronJob that runs `mlflow gc` for a tracking server. It talks to the database by itself and has the server delete
 * artifacts: it has no key of the artifact store. What cannot be deleted, such as a run of an experiment from before whose
 * files are at `s3://`, is kept and named; all else is removed, and the Job fails.
 *
 * @see https://mlflow.org/docs/latest/api_reference/cli.html#mlflow-gc
 */
export class GarbageCollection extends Construct {
  /** The CronJob `<name of the server>-gc`. */
  public readonly cronJob: k8s.KubeCronJob;

  /** NetworkPolicy of its pods, where `networkPolicy.enabled` of the server is true. */
  public readonly networkPolicy?: k8s.KubeNetworkPolicy;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the server, and when what is removed
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: GarbageCollectionProps) {
    super(place(scope, id), id);
    const { server, ...given } = ofServer(this, props);
    const { backendStore, options: shared } = server;
    const checks = new PropChecks(this, [server]);
    const options = checks.props(given, SHAPE);
    const beside = new PreflightPod(this, checks, server, 'garbage-collection', 'gc');
    const schedule = checkSchedule(checks, 'schedule', options.schedule ?? '0 3 * * *');
    if (options.timeZone !== undefined) checkTimeZone(checks, 'timeZone', options.timeZone);
    const seconds = checks.seconds('olderThan', options.olderThan ?? Duration.days(30));
    const jobs = checks.flag('jobs', options.jobs ?? false);
    const resources = containerResources(checks, options.resources, ResourcePresets.SMALL as Required<ContainerResources>, '1Gi');
    const host = `${Cluster.of(this).nearHost(server.service.name, server.namespace)}:${server.port}`;
    const environment = (): k8s.EnvVar[] => [
      ...backendStore.environment,
      { name: 'MLFLOW_TRACKING_URI', value: `http://${host}${server.staticPrefix}` },
      ...server.environment.filter(({ name }) => name === TELEMETRY),
      ...variablesOfLogin(server),
      ...beside.files.environment().filter(({ name }) => STARTUP.includes(name)),
    ];

    this.cronJob = new CronJob(this, 'CronJob', {
      metadata: beside.workload,
      spec: {
        schedule,
        timeZone: options.timeZone,
        suspend: checks.flag('suspend', options.suspend ?? false),
        concurrencyPolicy: 'Forbid',
        startingDeadlineSeconds: 3600,
        successfulJobsHistoryLimit: 1,
        failedJobsHistoryLimit: 3,
        jobTemplate: {
          metadata: { labels: beside.workload.labels },
          spec: {
            backoffLimit: 2,
            // what was kept would be kept again
            podFailurePolicy: { rules: [{ action: 'FailJob', onExitCodes: { containerName: 'gc', operator: 'In', values: [EXIT_KEPT] } } as k8s.PodFailurePolicyRule] },
            template: {
              metadata: beside.template(),
              spec: connectingPod(server, () => ({
                ...beside.spec(),
                restartPolicy: 'Never',
                containers: [
                  {
                    ...beside.container('gc', ['gc', ...beside.databaseFlags, `--older-than=${seconds}s`, ...(jobs ? ['--jobs'] : [])], environment(), backendStore.volumeMounts),
                    envFrom: shared.envFrom,
                    resources,
                  },
                ],
                volumes: [beside.files.volume, emptyDir('tmp', '512Mi'), ...(backendStore.volumes ?? [])],
              }), beside.isExtra),
            },
          },
        },
      },
    });
    this.node.defaultChild = this.cronJob;
    rejectTakenNames(this, 'server', 'make one GarbageCollection for each tracking server');

    // it asks the server by the name of its Service
    server.addAllowedHost(host);
    server.connections.allowFromPods(beside.podLabels);
    backendStore.connections?.allowFromPods(beside.podLabels);
    this.networkPolicy = beside.policy(...storeEgress(server, backendStore), server.connections.toThese);
  }
}
