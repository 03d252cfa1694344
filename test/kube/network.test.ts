import { Testing } from 'cdk8s';
import { Construct } from 'constructs';
import { TO_KUBERNETES_API, connect, isCidr, networkPolicyOptions, podPolicy, toAnywhere, toPods } from '../../lib/kube/network';
import { PropChecks } from '../../lib/validation/prop-checks';
import { k8s } from '../../imports/k8s';
import { told } from '../tracking-server/server';
import { faults } from '../helpers';

const DNS = {
  ports: [
    { protocol: 'UDP', port: 53 },
    { protocol: 'TCP', port: 53 },
    { protocol: 'UDP', port: 5353 },
    { protocol: 'TCP', port: 5353 },
  ],
};
const PODS = { app: 'server' };

function policy(props: object, afterwards?: () => void) {
  const chart = Testing.chart();
  podPolicy(chart, 'Policy', { name: 'server', namespace: 'here', labels: { a: 'b' }, podLabels: PODS, egress: [], ...props });
  afterwards?.();
  const [object] = Testing.synth(chart);
  return object;
}

function options(given?: object) {
  const chart = Testing.chart();
  const checked = networkPolicyOptions(new PropChecks(new Construct(chart, 'Part')), given as never);
  return { checked, wrong: faults(chart) };
}

describe('podPolicy', () => {
  test('is for these pods, in both directions', () => {
    const { metadata, spec } = policy({});
    expect(metadata).toEqual({ name: 'server', namespace: 'here', labels: { a: 'b' } });
    expect(spec).toEqual({ podSelector: { matchLabels: PODS }, policyTypes: ['Ingress', 'Egress'] });
  });

  test('is open at its ports where nobody is named, and closed without ports', () => {
    expect(policy({ ports: [80, 81] }).spec.ingress).toEqual([{ ports: [{ protocol: 'TCP', port: 80 }, { protocol: 'TCP', port: 81 }] }]);
    expect(policy({ clients: [{ namespaceSelector: {} }] }).spec).not.toHaveProperty('ingress');
  });

  test('lets in whom the user names, and nobody for an empty list', () => {
    const client = { namespaceSelector: { matchLabels: { name: 'a' } } };
    expect(policy({ ports: [80], clients: [client] }).spec.ingress).toEqual([{ from: [client], ports: [{ protocol: 'TCP', port: 80 }] }]);
    expect(policy({ ports: [80], clients: [] }).spec).not.toHaveProperty('ingress');
  });

  test('lets in what is connected, even after it was made, before the user\'s own', () => {
    const server = {};
    const client = { namespaceSelector: {} };
    connect(server, { app: 'first' });
    const { ingress } = policy({ ports: [80], server, clients: [client] }, () => connect(server, { app: 'second' })).spec;
    expect(ingress[0].from).toEqual([{ podSelector: { matchLabels: { app: 'first' } } }, { podSelector: { matchLabels: { app: 'second' } } }, client]);
    expect(policy({ ports: [80], server: {} }).spec).not.toHaveProperty('ingress');
    expect(JSON.stringify(policy({ ports: [80], server: {}, clients: [client] }))).not.toContain('first');
  });

  test('lets out what it is told, and name resolution with it', () => {
    expect(policy({ egress: [toPods({ app: 'db' }, 5432)] }).spec.egress).toEqual([DNS, { to: [{ podSelector: { matchLabels: { app: 'db' } } }], ports: [{ protocol: 'TCP', port: 5432 }] }]);
    expect(policy({ egress: [toAnywhere(443, 8443)] }).spec.egress[1]).toEqual({ ports: [{ protocol: 'TCP', port: 443 }, { protocol: 'TCP', port: 8443 }] });
    expect(policy({ egress: [] }).spec).not.toHaveProperty('egress');
  });

  test('lets everything out where one rule says so', () => {
    expect(policy({ egress: [toAnywhere(443), {}] }).spec.egress).toEqual([{}]);
  });

  test('the API server is at one of its usual ports', () => {
    expect(policy({ egress: [TO_KUBERNETES_API] }).spec.egress[1].ports.map(({ port }: { port: number }) => port)).toEqual([443, 6443, 8443, 16443]);
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
    [{ clients: {} }, 'clients', '{}', 'it is a list', ''],
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
    [{ egress: [{ ports: [{ port: 443 }] }] }, 'egress[0].ports[0].port', 'a number', 'it is an object', ''],
    [{ ingress: [] }, 'ingress', 'a list of 0', 'there is no prop of this name', 'did you mean networkPolicy.egress?'],
  ])('cannot be %j', (given, prop, got, rule, fix) => {
    expect(options(given).wrong).toEqual([told(`networkPolicy.${prop}`, got, rule, fix, 'Part')]);
  });
});

test.each([['10.0.0.0/8', true], ['10.0.0.1/32', true], ['2001:db8::/128', true], ['10.0.0.0', false], ['10.0.0.0/33', false], ['10.0/8', false], ['::/129', false], ['a/8', false], ['10.0.0.0/', false], ['', false]])('isCidr("%s") is %s', (text, is) => {
  expect(isCidr(text)).toBe(is);
});
