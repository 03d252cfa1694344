import { GarbageCollection, Metrics, ServerHttpRoute, ServerIngress } from '../../lib';
import { AddOns, mlflow, synth, told, wrong } from './server';
import { containers, get } from '../helpers';

const hosts = (settings: object, addOns?: AddOns, props: object = {}): string[] => {
  const flag = mlflow({ settings, ...props }, addOns).args.find((arg: string) => arg.startsWith('--allowed-hosts='));
  return flag.slice('--allowed-hosts='.length).split(',');
};
const HOSTS = ['mlflow.example.com', 'ml.example.com'];
const ingress = (names: string[] = HOSTS): AddOns => (target, scope) => new ServerIngress(scope, 'Ingress', { target, hosts: names });
const httpRoute = (names: string[] = ['runs.example.com']): AddOns => (target, scope) => new ServerHttpRoute(scope, 'HttpRoute', { target, hosts: names, gatewayName: 'public' });
const metrics: AddOns = (server, scope) => new Metrics(scope, 'Metrics', { server });
const collection: AddOns = (server, scope) => new GarbageCollection(scope, 'GarbageCollection', { server });
const both = (...all: AddOns[]): AddOns => (...given) => all.forEach((add) => add(...given));
const at = (message: string) => `[test/TrackingServer] ${message}`;
const HOST = 'mlflow-service.mlflow.svc.cluster.local:5000';

describe('deriveAllowedHosts', () => {
  test('is off: all hosts are allowed', () => {
    expect(hosts({})).toEqual(['*']);
    expect(hosts({ deriveAllowedHosts: false }, ingress())).toEqual(['*']);
  });

  test('allows all names of both Services at the port, the machine itself, and no others', () => {
    const names = (service: string) => ['', '.team-a', '.team-a.svc', '.team-a.svc.cluster.local'].map((domain) => `${service}${domain}:8080`);
    expect(hosts({ deriveAllowedHosts: true }, undefined, { name: 'mlflow', namespace: 'team-a', port: 8080 })).toEqual([
      ...names('mlflow-service'),
      ...names('mlflow-server'),
      'localhost:*',
      '127.0.0.1:*',
    ]);
  });

  test('allows the names in the domain of the cluster', () => {
    const derived = hosts({ deriveAllowedHosts: true }, undefined, { cluster: { domain: 'k8s.example.com' } });
    expect(derived).toContain('mlflow-service.mlflow.svc.k8s.example.com:5000');
    expect(derived.join()).not.toContain('cluster.local');
  });

  test('allows the hosts of all routes, at any port', () => {
    const derived = hosts({ deriveAllowedHosts: true }, both(ingress(), httpRoute()));
    for (const host of [...HOSTS, 'runs.example.com']) expect(derived).toEqual(expect.arrayContaining([host, `${host}:*`]));
    expect(derived).not.toContain('*');
  });

  test('adds to allowedHosts', () => {
    const derived = hosts({ deriveAllowedHosts: true, allowedHosts: ['notebooks.example.com', 'localhost:*'] });
    expect(derived).toEqual(expect.arrayContaining([HOST, 'notebooks.example.com']));
    expect(new Set(derived).size).toBe(derived.length);
  });

  test('contradicts allowedHosts with all hosts', () => {
    expect(wrong({ settings: { deriveAllowedHosts: true, allowedHosts: ['a', '*'] } })).toEqual([
      told('settings.deriveAllowedHosts', 'true', 'settings.allowedHosts', 'leave settings.deriveAllowedHosts out'),
    ]);
  });

  test.each([['"true"', 'true'], ['1', 1], ['{}', {}]])('cannot be %s', (got, deriveAllowedHosts) => {
    expect(wrong({ settings: { deriveAllowedHosts } })).toEqual([told('settings.deriveAllowedHosts', got, 'true or false', 'pass true or false')]);
  });
});

describe('what an add-on asks the server for is allowed', () => {
  test.each([
    ['a list', { allowedHosts: ['mlflow.example.com'] }],
    ['derived hosts', { deriveAllowedHosts: true }],
  ])('with %s', (_, settings) => {
    expect(hosts(settings, metrics)).toContain('$(POD_IP):5000');
    expect(hosts(settings, collection).filter((host) => host === HOST)).toHaveLength(1);
    const [gc] = containers({ spec: get(synth({ settings }, collection), 'CronJob', 'mlflow-gc').spec.jobTemplate.spec });
    expect(gc.env).toContainEqual({ name: 'MLFLOW_TRACKING_URI', value: `http://${HOST}` });
  });

  test('by the address of the pod, which the kubelet puts into the flag', () => {
    const { env, args } = mlflow({ settings: { deriveAllowedHosts: true } }, metrics);
    const flag = args.findIndex((arg: string) => arg.includes('$(POD_IP)'));
    expect(args[flag]).toMatch(/^--allowed-hosts=/);
    expect(env.filter(({ name }: { name: string }) => name === 'POD_IP')).toEqual([{ name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }]);
  });

  test('by an address of IPv6 as it stands in the header of a request', () => {
    expect(hosts({ deriveAllowedHosts: true }, metrics, { cluster: { ipFamily: 'IPv6' } })).toContain('[$(POD_IP)]:5000');
  });

  test('and nothing is added where nothing asks, or all is allowed', () => {
    const all = both(metrics, collection);
    expect(hosts({ allowedHosts: ['mlflow.example.com'] })).toEqual(['mlflow.example.com']);
    expect(hosts({ allowedHosts: ['*'] }, all)).toEqual(['*']);
    expect(hosts({}, all)).toEqual(['*']);
    expect(JSON.stringify(mlflow({ settings: { deriveAllowedHosts: true } }).env)).not.toContain('POD_IP');
  });
});

describe('a host of a route that is not among allowedHosts', () => {
  test.each<[string, AddOns]>([
    ['Ingress', ingress()],
    ['HttpRoute', httpRoute(HOSTS)],
  ])('is a fault of the %s', (id, route) => {
    const rule = 'settings.allowedHosts of the tracking server has the hosts of all routes, and not only ["mlflow.example.com"]';
    expect(wrong({ settings: { allowedHosts: ['mlflow.example.com'] } }, route)).toEqual([
      told('hosts', '"ml.example.com"', rule, 'add "ml.example.com" to settings.allowedHosts, or pass settings.deriveAllowedHosts: true', id),
    ]);
  });

  test.each([[HOSTS], [['*.example.com']], [['m*.example.com']], [['other', '*']]])('%j has them', (allowedHosts) => {
    expect(wrong({ settings: { allowedHosts } }, ingress())).toEqual([]);
  });

  test.each([[['MLFLOW.example.com', '*.example.com:443']], [['mlflow.example.com:*', 'ml.example.com:443']], [['mlflowXexample.com', '*.example.co']]])(
    '%j has none of them, as MLflow compares',
    (allowedHosts) => {
      expect(wrong({ settings: { allowedHosts } }, ingress()).map((fault) => /got "(.+?)"/.exec(fault)?.[1])).toEqual(HOSTS);
    },
  );

  test('a host with a wildcard needs a pattern of the same width', () => {
    const wild = ingress(['*.ml.example.com']);
    expect(wrong({ settings: { allowedHosts: ['*.ml.example.com'] } }, wild)).toEqual([]);
    expect(wrong({ settings: { allowedHosts: ['a.ml.example.com'] } }, wild)).toHaveLength(1);
  });
});

describe('allowedHosts', () => {
  const SOURCE = '(https://mlflow.org/docs/latest/self-hosting/security/network/)';
  const FIX = 'Fix: leave the prop out to allow all hosts, or pass a list such as ["mlflow.example.com", "mlflow-service:*"].';

  test.each<[unknown, string]>([
    [[], '[]'],
    ['*', '"*"'],
    [{}, '{}'],
  ])('cannot be %j', (allowedHosts, got) => {
    expect(wrong({ settings: { allowedHosts: allowedHosts } })).toEqual([
      at(`settings.allowedHosts: got ${got}. Rule: the list names one host or more: a server that allows none refuses every client ${SOURCE}. ${FIX}`),
    ]);
  });

  test.each<[unknown, string]>([
    ['', '""'],
    [' ', '" "'],
    ['https://mlflow.example.com', '"https://mlflow.example.com"'],
    ['mlflow.example.com/', '"mlflow.example.com/"'],
    ['a,b', '"a,b"'],
    ['a b', '"a b"'],
    ['a\n', '"a\\n"'],
    [5, '5'],
    [null, 'null'],
  ])('cannot have %j in it', (host, got) => {
    expect(wrong({ settings: { allowedHosts: ['mlflow.example.com', host] } })).toEqual([
      at(`settings.allowedHosts[1]: got ${got}. Rule: a host is a name, with a port or a pattern if need be, without scheme, path, comma or white space ${SOURCE}. ${FIX}`),
    ]);
  });

  test('names each host that is wrong', () => {
    const prop = (fault: string) => fault.slice(0, fault.indexOf(':'));
    expect(wrong({ settings: { allowedHosts: ['a b', 'ok', ''] } }).map(prop)).toEqual([at('settings.allowedHosts[0]'), at('settings.allowedHosts[2]')]);
  });
});
