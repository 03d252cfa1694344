import { Autoscaling } from '../../lib';
import { get } from '../helpers';
import { mlflow, synth, told, valueOf, wrong } from '../tracking-server/server';

const VLLM = { peer: { podSelector: { matchLabels: { app: 'vllm' } } }, port: 8000 };
const variables = (gateway?: object) => {
  const container = mlflow(gateway && { gateway });
  return ['ENABLE_AI_GATEWAY', 'GATEWAY_ALLOWED_PROVIDERS', 'GATEWAY_API_BASE_ALLOWED_SCHEMES', 'GATEWAY_API_BASE_ALLOW_PRIVATE_IPS'].map((name) => valueOf(container, `MLFLOW_${name}`));
};
const egress = (gateway?: object) => (get(synth(gateway && { gateway }), 'NetworkPolicy', 'mlflow').spec.egress ?? []) as object[];
const added = (gateway: object) => egress(gateway).filter((rule) => 'to' in rule);
const fault = (prop: string, got: string, rule: string, fix: string) => told(prop, got, rule, fix, 'TrackingServer/Gateway');

test('nothing is said of it unless it is asked for', () => {
  expect(variables()).toEqual([undefined, undefined, undefined, undefined]);
});

test('it is off', () => {
  expect(variables({ enabled: false })).toEqual(['false', undefined, undefined, undefined]);
});

test('with some providers', () => {
  expect(variables({ providers: ['openai', 'anthropic'] })).toEqual(['true', 'openai,anthropic', undefined, undefined]);
  expect(added({ providers: ['openai'] })).toEqual([]);
});

test('models in the cluster: http and private addresses, and the way to them', () => {
  expect(variables({ privateUpstreams: [VLLM] })).toEqual(['true', undefined, 'https,http', 'true']);
  expect(added({ privateUpstreams: [VLLM] })).toEqual([{ to: [VLLM.peer], ports: [{ port: 8000, protocol: 'TCP' }] }]);
  expect(variables({ privateUpstreams: [] })).toEqual(['true', undefined, undefined, undefined]);
});

test('providers on the internet: public addresses only', () => {
  const [{ to, ports }] = added({ publicUpstreams: true }) as [{ to: { ipBlock: { cidr: string; except: string[] } }[]; ports: object[] }];
  expect(to.map(({ ipBlock }) => ipBlock.cidr)).toEqual(['0.0.0.0/0', '::/0']);
  expect(to[0].ipBlock.except).toEqual(expect.arrayContaining(['10.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.168.0.0/16']));
  expect(ports).toEqual([{ port: 443, protocol: 'TCP' }]);
  expect(variables({ publicUpstreams: true })).toEqual(['true', undefined, undefined, undefined]);
});

test.each<[object, string, string, string, string]>([
  [{ enabled: false, providers: ['openai'] }, 'providers', 'a list of 1', 'there is no gateway that could use it', 'leave providers out, or enabled'],
  [{ enabled: false, privateUpstreams: [VLLM] }, 'privateUpstreams', 'a list of 1', 'there is no gateway that could use it', 'leave privateUpstreams out'],
  [{ enabled: 'no' }, 'enabled', '"no"', 'the value is true or false', 'pass true or false'],
  [{ providers: [] }, 'providers', '[]', 'MLflow takes an empty one for all', 'pass enabled: false for none'],
  [{ providers: ['openai,gemini'] }, 'providers[0]', '"openai,gemini"', 'a provider has a name of small letters', 'such as "openai"'],
  [{ privateUpstreams: [{ ...VLLM, port: 0 }] }, 'privateUpstreams[0].port', '0', 'a port is a whole number', 'pass'],
  [{ privateUpstreams: [{ peer: VLLM.peer }] }, 'privateUpstreams[0].port', 'undefined', 'the port of its pods has to be given', 'pass 8000'],
  [{ privateUpstreams: [{ peer: {}, port: 1 }] }, 'privateUpstreams[0].peer[0]', 'an object with nothing in it', 'a peer has ipBlock', 'pass a peer'],
  [{ upstreams: [VLLM] }, 'upstreams', 'a list of 1', 'there is no prop of this name', 'leave it out, or pass one of'],
])('%j is told', (gateway, prop, got, rule, fix) => {
  expect(wrong({ gateway })).toEqual([fault(prop, got, rule, fix)]);
});

describe('budgets, which each process counts for itself', () => {
  const warned = (props: object, addOns?: Parameters<typeof synth>[1]) => {
    const warn = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    synth(props, addOns);
    const found = warn.mock.calls.map(([text]) => String(text)).filter((text) => text.includes('budget'));
    warn.mockRestore();
    return [...new Set(found)];
  };
  const gateway = { providers: ['openai'] };

  test.each<[string, object, number]>([
    ['two pods', { gateway, replicas: 2 }, 2],
    ['two workers', { gateway, workers: 2 }, 2],
    ['both', { gateway: { publicUpstreams: true }, replicas: 2, workers: 3 }, 6],
  ])('are told of with %s', (_, props, processes) => {
    expect(warned(props)).toEqual([expect.stringMatching(`^WARNING: \\[test/TrackingServer\\] gateway: up to ${processes} server processes .* a budget can be spent ${processes} times`)]);
  });

  test('are told of with autoscaling, by the most pods', () => {
    expect(warned({ gateway }, (server, scope) => new Autoscaling(scope, 'Autoscaling', { server, minReplicas: 1, maxReplicas: 5 }))[0]).toContain('up to 5 server processes');
  });

  test.each<[string, object]>([
    ['one process', { gateway }],
    ['no gateway that is used', { replicas: 2 }],
    ['a gateway that is off', { replicas: 2, gateway: { enabled: false } }],
    ['a Redis that they share', { gateway, replicas: 2, extraEnv: [{ name: 'MLFLOW_GATEWAY_BUDGET_REDIS_URL', valueFrom: { secretKeyRef: { name: 'redis', key: 'url' } } }] }],
    ['a source of variables in which it may be', { gateway, replicas: 2, envFrom: [{ secretRef: { name: 'redis' } }] }],
  ])('are not with %s', (_, props) => {
    expect(warned(props)).toEqual([]);
  });
});
