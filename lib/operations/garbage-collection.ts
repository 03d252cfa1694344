import { Duration } from 'cdk8s';
import { Construct } from 'constructs';
import { IStartupScript } from '../tracking-server/startup-script';
import { Part, labels, selectorLabels, workloadLabels } from '../kube/labels';
import { decided } from '../kube/linters';
import { connect, podPolicy } from '../kube/network';
import { CronJob } from '../kube/objects';
import { CONTAINER_SECURITY, POD_SECURITY, containerResources, emptyDir } from '../kube/pod';
import { ImageSource } from '../kube/image-source';
import { PodSettings } from '../kube/pod-settings';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { ContainerResources, ResourcePresets } from '../options/resources';
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

const SHAPE: Shape<GarbageCollectionOptions> = { schedule: 'value', timeZone: 'value', olderThan: 'value', jobs: 'value', suspend: 'value', resources: {} };
const FIELD = String.raw`(\*|[0-9A-Za-z]+(-[0-9A-Za-z]+)?)(\/[0-9]+)?(,(\*|[0-9A-Za-z]+(-[0-9A-Za-z]+)?)(\/[0-9]+)?)*`;
const SCHEDULE = new RegExp(`^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|${FIELD}( +${FIELD}){4})$`);
/** Least and most of minute, hour, day of the month, month, day of the week. */
const BOUNDS = [[0, 59], [0, 23], [1, 31], [1, 12], [0, 6]];

export interface GarbageCollectionProps {
  readonly part: Part;
  readonly name: string;
  readonly namespace: string;
  readonly image: string;
  readonly images: ImageSource;
  readonly pod: PodSettings;
  readonly placement: Partial<k8s.PodSpec>;
  readonly script: IStartupScript;
  /** Flags of the server that name the database. */
  readonly flags: string[];
  readonly env: k8s.EnvVar[];
  readonly envFrom?: k8s.EnvFromSource[];
  readonly volumes: k8s.Volume[];
  readonly volumeMounts: k8s.VolumeMount[];
  /** What it connects to: the database and the server. Without it there is no NetworkPolicy. */
  readonly egress?: k8s.NetworkPolicyEgressRule[];
  readonly servers: object[];
}

/** The CronJob, which talks to the database by itself and has the server delete artifacts: it has no key of the store. */
export class GarbageCollection extends Construct {
  public readonly cronJob: k8s.KubeCronJob;
  public readonly networkPolicy?: k8s.KubeNetworkPolicy;

  public constructor(scope: Construct, id: string, checks: PropChecks, given: GarbageCollectionOptions, props: GarbageCollectionProps) {
    super(scope, id);
    const options = checks.props(given, SHAPE, 'garbageCollection.');
    const part: Part = { ...props.part, component: 'garbage-collection' };
    const podLabels = selectorLabels(part);
    const metadata = { name: props.name, namespace: props.namespace, labels: labels(part) };
    const schedule = options.schedule ?? '0 3 * * *';
    if (typeof schedule !== 'string' || !isSchedule(schedule)) {
      checks.fault({
        prop: 'garbageCollection.schedule',
        value: schedule,
        rule: 'a schedule has five fields: minute (0-59), hour (0-23), day of the month (1-31), month (1-12), day of the week (0-6) (https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax)',
        fix: 'pass a schedule such as "0 3 * * *"',
      });
    }
    if (options.timeZone !== undefined && !isTimeZone(options.timeZone)) {
      checks.fault({ prop: 'garbageCollection.timeZone', value: options.timeZone, rule: 'a time zone has its name in the IANA database (https://www.iana.org/time-zones)', fix: 'pass a name such as "Europe/Berlin"' });
    }
    const seconds = checks.seconds('garbageCollection.olderThan', options.olderThan ?? Duration.days(30));
    const jobs = checks.flag('garbageCollection.jobs', options.jobs ?? false);

    this.cronJob = new CronJob(this, 'CronJob', {
      metadata: { ...metadata, labels: workloadLabels(part), annotations: decided({ images: [props.image], pullPolicy: props.images.pullPolicy, secretsInEnv: true }) },
      spec: {
        schedule,
        timeZone: options.timeZone,
        suspend: checks.flag('garbageCollection.suspend', options.suspend ?? false),
        concurrencyPolicy: 'Forbid',
        startingDeadlineSeconds: 3600,
        successfulJobsHistoryLimit: 1,
        failedJobsHistoryLimit: 3,
        jobTemplate: {
          metadata: { labels: workloadLabels(part) },
          spec: {
            backoffLimit: 2,
            template: {
              metadata: { labels: props.pod.labels(workloadLabels(part)), annotations: props.pod.annotations({ 'checksum/startup-script': props.script.checksum }) },
              spec: {
                ...props.placement,
                automountServiceAccountToken: false,
                enableServiceLinks: false,
                restartPolicy: 'Never',
                securityContext: POD_SECURITY,
                containers: [
                  {
                    name: 'gc',
                    image: props.image,
                    imagePullPolicy: props.images.pullPolicy,
                    command: ['python3', props.script.mountPath],
                    args: ['gc', ...props.flags, `--older-than=${seconds}s`, ...(jobs ? ['--jobs'] : [])],
                    env: [...props.env, { name: 'HOME', value: '/tmp' }],
                    envFrom: props.envFrom,
                    resources: containerResources(checks, options.resources ?? {}, ResourcePresets.SMALL as Required<ContainerResources>, '1Gi', 'garbageCollection.resources'),
                    securityContext: CONTAINER_SECURITY,
                    terminationMessagePolicy: 'FallbackToLogsOnError',
                    volumeMounts: [
                      { name: 'startup-script', mountPath: props.script.mountPath, subPath: props.script.key, readOnly: true },
                      { name: 'tmp', mountPath: '/tmp' },
                      ...props.volumeMounts,
                    ],
                  },
                ],
                volumes: [{ name: 'startup-script', configMap: { name: props.script.configMapName, defaultMode: 0o755 } }, emptyDir('tmp', '512Mi'), ...props.volumes],
              },
            },
          },
        },
      },
    });
    this.node.defaultChild = this.cronJob;
    for (const server of props.servers) connect(server, podLabels);
    if (props.egress !== undefined) this.networkPolicy = podPolicy(this, 'NetworkPolicy', { ...metadata, podLabels, egress: props.egress });
  }
}

function isSchedule(text: string): boolean {
  if (!SCHEDULE.test(text)) return false;
  // a step is no value, and a name such as MON no number
  const values = (field: string) => field.split(',').flatMap((range) => range.split('/')[0].split('-')).filter((value) => /^\d+$/.test(value)).map(Number);
  return text.startsWith('@') || text.split(/ +/).every((field, index) => values(field).every((value) => value >= BOUNDS[index][0] && value <= BOUNDS[index][1]));
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '' && /^[A-Za-z]/.test(name);
  } catch {
    return false;
  }
}
