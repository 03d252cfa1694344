import { isIP } from 'node:net';
import { Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import { Connections, tcp } from './connections';
import { NetworkPolicy } from './objects';
import { PropChecks } from '../validation/prop-checks';
import { Shape, fits } from '../validation/prop-shape';
import { NetworkPolicyOptions } from '../options/network-policy-options';
import { k8s } from '../../imports/k8s';

const NETWORK_POLICY: Shape<NetworkPolicyOptions> = { enabled: 'value', clients: 'list', egress: 'list' };
const PEER: Shape<k8s.NetworkPolicyPeer> = { ipBlock: {}, namespaceSelector: {}, podSelector: {} };
const EGRESS: Shape<k8s.NetworkPolicyEgressRule> = { to: 'list', ports: 'list' };
const PORT: Shape<k8s.NetworkPolicyPort> = { endPort: 'value', port: {}, protocol: 'value' };

/** A connection to a server whose address nobody knows beforehand. */
export function toAnywhere(...ports: number[]): k8s.NetworkPolicyEgressRule {
  return { ports: tcp(ports) };
}

/** The API server, which no selector can name and which listens at one of these ports behind its Service. */
export const TO_KUBERNETES_API = toAnywhere(443, 6443, 8443, 16443);

export interface PodPolicyProps {
  readonly name: string;
  readonly namespace: string;
  readonly labels: { [key: string]: string };
  readonly connections: Connections;
}

/** The NetworkPolicy of one kind of pods, both directions. */
export function podPolicy(scope: Construct, id: string, { connections, name, namespace, labels }: PodPolicyProps): k8s.KubeNetworkPolicy {
  const policy = new NetworkPolicy(scope, id, {
    metadata: { name, namespace, labels },
    spec: {
      podSelector: { matchLabels: connections.podLabels },
      policyTypes: ['Ingress', 'Egress'],
      ingress: Lazy.any({ produce: () => connections._ingress() }) as k8s.NetworkPolicyIngressRule[],
      egress: Lazy.any({ produce: () => connections._egress() }) as k8s.NetworkPolicyEgressRule[],
    },
  });
  // what is said of the connections until synth is known only there; this comes before the checks tell what they have
  policy.node.addValidation({ validate: () => checkConnections(checks, connections) });
  const checks = new PropChecks(policy);
  return policy;
}

function checkConnections(checks: PropChecks, { _clients: clients, _others: others, _rules: rules }: Connections): string[] {
  goodPeers(checks, 'connections.allowFrom', clients);
  goodPeers(checks, 'connections.allowAlsoFrom', others);
  goodRules(checks, 'connections.allowTo', rules);
  return [];
}

/** The prop `networkPolicy`, checked; undefined where the user wants none. */
export function networkPolicyOptions(checks: PropChecks, given: NetworkPolicyOptions | undefined): Required<Omit<NetworkPolicyOptions, 'clients'>> & NetworkPolicyOptions | undefined {
  const options = checks.props(given ?? {}, NETWORK_POLICY, 'networkPolicy.');
  const enabled = checks.flag('networkPolicy.enabled', options.enabled ?? true);
  if (!enabled) {
    for (const prop of ['clients', 'egress'] as const) {
      if (options[prop] !== undefined) checks.fault({ prop: `networkPolicy.${prop}`, value: options[prop], hidden: true, rule: 'with networkPolicy.enabled = false there is no NetworkPolicy that it could stand in', fix: `leave networkPolicy.${prop} out, or networkPolicy.enabled` });
    }
    return undefined;
  }
  const clients = options.clients && goodPeers(checks, 'networkPolicy.clients', options.clients);
  return { enabled, clients, egress: goodRules(checks, 'networkPolicy.egress', options.egress ?? []) };
}

/** The peers that fit, and a fault for each that does not. */
export function goodPeers(checks: PropChecks, prop: string, peers: k8s.NetworkPolicyPeer[]): k8s.NetworkPolicyPeer[] {
  return peers.filter((peer, index) => checks.passes(() => checkPeer(checks, `${prop}[${index}]`, peer)));
}

function checkPeer(checks: PropChecks, prop: string, given: k8s.NetworkPolicyPeer): void {
  const example = '{ namespaceSelector: {} }';
  if (!fits(given, {})) return checks.fault({ prop, value: given, hidden: true, rule: 'it is a list of peers', fix: `pass members such as ${example}` });
  if (Object.keys(checks.props(given, PEER, `${prop}.`)).length === 0) {
    checks.fault({ prop, value: given, hidden: true, rule: 'a peer has ipBlock, podSelector or namespaceSelector (https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors)', fix: `pass a peer such as ${example}` });
  }
}

/** The rules that fit, and a fault for each that does not: one of which a part is dropped, since nobody knows it, would let more through than it says. */
function goodRules(checks: PropChecks, prop: string, rules: k8s.NetworkPolicyEgressRule[]): k8s.NetworkPolicyEgressRule[] {
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

/** Whether a text is a range of addresses: an address, a slash and the number of fixed bits. */
export function isCidr(text: string): boolean {
  const [address, bits] = /^([^/]+)\/(\d{1,3})$/.exec(text)?.slice(1) ?? ['', ''];
  return isIP(address) !== 0 && Number(bits) <= (isIP(address) === 4 ? 32 : 128);
}
