import { Construct } from 'constructs';
import { IBackendStore } from './backend-store';
import { MAKE_DATABASE_SH } from '../assets.generated';
import { emptyDir, envFromSecret } from '../kube/pod';
import { Images } from '../options/images';
import { ICredentials } from '../secrets/credentials';
import { StatefulStore, StoreKind, StoreServer, StoreSetup, VOLUME } from '../store/stateful-store';
import { BOOTSTRAP_DEADLINE, CREDENTIALS, STORE } from '../store/store';
import { StoreOptions } from '../store/store-options';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { k8s } from '../../imports/k8s';

const PORT = 5432;
const VOLUME_PATH = '/var/lib/postgresql/data';
/** PostgreSQL keeps an identifier to 63 bytes. */
const IDENTIFIER = /^[a-z_][a-z0-9_]{0,62}$/;

/** Props of `Postgres`. */
export interface PostgresProps extends StoreOptions {
  /**
   * Name of the StatefulSet and its Service, and beginning of the names of all other objects.
   *
   * @default "postgres"
   * @see https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#rfc-1035-label-names
   */
  readonly name?: string;

  /**
   * Image of PostgreSQL: the official one, or one that takes the same environment variables.
   *
   * @default Images.POSTGRES
   */
  readonly image?: string;

  /**
   * Name of the database.
   *
   * @default "mlflow"
   * @see https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
   */
  readonly database?: string;

  /**
   * User of the database who is its owner and no superuser. The tracking server logs in with it.
   *
   * @default - Secret "<name>-user", with a password made up in the cluster
   */
  readonly credentials?: ICredentials;

  /**
   * Superuser of the server, used once, to make database and user.
   *
   * @default - Secret "<name>-superuser", with a password made up in the cluster
   */
  readonly superuserCredentials?: ICredentials;
}

const SHAPE: Shape<PostgresProps> = { ...STORE, database: 'value', superuserCredentials: CREDENTIALS };
const KIND: StoreKind = {
  shape: SHAPE,
  name: 'postgres',
  software: 'postgresql',
  component: 'backend-store',
  image: Images.POSTGRES,
  port: PORT,
  headless: true,
  user: { id: 'User', suffix: 'user', username: 'mlflow' },
  administrator: { prop: 'superuserCredentials', id: 'Superuser', suffix: 'superuser', username: 'postgres' },
};

/**
 * PostgreSQL as backend store: one server with a volume, and a Job that makes the database and its user.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/architecture/backend-store/
 */
export class Postgres extends StatefulStore implements IBackendStore {
  public readonly uri?: string;
  public readonly environment: k8s.EnvVar[];

  /** Host name of the server, which resolves in the whole cluster. */
  public readonly host: string;

  /** Port of the server. */
  public readonly port: number = PORT;

  /** Name of the database. */
  public readonly database: string;

  /** Superuser of the server. */
  public readonly superuserCredentials: ICredentials;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props names, database, credentials and size
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: PostgresProps = {}) {
    let own!: PostgresServer;
    super(scope, id, props, KIND, (setup) => (own = serverOf(setup as StoreSetup<PostgresProps>)));
    this.superuserCredentials = own.administrator;
    this.database = own.database;
    this.host = own.host;
    this.uri = `postgresql://${this.host}:${PORT}/${this.database}`;
    this.environment = [
      envFromSecret('PGUSER', this.credentials.secretName, this.credentials.usernameKey),
      envFromSecret('PGPASSWORD', this.credentials.secretName, this.credentials.passwordKey),
    ];
  }
}

interface PostgresServer extends StoreServer {
  readonly host: string;
  readonly database: string;
  readonly administrator: ICredentials;
}

function serverOf({ checks, props, name, host, user, administrator }: StoreSetup<PostgresProps>): PostgresServer {
  const database = databaseName(checks, props.database ?? 'mlflow');
  // localhost is 127.0.0.1 and ::1, and pg_isready tries both
  const ready = { exec: { command: ['pg_isready', '--host=localhost', `--port=${PORT}`, '--username=postgres', '--quiet'] } };
  return {
    host,
    database,
    administrator,
    container: {
      name: 'postgresql',
      env: [
        envFromSecret('POSTGRES_USER', administrator.secretName, administrator.usernameKey),
        envFromSecret('POSTGRES_PASSWORD', administrator.secretName, administrator.passwordKey),
        { name: 'POSTGRES_DB', value: 'postgres' },
        { name: 'POSTGRES_INITDB_ARGS', value: '--auth-host=scram-sha-256 --data-checksums' },
        // one level below the mount, since a volume can have a lost+found in its root
        { name: 'PGDATA', value: `${VOLUME_PATH}/pgdata` },
      ],
      ports: [{ name: 'postgresql', containerPort: PORT }],
      // a first start makes the cluster of databases, a start after a crash replays the log
      startupProbe: { ...ready, periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 300 },
      readinessProbe: { ...ready, periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3 },
      // a server that recovers refuses clients for a while, and to kill it then would begin it anew
      livenessProbe: { tcpSocket: { port: k8s.IntOrString.fromString('postgresql') }, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
      volumeMounts: [
        { name: VOLUME, mountPath: VOLUME_PATH },
        { name: 'run', mountPath: '/var/run/postgresql' },
        { name: 'tmp', mountPath: '/tmp' },
      ],
    },
    volumes: [emptyDir('run', '16Mi'), emptyDir('tmp', '512Mi')],
    // time for a checkpoint: a server that is killed has to replay its log at the next start
    terminationGracePeriodSeconds: 120,
    ports: [{ name: 'postgresql', port: PORT, targetPort: k8s.IntOrString.fromString('postgresql') }],
    script: { name: 'make-database.sh', text: MAKE_DATABASE_SH },
    scriptEnv: [
      { name: 'PGHOST', value: name },
      { name: 'PGPORT', value: String(PORT) },
      { name: 'DATABASE', value: database },
      { name: 'ADMIN_SECRET', value: administrator.secretName },
      { name: 'USER_SECRET', value: user.secretName },
      { name: 'DEADLINE_SECONDS', value: String(BOOTSTRAP_DEADLINE.toSeconds()) },
    ],
  };
}

function databaseName(checks: PropChecks, name: string): string {
  if (!IDENTIFIER.test(name) || ['postgres', 'template0', 'template1'].includes(name)) {
    checks.fault({
      prop: 'database',
      value: name,
      rule:
        'a database name has lower-case letters, digits and "_", no digit first, at most 63 characters, and is none of the server\'s own (postgres, template0, template1) ' +
        '(https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS)',
      fix: 'pass a name such as "mlflow"',
    });
  }
  return name;
}
