import { Size } from 'cdk8s';
import { Construct } from 'constructs';
import { GUARD } from '../assets.generated';
import { GuardOptions, GuardSettings } from './guard-options';
import { PluginFolder } from '../plugins/plugin-folder';
import { ArtifactTransfer } from '../proxied-artifacts/artifact-transfer';
import { ITrackingServer } from '../tracking-server/server';
import { ofServer } from '../tracking-server/add-on';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { quantity } from '../validation/quantity';
import { Shape } from '../validation/prop-shape';
import { unlessSwitchedOff } from '../validation/switched-off';
import { k8s } from '../../imports/k8s';

const PACKAGE = 'mlflow_guard';
/** What a model version may come from: places that MLflow looks up itself, and the two words that it writes for a prompt. */
const OWN_SOURCES = '^((mlflow-artifacts|models|runs):|(dummy-source|prompt-template)$)';
/** The least that MLflow's own clients need: a batch of metrics has up to 1 MiB, the profile of a data set up to 16 MiB. */
const LEAST = 1024 ** 2;

/** Props of `Guard`. */
export interface GuardProps extends GuardSettings {
  /** The server before which it stands. */
  readonly server: ITrackingServer;
}

const SHAPE: Shape<GuardSettings> = { assistant: 'value', maxBodySize: 'value', foreignArtifacts: 'value' };

/**
 * Refuses requests before MLflow, or its login, sees them: an ASGI app around that of the server, in its own process, so that
 * nobody gets past it. A tracking server makes it itself, unless `guard.enabled` is false.
 *
 * @see https://www.uvicorn.org/settings/
 * @example
 * import { App, Chart, Size } from 'cdk8s';
 * import { MlflowStack } from 'cdk8s-mlflow';
 *
 * const app = new App();
 * const chart = new Chart(app, 'mlflow', { namespace: 'mlflow' });
 * const { trackingServer } = new MlflowStack(chart, 'Stack', {
 *   trackingServer: { guard: { maxBodySize: Size.mebibytes(64) } },
 * });
 * console.log(trackingServer.guard!.configMap.name);
 * app.synth();
 */
export class Guard extends Construct {
  /** ConfigMap `<name of the server>-guard` with the Python package. */
  public readonly configMap!: k8s.KubeConfigMap;

  /** ConfigMap `<name of the server>-layers` with what puts it in front of MLflow. */
  public readonly layers!: k8s.KubeConfigMap;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the server, and what it lets through
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: GuardProps) {
    super(place(scope, id), id);
    const { server, ...given } = ofServer(this, props);
    const checks = new PropChecks(this);
    const settings = checks.props(given, SHAPE);
    const assistant = checks.flag('assistant', settings.assistant ?? false);
    const maxBodySize = quantity(checks.size('maxBodySize', settings.maxBodySize ?? Size.mebibytes(32)));
    const foreign = checks.flag('foreignArtifacts', settings.foreignArtifacts ?? server.options.artifactTransfer === ArtifactTransfer.DIRECT);
    if (maxBodySize > 0 && maxBodySize < LEAST) {
      checks.fault({
        prop: 'maxBodySize',
        value: settings.maxBodySize!.asString(),
        rule: "MLflow's own clients send batches of up to 1 MiB (https://mlflow.org/docs/latest/api_reference/rest-api.html#log-batch)",
        fix: 'pass a size such as Size.mebibytes(32), or leave it out',
      });
    }
    this.checkOptions(checks, server);

    const files = PluginFolder.of(server);
    const configMap = files.add(this, 'guard', PACKAGE, GUARD);
    if (configMap === undefined) return;
    this.layers = files.addLayer(`${PACKAGE}.layer:wrap`);
    this.configMap = configMap;
    this.node.defaultChild = configMap;
    const variables = {
      GUARD_ASSISTANT: String(assistant),
      GUARD_MAX_BODY_BYTES: String(maxBodySize),
      GUARD_OWN_PLACES: String(!foreign),
      ...(foreign ? {} : { MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX: OWN_SOURCES }),
    };
    for (const [name, value] of Object.entries(variables)) server.addVariable(this, { name, value });
  }

  /** Faults where options of uvicorn would take the place of the guard. */
  private checkOptions(checks: PropChecks, { options: { extraArgs = [], extraEnv = [] } }: ITrackingServer): void {
    const given: [string, unknown][] = [
      ...extraArgs.map((argument, index): [string, unknown] => [`extraArgs[${index}]`, argument]),
      ...extraEnv.filter((variable) => variable?.name === 'MLFLOW_UVICORN_OPTS').map((variable): [string, unknown] => ['extraEnv: MLFLOW_UVICORN_OPTS', variable.value]),
    ];
    for (const [prop, value] of given) {
      // MLflow reads its options as a shell does
      if (!/(^|[\s=])--http([\s=]|$)/.test(String(value).replace(/["'\\]/g, ''))) continue;
      checks.fault({
        prop,
        value,
        rule: 'uvicorn speaks HTTP by way of the guard, which --http would switch off (https://www.uvicorn.org/settings/#implementation)',
        fix: 'leave --http out, or pass guard: { enabled: false } to go without a guard',
      });
    }
  }
}

/** What of the prop `guard` of a server is for its guard; undefined where none is wanted. */
export function wantedGuard(checks: PropChecks, { enabled, ...given }: GuardOptions = {}): GuardSettings | undefined {
  return unlessSwitchedOff<GuardSettings>(checks, 'guard', enabled, given, 'there is no guard');
}
