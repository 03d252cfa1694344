/**
 * The family of the addresses of pods.
 *
 * @see https://kubernetes.io/docs/concepts/services-networking/dual-stack/
 */
export enum IpFamily {
  /** IPv4 only, or IPv4 first. */
  IPV4 = 'IPv4',

  /** IPv6 only, or IPv6 first. */
  IPV6 = 'IPv6',
}

/** What the constructs have to know of the cluster. */
export interface ClusterOptions {
  /**
   * Domain of the cluster, in which the names of Services end.
   *
   * @default "cluster.local"
   * @see https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
   */
  readonly domain?: string;

  /**
   * The family of the addresses of pods; of a cluster with two, the first.
   *
   * @default IpFamily.IPV4
   */
  readonly ipFamily?: IpFamily;
}
