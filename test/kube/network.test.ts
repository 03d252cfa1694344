import { Testing } from 'cdk8s';
import { Construct } from 'constructs';
import { Connections } from '../../lib/kube/connections';
import { TO_KUBERNETES_API, isCidr, networkPolicyOptions, podPolicy, toAnywhere } from '../../lib/kube/network';
import { PropChecks } from '../../lib/validation/prop-checks';
import { k8s } from '../../imports/k8s';
import { told } from '../tracking-server/server';
import { faults } from '../helpers';

const DNS = {
  ports: [
    { protocol: 'UDP', port: 53 },
    { protocol: 'TCP', port: 53 },
  ],
};
const PODS = { app: 'server' };

function policyOf(connections: Connections) {
  const chart = Testing.chart();
  podPolicy(chart, 'Policy', { name: 'server', namespace: 'here', labels: { a: 'b' }, connections });
  return { object: () => Testing.synth(chart)[0], wrong: () => faults(chart) };
}

function options(given?: object) {
  const chart = Testing.chart();
  const checked = networkPolicyOptions(new PropChecks(new Construct(chart, 'Part')), given as never);
  return { checked, wrong: faults(chart) };
}

describe('podPolicy', () => {
  test('is for these pods, in both directions', () => {
    const { metadata, spec } = policyOf(new Connections({ podLabels: PODS })).object();
    expect(metadata).toEqual({ name: 'server', namespace: 'here', labels: { a: 'b' } });
    expect(spec).toEqual({ podSelector: { matchLabels: PODS }, policyTypes: ['Ingress', 'Egress'] });
  });

  test('has what is said of the connections, even after it was made', () => {
    const connections = new Connections({ podLabels: PODS, ports: [80] });
    const { object } = policyOf(connections);
    expect(object().spec).toEqual({ podSelector: { matchLabels: PODS }, policyTypes: ['Ingress', 'Egress'], ingress: [{ ports: [{ protocol: 'TCP', port: 80 }] }] });
    const client = { namespaceSelector: {} };
    connections.allowFrom(client);
    connections.allowTo(toAnywhere(443, 8443));
    const { ingress, egress } = object().spec;
    expect(ingress).toEqual([{ from: [client], ports: [{ protocol: 'TCP', port: 80 }] }]);
    expect(egress).toEqual([DNS, { ports: [{ protocol: 'TCP', port: 443 }, { protocol: 'TCP', port: 8443 }] }]);
  });

  test('lets everything out where one rule says so', () => {
    const connections = new Connections({ podLabels: PODS });
    connections.allowTo(toAnywhere(443), {});
    expect(policyOf(connections).object().spec.egress).toEqual([{}]);
  });

  test('the API server is at one of its usual ports', () => {
    const connections = new Connections({ podLabels: PODS });
    connections.allowTo(TO_KUBERNETES_API);
    expect(policyOf(connections).object().spec.egress[1].ports.map(({ port }: { port: number }) => port)).toEqual([443, 6443, 8443, 16443]);
  });

  test('a rule of which cdk8s would drop a part is told, which would let everything out', () => {
    const connections = new Connections({ podLabels: PODS });
    const { wrong } = policyOf(connections);
    connections.allowTo({ port: 443 } as never);
    connections.allowFrom({} as never, 'everybody' as never);
    const expected = [
      told('connections.allowFrom[0]', 'an object with nothing in it', 'a peer has ipBlock', '{ namespaceSelector: {} }', 'Policy'),
      told('connections.allowFrom[1]', 'a string', 'a list of peers', '{ namespaceSelector: {} }', 'Policy'),
      told('connections.allowTo[0].port', 'a number', 'there is no prop of this name', 'did you mean connections.allowTo[0].ports?', 'Policy'),
    ];
    expect(wrong()).toEqual(expected);
    expect(wrong()).toEqual(expected);
  });

  test.each<[string, object, unknown]>([
    ['of another version of cdk8s-plus', new (class IntOrString { public constructor(public readonly value: number) {} })(443), 443],
    ['of this one', k8s.IntOrString.fromString('https'), 'https'],
    ['from JSON, with a number', { value: 443 }, 443],
    ['from JSON, with a name', { value: 'https' }, 'https'],
  ])('a port is the same in the YAML where it is an IntOrString %s', (_, port, expected) => {
    const connections = new Connections({ podLabels: PODS });
    connections.allowTo({ ports: [{ port: port as k8s.IntOrString }] });
    const { object, wrong } = policyOf(connections);
    expect(wrong()).toEqual([]);
    expect(object().spec.egress[1].ports).toEqual([{ port: expected }]);
  });
});

describe('networkPolicyOptions', () => {
  test('are on, with nothing in them', () => {
    expect(options()).toEqual({ checked: { enabled: true, clients: undefined, egress: [] }, wrong: [] });
    expect(options({})).toEqual(options());
  });

  test('are what is given', () => {
    const given = {
      clients: [{ namespaceSelector: {} }, { ipBlock: { cidr: '10.0.0.0/8' } }],
      egress: [{}, { to: [{ podSelector: {} }], ports: [{ port: k8s.IntOrString.fromNumber(443), protocol: 'TCP' }, { protocol: 'UDP' }] }],
    };
    expect(options(given)).toEqual({ checked: { enabled: true, ...given }, wrong: [] });
  });

  test('are none where they are off', () => {
    expect(options({ enabled: false })).toEqual({ checked: undefined, wrong: [] });
  });

  test.each<[object, string, string, string, string]>([
    [{ enabled: 'false' }, 'enabled', '"false"', 'true or false', ''],
    [{ enabled: false, clients: [] }, 'clients', 'a list of 0', 'with networkPolicy.enabled = false', 'leave networkPolicy.clients out, or networkPolicy.enabled'],
    [{ enabled: false, egress: [{}] }, 'egress', 'a list of 1', 'with networkPolicy.enabled = false', 'leave networkPolicy.egress out, or networkPolicy.enabled'],
    [{ clients: {} }, 'clients', 'an object with nothing in it', 'it is a list', ''],
    [{ clients: ['10.0.0.0/8'] }, 'clients[0]', 'a string', 'a list of peers', '{ namespaceSelector: {} }'],
    [{ clients: [{}] }, 'clients[0]', 'an object with nothing in it', 'a peer has ipBlock, podSelector or namespaceSelector', '{ namespaceSelector: {} }'],
    [{ clients: [{ podSelector: {}, port: 80 }] }, 'clients[0].port', 'a number', 'there is no prop of this name', 'leave it out, or pass one of ipBlock'],
    [{ egress: [443] }, 'egress[0]', 'a number', 'a list of rules', ''],
    [{ egress: [{ port: 443 }] }, 'egress[0].port', 'a number', 'there is no prop of this name', 'did you mean networkPolicy.egress[0].ports?'],
    [{ egress: [{ to: [{}] }] }, 'egress[0].to[0]', 'an object with nothing in it', 'a peer has', ''],
    [{ egress: [{ to: '10.0.0.0/8' }] }, 'egress[0].to', '"10.0.0.0/8"', 'it is a list', ''],
    [{ egress: [{ to: ['10.0.0.0/8'] }] }, 'egress[0].to[0]', 'a string', 'a list of peers', ''],
    [{ egress: [{ ports: [443] }] }, 'egress[0].ports[0]', 'a number', 'a list of ports', 'k8s.IntOrString.fromNumber(443)'],
    [{ egress: [{ ports: [{ port: {} }] }] }, 'egress[0].ports[0].port', '{}', 'a port is a k8s.IntOrString', 'k8s.IntOrString.fromNumber(443)'],
    [{ egress: [{ ports: [{ port: { value: true } }] }] }, 'egress[0].ports[0].port', '{"value":true}', 'a port is a k8s.IntOrString', 'k8s.IntOrString.fromNumber(443)'],
    [{ egress: [{ ports: [{ port: { value: '' } }] }] }, 'egress[0].ports[0].port', '{"value":""}', 'a port is a k8s.IntOrString', 'k8s.IntOrString.fromNumber(443)'],
    [{ egress: [{ ports: [{ port: 443 }] }] }, 'egress[0].ports[0].port', 'a number', 'it is an object', ''],
    [{ ingress: [] }, 'ingress', 'a list of 0', 'there is no prop of this name', 'did you mean networkPolicy.egress?'],
  ])('cannot be %j', (given, prop, got, rule, fix) => {
    expect(options(given).wrong).toEqual([told(`networkPolicy.${prop}`, got, rule, fix, 'Part')]);
  });
});

test('what is wrong in the options is not told again by the policy, which gets what is good', () => {
  const { checked, wrong } = options({ clients: [{ podSelector: {} }, { podSelector: {}, port: 80 }], egress: [{ port: 443 }, {}] });
  expect(checked).toEqual({ enabled: true, clients: [{ podSelector: {} }], egress: [{}] });
  expect(wrong).toHaveLength(2);
});

test.each([['10.0.0.0/8', true], ['10.0.0.1/32', true], ['2001:db8::/128', true], ['10.0.0.0', false], ['10.0.0.0/33', false], ['10.0/8', false], ['::/129', false], ['a/8', false], ['10.0.0.0/', false], ['', false]])('isCidr("%s") is %s', (text, is) => {
  expect(isCidr(text)).toBe(is);
});
