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
 * @example
 * import { App, Chart } from 'cdk8s';
 * import { MlflowStack } from 'cdk8s-mlflow';
 *
 * const app = new App();
 * const chart = new Chart(app, 'mlflow', { namespace: 'mlflow' });
 * const { trackingServer, postgres } = new MlflowStack(chart, 'Stack');
 *
 * // the pods with this label, of any namespace, and nobody else but the parts of the stack
 * trackingServer.connections.allowFrom({ namespaceSelector: {}, podSelector: { matchLabels: { 'mlflow-client': 'true' } } });
 * // reports of your own read the database
 * postgres?.connections?.allowFromPods({ app: 'reports' });
 * app.synth();
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
  private model?: Connections;
  private isolated: boolean;

  /** @param props the pods, their ports, and whether they are isolated */
  public constructor(props: ConnectionsProps) {
    // copies: the selector of a workload and the ports of its container are made of the same objects
    this.podLabels = { ...props.podLabels };
    this.ports = [...(props.ports ?? [])];
    this.isolated = props.isolated ?? false;
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
   * Lets the same peers connect as to other pods, and lets these pods connect to the same as those but for themselves, whatever is
   * said of those later.
   *
   * @param other the connections of those pods
   */
  public follow(other: Connections): void {
    this.model = other;
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
    const all: Connections[] = this.model === undefined ? [this] : [this, this.model];
    const from = all.some(({ isIsolated }) => isIsolated) ? all.flatMap(({ _others, _clients }) => [..._others, ..._clients]) : undefined;
    // an empty list is none to the API server, and each apply would change it again
    if (this.ports.length === 0 || from?.length === 0) return undefined;
    return [{ ...(from === undefined ? {} : { from }), ports: tcp(this.ports) }];
  }

  /** @internal */
  public _egress(): k8s.NetworkPolicyEgressRule[] | undefined {
    const itself = this.ports.length === 0 ? '' : JSON.stringify(this.toThese);
    const rules = [...(this.model?._rules ?? []).filter((rule) => JSON.stringify(rule) !== itself), ...this._rules];
    if (rules.some((rule) => Object.keys(rule).length === 0)) return [{}];
    return rules.length === 0 ? undefined : rules;
  }
}

export function tcp(ports: number[]): k8s.NetworkPolicyPort[] {
  return ports.map((port) => ({ protocol: 'TCP', port: k8s.IntOrString.fromNumber(port) }));
}
