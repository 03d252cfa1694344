import { PropChecks } from '../validation/prop-checks';
import { Shape, constructPath, fits } from '../validation/prop-shape';
import { k8s } from '../../imports/k8s';

const PEER: Shape<k8s.NetworkPolicyPeer> = { ipBlock: {}, namespaceSelector: {}, podSelector: {} };
const EGRESS: Shape<k8s.NetworkPolicyEgressRule> = { to: 'list', ports: 'list' };
const PORT: Shape<k8s.NetworkPolicyPort> = { endPort: 'value', port: {}, protocol: 'value' };

/** The pods of Prometheus, wherever they run. */
export const PROMETHEUS: k8s.NetworkPolicyPeer = { namespaceSelector: {}, podSelector: { matchLabels: { 'app.kubernetes.io/name': 'prometheus' } } };

/** The peers that fit, and a fault for each that does not. */
export function goodPeers(checks: PropChecks, prop: string, peers: k8s.NetworkPolicyPeer[]): k8s.NetworkPolicyPeer[] {
  return peers.filter((peer, index) => checks.passes(() => checkPeer(checks, `${prop}[${index}]`, peer)));
}

function checkPeer(checks: PropChecks, prop: string, given: k8s.NetworkPolicyPeer): void {
  const example = '{ namespaceSelector: {} }';
  if (!fits(given, {})) return checks.fault({ prop, value: given, hidden: true, rule: 'it is a list of peers', fix: `pass members such as ${example}` });
  if (constructPath(given) !== undefined) {
    checks.fault({ prop, value: given, hidden: true, rule: 'a peer is one of the API of Kubernetes, and no construct (https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors)', fix: 'pass the labels of its pods, such as { podSelector: { matchLabels: { app: "reports" } } }' });
  } else if (Object.keys(checks.props(given, PEER, `${prop}.`)).length === 0) {
    checks.fault({ prop, value: given, hidden: true, rule: 'a peer has ipBlock, podSelector or namespaceSelector (https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors)', fix: `pass a peer such as ${example}` });
  }
}

/** The rules that fit, and a fault for each that does not: one of which a part is dropped, since nobody knows it, would let more through than it says. */
export function goodRules(checks: PropChecks, prop: string, rules: k8s.NetworkPolicyEgressRule[]): k8s.NetworkPolicyEgressRule[] {
  return rules.filter((rule, index) => checks.passes(() => checkRule(checks, `${prop}[${index}]`, rule)));
}

function checkRule(checks: PropChecks, prop: string, given: k8s.NetworkPolicyEgressRule): void {
  const example = '{ port: k8s.IntOrString.fromNumber(443) }';
  if (!fits(given, {})) return checks.fault({ prop, value: given, hidden: true, rule: 'it is a list of rules', fix: `pass members such as { ports: [${example}] }` });
  const { to = [], ports = [] } = checks.props(given, EGRESS, `${prop}.`);
  goodPeers(checks, `${prop}.to`, to);
  checks.members(`${prop}.ports`, ports, {}, 'ports', example).forEach((given, index) => {
    const { port } = checks.props(given, PORT, `${prop}.ports[${index}].`);
    if (port !== undefined && !isIntOrString(port)) {
      checks.fault({
        prop: `${prop}.ports[${index}].port`,
        value: port,
        rule: 'a port is a k8s.IntOrString, or an object with its number or name as `value` (https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/)',
        fix: `pass a port such as ${example}`,
      });
    }
  });
}

/** By its shape, and not by its class: each cdk8s-plus has one of its own, a program that reads JSON has none, and all of them end up the same in the YAML. */
function isIntOrString(port: { readonly value?: unknown }): boolean {
  return (typeof port.value === 'number' && Number.isInteger(port.value)) || (typeof port.value === 'string' && port.value !== '');
}
