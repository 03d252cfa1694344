import { FigureName, figure } from './figures';
import { Traffic } from './traffic';

const KIB_A_GIB = 1024 ** 2;
const SMALL_FILE_KIB = 256;
const MIB_A_GIB = 1024;
/** Metrics in one call, of which the figures are. */
const [FEW, MANY] = [1, 100];

/** Calls of which there is a figure for each part. */
const CALLS = ['createRun', 'logParams', 'updateRun', 'searchRuns'] as const;
type Call = (typeof CALLS)[number];
type Part = 'server' | 'postgres' | 'wal' | 'syncs' | 'rows';

/** What the traffic of a day takes, as it was measured. */
export class Demand {
  /** Calls for metadata. */
  public readonly calls: number;
  /** Files that are logged. */
  public readonly files: number;

  private readonly batches: number;
  private readonly counts: { readonly [call in Call]: number };

  public constructor(public readonly traffic: Traffic) {
    const { runs, metrics, batch, searches, artifacts, fileSize } = traffic;
    this.batches = runs * Math.ceil(metrics / batch);
    this.counts = { createRun: runs, logParams: runs, updateRun: runs, searchRuns: runs * searches };
    this.calls = this.batches + CALLS.reduce((sum, call) => sum + this.counts[call], 0);
    this.files = (artifacts * MIB_A_GIB) / fileSize;
  }

  /** What of a day the mean second of the busiest hour has. */
  public get second(): number {
    return this.traffic.peak / 100 / 3600;
  }

  /** Cores of the tracking server in the busiest hour. */
  public get serverCores(): number {
    return (this.metadata('server') + this.transfers('server')) * this.second / 1000;
  }

  /** Of these, what transfers take. */
  public get transferCores(): number {
    return this.transfers('server') * this.second / 1000;
  }

  /** Cores of PostgreSQL in the busiest hour. */
  public get databaseCores(): number {
    return (this.metadata('postgres') + this.transfers('postgres')) * this.second / 1000;
  }

  /** Cores of all servers of MinIO in the busiest hour. */
  public minioCores(servers: number): number {
    return this.transfers(servers === 1 ? 'minio' : 'fourMinios') * this.second / 1000;
  }

  /** How often PostgreSQL waits for its disk in a second of the busiest hour, where no calls share a sync. */
  public get syncs(): number {
    return this.metadata('syncs') * this.second;
  }

  /** MiB of the log of PostgreSQL in such a second. */
  public get walMebibytes(): number {
    return (this.metadata('wal') * this.second) / 1024 ** 2;
  }

  /** Changes of the file system of each server of MinIO in such a second. */
  public get fileChanges(): number {
    return this.files * figure('upFile.minioChanges') * this.second;
  }

  /** GiB that tables and indexes grow in a day. */
  public get databaseGrowth(): number {
    return this.metadata('rows') / 1024 ** 3;
  }

  /** GiB that artifacts take on the volume of a single server of MinIO, in a day. */
  public get artifactGrowth(): number {
    const kibibytes = figure('upGib.minioBytes');
    const ofFile = figure('upFile.minioBytes') - (SMALL_FILE_KIB / KIB_A_GIB) * kibibytes;
    return (this.traffic.artifacts * kibibytes + this.files * ofFile) / KIB_A_GIB;
  }

  /** Files and folders of MinIO, in a day. */
  public get inodeGrowth(): number {
    return this.files * figure('upFile.minioInodes') + this.traffic.artifacts * figure('upGib.minioInodes');
  }

  /** GiB that are logged, and read, in a second of the busiest hour. */
  public get rates(): { readonly up: number; readonly down: number } {
    const up = this.traffic.artifacts * this.second;
    return { up, down: up * this.traffic.reads };
  }

  private metadata(part: Part): number {
    const of = (name: Call | 'logMetric' | 'logMetrics') => figure(`${name}.${part}` as FigureName);
    // what is the same for both differs by chance
    const ofMetric = Math.max(0, (of('logMetrics') - of('logMetric')) / (MANY - FEW));
    const ofBatch = Math.max(0, of('logMetric') - FEW * ofMetric);
    const metrics = this.batches * ofBatch + this.traffic.runs * this.traffic.metrics * ofMetric;
    return metrics + CALLS.reduce((sum, call) => sum + this.counts[call] * of(call), 0);
  }

  /** Milliseconds of CPU. Each file takes some, and each GiB. */
  private transfers(part: 'server' | 'postgres' | 'minio' | 'fourMinios'): number {
    const { artifacts, reads } = this.traffic;
    const of = (direction: 'up' | 'down') => this.files * figure(`${direction}File.${part}`) + artifacts * figure(`${direction}Gib.${part}`);
    return of('up') + reads * of('down');
  }
}
