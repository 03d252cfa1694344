import { App, Chart, Duration, Size, Testing } from 'cdk8s';
import { Construct } from 'constructs';
import {
  Autoscaling,
  BasicAuth,
  Credentials,
  DisruptionBudget,
  GarbageCollection,
  Images,
  Login,
  Metrics,
  Minio,
  MlflowStack,
  Oauth2Proxy,
  Postgres,
  Preflight,
  ServerHttpRoute,
  ServerIngress,
  ServerServiceAccount,
  StartupScript,
  TrackingServer,
} from '../../lib';
import { Fault } from '../../lib/validation/fault';
import { described, shaped } from '../../lib/validation/prop-shape';
import { faults } from '../helpers';

interface Props {
  readonly name?: string;
  readonly hosts?: string[];
  readonly labels?: { [key: string]: string };
  readonly store?: { readonly uri: string; readonly environment: object[] };
}
const SHAPE = { name: 'value', hosts: 'list', labels: 'labels', store: { uri: 'string', environment: 'list' } } as const;

function check(props: unknown, prefix?: string) {
  const reported: Fault[] = [];
  const good = shaped(props as Props, SHAPE, (fault) => reported.push(fault), prefix);
  return { good, reported };
}

describe('shaped', () => {
  test('gives back props that are as they should be, and what is left out stays out', () => {
    const props = { name: 'a', hosts: ['b'], labels: { 'example.com/team': 'a', empty: '' }, store: { uri: 'c', environment: [], more: 1 } };
    expect(check(props)).toEqual({ good: props, reported: [] });
    expect(check({ name: undefined, hosts: null })).toEqual({ good: {}, reported: [] });
  });

  test.each([
    ['Name', 'name'],
    ['nmae', 'name'],
    ['host', 'hosts'],
    ['storeUri', 'store'],
    ['st', 'store'],
    ['label', 'labels'],
  ])('a prop %s is none, and %s is suggested', (wrong, right) => {
    const { good, reported } = check({ [wrong]: 'x' });
    expect(good).toEqual({});
    expect(reported).toEqual([{ prop: wrong, value: 'x', hidden: true, rule: 'there is no prop of this name', fix: `did you mean ${right}?` }]);
  });

  test('a prop that is like none gets the list of all', () => {
    expect(check({ replicaCount: 1 }).reported[0].fix).toBe('leave it out, or pass one of name, hosts, labels, store');
  });

  test.each<[string, unknown]>([
    ['hosts', 'a'],
    ['hosts', { 0: 'a' }],
    ['labels', 'team=a'],
    ['labels', ['team']],
    ['labels', { team: 1 }],
    ['labels', { 'no spaces': 'a' }],
    ['labels', { team: '-a' }],
    ['labels', { ['a'.repeat(64)]: 'a' }],
    ['store', 'postgresql://db'],
    ['store', {}],
    ['store', { uri: 'a' }],
    ['store', { uri: 1, environment: [] }],
    ['store', { uri: 'a', environment: 'b' }],
  ])('%s cannot be %j', (prop, value) => {
    const { good, reported } = check({ name: 'a', [prop]: value });
    expect(good).toEqual({ name: 'a' });
    expect(reported.map((fault) => fault.prop)).toEqual([prop]);
  });

  test.each([['text'], [5], [['a']], [null]])('props cannot be %j', (props) => {
    const { good, reported } = check(props);
    expect(good).toEqual({});
    expect(reported).toMatchObject([{ prop: 'props', value: props, fix: 'pass an object with any of name, hosts, labels, store' }]);
  });

  test('names the prop in which these props stand', () => {
    expect(check({ hosts: 1, nmae: 1 }, 'part.').reported.map((fault) => fault.prop)).toEqual(['part.hosts', 'part.nmae']);
    expect(check(5, 'part.').reported[0].prop).toBe('part');
  });
});

test('described tells what a value is, and nothing that is in it', () => {
  expect(described({ user: 'a', password: 's3cr3t' })).toBe('an object with user, password');
  expect(described(['s3cr3t'])).toBe('a list of 1');
  expect(described('s3cr3t')).toBe('a string');
  expect(described(undefined)).toBe('undefined');
  expect(described({})).toBe('an object with nothing in it');
});

/** Props as somebody without a compiler could write them. */
const SLOPPY: { [construct: string]: (scope: Construct, props: unknown) => Construct } = {
  MlflowStack: (scope, props) => new MlflowStack(scope, 'X', props as object),
  Minio: (scope, props) => new Minio(scope, 'X', props as object),
  Postgres: (scope, props) => new Postgres(scope, 'X', props as object),
  StartupScript: (scope, props) => new StartupScript(scope, 'X', props as object),
  Credentials: (scope, props) => new Credentials(scope, 'X', props as never),
  'Credentials.fromLiterals': (scope, props) => Credentials.fromLiterals(scope, 'X', props as never),
  'Credentials.fromSecretName': (scope, props) => {
    Credentials.fromSecretName(scope, 'X', props as string, props as object);
    return scope;
  },
  TrackingServer: (scope, props) => new TrackingServer(scope, 'X', props as never),
};
const ODD_VALUES = [5, 0, 'text', '', true, [], ['a'], {}, { a: 1 }, [null], () => 1, Symbol('a'), 10n, NaN, Size.gibibytes(1), Duration.days(1), new Date(0), Object.create(null)];
const PROPS = [
  ...['name', 'namespace', 'createNamespace', 'backendStore', 'artifactStore', 'startupScript', 'trackingServer', 'image', 'instance', 'bootstrapImage'],
  ...['database', 'bucket', 'region', 'credentials', 'superuserCredentials', 'rootCredentials', 'storageSize', 'storageClassName', 'resources', 'content'],
  ...['labels', 'secretName', 'username', 'password', 'usernameKey', 'passwordKey', 'replicas', 'workers', 'port', 'artifactTransfer'],
  ...['settings', 'preflight', 'cluster', 'login', 'extraArgs', 'extraEnv', 'noSuchProp', 'envFrom', 'service', 'ingress', 'httpRoute'],
  ...['metrics', 'garbageCollection', 'autoscaling', 'podDisruptionBudget', 'serviceAccount', 'images', 'pod', 'networkPolicy', 'networkPolicies'],
];
/** Members of the options of a tracking server, and others that are there, so that the member is looked at. */
const MEMBERS: { [option: string]: { readonly with: object; readonly members: string[] } } = {
  resources: { with: {}, members: ['cpuRequest', 'cpuLimit', 'memoryRequest', 'memoryLimit', 'scratchSize'] },
  settings: {
    with: {},
    members: ['allowedHosts', 'deriveAllowedHosts', 'corsAllowedOrigins', 'xFrameOptions', 'staticPrefix', 'jobExecution', 'logLevel', 'connectionPool'],
  },
  preflight: { with: {}, members: ['enabled', 'monitor', 'startupDeadline', 'upgradeSchema', 'upgradeDeadline'] },
  cluster: { with: {}, members: ['domain', 'ipFamily'] },
  service: { with: { type: 'LoadBalancer' }, members: ['type', 'annotations', 'nodePort', 'loadBalancerClass', 'loadBalancerSourceRanges'] },
  images: { with: {}, members: ['registry', 'digests', 'pullSecrets', 'pullPolicy'] },
  pod: {
    with: {},
    members: ['labels', 'annotations', 'nodeSelector', 'tolerations', 'affinity', 'topologySpread', 'priorityClassName', 'volumes', 'volumeMounts', 'initContainers', 'sidecars', 'terminationGracePeriod'],
  },
  networkPolicy: { with: {}, members: ['enabled', 'clients', 'egress'] },
  backendStore: { with: { uri: 'sqlite:////tmp/a.db', environment: [] }, members: ['uri', 'environment', 'secretNamespace', 'volumes', 'volumeMounts', 'egress'] },
  artifactStore: {
    with: { artifactsDestination: 's3://a', environment: [] },
    members: ['artifactsDestination', 'environment', 'userMayComeLate', 'usesPodIdentity', 'secretNamespace', 'volumes', 'volumeMounts', 'egress'],
  },
};
const OIDC = {
  with: { issuerUrl: 'https://login.example.com', externalUrl: 'https://a.example.com', clientCredentials: { secretName: 'a', namespace: 'mlflow', usernameKey: 'a', passwordKey: 'b', generated: false } },
  members: ['issuerUrl', 'clientCredentials', 'emailDomains', 'allowedGroups', 'bearerTokens', 'replicas', 'image', 'resources', 'extraArgs', 'externalUrl', 'pod', 'networkPolicy'],
};
/** The same for add-ons, and the option of the stack for each. */
const ADD_ONS: { [option: string]: { readonly with: object; readonly members: string[]; readonly make: (scope: Construct, server: TrackingServer, props: object) => Construct } } = {
  ingress: { with: { hosts: ['a.example.com'] }, members: ['hosts', 'className', 'annotations', 'tls'], make: (scope, target, props) => new ServerIngress(scope, 'Y', { ...props, target } as never) },
  httpRoute: {
    with: { hosts: ['a.example.com'], gatewayName: 'a' },
    members: ['hosts', 'gatewayName', 'gatewayNamespace', 'sectionName', 'tls', 'annotations'],
    make: (scope, target, props) => new ServerHttpRoute(scope, 'Y', { ...props, target } as never),
  },
  basicAuth: { with: {}, members: ['adminUsername', 'defaultPermission', 'secretName'], make: (scope, server, props) => new BasicAuth(scope, 'Y', { ...props, server }) },
  oidc: { ...OIDC, make: (scope, server, props) => new Oauth2Proxy(scope, 'Y', { ...props, server } as never) },
  metrics: {
    with: {},
    members: ['serviceMonitor', 'scrapeInterval', 'labels', 'alerts', 'alertLabels', 'errorRatePercent', 'volumeFullPercent', 'dashboard', 'dashboardLabels', 'dashboardAnnotations'],
    make: (scope, server, props) => new Metrics(scope, 'Y', { ...props, server }),
  },
  garbageCollection: { with: {}, members: ['schedule', 'timeZone', 'olderThan', 'jobs', 'suspend', 'resources'], make: (scope, server, props) => new GarbageCollection(scope, 'Y', { ...props, server }) },
  autoscaling: { with: { maxReplicas: 3 }, members: ['minReplicas', 'maxReplicas', 'targetCpuPercent', 'targetMemoryPercent'], make: (scope, server, props) => new Autoscaling(scope, 'Y', { ...props, server } as never) },
  podDisruptionBudget: { with: {}, members: ['minAvailable', 'maxUnavailable'], make: (scope, server, props) => new DisruptionBudget(scope, 'Y', { ...props, server }) },
  serviceAccount: { with: {}, members: ['name', 'create', 'annotations'], make: (scope, server, props) => new ServerServiceAccount(scope, 'Y', { ...props, server }) },
  preflight: { with: {}, members: ['startupDeadline', 'upgradeSchema', 'upgradeDeadline'], make: (scope, server, props) => new Preflight(scope, 'Y', { ...props, server }) },
};
/** What goes to Kubernetes as it is: cdk8s writes no object without a prototype. */
const GOES_THROUGH = ['nodeSelector', 'tolerations', 'affinity', 'environment', 'volumes', 'volumeMounts'];
const TLS = { secretName: 'a', certificate: { issuerName: 'a' } };
const STORES = { backendStore: MEMBERS.backendStore.with, artifactStore: MEMBERS.artifactStore.with };
const SENTENCE = /^\[test.*\] [\w.[\]() ,"/:-]+: got [^]+\. Rule: [^]+\. Fix: [^]+\.$/;

function found(make: (chart: Chart) => unknown): string[] {
  const chart = new Chart(new App({ outdir: '/nonexistent' }), 'test');
  make(chart);
  try {
    return faults(chart);
  } catch (error) {
    // deep in what goes through to Kubernetes as it is, cdk8s has a sentence of its own, with the path
    if (/^Failed serializing construct at path '.+': Error: can't render non-simple object of type '/.test((error as Error).message)) return [];
    throw error;
  }
}

function sentences(member: string, result: (value: unknown) => string[]): void {
  for (const odd of ODD_VALUES.filter((value) => !GOES_THROUGH.includes(member) || Object.getPrototypeOf(value) !== null)) {
    for (const value of [odd, [odd], { a: odd }, { [Images.MLFLOW]: odd }]) {
      const told = result(value);
      for (const fault of told) expect(fault).toMatch(SENTENCE);
      expect(new Set(told).size).toBe(told.length);
    }
  }
}

describe.each(Object.entries(MEMBERS))('TrackingServer with %s', (option, { with: others, members }) => {
  const result = (value: object): string[] => found((chart) => new TrackingServer(chart, 'X', { ...STORES, [option]: value } as never));

  test('is as it should be before a member is wrong', () => {
    expect(result(others)).toEqual([]);
  });

  test.each(members)('any value of %s gives sentences or YAML, each sentence once, and never an error of JavaScript', (member) => {
    sentences(member, (value) => result({ ...others, [member]: value }));
  });
});

test.each(['size', 'maxOverflow', 'recycle'])('nor does any value of settings.connectionPool.%s', (member) => {
  sentences(member, (value) => found((chart) => new TrackingServer(chart, 'X', { ...STORES, settings: { connectionPool: { [member]: value } } } as never)));
});

describe.each(Object.entries(ADD_ONS))('%s', (option, { with: others, members, make }) => {
  const server = (chart: Chart) => new TrackingServer(chart, 'X', { ...STORES, preflight: option === 'preflight' ? { enabled: false } : {} } as never);
  const alone = (value: object): string[] => found((chart) => make(chart, server(chart), value));
  const login = option === 'basicAuth' || option === 'oidc';
  const route = { ingress: { hosts: ['a.example.com'] } };
  const inStack = (value: object): string[] =>
    found((chart) => {
      const props = login ? { ...route, login: option === 'oidc' ? Login.oidc(value as never) : Login.basicAuth(value) } : option === 'preflight' ? { trackingServer: { preflight: value } } : { [option]: value };
      new MlflowStack(chart, 'X', { ...STORES, ...props } as never);
    });

  test('is as it should be before a member is wrong', () => {
    expect(alone(others)).toEqual([]);
    expect(inStack(others)).toEqual([]);
  });

  test.each(members)('any value of %s gives sentences or YAML, each sentence once, and never an error of JavaScript', (member) => {
    sentences(member, (value) => alone({ ...others, [member]: value }));
  });

  test('a member that there is not is told, and so are options that are none', () => {
    expect(alone({ ...others, noSuchProp: 1 })).toEqual([expect.stringMatching(/^\[test\/Y\] noSuchProp: got a number\. Rule: there is no prop of this name\./)]);
    for (const odd of ODD_VALUES) {
      for (const fault of [...alone(odd as object), ...inStack(odd as object)]) expect(fault).toMatch(SENTENCE);
    }
  });

  if ('hosts' in others) {
    test.each(['secretName', 'certificate'])('nor does any value of tls.%s', (member) => {
      for (const value of [...ODD_VALUES, ...ODD_VALUES.map((odd) => ({ issuerName: odd })), ...ODD_VALUES.map((odd) => ({ issuerName: 'a', issuerKind: odd }))]) {
        for (const fault of alone({ ...others, tls: { ...TLS, [member]: value } })) expect(fault).toMatch(SENTENCE);
      }
    });
  }
});

test('the URL of a login is made of a route whose hosts may be anything', () => {
  const login = Login.oidc({ issuerUrl: 'https://login.example.com', clientCredentials: OIDC.with.clientCredentials });
  sentences('hosts', (hosts) => found((chart) => new MlflowStack(chart, 'X', { ...STORES, ingress: { hosts }, login } as never)));
});

describe.each(Object.entries(SLOPPY))('%s', (_, make) => {
  beforeEach(() => jest.spyOn(console, 'warn').mockImplementation());
  afterEach(() => jest.restoreAllMocks());

  const result = (props: unknown): string[] => {
    const chart = new Chart(new App({ outdir: '/nonexistent' }), 'test');
    make(chart, props);
    return faults(chart);
  };

  test.each(PROPS)('any value of %s gives sentences or YAML, and never an error of JavaScript', (prop) => {
    for (const value of ODD_VALUES) {
      for (const fault of result({ [prop]: value })) expect(fault).toMatch(SENTENCE);
    }
  });

  test.each(ODD_VALUES.map((value, index) => [index, value]))('nor do props that are no object (%i)', (_index, value) => {
    expect(() => result(value)).not.toThrow();
  });
});

test('a secret in the wrong place is not shown', () => {
  const chart = Testing.chart();
  new Minio(chart, 'A', { credentials: { user: 'a', password: 's3cr3t' } as never, password: 's3cr3t' } as object);
  new Postgres(chart, 'B', { superuserCredentials: 's3cr3t' as never });
  const text = faults(chart).join('\n');
  expect(text.match(/: got /g)).toHaveLength(3);
  expect(text).not.toContain('s3cr3t');
});
