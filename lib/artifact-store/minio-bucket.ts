import { MinioLifecycleRule } from './minio-options';
import { PropChecks } from '../validation/prop-checks';
import { quantity } from '../validation/quantity';
import { Shape } from '../validation/prop-shape';
import { k8s } from '../../imports/k8s';

const RULE: Shape<MinioLifecycleRule> = { prefix: 'value', expireDays: 'value', noncurrentExpireDays: 'value' };

/** Where the tracking server writes and deletes an object again and again to see that the store works: `PROBE_PREFIX` of its script. */
const PROBE_PREFIX = '.mlflow-preflight/';

/** What the bucket is beyond its name, from the props of `Minio`. */
export interface BucketSettings {
  /** Prefix of all keys, checked. */
  readonly prefix?: string;
  readonly versioning?: boolean;
  readonly lifecycleRules?: MinioLifecycleRule[];
  /** Quota and volume as Kubernetes quantities, checked. */
  readonly quota?: string;
  readonly storageSize: string;
  /** How many volumes there are, and what of their space is for objects. */
  readonly volumes: number;
  readonly usableShare: number;
}

/** The environment that tells the script of the bootstrap Job what to make of the bucket; nothing for a plain one. */
export function bucketEnv(checks: PropChecks, settings: BucketSettings): k8s.EnvVar[] {
  const keys = settings.prefix === undefined ? '' : `${settings.prefix}/`;
  const env: k8s.EnvVar[] = [];
  if (settings.versioning !== undefined) {
    env.push({ name: 'VERSIONING', value: String(checks.flag('versioning', settings.versioning)) });
    if (settings.versioning) env.push({ name: 'UNVERSIONED_PREFIX', value: `${keys}${PROBE_PREFIX}` });
  }
  const given = settings.lifecycleRules ?? [];
  const members = new Set(checks.members('lifecycleRules', given, {}, 'rules', '{ prefix: "7/", expireDays: 90 }'));
  const rules = given.flatMap((rule, index) => (members.has(rule) ? [lifecycleRule(checks, index, rule, keys, settings.versioning)] : []));
  if (rules.length > 0) env.push({ name: 'LIFECYCLE', value: JSON.stringify({ Rules: rules }) });
  if (settings.quota !== undefined) {
    const { volumes, usableShare } = settings;
    const room = quantity(settings.storageSize) * volumes * usableShare;
    if (room > 0 && quantity(settings.quota) > room) {
      checks.fault({
        prop: 'quota',
        value: settings.quota,
        rule:
          `a quota is not above the room for objects, here ${volumes === 1 ? '' : `${usableShare} of ${volumes} times `}storageSize = ${settings.storageSize}: the volume would be full before ` +
          '(https://docs.min.io/aistor/administration/bucket-quotas/)',
        fix: 'lower quota or raise storageSize',
      });
    }
    env.push({ name: 'QUOTA_BYTES', value: String(quantity(settings.quota)) });
  }
  return env;
}

/** One rule in the words of S3. */
function lifecycleRule(checks: PropChecks, index: number, given: MinioLifecycleRule, keys: string, versioning?: boolean): object {
  const prop = `lifecycleRules[${index}]`;
  const rule = checks.props(given, RULE, `${prop}.`);
  const days = (name: 'expireDays' | 'noncurrentExpireDays') =>
    rule[name] === undefined ? undefined : checks.count(`${prop}.${name}`, rule[name], 'the number of days');
  if (rule.expireDays === undefined && rule.noncurrentExpireDays === undefined) {
    checks.fault({
      prop,
      value: given,
      rule: 'a rule says what expires: expireDays, noncurrentExpireDays or both (https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html)',
      fix: `pass ${prop}.expireDays or ${prop}.noncurrentExpireDays, such as 30`,
    });
  }
  if (rule.noncurrentExpireDays !== undefined && versioning === undefined) {
    checks.fault({
      prop: `${prop}.noncurrentExpireDays`,
      value: rule.noncurrentExpireDays,
      rule: 'only a bucket with versioning has noncurrent versions (https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html)',
      fix: `pass versioning = true, or false where it was true before, or leave ${prop}.noncurrentExpireDays out`,
    });
  }
  const expireDays = days('expireDays');
  const noncurrentDays = days('noncurrentExpireDays');
  return {
    ID: `rule-${index + 1}`,
    Status: 'Enabled',
    Filter: { Prefix: `${keys}${rule.prefix === undefined ? '' : rulePrefix(checks, `${prop}.prefix`, rule.prefix)}` },
    // with days the markers of deletes go too, and S3 takes no word about them
    Expiration: expireDays === undefined ? { ExpiredObjectDeleteMarker: true } : { Days: expireDays },
    ...(noncurrentDays !== undefined && { NoncurrentVersionExpiration: { NoncurrentDays: noncurrentDays } }),
  };
}

function rulePrefix(checks: PropChecks, prop: string, value: string): string {
  if (typeof value !== 'string' || !/^[\w.=-]+(\/[\w.=-]+)*\/?$/.test(value) || value.length > 500) {
    checks.fault({
      prop,
      value,
      rule:
        'the beginning of a key has letters, digits, ".", "_", "-" and "=", with single slashes in between and none in front, at most 500 characters ' +
        '(https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html)',
      fix: `pass a beginning such as "7/", or leave ${prop} out for all keys`,
    });
  }
  return value;
}
