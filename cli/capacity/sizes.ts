import { erasureSet } from '../../lib/artifact-store/minio-servers';
import { UsageFault } from '../fault';
import { Demand } from './demand';
import { MEASURED_CPUS, figure } from './figures';

const MOST_WORKERS = 4;
const MOST_MINIOS = 1024;
/** Connections that each worker keeps. */
const KEPT_CONNECTIONS = 10;
/** What of a volume is used in the end: the alert MlflowVolumeNearlyFull fires at 90 %. */
const FULL = 0.8;
const SMALLEST_VOLUME = 10;
const STEP_MIB = 64;
/** A size as the defaults of the library have it at least: a limit is twice the request, or more. */
const [SMALLEST_SERVER, SMALLEST_STORE] = [
  { cpuRequest: 0.25, cpuLimit: 2, memoryRequest: 512, memoryLimit: 1024 },
  { cpuRequest: 0.1, cpuLimit: 1, memoryRequest: 256, memoryLimit: 1024 },
];
/** Bits of a GiB, in Gbit. */
const GBIT = (8 * 1024 ** 3) / 1e9;

/** CPU in cores, and memory in MiB, of one pod. */
export interface PodSize {
  readonly cpuRequest: number;
  readonly cpuLimit: number;
  readonly memoryRequest: number;
  readonly memoryLimit: number;
}

/** A part of the stack: pods of one size, and what they do in the busiest hour. */
export interface PartSize {
  readonly pods: number;
  readonly resources: PodSize;
  /** Cores that all of them use. */
  readonly cores: number;
  /** Gbit/s of each, in the direction that has more. */
  readonly network: number;
}

export interface StoreSize extends PartSize {
  /** GiB of the volume of each pod. */
  readonly volume: number;
  /** GiB that the volume of each pod grows in a day. */
  readonly growth: number;
  /** GiB on the volume of each pod in the end. */
  readonly used: number;
}

/** The parts of a stack for a traffic. */
export class Sizes {
  public readonly server: PartSize & { readonly workers: number };
  public readonly database: StoreSize;
  public readonly minio: StoreSize;

  public constructor(public readonly demand: Demand) {
    this.server = this.serverSize();
    this.database = this.databaseSize();
    this.minio = this.minioSize();
  }

  /** Requests of all pods, and space of all volumes. */
  public get totals(): { readonly cores: number; readonly mebibytes: number; readonly volumes: number } {
    const parts = [this.server, this.database, this.minio];
    return {
      cores: parts.reduce((sum, { pods, resources }) => sum + pods * resources.cpuRequest, 0),
      mebibytes: parts.reduce((sum, { pods, resources }) => sum + pods * resources.memoryRequest, 0),
      volumes: this.database.volume + this.minio.pods * this.minio.volume,
    };
  }

  private get load(): number {
    return this.demand.traffic.load / 100;
  }

  private serverSize(): Sizes['server'] {
    const { serverCores: cores, rates } = this.demand;
    // as much comes in as goes out: what is logged goes on to MinIO, what is read to the client
    const gigabits = (rates.up + rates.down) * GBIT;
    const needed = Math.max(1, Math.ceil(cores / this.load));
    const forNetwork = Math.ceil(gigabits / (this.demand.traffic.network * this.load));
    const pods = needed === 1 && forNetwork <= 1 ? 1 : Math.max(2, forNetwork, Math.ceil(needed / MOST_WORKERS));
    const workers = Math.ceil(needed / pods);
    const memory = this.workerMemory(workers) + workers * (figure('memory.crowd') - figure('memory.workers1'));
    return { pods, workers, cores, network: gigabits / pods, resources: podSize(SMALLEST_SERVER, cores / pods, workers, memory) };
  }

  private workerMemory(workers: number): number {
    const [one, four] = [figure('memory.workers1'), figure('memory.workers4')];
    return one + ((four - one) / 3) * (workers - 1);
  }

  private databaseSize(): StoreSize {
    const { databaseCores: cores, databaseGrowth: growth, traffic } = this.demand;
    const connections = KEPT_CONNECTIONS * this.server.workers * this.server.pods;
    const memory = figure('memory.postgres') + connections * figure('memory.connection');
    const used = figure('database.empty') / 1024 + growth * traffic.days;
    return { pods: 1, cores, network: 0, growth, used, volume: volumeFor(used), resources: podSize(SMALLEST_STORE, cores, cores / this.load, memory) };
  }

  /** As few servers as do: each has a volume, a node and its network. */
  private minioSize(): StoreSize {
    const { traffic } = this.demand;
    for (let pods = 1; pods <= MOST_MINIOS; pods = pods === 1 ? 4 : pods < 16 ? 2 * pods : pods + 16) {
      const size = this.minioOf(pods);
      const fits = size.volume <= traffic.volume && size.cores / pods / this.load <= MEASURED_CPUS && size.network <= traffic.network * this.load;
      if (fits) return size;
    }
    throw new UsageFault(`this takes more than ${MOST_MINIOS} servers of MinIO with volumes of ${traffic.volume} GiB: keep artifacts for fewer --days, or give a larger --volume or --network`);
  }

  private minioOf(pods: number): StoreSize {
    const { traffic, artifactGrowth, rates } = this.demand;
    const { drives, usableShare } = erasureSet(pods);
    const cores = this.demand.minioCores(pods);
    // a server that takes an object keeps one part of it, and sends the others on; one that reads it fetches all but its own
    const written = rates.up * ((drives - 1) / (drives * usableShare));
    const read = rates.down * (1 - 1 / (drives * usableShare));
    const network = (Math.max(rates.up, rates.down) + written + read) / pods;
    const growth = artifactGrowth / usableShare / pods;
    const memory = pods === 1 ? figure('memory.minio') : figure('memory.fourMinios') / 4;
    const used = growth * traffic.days;
    return { pods, cores, network: network * GBIT, growth, used, volume: volumeFor(used), resources: podSize(SMALLEST_STORE, cores / pods, cores / pods / this.load, memory) };
  }
}

function podSize(smallest: PodSize, cores: number, limit: number, memory: number): PodSize {
  const memoryRequest = Math.max(smallest.memoryRequest, Math.ceil(memory / STEP_MIB) * STEP_MIB);
  return {
    cpuRequest: Math.max(smallest.cpuRequest, Math.ceil(cores * 20) / 20),
    cpuLimit: Math.max(smallest.cpuLimit, Math.ceil(limit)),
    memoryRequest,
    memoryLimit: Math.max(smallest.memoryLimit, 2 * memoryRequest),
  };
}

function volumeFor(used: number): number {
  return Math.max(SMALLEST_VOLUME, Math.ceil(used / FULL));
}

