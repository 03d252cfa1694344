import { Size } from 'cdk8s';
import { Construct } from 'constructs';
import { ContainerResources } from '../options/resources';
import { PropChecks } from '../validation/prop-checks';
import { k8s } from '../../imports/k8s';

/** The variable that turns them on. */
export const JOBS = 'MLFLOW_SERVER_ENABLE_JOB_EXECUTION';
const PROP = 'settings.jobExecution';
/** The job runner is the parent of all that runs jobs; they end when it does. */
const END_JOBS = `
import glob, os, signal
for path in glob.glob("/proc/[0-9]*/cmdline"):
    try:
        if "mlflow.server.jobs._job_runner" in open(path).read().split(chr(0)): os.kill(int(path.split("/")[2]), signal.SIGTERM)
    except OSError: pass
`.trim();
/** Measured with MLflow 3.17.2: ten processes have 1,586 MiB (PSS) while no job runs, and each job that runs adds one of its own. */
const MEMORY = { memoryRequest: Size.gibibytes(2), memoryLimit: Size.gibibytes(3) };

/** What MLflow 3.17 does not tell its jobs of where the server is; later ones do. */
const TELLS_PREFIX = [3, 18];

/** Where jobs find the server. */
interface Address {
  readonly host: string;
  readonly staticPrefix: string;
  readonly guarded: boolean;
  readonly image: unknown;
}

interface Pods {
  readonly replicas: number;
  readonly scaled: boolean;
}

/**
 * The job runners of MLflow, where they are on. A server that starts takes every unfinished job of the database for one that
 * a crash has left, sets it back and runs it, also one that another pod is running at that time: there is one pod, and
 * never two of them during a rollout.
 *
 * @see https://mlflow.org/docs/latest/api_reference/python_api/mlflow.environment_variables.html#mlflow.environment_variables.MLFLOW_SERVER_ENABLE_JOB_EXECUTION
 */
export class JobExecution {
  private wanted?: Construct;

  public constructor(
    private readonly checks: PropChecks,
    private readonly given: boolean | undefined,
    address: Address,
  ) {
    if (checks.flag(PROP, given ?? false)) this.checkAddress(address);
  }

  /** Whether the server runs jobs. */
  public get enabled(): boolean {
    return this.given ?? this.wanted !== undefined;
  }

  /** Turns the job runners on for a construct that needs them. */
  public want(owner: Construct, what: string): void {
    this.wanted ??= owner;
    if (this.given === false) {
      this.checks.fault({ prop: PROP, value: false, rule: `[${owner.node.path}] needs the job runners of MLflow, which ${what}`, fix: `leave ${PROP} out, which turns them on for it, or leave that out` });
    }
  }

  /** The value of `MLFLOW_SERVER_ENABLE_JOB_EXECUTION`; what the user wrote, even where it is no boolean, since a fault tells that. */
  public get value(): string {
    return String(this.given ?? this.enabled);
  }

  /** CPU and memory where the user leaves them out. */
  public resources(defaults: Required<ContainerResources>): Required<ContainerResources> {
    return this.enabled ? { ...defaults, ...MEMORY } : defaults;
  }

  /** How a rollout replaces the pods: the new one starts when the last process of the old one has ended, or before. */
  public get strategy(): k8s.DeploymentStrategy {
    if (this.enabled) return { type: 'Recreate' };
    return { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: k8s.IntOrString.fromNumber(0), maxSurge: k8s.IntOrString.fromNumber(1) } };
  }

  /** What a pod that is asked to stop does first, as Python: a drain of nodes starts the next pod while this one still ends. */
  public get farewell(): string {
    return this.enabled ? `${END_JOBS}\n` : '';
  }

  /** Faults of more pods than one. */
  public check({ replicas, scaled }: Pods): void {
    if (!this.enabled || (replicas < 2 && !scaled)) return;
    const by = this.given === true ? `${PROP} = true` : `the job runners, which [${this.wanted!.node.path}] needs,`;
    this.checks.fault({
      prop: scaled ? PROP : 'replicas',
      value: scaled ? 'job runners in pods whose number follows their load' : replicas,
      rule: `with ${by} there is one pod: each that starts sets the running jobs of all others back and runs them again (MLflow calls the job runners single-replica: https://mlflow.org/docs/latest/api_reference/python_api/mlflow.environment_variables.html)`,
      fix: scaled ? 'leave autoscaling out, or run the jobs on a server of its own' : 'pass replicas: 1 and more workers, or run the jobs on a server of its own',
    });
  }
  /** What keeps a job from the server, which MLflow gives it as `http://HOST:PORT`. */
  private checkAddress({ host, staticPrefix, guarded, image }: Address): void {
    if (staticPrefix !== '' && !guarded && !tellsPrefix(image)) {
      this.checks.fault({
        prop: PROP,
        value: true,
        rule: `up to MLflow 3.17 a job asks the server without settings.staticPrefix, here ${JSON.stringify(staticPrefix)}, which only the guard adds (https://github.com/mlflow/mlflow/blob/v3.17.2/mlflow/server/__init__.py)`,
        fix: 'leave guard.enabled or settings.staticPrefix out, or pass an image of MLflow 3.18 or newer with its version as the tag',
      });
    }
    if (host.includes(':')) {
      console.warn(
        `WARNING: [${this.checks.scope.node.path}] ${PROP}: MLflow gives its jobs the address http://${host}:PORT, which no client reads, so that a job that asks the server fails. ` +
          'Run such jobs on a server in a cluster with IPv4; others, and the schedule of archived traces, are not touched by it.',
      );
    }
  }
}

function tellsPrefix(image: unknown): boolean {
  const [, major, minor] = /:v?(\d+)\.(\d+)(?=[.@-]|$)/.exec(String(image)) ?? [];
  return major !== undefined && (Number(major) - TELLS_PREFIX[0] || Number(minor) - TELLS_PREFIX[1]) >= 0;
}
