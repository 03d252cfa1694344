import { Duration } from 'cdk8s';
import { Layer, ServerProcess } from './process';
import { IBackendStore } from '../backend-store/backend-store';
import { JOBS } from '../features/job-execution';
import { OTHER_CONNECTIONS, connectionsTo, demandConnections } from '../store/connection-demand';
import { PropChecks } from '../validation/prop-checks';
import { Shape, fits } from '../validation/prop-shape';

/** Threads with which a server process answers requests: anyio's default, which Starlette takes. */
const THREADS = 40;
/** Connections that a request holds at one time: nearly all two at most, but four where `log_batch` renames its run. */
const HELD = 2;
const MOST_HELD = 4;
/** Connections that a process keeps open in each of its pools. */
const SIZE = 10;
/** Where each thread holds all connections but the last that it wants, one more lets one of them go on, and with it all others. */
const FEWEST = THREADS * (HELD - 1) + 1;
const ENOUGH = THREADS * (MOST_HELD - 1) + 1;
/** Connections of the process that starts the workers of a pod, which has looked at the schema. */
const OF_PARENT = 4;
const OF_MONITOR = 1;

const POOLING = '(https://docs.sqlalchemy.org/en/20/core/pooling.html)';

/**
 * Connections of a server process to the database. A server process answers with up to 40 threads, and a request can hold
 * several connections: with too few of them requests wait for each other, and are answered with an error after 30 s.
 *
 * @see https://docs.sqlalchemy.org/en/20/core/pooling.html
 */
export interface ConnectionPool {
  /**
   * Connections that each server process keeps open in each of its pools: one for experiments and runs, one for the model
   * registry, one for the users of `BasicAuth`.
   *
   * @default 10
   */
  readonly size?: number;

  /**
   * Further connections that a process may open for a while. Together with `size` there are 41 or more.
   *
   * @default - as many as make 121 with `size`, with which no request can lock another
   */
  readonly maxOverflow?: number;

  /**
   * Age at which a connection is replaced: less than after which a firewall or a proxy drops it.
   *
   * @default - never
   */
  readonly recycle?: Duration;
}

const POOL: Shape<ConnectionPool> = { size: 'value', maxOverflow: 'value', recycle: 'value' };

/** The most connections of one pool. */
export interface Pool {
  readonly size: number;
  readonly maxOverflow: number;
}

/** Puts the settings of the pools into the environment. */
export function applyPool(checks: PropChecks, process: ServerProcess, given: ConnectionPool = {}): Pool {
  const prop = 'settings.connectionPool';
  const set = (name: string, variable: string, value: string) =>
    process.variable(Layer.SETTINGS, `the prop ${prop}.${name}`, variable, () => ({ name: variable, value }));
  const { size: kept = SIZE, maxOverflow: more, recycle } = checks.props(given, POOL, `${prop}.`);
  const size = checks.count(`${prop}.size`, kept, 'the number of connections');
  const maxOverflow = more ?? (Number.isInteger(size) ? Math.max(1, ENOUGH - size) : ENOUGH);
  if (!Number.isInteger(maxOverflow) || maxOverflow < 1) {
    checks.fault({
      prop: `${prop}.maxOverflow`,
      value: maxOverflow,
      rule: `the number of connections is a whole number of 1 or more: for 0 MLflow leaves it to SQLAlchemy, which takes 10 ${POOLING}`,
      fix: 'pass a number such as 40',
    });
  } else if (Number.isInteger(size) && size + maxOverflow < FEWEST) {
    checks.fault({
      prop,
      value: { size, maxOverflow },
      rule: `size + maxOverflow is ${FEWEST} or more: a server process answers with ${THREADS} threads, which would hold one connection each, wait for a second, and answer with an error after 30 s ${POOLING}`,
      fix: `leave it out, or pass { size: ${size}, maxOverflow: ${FEWEST - size} }; where the database takes fewer, put a pooler before it`,
    });
  }
  set('size', 'MLFLOW_SQLALCHEMYSTORE_POOL_SIZE', String(size));
  // SQLAlchemy refuses sizes together with some of them
  process.reserve('MLFLOW_SQLALCHEMYSTORE_POOLCLASS', `the prop ${prop}`);
  set('maxOverflow', 'MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW', String(maxOverflow));
  if (recycle !== undefined) set('recycle', 'MLFLOW_SQLALCHEMYSTORE_POOL_RECYCLE', String(checks.seconds(`${prop}.recycle`, recycle)));
  return { size: whole(size, SIZE), maxOverflow: whole(maxOverflow, ENOUGH) };
}

/** A number that can be counted with: one that is none is a fault already. */
function whole(value: number, otherwise: number): number {
  return Number.isInteger(value) ? value : otherwise;
}

/** What is known of a server at synth. */
export interface Pods {
  /** The most pods that there are, without the one that replaces another. */
  readonly pods: () => number;
  readonly workers: number;
  readonly process: ServerProcess;
  readonly monitored: boolean;
}

/** Says how many connections a server opens to its database. */
export function countConnections(store: IBackendStore | undefined, { size, maxOverflow }: Pool, { pods, workers, process, monitored }: Pods): void {
  if (store === undefined || !fits(store, {})) return;
  demandConnections(store, () => {
    const others = poolsOf(process) - 1;
    // a thread uses one pool at a time: where one is full, few threads are left for the others, which keep what they have
    const most = size + maxOverflow + others * Math.min(size + maxOverflow, 2 * size);
    const usual = Math.min(size + maxOverflow, THREADS * HELD) + others * size;
    const [count, processes, monitor] = [whole(pods(), 1), whole(workers, 1), monitored ? OF_MONITOR : 0];
    return { most: (count + 1) * (processes * most + OF_PARENT) + monitor, usual: count * (processes * usual + OF_PARENT) + monitor };
  });
}

/** Faults where a database takes fewer connections than its servers open. */
export function checkConnections(checks: PropChecks, store: IBackendStore | undefined, takes: number | undefined): void {
  if (store === undefined || takes === undefined || !Number.isInteger(takes) || !fits(store, {})) return;
  const { most } = connectionsTo(store);
  if (most + OTHER_CONNECTIONS <= takes) return;
  checks.fault({
    prop: 'backendStore',
    value: `a database with maxConnections = ${takes}`,
    rule: `the servers that use it open up to ${most} connections while pods are replaced, and ${OTHER_CONNECTIONS} are for others, together ${most + OTHER_CONNECTIONS} (https://www.postgresql.org/docs/current/runtime-config-connection.html)`,
    fix: `raise max_connections of the database, and maxConnections with it; lower settings.connectionPool (to ${FEWEST} in sum), workers, replicas or autoscaling.maxReplicas; or put a pooler before it, and pass what that one takes`,
  });
}

/** Experiments and model registry have one each, and so have users and jobs. */
function poolsOf(process: ServerProcess): number {
  const jobs = process.env.some(({ name, value }) => name === JOBS && value === 'true');
  const users = process.args.some((argument) => argument === '--app-name=basic-auth');
  return 2 + Number(jobs) + Number(users);
}
