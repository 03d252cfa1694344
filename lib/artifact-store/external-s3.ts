import { isIP } from 'node:net';
import { Construct } from 'constructs';
import { IArtifactStore } from './artifact-store';
import { existingBucket, existingRegion, inUri } from './s3-names';
import { CertificateAuthority } from '../options/certificate-authority';
import { caFile, destination, egressTo, existing, isHost, keyPrefix, remotePort, toAddress } from '../store/external-store';
import { place } from '../validation/place';
import { envFromSecret } from '../kube/pod';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { CREDENTIALS, withoutSecrets } from '../store/store';
import { ICredentials } from '../secrets/credentials';
import { generationVariable } from '../secrets/in-place-credentials';
import { k8s } from '../../imports/k8s';

const CA_FOLDER = '/etc/mlflow/artifact-store-ca';
/** Addresses of the EKS Pod Identity Agent, the same on every node. */
const EKS_AGENT = ['169.254.170.23', 'fd00:ec2::23'];
const ENDPOINT_EXAMPLE = '"https://s3.example.com:9000"';

/**
 * How an S3 client names the bucket in a request.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
 */
export enum S3AddressingStyle {
  /** In the path where `endpointUrl` is given, in the host name on AWS. */
  AUTO = 'auto',

  /** In the path: `https://s3.example.com/bucket/key`. It needs one name in DNS only. */
  PATH = 'path',

  /** In the host name: `https://bucket.s3.example.com/key`. The store needs a wildcard in DNS and in its certificate. */
  VIRTUAL = 'virtual',
}

/**
 * Encryption that the store is asked for with each upload.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html
 */
export enum S3ServerSideEncryption {
  /** With keys of the store (SSE-S3). */
  AES256 = 'AES256',

  /** With keys of a key management service (SSE-KMS). */
  AWS_KMS = 'aws:kms',
}

/**
 * When an S3 client adds checksums of its own to requests.
 *
 * @see https://docs.aws.amazon.com/sdkref/latest/guide/feature-dataintegrity.html
 */
export enum S3Checksums {
  /** Wherever the operation has them. */
  WHEN_SUPPORTED = 'when_supported',

  /** Only where the operation has to have them. For older stores, which refuse uploads with the others. */
  WHEN_REQUIRED = 'when_required',
}

/** Props of `ExternalS3`. */
export interface ExternalS3Props {
  /**
   * Bucket for the artifacts: its name, the alias or the ARN of an access point. It exists, so the rules for making one do not matter.
   *
   * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-access-points.html
   */
  readonly bucket: string;

  /**
   * What the keys of all artifacts begin with, without a slash at its ends.
   *
   * @default - the whole bucket
   */
  readonly prefix?: string;

  /**
   * URL of the S3 API: scheme, host and port, without the bucket. It may have a path, as that of Supabase has: the S3 client signs
   * it along, so whatever is before the store has to hand it on as it is.
   *
   * @default - that of AWS for the region
   */
  readonly endpointUrl?: string;

  /**
   * Region that requests are signed for: on AWS that of the bucket, elsewhere what the store is set to.
   *
   * @default "us-east-1"
   */
  readonly region?: string;

  /**
   * Access key id and secret access key: `Credentials.fromSecretName(…)` or `new ExternalSecretCredentials(…)`.
   *
   * @default - none: AWS knows the pods by their ServiceAccount (IRSA, EKS Pod Identity)
   * @see https://docs.aws.amazon.com/eks/latest/userguide/service-accounts.html
   */
  readonly credentials?: ICredentials;

  /**
   * How requests name the bucket.
   *
   * @default S3AddressingStyle.AUTO
   */
  readonly addressingStyle?: S3AddressingStyle;

  /**
   * Authorities that the certificate of the store may come from. They replace the public ones.
   *
   * @default - the public ones
   */
  readonly ca?: CertificateAuthority;

  /**
   * Encryption that the store is asked for with each upload.
   *
   * @default - what the bucket is set to
   */
  readonly serverSideEncryption?: S3ServerSideEncryption;

  /**
   * Id, ARN or alias of the key for `S3ServerSideEncryption.AWS_KMS`.
   *
   * @default - the store's own
   */
  readonly kmsKeyId?: string;

  /**
   * Number of the AWS account that owns the bucket. Requests to a bucket of anybody else fail.
   *
   * @default - not checked
   * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
   */
  readonly expectedBucketOwner?: string;

  /**
   * When requests have checksums.
   *
   * @default - as the S3 client does by itself: S3Checksums.WHEN_SUPPORTED
   */
  readonly checksums?: S3Checksums;

  /**
   * Port of the pods behind `endpointUrl`, where it is a Service of the cluster whose pods listen at another port:
   * NetworkPolicies see that one.
   *
   * @default - the port of `endpointUrl`
   * @see https://kubernetes.io/docs/concepts/services-networking/network-policies/
   */
  readonly targetPort?: number;

  /**
   * Address ranges of the store, for the NetworkPolicies of the pods that use it. Without `credentials` they include those of
   * AWS STS.
   *
   * @default - any address
   */
  readonly cidrs?: string[];
}

const SHAPE: Shape<ExternalS3Props> = {
  bucket: 'value',
  prefix: 'value',
  endpointUrl: 'value',
  region: 'value',
  credentials: CREDENTIALS,
  addressingStyle: 'value',
  ca: {},
  serverSideEncryption: 'value',
  kmsKeyId: 'value',
  expectedBucketOwner: 'value',
  checksums: 'value',
  targetPort: 'value',
  cidrs: 'list',
};

/**
 * A bucket on an S3 server that somebody else runs, as artifact store. It exists, is private, and its user may list it and
 * get, put and delete objects in it.
 *
 * - AWS: `bucket` and `region`; no `credentials` with IRSA or EKS Pod Identity.
 * - MinIO and its forks, RustFS: `endpointUrl`; `region` where the server is set to another one.
 * - Garage: `region: "garage"`, or what `s3_region` in its configuration is.
 * - SeaweedFS: `endpointUrl` of its S3 gateway, port 8333 by default; any region.
 * - Ceph: `endpointUrl` of the RADOS gateway; `region` is the API name of the zone group, which may be empty: then the default does.
 *
 * Where an older server refuses uploads with checksums (`XAmzContentSHA256Mismatch`, `NotImplemented`), set
 * `S3Checksums.WHEN_REQUIRED`.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/architecture/artifact-store/
 */
export class ExternalS3 extends Construct implements IArtifactStore {
  public readonly artifactsDestination: string;
  public readonly environment: k8s.EnvVar[];
  public readonly secretNamespace?: string;
  public readonly usesPodIdentity?: boolean;
  public readonly volumes?: k8s.Volume[];
  public readonly volumeMounts?: k8s.VolumeMount[];
  public readonly egress?: k8s.NetworkPolicyEgressRule[];

  /** Bucket for the artifacts. */
  public readonly bucket: string;

  /** URL of the S3 API, where it is not that of AWS for the region. */
  public readonly endpointUrl?: string;

  /** Region that requests are signed for. */
  public readonly region: string;

  /** Keys of the tracking server, where it is not known by its ServiceAccount. */
  public readonly credentials?: ICredentials;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props bucket, endpoint and credentials
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: ExternalS3Props) {
    super(place(scope, id), id);
    const checks = new PropChecks(this);
    props = checks.props(withoutSecrets(checks, props, ['credentials']), SHAPE);
    this.bucket = existingBucket(checks, 'bucket', checks.required('bucket', props.bucket, 'none', 'the bucket', '"my-mlflow-artifacts"'));
    this.artifactsDestination = destination(`s3://${inUri(this.bucket)}`, keyPrefix(checks, props.prefix));
    this.region = existingRegion(checks, 'region', props.region ?? 'us-east-1');
    this.endpointUrl = props.endpointUrl;
    const endpoint = endpointOf(checks, props.endpointUrl, this.bucket);
    if (endpoint !== undefined) checkEndpoint(checks, endpoint, this.bucket, this.region);

    this.credentials = props.credentials && existing(checks, props.credentials);
    this.secretNamespace = props.credentials?.namespace;
    this.usesPodIdentity = props.credentials === undefined;
    if (this.usesPodIdentity && endpoint !== undefined && !isAmazon(endpoint)) {
      checks.fault({
        prop: 'endpointUrl',
        value: props.endpointUrl,
        rule: 'without credentials the pods are known by their ServiceAccount, and only AWS knows it (https://docs.aws.amazon.com/eks/latest/userguide/service-accounts.html)',
        fix: 'pass credentials, such as Credentials.fromSecretName(…), or leave endpointUrl out',
      });
    }

    const ca = caFile(checks, 'ca', props.ca, 'artifact-store-ca', CA_FOLDER);
    if (ca !== undefined) {
      this.volumes = [ca.volume];
      this.volumeMounts = [ca.mount];
    }
    if (ca !== undefined && endpoint?.protocol === 'http:') {
      checks.fault({
        prop: 'ca',
        value: props.ca,
        hidden: true,
        rule: `a certificate is checked where there is one, and endpointUrl is http, without TLS`,
        fix: 'leave ca out, or pass an endpointUrl with https',
      });
    }
    const portNumber = endpoint?.port ? Number(endpoint.port) : endpoint?.protocol === 'http:' ? 80 : 443;
    const targetPort = props.targetPort === undefined ? [] : [remotePort(checks, 'targetPort', props.targetPort, 9000)];
    this.egress = [
      // with AWS STS, which takes the token of a ServiceAccount at 443
      egressTo(checks, props.cidrs, [portNumber, ...targetPort, ...(this.usesPodIdentity ? [443] : [])]),
      ...(this.usesPodIdentity ? [toAddress(80, ...EKS_AGENT)] : []),
    ];

    this.environment = [
      ...(this.credentials === undefined
        ? []
        : [
            envFromSecret('AWS_ACCESS_KEY_ID', this.credentials.secretName, this.credentials.usernameKey),
            envFromSecret('AWS_SECRET_ACCESS_KEY', this.credentials.secretName, this.credentials.passwordKey),
            ...generationVariable('AWS_CREDENTIALS_GENERATION', this.credentials),
          ]),
      ...variable('MLFLOW_S3_ENDPOINT_URL', props.endpointUrl),
      { name: 'AWS_DEFAULT_REGION', value: this.region },
      { name: 'AWS_REGION', value: this.region },
      ...variable('AWS_CA_BUNDLE', ca?.path),
      ...variable('MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE', addressingStyle(checks, props.addressingStyle, endpoint)),
      ...variable('MLFLOW_S3_UPLOAD_EXTRA_ARGS', uploadArguments(checks, props)),
      ...variable('MLFLOW_S3_EXPECTED_BUCKET_OWNER', bucketOwner(checks, props.expectedBucketOwner)),
      ...checksums(checks, props.checksums),
    ];
  }
}

function variable(name: string, value: string | undefined): k8s.EnvVar[] {
  return value === undefined ? [] : [{ name, value }];
}

/** The endpoint, where it is one: what start-mlflow.py would refuse at the start of the pod is refused here. */
function endpointOf(checks: PropChecks, given: string | undefined, bucket: string): URL | undefined {
  if (given === undefined) return undefined;
  const fault = (rule: string, hidden = false) => {
    checks.fault({ prop: 'endpointUrl', value: given, hidden, rule: `${rule} (https://docs.aws.amazon.com/general/latest/gr/s3.html)`, fix: `pass an endpoint such as ${ENDPOINT_EXAMPLE}` });
    return undefined;
  };
  const [, authority, rest] = typeof given === 'string' ? (/^https?:\/\/([^\s/?#\\]+)([^\s\\]*)$/.exec(given) ?? []) : [];
  if (authority === undefined) return fault('an endpoint is http:// or https://, a host and, if need be, a port', String(given).includes('@'));
  if (authority.includes('@')) return fault('credentials do not belong into an endpoint, but into the prop credentials', true);
  const [, host, port] = /^(.*?)(?::(\d+))?$/.exec(authority)!;
  if (!isHost(host.replace(/^\[(.*:.*)\]$/, '$1')) || (port !== undefined && (Number(port) < 1 || Number(port) > 65535))) {
    return fault('an endpoint has a DNS name or an IP address as host, and a port from 1 to 65535');
  }
  if (!/^(\/[\w.~-]+)*\/?$/.test(rest)) return fault('an endpoint has no query, and a path only of letters, digits, ".", "_", "~" and "-" between single slashes');
  if (rest.split('/').includes(bucket)) return fault('an endpoint is without the bucket, which stands in the prop bucket: uploads would be stored under a wrong key');
  return new URL(given);
}

function isAmazon(endpoint: URL): boolean {
  return /\.(amazonaws\.com(\.cn)?|api\.aws)$/.test(endpoint.hostname);
}

function checkEndpoint(checks: PropChecks, endpoint: URL, bucket: string, signedFor: string): void {
  if (endpoint.hostname.startsWith(`${bucket}.s3`)) {
    checks.fault({
      prop: 'endpointUrl',
      value: endpoint.href,
      rule: 'the S3 client adds the bucket to the endpoint, which has it in its host already (https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html)',
      fix: `pass ${JSON.stringify(`${endpoint.protocol}//${endpoint.host.slice(bucket.length + 1)}`)}, with S3AddressingStyle.VIRTUAL as addressingStyle if the store wants it`,
    });
  }
  const named = isAmazon(endpoint) ? /(?:^|\.)s3[.-](?:(?:dualstack|fips)[.-])*([a-z]{2}(?:-[a-z]+)+-\d)\./.exec(endpoint.hostname)?.[1] : undefined;
  if (named !== undefined && named !== signedFor) {
    checks.fault({
      prop: 'region',
      value: signedFor,
      rule: `a request is signed for the region that it goes to, and endpointUrl is in ${named} (https://docs.aws.amazon.com/general/latest/gr/s3.html)`,
      fix: `pass region ${JSON.stringify(named)}, or leave endpointUrl out`,
    });
  }
}

function addressingStyle(checks: PropChecks, style: S3AddressingStyle | undefined, endpoint: URL | undefined): string | undefined {
  if (style === undefined) return undefined;
  checks.oneOf('addressingStyle', style, Object.values(S3AddressingStyle), 'addressingStyle');
  const name = endpoint?.hostname.replace(/^\[(.*)\]$/, '$1');
  if (style === S3AddressingStyle.VIRTUAL && name !== undefined && (isIP(name) !== 0 || !name.includes('.') || /^[^.]+\.[^.]+\.svc(\.|$)|\.(local|localhost)$/.test(name))) {
    checks.fault({
      prop: 'addressingStyle',
      value: style,
      rule:
        `it puts the bucket before the host of endpointUrl, and ${name} has no names below it: ` +
        'neither an IP address nor a Service of the cluster has (https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/)',
      fix: 'leave addressingStyle out, or pass an endpointUrl with a host below which the buckets are',
    });
  }
  return style;
}

function uploadArguments(checks: PropChecks, { serverSideEncryption, kmsKeyId }: ExternalS3Props): string | undefined {
  if (serverSideEncryption !== undefined) checks.oneOf('serverSideEncryption', serverSideEncryption, Object.values(S3ServerSideEncryption), 'serverSideEncryption');
  if (kmsKeyId !== undefined && (typeof kmsKeyId !== 'string' || !/^[\w:/.=+@-]{1,2048}$/.test(kmsKeyId))) {
    checks.fault({
      prop: 'kmsKeyId',
      value: kmsKeyId,
      rule: 'a key is named by its id, its ARN, or alias/ and its alias (https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id)',
      fix: 'pass a key such as "alias/mlflow"',
    });
  }
  if (kmsKeyId !== undefined && serverSideEncryption !== S3ServerSideEncryption.AWS_KMS) {
    checks.fault({
      prop: 'kmsKeyId',
      value: kmsKeyId,
      rule: `a key of a key management service is used with S3ServerSideEncryption.AWS_KMS only, and serverSideEncryption is ${serverSideEncryption ?? 'not given'}`,
      fix: 'pass S3ServerSideEncryption.AWS_KMS as serverSideEncryption, or leave kmsKeyId out',
    });
  }
  return serverSideEncryption && JSON.stringify({ ServerSideEncryption: serverSideEncryption, SSEKMSKeyId: kmsKeyId });
}

function bucketOwner(checks: PropChecks, value: string | undefined): string | undefined {
  if (value !== undefined && (typeof value !== 'string' || !/^\d{12}$/.test(value))) {
    checks.fault({
      prop: 'expectedBucketOwner',
      value,
      rule: 'the number of an AWS account is a text of 12 digits (https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-identifiers.html)',
      fix: 'pass a number such as "123456789012"',
    });
  }
  return value;
}

function checksums(checks: PropChecks, when: S3Checksums | undefined): k8s.EnvVar[] {
  if (when === undefined) return [];
  const value = checks.oneOf('checksums', when, Object.values(S3Checksums), 'checksums');
  return ['AWS_REQUEST_CHECKSUM_CALCULATION', 'AWS_RESPONSE_CHECKSUM_VALIDATION'].map((name) => ({ name, value }));
}
