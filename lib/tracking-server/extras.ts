import { Layer, Owner, ServerProcess, flagOf, named, settingKey } from './process';
import { isVariableName } from './stores';
import { checkNoLiteralSecret, checkNoPasswordInArgument, withoutPassword } from '../validation/literal-secrets';
import { PropChecks } from '../validation/prop-checks';
import { fits } from '../validation/prop-shape';
import { k8s } from '../../imports/k8s';

const UVICORN_ONLY = 'with --allowed-hosts MLflow runs on uvicorn only, and stops at options of another server (https://mlflow.org/docs/latest/api_reference/cli.html#mlflow-server)';
const ENCRYPTED = 'it has to be the same in all processes, after a restart and after a restore, so the server has it from a Secret of its own';
const SECURITY_PAGE = 'https://mlflow.org/docs/latest/self-hosting/security/network/';
const LOGIN_PAGE = 'https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth/';
const OWN_SECRET = { rule: ENCRYPTED, fix: 'leave it out, or pass your own Secret as the prop secrets.secretName' };
const LOGIN_HOLES = { rule: `without it users with a login get past their permissions (${LOGIN_PAGE})`, fix: 'leave it out' };
const READS_POD = { rule: 'with it, who may store an API key of the AI gateway can have the server send its own variables and files, such as PGPASSWORD, to a host of theirs', fix: 'leave it out, and store the keys themselves: they are encrypted' };

/** Settings that are not taken from these props, each with its reason and what to do in its place. */
const REFUSED: { [setting: string]: { readonly rule: string; readonly fix: string } } = {
  '--gunicorn-opts': { rule: UVICORN_ONLY, fix: 'leave it out; --uvicorn-opts takes options of the server' },
  '--waitress-opts': { rule: UVICORN_ONLY, fix: 'leave it out; --uvicorn-opts takes options of the server' },
  MLFLOW_GUNICORN_OPTS: { rule: UVICORN_ONLY, fix: 'leave it out; MLFLOW_UVICORN_OPTS takes options of the server' },
  '--disable-security-middleware': {
    rule: `without it any web page that somebody looks at can use the server in their name, by any name that leads to it (${SECURITY_PAGE})`,
    fix: 'leave it out; settings.corsAllowedOrigins and settings.allowedHosts let in who has to be',
  },
  '--artifacts-only': { rule: 'with it the server has no experiments, runs and models, only artifacts: clients, the doctor and the clean-up would fail (https://mlflow.org/docs/latest/self-hosting/architecture/artifact-store/)', fix: 'leave it out' },
  '--dev': { rule: 'it is for developers of MLflow: the server starts again whenever a file changes, and refuses the options of a login and of a log level', fix: 'leave it out; settings.logLevel = LogLevel.DEBUG logs as much' },
  '--read-replica-backend-store-uri': { rule: 'a URI in an argument is read by all who see the pod, and the store knows what it connects to', fix: 'leave it out, and pass readReplica to the store' },
  MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY: OWN_SECRET,
  MLFLOW_CRYPTO_KEK_PASSPHRASE: OWN_SECRET,
  PREVIOUS_KEK_PASSPHRASE: OWN_SECRET,
  MLFLOW_CRYPTO_KEK_VERSION: { rule: ENCRYPTED, fix: 'leave it out, and use the prop secrets.kekVersion' },
  MLFLOW_BASIC_AUTH_FAIL_CLOSED: LOGIN_HOLES,
  MLFLOW_SERVER_ENABLE_GRAPHQL_AUTH: LOGIN_HOLES,
  MLFLOW_GATEWAY_RESOLVE_API_KEY_FROM_ENV: READS_POD,
  MLFLOW_GATEWAY_RESOLVE_API_KEY_FROM_FILE: READS_POD,
};
const REASONS = new Map(Object.entries(REFUSED).map(([setting, reason]) => [settingKey(setting), reason]));

/** Why a flag or a variable is not taken; MLflow has two names for most settings. */
function refused(setting: string, text = setting): { readonly rule: string; readonly fix: string } | undefined {
  if (setting.startsWith('_MLFLOW_')) return { rule: 'MLflow sets it itself, from its flags', fix: 'leave it out, and use the flag or the prop that it is made of' };
  if (/^--app-name[=\s]+basic-auth$/.test(text)) return { rule: 'the login needs a configuration, an administrator and tables as well', fix: 'leave it out, and add Login.basicAuth() or new BasicAuth(…)' };
  return REFUSED[setting] ?? REASONS.get(settingKey(setting));
}

/** Adds the user's own arguments, which repeat no other. */
export function addExtraArgs(checks: PropChecks, process: ServerProcess, args: string[]): void {
  args.forEach((arg, index) => {
    if (typeof arg !== 'string') return;
    const flag = flagOf(arg);
    const prop = `extraArgs[${index}]`;
    checkNoPasswordInArgument(checks, prop, arg, args[index - 1]);
    const reason = flag && refused(flag, flag === '--app-name' && arg === flag ? `${arg} ${args[index + 1]}` : arg);
    if (reason) {
      checks.fault({ prop, value: withoutPassword(arg), ...reason });
      return;
    }
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
    const reason = refused(name);
    if (reason) {
      checks.fault({ prop, value: name, ...reason });
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
