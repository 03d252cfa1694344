import { MEASURED_CPUS } from './figures';
import { PartSize, Sizes } from './sizes';

const DOCS = 'https://github.com/mlflow-on-kubernetes/cdk8s-mlflow/blob/main/docs';

/** How many times the traffic a part takes before it is full, and how one sees it coming. */
export interface Room {
  readonly part: string;
  readonly times: number;
  /** Panels of the dashboard of `metrics`. */
  readonly panels: string[];
  /** Alerts of `metrics`. */
  readonly alerts: string[];
  readonly sign: string;
  readonly then: string;
}

/** What is worth a look before it is applied. */
export interface Note {
  readonly text: string;
  readonly link: string;
}

/** The parts that are full when there is too much traffic, the first one first. */
export function roomsOf({ server, database, minio, demand }: Sizes): Room[] {
  const cpu = ({ pods, resources, cores }: PartSize) => (pods * resources.cpuLimit) / cores;
  const busiest = Math.max(server.network, minio.network);
  const rooms: Room[] = [
    {
      part: 'CPU of the tracking server',
      // a worker is one Python interpreter, and takes little more than a core
      times: (server.pods * server.workers) / server.cores,
      panels: ['CPU', 'Latency'],
      alerts: ['MlflowHighErrorRate'],
      sign: 'CPU of a pod comes close to its workers, and latency rises; errors, with their alert, come late',
      then: 'more replicas, or autoscaling',
    },
    {
      part: 'CPU of PostgreSQL',
      times: cpu(database),
      panels: ['Latency', 'CPU'],
      alerts: ['MlflowDatabaseNotReachable'],
      sign: 'latency rises and CPU of the tracking server does not; kubectl top pod postgres-0',
      then: 'more CPU, which one node has to have, or a database of others',
    },
    {
      part: 'CPU of MinIO',
      times: cpu(minio),
      panels: ['CPU'],
      alerts: ['MlflowArtifactStoreNotWritable'],
      sign: 'mlflow_artifact_transfers_in_progress rises and CPU of the tracking server does not; kubectl top pod minio-0',
      then: 'more CPU, or another store with more servers',
    },
    {
      part: 'network of a node',
      times: demand.traffic.network / busiest,
      panels: ['CPU'],
      alerts: [],
      sign: 'mlflow_artifact_transfers_in_progress rises and CPU does not; see the network of the nodes in their own dashboard',
      then: 'more replicas and servers of MinIO, on further nodes',
    },
  ];
  return rooms.sort((one, other) => one.times - other.times);
}

/** Days after which the volumes are so full that the alert fires, where nothing is deleted. */
export function daysUntilAlert({ volume, growth }: { readonly volume: number; readonly growth: number }): number {
  return (0.9 * volume) / growth;
}

export function notesOf({ server, database, minio, demand }: Sizes): Note[] {
  const notes: Note[] = [];
  const say = (text: string, link: string) => notes.push({ text, link: `${DOCS}/${link}` });
  if (server.pods > 1) say('Pods of the tracking server are not free to multiply: job runners are one pod, budgets of the AI gateway count in each process', 'how-to/run-in-production.md#without-sticky-sessions');
  if (demand.transferCores > server.cores / 2 && server.cores > 1) say('Transfers take most of the tracking server: they can have pods of their own', 'how-to/split-topology.md#when-it-pays');
  if (minio.pods === 1) say('One server of MinIO is away while its node is, and their number cannot be changed later', 'how-to/minio-servers.md');
  if (database.resources.cpuLimit > MEASURED_CPUS) say(`PostgreSQL is one server, and was measured with ${MEASURED_CPUS} CPUs: whether it does this with more is not known`, 'how-to/external-stores.md');
  if (minio.pods > 4) say(`MinIO was measured with one and four servers, and not with ${minio.pods}`, 'how-to/minio-servers.md');
  say('What is older than --days has to be deleted by somebody: the clean-up removes for good what users have deleted', 'how-to/run-in-production.md#what-is-deleted');
  return notes;
}
