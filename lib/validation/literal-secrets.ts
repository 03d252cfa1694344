import { PropChecks } from './prop-checks';
import { k8s } from '../../imports/k8s';

const SECRETS_PAGE = 'https://kubernetes.io/docs/concepts/security/secrets-good-practices/';
/** Names of secrets, in words that are joined by "_" or "-". Those of files, URLs and identifiers (`…_KEY_FILE`, `…_TOKEN_URL`, `AWS_ACCESS_KEY_ID`) end otherwise. */
const SECRET_NAME = /(?<!public[-_])(?<![a-z0-9])((api)?key|pass|pw|token|secret|credentials?|sas([-_](url|uri))?)$|(password|passwd|passphrase|pwd)$/i;
/** What such a variable has besides a secret: nothing, a switch, or the path of a file, as GOOGLE_APPLICATION_CREDENTIALS has. */
const NO_SECRET = /^\s*$|^(true|false)$|^(\/[\w.-]+)+\.\w{1,8}$/i;
const FILE = /^\/[\w./-]*$/;
/** What Kubernetes puts in place of it is another variable. */
const REFERENCE = /(?<!\$)\$\([A-Za-z_.-][\w.-]*\)/;
const URI_PASSWORD = /(?<=[a-z][a-z0-9+.-]*:\/\/[^\s/?#:@]*:)[^\s/]+(?=@)/gi;
const PARAMETER = /(?<=(^|[?&;\s])(password|passwd|pwd|sslpassword|sig|token|access_token|accountkey|sharedaccesskey|sharedaccesssignature)=)[^\s&;]+/gi;

/** Faults where the value of a variable is a secret, or has one in it, and stands in the YAML. */
export function checkNoLiteralSecret(checks: PropChecks, prop: string, { name, value }: k8s.EnvVar): void {
  if (typeof name !== 'string' || typeof value !== 'string') return;
  const secrets = [...(value.match(URI_PASSWORD) ?? []), ...(value.match(PARAMETER) ?? [])];
  const byName = SECRET_NAME.test(name) && !NO_SECRET.test(value) && !(/credentials?$/i.test(name) && FILE.test(value));
  if (!(byName ? [value] : secrets).some((secret) => !REFERENCE.test(secret))) return;
  checks.fault({
    prop: `${prop}.value`,
    value,
    hidden: true,
    rule: `${name} ${byName ? 'is a secret by its name' : 'has a password in it'}, and what stands in the YAML is read by all who see the manifests or the pod (${SECRETS_PAGE})`,
    fix: `keep it in a Secret, and pass { name: ${JSON.stringify(name)}, valueFrom: { secretKeyRef: { name: "my-secret", key: "value" } } }`,
  });
}

/** Faults where an argument has a password in it, even by reference: it stands in the command line in the end. */
export function checkNoPasswordInArgument(checks: PropChecks, prop: string, argument: string): void {
  if (typeof argument !== 'string') return;
  const [, flag, value] = /^-{1,2}([\w-]+)=([^]*)$/.exec(argument) ?? [];
  const byName = flag !== undefined && SECRET_NAME.test(flag) && !NO_SECRET.test(value);
  const shown = byName ? `${argument.slice(0, -value.length)}***` : argument.replace(URI_PASSWORD, '***').replace(PARAMETER, '***');
  if (shown === argument) return;
  const variable = flag === undefined ? 'MY_VARIABLE' : `MLFLOW_${flag.toUpperCase().replaceAll('-', '_')}`;
  checks.fault({
    prop,
    value: shown,
    rule: `there is a password in it, and arguments are read by all who see the manifests, the pod or the processes of the node (${SECRETS_PAGE})`,
    fix: `leave the argument out, keep its value in a Secret, and pass the variable { name: "${variable}", valueFrom: { secretKeyRef: { name: "my-secret", key: "value" } } }`,
  });
}
