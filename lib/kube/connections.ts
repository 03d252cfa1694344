import { IConstruct } from 'constructs';
import { k8s } from '../../imports/k8s';

/** Props of `Connections`. */
export interface ConnectionsProps {
  /** Labels that select the pods. */
  readonly podLabels: { [key: string]: string };

  /**
   * Ports at which the pods are connected to.
   *
   * @default - none: nobody connects to them
   */
  readonly ports?: number[];

  /**
   * Whether nobody may connect but those that are named, even while nobody is. Otherwise everybody may, until `allowFrom` is called.
   *
   * @default false
   */
  readonly isolated?: boolean;
}

/**
 * Who may connect to the pods of a construct, and to whom they connect. The NetworkPolicy of these pods is written from it
 * at synth, so that what is said later counts as well.
 *
 * @see https://kubernetes.io/docs/concepts/services-networking/network-policies/
 */
export class Connections {
  /** Labels that select the pods. */
  public readonly podLabels: { [key: string]: string };

  /** Ports at which the pods are connected to. */
  public readonly ports: number[];

  /** @internal */
  public readonly _clients: k8s.NetworkPolicyPeer[] = [];

  /** @internal */
  public readonly _others: k8s.NetworkPolicyPeer[] = [];

  /** @internal */
  public readonly _rules: k8s.NetworkPolicyEgressRule[] = [];

  private readonly isolators: string[] = [];
  private isolated: boolean;

  /** @param props the pods, their ports, and whether they are isolated */
  public constructor(props: ConnectionsProps) {
    // copies: the selector of a workload and the ports of its container are made of the same objects
    this.podLabels = { ...props.podLabels };
    this.ports = [...(props.ports ?? [])];
    this.isolated = props.isolated ?? false;
  }

  /** Whether `allowFrom` has named clients; the parts of the stack, which `allowFromPods` names, are none. */
  public get hasClients(): boolean {
    return this._clients.length > 0;
  }

  /** Whether nobody may connect but those that are named. */
  public get isIsolated(): boolean {
    return this.isolated || this.isolators.length > 0;
  }

  /** Paths of the constructs that called `isolate`, for a message that has to name them. */
  public get isolatedBy(): string[] {
    return [...this.isolators];
  }

  /**
   * Lets clients connect. From the first call on nobody else may, but the parts of the stack.
   *
   * @param peers who may; none: nobody but the parts of the stack
   * @see https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors
   */
  public allowFrom(...peers: k8s.NetworkPolicyPeer[]): void {
    this.isolated = true;
    this._clients.push(...peers);
  }

  /**
   * Lets the pods of another part of the same namespace connect, which needs no client to be named for it.
   *
   * @param podLabels labels that select these pods
   */
  public allowFromPods(podLabels: { [key: string]: string }): void {
    this.allowAlsoFrom({ podSelector: { matchLabels: podLabels } });
  }

  /**
   * Lets further peers connect where only those may that are named. Where everybody may, this changes nothing.
   *
   * @param peers who may
   * @see https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors
   */
  public allowAlsoFrom(...peers: k8s.NetworkPolicyPeer[]): void {
    this._others.push(...peers);
  }

  /**
   * Lets the pods connect to something, besides name resolution.
   *
   * @param rules to whom, and at which ports; an empty rule is everything
   */
  public allowTo(...rules: k8s.NetworkPolicyEgressRule[]): void {
    this._rules.push(...rules);
  }

  /**
   * Lets nobody connect but those that are named, as a login in front of the pods needs it.
   *
   * @param owner the construct that wants it so
   */
  public isolate(owner: IConstruct): void {
    this.isolators.push(owner.node.path);
  }

  /**
   * The rule of a NetworkPolicy of other pods of the same namespace that lets them connect to these.
   *
   * @throws where these pods have no ports
   */
  public get toThese(): k8s.NetworkPolicyEgressRule {
    if (this.ports.length === 0) {
      throw new Error(
        `toThese: got the pods ${JSON.stringify(this.podLabels)}, which have no ports. Rule: a rule without ports lets through to all of them ` +
          '(https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/). Fix: pass ports to their Connections',
      );
    }
    return { to: [{ podSelector: { matchLabels: this.podLabels } }], ports: tcp(this.ports) };
  }

  /** @internal */
  public _ingress(): k8s.NetworkPolicyIngressRule[] | undefined {
    const from = this.isIsolated ? [...this._others, ...this._clients] : undefined;
    // an empty list is none to the API server, and each apply would change it again
    if (this.ports.length === 0 || from?.length === 0) return undefined;
    return [{ ...(from === undefined ? {} : { from }), ports: tcp(this.ports) }];
  }

  /** @internal */
  public _egress(): k8s.NetworkPolicyEgressRule[] | undefined {
    if (this._rules.some((rule) => Object.keys(rule).length === 0)) return [{}];
    // who connects to nobody asks for no address
    return this._rules.length === 0 ? undefined : [TO_DNS, ...this._rules];
  }
}

export function tcp(ports: number[]): k8s.NetworkPolicyPort[] {
  return ports.map((port) => ({ protocol: 'TCP', port: k8s.IntOrString.fromNumber(port) }));
}

/** Name resolution: at 53, and at 5353, where the DNS of OpenShift listens behind its Service. It has no address that is the same in all clusters. */
const TO_DNS: k8s.NetworkPolicyEgressRule = {
  ports: [53, 5353].flatMap((port) => ['UDP', 'TCP'].map((protocol) => ({ protocol, port: k8s.IntOrString.fromNumber(port) }))),
};
