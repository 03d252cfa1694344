import { App, Chart, Duration, Size, Testing } from 'cdk8s';
import { Construct } from 'constructs';
import { Credentials, Images, Minio, MlflowStack, Oauth2Proxy, Postgres, StartupScript, TrackingServer } from '../../lib';
import { Fault } from '../../lib/validation/prop-checks';
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
  Oauth2Proxy: (scope, props) => new Oauth2Proxy(scope, 'X', props as never),
};
const ODD_VALUES = [5, 0, 'text', '', true, [], ['a'], {}, { a: 1 }, [null], () => 1, Symbol('a'), 10n, NaN, Size.gibibytes(1), Duration.days(1), new Date(0), Object.create(null)];
const PROPS = [
  ...['name', 'namespace', 'createNamespace', 'backendStore', 'artifactStore', 'startupScript', 'trackingServer', 'image', 'instance', 'bootstrapImage'],
  ...['database', 'bucket', 'region', 'credentials', 'superuserCredentials', 'rootCredentials', 'storageSize', 'storageClassName', 'resources', 'content'],
  ...['labels', 'secretName', 'username', 'password', 'usernameKey', 'passwordKey', 'replicas', 'workers', 'port', 'allowedHosts', 'artifactTransfer'],
  ...['jobExecution', 'upgradeSchema', 'startupDeadline', 'terminationGracePeriod', 'scratchSize', 'extraArgs', 'extraEnv', 'noSuchProp'],
  ...['envFrom', 'staticPrefix', 'deriveAllowedHosts', 'corsAllowedOrigins', 'xFrameOptions', 'logLevel', 'connectionPool', 'service', 'ingress', 'httpRoute'],
  ...['basicAuth', 'oidc', 'metrics', 'garbageCollection', 'autoscaling', 'podDisruptionBudget', 'serviceAccount', 'images', 'pod', 'networkPolicy', 'networkPolicies'],
  ...['issuerUrl', 'clientCredentials', 'emailDomains', 'allowedGroups', 'bearerTokens', 'upstreamUrl', 'upstreamPodLabels', 'externalUrl'],
];
/** Members of the options of a tracking server, and others that are there, so that the member is looked at. */
const MEMBERS: { [option: string]: { readonly with: object; readonly members: string[] } } = {
  connectionPool: { with: {}, members: ['size', 'maxOverflow', 'recycle'] },
  service: { with: { type: 'LoadBalancer' }, members: ['type', 'annotations', 'nodePort', 'loadBalancerClass', 'loadBalancerSourceRanges'] },
  ingress: { with: { hosts: ['a.example.com'] }, members: ['hosts', 'className', 'annotations', 'tls'] },
  httpRoute: { with: { hosts: ['a.example.com'], gatewayName: 'a' }, members: ['hosts', 'gatewayName', 'gatewayNamespace', 'sectionName', 'tls', 'annotations'] },
  basicAuth: { with: {}, members: ['adminUsername', 'defaultPermission', 'secretName'] },
  oidc: {
    with: { issuerUrl: 'https://login.example.com', clientCredentials: { secretName: 'a', namespace: 'mlflow', usernameKey: 'a', passwordKey: 'b', generated: false } },
    members: ['issuerUrl', 'clientCredentials', 'emailDomains', 'allowedGroups', 'bearerTokens', 'replicas', 'image', 'resources', 'extraArgs'],
  },
  metrics: { with: {}, members: ['serviceMonitor', 'scrapeInterval', 'labels', 'alerts', 'alertLabels', 'errorRatePercent', 'volumeFullPercent', 'dashboard', 'dashboardLabels', 'dashboardAnnotations'] },
  garbageCollection: { with: {}, members: ['schedule', 'timeZone', 'olderThan', 'jobs', 'suspend', 'resources'] },
  autoscaling: { with: { maxReplicas: 3 }, members: ['minReplicas', 'maxReplicas', 'targetCpuPercent', 'targetMemoryPercent'] },
  podDisruptionBudget: { with: {}, members: ['minAvailable', 'maxUnavailable'] },
  serviceAccount: { with: {}, members: ['name', 'create', 'annotations'] },
  images: { with: {}, members: ['registry', 'digests', 'pullSecrets', 'pullPolicy'] },
  pod: {
    with: {},
    members: ['labels', 'annotations', 'nodeSelector', 'tolerations', 'affinity', 'topologySpread', 'priorityClassName', 'volumes', 'volumeMounts', 'initContainers', 'sidecars'],
  },
  networkPolicy: { with: {}, members: ['enabled', 'clients', 'egress'] },
  backendStore: { with: { uri: 'sqlite:////tmp/a.db', environment: [] }, members: ['uri', 'environment', 'secretNamespace', 'volumes', 'volumeMounts', 'egress'] },
  artifactStore: {
    with: { artifactsDestination: 's3://a', environment: [] },
    members: ['artifactsDestination', 'environment', 'userMayComeLate', 'usesPodIdentity', 'secretNamespace', 'volumes', 'volumeMounts', 'egress'],
  },
};
/** What goes to Kubernetes as it is: cdk8s writes no object without a prototype. */
const GOES_THROUGH = ['nodeSelector', 'tolerations', 'affinity', 'environment', 'volumes', 'volumeMounts'];
const TLS = { secretName: 'a', certificate: { issuerName: 'a' } };
const STORES = { backendStore: MEMBERS.backendStore.with, artifactStore: MEMBERS.artifactStore.with };
const SENTENCE = /^\[test.*\] [\w.[\]() ,"/:-]+: got [^]+\. Rule: [^]+\. Fix: [^]+\.$/;

describe.each(Object.entries(MEMBERS))('TrackingServer with %s', (option, { with: others, members }) => {
  const result = (value: object): string[] => {
    const chart = new Chart(new App({ outdir: '/nonexistent' }), 'test');
    const route = option === 'oidc' ? { ingress: { hosts: ['a.example.com'] } } : {};
    new TrackingServer(chart, 'X', { ...STORES, ...route, [option]: value } as never);
    try {
      return faults(chart);
    } catch (error) {
      // deep in what goes through to Kubernetes as it is, cdk8s has a sentence of its own, with the path
      if (/^Failed serializing construct at path '.+': Error: can't render non-simple object of type '/.test((error as Error).message)) return [];
      throw error;
    }
  };

  test('is as it should be before a member is wrong', () => {
    expect(result(others)).toEqual([]);
  });

  test.each(members)('any value of %s gives sentences or YAML, each sentence once, and never an error of JavaScript', (member) => {
    for (const odd of ODD_VALUES.filter((value) => !GOES_THROUGH.includes(member) || Object.getPrototypeOf(value) !== null)) {
      for (const value of [odd, [odd], { a: odd }, { [Images.MLFLOW]: odd }]) {
        const found = result({ ...others, [member]: value });
        for (const fault of found) expect(fault).toMatch(SENTENCE);
        expect(new Set(found).size).toBe(found.length);
      }
    }
  });

  if ('hosts' in others) {
    test.each(['secretName', 'certificate'])('nor does any value of tls.%s', (member) => {
      for (const value of [...ODD_VALUES, ...ODD_VALUES.map((odd) => ({ issuerName: odd })), ...ODD_VALUES.map((odd) => ({ issuerName: 'a', issuerKind: odd }))]) {
        for (const fault of result({ ...others, tls: { ...TLS, [member]: value } })) expect(fault).toMatch(SENTENCE);
      }
    });
  }
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
