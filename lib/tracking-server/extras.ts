import { Layer, Owner, ServerProcess, flagOf, named } from './process';
import { isVariableName } from './stores';
import { checkNoLiteralSecret, checkNoPasswordInArgument } from '../validation/literal-secrets';
import { PropChecks } from '../validation/prop-checks';
import { fits } from '../validation/prop-shape';
import { k8s } from '../../imports/k8s';

const UVICORN_ONLY = 'with --allowed-hosts MLflow runs on uvicorn only, and stops at options of another server (https://mlflow.org/docs/latest/api_reference/cli.html#mlflow-server)';
/** Settings that MLflow does not take from this stack, and what to do in their place. */
const REFUSED: { [setting: string]: string } = {
  '--gunicorn-opts': 'leave it out; --uvicorn-opts takes options of the server',
  '--waitress-opts': 'leave it out; --uvicorn-opts takes options of the server',
  MLFLOW_GUNICORN_OPTS: 'leave it out; MLFLOW_UVICORN_OPTS takes options of the server',
};

/** Adds the user's own arguments, which repeat no other. */
export function addExtraArgs(checks: PropChecks, process: ServerProcess, args: string[]): void {
  args.forEach((arg, index) => {
    if (typeof arg !== 'string') return;
    const flag = flagOf(arg);
    const prop = `extraArgs[${index}]`;
    if (flag !== undefined && flag in REFUSED) {
      checks.fault({ prop, value: arg, rule: UVICORN_ONLY, fix: REFUSED[flag] });
      return;
    }
    checkNoPasswordInArgument(checks, prop, arg);
    const owner = flag === undefined ? undefined : process.ownerOf(flag);
    if (owner === undefined) process.argument(Layer.EXTRAS, 'the prop extraArgs', arg);
    else if (owner === 'the prop extraArgs') process.append(arg);
    else checks.fault({ prop, value: arg, rule: `${flag} is a managed flag, set by ${named(owner)}`, fix: instead(owner) });
  });
}

/** Adds the user's own variables, which repeat no other. */
export function addExtraEnv(checks: PropChecks, process: ServerProcess, extras: k8s.EnvVar[]): void {
  extras.forEach((variable, index) => {
    if (!fits(variable, {})) return;
    const { name } = variable;
    const prop = `extraEnv[${index}]`;
    if (!isVariableName(checks, prop, name)) return;
    if (name in REFUSED) {
      checks.fault({ prop, value: name, rule: UVICORN_ONLY, fix: REFUSED[name] });
      return;
    }
    const owner = name.startsWith('STARTUP_') ? 'the construct itself' : process.ownerOf(name);
    if (owner === undefined) {
      checkNoLiteralSecret(checks, prop, variable);
      process.variable(Layer.EXTRAS, 'the prop extraEnv', name, () => variable);
    } else if (owner === 'the prop extraEnv') checks.fault({ prop, value: name, rule: 'each variable is named once', fix: 'leave one of the two out' });
    else checks.fault({ prop, value: name, rule: `an extra variable does not repeat a managed one, which ${named(owner)} sets and of which Kubernetes would silently take the last`, fix: instead(owner) });
  });
}

function instead(owner: Owner): string {
  if (typeof owner !== 'string') return `leave it out, or leave ${named(owner)} out`;
  return owner.startsWith('the prop ') ? `leave it out and use ${owner}` : 'leave it out';
}
