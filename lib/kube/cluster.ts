import { ClusterOptions, IpFamily } from '../options/cluster-options';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';

const SHAPE: Shape<ClusterOptions> = { domain: 'value', ipFamily: 'value' };
const DEFAULT_DOMAIN = 'cluster.local';
const DOMAIN = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/;
/** What is left of the 253 characters of a DNS name behind a Service and a namespace of 63 each. */
const MAX_DOMAIN = 121;

/** The prop `cluster`, checked: names and addresses as the cluster has them. */
export class Cluster {
  public readonly domain: string;

  /** All addresses of a pod, as what a server listens at. */
  public readonly anyAddress: string;

  private readonly family: string;

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
  }

  /** The name of a Service that resolves in the whole cluster. */
  public host(service: string, namespace: string): string {
    return `${service}.${namespace}.svc.${this.domain}`;
  }

  /** An address of a pod as it stands before a port. */
  public address(address: string): string {
    return this.family === IpFamily.IPV6 ? `[${address}]` : address;
  }
}
