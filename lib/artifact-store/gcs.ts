import { Construct } from 'constructs';
import { IArtifactStore } from './artifact-store';
import { destination, keyPrefix, secretFile, secretKey, toAddress } from '../store/external-store';
import { toAnywhere } from '../kube/network';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { SecretKey } from '../options/secret-key';
import { k8s } from '../../imports/k8s';

const KEY_FOLDER = '/etc/mlflow/artifact-store-key';

/** Props of `Gcs`. */
export interface GcsProps {
  /**
   * Bucket for the artifacts. It exists.
   *
   * @see https://cloud.google.com/storage/docs/buckets#naming
   */
  readonly bucket: string;

  /**
   * What the keys of all artifacts begin with, without a slash at its ends.
   *
   * @default - the whole bucket
   */
  readonly prefix?: string;

  /**
   * Key file (JSON) of a service account, or the configuration of workload identity federation. It is mounted as a file.
   *
   * @default - none: the pods are known by their ServiceAccount (Workload Identity)
   * @see https://cloud.google.com/docs/authentication/application-default-credentials#GAC
   */
  readonly key?: SecretKey;

  /**
   * Namespace of the Secret of `key`.
   *
   * @default - the namespace of the chart, else "mlflow"
   */
  readonly namespace?: string;
}

const SHAPE: Shape<GcsProps> = { bucket: 'value', prefix: 'value', key: {}, namespace: 'value' };

/**
 * A bucket of Google Cloud Storage as artifact store.
 *
 * Without a key, annotate the ServiceAccount of the tracking server with `iam.gke.io/gcp-service-account`, or grant it the
 * rights on the bucket.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/architecture/artifact-store/#google-cloud-storage
 * @see https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity
 */
export class Gcs extends Construct implements IArtifactStore {
  public readonly artifactsDestination: string;
  public readonly environment: k8s.EnvVar[];
  public readonly secretNamespace?: string;
  public readonly usesPodIdentity?: boolean;
  public readonly volumes?: k8s.Volume[];
  public readonly volumeMounts?: k8s.VolumeMount[];
  public readonly egress?: k8s.NetworkPolicyEgressRule[];

  /** Bucket for the artifacts. */
  public readonly bucket: string;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props bucket and key
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: GcsProps) {
    super(place(scope, id), id);
    const checks = new PropChecks(this);
    props = checks.props(props, SHAPE);
    this.bucket = gcsBucket(checks, checks.required('bucket', props.bucket, 'none', 'the bucket', '"my-mlflow-artifacts"'));
    this.artifactsDestination = destination(`gs://${this.bucket}`, keyPrefix(checks, props.prefix));
    const key = secretKey(checks, 'key', props.key);
    this.usesPodIdentity = key === undefined;
    if (key === undefined) {
      if (props.namespace !== undefined) {
        checks.fault({ prop: 'namespace', value: props.namespace, rule: 'it is the namespace of the Secret of key, and there is none', fix: 'leave namespace out, or pass key' });
      }
      this.environment = [];
      // the metadata server that hands out the tokens: with and without Dataplane V2
      this.egress = [toAnywhere(443), toAddress(80, '169.254.169.254'), toAddress(988, '169.254.169.252')];
      return;
    }
    const file = secretFile('artifact-store-key', KEY_FOLDER, key, 'key.json');
    this.secretNamespace = checks.namespace(this, props.namespace);
    this.volumes = [file.volume];
    this.volumeMounts = [file.mount];
    this.environment = [{ name: 'GOOGLE_APPLICATION_CREDENTIALS', value: file.path }];
    this.egress = [toAnywhere(443)];
  }
}

/** Google's rules, which are not Amazon's: underscores are allowed, and names of domains are longer. */
function gcsBucket(checks: PropChecks, value: string): string {
  const parts = typeof value === 'string' ? value.split('.') : [];
  const good =
    /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/.test(value) &&
    parts.every((part) => part.length > 0 && part.length <= 63) &&
    !/^\d+\.\d+\.\d+\.\d+$/.test(value) &&
    !/^goog|g[o0][o0]g[l1]e/.test(value);
  if (!good) {
    checks.fault({
      prop: 'bucket',
      value,
      rule:
        'a bucket name has lower-case letters, digits, "-", "_" and ".", a letter or digit at both ends, 3 to 63 characters (222 with dots, 63 between two of them), ' +
        'is no IP address, does not begin with "goog" and has no "google" in it (https://cloud.google.com/storage/docs/buckets#naming)',
      fix: 'pass the name of the bucket, such as "my-mlflow-artifacts"',
    });
  }
  return value;
}
