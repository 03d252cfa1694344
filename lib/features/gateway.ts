import { Construct } from 'constructs';
import { GatewayOptions } from './gateway-options';
import { tcp } from '../kube/connections';
import { goodPeers } from '../kube/policy-peers';
import { ITrackingServer } from '../tracking-server/server';
import { ofServer } from '../tracking-server/add-on';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';

const DOCS = 'https://mlflow.org/docs/latest/genai/governance/ai-gateway/';
/** Addresses that are nobody's on the internet: private, shared, loopback and link-local, where clouds keep their metadata. */
const PRIVATE = ['10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.168.0.0/16'];
const PRIVATE_IPV6 = ['::1/128', 'fc00::/7', 'fe80::/10'];

/** Props of `Gateway`. */
export interface GatewayProps extends GatewayOptions {
  /** The server that has the gateway, or has it not. */
  readonly server: ITrackingServer;
}

export const GATEWAY: Shape<GatewayOptions> = { enabled: 'value', providers: 'list', publicUpstreams: 'value', privateUpstreams: 'list' };

/**
 * Says what the AI gateway of a tracking server may do, whose prop `gateway` makes it.
 *
 * @see https://mlflow.org/docs/latest/genai/governance/ai-gateway/
 */
export class Gateway extends Construct {
  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the server, and to which models it hands requests on
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: GatewayProps) {
    super(place(scope, id), id);
    const { server, ...given } = ofServer(this, props);
    const checks = new PropChecks(this);
    const options = checks.props(given, GATEWAY);
    const enabled = checks.flag('enabled', options.enabled ?? true);
    const set = (name: string, value: string) => server.addVariable(this, { name, value });
    set('MLFLOW_ENABLE_AI_GATEWAY', String(enabled));
    if (!enabled) {
      for (const prop of ['providers', 'publicUpstreams', 'privateUpstreams'] as const) {
        if (options[prop] !== undefined) checks.fault({ prop, value: options[prop], hidden: true, rule: 'with enabled = false there is no gateway that could use it', fix: `leave ${prop} out, or enabled` });
      }
      return;
    }
    const { providers, privateUpstreams } = options;
    if (providers !== undefined) {
      const names = checks.members('providers', providers, 'string', 'names of providers', '"openai"');
      if (providers.length === 0) checks.fault({ prop: 'providers', value: providers, rule: `the list has one member or more: MLflow takes an empty one for all (${DOCS})`, fix: 'leave providers out for all, or pass enabled: false for none' });
      names.forEach((name, index) => {
        if (!/^[a-z0-9][a-z0-9_-]*$/.test(name)) checks.fault({ prop: `providers[${index}]`, value: name, rule: `a provider has a name of small letters (${DOCS})`, fix: 'pass a name such as "openai"' });
      });
      set('MLFLOW_GATEWAY_ALLOWED_PROVIDERS', names.join(','));
    }
    if (checks.flag('publicUpstreams', options.publicUpstreams ?? false)) {
      const everywhere = [['0.0.0.0/0', PRIVATE], ['::/0', PRIVATE_IPV6]] as const;
      server.allowTo({ to: everywhere.map(([cidr, except]) => ({ ipBlock: { cidr, except: [...except] } })), ports: tcp([443]) });
    }
    if (privateUpstreams === undefined) return;
    const upstreams = checks.members('privateUpstreams', privateUpstreams, { peer: {} }, 'models', '{ peer: { podSelector: { matchLabels: { app: "vllm" } } }, port: 8000 }');
    upstreams.forEach((upstream, index) => {
      const prop = `privateUpstreams[${index}]`;
      const { peer, port } = checks.props(upstream, { peer: {}, port: 'value' }, `${prop}.`);
      const [good] = goodPeers(checks, `${prop}.peer`, [peer]);
      const given = checks.required(`${prop}.port`, port, 8000, 'the port of its pods', '8000');
      if (good !== undefined) server.allowTo({ to: [good], ports: tcp([checks.port(`${prop}.port`, given)]) });
    });
    if (privateUpstreams.length === 0) return;
    set('MLFLOW_GATEWAY_API_BASE_ALLOWED_SCHEMES', 'https,http');
    set('MLFLOW_GATEWAY_API_BASE_ALLOW_PRIVATE_IPS', 'true');
  }
}
