import { Construct } from 'constructs';
import { fingerprint } from '../kube/hash';
import { ImageSource } from '../kube/image-source';
import { Part, labels } from '../kube/labels';
import { networkPolicyOptions } from '../kube/network';
import { ConfigMap } from '../kube/objects';
import { envFromSecret } from '../kube/pod';
import { PodSettings } from '../kube/pod-settings';
import { Images } from '../options/images';
import { ICredentials } from '../secrets/credentials';
import { GeneratedSecret } from '../secrets/generated-secret';
import type { TrackingServer } from '../tracking-server/tracking-server';
import { ofServer } from '../validation/add-on';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { rejectTakenNames } from '../validation/unique-names';
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

/** Props of `BasicAuth`. */
export interface BasicAuthProps extends BasicAuthOptions {
  /** The server that asks who its users are. */
  readonly server: TrackingServer;
}

const SHAPE: Shape<BasicAuthOptions> = { adminUsername: 'value', defaultPermission: 'value', secretName: 'value' };
const DIRECTORY = '/etc/mlflow/login';
const FILE = 'basic_auth.ini';
const SERVER_KEY = 'secret-key';

/**
 * Login of a tracking server with MLflow's own users and permissions: its configuration, and a Secret with the administrator
 * and the key with which the server signs.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth/
 */
export class BasicAuth extends Construct {
  /** ConfigMap `<name of the server>-login` with the configuration. */
  public readonly configMap: k8s.KubeConfigMap;

  /** The administrator. */
  public readonly credentials: ICredentials;

  /** Secret with the administrator, where the cluster makes it up. */
  public readonly secret?: k8s.KubeSecret;

  /** Job that makes up the administrator's password. */
  public readonly bootstrapJob?: k8s.KubeJob;

  /** ServiceAccount of the Job. */
  public readonly bootstrapServiceAccount?: k8s.KubeServiceAccount;

  /** Role of the Job: it may fill this Secret. */
  public readonly bootstrapRole?: k8s.KubeRole;

  /** RoleBinding of the Job. */
  public readonly bootstrapRoleBinding?: k8s.KubeRoleBinding;

  /** NetworkPolicy of the Job, where `networkPolicy.enabled` of the server is true. */
  public readonly bootstrapNetworkPolicy?: k8s.KubeNetworkPolicy;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the server, and who its administrator is
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: BasicAuthProps) {
    super(place(scope, id), id);
    const { server, ...given } = ofServer(this, props);
    const { namespace, options: shared } = server;
    const checks = new PropChecks(this, [server]);
    const options = checks.props(given, SHAPE);
    const images = new ImageSource(checks, shared.images);
    const image = images.of('image', shared.image ?? Images.MLFLOW);
    const part: Part = { name: 'mlflow', instance: server.name, component: 'login', image };
    const permission = checks.oneOf('defaultPermission', options.defaultPermission ?? DefaultPermission.READ, Object.values(DefaultPermission), 'the permission');
    const username = options.adminUsername ?? 'admin';
    if (typeof username !== 'string' || !/^[^\s:]{1,255}$/.test(username)) {
      checks.fault({ prop: 'adminUsername', value: username, rule: 'a user name has no white space and no colon (https://www.rfc-editor.org/rfc/rfc7617#section-2)', fix: 'pass a name such as "admin"' });
    }
    if (options.secretName !== undefined && options.adminUsername !== undefined) {
      checks.fault({
        prop: 'adminUsername',
        value: options.adminUsername,
        rule: `the Secret of secretName = "${options.secretName}" has the name already, under its key username`,
        fix: 'leave adminUsername out, or secretName',
      });
    }
    if (server.backendStore.uri === undefined) {
      checks.fault({
        prop: 'server',
        value: 'a server whose backendStore has its URI in a Secret',
        rule: 'MLflow reads the database of its users from a file, in which a URI with a secret has no place (https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth/)',
        fix: 'give the server a backendStore whose URI has no secret in it, such as ExternalPostgres, or use Oauth2Proxy',
      });
    }
    const secretName = checks.objectName('secretName', options.secretName ?? `${server.name}-login`);
    this.credentials = { secretName, namespace, usernameKey: 'username', passwordKey: 'password', generated: options.secretName === undefined };
    if (options.secretName === undefined) {
      checks.derivedName('server', server.name, '-login-bootstrap-0123456789');
      const { secret, bootstrap } = new GeneratedSecret(this, 'Secret', {
        part,
        secretName,
        namespace,
        values: { username: { text: String(username) }, password: { length: 32 }, [SERVER_KEY]: { length: 64 } },
        image,
        images,
        pod: new PodSettings(checks, shared.pod, images),
        networkPolicy: networkPolicyOptions(checks, shared.networkPolicy) !== undefined,
      });
      this.secret = secret;
      this.bootstrapJob = bootstrap.job;
      this.bootstrapServiceAccount = bootstrap.serviceAccount;
      this.bootstrapRole = bootstrap.role;
      this.bootstrapRoleBinding = bootstrap.roleBinding;
      this.bootstrapNetworkPolicy = bootstrap.networkPolicy;
    }
    const databaseUri = server.backendStore.uri ?? '';
    const ini = ['[mlflow]', `default_permission = ${permission}`, `database_uri = ${databaseUri.replaceAll('%', '%%')}`, ''].join('\n');
    const name = `${server.name}-login`;
    this.configMap = new ConfigMap(this, 'ConfigMap', { metadata: { name, namespace, labels: labels(part) }, data: { [FILE]: ini } });
    rejectTakenNames(this, 'server', 'make one login for each tracking server');
    this.node.defaultChild = this.configMap;

    if (!server.addLogin(this, this.credentials)) return;
    server.addFlag(this, '--app-name=basic-auth');
    server.addVariable(this, { name: 'MLFLOW_AUTH_CONFIG_PATH', value: `${DIRECTORY}/${FILE}` });
    server.addVariable(this, envFromSecret('MLFLOW_AUTH_ADMIN_USERNAME', secretName, 'username'));
    server.addVariable(this, envFromSecret('MLFLOW_AUTH_ADMIN_PASSWORD', secretName, 'password'));
    server.addVariable(this, envFromSecret('MLFLOW_FLASK_SERVER_SECRET_KEY', secretName, SERVER_KEY));
    server.addVolume(this, { name: 'login', configMap: { name } }, { name: 'login', mountPath: DIRECTORY, readOnly: true });
    server.addPodAnnotation(this, 'checksum/login', fingerprint(ini));
  }
}
