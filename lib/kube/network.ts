import { isIP } from 'node:net';
import { Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import { Cluster } from './cluster';
import { Connections, tcp } from './connections';
import { NetworkPolicy } from './objects';
import { goodPeers, goodRules } from './policy-peers';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { NetworkPolicyOptions } from '../options/network-policy-options';
import { k8s } from '../../imports/k8s';

const NETWORK_POLICY: Shape<NetworkPolicyOptions> = { enabled: 'value', clients: 'list', egress: 'list' };

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
      ingress: Lazy.any({ produce: () => Cluster.of(policy).comingIn(connections._ingress()) }) as k8s.NetworkPolicyIngressRule[],
      egress: Lazy.any({ produce: () => Cluster.of(policy).goingOut(connections._egress()) }) as k8s.NetworkPolicyEgressRule[],
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

/** Whether a text is a range of addresses: an address, a slash and the number of fixed bits. */
export function isCidr(text: string): boolean {
  const [address, bits] = /^([^/]+)\/(\d{1,3})$/.exec(text)?.slice(1) ?? ['', ''];
  return isIP(address) !== 0 && Number(bits) <= (isIP(address) === 4 ? 32 : 128);
}
