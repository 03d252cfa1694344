import { Construct } from 'constructs';
import { fingerprint } from '../kube/hash';
import { ImageSource } from '../kube/image-source';
import { Part, labels } from '../kube/labels';
import { ConfigMap } from '../kube/objects';
import { envFromSecret } from '../kube/pod';
import { PodSettings } from '../kube/pod-settings';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { GeneratedSecret } from '../secrets/generated-secret';
import { k8s } from '../../imports/k8s';

/**
 * What users may do with experiments and models for which nobody has given them a permission.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth/#permissions
 */
export enum DefaultPermission {
  /** Look at them. */
  READ = 'READ',

  /** Look at them and use them. */
  USE = 'USE',

  /** Change them, too. */
  EDIT = 'EDIT',

  /** Delete them and give permissions, too. */
  MANAGE = 'MANAGE',

  /** Nothing. */
  NO_PERMISSIONS = 'NO_PERMISSIONS',
}

/**
 * Login with MLflow's own users and permissions, in tables of their own in the database of the backend store. Clients set
 * MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth/
 */
export interface BasicAuthOptions {
  /**
   * Name of the administrator.
   *
   * @default "admin"
   */
  readonly adminUsername?: string;

  /**
   * What users may do with experiments and models for which nobody has given them a permission.
   *
   * @default DefaultPermission.READ
   */
  readonly defaultPermission?: DefaultPermission;

  /**
   * Secret that somebody else makes, with the keys `username` and `password` of the administrator (12 characters or more) and
   * `secret-key`, with which the server signs its forms.
   *
   * @default - Secret "<name>-login", with a password and a key made up in the cluster
   */
  readonly secretName?: string;
}

const SHAPE: Shape<BasicAuthOptions> = { adminUsername: 'value', defaultPermission: 'value', secretName: 'value' };
const DIRECTORY = '/etc/mlflow/login';
const FILE = 'basic_auth.ini';

export const LOGIN_KEYS = { usernameKey: 'username', passwordKey: 'password', serverKey: 'secret-key' };

export interface LoginProps {
  readonly part: Part;
  readonly name: string;
  readonly namespace: string;
  /** URI of the database, without credentials. */
  readonly databaseUri: string;
  readonly image: string;
  readonly images: ImageSource;
  readonly pod: PodSettings;
  readonly networkPolicy: boolean;
}

/** What the server needs for MLflow's own login: its configuration, and a Secret with administrator and key. */
export class Login extends Construct {
  public readonly configMap: k8s.KubeConfigMap;
  public readonly generated?: GeneratedSecret;
  public readonly secretName: string;
  /** Environment of the server, which no other pod has. */
  public readonly environment: k8s.EnvVar[];
  /** Environment of a client that logs in as the administrator. */
  public readonly clientEnvironment: k8s.EnvVar[];
  public readonly volume: k8s.Volume;
  public readonly volumeMount: k8s.VolumeMount;
  public readonly checksum: string;

  public constructor(scope: Construct, id: string, checks: PropChecks, given: BasicAuthOptions, props: LoginProps) {
    super(scope, id);
    const options = checks.props(given, SHAPE, 'basicAuth.');
    const { namespace } = props;
    const part: Part = { ...props.part, component: 'login' };
    const permission = checks.oneOf('basicAuth.defaultPermission', options.defaultPermission ?? DefaultPermission.READ, Object.values(DefaultPermission), 'the permission');
    const username = options.adminUsername ?? 'admin';
    if (typeof username !== 'string' || !/^[^\s:]{1,255}$/.test(username)) {
      checks.fault({ prop: 'basicAuth.adminUsername', value: username, rule: 'a user name has no white space and no colon (https://www.rfc-editor.org/rfc/rfc7617#section-2)', fix: 'pass a name such as "admin"' });
    }
    if (options.secretName !== undefined && options.adminUsername !== undefined) {
      checks.fault({
        prop: 'basicAuth.adminUsername',
        value: options.adminUsername,
        rule: `the Secret of basicAuth.secretName = "${options.secretName}" has the name already, under its key username`,
        fix: 'leave basicAuth.adminUsername out, or basicAuth.secretName',
      });
    }
    this.secretName = checks.objectName('basicAuth.secretName', options.secretName ?? `${props.name}-login`);
    if (options.secretName === undefined) {
      this.generated = new GeneratedSecret(this, 'Secret', {
        ...props,
        part,
        secretName: this.secretName,
        values: { [LOGIN_KEYS.usernameKey]: { text: String(username) }, [LOGIN_KEYS.passwordKey]: { length: 32 }, [LOGIN_KEYS.serverKey]: { length: 64 } },
      });
    }
    const ini = ['[mlflow]', `default_permission = ${permission}`, `database_uri = ${props.databaseUri.replaceAll('%', '%%')}`, ''].join('\n');
    this.checksum = fingerprint(ini);
    this.configMap = new ConfigMap(this, 'ConfigMap', { metadata: { name: `${props.name}-login`, namespace, labels: labels(part) }, data: { [FILE]: ini } });
    const secret = (variable: string, key: string) => envFromSecret(variable, this.secretName, key);
    this.environment = [
      { name: 'MLFLOW_AUTH_CONFIG_PATH', value: `${DIRECTORY}/${FILE}` },
      secret('MLFLOW_AUTH_ADMIN_USERNAME', LOGIN_KEYS.usernameKey),
      secret('MLFLOW_AUTH_ADMIN_PASSWORD', LOGIN_KEYS.passwordKey),
      secret('MLFLOW_FLASK_SERVER_SECRET_KEY', LOGIN_KEYS.serverKey),
    ];
    this.clientEnvironment = [secret('MLFLOW_TRACKING_USERNAME', LOGIN_KEYS.usernameKey), secret('MLFLOW_TRACKING_PASSWORD', LOGIN_KEYS.passwordKey)];
    this.volume = { name: 'login', configMap: { name: `${props.name}-login` } };
    this.volumeMount = { name: 'login', mountPath: DIRECTORY, readOnly: true };
    this.node.defaultChild = this.configMap;
  }
}
