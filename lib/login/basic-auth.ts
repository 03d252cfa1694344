import { Duration } from 'cdk8s';
import { Construct } from 'constructs';
import { fingerprint } from '../kube/hash';
import { Part, labels } from '../kube/labels';
import { ConfigMap } from '../kube/objects';
import { envFromSecret } from '../kube/pod';
import { Images } from '../options/images';
import { ICredentials } from '../secrets/credentials';
import { generationOf, keyOf } from '../secrets/generation';
import { SecretsJob } from '../server-secrets/secrets-job';
import { ITrackingServer } from '../tracking-server/server';
import { ServiceType } from '../tracking-server/service';
import { ofServer } from '../tracking-server/add-on';
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

  /**
   * Number of the password and of the key: raise it by one to rotate both; with `secretName`, when their values have changed. The
   * first pod that starts with it gives the administrator the password, and the old one ends there, and in pods that are still to
   * be replaced after `authCacheTtl`.
   *
   * @default 1
   */
  readonly generation?: number;

  /**
   * How long each worker of the server remembers that a password was right, and whether it was an administrator's, in whole
   * seconds. To check one takes MLflow a tenth of a second of CPU, and without a memory it does so one to three times for each
   * request. What is changed in MLflow (another password, a deleted user) the worker that was asked to do it knows at once, and
   * the other ones after this time. 0 is no memory. MLflow 3.17 with a memory answers 500, and not 401, to credentials that are
   * no password, which the guard takes off.
   *
   * @default Duration.seconds(60), and 0 where the server has no guard
   * @see https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth/
   */
  readonly authCacheTtl?: Duration;
}

/** Props of `BasicAuth`. */
export interface BasicAuthProps extends BasicAuthOptions {
  /** The server that asks who its users are. */
  readonly server: ITrackingServer;
}

const SHAPE: Shape<BasicAuthOptions> = { adminUsername: 'value', defaultPermission: 'value', secretName: 'value', generation: 'value', authCacheTtl: 'value' };
const DIRECTORY = '/etc/mlflow/login';
const FILE = 'basic_auth.ini';
const SERVER_KEY = 'secret-key';
/** Beginnings of paths for which MLflow asks for no login: `_UNPROTECTED_PATH_PREFIXES` in mlflow/server/auth. */
export const OPEN_PATHS = ['/static', '/favicon.ico', '/health'];

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
    const part: Part = { name: 'mlflow', instance: server.name, component: 'login', image: shared.image ?? Images.MLFLOW };
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
    const open = OPEN_PATHS.find((beginning) => String(server.staticPrefix).startsWith(beginning));
    if (open !== undefined) {
      checks.fault({
        prop: 'server',
        value: `a server with settings.staticPrefix = "${server.staticPrefix}"`,
        rule: `MLflow asks for no login where a path begins with "${open}", so that all of this server would be open: anybody could make themselves administrator (https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth/)`,
        fix: `give the server a prefix that begins with none of ${OPEN_PATHS.join(', ')}, such as "/mlflow"`,
      });
    }
    const { type } = shared.service ?? {};
    if (type !== undefined && type !== ServiceType.CLUSTER_IP) {
      console.warn(
        `WARNING: [${this.node.path}] the Service of [${server.node.path}] has service.type = "${type}" and no TLS: users send their password with each request, and it can be read on the way. ` +
          'Lead them to an Ingress or an HTTPRoute with tls, or make sure that TLS ends before the Service.',
      );
    }
    const secretName = checks.objectName('secretName', options.secretName ?? `${server.name}-login`);
    const generated = options.secretName === undefined;
    const generation = generationOf(checks, options.generation);
    const [passwordKey, serverKey] = ['password', SERVER_KEY].map((key) => (generated ? keyOf(key, generation) : key));
    this.credentials = { secretName, namespace, usernameKey: 'username', passwordKey, generated, generation };
    if (generated) {
      this.secret = SecretsJob._fill(server, this, part, secretName, { username: { text: String(username) }, [passwordKey]: { length: 32 }, [serverKey]: { length: 64 } });
    }
    const guarded = shared.guard?.enabled !== false;
    const ttl = checks.seconds('authCacheTtl', options.authCacheTtl ?? Duration.seconds(guarded ? 60 : 0), 0);
    const databaseUri = server.backendStore.uri ?? '';
    const ini = ['[mlflow]', `default_permission = ${permission}`, `database_uri = ${databaseUri.replaceAll('%', '%%')}`, `auth_cache_ttl_seconds = ${ttl}`, ''].join('\n');
    const name = `${server.name}-login`;
    this.configMap = new ConfigMap(this, 'ConfigMap', { metadata: { name, namespace, labels: labels(part) }, data: { [FILE]: ini } });
    rejectTakenNames(this, 'server', 'make one login for each tracking server');
    this.node.defaultChild = this.configMap;

    if (!server.addLogin(this, this.credentials)) return;
    server.addFlag(this, '--app-name=basic-auth');
    if (guarded) server.addVariable(this, { name: 'GUARD_PASSWORDS_ONLY', value: 'true' });
    server.addVariable(this, { name: 'MLFLOW_AUTH_CONFIG_PATH', value: `${DIRECTORY}/${FILE}` });
    server.addVariable(this, envFromSecret('MLFLOW_AUTH_ADMIN_USERNAME', secretName, 'username'));
    server.addVariable(this, envFromSecret('MLFLOW_AUTH_ADMIN_PASSWORD', secretName, passwordKey));
    server.addVariable(this, envFromSecret('MLFLOW_FLASK_SERVER_SECRET_KEY', secretName, serverKey));
    if (generation !== undefined) server.addVariable(this, { name: 'STARTUP_LOGIN_GENERATION', value: String(generation) });
    server.addVolume(this, { name: 'login', configMap: { name } }, { name: 'login', mountPath: DIRECTORY });
    server.addPodAnnotation(this, 'checksum/login', fingerprint(ini));
  }
}
