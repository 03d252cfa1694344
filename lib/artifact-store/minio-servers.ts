import { PropChecks } from '../validation/prop-checks';

const FOLDER = '/data';
const [SMALLEST_SET, LARGEST_SET] = [4, 16];
const PAGE = 'https://docs.min.io/community/minio-object-store/operations/concepts/erasure-coding.html';

/** How many servers a MinIO has, of one drive each, and what follows from it. */
export class MinioServers {
  public readonly count: number;

  public constructor(checks: PropChecks, given: number | undefined) {
    this.count = given ?? 1;
    if (!Number.isInteger(this.count) || this.count < 1 || (this.count > 1 && setOf(this.count) === undefined)) {
      checks.fault({
        prop: 'servers',
        value: given,
        rule: `there is one server, or as many as make equal sets of ${SMALLEST_SET} to ${LARGEST_SET} drives, each server having one: ${SMALLEST_SET} to ${LARGEST_SET}, or a multiple of one of these (${PAGE})`,
        fix: 'pass 4, or leave it out for one server',
      });
      this.count = 1;
    }
  }

  /** Whether they keep the parts of each object together. */
  public get isDistributed(): boolean {
    return this.count > 1;
  }

  /** Of the space of all volumes, what objects may take: the rest is what they are made whole from. */
  public get usableShare(): number {
    return erasureSet(this.count).usableShare;
  }

  /** What a server is told of the drives: its own folder, or that of each server, by a name that is there before the server is. */
  public folders(scheme: string, name: string, host: string, port: number): string {
    if (!this.isDistributed) return FOLDER;
    const peers = `${name}-{0...${this.count - 1}}.${name}-headless${host.slice(name.length)}`;
    return `${scheme}://${peers}:${port}${FOLDER}`;
  }
}

/** The drives that keep an object together, and what of their space objects may take. */
export function erasureSet(servers: number): { readonly drives: number; readonly usableShare: number } {
  const drives = setOf(servers);
  if (drives === undefined) return { drives: 1, usableShare: 1 };
  const parity = drives < 6 ? 2 : drives < 8 ? 3 : 4;
  return { drives, usableShare: (drives - parity) / drives };
}

/** The largest set that all drives can be parted into. */
function setOf(drives: number): number | undefined {
  for (let size = LARGEST_SET; size >= SMALLEST_SET; size--) {
    if (drives % size === 0) return size;
  }
  return undefined;
}
