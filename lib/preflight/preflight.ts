import { Duration } from 'cdk8s';
import { Construct } from 'constructs';
import { PreflightPackage } from './preflight-package';
import { MLFLOW_DOCTOR_PY } from '../assets.generated';
import type { TrackingServer } from '../tracking-server/tracking-server';
import { ofServer } from '../validation/add-on';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { k8s } from '../../imports/k8s';

/** What is tried before a tracking server starts. */
export interface PreflightSettings {
  /**
   * How long a pod waits for stores that are not there yet before it fails and is started again. What waiting cannot
   * mend, such as a wrong key, fails at once.
   *
   * @default Duration.minutes(5)
   */
  readonly startupDeadline?: Duration;

  /**
   * Whether a start upgrades a database whose schema is older than this MLflow. Without it the pod stops and says so,
   * since there is no way back: take a backup, set it for one rollout, and remove it.
   *
   * @default false
   * @see https://mlflow.org/docs/latest/self-hosting/migration/
   */
  readonly upgradeSchema?: boolean;

  /**
   * How long an upgrade of the schema may take, with `upgradeSchema`. Neither the startup probe nor a pod that is asked to
   * stop cuts it off before.
   *
   * @default Duration.hours(1)
   */
  readonly upgradeDeadline?: Duration;
}

/** What is tried before a tracking server starts, and while it runs. */
export interface PreflightOptions extends PreflightSettings {
  /**
   * Whether both stores are tried before the server starts. Without it, MLflow starts at once, and the first request finds
   * out what does not work.
   *
   * @default true
   */
  readonly enabled?: boolean;

  /**
   * Whether a pod of its own tries both stores again and again while the server runs.
   *
   * @default true
   */
  readonly monitor?: boolean;
}

/** Props of `Preflight`. */
export interface PreflightProps extends PreflightSettings {
  /** The server before whose start the stores are tried. */
  readonly server: TrackingServer;
}

const SHAPE: Shape<PreflightSettings> = { startupDeadline: 'value', upgradeSchema: 'value', upgradeDeadline: 'value' };

/**
 * Tries the environment, the artifact store and the database before the tracking server starts, and tells what does not work,
 * why, and what mends it. A tracking server makes it itself, unless `preflight.enabled` is false.
 */
export class Preflight extends Construct {
  /**
   * The program that examines a tracking server from a notebook, `mlflow_doctor.py`: one file that needs Python only. It is also
   * in the ConfigMap, under this name.
   */
  public static readonly CLIENT_DOCTOR: string = MLFLOW_DOCTOR_PY;

  /** ConfigMap `<name of the server>-preflight` with the Python package. */
  public readonly configMap: k8s.KubeConfigMap;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the server, and how long it waits
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: PreflightProps) {
    super(place(scope, id), id);
    const { server, ...given } = ofServer(this, props);
    const checks = new PropChecks(this);
    const settings = checks.props(given, SHAPE);
    const deadline = settings.startupDeadline ?? Duration.minutes(5);
    const seconds = checks.seconds('startupDeadline', deadline);
    const upgrades = checks.flag('upgradeSchema', settings.upgradeSchema ?? false);

    const files = PreflightPackage.of(server);
    this.configMap = files.configMap;
    this.node.defaultChild = this.configMap;
    server.addVolume(this, files.volume, files.volumeMount);
    const [deployment, ...others] = files.variables;
    for (const variable of [deployment, { name: 'STARTUP_DEADLINE_SECONDS', value: String(seconds) }, ...others]) server.addVariable(this, variable);
    if (seconds > 0) server.allowStartup(Duration.seconds(seconds));

    if (settings.upgradeDeadline !== undefined && !upgrades) {
      checks.fault({ prop: 'upgradeDeadline', value: settings.upgradeDeadline, hidden: true, rule: 'it is for upgradeSchema, without which nothing is upgraded', fix: 'leave it out, or pass upgradeSchema: true' });
    }
    const upgradeSeconds = checks.seconds('upgradeDeadline', settings.upgradeDeadline ?? Duration.hours(1));
    if (upgrades && upgradeSeconds > 0) {
      server.addVariable(this, { name: 'STARTUP_UPGRADE_SCHEMA', value: 'true' });
      server.allowStartup(Duration.seconds(upgradeSeconds));
      server.allowTermination(Duration.seconds(upgradeSeconds));
    }
  }
}

/** What of the prop `preflight` of a server is for its preflight; undefined where none is wanted. */
export function wantedPreflight(checks: PropChecks, { enabled, ...given }: PreflightOptions = {}): PreflightSettings | undefined {
  const settings = Object.entries(given).filter(([name, value]) => name !== 'monitor' && value !== undefined);
  if (checks.flag('preflight.enabled', enabled ?? true)) return Object.fromEntries(settings);
  for (const [name, value] of settings) {
    checks.fault({ prop: `preflight.${name}`, value, hidden: true, rule: 'with preflight.enabled = false nothing is tried before the server starts', fix: `leave preflight.${name} out, or preflight.enabled` });
  }
  return undefined;
}
