import { k8s } from '../../imports/k8s';

/** A model that is served in the cluster, or at another private address. */
export interface PrivateUpstream {
  /**
   * Which pods or addresses it has.
   *
   * @see https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors
   */
  readonly peer: k8s.NetworkPolicyPeer;

  /** Port at which its pods listen, which may be another than that of their Service. */
  readonly port: number;
}

/**
 * MLflow's AI gateway: endpoints of the server that hand requests on to models, with keys that only the server knows.
 *
 * @see https://mlflow.org/docs/latest/genai/governance/ai-gateway/
 */
export interface GatewayOptions {
  /**
   * Whether the server has the gateway, with its pages in the web UI.
   *
   * @default true
   */
  readonly enabled?: boolean;

  /**
   * Providers that endpoints may use, by the names that MLflow has for them, such as `openai`.
   *
   * @default - all that MLflow knows
   */
  readonly providers?: string[];

  /**
   * Whether the server may connect to providers on the internet, at port 443 of public addresses.
   *
   * @default false
   */
  readonly publicUpstreams?: boolean;

  /**
   * Models in the cluster or at other private addresses, to which the server may connect. MLflow takes http and private
   * addresses for an endpoint only where there are some; who may make endpoints can then name any address that the
   * NetworkPolicy lets through.
   *
   * @default - none
   */
  readonly privateUpstreams?: PrivateUpstream[];
}
