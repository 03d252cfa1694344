import { Manifests, ofKind } from '../helpers';

export const GET_PROMETHEUS = 'apt-get install prometheus, or set PROMETHEUS and PROMTOOL';

export function rulesOf(objects: Manifests): Manifests {
  return ofKind(objects, 'PrometheusRule')[0].spec.groups[0].rules;
}

export function dashboardOf(objects: Manifests) {
  const [{ data }] = ofKind(objects, 'ConfigMap').filter(({ metadata }) => metadata.name.endsWith('-dashboard'));
  return JSON.parse(Object.values<string>(data)[0]);
}
