import { isIP } from 'node:net';
import { Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import { NetworkPolicy } from './objects';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { NetworkPolicyOptions } from '../options/network-policy-options';
import { k8s } from '../../imports/k8s';

interface Labels { [key: string]: string }

const NETWORK_POLICY: Shape<NetworkPolicyOptions> = { enabled: 'value', clients: 'list', egress: 'list' };
const PEER: Shape<k8s.NetworkPolicyPeer> = { ipBlock: {}, namespaceSelector: {}, podSelector: {} };
const EGRESS: Shape<k8s.NetworkPolicyEgressRule> = { to: 'list', ports: 'list' };
const PORT: Shape<k8s.NetworkPolicyPort> = { endPort: 'value', port: {}, protocol: 'value' };

const CLIENTS = new WeakMap<object, k8s.NetworkPolicyPeer[]>();

/** Lets pods of the same namespace connect to a server of this library: its NetworkPolicy is written at synth. */
export function connect(server: object, podLabels: Labels): void {
  CLIENTS.set(server, [...(CLIENTS.get(server) ?? []), { podSelector: { matchLabels: podLabels } }]);
}

/** A connection to pods of the same namespace. */
export function toPods(podLabels: Labels, ...ports: number[]): k8s.NetworkPolicyEgressRule {
  return { to: [{ podSelector: { matchLabels: podLabels } }], ports: tcp(ports) };
}

/** A connection to a server whose address nobody knows beforehand. */
export function toAnywhere(...ports: number[]): k8s.NetworkPolicyEgressRule {
  return { ports: tcp(ports) };
}

/** Name resolution: at 53, and at 5353, where the DNS of OpenShift listens behind its Service. It has no address that is the same in all clusters. */
const TO_DNS: k8s.NetworkPolicyEgressRule = {
  ports: [53, 5353].flatMap((port) => ['UDP', 'TCP'].map((protocol) => ({ protocol, port: k8s.IntOrString.fromNumber(port) }))),
};

/** The API server, which no selector can name and which listens at one of these ports behind its Service. */
export const TO_KUBERNETES_API = toAnywhere(443, 6443, 8443, 16443);

export function tcp(ports: number[]): k8s.NetworkPolicyPort[] {
  return ports.map((port) => ({ protocol: 'TCP', port: k8s.IntOrString.fromNumber(port) }));
}

export interface PodPolicyProps {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Labels;
  /** Labels of the pods that the policy is for. */
  readonly podLabels: Labels;
  /** Ports that clients may connect to. None: nobody connects to these pods. */
  readonly ports?: number[];
  /** The construct to which pods were connected. Without it everybody may connect, or those in `clients`. */
  readonly server?: object;
  readonly clients?: k8s.NetworkPolicyPeer[];
  readonly egress: k8s.NetworkPolicyEgressRule[];
}

/** The NetworkPolicy of one kind of pods, both directions. */
export function podPolicy(scope: Construct, id: string, props: PodPolicyProps): k8s.KubeNetworkPolicy {
  const from = () => [...((props.server && CLIENTS.get(props.server)) ?? []), ...(props.clients ?? [])];
  const open = props.server === undefined && props.clients === undefined;
  // an empty list is none to the API server, and each apply would change it again
  const rules = () => {
    if (props.ports === undefined || (!open && from().length === 0)) return undefined;
    return [{ ...(open ? {} : { from: from() }), ports: tcp(props.ports) }];
  };
  const everything = props.egress.some((rule) => Object.keys(rule).length === 0);
  // who connects to nobody asks for no address
  const egress = props.egress.length === 0 ? undefined : [TO_DNS, ...props.egress];
  return new NetworkPolicy(scope, id, {
    metadata: { name: props.name, namespace: props.namespace, labels: props.labels },
    spec: {
      podSelector: { matchLabels: props.podLabels },
      policyTypes: ['Ingress', 'Egress'],
      ingress: Lazy.any({ produce: rules }) as k8s.NetworkPolicyIngressRule[],
      egress: everything ? [{}] : egress,
    },
  });
}

/** The prop `networkPolicy`, checked; undefined where the user wants none. */
export function networkPolicyOptions(checks: PropChecks, given: NetworkPolicyOptions | undefined): Required<Omit<NetworkPolicyOptions, 'clients'>> & NetworkPolicyOptions | undefined {
  const options = checks.props(given ?? {}, NETWORK_POLICY, 'networkPolicy.');
  const enabled = checks.flag('networkPolicy.enabled', options.enabled ?? true);
  const clients = options.clients && checks.members('networkPolicy.clients', options.clients, {}, 'peers', '{ namespaceSelector: {} }');
  const egress = checks.members('networkPolicy.egress', options.egress ?? [], {}, 'rules', '{ ports: [{ port: k8s.IntOrString.fromNumber(443) }] }');
  if (!enabled) {
    for (const prop of ['clients', 'egress'] as const) {
      if (options[prop] !== undefined) checks.fault({ prop: `networkPolicy.${prop}`, value: options[prop], hidden: true, rule: 'with networkPolicy.enabled = false there is no NetworkPolicy that it could stand in', fix: `leave networkPolicy.${prop} out, or networkPolicy.enabled` });
    }
    return undefined;
  }
  clients?.forEach((peer, index) => checkPeer(checks, `networkPolicy.clients[${index}]`, peer));
  egress.forEach((rule, index) => checkRule(checks, `networkPolicy.egress[${index}]`, rule));
  return { enabled, clients, egress };
}

function checkPeer(checks: PropChecks, prop: string, given: k8s.NetworkPolicyPeer): void {
  const peer = checks.props(given, PEER, `${prop}.`);
  if (Object.keys(peer).length === 0) {
    checks.fault({ prop, value: given, hidden: true, rule: 'a peer has ipBlock, podSelector or namespaceSelector (https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors)', fix: 'pass a peer such as { namespaceSelector: {} }' });
  }
}

/** A rule of which a part is dropped, since nobody knows it, would let more through than it says. */
function checkRule(checks: PropChecks, prop: string, given: k8s.NetworkPolicyEgressRule): void {
  const { to = [], ports = [] } = checks.props(given, EGRESS, `${prop}.`);
  checks.members(`${prop}.to`, to, {}, 'peers', '{ namespaceSelector: {} }').forEach((peer, index) => checkPeer(checks, `${prop}.to[${index}]`, peer));
  const example = '{ port: k8s.IntOrString.fromNumber(443) }';
  checks.members(`${prop}.ports`, ports, {}, 'ports', example).forEach((given, index) => {
    const { port } = checks.props(given, PORT, `${prop}.ports[${index}].`);
    if (port !== undefined && !(port instanceof k8s.IntOrString)) checks.fault({ prop: `${prop}.ports[${index}].port`, value: port, rule: 'a port is a k8s.IntOrString', fix: `pass a port such as ${example}` });
  });
}

/** Whether a text is a range of addresses: an address, a slash and the number of fixed bits. */
export function isCidr(text: string): boolean {
  const [address, bits] = /^([^/]+)\/(\d{1,3})$/.exec(text)?.slice(1) ?? ['', ''];
  return isIP(address) !== 0 && Number(bits) <= (isIP(address) === 4 ? 32 : 128);
}
