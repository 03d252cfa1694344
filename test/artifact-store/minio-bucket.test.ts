import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Size, Testing } from 'cdk8s';
import { Minio, MinioProps } from '../../lib';
import { containers, faults, get } from '../helpers';

const PLAIN = ['CREDENTIALS_DIR', 'STORE_URL', 'STORE_NAME', 'BUCKET', 'REGION', 'POLICY', 'ADMIN_SECRET_NAME'];

/** What the script of the Job is told about the bucket, beyond its name. */
function told(props: MinioProps): { [variable: string]: string } {
  const chart = Testing.chart();
  new Minio(chart, 'Minio', props);
  const [, tool] = containers(get(Testing.synth(chart), 'Job', 'minio-bootstrap'));
  const env = (tool.env as { name: string; value: string }[]).filter(({ name }) => !PLAIN.includes(name));
  return Object.fromEntries(env.map(({ name, value }) => [name, value]));
}

function rules(props: MinioProps): unknown {
  return (JSON.parse(told(props).LIFECYCLE) as { Rules: unknown }).Rules;
}

function faultsOf(props: object): string[] {
  const chart = Testing.chart();
  new Minio(chart, 'Minio', props);
  return faults(chart);
}

test('a plain bucket needs no words', () => {
  expect(told({})).toEqual({});
  expect(told({ lifecycleRules: [] })).toEqual({});
});

describe('prefix', () => {
  test('stands in the destination of the artifacts, and in nothing that the user may do', () => {
    const chart = Testing.chart();
    expect(new Minio(chart, 'Minio', { bucket: 'models', prefix: 'team-a/mlflow' }).artifactsDestination).toBe('s3://models/team-a/mlflow');
    expect(told({ prefix: 'team-a/mlflow' })).toEqual({});
  });

  test.each(['', '/a', 'a/', 'a//b', 'a b', '../a', 'a/./b', 'a?b', 'a#b', '$(BUCKET)', '{{a}}', 'ä', 'a'.repeat(201)])('cannot be %j', (prefix) => {
    expect(faultsOf({ prefix })).toEqual([expect.stringContaining(`[test/Minio] prefix: got ${JSON.stringify(prefix)}. Rule: a prefix has letters`)]);
  });
});

describe('versioning', () => {
  test('is switched on, but for the object with which the tracking server checks the store', () => {
    const script = readFileSync(join(__dirname, '../../lib/preflight/preflight/mlflow_doctor.py'), 'utf8');
    const probe = /^PROBE_PREFIX, .* = "(.+?)"/m.exec(script)?.[1];
    expect(told({ versioning: true })).toEqual({ VERSIONING: 'true', UNVERSIONED_PREFIX: probe });
    expect(told({ versioning: true, prefix: 'mlflow' })).toEqual({ VERSIONING: 'true', UNVERSIONED_PREFIX: `mlflow/${probe}` });
  });

  test('is switched off', () => {
    expect(told({ versioning: false })).toEqual({ VERSIONING: 'false' });
  });

  test('cannot be a text', () => {
    expect(faultsOf({ versioning: 'false' })).toEqual([expect.stringContaining('[test/Minio] versioning: got "false". Rule: the value is true or false')]);
  });
});

describe('lifecycleRules', () => {
  test('objects expire after days', () => {
    expect(rules({ lifecycleRules: [{ expireDays: 90 }] })).toEqual([{ ID: 'rule-1', Status: 'Enabled', Filter: { Prefix: '' }, Expiration: { Days: 90 } }]);
  });

  test('versions expire after days, and with the last one what the delete left', () => {
    expect(rules({ versioning: true, lifecycleRules: [{ noncurrentExpireDays: 30 }] })).toEqual([
      {
        ID: 'rule-1',
        Status: 'Enabled',
        Filter: { Prefix: '' },
        Expiration: { ExpiredObjectDeleteMarker: true },
        NoncurrentVersionExpiration: { NoncurrentDays: 30 },
      },
    ]);
  });

  test('of the versions that are left of versioning', () => {
    expect(rules({ versioning: false, lifecycleRules: [{ noncurrentExpireDays: 1 }] })).toHaveLength(1);
  });

  test('each rule has its own name and its prefix behind that of the store', () => {
    const rule = { prefix: '7/', expireDays: 5, noncurrentExpireDays: 2 };
    expect(rules({ prefix: 'mlflow', versioning: true, lifecycleRules: [rule, rule, { expireDays: 365 }] })).toEqual([
      { ID: 'rule-1', Status: 'Enabled', Filter: { Prefix: 'mlflow/7/' }, Expiration: { Days: 5 }, NoncurrentVersionExpiration: { NoncurrentDays: 2 } },
      { ID: 'rule-2', Status: 'Enabled', Filter: { Prefix: 'mlflow/7/' }, Expiration: { Days: 5 }, NoncurrentVersionExpiration: { NoncurrentDays: 2 } },
      { ID: 'rule-3', Status: 'Enabled', Filter: { Prefix: 'mlflow/' }, Expiration: { Days: 365 } },
    ]);
  });

  test.each<[unknown, string]>([
    [{}, 'lifecycleRules\\[0\\]: got \\{\\}\\. Rule: a rule says what expires: expireDays, noncurrentExpireDays or both .+'],
    [{ prefix: '7/' }, 'lifecycleRules\\[0\\]: got \\{"prefix":"7/"\\}\\. Rule: a rule says what expires.+'],
    [{ expireDays: 0 }, 'lifecycleRules\\[0\\]\\.expireDays: got 0\\. Rule: the number of days is a whole number of 1 or more\\. .+'],
    [{ expireDays: 1.5 }, 'lifecycleRules\\[0\\]\\.expireDays: got 1\\.5\\. .+'],
    [{ expireDays: '30' }, 'lifecycleRules\\[0\\]\\.expireDays: got "30"\\. .+'],
    [{ noncurrentExpireDays: -1 }, 'lifecycleRules\\[0\\]\\.noncurrentExpireDays: got -1\\. .+'],
    [{ expireDay: 3, expireDays: 3 }, 'lifecycleRules\\[0\\]\\.expireDay: .+ Fix: did you mean lifecycleRules\\[0\\]\\.expireDays\\?\\.'],
    [{ prefix: '/7', expireDays: 3 }, 'lifecycleRules\\[0\\]\\.prefix: got "/7"\\. Rule: .+\\. Fix: pass a beginning such as "7/".+'],
    [{ prefix: '', expireDays: 3 }, 'lifecycleRules\\[0\\]\\.prefix: got ""\\. .+'],
    [{ prefix: 7, expireDays: 3 }, 'lifecycleRules\\[0\\]\\.prefix: got 7\\. .+'],
    [{ prefix: 'a*', expireDays: 3 }, 'lifecycleRules\\[0\\]\\.prefix: got "a\\*"\\. .+'],
    [{ prefix: 'a'.repeat(501), expireDays: 3 }, 'lifecycleRules\\[0\\]\\.prefix: got "a+"\\. .+'],
    ['30 days', 'lifecycleRules\\[0\\]: got a string\\. Rule: it is a list of rules\\. .+'],
  ])('a rule cannot be %j', (rule, fault) => {
    expect(faultsOf({ versioning: true, lifecycleRules: [rule] })).toEqual([expect.stringMatching(`^\\[test/Minio\\] ${fault}$`)]);
  });

  test('a wrong rule is named by its place', () => {
    const places = faultsOf({ lifecycleRules: [7, { expireDays: 1 }, { expireDays: 0 }] }).map((fault) => /\[\d\]\S*(?=:)/.exec(fault)?.[0]);
    expect(places).toEqual(['[0]', '[2].expireDays']);
  });

  test('one object is no list', () => {
    expect(faultsOf({ lifecycleRules: { expireDays: 3 } })).toEqual([expect.stringMatching(/^\[test\/Minio\] lifecycleRules: .+ Rule: it is a list\./)]);
  });

  test('versions expire only where there are versions', () => {
    expect(faultsOf({ lifecycleRules: [{ noncurrentExpireDays: 3 }] })).toEqual([
      '[test/Minio] lifecycleRules[0].noncurrentExpireDays: got 3. Rule: only a bucket with versioning has noncurrent versions ' +
        '(https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html). Fix: pass versioning = true, or false where it was true before, ' +
        'or leave lifecycleRules[0].noncurrentExpireDays out.',
    ]);
  });
});

describe('quota', () => {
  test('is told in bytes', () => {
    expect(told({ quota: Size.gibibytes(5) })).toEqual({ QUOTA_BYTES: '5368709120' });
    expect(told({ quota: Size.tebibytes(2), storageSize: Size.tebibytes(2) })).toEqual({ QUOTA_BYTES: '2199023255552' });
  });

  test.each<[object, string]>([
    [{ quota: Size.gibibytes(11) }, '10Gi'],
    [{ quota: Size.gibibytes(11), storageSize: Size.mebibytes(500) }, '500Mi'],
  ])('is not above the size of the volume: %#', (props, size) => {
    expect(faultsOf(props)).toEqual([
      `[test/Minio] quota: got "11Gi". Rule: a quota is not above the room for objects, here storageSize = ${size}: the volume would be full before ` +
        '(https://docs.min.io/aistor/administration/bucket-quotas/). Fix: lower quota or raise storageSize.',
    ]);
  });

  test.each([0, '5Gi', Size.gibibytes(0)])('cannot be %j', (quota) => {
    expect(faultsOf({ quota })).toEqual([expect.stringMatching(/^\[test\/Minio\] quota: got .+ Rule: a size is a cdk8s Size of more than zero/)]);
  });

  test('is not compared with a size that is none', () => {
    expect(faultsOf({ quota: Size.gibibytes(5), storageSize: '10Gi' }).map((fault) => fault.split(':')[0])).toEqual(['[test/Minio] storageSize']);
  });
});
