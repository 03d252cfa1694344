import { Duration } from 'cdk8s';
import { Construct } from 'constructs';
import { PreflightOptions, PreflightSettings } from './preflight-options';
import { PreflightPackage } from './preflight-package';
import { MLFLOW_DOCTOR_PY } from '../assets.generated';
import { ITrackingServer } from '../tracking-server/server';
import { ofServer } from '../tracking-server/add-on';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { unlessSwitchedOff } from '../validation/switched-off';
import { k8s } from '../../imports/k8s';

/** Props of `Preflight`. */
export interface PreflightProps extends PreflightSettings {
  /** The server before whose start the stores are tried. */
  readonly server: ITrackingServer;
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

  /** ConfigMap `<name of the server>-preflight-relocate` with those of its modules that move old experiments. */
  public readonly relocateConfigMap: k8s.KubeConfigMap;

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
    this.relocateConfigMap = files.relocateConfigMap;
    this.node.defaultChild = this.configMap;
    server.addVolume(this, files.completeVolume, files.volumeMount);
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
  const settings = Object.fromEntries(Object.entries(given).filter(([name]) => !name.startsWith('monitor')));
  return unlessSwitchedOff<PreflightSettings>(checks, 'preflight', enabled, settings, 'nothing is tried before the server starts');
}

/** Whether the prop `preflight` of a server wants a pod that tries the stores. */
export function wantsMonitor(checks: PropChecks, { monitor, monitorClients, monitorResources }: PreflightOptions = {}): boolean {
  const wanted = checks.flag('preflight.monitor', monitor ?? true);
  for (const [name, value] of Object.entries({ monitorClients, monitorResources })) {
    if (wanted || value === undefined) continue;
    checks.fault({ prop: `preflight.${name}`, value, hidden: true, rule: 'with preflight.monitor = false there is no monitor', fix: `leave preflight.${name} out, or preflight.monitor` });
  }
  return wanted;
}
