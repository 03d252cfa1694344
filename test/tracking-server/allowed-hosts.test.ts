import { mlflow, synth, told, wrong } from './server';
import { containers, get } from '../helpers';

const hosts = (props: object): string[] => {
  const flag = mlflow(props).args.find((arg: string) => arg.startsWith('--allowed-hosts='));
  return flag.slice('--allowed-hosts='.length).split(',');
};
const ingress = { hosts: ['mlflow.example.com', 'ml.example.com'] };
const httpRoute = { hosts: ['runs.example.com'], gatewayName: 'public' };
const HOST = 'mlflow-service.mlflow.svc.cluster.local:5000';

describe('deriveAllowedHosts', () => {
  test('is off: all hosts are allowed', () => {
    expect(hosts({})).toEqual(['*']);
    expect(hosts({ ingress, deriveAllowedHosts: false })).toEqual(['*']);
  });

  test('allows all names of both Services at the port, the machine itself, and no others', () => {
    const names = (service: string) => ['', '.team-a', '.team-a.svc', '.team-a.svc.cluster.local'].map((domain) => `${service}${domain}:8080`);
    expect(hosts({ deriveAllowedHosts: true, name: 'mlflow', namespace: 'team-a', port: 8080 })).toEqual([
      ...names('mlflow-service'),
      ...names('mlflow-server'),
      'localhost:*',
      '127.0.0.1:*',
    ]);
  });

  test('allows the hosts of all routes, at any port', () => {
    const derived = hosts({ deriveAllowedHosts: true, ingress, httpRoute });
    for (const host of [...ingress.hosts, ...httpRoute.hosts]) expect(derived).toEqual(expect.arrayContaining([host, `${host}:*`]));
    expect(derived).not.toContain('*');
  });

  test('adds to allowedHosts', () => {
    const derived = hosts({ deriveAllowedHosts: true, allowedHosts: ['notebooks.example.com', 'localhost:*'] });
    expect(derived).toEqual(expect.arrayContaining([HOST, 'notebooks.example.com']));
    expect(new Set(derived).size).toBe(derived.length);
  });

  test('contradicts allowedHosts with all hosts', () => {
    expect(wrong({ deriveAllowedHosts: true, allowedHosts: ['a', '*'] })).toEqual([told('deriveAllowedHosts', 'true', 'allowedHosts', 'leave deriveAllowedHosts out')]);
  });

  test.each([['"true"', 'true'], ['1', 1], ['{}', {}]])('cannot be %s', (got, deriveAllowedHosts) => {
    expect(wrong({ deriveAllowedHosts })).toEqual([told('deriveAllowedHosts', got, 'true or false', 'pass true or false')]);
  });
});

describe('what the construct itself asks the server is allowed', () => {
  test.each([
    ['a list', { allowedHosts: ['mlflow.example.com'] }],
    ['derived hosts', { deriveAllowedHosts: true }],
  ])('with %s', (_, props) => {
    expect(hosts({ ...props, metrics: {} })).toContain('$(POD_IP):5000');
    const collected = hosts({ ...props, garbageCollection: {} });
    expect(collected.filter((host) => host === HOST)).toHaveLength(1);
    const [gc] = containers({ spec: get(synth({ ...props, garbageCollection: {} }), 'CronJob', 'mlflow-gc').spec.jobTemplate.spec });
    expect(gc.env).toContainEqual({ name: 'MLFLOW_TRACKING_URI', value: `http://${HOST}` });
  });

  test('by the address of the pod, which the kubelet puts into the flag', () => {
    const { env, args } = mlflow({ deriveAllowedHosts: true, metrics: {} });
    const flag = args.findIndex((arg: string) => arg.includes('$(POD_IP)'));
    expect(args[flag]).toMatch(/^--allowed-hosts=/);
    expect(env.filter(({ name }: { name: string }) => name === 'POD_IP')).toEqual([{ name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }]);
  });

  test('and nothing is added where nothing asks, or all is allowed', () => {
    expect(hosts({ allowedHosts: ['mlflow.example.com'] })).toEqual(['mlflow.example.com']);
    expect(hosts({ allowedHosts: ['*'], metrics: {}, garbageCollection: {} })).toEqual(['*']);
    expect(hosts({ metrics: {}, garbageCollection: {} })).toEqual(['*']);
    expect(JSON.stringify(mlflow({ deriveAllowedHosts: true }).env)).not.toContain('POD_IP');
  });
});

describe('a host of a route that is not among allowedHosts', () => {
  test.each([
    ['ingress.hosts', { ingress }],
    ['httpRoute.hosts', { httpRoute: { ...httpRoute, hosts: ingress.hosts } }],
  ])('is a fault of %s', (prop, route) => {
    const rule = 'allowedHosts has the hosts of all routes, and not only ["mlflow.example.com"]';
    expect(wrong({ allowedHosts: ['mlflow.example.com'], ...route })).toEqual([
      told(prop, '"ml.example.com"', rule, 'add "ml.example.com" to allowedHosts, or pass deriveAllowedHosts: true'),
    ]);
  });

  test.each([
    [['mlflow.example.com', 'ml.example.com']],
    [['*.example.com']],
    [['m*.example.com']],
    [['other', '*']],
  ])('%j has them', (allowedHosts) => {
    expect(wrong({ allowedHosts, ingress })).toEqual([]);
  });

  test.each([[['MLFLOW.example.com', '*.example.com:443']], [['mlflow.example.com:*', 'ml.example.com:443']], [['mlflowXexample.com', '*.example.co']]])(
    '%j has none of them, as MLflow compares',
    (allowedHosts) => {
      expect(wrong({ allowedHosts, ingress }).map((fault) => /got "(.+?)"/.exec(fault)?.[1])).toEqual(ingress.hosts);
    },
  );

  test('a host with a wildcard needs a pattern of the same width', () => {
    const wild = { hosts: ['*.ml.example.com'] };
    expect(wrong({ allowedHosts: ['*.ml.example.com'], ingress: wild })).toEqual([]);
    expect(wrong({ allowedHosts: ['a.ml.example.com'], ingress: wild })).toHaveLength(1);
  });
});
