import { Lazy, Size, SizeRoundingBehavior } from 'cdk8s';
import { Construct } from 'constructs';
import { IBackendStore } from './backend-store';
import { connectionsTo } from '../store/connection-demand';
import { ContainerResources } from '../options/resources';
import { STORE_RESOURCES } from '../store/store';
import { PropChecks, isSize } from '../validation/prop-checks';
import { canonicalBytes, quantity } from '../validation/quantity';
import { k8s } from '../../imports/k8s';

/** The processes of the server itself, and the buffers that all of them share: PostgreSQL's default of 128 MiB. */
const BASE_MIB = 160;
/** Of a connection that MLflow uses: measured 3.5 to 4.1 MiB. */
const CONNECTION_MIB = 4;
/** The share of the limit that parallel queries may take. */
const SHARED = 1 / 8;
const STEP_MIB = 256;

/** The memory of a PostgreSQL, which fits the connections that tracking servers usually open under load. */
export class PostgresMemory {
  /** The limit, where the props have none: known at synth. */
  public readonly limit?: k8s.Quantity;

  /** Size of `/dev/shm`, which counts as memory of the container. */
  public readonly shared: k8s.Quantity;

  /** Of the container, where the props have none: the limit is not below the request. */
  public readonly defaults: Required<ContainerResources>;

  private readonly given?: Size;

  public constructor(
    private readonly store: Construct & Pick<IBackendStore, 'connections'>,
    resources: ContainerResources | undefined,
  ) {
    const [limit, request] = [resources?.memoryLimit, resources?.memoryRequest];
    // what is no size is told where all resources are checked
    this.given = isSize(limit) ? limit : undefined;
    const least = [STORE_RESOURCES.memoryLimit, ...(isSize(request) ? [request] : [])].map((size) => Math.ceil(quantity(size.asString()) / 1024 ** 2));
    this.defaults = { ...STORE_RESOURCES, memoryLimit: Size.mebibytes(Math.max(...least)) };
    const lazily = (mebibytes: () => number) => Lazy.any({ produce: () => k8s.Quantity.fromString(canonicalBytes(Math.floor(mebibytes()) * 1024 ** 2)) }) as unknown as k8s.Quantity;
    this.limit = this.given === undefined ? lazily(() => this.mebibytes()) : undefined;
    this.shared = lazily(() => this.mebibytes() * SHARED);
    // what servers open is known when all of them are there
    store.node.addValidation({ validate: () => (this.check(checks), []) });
    const checks = new PropChecks(store);
  }

  private mebibytes(): number {
    const least = this.defaults.memoryLimit.toMebibytes();
    return this.given?.toMebibytes({ rounding: SizeRoundingBehavior.FLOOR }) ?? Math.max(least, Math.ceil(this.needed() / STEP_MIB) * STEP_MIB);
  }

  private needed(): number {
    return (BASE_MIB + CONNECTION_MIB * connectionsTo(this.store).usual) / (1 - SHARED);
  }

  private check(checks: PropChecks): void {
    if (this.given === undefined || this.mebibytes() >= this.needed()) return;
    const { usual } = connectionsTo(this.store);
    checks.fault({
      prop: 'resources.memoryLimit',
      value: `${this.mebibytes()}Mi`,
      rule: `the tracking servers open up to ${usual} connections under load, of ${CONNECTION_MIB} MiB each, so that PostgreSQL needs ${Math.ceil(this.needed())}Mi, and would be killed in the middle of it (https://www.postgresql.org/docs/current/kernel-resources.html#LINUX-MEMORY-OVERCOMMIT)`,
      fix: 'raise it or leave it out, or lower replicas, workers or settings.connectionPool (to 41 in sum) of the tracking server',
    });
  }
}
