import { Duration } from 'cdk8s';
import { Layer, ServerProcess } from './process';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';

/**
 * From which level on the server logs.
 *
 * @see https://mlflow.org/docs/latest/api_reference/python_api/mlflow.environment_variables.html#mlflow.environment_variables.MLFLOW_LOGGING_LEVEL
 */
export enum LogLevel {
  /** Everything, with what is of use to developers of MLflow only. */
  DEBUG = 'DEBUG',

  /** Each request, and what the server does. */
  INFO = 'INFO',

  /** What may go wrong, and no requests. */
  WARNING = 'WARNING',

  /** What went wrong. */
  ERROR = 'ERROR',
}

/**
 * Which pages may show the web UI in a frame.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/security/network/
 */
export enum XFrameOptions {
  /** Pages of the same origin. */
  SAMEORIGIN = 'SAMEORIGIN',

  /** No page. */
  DENY = 'DENY',

  /** Every page: the header is left out. */
  NONE = 'NONE',
}

/**
 * Connections of a server process to the database.
 *
 * @see https://docs.sqlalchemy.org/en/20/core/pooling.html
 */
export interface ConnectionPool {
  /**
   * Connections that each server process keeps open. All processes of all pods together stay below what the database allows.
   *
   * @default - 5, SQLAlchemy's own
   */
  readonly size?: number;

  /**
   * Further connections that a process may open for a while.
   *
   * @default - 10, SQLAlchemy's own
   */
  readonly maxOverflow?: number;

  /**
   * Age at which a connection is replaced: less than after which a firewall or a proxy drops it.
   *
   * @default - never
   */
  readonly recycle?: Duration;
}

/**
 * Settings of MLflow. To add one is to add a field here and a line in `applySettings`.
 *
 * @see https://mlflow.org/docs/latest/api_reference/cli.html#mlflow-server
 */
export interface ServerSettings {
  /**
   * Host names, as clients write them, for which the server answers. `*` is all; a name with a port is written
   * `name:*`. The list replaces MLflow's own, which does not have the names of the Services.
   *
   * @default ["*"]
   * @see https://mlflow.org/docs/latest/self-hosting/security/network/
   */
  readonly allowedHosts?: string[];

  /**
   * Whether the server answers for the names of its Services and the hosts of its routes only, besides those in
   * `allowedHosts`. The web page of another site can then not use the browser of a user to talk to it (DNS rebinding).
   *
   * @default false
   * @see https://mlflow.org/docs/latest/self-hosting/security/network/
   */
  readonly deriveAllowedHosts?: boolean;

  /**
   * Origins of web pages of other sites that may call the API, such as `https://notebooks.example.com`. The server's own
   * pages, at the hosts of its routes and of `allowedHosts`, may in any case.
   *
   * @default - none but those on the browser's own machine
   * @see https://mlflow.org/docs/latest/self-hosting/security/network/
   */
  readonly corsAllowedOrigins?: string[];

  /**
   * Which pages may show the web UI in a frame.
   *
   * @default XFrameOptions.SAMEORIGIN
   */
  readonly xFrameOptions?: XFrameOptions;

  /**
   * Path under which the server answers, such as `/mlflow`: web UI, API, artifacts and health page, so that probes, routes
   * and `trackingUri` follow. Clients set `<host>/mlflow` as their tracking URI.
   *
   * @default - none: the server answers at "/"
   * @see https://mlflow.org/docs/latest/api_reference/cli.html#cmdoption-mlflow-server-static-prefix
   */
  readonly staticPrefix?: string;

  /**
   * Whether the server runs the job runners behind MLflow's evaluation and optimisation of prompts. They take
   * about 1.5 GiB, so raise `resources` with it.
   *
   * @default false
   */
  readonly jobExecution?: boolean;

  /**
   * From which level on the server logs.
   *
   * @default LogLevel.INFO
   */
  readonly logLevel?: LogLevel;

  /**
   * Connections of each server process to the database.
   *
   * @default - those of SQLAlchemy
   */
  readonly connectionPool?: ConnectionPool;
}

export const SETTINGS: Shape<ServerSettings> = {
  allowedHosts: 'value',
  deriveAllowedHosts: 'value',
  corsAllowedOrigins: 'list',
  xFrameOptions: 'value',
  staticPrefix: 'value',
  jobExecution: 'value',
  logLevel: 'value',
  connectionPool: {},
};
const POOL: Shape<ConnectionPool> = { size: 'value', maxOverflow: 'value', recycle: 'value' };

/** Puts the settings into the environment, so that the flags of the server stay as everybody knows them. */
export function applySettings(checks: PropChecks, process: ServerProcess, settings: ServerSettings, workers: number): void {
  const set = (prop: string, name: string, value: string | undefined) => {
    process.reserve(name, `the prop ${prop}`);
    if (value !== undefined) process.variable(Layer.SETTINGS, `the prop ${prop}`, name, () => ({ name, value }));
  };
  const { xFrameOptions, logLevel, connectionPool } = settings;
  set('workers', 'MLFLOW_WORKERS', String(checks.count('workers', workers, 'the number of workers')));
  set('settings.jobExecution', 'MLFLOW_SERVER_ENABLE_JOB_EXECUTION', String(checks.flag('settings.jobExecution', settings.jobExecution ?? false)));
  set('settings.staticPrefix', 'MLFLOW_STATIC_PREFIX', settings.staticPrefix || undefined);
  if (xFrameOptions !== undefined) {
    set('settings.xFrameOptions', 'MLFLOW_SERVER_X_FRAME_OPTIONS', checks.oneOf('settings.xFrameOptions', xFrameOptions, Object.values(XFrameOptions), 'xFrameOptions'));
  }
  if (logLevel !== undefined) {
    const level = checks.oneOf('settings.logLevel', logLevel, Object.values(LogLevel), 'logLevel');
    set('settings.logLevel', 'MLFLOW_LOGGING_LEVEL', level);
    set('settings.logLevel', 'MLFLOW_UVICORN_OPTS', `--log-level=${String(level).toLowerCase()}`);
  }
  const { size, maxOverflow, recycle } = checks.props(connectionPool ?? {}, POOL, 'settings.connectionPool.');
  if (size !== undefined) set('settings.connectionPool.size', 'MLFLOW_SQLALCHEMYSTORE_POOL_SIZE', String(checks.count('settings.connectionPool.size', size, 'the number of connections')));
  if (maxOverflow !== undefined) {
    if (!Number.isInteger(maxOverflow) || maxOverflow < 0) {
      checks.fault({
        prop: 'settings.connectionPool.maxOverflow',
        value: maxOverflow,
        rule: 'the number of connections is a whole number of 0 or more (https://docs.sqlalchemy.org/en/20/core/pooling.html)',
        fix: 'pass a number such as 10',
      });
    }
    set('settings.connectionPool.maxOverflow', 'MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW', String(maxOverflow));
  }
  if (recycle !== undefined) set('settings.connectionPool.recycle', 'MLFLOW_SQLALCHEMYSTORE_POOL_RECYCLE', String(checks.seconds('settings.connectionPool.recycle', recycle)));
}

/** The prefix under which the server answers; empty for none. */
export function checkedPrefix(checks: PropChecks, prefix = ''): string {
  if (typeof prefix !== 'string' || !/^(\/[A-Za-z0-9._~-]+)*$/.test(prefix)) {
    checks.fault({
      prop: 'settings.staticPrefix',
      value: prefix,
      rule: 'a prefix begins with "/", does not end with it, and has letters, digits, ".", "_", "~" and "-" between (https://mlflow.org/docs/latest/api_reference/cli.html#cmdoption-mlflow-server-static-prefix)',
      fix: 'pass a path such as "/mlflow"',
    });
  }
  return prefix;
}
