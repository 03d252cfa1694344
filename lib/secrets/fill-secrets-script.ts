import { Chart } from 'cdk8s';
import { Construct } from 'constructs';
import { appWide } from './app-wide';
import { FILL_SECRETS_PY, OUTDATED_PODS_PY, SECRET_API_PY } from '../assets.generated';
import { fingerprint } from '../kube/hash';
import { labels } from '../kube/labels';
import { ConfigMap } from '../kube/objects';
import { programPlace } from '../kube/programs-chart';
import { k8s } from '../../imports/k8s';

/** The script's name in its ConfigMap. */
export const FILL_SECRETS = 'fill-secrets.py';

/** The script, and the modules that it imports. */
export const FILL_SECRETS_FILES: { [file: string]: string } = { [FILL_SECRETS]: FILL_SECRETS_PY, 'outdated_pods.py': OUTDATED_PODS_PY, 'secret_api.py': SECRET_API_PY };

const SUFFIX = '-fill-secrets';
const MAX_BEGINNING = 63 - SUFFIX.length;

/** The ConfigMap with the script, which all Jobs of an instance in a namespace share, whatever charts of the app they stand in. */
export function fillSecretsScript(construct: Construct, instance: string, namespace: string): k8s.KubeConfigMap {
  const all = appWide<k8s.KubeConfigMap>(construct, 'scripts that fill Secrets');
  // neither a namespace nor a label has a colon
  const key = `${namespace}:${instance}`;
  const known = all.get(key);
  if (known !== undefined) return known;
  const configMap = new ConfigMap(...programPlace(Chart.of(construct), `FillSecrets:${key}`), {
    metadata: { name: `${beginning(String(instance))}${SUFFIX}`, namespace, labels: labels({ name: 'mlflow', instance, component: 'fill-secrets', image: '' }) },
    data: FILL_SECRETS_FILES,
  });
  all.set(key, configMap);
  return configMap;
}

/** The instance, where the name of an object can begin with it: a label may be longer, and have letters that no name has. */
function beginning(instance: string): string {
  if (instance.length <= MAX_BEGINNING && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(instance)) return instance;
  const mark = `-${fingerprint(instance)}`;
  return instance.toLowerCase().replace(/[^a-z0-9]+/g, '-').slice(0, MAX_BEGINNING - mark.length) + mark;
}
