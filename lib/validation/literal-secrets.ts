import { PropChecks } from './prop-checks';
import { k8s } from '../../imports/k8s';

const SECRETS_PAGE = 'https://kubernetes.io/docs/concepts/security/secrets-good-practices/';
/** Names of secrets, in words that are joined by "_" or "-". Those of files, URLs and identifiers (`…_KEY_FILE`, `…_TOKEN_URL`, `AWS_ACCESS_KEY_ID`) end otherwise. */
const SECRET_NAME = /(?<!public[-_])(?<![a-z0-9])((api|access|account|master|private|secret)?key|(api|signing)[-_]?keys|pass|pat|pw|token|bearer|secret|credentials?|sas([-_](url|uri))?)$|(password|passwd|passphrase|pwd)$/i;
/** Keys by which things are found, and not opened: SORT_KEY, PRIMARY_KEY. */
const NAMED_KEY = /(?<![a-z0-9])(sort|order|group|index|primary|foreign|partition|unique|natural|shard|routing|row|column|field|map|dict|lookup|cache|idempotency|object|bucket|message|event|label|tag|json|config|registry|short|hot)[-_]key$/i;
/** What such a variable has besides a secret: nothing, a switch, or the path of a file, as GOOGLE_APPLICATION_CREDENTIALS has. */
const NO_SECRET = /^\s*$|^(true|false|yes|no|on|off|none|null)$|^(\/[\w.-]+)+\.\w{1,8}$/i;
/** A few digits are a number of tokens, or a switch; a password may be as bad as that. */
const NUMBER = /^\d{1,5}$/;
const PASSWORD_NAME = /(pass|pw|password|passwd|passphrase|pwd)$/i;
const FILE = /^\/[\w./-]*$/;
/** What Kubernetes puts in place of it is another variable. */
const REFERENCE = /(?<!\$)\$\([A-Za-z_.-][\w.-]*\)/;
const URI_PASSWORD = /(?<=[a-z][a-z0-9+.-]*:\/\/[^\s/?#:@]*:)[^\s/]+(?=@)/gi;
const PARAMETER = /(?<=(^|[?&;,\s])(password|passwd|pwd|sslpassword|sig|token|access_token|accountkey|sharedaccesskey|sharedaccesssignature|(x-)?api[-_]?key)=)[^\s&;,]+/gi;
/** As in the headers of OpenTelemetry's exporters. */
const AUTHORIZATION = /(?<=(bearer|basic)(\s|%20)+)[^\s&;,]{8,}/gi;

/** A flag in the value of another: `--uvicorn-opts=--ssl-keyfile-password=…`. */
const INNER_FLAG = /((?<=[=\s"'])--([\w-]+)(?:=|\s+))([^\s"'-][^\s"']*)/g;

/** A fault where the value of a variable is a number or a truth value, or an object that knows more than the value. */
export function checkTextValue(checks: PropChecks, prop: string, { name, value }: k8s.EnvVar): void {
  const isKnownAtSynth = typeof (value as { produce?: unknown } | undefined)?.produce === 'function'; // a Lazy of cdk8s
  if (value === undefined || typeof value === 'string' || isKnownAtSynth) return;
  checks.fault({
    prop: `${prop}.value`,
    value,
    hidden: true,
    rule: 'the value of a variable is a text (https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-container/)',
    fix: 'valueFrom' in Object(value) ? `spread an EnvValue of cdk8s-plus into the variable: { name: ${JSON.stringify(name)}, ...value }` : 'put numbers and truth values into quotes, such as "5" or "true"',
  });
}

/** Faults where the value of a variable is a secret, or has one in it, and stands in the YAML. */
export function checkNoLiteralSecret(checks: PropChecks, prop: string, { name, value }: k8s.EnvVar): void {
  if (typeof name !== 'string' || typeof value !== 'string') return;
  const secrets = [...(value.match(URI_PASSWORD) ?? []), ...(value.match(PARAMETER) ?? []), ...(value.match(AUTHORIZATION) ?? [])];
  const byName = isSecret(name, value) && !(/credentials?$/i.test(name) && FILE.test(value));
  if (!(byName ? [value] : secrets).some((secret) => !REFERENCE.test(secret))) return;
  checks.fault({
    prop: `${prop}.value`,
    value,
    hidden: true,
    rule: `${name} ${byName ? 'is a secret by its name' : 'has a password in it'}, and what stands in the YAML is read by all who see the manifests or the pod (${SECRETS_PAGE})`,
    fix: `keep it in a Secret, and pass { name: ${JSON.stringify(name)}, valueFrom: { secretKeyRef: { name: "my-secret", key: "value" } } }`,
  });
}

/**
 * Faults where an argument has a password in it, even by reference: it stands in the command line in the end. The argument before
 * it may be the flag of which it is the value, and options of uvicorn are one argument with flags in it.
 */
export function checkNoPasswordInArgument(checks: PropChecks, prop: string, argument: string, before?: string): void {
  if (typeof argument !== 'string') return;
  const shown = withoutPassword(argument, before);
  if (shown === argument) return;
  const flag = /^-{1,2}([\w-]+)=/.exec(argument)?.[1] ?? (argument.startsWith('-') ? undefined : /^-{1,2}([\w-]+)$/.exec(String(before))?.[1]);
  const variable = flag === undefined ? 'MY_VARIABLE' : `MLFLOW_${flag.toUpperCase().replaceAll('-', '_')}`;
  checks.fault({
    prop,
    value: shown,
    rule: `there is a password in it, and arguments are read by all who see the manifests, the pod or the processes of the node (${SECRETS_PAGE})`,
    fix: `leave the argument out, keep its value in a Secret, and pass the variable { name: "${variable}", valueFrom: { secretKeyRef: { name: "my-secret", key: "value" } } }`,
  });
}

/** An argument as it can be told. */
export function withoutPassword(argument: string, before?: string): string {
  const flag = /^-{1,2}([\w-]+)$/.exec(String(before))?.[1];
  if (flag !== undefined && !argument.startsWith('-') && isSecret(flag, argument)) return '***';
  const whole = /^-{1,2}([\w-]+)=([^]*)$/.exec(argument);
  if (whole !== null && isSecret(whole[1], whole[2])) return `${argument.slice(0, -whole[2].length)}***`;
  return argument
    .replace(URI_PASSWORD, '***')
    .replace(PARAMETER, '***')
    .replace(AUTHORIZATION, '***')
    .replace(INNER_FLAG, (text, start: string, name: string, value: string) => (isSecret(name, value) ? `${start}***` : text));
}

/** Whether the value of a variable or a flag is a secret, by their names. */
export function isSecret(name: string, value: string): boolean {
  return SECRET_NAME.test(name) && !NAMED_KEY.test(name) && !NO_SECRET.test(value) && !(NUMBER.test(value) && !PASSWORD_NAME.test(name));
}
