import { Layer, ServerProcess } from './process';
import { PropChecks } from '../validation/prop-checks';
import { k8s } from '../../imports/k8s';

const VARIABLE = 'MLFLOW_MODEL_CATALOG_URI';
const OWNER = 'the prop settings.modelCatalogUri';
const HTTPS = 443;
/** A catalog that is not there: MLflow takes the one in its package at once. An empty value would do as well, but the API server drops it, and each `kubectl apply` would set it again. */
const NONE = 'file:///none';

/** The rules of egress of a server at synth; undefined where no NetworkPolicy is made. */
export type EgressRules = () => k8s.NetworkPolicyEgressRule[] | undefined;

/**
 * Where the server has its list of models from. By default MLflow asks GitHub, once for each provider, and where packets are
 * dropped each of these requests takes half a minute.
 */
export function applyModelCatalog(checks: PropChecks, process: ServerProcess, uri: string | undefined, egress: EgressRules, extraEnv: k8s.EnvVar[] = []): void {
  if (uri !== undefined && (typeof uri !== 'string' || !/^(|https?:\/\/[^\s/]+\S*|file:\/\/\/\S+)$/.test(uri))) {
    checks.fault({
      prop: 'settings.modelCatalogUri',
      value: uri,
      rule: 'it is an http, https or file URI under which there is a file <provider>.json for each provider, or empty for none (https://mlflow.org/docs/latest/api_reference/python_api/mlflow.environment_variables.html)',
      fix: 'pass a URI such as "https://mirror.example.com/model-catalog"',
    });
  }
  const hasProxy = extraEnv.some((variable) => /^(https|all)_proxy$/i.test(String(variable?.name)));
  process.variable(Layer.SETTINGS, OWNER, VARIABLE, () => {
    if (uri !== undefined) return { name: VARIABLE, value: uri === '' ? NONE : uri };
    const rules = egress();
    return rules === undefined || hasProxy || rules.some(letsOut) ? undefined : { name: VARIABLE, value: NONE };
  });
}

/** Whether a rule lets out to the HTTPS of hosts that nobody knows beforehand. */
function letsOut({ to, ports }: k8s.NetworkPolicyEgressRule): boolean {
  const anywhere = to === undefined || to.length === 0 || to.some(({ ipBlock }) => /\/0$/.test(String(ipBlock?.cidr)));
  const https = ports === undefined || ports.length === 0 || ports.some(({ port, endPort }) => port === undefined || Number(port.value) === HTTPS || (Number(port.value) < HTTPS && Number(endPort) >= HTTPS));
  return anywhere && https;
}
