import { isIPv4, isIPv6, BlockList } from 'node:net';
import { withoutFingerprint } from './changes';
import { safe } from './lines';
import { Json, Manifest } from './manifests';
import { Finding, PRUNED, Review, at, docs, list, same } from './review';

/** One peer at one port, as a NetworkPolicy lets it through. Undefined is any. */
interface Way {
  readonly peer?: Json;
  readonly port?: Json;
}

const LINK = docs('who gets through', 'how-to/network-policies.md#what-is-allowed');
const DIRECTIONS = [
  { type: 'Ingress', rules: 'ingress', peers: 'from' },
  { type: 'Egress', rules: 'egress', peers: 'to' },
] as const;

/**
 * Whom NetworkPolicies let through that they did not, and the other way round. A pod that no policy chooses is open
 * (https://kubernetes.io/docs/concepts/services-networking/network-policies/#the-two-sorts-of-pod-isolation), and what several
 * let through adds up, so a policy that is gone may open its pods, and a new one may close them.
 */
export function network(review: Review): Finding[] {
  const finding = (what: string, policy: Manifest, how: string): Finding => ({ sign: '⚠', rule: what, text: `${what} ${review.name(policy)}: ${how}`, link: LINK, about: [policy] });
  const changed = review.pairs('NetworkPolicy').flatMap(({ before, after }) => {
    if (!same(at(before.object, 'spec.podSelector'), at(after.object, 'spec.podSelector'))) return [finding('opens and closes', after, 'it chooses other pods')];
    const words = DIRECTIONS.map((direction) => {
      const [old, fresh] = [before, after].map(({ object }) => waysOf(object, direction));
      const told = (ways: Way[]) => ways.map((way) => `${direction.peers} ${wordsOf(way)}`);
      return { opens: told(fresh.filter((way) => !isCovered(way, old))), closes: told(old.filter((way) => !isCovered(way, fresh))) };
    });
    return (['opens', 'closes'] as const).flatMap((what) => {
      const all = words.flatMap((direction) => direction[what]);
      return all.length === 0 ? [] : [finding(what, after, list(all, 4))];
    });
  });
  if (review.base.size === 0) return changed;
  const [old, fresh] = [review.base, review.head].map((side) => [...side.values()]);
  return [
    ...changed,
    ...review.only('removed', 'NetworkPolicy').filter((policy) => isAboutKept(policy, old, fresh)).map((policy) => {
      const pods = chosenBy(policy, fresh);
      const open = pods.filter((pod) => !fresh.some((other) => other.kind === 'NetworkPolicy' && chosenBy(other, [pod]).length > 0));
      if (pods.length > 0 && open.length === 0) return finding('closes', policy, `${PRUNED}, what it let through is let through no more, but by other policies`);
      return finding('opens', policy, `${PRUNED}, ${pods.length === 0 ? 'pods that no other policy chooses are' : `${list(open.map((pod) => review.name(pod)), 4)} ${open.length === 1 ? 'is' : 'are'}`} open to everybody`);
    }),
    ...review.only('added', 'NetworkPolicy').filter((policy) => isAboutKept(policy, fresh, old)).map((policy) => finding('closes', policy, 'it is new, and its pods are closed to all that no policy lets through')),
  ];
}

/** Whether a policy that one side has is about pods that both have, or about some that are in no manifest: the policy of what comes or goes with it is no news. */
function isAboutKept(policy: Manifest, side: Manifest[], other: Manifest[]): boolean {
  const chosen = chosenBy(policy, side);
  return chosen.length === 0 || chosen.some(({ kind, namespace, name }) => other.some((one) => one.kind === kind && one.namespace === namespace && withoutFingerprint(one.name) === withoutFingerprint(name)));
}

/** The workloads whose pods a policy chooses. */
function chosenBy(policy: Manifest, side: Manifest[]): Manifest[] {
  return side.filter(({ namespace, object }) => namespace === policy.namespace && podLabels(object) !== undefined && isChosen(podLabels(object), at(policy.object, 'spec.podSelector')));
}

function podLabels(workload: Json): { [label: string]: string } | undefined {
  return at(workload, 'spec.template.metadata.labels') ?? at(workload, 'spec.jobTemplate.spec.template.metadata.labels');
}

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors */
function isChosen(labels: Json, { matchLabels = {}, matchExpressions = [] }: Json): boolean {
  const fits = ({ key, operator, values = [] }: Json): boolean => {
    if (operator === 'Exists') return labels[key] !== undefined;
    if (operator === 'DoesNotExist') return labels[key] === undefined;
    return values.includes(labels[key]) === (operator === 'In');
  };
  return Object.entries(matchLabels as object).every(([key, value]) => labels[key] === value) && (matchExpressions as Json[]).every(fits);
}

function waysOf(policy: Json, { type, rules, peers }: (typeof DIRECTIONS)[number]): Way[] {
  // https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/, at policyTypes
  const types = (at(policy, 'spec.policyTypes') ?? ['Ingress', ...(at(policy, 'spec.egress') === undefined ? [] : ['Egress'])]) as string[];
  if (!types.includes(type)) return [{}];
  return ((at(policy, `spec.${rules}`) ?? []) as Json[]).flatMap((rule) => {
    const any = (members: Json): Json[] => (Array.isArray(members) && members.length > 0 ? members : [undefined]);
    return any(rule?.[peers]).flatMap((peer) => any(rule?.ports).map((port) => ({ peer, port })));
  });
}

function isCovered(way: Way, ways: Way[]): boolean {
  return ways.some(({ peer, port }) => (peer === undefined || same(peer, way.peer) || isInside(way.peer, peer)) && (port === undefined || same(portOf(port), portOf(way.port))));
}

/** Whether addresses are among others, as far as whole blocks go. */
function isInside(inner: Json, outer: Json): boolean {
  const [from, to] = [inner, outer].map((peer) => (at(peer, 'ipBlock.cidr') as string | undefined)?.split('/'));
  if (from === undefined || to === undefined || (at(outer, 'ipBlock.except') ?? []).length > 0) return false;
  const family = (address: string) => (isIPv4(address) ? ('ipv4' as const) : isIPv6(address) ? ('ipv6' as const) : undefined);
  const [one, other] = [family(from[0]), family(to[0])];
  if (one === undefined || one !== other || Number(from[1]) < Number(to[1])) return false;
  const block = new BlockList();
  block.addSubnet(to[0], Number(to[1]), one);
  return block.check(from[0], one);
}

function portOf(port: Json): Json {
  return port === undefined ? undefined : { protocol: 'TCP', ...port };
}

function wordsOf({ peer, port }: Way): string {
  return `${peer === undefined ? 'everywhere' : peerWords(peer)}${port === undefined ? '' : `, port ${portWords(port)}`}`;
}

function peerWords(peer: Json): string {
  if (peer.ipBlock !== undefined) return `${safe(peer.ipBlock.cidr)}${(peer.ipBlock.except ?? []).length > 0 ? ' in part' : ''}`;
  const pods = peer.podSelector === undefined ? 'all pods' : selectorWords('pods', peer.podSelector);
  return peer.namespaceSelector === undefined ? pods : `${pods} of ${selectorWords('namespaces', peer.namespaceSelector)}`;
}

function selectorWords(what: string, selector: Json): string {
  const labels = Object.entries((selector.matchLabels ?? {}) as { [key: string]: string });
  // the shortest that tells them apart for a reader
  const told = labels.map(([key, value]) => `${safe(key.split('/').at(-1))}=${safe(value)}`);
  if ((selector.matchExpressions ?? []).length > 0) told.push('expressions');
  return told.length === 0 ? `all ${what}` : `${what} ${told.join('+')}`;
}

function portWords({ port, endPort, protocol = 'TCP' }: Json): string {
  return `${port === undefined ? 'any' : safe(port)}${endPort === undefined ? '' : `–${safe(endPort)}`}${protocol === 'TCP' ? '' : `/${safe(protocol)}`}`;
}
