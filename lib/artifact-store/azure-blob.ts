import { Construct } from 'constructs';
import { IArtifactStore } from './artifact-store';
import { destination, keyPrefix, secretKey } from '../store/external-store';
import { toAnywhere } from '../kube/network';
import { place } from '../validation/place';
import { envFromSecret } from '../kube/pod';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { SecretKey } from '../options/secret-key';
import { k8s } from '../../imports/k8s';

/**
 * The clouds of Azure.
 *
 * @see https://learn.microsoft.com/azure/storage/common/storage-account-overview#storage-account-endpoints
 */
export enum AzureCloud {
  /** The public cloud, `windows.net`. */
  PUBLIC = 'windows.net',

  /** Azure China, `chinacloudapi.cn`. */
  CHINA = 'chinacloudapi.cn',

  /** Azure Government, `usgovcloudapi.net`. */
  US_GOVERNMENT = 'usgovcloudapi.net',
}

/** Props of `AzureBlob`. */
export interface AzureBlobProps {
  /**
   * Name of the storage account.
   *
   * @see https://learn.microsoft.com/azure/storage/common/storage-account-overview#storage-account-name
   */
  readonly account: string;

  /**
   * Container of the account for the artifacts. It exists.
   *
   * @see https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
   */
  readonly container: string;

  /**
   * What the names of all blobs begin with, without a slash at its ends.
   *
   * @default - the whole container
   */
  readonly prefix?: string;

  /**
   * The cloud of the account.
   *
   * @default AzureCloud.PUBLIC
   */
  readonly cloud?: AzureCloud;

  /**
   * Access key of the account.
   *
   * @default - `connectionString`; without that the pods are known by their ServiceAccount (Workload ID)
   */
  readonly accessKey?: SecretKey;

  /**
   * Connection string of the account.
   *
   * @default - `accessKey`; without that the pods are known by their ServiceAccount (Workload ID)
   * @see https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string
   */
  readonly connectionString?: SecretKey;

  /**
   * Namespace of the Secret of `accessKey` or `connectionString`.
   *
   * @default - the namespace of the chart, else "mlflow"
   */
  readonly namespace?: string;
}

const SHAPE: Shape<AzureBlobProps> = {
  account: 'value',
  container: 'value',
  prefix: 'value',
  cloud: 'value',
  accessKey: {},
  connectionString: {},
  namespace: 'value',
};

/**
 * A container of Azure Blob Storage as artifact store.
 *
 * Without key and connection string, annotate the ServiceAccount of the tracking server with
 * `azure.workload.identity/client-id`, and give its pods the label `azure.workload.identity/use: "true"`.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/architecture/artifact-store/#azure-blob-storage
 * @see https://learn.microsoft.com/azure/aks/workload-identity-overview
 */
export class AzureBlob extends Construct implements IArtifactStore {
  public readonly artifactsDestination: string;
  public readonly environment: k8s.EnvVar[];
  public readonly secretNamespace?: string;
  public readonly usesPodIdentity?: boolean;
  public readonly egress?: k8s.NetworkPolicyEgressRule[];

  /** Name of the storage account. */
  public readonly account: string;

  /** Container for the artifacts. */
  public readonly container: string;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props account, container and key
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: AzureBlobProps) {
    super(place(scope, id), id);
    const checks = new PropChecks(this);
    props = checks.props(props, SHAPE);
    this.account = accountName(checks, checks.required('account', props.account, 'none', 'the storage account', '"mymlflow"'));
    this.container = containerName(checks, checks.required('container', props.container, 'none', 'the container', '"mlflow-artifacts"'));
    const cloud = checks.oneOf('cloud', props.cloud ?? AzureCloud.PUBLIC, Object.values(AzureCloud), 'the cloud');
    this.artifactsDestination = destination(`wasbs://${this.container}@${this.account}.blob.core.${cloud}`, keyPrefix(checks, props.prefix));
    const accessKey = secretKey(checks, 'accessKey', props.accessKey);
    const connectionString = secretKey(checks, 'connectionString', props.connectionString);
    if (accessKey !== undefined && connectionString !== undefined) {
      checks.fault({
        prop: 'connectionString',
        value: `Secret "${connectionString.secretName}", and accessKey with Secret "${accessKey.secretName}"`,
        rule: 'the connection string has the access key in it, and MLflow would ignore accessKey',
        fix: 'leave connectionString or accessKey out',
      });
    }
    this.usesPodIdentity = accessKey === undefined && connectionString === undefined;
    if (this.usesPodIdentity && props.namespace !== undefined) {
      checks.fault({
        prop: 'namespace',
        value: props.namespace,
        rule: 'it is the namespace of the Secret of accessKey or connectionString, and there is none',
        fix: 'leave namespace out, or pass accessKey',
      });
    }
    this.secretNamespace = this.usesPodIdentity ? undefined : checks.namespace(this, props.namespace);
    this.environment = [
      ...(accessKey === undefined ? [] : [envFromSecret('AZURE_STORAGE_ACCESS_KEY', accessKey.secretName, accessKey.key)]),
      ...(connectionString === undefined ? [] : [envFromSecret('AZURE_STORAGE_CONNECTION_STRING', connectionString.secretName, connectionString.key)]),
    ];
    this.egress = [toAnywhere(443)];
  }
}

function accountName(checks: PropChecks, value: string): string {
  if (typeof value !== 'string' || !/^[a-z0-9]{3,24}$/.test(value)) {
    checks.fault({
      prop: 'account',
      value,
      rule: 'the name of a storage account has 3 to 24 lower-case letters and digits (https://learn.microsoft.com/azure/storage/common/storage-account-overview#storage-account-name)',
      fix: 'pass the name without its domain, such as "mymlflow"',
    });
  }
  return value;
}

function containerName(checks: PropChecks, value: string): string {
  if (typeof value !== 'string' || !/^(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*$/.test(value)) {
    checks.fault({
      prop: 'container',
      value,
      rule:
        'the name of a container has 3 to 63 lower-case letters, digits and single hyphens, none of them at an end ' +
        '(https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata)',
      fix: 'pass a name such as "mlflow-artifacts"',
    });
  }
  return value;
}
