import { IConstruct } from 'constructs';
import { Notes } from './notes';
import { goodPeers } from './policy-peers';
import { ClusterOptions, ClusterPlatform, IpFamily } from '../options/cluster-options';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { k8s } from '../../imports/k8s';

const SHAPE: Shape<ClusterOptions> = { domain: 'value', ipFamily: 'value', platform: 'value', shortNames: 'value', dnsPeers: 'list', ambientMesh: 'value' };
const DEFAULT_DOMAIN = 'cluster.local';
const DOMAIN = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/;
/** What is left of the 253 characters of a DNS name behind a Service and a namespace of 63 each. */
const MAX_DOMAIN = 121;
/** Where the DNS of OpenShift listens, behind its Service at port 53. */
const OPENSHIFT_DNS = 5353;
/** Where the mesh brings in what it carries from pod to pod, and whence it sends the probes of the kubelet. */
const MESH_PORT: k8s.NetworkPolicyPort = { protocol: 'TCP', port: k8s.IntOrString.fromNumber(15008) };
const MESH_PROBES: { [family: string]: k8s.NetworkPolicyPeer } = {
  [IpFamily.IPV4]: { ipBlock: { cidr: '169.254.7.127/32' } },
  [IpFamily.IPV6]: { ipBlock: { cidr: 'fd16:9254:7127:1337:ffff:ffff:ffff:ffff/128' } },
};

/** The prop `cluster`, checked: names and addresses as the cluster has them, and what it wants of pods and policies. */
export class Cluster {
  /** That of a construct: what it was told itself, else what the next one above it was told. An add-on has that of its server. */
  public static of(construct: IConstruct): Cluster {
    const told = [...construct.node.scopes].reverse().find((scope) => CLUSTERS.has(scope) || HOSTS.has(scope));
    if (told === undefined) return new Cluster(PropChecks.unheard(), undefined);
    return CLUSTERS.get(told) ?? Cluster.of(HOSTS.get(told)!);
  }

  /** Says that a construct is in the cluster of another, under which it does not stand. */
  public static share(construct: IConstruct, other: IConstruct): void {
    HOSTS.set(construct, other);
  }

  public readonly domain: string;

  /** All addresses of a pod, as what a server listens at. */
  public readonly anyAddress: string;

  /** What runs it. */
  public readonly platform: string;

  private readonly family: string;
  private readonly shortNames: boolean;
  private readonly ambientMesh: boolean;
  private readonly dnsPeers?: k8s.NetworkPolicyPeer[];

  public constructor(checks: PropChecks, given: ClusterOptions | undefined) {
    const options = checks.props(given ?? {}, SHAPE, 'cluster.');
    this.domain = options.domain ?? DEFAULT_DOMAIN;
    if (typeof this.domain !== 'string' || this.domain.length > MAX_DOMAIN || !DOMAIN.test(this.domain)) {
      checks.fault({
        prop: 'cluster.domain',
        value: this.domain,
        rule:
          'the domain of a cluster is a DNS name in lower-case letters, without a dot at its ends, ' +
          `at most ${MAX_DOMAIN} characters so that the names of Services stay within 253 ` +
          '(https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/)',
        fix: 'pass the domain that `kubectl get configmap coredns -n kube-system` shows, such as "cluster.local"',
      });
    }
    this.family = checks.oneOf('cluster.ipFamily', options.ipFamily ?? IpFamily.IPV4, Object.values(IpFamily), 'the family');
    this.anyAddress = this.family === IpFamily.IPV6 ? '::' : '0.0.0.0';
    this.platform = checks.oneOf('cluster.platform', options.platform ?? ClusterPlatform.KUBERNETES, Object.values(ClusterPlatform), 'the platform');
    this.shortNames = checks.flag('cluster.shortNames', options.shortNames ?? false);
    this.ambientMesh = checks.flag('cluster.ambientMesh', options.ambientMesh ?? false);
    this.dnsPeers = options.dnsPeers && goodPeers(checks, 'cluster.dnsPeers', options.dnsPeers);
    if (options.dnsPeers?.length === 0) {
      checks.fault({ prop: 'cluster.dnsPeers', value: [], rule: 'the list has one peer or more: to a rule with none, Kubernetes lets through to anybody', fix: 'leave it out for anybody, or pass [{ namespaceSelector: {}, podSelector: { matchLabels: { "k8s-app": "kube-dns" } } }]' });
    }
    CLUSTERS.set(checks.scope, this);
  }

  /** The name of a Service that resolves in the whole cluster. */
  public host(service: string, namespace: string): string {
    return `${service}.${namespace}.svc.${this.domain}`;
  }

  /** The name of a Service for the pods of its own namespace, which clients elsewhere may be told too unless names are to be short. */
  public nearHost(service: string, namespace: string): string {
    return this.shortNames ? service : this.host(service, namespace);
  }

  /** An address of a pod as it stands before a port. */
  public address(address: string): string {
    return this.family === IpFamily.IPV6 ? `[${address}]` : address;
  }

  /** Rules of a NetworkPolicy for what comes in, as the mesh brings it. */
  public comingIn(rules: k8s.NetworkPolicyIngressRule[] | undefined): k8s.NetworkPolicyIngressRule[] | undefined {
    if (!this.ambientMesh) return rules;
    return rules?.map(({ from, ports }) => ({ ...(from && { from: [...from, MESH_PROBES[this.family]] }), ports: [...(ports ?? []), MESH_PORT] }));
  }

  /** Rules of a NetworkPolicy for what goes out, with name resolution: who connects to nobody asks for no address. */
  public goingOut(rules: k8s.NetworkPolicyEgressRule[] | undefined): k8s.NetworkPolicyEgressRule[] | undefined {
    if (rules === undefined || rules.some((rule) => Object.keys(rule).length === 0)) return rules;
    const all = [{ ...(this.dnsPeers && { to: this.dnsPeers }), ports: this.dnsPorts }, ...rules];
    // what is no pod is in no mesh
    const inMesh = ({ to, ports }: k8s.NetworkPolicyEgressRule) => this.ambientMesh && ports !== undefined && to?.some(({ ipBlock }) => ipBlock === undefined);
    return all.map((rule) => (inMesh(rule) ? { ...rule, ports: [...rule.ports!, MESH_PORT] } : rule));
  }

  private get dnsPorts(): k8s.NetworkPolicyPort[] {
    const ports = this.platform === ClusterPlatform.OPENSHIFT ? [53, OPENSHIFT_DNS] : [53];
    return ports.flatMap((port) => ['UDP', 'TCP'].map((protocol) => ({ protocol, port: k8s.IntOrString.fromNumber(port) })));
  }

  /** A rendered pod as the platform wants it. */
  public pod(spec: k8s.PodSpec): k8s.PodSpec {
    if (this.platform === ClusterPlatform.OPENSHIFT) return { ...spec, securityContext: withoutIds(spec.securityContext) };
    if (this.platform !== ClusterPlatform.GKE_AUTOPILOT) return spec;
    const requested = (containers: k8s.Container[]) => containers.map((container) => ({ ...container, resources: asLimited(container.resources) }));
    return { ...spec, ...(spec.initContainers && { initContainers: requested(spec.initContainers) }), containers: requested(spec.containers) };
  }
}

/** The clusters that constructs were told of, and whose cluster it is where they were not. */
const CLUSTERS = new Notes<Cluster>();
const HOSTS = new Notes<IConstruct>();

function withoutIds(security: k8s.PodSecurityContext = {}): k8s.PodSecurityContext {
  return Object.fromEntries(Object.entries(security).filter(([field]) => !['runAsUser', 'runAsGroup', 'fsGroup'].includes(field)));
}

function asLimited(resources: k8s.ResourceRequirements | undefined): k8s.ResourceRequirements | undefined {
  const limit = resources?.limits?.['ephemeral-storage'];
  return limit === undefined ? resources : { ...resources, requests: { ...resources?.requests, 'ephemeral-storage': limit } };
}
