import { Construct } from 'constructs';
import { START_MLFLOW_PY } from '../assets.generated';
import { fingerprint } from '../kube/hash';
import { ConfigMap } from '../kube/objects';
import { programPlace } from '../kube/programs-chart';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { rejectTakenNames } from '../validation/unique-names';
import { k8s } from '../../imports/k8s';

const KEY = 'start-mlflow.py';

/** A ConfigMap with the program that starts the tracking server. */
export interface IStartupScript {
  /** Name of the ConfigMap. */
  readonly configMapName: string;

  /** Namespace of the ConfigMap. It has to be that of the tracking server. */
  readonly namespace: string;

  /** Key of the script in the ConfigMap. */
  readonly key: string;

  /** Path of the script in the container. */
  readonly mountPath: string;

  /**
   * Fingerprint of the script. As an annotation of the pod template it replaces the pods when the script changes,
   * since a file that is mounted with `subPath` is never updated.
   *
   * @see https://kubernetes.io/docs/concepts/storage/volumes/#using-subpath
   */
  readonly checksum: string;
}

/** Props of `StartupScript`. */
export interface StartupScriptProps {
  /**
   * Name of the ConfigMap.
   *
   * @default "mlflow-startup-script"
   */
  readonly name?: string;

  /**
   * Namespace of the ConfigMap. It has to be that of the tracking server.
   *
   * @default - the namespace of the chart, else "mlflow"
   */
  readonly namespace?: string;

  /**
   * Text of the script: a Python program that ends by replacing itself with the command in its arguments.
   *
   * @default - the script of this library
   */
  readonly content?: string;

  /**
   * Labels of the ConfigMap.
   *
   * @default - none
   */
  readonly labels?: { [key: string]: string };
}

const SHAPE: Shape<StartupScriptProps> = { name: 'value', namespace: 'value', content: 'value', labels: 'labels' };

/**
 * The ConfigMap with `start-mlflow.py`: it puts the S3 credentials in place, runs the preflight where there is one, and
 * becomes the MLflow server.
 *
 * @example
 * import { App, Chart } from 'cdk8s';
 * import { MlflowStack, StartupScript } from 'cdk8s-mlflow';
 *
 * const app = new App();
 * const chart = new Chart(app, 'mlflow', { namespace: 'mlflow' });
 * const startupScript = new StartupScript(chart, 'Script', {
 *   name: 'own-start',
 *   content: "import os, sys\nprint('starting', *sys.argv[1:], flush=True)\nos.execvp(sys.argv[1], sys.argv[1:])\n",
 * });
 * new MlflowStack(chart, 'Stack', { startupScript });
 * app.synth();
 */
export class StartupScript extends Construct implements IStartupScript {
  public readonly configMapName: string;
  public readonly namespace: string;
  public readonly key: string = KEY;
  public readonly mountPath: string = `/app/${KEY}`;
  public readonly checksum: string;

  /** The ConfigMap. */
  public readonly configMap: k8s.KubeConfigMap;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props name of the ConfigMap and text of the script
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: StartupScriptProps = {}) {
    super(place(scope, id), id);
    const checks = new PropChecks(this);
    props = checks.props(props, SHAPE);
    const content = props.content ?? START_MLFLOW_PY;
    this.configMapName = checks.objectName('name', props.name ?? 'mlflow-startup-script');
    this.namespace = checks.namespace(this, props.namespace);
    if (typeof content !== 'string' || content.trim() === '') {
      checks.fault({
        prop: 'content',
        value: content,
        rule: 'the script is a Python program that ends with os.execvp of its arguments',
        fix: 'pass the text of the program, or leave the prop out',
      });
    }
    this.checksum = fingerprint(String(content));
    this.configMap = new ConfigMap(...programPlace(this, 'ConfigMap'), {
      metadata: { name: this.configMapName, namespace: this.namespace, labels: props.labels },
      data: { [KEY]: content },
    });
    rejectTakenNames(this, 'name', 'give each script of the namespace its own name');
    this.node.defaultChild = this.configMap;
  }
}

/** The prop `startupScript` of a server in a namespace. */
export function usableScript(checks: PropChecks, script: IStartupScript | undefined, namespace: string): IStartupScript | undefined {
  if (script !== undefined && script.namespace !== namespace) {
    checks.fault({
      prop: 'startupScript',
      value: `a ConfigMap in namespace "${script.namespace}"`,
      rule: `a pod mounts ConfigMaps of its own namespace only, here "${namespace}" (https://kubernetes.io/docs/concepts/configuration/configmap/)`,
      fix: `make the StartupScript with namespace "${namespace}"`,
    });
  }
  return script;
}
