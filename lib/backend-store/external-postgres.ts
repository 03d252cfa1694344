import { Construct } from 'constructs';
import { IBackendStore } from './backend-store';
import { postgresUri } from './postgres-uri';
import { CertificateAuthority } from '../options/certificate-authority';
import { caFile, egressTo, existing, host, maxConnections, remotePort, uriHost } from '../store/external-store';
import { place } from '../validation/place';
import { envFromSecret } from '../kube/pod';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { CREDENTIALS, withoutSecrets } from '../store/store';
import { ICredentials } from '../secrets/credentials';
import { generationVariable } from '../secrets/in-place-credentials';
import { k8s } from '../../imports/k8s';

const PORT = 5432;
const CA_FOLDER = '/etc/mlflow/backend-store-ca';

/**
 * How much a connection to PostgreSQL is protected.
 *
 * @see https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION
 */
export enum PostgresTlsMode {
  /** No encryption. For a server that has no TLS, in a network that nobody else is in. */
  DISABLE = 'disable',

  /** Encryption if the server offers it. Whoever sits in between can make it not offer it. */
  PREFER = 'prefer',

  /** Encryption, or no connection. Nobody checks whose certificate it is. */
  REQUIRE = 'require',

  /** Encryption, and the certificate comes from an authority in `ca`, whatever host it is for. */
  VERIFY_CA = 'verify-ca',

  /** Encryption, and the certificate comes from an authority in `ca` and is for this host. */
  VERIFY_FULL = 'verify-full',
}

/**
 * Protection of the connections to PostgreSQL.
 *
 * @see https://www.postgresql.org/docs/current/libpq-ssl.html
 */
export interface PostgresTls {
  /**
   * How much a connection is protected. The default of PostgreSQL's own clients, `PREFER`, protects from nobody.
   *
   * @default - PostgresTlsMode.VERIFY_FULL where `ca` is given, otherwise PostgresTlsMode.REQUIRE
   */
  readonly mode?: PostgresTlsMode;

  /**
   * Authorities that the certificate of the server may come from. There is no default: the driver in the image of MLflow
   * does not find the authorities of the system. Managed databases publish the file to download.
   *
   * @default - the certificate is not checked
   */
  readonly ca?: CertificateAuthority;
}

/** A copy of a PostgreSQL server that is read from. */
export interface PostgresReadReplica {
  /** DNS name or IP address of the replica. */
  readonly host: string;

  /**
   * Port of the replica.
   *
   * @default - `port` of the store
   */
  readonly port?: number;
}

/** Props of `ExternalPostgres`. */
export interface ExternalPostgresProps {
  /** DNS name or IP address of the server. With `PostgresTlsMode.VERIFY_FULL` it is the one in the certificate. */
  readonly host: string;

  /**
   * Port of the server.
   *
   * @default 5432
   */
  readonly port?: number;

  /**
   * Name of the database. It exists, and the user is its owner: MLflow makes its tables in it.
   *
   * @default "mlflow"
   */
  readonly database?: string;

  /** User of the database: `Credentials.fromSecretName(…)` or `new ExternalSecretCredentials(…)`. */
  readonly credentials: ICredentials;

  /**
   * Protection of the connections.
   *
   * @default - PostgresTlsMode.REQUIRE: a server without TLS is refused
   */
  readonly tls?: PostgresTls;

  /**
   * A replica for what MLflow only reads, with the same database, user, password and TLS. MLflow does not fall back to
   * `host` when it is away.
   *
   * @default - none
   * @see https://mlflow.org/docs/latest/api_reference/cli.html#mlflow-server
   */
  readonly readReplica?: PostgresReadReplica;

  /**
   * Port of the pods behind `host`, where it is a Service of the cluster whose pods listen at another port: NetworkPolicies
   * see that one.
   *
   * @default - `port`
   * @see https://kubernetes.io/docs/concepts/services-networking/network-policies/
   */
  readonly targetPort?: number;

  /**
   * Connections that the server takes (`SHOW max_connections`), or of a pooler before it those of its clients
   * (`max_client_conn`). Tracking servers that would open more are a fault.
   *
   * @default - nobody knows, and nothing is checked
   * @see https://www.postgresql.org/docs/current/runtime-config-connection.html
   */
  readonly maxConnections?: number;

  /**
   * Address ranges of server and replica, for the NetworkPolicies of the pods that use the store.
   *
   * @default - any address
   */
  readonly cidrs?: string[];
}

const SHAPE: Shape<ExternalPostgresProps> = {
  host: 'value',
  port: 'value',
  database: 'value',
  credentials: CREDENTIALS,
  tls: {},
  readReplica: {},
  targetPort: 'value',
  maxConnections: 'value',
  cidrs: 'list',
};
const TLS: Shape<PostgresTls> = { mode: 'value', ca: {} };
const READ_REPLICA: Shape<PostgresReadReplica> = { host: 'value', port: 'value' };

/**
 * A PostgreSQL that somebody else runs, as backend store: a managed one (RDS, Cloud SQL, Azure), an operator's, or one on
 * a machine of its own. User and password stay in their Secret; the library libpq reads them, and the settings of TLS, from
 * the environment of every process that connects.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/architecture/backend-store/
 */
export class ExternalPostgres extends Construct implements IBackendStore {
  public readonly uri?: string;
  public readonly environment: k8s.EnvVar[];
  public readonly secretNamespace?: string;
  public readonly volumes?: k8s.Volume[];
  public readonly volumeMounts?: k8s.VolumeMount[];
  public readonly egress?: k8s.NetworkPolicyEgressRule[];
  public readonly maxConnections?: number;

  /** Host name or address of the server. */
  public readonly host: string;

  /** Port of the server. */
  public readonly port: number;

  /** Name of the database. */
  public readonly database: string;

  /** User of the database, with whom the tracking server logs in. */
  public readonly credentials: ICredentials;

  /** How much the connections are protected. */
  public readonly tlsMode: PostgresTlsMode;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props where the server is, its database and user
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: ExternalPostgresProps) {
    super(place(scope, id), id);
    const checks = new PropChecks(this);
    props = checks.props(withoutSecrets(checks, props, ['credentials']), SHAPE);
    const example = 'mlflow.abc123.eu-west-1.rds.amazonaws.com';
    this.host = host(checks, 'host', checks.required('host', props.host, 'none', 'the server', JSON.stringify(example)), example);
    this.port = remotePort(checks, 'port', props.port ?? PORT, PORT);
    this.database = databaseName(checks, props.database ?? 'mlflow');
    this.maxConnections = maxConnections(checks, 'maxConnections', props.maxConnections);
    const nobody = { secretName: 'none', namespace: 'none', usernameKey: 'none', passwordKey: 'none', generated: false };
    this.credentials = existing(checks, checks.required('credentials', props.credentials, nobody, 'the user of the database', 'Credentials.fromSecretName(…)'));
    this.secretNamespace = props.credentials?.namespace;

    const tls = checks.props(props.tls ?? {}, TLS, 'tls.');
    const ca = caFile(checks, 'tls.ca', tls.ca, 'backend-store-ca', CA_FOLDER);
    this.tlsMode = tlsMode(checks, tls);
    if (ca !== undefined) {
      this.volumes = [ca.volume];
      this.volumeMounts = [ca.mount];
    }

    const replica = props.readReplica && this.replica(checks, checks.props(props.readReplica, READ_REPLICA, 'readReplica.'));
    const targetPort = props.targetPort === undefined ? [] : [remotePort(checks, 'targetPort', props.targetPort, PORT)];
    this.egress = [egressTo(checks, props.cidrs, [this.port, ...targetPort, ...(replica === undefined ? [] : [replica.port])])];

    this.uri = this.uriOf(this);
    this.environment = [
      envFromSecret('PGUSER', this.credentials.secretName, this.credentials.usernameKey),
      envFromSecret('PGPASSWORD', this.credentials.secretName, this.credentials.passwordKey),
      ...generationVariable('PG_CREDENTIALS_GENERATION', this.credentials),
      { name: 'PGSSLMODE', value: this.tlsMode },
      ...(ca === undefined ? [] : [{ name: 'PGSSLROOTCERT', value: ca.path }]),
      ...(replica === undefined ? [] : [{ name: 'MLFLOW_READ_REPLICA_BACKEND_STORE_URI', value: this.uriOf(replica) }]),
    ];
  }

  private replica(checks: PropChecks, { host: given, port }: PostgresReadReplica): { host: string; port: number } {
    const example = 'mlflow-ro.abc123.eu-west-1.rds.amazonaws.com';
    return {
      host: host(checks, 'readReplica.host', checks.required('readReplica.host', given, 'none', 'the replica', JSON.stringify(example)), example),
      port: remotePort(checks, 'readReplica.port', port ?? this.port, PORT),
    };
  }

  private uriOf(server: { readonly host: string; readonly port: number }): string {
    return postgresUri(uriHost(server.host), server.port, this.database);
  }
}

/** SQLAlchemy takes the name from a URI as it stands there, and libpq decodes it: so none that would be encoded. */
function databaseName(checks: PropChecks, name: string): string {
  if (typeof name !== 'string' || !/^[A-Za-z0-9_][\w.-]{0,62}$/.test(name)) {
    checks.fault({
      prop: 'database',
      value: name,
      rule:
        'the name of a database stands in a URI: letters, digits, "_", "-" and ".", at most 63 characters ' +
        '(https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS)',
      fix: 'pass a name such as "mlflow"',
    });
  }
  return name;
}

function tlsMode(checks: PropChecks, { mode, ca }: PostgresTls): PostgresTlsMode {
  const chosen = mode ?? (ca === undefined ? PostgresTlsMode.REQUIRE : PostgresTlsMode.VERIFY_FULL);
  checks.oneOf('tls.mode', chosen, Object.values(PostgresTlsMode), 'tls.mode');
  const verifies = [PostgresTlsMode.VERIFY_CA, PostgresTlsMode.VERIFY_FULL].includes(chosen);
  if (verifies && ca === undefined) {
    checks.fault({
      prop: 'tls.mode',
      value: chosen,
      rule: 'a certificate is checked against authorities, and tls.ca has none (https://www.postgresql.org/docs/current/libpq-ssl.html#LIBQ-SSL-CERTIFICATES)',
      fix: 'pass tls.ca, such as { configMapName: "database-ca" }, or PostgresTlsMode.REQUIRE as tls.mode',
    });
  }
  if (!verifies && ca !== undefined && Object.values(PostgresTlsMode).includes(chosen)) {
    checks.fault({
      prop: 'tls.mode',
      value: chosen,
      rule: 'tls.ca is there to check the certificate, and this mode is for connections whose certificate nobody checks (https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION)',
      fix: 'leave tls.mode out, which checks it, or leave tls.ca out',
    });
  }
  return chosen;
}
