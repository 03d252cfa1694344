import { JsonPatch } from 'cdk8s';
import { Construct } from 'constructs';
import { generationOf, keyOf } from './generation';
import { CredentialsKeys, secretKeys } from './secret-keys';
import { Secret } from '../kube/objects';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { Shape, fits } from '../validation/prop-shape';
import { rejectTakenNames } from '../validation/unique-names';
import { k8s } from '../../imports/k8s';

/**
 * A user name and a password in a Secret. For an artifact store the user name is the access key id and the
 * password the secret access key.
 */
export interface ICredentials {
  /** Name of the Secret. */
  readonly secretName: string;

  /** Namespace of the Secret. A pod can read Secrets of its own namespace only. */
  readonly namespace: string;

  /** Key in the Secret under which the user name stands. */
  readonly usernameKey: string;

  /** Key in the Secret under which the password stands. */
  readonly passwordKey: string;

  /**
   * Whether missing values are made up in the cluster, by the bootstrap Job of the store that uses them.
   * Where false, the Job waits for the values and never writes them.
   */
  readonly generated: boolean;

  /**
   * The user name to write when values are made up. Where it ends with a hyphen, random letters and digits
   * are added to it.
   *
   * @default - none; needed where `generated` is true
   */
  readonly generatedUsername?: string;

  /**
   * How often the values were declared to be new ones, where that is more than once.
   *
   * @default 1
   */
  readonly generation?: number;
}

/**
 * A Secret as a construct of another library knows it, such as that of any version of cdk8s-plus.
 *
 * @see https://cdk8s.io/docs/latest/plus/cdk8s-plus-33/secret/
 */
export interface INamedSecret {
  /** Name of the Secret. */
  readonly name: string;
}

/** Options common to the Secrets that `Credentials` declares. */
export interface CredentialsOptions extends CredentialsKeys {
  /**
   * Name of the Secret.
   *
   * @see https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names
   */
  readonly secretName: string;

  /**
   * Namespace of the Secret.
   *
   * @default - the namespace of the chart, else "mlflow"
   */
  readonly namespace?: string;

  /**
   * Labels of the Secret.
   *
   * @default - none
   */
  readonly labels?: { [key: string]: string };
}

/** Props of `Credentials`. */
export interface CredentialsProps extends CredentialsOptions {
  /**
   * The user name to write into the Secret. Where it ends with a hyphen, random letters and digits are added
   * up to 20 characters.
   *
   * @default "mlflow-"
   */
  readonly username?: string;

  /**
   * Number of the values: raise it by one, and the cluster makes up other ones, beside the old ones until no pod of the namespace
   * has these in its environment. Then they end. From 2 on, the keys of the Secret end with it, such as `password-2`.
   *
   * @default 1
   */
  readonly generation?: number;
}

/** Props of `Credentials.fromSecretName` and `Credentials.fromSecret`. */
export interface ExistingSecretProps extends CredentialsKeys {
  /**
   * Namespace of the Secret.
   *
   * @default - the namespace of the chart, else "mlflow"
   */
  readonly namespace?: string;

  /**
   * Number of the values: raise it by one when somebody has changed them in the Secret, and the pods are replaced.
   *
   * @default 1
   */
  readonly generation?: number;
}

/** Props of `Credentials.fromLiterals`. */
export interface LiteralCredentialsProps extends CredentialsOptions {
  /** The user name (or access key id), as it will stand in the YAML. */
  readonly username: string;

  /** The password (or secret access key), as it will stand, base64-encoded and readable by everybody, in the YAML. */
  readonly password: string;

  /**
   * Number of the values: raise it by one with another password, and the pods are replaced.
   *
   * @default 1
   */
  readonly generation?: number;
}

const KEYS: Shape<CredentialsKeys> = { usernameKey: 'value', passwordKey: 'value' };
const SHAPE: Shape<CredentialsProps> = { ...KEYS, secretName: 'value', namespace: 'value', labels: 'labels', username: 'value', generation: 'value' };
const EXISTING_SHAPE: Shape<ExistingSecretProps> = { ...KEYS, namespace: 'value', generation: 'value' };

/**
 * The Secret of a store, with values that the cluster makes up: the YAML declares the Secret without data, and
 * the bootstrap Job of the store fills in what is missing and changes nothing that is there. So a second
 * `kubectl apply` and a GitOps controller leave the values alone.
 *
 * For a Secret that exists already see `Credentials.fromSecretName`, for values in the program (development
 * only) `Credentials.fromLiterals`.
 *
 * @see https://kubernetes.io/docs/concepts/configuration/secret/
 */
export class Credentials extends Construct implements ICredentials {
  /**
   * Credentials in a Secret that somebody else makes: by hand, or an operator. The keys can have any names.
   *
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param secretName the name of the Secret
   * @param props the keys and the namespace
   */
  public static fromSecretName(scope: Construct, id: string, secretName: string, props: ExistingSecretProps = {}): ICredentials {
    return new ExistingCredentials(scope, id, secretName, props);
  }

  /**
   * Credentials in a Secret that another construct of the app makes, such as that of cdk8s-plus. The keys can have any names.
   *
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param secret the Secret
   * @param props the keys and the namespace
   */
  public static fromSecret(scope: Construct, id: string, secret: INamedSecret, props: ExistingSecretProps = {}): ICredentials {
    return new ExistingCredentials(scope, id, secret, props);
  }

  /**
   * Credentials whose values stand in the program and so in the generated YAML. For development only: synth
   * prints a warning.
   *
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the values, and the name and keys of the Secret
   */
  public static fromLiterals(scope: Construct, id: string, props: LiteralCredentialsProps): Credentials {
    return new LiteralCredentials(scope, id, props);
  }

  public readonly secretName: string;
  public readonly namespace: string;
  public readonly usernameKey: string;
  public readonly passwordKey: string;
  public readonly generated: boolean = true;
  public readonly generatedUsername?: string;
  public readonly generation?: number;

  /** The Secret. The YAML declares it without data, unless its values are literals. */
  public readonly secret: k8s.KubeSecret;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props name and keys of the Secret
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: CredentialsProps) {
    super(place(scope, id), id);
    const checks = new PropChecks(this);
    props = checks.props(props, SHAPE);
    this.secretName = checks.objectName('secretName', props.secretName);
    this.namespace = checks.namespace(this, props.namespace);
    this.generation = generationOf(checks, props.generation);
    const keys = secretKeys(checks, props);
    this.usernameKey = keyOf(keys.usernameKey, this.generation);
    this.passwordKey = keyOf(keys.passwordKey, this.generation);
    this.generatedUsername = props.username ?? 'mlflow-';
    if (!/^[a-z][-_a-z0-9]{2,19}$/.test(this.generatedUsername)) {
      checks.fault({
        prop: 'username',
        value: this.generatedUsername,
        rule: 'a generated user name has 3 to 20 characters (the limit of MinIO): lower-case letters, digits, "-" and "_", a letter first',
        fix: 'pass a name such as "mlflow", or a beginning such as "mlflow-"',
      });
    }
    const beginning = String(this.generatedUsername);
    const ownName = beginning.endsWith('-') ? beginning : keyOf(beginning, this.generation);
    if (this.generation !== undefined && ownName.length > 20) {
      checks.fault({ prop: 'username', value: this.generatedUsername, rule: `the user of a later generation is a user of its own, here "${ownName}", and has at most 20 characters (the limit of MinIO)`, fix: 'pass a shorter name, or a beginning such as "mlflow-"' });
    }
    this.secret = new Secret(this, 'Secret', {
      metadata: { name: this.secretName, namespace: this.namespace, labels: props.labels },
      type: 'Opaque',
    });
    rejectTakenNames(this, 'secretName', 'give each Secret of the namespace its own name');
    this.node.defaultChild = this.secret;
  }
}

class ExistingCredentials extends Construct implements ICredentials {
  public readonly secretName: string;
  public readonly namespace: string;
  public readonly usernameKey: string;
  public readonly passwordKey: string;
  public readonly generated: boolean = false;
  public readonly generation?: number;

  public constructor(scope: Construct, id: string, secret: string | INamedSecret, props: ExistingSecretProps) {
    super(place(scope, id), id);
    const checks = new PropChecks(this);
    props = checks.props(props, EXISTING_SHAPE);
    this.secretName = typeof secret === 'string' ? checks.objectName('secretName', secret) : nameOf(checks, secret);
    this.namespace = checks.namespace(this, props.namespace);
    this.generation = generationOf(checks, props.generation);
    ({ usernameKey: this.usernameKey, passwordKey: this.passwordKey } = secretKeys(checks, props));
  }
}

function nameOf(checks: PropChecks, secret: INamedSecret): string {
  if (fits(secret, { name: 'string' })) return checks.objectName('secret.name', secret.name);
  checks.fault({
    prop: 'secret',
    value: secret,
    hidden: true,
    rule: 'a Secret is an object that has its name (https://kubernetes.io/docs/concepts/configuration/secret/)',
    fix: 'pass a Secret such as that of cdk8s-plus, or call Credentials.fromSecretName(…) with its name',
  });
  return 'none';
}

class LiteralCredentials extends Credentials {
  public override readonly generated: boolean = false;
  public override readonly generatedUsername?: string = undefined;
  public override readonly generation?: number;

  public constructor(scope: Construct, id: string, props: LiteralCredentialsProps) {
    const { username, password, generation, ...options } = props ?? {};
    super(scope, id, options);
    const checks = new PropChecks(this);
    this.generation = generationOf(checks, generation);
    const literals = { username, password };
    for (const [prop, value] of Object.entries(literals)) {
      if (typeof value !== 'string' || value.trim() === '' || value !== value.trim()) {
        checks.fault({
          prop,
          value: '(not shown)',
          rule: 'a literal is a text that is not empty and has no white space at its ends, which boto3 would send along and MinIO would not',
          fix: `pass the ${prop} without white space around it`,
        });
      }
    }
    console.warn(
      `WARNING: [${this.node.path}] the values of Secret "${this.secretName}" are literals and stand in the generated YAML. ` +
        'This is for development only: use new Credentials(…) or Credentials.fromSecretName(…) elsewhere.',
    );
    const base64 = (value: unknown) => Buffer.from(typeof value === 'string' ? value : '').toString('base64');
    this.secret.addJsonPatch(JsonPatch.add('/data', { [this.usernameKey]: base64(username), [this.passwordKey]: base64(password) }));
  }
}
