import { Testing } from 'cdk8s';
import { Construct } from 'constructs';
import { Connections, tcp } from '../../lib/kube/connections';
import { toAnywhere } from '../../lib/kube/network';

const PODS = { app: 'server' };
const CLIENT = { namespaceSelector: { matchLabels: { name: 'notebooks' } } };
const pods = (app: string) => ({ podSelector: { matchLabels: { app } } });

describe('who may connect', () => {
  test('is everybody at first, at the ports', () => {
    const connections = new Connections({ podLabels: PODS, ports: [80, 81] });
    expect(connections._ingress()).toEqual([{ ports: tcp([80, 81]) }]);
    expect([connections.isIsolated, connections.isolatedBy]).toEqual([false, []]);
  });

  test('is nobody where there are no ports', () => {
    const connections = new Connections({ podLabels: PODS });
    connections.allowFrom(CLIENT);
    connections.allowFromPods({ app: 'monitor' });
    expect(connections._ingress()).toBeUndefined();
  });

  test('is from the first name on nobody else', () => {
    const connections = new Connections({ podLabels: PODS, ports: [80] });
    connections.allowFrom(CLIENT);
    expect(connections._ingress()).toEqual([{ from: [CLIENT], ports: tcp([80]) }]);
    expect(connections.isIsolated).toBe(true);
  });

  test('is nobody where nobody is named by name', () => {
    const connections = new Connections({ podLabels: PODS, ports: [80] });
    connections.allowFrom();
    expect(connections._ingress()).toBeUndefined();
    expect(connections.isIsolated).toBe(true);
  });

  test('is a part of the stack, which is no client: everybody else may go on', () => {
    const connections = new Connections({ podLabels: PODS, ports: [80] });
    connections.allowFromPods({ app: 'monitor' });
    expect(connections._ingress()).toEqual([{ ports: tcp([80]) }]);
    expect(connections.isIsolated).toBe(false);
  });

  test('is a part of the stack before the clients, in the order in which they were named', () => {
    const connections = new Connections({ podLabels: PODS, ports: [80] });
    connections.allowFrom(CLIENT);
    connections.allowFromPods({ app: 'first' });
    connections.allowFrom({ ipBlock: { cidr: '10.0.0.0/8' } });
    connections.allowFromPods({ app: 'second' });
    expect(connections._ingress()![0].from).toEqual([pods('first'), pods('second'), CLIENT, { ipBlock: { cidr: '10.0.0.0/8' } }]);
  });

  test('is nobody but those that are named where the pods are isolated from the beginning', () => {
    const connections = new Connections({ podLabels: PODS, ports: [80], isolated: true });
    expect([connections.isIsolated, connections.isolatedBy, connections._ingress()]).toEqual([true, [], undefined]);
    connections.allowFromPods({ app: 'first' });
    expect(connections._ingress()).toEqual([{ from: [pods('first')], ports: tcp([80]) }]);
  });

  test('is nobody but those that are named where a construct wants it so, which can be told', () => {
    const connections = new Connections({ podLabels: PODS, ports: [80] });
    connections.allowFromPods({ app: 'proxy' });
    connections.isolate(new Construct(Testing.chart(), 'Login'));
    expect(connections._ingress()).toEqual([{ from: [pods('proxy')], ports: tcp([80]) }]);
    expect([connections.isIsolated, connections.isolatedBy]).toEqual([true, ['test/Login']]);
  });
});

describe('to whom the pods connect', () => {
  const egress = (...rules: object[]) => {
    const connections = new Connections({ podLabels: PODS });
    connections.allowTo(...rules);
    return connections._egress();
  };

  test('is nobody at first, not even for an address', () => expect(egress()).toBeUndefined());

  test('is what is allowed; name resolution is added with what is known of the cluster', () => {
    expect(egress(toAnywhere(443), toAnywhere(5432))).toEqual([{ ports: tcp([443]) }, { ports: tcp([5432]) }]);
  });

  test('is everything where one rule says so', () => expect(egress(toAnywhere(443), {})).toEqual([{}]));
});

describe('the rule for other pods', () => {
  test('has these pods and their ports', () => {
    expect(new Connections({ podLabels: PODS, ports: [5432] }).toThese).toEqual({ to: [pods('server')], ports: tcp([5432]) });
  });

  test('there is none without ports, which would be all of them', () => {
    expect(() => new Connections({ podLabels: PODS }).toThese).toThrow(
      /^toThese: got the pods \{"app":"server"\}, which have no ports\. Rule: .+ \(https:.+\)\. Fix: pass ports to their Connections$/,
    );
  });
});

test('the labels and ports are copies', () => {
  const given = { podLabels: { app: 'a' }, ports: [80] };
  const connections = new Connections(given);
  given.podLabels.app = 'b';
  given.ports.push(81);
  expect([connections.podLabels, connections.ports]).toEqual([{ app: 'a' }, [80]]);
});
