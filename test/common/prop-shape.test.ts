import { App, Chart, Duration, Size, Testing } from 'cdk8s';
import { Construct } from 'constructs';
import { Credentials, Minio, MlflowStack, Postgres, StartupScript, TrackingServer } from '../../lib';
import { Fault } from '../../lib/common/prop-checks';
import { described, shaped } from '../../lib/common/prop-shape';
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
  ...['labels', 'secretName', 'username', 'password', 'usernameKey', 'passwordKey', 'replicas', 'workers', 'port', 'allowedHosts', 'artifactTransfer'],
  ...['jobExecution', 'upgradeSchema', 'startupDeadline', 'terminationGracePeriod', 'scratchSize', 'extraArgs', 'extraEnv', 'noSuchProp'],
];

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
      for (const fault of result({ [prop]: value })) expect(fault).toMatch(/^\[test.*\] [\w.[\]() ,]+: got [^]+\. Rule: [^]+\. Fix: [^]+\.$/);
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
