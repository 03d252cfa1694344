import { PropChecks } from '../validation/prop-checks';

// What the S3 client of MLflow takes, and no less: https://github.com/boto/botocore/blob/develop/botocore/handlers.py
const NAME = /^[a-zA-Z0-9._-]{1,255}$/;
const ACCESS_POINT = /^arn:aws[a-z-]*:(s3|s3-object-lambda):[a-z0-9-]*:\d{12}:accesspoint[/:][a-zA-Z0-9.-]{1,63}$/;
const OUTPOST = /^arn:aws[a-z-]*:s3-outposts:[a-z0-9-]+:\d{12}:outpost[/:][a-zA-Z0-9-]{1,63}[/:]accesspoint[/:][a-zA-Z0-9-]{1,63}$/;
const REGION = /^(?!\d+$)(?!-)[a-zA-Z0-9-]{1,63}(?<!-)$/;

/** A bucket that exists, under whatever rules it was made: old ones of AWS, those of another store, an access point. */
export function existingBucket(checks: PropChecks, prop: string, value: string): string {
  if (typeof value !== 'string' || ![NAME, ACCESS_POINT, OUTPOST].some((form) => form.test(value))) {
    checks.fault({
      prop,
      value,
      rule:
        'the S3 client takes a bucket of letters, digits, ".", "_" and "-", at most 255 characters, or the ARN of an access point ' +
        '(https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-access-points.html)',
      fix: 'pass the name as the store shows it, without s3:// and without a path, which is the prop prefix',
    });
  }
  return value;
}

/** The bucket as it stands in a URI, in which a slash would end it. */
export function inUri(bucket: string): string {
  return String(bucket).replaceAll('/', ':');
}

/** A region as a store that somebody else runs calls it: `RegionOne`, `GRA`, `garage`. */
export function existingRegion(checks: PropChecks, prop: string, value: string): string {
  if (typeof value !== 'string' || !REGION.test(value)) {
    checks.fault({
      prop,
      value,
      rule:
        'the S3 client takes a region of letters, digits and hyphens, no hyphen first or last, not digits only, at most 63 characters ' +
        '(https://docs.aws.amazon.com/general/latest/gr/rande.html)',
      fix: 'pass the region that the store is set to, such as "us-east-1" or "RegionOne"',
    });
  }
  return value;
}
