import { Duration } from 'cdk8s';
import { ConnectionPool, Pool, applyPool } from './connection-pool';
import { Layer, ServerProcess } from './process';
import { JOBS, JobExecution } from '../features/job-execution';
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
   * 1.2 GiB while no job runs, so that memory is 2 GiB to 3 GiB then, unless `resources` says otherwise. There is one pod, and
   * a rollout ends it before the next one starts: two would run each other's jobs again.
   *
   * @default - false, unless something that needs them, such as `traceArchival`, turns them on
   */
  readonly jobExecution?: boolean;

  /**
   * From which level on the server logs.
   *
   * @default LogLevel.INFO
   */
  readonly logLevel?: LogLevel;

  /**
   * Whether MLflow reports to its makers which of its functions are used, and from which kind of system: the server, its web UI
   * and the clean-up.
   *
   * @default false
   * @see https://mlflow.org/docs/latest/community/usage-tracking/
   */
  readonly telemetry?: boolean;

  /**
   * Where the server has the newest list of models of the AI gateway's providers from: the URI of a folder with a file
   * `<provider>.json` for each. Empty: the list in the image.
   *
   * @default - GitHub; the list in the image where the NetworkPolicy of the server does not let it get there
   */
  readonly modelCatalogUri?: string;

  /**
   * Connections of each server process to the database.
   *
   * @default - 10, and up to 121 under load
   */
  readonly connectionPool?: ConnectionPool;

  /**
   * How long the server keeps a connection open on which no request comes: longer than what stands before it, which answers 502 to a
   * request that it sends at the moment in which the server closes. Of the well-known load balancers that of Google waits longest,
   * 600 seconds. An option `--timeout-keep-alive` in `--uvicorn-opts` wins.
   *
   * @default Duration.seconds(620)
   * @see https://cloud.google.com/load-balancing/docs/https#timeouts_and_retries
   */
  readonly keepAlive?: Duration;
}

export const SETTINGS: Shape<ServerSettings> = {
  allowedHosts: 'value',
  deriveAllowedHosts: 'value',
  corsAllowedOrigins: 'list',
  xFrameOptions: 'value',
  staticPrefix: 'value',
  jobExecution: 'value',
  logLevel: 'value',
  telemetry: 'value',
  modelCatalogUri: 'value',
  connectionPool: {},
  keepAlive: 'value',
};
/** Read by all programs of MLflow, and not by the server alone. */
export const TELEMETRY = 'MLFLOW_DISABLE_TELEMETRY';

/** Puts the settings into the environment, so that the flags of the server stay as everybody knows them. Gives the pool. */
export function applySettings(checks: PropChecks, process: ServerProcess, settings: ServerSettings, workers: number, jobs: JobExecution): Pool {
  const set = (prop: string, name: string, value: string | undefined) => {
    process.reserve(name, `the prop ${prop}`);
    if (value !== undefined) process.variable(Layer.SETTINGS, `the prop ${prop}`, name, () => ({ name, value }));
  };
  const { xFrameOptions, logLevel } = settings;
  set('workers', 'MLFLOW_WORKERS', String(checks.count('workers', workers, 'the number of workers')));
  process.variable(Layer.SETTINGS, 'the prop settings.jobExecution', JOBS, () => ({ name: JOBS, value: jobs.value }));
  set('settings.telemetry', TELEMETRY, String(!checks.flag('settings.telemetry', settings.telemetry ?? false)));
  set('settings.staticPrefix', 'MLFLOW_STATIC_PREFIX', settings.staticPrefix || undefined);
  if (xFrameOptions !== undefined) {
    set('settings.xFrameOptions', 'MLFLOW_SERVER_X_FRAME_OPTIONS', checks.oneOf('settings.xFrameOptions', xFrameOptions, Object.values(XFrameOptions), 'xFrameOptions'));
  }
  if (logLevel !== undefined) {
    const level = checks.oneOf('settings.logLevel', logLevel, Object.values(LogLevel), 'logLevel');
    set('settings.logLevel', 'MLFLOW_LOGGING_LEVEL', level);
    set('settings.logLevel', 'MLFLOW_UVICORN_OPTS', `--log-level=${String(level).toLowerCase()}`);
  }
  // by a variable of uvicorn itself: --uvicorn-opts cannot stand beside --dev, and belongs to the user
  set('settings.keepAlive', 'UVICORN_TIMEOUT_KEEP_ALIVE', String(checks.seconds('settings.keepAlive', settings.keepAlive ?? Duration.seconds(620))));
  return applyPool(checks, process, settings.connectionPool);
}

/** The prefix under which the server answers; empty for none. */
export function checkedPrefix(checks: PropChecks, prefix = ''): string {
  if (typeof prefix !== 'string' || !/^(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._~-]+)*$/.test(prefix)) {
    checks.fault({
      prop: 'settings.staticPrefix',
      value: prefix,
      rule: 'a prefix begins with "/", does not end with it, has letters, digits, ".", "_", "~" and "-" between, and no part that is "." or ".." (https://mlflow.org/docs/latest/api_reference/cli.html#cmdoption-mlflow-server-static-prefix)',
      fix: 'pass a path such as "/mlflow"',
    });
  }
  return prefix;
}
