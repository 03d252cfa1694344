import { App, Chart, Duration, Size, Testing } from 'cdk8s';
import { Construct } from 'constructs';
import { Images, Minio, MlflowStack, Postgres, TrackingServer } from '../../lib';
import { PropChecks } from '../../lib/validation/prop-checks';
import { quantity } from '../../lib/validation/quantity';
import { faults } from '../helpers';

/** What synth says of one prop called `prop`, of a construct called Part. */
function check(run: (checks: PropChecks) => unknown): string[] {
  const chart = Testing.chart();
  run(new PropChecks(new Construct(chart, 'Part')));
  return faults(chart);
}

const NAME_RULE =
  'a name is an RFC 1123 label that begins with a letter: lower-case letters, digits and hyphens, no hyphen at the end, at most 42 characters ' +
  'so that the names derived from it stay within 63 (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/)';
const NAMESPACE_RULE =
  'a namespace is an RFC 1123 label: lower-case letters, digits and hyphens, a letter or digit at both ends, at most 63 characters ' +
  '(https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names)';
const OBJECT_NAME_RULE =
  'the name of an object is an RFC 1123 subdomain: lower-case letters, digits, "-" and ".", a letter or digit at both ends, at most 253 characters ' +
  '(https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names)';
const SECRET_KEY_RULE =
  'a key of a Secret has letters, digits, ".", "_" and "-" only, and does not begin with ".." (https://kubernetes.io/docs/concepts/configuration/secret/)';
const BUCKET_SOURCE = '(https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html)';
const IMAGE_RULE =
  'an image is [registry[:port]/]repository:tag, or @sha256: and 64 hexadecimal digits in place of the tag or behind it ' +
  '(https://kubernetes.io/docs/concepts/containers/images/#image-names)';
const TAG_RULE = 'an image names a tag or a digest: without one it is `latest`, which changes under a running stack';
const IMAGE_FIX = 'pass an image such as "registry.example.com/mlflow:v1.2.3"';
const PORT_RULE = 'a port is a whole number from 1024 to 65535: the containers run without root and cannot listen below 1024';
const SIZE_RULE =
  'a size is a cdk8s Size of more than zero and of whole bytes (https://cdk8s.io/docs/latest/reference/cdk8s/typescript/#size)';
const SECONDS_RULE =
  'a time span is a cdk8s Duration of whole seconds, 1 or more (https://cdk8s.io/docs/latest/reference/cdk8s/typescript/#duration)';
const CPU_RULE =
  'CPU is a Kubernetes quantity of more than zero, in cores or thousandths of a core ' +
  '(https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#meaning-of-cpu)';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

describe('faults', () => {
  test('one error names all faults of all constructs, each behind its path', () => {
    const chart = new Chart(Testing.app(), 'mlflow');
    const backendStore = new Postgres(chart, 'Database', { database: 'Runs' });
    const artifactStore = new Minio(chart, 'Files', { bucket: 'X', storageSize: Size.gibibytes(0) });
    new TrackingServer(new Construct(chart, 'Team'), 'Server', { backendStore, artifactStore, port: 80, replicas: 0 });

    expect(faults(chart).map((fault) => fault.replace(/\. Rule: .*/, ''))).toEqual([
      '[mlflow/Database] database: got "Runs"',
      '[mlflow/Files] storageSize: got "0Gi"',
      '[mlflow/Files] bucket: got "X"',
      '[mlflow/Team/Server] port: got 80',
      '[mlflow/Team/Server] replicas: got 0',
    ]);
  });

  test('app.synth reports them like Testing.synth, over all charts', () => {
    const app: App = Testing.app();
    new Minio(new Chart(app, 'one', { namespace: 'one' }), 'Minio', { region: 'Mars' });
    new Minio(new Chart(app, 'two', { namespace: 'two' }), 'Minio', { image: 'minio' });

    expect(() => app.synth()).toThrow(
      new Error(
        'Validation failed with the following errors:\n' +
          '  [one/Minio] region: got "Mars". Rule: a region has lower-case letters, digits and hyphens ' +
          '(https://docs.aws.amazon.com/general/latest/gr/rande.html). Fix: pass a region such as "us-east-1".\n' +
          `  [two/Minio] image: got "minio". Rule: ${TAG_RULE}. Fix: ${IMAGE_FIX}.`,
      ),
    );
  });

  test.each<[object, string[]]>([
    [{ name: 'ML_flow' }, ['[test/Stack] name: got "ML_flow"']],
    [{ namespace: 'Team A' }, ['[test/Stack] namespace: got "Team A"']],
    [{ name: 'ML_flow', namespace: 'Team A' }, ['[test/Stack] name: got "ML_flow"', '[test/Stack] namespace: got "Team A"']],
  ])('what is passed down is reported where it was given: %j', (props, expected) => {
    const chart = Testing.chart();
    new MlflowStack(chart, 'Stack', props);
    expect(faults(chart).map((fault) => fault.replace(/\. Rule: .*/, ''))).toEqual(expected);
  });

  test.each(['images', 'pod', 'networkPolicy'])('what goes down as it is, such as %s, is told above, and another fault of it below', (prop) => {
    const chart = Testing.chart();
    const outer = new Construct(chart, 'Outer');
    const inner = new PropChecks(new Construct(outer, 'Inner'));
    const same = { prop: `${prop}.a`, value: 1, rule: 'it is 2', fix: 'pass 2' };
    new PropChecks(outer).fault(same);
    inner.fault(same);
    inner.fault({ ...same, value: 3 });
    inner.fault({ ...same, prop: `${prop}Else` });
    const rest = 'Rule: it is 2. Fix: pass 2.';
    expect(faults(chart)).toEqual([`[test/Outer] ${prop}.a: got 1. ${rest}`, `[test/Outer/Inner] ${prop}.a: got 3. ${rest}`, `[test/Outer/Inner] ${prop}Else: got 1. ${rest}`]);
  });

  test('what is found twice is told once', () => {
    const fault = { prop: 'prop', value: 1, rule: 'it is 2', fix: 'pass 2' };
    const found = check((checks) => [fault, { ...fault, value: 3 }, { ...fault }].forEach((each) => checks.fault(each)));
    expect(found).toEqual(['[test/Part] prop: got 1. Rule: it is 2. Fix: pass 2.', '[test/Part] prop: got 3. Rule: it is 2. Fix: pass 2.']);
  });

  test('what is passed down hides no other fault', () => {
    const chart = Testing.chart();
    new MlflowStack(chart, 'Stack', { name: 'ML_flow', trackingServer: { port: 80, image: 'mlflow' } });
    expect(faults(chart).map((fault) => fault.replace(/\. Rule: .*/, ''))).toEqual([
      '[test/Stack] name: got "ML_flow"',
      '[test/Stack/TrackingServer] port: got 80',
      '[test/Stack/TrackingServer] image: got "mlflow"',
    ]);
  });

  test('a fault is one sentence each for value, rule and fix', () => {
    expect(check((checks) => checks.fault({ prop: 'colour', value: ['red', 1], rule: 'colours are green', fix: 'pass "green"' }))).toEqual([
      '[test/Part] colour: got ["red",1]. Rule: colours are green. Fix: pass "green".',
    ]);
  });

  const circular: { self?: unknown } = {};
  circular.self = circular;

  test.each<[string, unknown, RegExp]>([
    ['undefined', undefined, /^\[test\/Part\] prop: got undefined\. Rule: r\. Fix: f\.$/],
    ['null', null, /^\[test\/Part\] prop: got null\. Rule: r\. Fix: f\.$/],
    ['NaN', NaN, /^\[test\/Part\] prop: got NaN\. Rule: r\. Fix: f\.$/],
    ['Infinity', Infinity, /^\[test\/Part\] prop: got Infinity\. Rule: r\. Fix: f\.$/],
    ['a BigInt', BigInt(7), /^\[test\/Part\] prop: got 7n?\. Rule: r\. Fix: f\.$/],
    ['an object that contains itself', circular, /^\[test\/Part\] prop: got .+\. Rule: r\. Fix: f\.$/],
  ])('the value %s can be told', (_, value, message) => {
    expect(check((checks) => checks.fault({ prop: 'prop', value, rule: 'r', fix: 'f' }))).toEqual([expect.stringMatching(message)]);
  });
});

describe('name', () => {
  test.each<[unknown, string, string]>([
    ['', '""', 'mlflow'],
    ['MLflow', '"MLflow"', 'mlflow'],
    ['ml_flow', '"ml_flow"', 'ml-flow'],
    ['ml.flow', '"ml.flow"', 'ml-flow'],
    ['ml flow', '"ml flow"', 'ml-flow'],
    ['mlflow\n', '"mlflow\\n"', 'mlflow'],
    ['1mlflow', '"1mlflow"', 'mlflow'],
    ['-mlflow', '"-mlflow"', 'mlflow'],
    ['mlflow-', '"mlflow-"', 'mlflow'],
    ['übung', '"übung"', 'bung'],
    ['___', '"___"', 'mlflow'],
    ['a'.repeat(43), `"${'a'.repeat(43)}"`, 'a'.repeat(42)],
    [`${'a'.repeat(41)}-b`, `"${'a'.repeat(41)}-b"`, 'a'.repeat(41)],
    [42, '42', 'mlflow'],
    [null, 'null', 'mlflow'],
    [{ name: 'mlflow' }, '{"name":"mlflow"}', 'mlflow'],
  ])('%j is refused', (value, got, suggestion) => {
    expect(check((checks) => checks.name('prop', value as string, 42))).toEqual([
      `[test/Part] prop: got ${got}. Rule: ${NAME_RULE}. Fix: pass a name such as "${suggestion}".`,
    ]);
  });

  test.each(['a', 'mlflow', 'team-a', 'a1', 'a--b', 'a'.repeat(42)])('%s is taken as it is', (value) => {
    const run = jest.fn((checks: PropChecks) => checks.name('prop', value, 42));
    expect(check(run)).toEqual([]);
    expect(run).toHaveReturnedWith(value);
  });
});

describe('namespace', () => {
  const bad: [unknown, string, string][] = [
    ['', '""', 'mlflow'],
    ['MLflow', '"MLflow"', 'mlflow'],
    ['team_a', '"team_a"', 'team-a'],
    ['team.a', '"team.a"', 'team-a'],
    ['team a', '"team a"', 'team-a'],
    ['-team', '"-team"', 'team'],
    ['team-', '"team-"', 'team'],
    ['a'.repeat(64), `"${'a'.repeat(64)}"`, 'a'.repeat(63)],
    [7, '7', 'mlflow'],
  ];

  test.each(bad)('%j is refused', (value, got, suggestion) => {
    expect(check((checks) => checks.namespace(Testing.chart(), value as string))).toEqual([
      `[test/Part] namespace: got ${got}. Rule: ${NAMESPACE_RULE}. Fix: pass a namespace such as "${suggestion}".`,
    ]);
  });

  test('that of the chart is refused where it is wrong, and the message says where it comes from', () => {
    const chart = new Chart(Testing.app(), 'mlflow', { namespace: 'Team A' });
    expect(check((checks) => checks.namespace(chart, undefined))).toEqual([
      `[test/Part] namespace (of the chart): got "Team A". Rule: ${NAMESPACE_RULE}. Fix: pass a namespace such as "team-a".`,
    ]);
  });

  test.each(['a', '1', '0-9', 'mlflow', 'a'.repeat(63)])('%s is taken as it is', (value) => {
    const run = jest.fn((checks: PropChecks) => checks.namespace(Testing.chart(), value));
    expect(check(run)).toEqual([]);
    expect(run).toHaveReturnedWith(value);
  });

  test('the prop wins over the chart, the chart over the default', () => {
    const chart = new Chart(Testing.app(), 'mlflow', { namespace: 'from-chart' });
    const checks = new PropChecks(new Construct(chart, 'Part'));
    expect(checks.namespace(new Construct(chart, 'Inner'), 'from-prop')).toBe('from-prop');
    expect(checks.namespace(new Construct(chart, 'Other'), undefined)).toBe('from-chart');
    expect(checks.namespace(Testing.chart(), undefined)).toBe('mlflow');
  });
});

describe('secretKey', () => {
  test.each<[unknown, string]>([
    ['', '""'],
    ['pass word', '"pass word"'],
    ['pass/word', '"pass/word"'],
    ['pässword', '"pässword"'],
    ['key\n', '"key\\n"'],
    ['a'.repeat(254), `"${'a'.repeat(254)}"`],
    [5, '5'],
    [null, 'null'],
  ])('%j is refused', (value, got) => {
    expect(check((checks) => checks.secretKey('prop', value as string))).toEqual([
      `[test/Part] prop: got ${got}. Rule: ${SECRET_KEY_RULE}. Fix: pass the key under which the Secret keeps the value, such as "password".`,
    ]);
  });

  // a volume would take these for folders, so the API server refuses them
  test.each(['.', '..', '..key'])('%s is refused', (value) => {
    expect(check((checks) => checks.secretKey('prop', value))).toEqual([
      expect.stringMatching(`^\\[test/Part\\] prop: got "${value}"\\. Rule: .+\\. Fix: .+\\.$`),
    ]);
  });

  test.each(['password', 'AWS_ACCESS_KEY_ID', 'a.b-c_D9', '.hidden', '0', 'a'.repeat(253)])('%s is taken', (value) => {
    expect(check((checks) => checks.secretKey('prop', value))).toEqual([]);
  });
});

describe('objectName', () => {
  test.each<[unknown, string, string]>([
    ['', '""', 'mlflow'],
    ['Secret', '"Secret"', 'secret'],
    ['my_secret', '"my_secret"', 'my-secret'],
    ['my secret', '"my secret"', 'my-secret'],
    ['-a', '"-a"', 'a'],
    ['a-', '"a-"', 'a'],
    ['.a', '".a"', 'a'],
    ['a.', '"a."', 'a'],
    ['a'.repeat(254), `"${'a'.repeat(254)}"`, 'a'.repeat(63)],
    [undefined, 'undefined', 'mlflow'],
    [1, '1', 'mlflow'],
    // every part between two dots is a label of its own
    ['a..b', '"a..b"', 'a-b'],
    ['a.-b', '"a.-b"', 'a-b'],
    ['a-.b', '"a-.b"', 'a-b'],
  ])('%j is refused', (value, got, suggestion) => {
    expect(check((checks) => checks.objectName('prop', value as string))).toEqual([
      `[test/Part] prop: got ${got}. Rule: ${OBJECT_NAME_RULE}. Fix: pass a name such as "${suggestion}".`,
    ]);
  });

  test.each(['a', '1', 'a.b', 'a-b.c-d', '0.0', `${'a'.repeat(63)}.${'b'.repeat(189)}`])('%s is taken', (value) => {
    expect(check((checks) => checks.objectName('prop', value))).toEqual([]);
  });
});

describe('bucket', () => {
  const LENGTH = 'a bucket name has 3 to 63 characters';
  const CHARACTERS = 'a bucket name has lower-case letters, digits, "." and "-" only';
  const ENDS = 'a bucket name begins and ends with a letter or digit';
  const DOTS = 'a bucket name has no two dots, and no dot and hyphen, side by side';
  const IP = 'a bucket name does not look like an IP address';
  const PREFIX = 'a bucket name does not begin with xn--, sthree- or amzn-s3-demo-';
  const SUFFIX = 'a bucket name does not end with -s3alias, --ol-s3, .mrap, --x-s3 or --table-s3';

  test.each<[unknown, string, string]>([
    ['', LENGTH, 'mlflow'],
    ['ab', LENGTH, 'mlflow-bucket'],
    ['a'.repeat(64), LENGTH, 'a'.repeat(63)],
    [123, LENGTH, 'mlflow'],
    [undefined, LENGTH, 'mlflow'],
    ['Mlflow', CHARACTERS, 'mlflow'],
    ['ml_flow', CHARACTERS, 'ml-flow'],
    ['ml flow', CHARACTERS, 'ml-flow'],
    ['ml/flow', CHARACTERS, 'ml-flow'],
    ['s3://models', CHARACTERS, 's3-models'],
    ['modèles', CHARACTERS, 'mod-les'],
    ['models\n', CHARACTERS, 'models'],
    ['-models', ENDS, 'models'],
    ['models-', ENDS, 'models'],
    ['.models', ENDS, 'models'],
    ['models.', ENDS, 'models'],
    ['my..models', DOTS, 'my-models'],
    ['my.-models', DOTS, 'my-models'],
    ['my-.models', DOTS, 'my-models'],
    ['192.168.5.4', IP, 'mlflow'],
    ['999.999.999.999', IP, 'mlflow'],
    ['xn--models', PREFIX, 'xn-models'],
    ['sthree-models', PREFIX, 'mlflow-bucket'],
    ['sthree-configurator', PREFIX, 'mlflow-bucket'],
    ['amzn-s3-demo-bucket', PREFIX, 'mlflow-bucket'],
    ['models-s3alias', SUFFIX, 'mlflow-bucket'],
    ['models--ol-s3', SUFFIX, 'models-ol-s3'],
    ['models.mrap', SUFFIX, 'models-mrap'],
    ['models--x-s3', SUFFIX, 'models-x-s3'],
    ['models--table-s3', SUFFIX, 'models-table-s3'],
  ])('%j is refused: %s', (value, rule, suggestion) => {
    expect(check((checks) => checks.bucket('prop', value as string))).toEqual([
      `[test/Part] prop: got ${JSON.stringify(value) ?? 'undefined'}. Rule: ${rule} ${BUCKET_SOURCE}. Fix: pass a bucket name such as "${suggestion}".`,
    ]);
    expect(check((checks) => checks.bucket('prop', suggestion))).toEqual([]);
  });

  test.each(['abc', 'mlflow-bucket', '1-2-3', 'my.models.v1', '1.2.3', 'a--b', 'a'.repeat(63)])('%s is taken', (value) => {
    expect(check((checks) => checks.bucket('prop', value))).toEqual([]);
  });
});

describe('image', () => {
  test.each<[unknown]>([
    [''],
    [' '],
    ['mlflow:'],
    [':v1'],
    ['/mlflow:v1'],
    ['mlflow/:v1'],
    ['registry.example.com//mlflow:v1'],
    ['ml flow:v1'],
    ['mlflow:v1 '],
    [' mlflow:v1'],
    ['mlflow:v1\n'],
    ['mlflow: v1'],
    ['MLflow:v1'],
    ['docker.io/MLflow:v1'],
    ['docker.io/library/Postgres:17'],
    ['https://ghcr.io/mlflow/mlflow:v1'],
    ['docker://mlflow:v1'],
    ['mlflow:v1:v2'],
    ['mlflow:-v1'],
    ['mlflow:v1+build'],
    [`mlflow:${'a'.repeat(129)}`],
    ['a___b:v1'],
    ['mlflow@sha256:abc'],
    [`mlflow@${digest}0`],
    [`mlflow@${digest}:v1`],
    ['mlflow@v1'],
    [null],
    [3],
  ])('%j is refused', (value) => {
    expect(check((checks) => checks.image('prop', value as string))).toEqual([
      `[test/Part] prop: got ${JSON.stringify(value)}. Rule: ${IMAGE_RULE}. Fix: ${IMAGE_FIX}.`,
    ]);
  });

  test.each(['mlflow', 'ghcr.io/mlflow/mlflow', 'localhost:5000/mlflow', 'localhost:5000/team/mlflow'])('%s has no tag', (value) => {
    expect(check((checks) => checks.image('prop', value))).toEqual([`[test/Part] prop: got "${value}". Rule: ${TAG_RULE}. Fix: ${IMAGE_FIX}.`]);
  });

  test.each([
    'postgres:17',
    'library/postgres:17.12',
    'docker.io/library/postgres:17.12-bookworm',
    'localhost:5000/mlflow:v1',
    'registry.example.com:5000/a/b/c:v1_2.3-x',
    'a__b/c--d/e.f:_1',
    `mlflow:${'a'.repeat(128)}`,
    `mlflow@${digest}`,
    `ghcr.io/mlflow/mlflow:v3@${digest}`,
    ...Object.values(Images),
  ])('%s is taken', (value) => {
    expect(check((checks) => checks.image('prop', value))).toEqual([]);
  });
});

describe('port', () => {
  test.each<[unknown, string]>([
    [0, '0'],
    [-1, '-1'],
    [80, '80'],
    [1023, '1023'],
    [65536, '65536'],
    [70000, '70000'],
    [1.5, '1.5'],
    [5000.5, '5000.5'],
    [NaN, 'NaN'],
    [Infinity, 'Infinity'],
    ['5000', '"5000"'],
    [null, 'null'],
  ])('%p is refused', (value, got) => {
    expect(check((checks) => checks.port('prop', value as number))).toEqual([
      `[test/Part] prop: got ${got}. Rule: ${PORT_RULE}. Fix: pass a port such as 5000.`,
    ]);
  });

  test.each([1024, 5000, 65535])('%d is taken', (value) => {
    expect(check((checks) => checks.port('prop', value))).toEqual([]);
  });
});

describe('count', () => {
  test.each<[unknown, string]>([
    [0, '0'],
    [-1, '-1'],
    [1.5, '1.5'],
    [NaN, 'NaN'],
    ['2', '"2"'],
    [true, 'true'],
  ])('%p is refused', (value, got) => {
    expect(check((checks) => checks.count('prop', value as number, 'the number of cats'))).toEqual([
      `[test/Part] prop: got ${got}. Rule: the number of cats is a whole number of 1 or more. Fix: pass a number such as 1.`,
    ]);
  });

  test.each([1, 2, 100])('%d is taken', (value) => {
    expect(check((checks) => checks.count('prop', value, 'the number of cats'))).toEqual([]);
  });
});

describe('flag', () => {
  test.each<[unknown, string]>([
    ['false', '"false"'],
    ['true', '"true"'],
    ['', '""'],
    [0, '0'],
    [1, '1'],
    [NaN, 'NaN'],
    [null, 'null'],
    [undefined, 'undefined'],
    [[], '[]'],
    [{ value: true }, '{"value":true}'],
  ])('%p is refused', (value, got) => {
    expect(check((checks) => checks.flag('prop', value as boolean))).toEqual([
      `[test/Part] prop: got ${got}. Rule: the value is true or false, and no text or number. Fix: pass true or false.`,
    ]);
  });

  test.each([true, false])('%p is taken as it is', (value) => {
    const run = jest.fn((checks: PropChecks) => checks.flag('prop', value));
    expect(check(run)).toEqual([]);
    expect(run).toHaveReturnedWith(value);
  });
});

describe('size', () => {
  test.each<[string, unknown, string]>([
    ['zero', Size.gibibytes(0), '"0Gi"'],
    ['less than a byte', Size.kibibytes(0.0001), '"0.0001Ki"'],
    ['not a number', Size.mebibytes(NaN), '"NaNMi"'],
    ['a string', '10Gi', '"10Gi"'],
    ['a number', 10, '10'],
    ['null', null, 'null'],
    ['undefined', undefined, 'undefined'],
    ['another object', { gibibytes: 10 }, '{"gibibytes":10}'],
  ])('%s is refused', (_, value, got) => {
    const run = jest.fn((checks: PropChecks) => checks.size('prop', value as Size));
    expect(check(run)).toEqual([`[test/Part] prop: got ${got}. Rule: ${SIZE_RULE}. Fix: pass a size such as Size.gibibytes(10).`]);
    expect(run).toHaveReturnedWith('0');
  });

  test.each([
    [Size.kibibytes(1), '1Ki'],
    [Size.mebibytes(512), '512Mi'],
    [Size.gibibytes(0.5), '512Mi'],
    [Size.tebibytes(2), '2Ti'],
    [Size.pebibyte(1), '1Pi'],
  ])('%j is a quantity', (value, text) => {
    const run = jest.fn((checks: PropChecks) => checks.size('prop', value));
    expect(check(run)).toEqual([]);
    expect(run).toHaveReturnedWith(text);
  });
});

describe('seconds', () => {
  test.each<[string, unknown, string]>([
    ['zero', Duration.seconds(0), '"0 s"'],
    ['half a second', Duration.millis(500), '"0.5 s"'],
    ['a second and a half', Duration.millis(1500), '"1.5 s"'],
    ['a number', 300, '300'],
    ['a string', '5m', '"5m"'],
    ['null', null, 'null'],
    ['undefined', undefined, 'undefined'],
    ['another object', { minutes: 5 }, '{"minutes":5}'],
  ])('%s is refused', (_, value, got) => {
    expect(check((checks) => checks.seconds('prop', value as Duration))).toEqual([
      `[test/Part] prop: got ${got}. Rule: ${SECONDS_RULE}. Fix: pass a time span such as Duration.minutes(5).`,
    ]);
  });

  test.each([
    [Duration.seconds(1), 1],
    [Duration.millis(2000), 2],
    [Duration.minutes(5), 300],
    [Duration.hours(1), 3600],
  ])('%j is taken', (value, seconds) => {
    const run = jest.fn((checks: PropChecks) => checks.seconds('prop', value));
    expect(check(run)).toEqual([]);
    expect(run).toHaveReturnedWith(seconds);
  });
});

describe('cpu', () => {
  test.each<[unknown, string]>([
    ['', '""'],
    ['0', '"0"'],
    ['0m', '"0m"'],
    ['0.0', '"0.0"'],
    ['-1', '"-1"'],
    ['1.5m', '"1.5m"'],
    ['0.0001', '"0.0001"'],
    ['1 ', '"1 "'],
    ['1 core', '"1 core"'],
    ['one', '"one"'],
    ['1Gi', '"1Gi"'],
    [1, '1'],
    [null, 'null'],
  ])('%j is refused', (value, got) => {
    expect(check((checks) => checks.cpu('prop', value as string))).toEqual([
      `[test/Part] prop: got ${got}. Rule: ${CPU_RULE}. Fix: pass a string such as "250m" or "1".`,
    ]);
  });

  test.each(['1m', '250m', '1500m', '1', '16', '0.5', '1.25', '0.001'])('%s is taken', (value) => {
    expect(check((checks) => checks.cpu('prop', value))).toEqual([]);
  });
});

describe('oneOf', () => {
  test.each<[unknown, string]>([
    ['blue', '"blue"'],
    ['RED', '"RED"'],
    ['', '""'],
    [1, '1'],
  ])('%j is refused', (value, got) => {
    expect(check((checks) => checks.oneOf('prop', value as string, ['red', 'green'], 'the colour'))).toEqual([
      `[test/Part] prop: got ${got}. Rule: the colour is one of red, green. Fix: pass one of them.`,
    ]);
  });

  test('what is in the list is taken', () => {
    expect(check((checks) => checks.oneOf('prop', 'green', ['red', 'green'], 'the colour'))).toEqual([]);
  });
});

test.each([
  ['250m', 0.25],
  ['1', 1],
  ['0.5', 0.5],
  ['1Ki', 1024],
  ['1.5Mi', 1.5 * 1024 ** 2],
  ['10Gi', 10 * 1024 ** 3],
  ['1Ti', 1024 ** 4],
  ['1Pi', 1024 ** 5],
  ['', NaN],
  ['Gi', NaN],
  ['1.2.3', NaN],
  ['1Xi', NaN],
  ['-1', NaN],
])('the quantity %j is %d', (text, value) => {
  expect(quantity(text)).toBe(value);
});

describe('annotations', () => {
  test.each([[undefined], [{}], [{ team: '', 'example.com/Scan_1.a': 'true and more' }]])('%j', (value) => {
    expect(check((checks) => expect(checks.annotations('prop', value)).toBe(value))).toEqual([]);
  });

  test.each<[object, string]>([
    [{ team: 1 }, 'prop["team"]: got 1'],
    [{ team: true }, 'prop["team"]: got true'],
    [{ team: null }, 'prop["team"]: got null'],
    [{ 'no spaces': 'a' }, 'prop["no spaces"]: got "a"'],
    [{ '': 'a' }, 'prop[""]: got "a"'],
    [{ 'a/b/c': 'a' }, 'prop["a/b/c"]: got "a"'],
  ])('cannot be %j', (value, got) => {
    expect(check((checks) => checks.annotations('prop', value as never))).toEqual([
      `[test/Part] ${got}. Rule: an annotation has a key as labels have, and a text as value (https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/#syntax-and-character-set). ` +
        'Fix: pass annotations such as { "example.com/team": "vision" }, numbers and truth values in quotes.',
    ]);
  });
});
