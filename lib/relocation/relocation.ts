import { Lazy, Size } from 'cdk8s';
import { Construct } from 'constructs';
import { IArtifactStore } from '../artifact-store/artifact-store';
import { SecondStore, secondStore } from '../artifact-store/second-store';
import { Cluster } from '../kube/cluster';
import { ContentNamedJob } from '../kube/objects';
import { containerResources, emptyDir } from '../kube/pod';
import { ContainerResources } from '../options/resources';
import { PreflightPod } from '../preflight/preflight-pod';
import { ofServer, variablesOfLogin } from '../tracking-server/add-on';
import { ITrackingServer } from '../tracking-server/server';
import { TELEMETRY } from '../tracking-server/settings';
import { connectingPod, storeEgress } from '../tracking-server/store-clients';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { rejectTakenNames } from '../validation/unique-names';
import { k8s } from '../../imports/k8s';

/** Props of `Relocation`. */
export interface RelocationProps {
  /** The server through which clients are to find the artifacts of old experiments. */
  readonly server: ITrackingServer;

  /**
   * Whether the Job changes the database. Otherwise it prints what it would change.
   *
   * @default false
   */
  readonly apply?: boolean;

  /**
   * Ids of the experiments, such as `12`.
   *
   * @default - all that have their artifacts below the server's artifact store
   */
  readonly experiments?: string[];

  /**
   * Other names of the place in which the artifacts of the server are, as they stand in the database: that of a bucket whose
   * files have been copied by hand, `s3://old-bucket` or `file:///home/ml/mlruns`.
   *
   * @default - none
   */
  readonly fromUris?: string[];

  /**
   * A store from which the files are copied first, with their fingerprints compared: that of another server, whose database
   * this one has now. All that is below its `artifactsDestination` is copied, to the same paths in the store of the server.
   *
   * @default - nothing is copied
   */
  readonly copyFrom?: IArtifactStore;

  /**
   * Whether all files of what was moved are read through the server afterwards, and not only a sample.
   *
   * @default false
   */
  readonly verifyAll?: boolean;

  /**
   * Name of the undo file of a relocation, which its log has. The Job puts the old places back instead of moving anything.
   *
   * @default - nothing is taken back
   */
  readonly undo?: string;

  /**
   * CPU and memory of the pod. It keeps what it changes in memory: runs, models and traces.
   *
   * @default - 100m and 512Mi, up to 1Gi
   */
  readonly resources?: ContainerResources;
}

const SHAPE: Shape<Omit<RelocationProps, 'server'>> = { apply: 'value', experiments: 'list', fromUris: 'list', copyFrom: 'value', verifyAll: 'value', undo: 'value', resources: {} };
const RESOURCES: Required<ContainerResources> = { cpuRequest: '100m', cpuLimit: '1', memoryRequest: Size.mebibytes(512), memoryLimit: Size.gibibytes(1) };
/** Before the names of the variables, volumes and paths of the store that is copied from: COPY_FROM of `relocate_files.py`. */
const OTHER = { variable: 'COPY_FROM_', volume: 'copy-from-', path: '/copy-from' };
const UNDO_FILE = /^\d{8}-\d{6}-[0-9a-f]{32}\.jsonl\.gz$/;

/**
 * Job that moves old experiments to a tracking server: their artifact locations at `s3://…`, where clients go by themselves and
 * need a key, become `mlflow-artifacts:/…`, and those of their runs, logged models, model versions, traces and data sets with
 * them. No file is moved. It is done once, so take the construct out of the program afterwards.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/architecture/artifact-store/
 */
export class Relocation extends Construct {
  /** The Job `<name of the server>-relocate-…`, whose name ends with a fingerprint of what it does. */
  public readonly job: k8s.KubeJob;

  /** NetworkPolicy of its pod, where `networkPolicy.enabled` of the server is true. */
  public readonly networkPolicy?: k8s.KubeNetworkPolicy;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the server, and what is moved
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: RelocationProps) {
    super(place(scope, id), id);
    const { server, ...given } = ofServer(this, props);
    const { backendStore, artifactStore } = server;
    const checks = new PropChecks(this, [server]);
    const options = checks.props(given, SHAPE);
    const beside = new PreflightPod(this, checks, server, 'relocation', 'relocate');
    const host = `${Cluster.of(this).nearHost(server.service.name, server.namespace)}:${server.port}`;
    const other = otherStore(checks, server, options.copyFrom);
    const resources = containerResources(checks, options.resources, RESOURCES, '1Gi');
    const stores = [artifactStore, backendStore];
    const args = ['relocate', ...beside.databaseFlags, `--artifacts-destination=${artifactStore.artifactsDestination}`, ...flagsOf(checks, options)];

    this.job = new ContentNamedJob(this, 'Job', {
      metadata: beside.workload,
      spec: {
        // what failed is for a person to read, but a node that went away is not
        backoffLimit: 0,
        podFailurePolicy: { rules: [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] } as k8s.PodFailurePolicyRule] },
        template: {
          metadata: beside.template(),
          spec: connectingPod(server, () => ({
            ...beside.spec(),
            serviceAccountName: Lazy.any({ produce: () => server.serviceAccountName }) as unknown as string,
            restartPolicy: 'Never',
            containers: [
              {
                ...beside.container(
                  'relocate',
                  args,
                  [
                    ...artifactStore.environment,
                    ...backendStore.environment,
                    ...other.environment,
                    { name: 'MLFLOW_TRACKING_URI', value: `http://${host}${server.staticPrefix}` },
                    ...server.environment.filter(({ name }) => name === TELEMETRY),
                    ...variablesOfLogin(server),
                    ...beside.files.environment(),
                  ],
                  [...stores.flatMap(({ volumeMounts = [] }) => volumeMounts), ...other.volumeMounts],
                ),
                resources,
              },
            ],
            volumes: [beside.files.completeVolume, emptyDir('tmp', '1Gi'), ...stores.flatMap(({ volumes = [] }) => volumes), ...other.volumes],
          }), (name) => name === REGISTRY),
        },
      },
    });
    this.node.defaultChild = this.job;
    rejectTakenNames(this, 'server', 'make one Relocation for each tracking server');

    server.addAllowedHost(host);
    server.connections.allowFromPods(beside.podLabels);
    for (const store of [...stores, ...(options.copyFrom ? [options.copyFrom] : [])]) store.connections?.allowFromPods(beside.podLabels);
    this.networkPolicy = beside.policy(...storeEgress(server, ...stores, ...(options.copyFrom ? [options.copyFrom] : [])), server.connections.toThese);
  }
}

/** The database of a model registry that has one of its own. */
const REGISTRY = 'MLFLOW_REGISTRY_STORE_URI';

function flagsOf(checks: PropChecks, { apply, experiments = [], fromUris = [], copyFrom, verifyAll, undo }: Omit<RelocationProps, 'server'>): string[] {
  const changes = checks.flag('apply', apply ?? false) ? ['--apply'] : [];
  if (undo !== undefined) {
    if (typeof undo !== 'string' || !UNDO_FILE.test(undo)) {
      checks.fault({ prop: 'undo', value: undo, rule: 'the name of an undo file has a date and a fingerprint in it', fix: 'take it from the log of the relocation, such as 20261126-111603-7dd8d4504a9422831eb7db82084cf7fa.jsonl.gz' });
    }
    return [`--undo=${undo}`, ...changes];
  }
  const ids = checks.members('experiments', experiments, 'value', 'ids of experiments', '"12"');
  ids.forEach((value, index) => {
    if (!/^\d+$/.test(value)) checks.fault({ prop: `experiments[${index}]`, value, rule: 'the id of an experiment is a number, written as text', fix: 'take it from the URL of the experiment, or from the table of a run without apply' });
  });
  const uris = checks.members('fromUris', fromUris, 'value', 'URIs', '"s3://old-bucket"');
  uris.forEach((value, index) => {
    if (!/^(\.{0,2}\/|[a-z][a-z0-9+.-]*:\/)[^\s]*$/.test(value)) checks.fault({ prop: `fromUris[${index}]`, value, rule: 'a place of artifacts is a URI, or a path as MLflow has written it', fix: 'take it from the database, such as "s3://old-bucket" or "./mlruns"' });
  });
  return [
    ...ids.map((id) => `--experiment=${id}`),
    ...uris.map((uri) => `--from=${uri}`),
    ...(copyFrom === undefined ? [] : [`--copy-from=${copyFrom.artifactsDestination}`]),
    ...(checks.flag('verifyAll', verifyAll ?? false) ? ['--verify=all'] : []),
    ...changes,
  ];
}

/** What the client of a second store needs, under names that are not those of the first. */
function otherStore(checks: PropChecks, server: ITrackingServer, store: IArtifactStore | undefined): SecondStore {
  if (store === undefined) return { environment: [], volumes: [], volumeMounts: [] };
  const destinations = [store, server.artifactStore].map(({ artifactsDestination }) => artifactsDestination);
  if (destinations.some((uri) => !uri.startsWith('s3://'))) {
    checks.fault({ prop: 'copyFrom', value: destinations[0], rule: `files are copied from one S3 bucket to another, and this is for a server with ${destinations[1]}`, fix: 'copy the files with a tool of the store, and pass fromUris instead' });
  }
  if (store.secretNamespace !== undefined && store.secretNamespace !== server.namespace) {
    checks.fault({ prop: 'copyFrom', value: `a store with its Secret in namespace "${store.secretNamespace}"`, rule: 'a pod reads Secrets of its own namespace only (https://kubernetes.io/docs/concepts/configuration/secret/)', fix: `make the Secret in namespace "${server.namespace}", where the pod is` });
  }
  return secondStore(store, OTHER);
}
