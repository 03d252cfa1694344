import { Duration, Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import { Connections } from '../kube/connections';
import { ImageSource } from '../kube/image-source';
import { Part, labels, selectorLabels, workloadLabels } from '../kube/labels';
import { networkPolicyOptions, podPolicy } from '../kube/network';
import { CronJob } from '../kube/objects';
import { CONTAINER_SECURITY, POD_SECURITY, containerResources, emptyDir, envFromSecret } from '../kube/pod';
import { PodSettings } from '../kube/pod-settings';
import { Images } from '../options/images';
import { ContainerResources, ResourcePresets } from '../options/resources';
import { PreflightPackage } from '../preflight/preflight-package';
import { egressTo } from '../tracking-server/stores';
import type { TrackingServer } from '../tracking-server/tracking-server';
import { ofServer } from '../validation/add-on';
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
  readonly server: TrackingServer;
}

const SHAPE: Shape<GarbageCollectionOptions> = { schedule: 'value', timeZone: 'value', olderThan: 'value', jobs: 'value', suspend: 'value', resources: {} };
/** What the program of the clean-up reads of the settings of the preflight. */
const STARTUP = ['STARTUP_DEADLINE_SECONDS', 'STARTUP_DEPLOYMENT', 'STARTUP_SOURCES'];

/**
 * CronJob that runs `mlflow gc` for a tracking server. It talks to the database by itself and has the server delete
 * artifacts: it has no key of the artifact store.
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
    const images = new ImageSource(checks, shared.images);
    const pod = new PodSettings(checks, shared.pod, images);
    const image = images.of('image', shared.image ?? Images.MLFLOW);
    const part: Part = { name: 'mlflow', instance: server.name, component: 'garbage-collection', image };
    const podLabels = selectorLabels(part);
    const metadata = { name: `${server.name}-gc`, namespace: server.namespace, labels: labels(part) };
    const schedule = checkSchedule(checks, 'schedule', options.schedule ?? '0 3 * * *');
    if (options.timeZone !== undefined) checkTimeZone(checks, 'timeZone', options.timeZone);
    const seconds = checks.seconds('olderThan', options.olderThan ?? Duration.days(30));
    const jobs = checks.flag('jobs', options.jobs ?? false);
    const resources = containerResources(checks, options.resources, ResourcePresets.SMALL as Required<ContainerResources>, '1Gi');
    const databaseFlags = backendStore.uri === undefined ? [] : [`--backend-store-uri=${backendStore.uri}`];
    const files = PreflightPackage.of(server);
    const environment = (): k8s.EnvVar[] => {
      const own = [
        ...backendStore.environment,
        { name: 'MLFLOW_TRACKING_URI', value: server.trackingUri },
        ...login(server),
        ...files.environment().filter(({ name }) => STARTUP.includes(name)),
        { name: 'HOME', value: '/tmp' },
      ];
      return [...own, ...(shared.extraEnv ?? []).filter((extra) => own.every(({ name }) => name !== extra.name))];
    };

    this.cronJob = new CronJob(this, 'CronJob', {
      metadata: { ...metadata, labels: workloadLabels(part) },
      spec: {
        schedule,
        timeZone: options.timeZone,
        suspend: checks.flag('suspend', options.suspend ?? false),
        concurrencyPolicy: 'Forbid',
        startingDeadlineSeconds: 3600,
        successfulJobsHistoryLimit: 1,
        failedJobsHistoryLimit: 3,
        jobTemplate: {
          metadata: { labels: workloadLabels(part) },
          spec: {
            backoffLimit: 2,
            template: {
              metadata: { labels: pod.labels(workloadLabels(part)), annotations: pod.annotations() },
              spec: {
                ...pod.helperPlacement(),
                automountServiceAccountToken: false,
                enableServiceLinks: false,
                restartPolicy: 'Never',
                securityContext: POD_SECURITY,
                containers: [
                  {
                    name: 'gc',
                    image,
                    imagePullPolicy: images.pullPolicy,
                    command: ['python3', files.path],
                    args: ['gc', ...databaseFlags, `--older-than=${seconds}s`, ...(jobs ? ['--jobs'] : [])],
                    env: Lazy.any({ produce: environment }) as k8s.EnvVar[],
                    envFrom: shared.envFrom,
                    resources,
                    securityContext: CONTAINER_SECURITY,
                    terminationMessagePolicy: 'FallbackToLogsOnError',
                    volumeMounts: [files.volumeMount, { name: 'tmp', mountPath: '/tmp' }, ...(backendStore.volumeMounts ?? [])],
                  },
                ],
                volumes: [files.volume, emptyDir('tmp', '512Mi'), ...(backendStore.volumes ?? [])],
              },
            },
          },
        },
      },
    });
    this.node.defaultChild = this.cronJob;
    rejectTakenNames(this, 'server', 'make one GarbageCollection for each tracking server');

    // it asks the server by the name of its Service
    server.addAllowedHost(`${server.host}:${server.port}`);
    server.connections.allowFromPods(podLabels);
    backendStore.connections?.allowFromPods(podLabels);
    const network = networkPolicyOptions(checks, shared.networkPolicy);
    if (network !== undefined) {
      const connections = new Connections({ podLabels });
      connections.allowTo(...egressTo(backendStore), server.connections.toThese, ...network.egress);
      this.networkPolicy = podPolicy(this, 'NetworkPolicy', { ...metadata, connections });
    }
  }
}

/** How the clean-up logs in to the server, where that has a login. */
function login({ clientCredentials }: TrackingServer): k8s.EnvVar[] {
  if (clientCredentials === undefined) return [];
  const { secretName, usernameKey, passwordKey } = clientCredentials;
  return [envFromSecret('MLFLOW_TRACKING_USERNAME', secretName, usernameKey), envFromSecret('MLFLOW_TRACKING_PASSWORD', secretName, passwordKey)];
}
