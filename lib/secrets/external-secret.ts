import { ApiObject, Duration } from 'cdk8s';
import { Construct } from 'constructs';
import { CredentialsOptions, ICredentials } from './credentials';
import { generationOf } from './generation';
import { secretKeys } from './secret-keys';
import { ExternalSecret } from '../kube/objects';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { rejectTakenNames } from '../validation/unique-names';
import {
  ExternalSecretSpecData,
  ExternalSecretSpecDataRemoteRefConversionStrategy as ConversionStrategy,
  ExternalSecretSpecDataRemoteRefDecodingStrategy as DecodingStrategy,
  ExternalSecretSpecDataRemoteRefMetadataPolicy as MetadataPolicy,
  ExternalSecretSpecSecretStoreRefKind as StoreRefKind,
  ExternalSecretSpecTargetCreationPolicy as CreationPolicy,
  ExternalSecretSpecTargetDeletionPolicy as DeletionPolicy,
} from '../../imports/external-secrets.io';

/**
 * Where a store of External Secrets is known.
 *
 * @see https://external-secrets.io/latest/api/externalsecret/
 */
export enum SecretStoreKind {
  /** In the namespace of the Secret. */
  SECRET_STORE = 'SecretStore',

  /** In the whole cluster. */
  CLUSTER_SECRET_STORE = 'ClusterSecretStore',
}

/**
 * One value in an external store: Vault, AWS Secrets Manager, Google Secret Manager, Azure Key Vault…
 *
 * @see https://external-secrets.io/latest/api/externalsecret/
 */
export interface RemoteValue {
  /** Name, or path, of the secret in the external store. */
  readonly key: string;

  /**
   * Property of the secret, where its value is a JSON object or a map.
   *
   * @default - the whole value
   */
  readonly property?: string;
}

/** Props of `ExternalSecretCredentials`. */
export interface ExternalSecretCredentialsProps extends CredentialsOptions {
  /** Name of the SecretStore or ClusterSecretStore, which says where the values are and how to get them. */
  readonly storeName: string;

  /**
   * Where the store is known.
   *
   * @default SecretStoreKind.SECRET_STORE
   */
  readonly storeKind?: SecretStoreKind;

  /** The user name (or access key id) in the external store. */
  readonly usernameRemote: RemoteValue;

  /** The password (or secret access key) in the external store. */
  readonly passwordRemote: RemoteValue;

  /**
   * How often the Secret is brought up to date. Running pods keep what they started with.
   *
   * @default Duration.hours(1)
   */
  readonly refreshInterval?: Duration;

  /**
   * Number of the values: raise it by one when the external values were changed and the Secret has them, and the pods are replaced.
   *
   * @default 1
   */
  readonly generation?: number;
}

const SHAPE: Shape<ExternalSecretCredentialsProps> = {
  secretName: 'value',
  namespace: 'value',
  labels: 'labels',
  usernameKey: 'value',
  passwordKey: 'value',
  storeName: 'value',
  storeKind: 'value',
  usernameRemote: {},
  passwordRemote: {},
  refreshInterval: 'value',
  generation: 'value',
};
const STORE_REF_KIND = {
  [SecretStoreKind.SECRET_STORE]: StoreRefKind.SECRET_STORE,
  [SecretStoreKind.CLUSTER_SECRET_STORE]: StoreRefKind.CLUSTER_SECRET_STORE,
};
const REMOTE_VALUE: Shape<RemoteValue> = { key: 'value', property: 'value' };

/**
 * Credentials that the External Secrets Operator copies from an external store into a Secret. Without the operator in the
 * cluster the manifests cannot be applied. Where the external value is gone the Secret keeps the last one; it goes away
 * with its ExternalSecret.
 *
 * @see https://external-secrets.io/latest/api/externalsecret/
 */
export class ExternalSecretCredentials extends Construct implements ICredentials {
  public readonly secretName: string;
  public readonly namespace: string;
  public readonly usernameKey: string;
  public readonly passwordKey: string;
  public readonly generated: boolean = false;
  public readonly generatedUsername?: string;
  public readonly generation?: number;

  /** The ExternalSecret, from which the operator makes the Secret, with the same labels. */
  public readonly externalSecret: ApiObject;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props name and keys of the Secret, and where its values are
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: ExternalSecretCredentialsProps) {
    super(place(scope, id), id);
    const checks = new PropChecks(this);
    props = checks.props(props, SHAPE);
    this.secretName = checks.objectName('secretName', checks.required('secretName', props.secretName, 'none', 'the name of the Secret', '"mlflow-database"'));
    this.namespace = checks.namespace(this, props.namespace);
    this.generation = generationOf(checks, props.generation);
    ({ usernameKey: this.usernameKey, passwordKey: this.passwordKey } = secretKeys(checks, props));
    const storeName = checks.objectName('storeName', checks.required('storeName', props.storeName, 'none', 'the store of the values', '"vault"'));
    const storeKind = props.storeKind ?? SecretStoreKind.SECRET_STORE;
    checks.oneOf('storeKind', storeKind, Object.values(SecretStoreKind), 'storeKind');
    const refreshInterval = goDuration(checks.seconds('refreshInterval', props.refreshInterval ?? Duration.hours(1)));
    const value = (secretKey: string, prop: 'usernameRemote' | 'passwordRemote'): ExternalSecretSpecData => ({
      secretKey,
      remoteRef: {
        ...remoteValue(checks, prop, props[prop]),
        // the defaults of the operator, which its older versions write into the object: a drift for GitOps controllers
        conversionStrategy: ConversionStrategy.DEFAULT,
        decodingStrategy: DecodingStrategy.NONE,
        metadataPolicy: MetadataPolicy.NONE,
      },
    });
    this.externalSecret = new ExternalSecret(this, 'ExternalSecret', {
      metadata: { name: this.secretName, namespace: this.namespace, labels: props.labels },
      spec: {
        refreshInterval,
        secretStoreRef: { name: storeName, kind: STORE_REF_KIND[storeKind] },
        target: { name: this.secretName, creationPolicy: CreationPolicy.OWNER, deletionPolicy: DeletionPolicy.RETAIN },
        data: [value(this.usernameKey, 'usernameRemote'), value(this.passwordKey, 'passwordRemote')],
      },
    });
    rejectTakenNames(this, 'secretName', 'give each Secret of the namespace its own name');
    this.node.defaultChild = this.externalSecret;
  }
}

function remoteValue(checks: PropChecks, prop: string, given: RemoteValue | undefined): RemoteValue {
  const example = '{ key: "mlflow/database", property: "password" }';
  if (given === undefined) return checks.required(prop, given, { key: 'none' }, 'where the value is in the external store', example);
  const { key, property } = checks.props(given, REMOTE_VALUE, `${prop}.`);
  const text = (member: string, value: string | undefined) => {
    if (value === undefined || (typeof value === 'string' && value !== '' && value === value.trim() && !value.includes('{{'))) return;
    checks.fault({
      prop: `${prop}.${member}`,
      value,
      rule: 'it is a text that is not empty, without white space at its ends and without "{{", which Helm would take for its own (https://external-secrets.io/latest/api/externalsecret/)',
      fix: `pass ${example}`,
    });
  };
  text('key', checks.required(`${prop}.key`, key, 'none', 'the name of the secret in the external store', example));
  text('property', property);
  return { key, property };
}

/** Seconds as Kubernetes writes them: `1h0m0s`, `1m30s`. */
function goDuration(seconds: number): string {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  return `${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${seconds % 60}s`;
}
