import { k8s } from '../../imports/k8s';

/**
 * The NetworkPolicies of a construct. They choose its own pods only, and let exactly the traffic through that it needs.
 *
 * @see https://kubernetes.io/docs/concepts/services-networking/network-policies/
 */
export interface NetworkPolicyOptions {
  /**
   * Whether there are NetworkPolicies.
   *
   * @default true
   */
  readonly enabled?: boolean;

  /**
   * Who may connect to the server. Connections that the constructs know of themselves are allowed anyway.
   *
   * @default - of a tracking server everybody, of a store nobody else
   */
  readonly clients?: k8s.NetworkPolicyPeer[];

  /**
   * Further connections that the pods may open, for example to a proxy or a model provider.
   *
   * @default - none
   */
  readonly egress?: k8s.NetworkPolicyEgressRule[];
}
