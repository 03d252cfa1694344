import { Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import { IBackendStore } from './backend-store';
import { PostgresMemory } from './postgres-memory';
import { identifier } from './postgres-names';
import { postgresUri } from './postgres-uri';
import { MAKE_DATABASE_SH, POSTGRES_READY_SH } from '../assets.generated';
import { emptyDir, envFromSecret } from '../kube/pod';
import { Images } from '../options/images';
import { ICredentials } from '../secrets/credentials';
import { generationVariable, inPlace } from '../secrets/in-place-credentials';
import { neededConnections } from '../store/connection-demand';
import { maxConnections as knownConnections, secretFile } from '../store/external-store';
import { SCRIPTS, StatefulStore, StoreKind, StoreServer, StoreSetup, VOLUME } from '../store/stateful-store';
import { CREDENTIALS, STORE } from '../store/store';
import { StoreOptions } from '../store/store-options';
import { Shape } from '../validation/prop-shape';
import { k8s } from '../../imports/k8s';

const PORT = 5432;
/**
 * A client that is gone without a word, with its node, is known to be after a minute, when it has answered none of the nine probes
 * that Linux sends, and its locks with it. By itself Linux takes two hours, in which no other pod may make or upgrade the schema.
 *
 * @see https://www.postgresql.org/docs/current/runtime-config-connection.html#GUC-TCP-KEEPALIVES-IDLE
 */
const PATIENCE = { tcp_keepalives_idle: 15, tcp_keepalives_interval: 5 };
const VOLUME_PATH = '/var/lib/postgresql/data';
const READY = 'postgres-ready.sh';
const SCRIPTS_DIR = '/scripts';
/** As postgres-ready.sh has it. */
const SUPERUSER_DIR = '/superuser';

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
   * Connections that the server takes (`max_connections`).
   *
   * @default - as many as its tracking servers open, 20 for others, and 100 at least
   * @see https://www.postgresql.org/docs/current/runtime-config-connection.html
   */
  readonly maxConnections?: number;

  /**
   * User of the database who is its owner and no superuser. The tracking server logs in with it.
   *
   * @default - Secret "<name>-user", with a password made up in the cluster
   */
  readonly credentials?: ICredentials;

  /**
   * Superuser of the server, who makes database and user. While the pod runs, he has the password that is in the Secret, also where
   * the volume was made with another one.
   *
   * @default - Secret "<name>-superuser", with a password made up in the cluster
   */
  readonly superuserCredentials?: ICredentials;
}

const SHAPE: Shape<PostgresProps> = { ...STORE, database: 'value', maxConnections: 'value', superuserCredentials: CREDENTIALS };
const KIND: StoreKind = {
  shape: SHAPE,
  name: 'postgres',
  software: 'postgresql',
  component: 'backend-store',
  image: Images.POSTGRES,
  port: PORT,
  headless: true,
  user: { id: 'User', suffix: 'user', username: 'mlflow' },
  administrator: { prop: 'superuserCredentials', id: 'Superuser', suffix: 'superuser', username: 'postgres', inPlace: true },
};

/**
 * PostgreSQL as backend store: one server with a volume, and a Job that makes the database and its user.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/architecture/backend-store/
 */
export class Postgres extends StatefulStore implements IBackendStore {
  public readonly uri?: string;
  public readonly environment: k8s.EnvVar[];

  /** Connections that the server takes, where `maxConnections` says it. */
  public readonly maxConnections?: number;

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
    this.maxConnections = own.maxConnections;
    this.superuserCredentials = own.administrator;
    this.database = own.database;
    this.host = own.host;
    this.uri = postgresUri(this.host, PORT, this.database);
    this.environment = [
      envFromSecret('PGUSER', this.credentials.secretName, this.credentials.usernameKey),
      envFromSecret('PGPASSWORD', this.credentials.secretName, this.credentials.passwordKey),
      ...generationVariable('PG_CREDENTIALS_GENERATION', this.credentials),
    ];
  }
}

interface PostgresServer extends StoreServer {
  readonly host: string;
  readonly database: string;
  readonly maxConnections?: number;
  readonly administrator: ICredentials;
}

function serverOf({ store, checks, props, name, host, user, administrator }: StoreSetup<PostgresProps>): PostgresServer {
  const database = identifier(checks, 'database', props.database ?? 'mlflow', ['postgres', 'template0', 'template1']);
  const maxConnections = knownConnections(checks, 'maxConnections', props.maxConnections);
  const memory = new PostgresMemory(store, props.resources);
  // localhost is 127.0.0.1 and ::1, and pg_isready tries both
  const ready = { exec: { command: ['pg_isready', '--host=localhost', `--port=${PORT}`, '--username=postgres', '--quiet'] } };
  const { secretName, usernameKey, passwordKey } = inPlace(administrator);
  const password = secretFile('superuser', SUPERUSER_DIR, { secretName, key: passwordKey }, 'password', true);
  return {
    host,
    database,
    administrator,
    maxConnections,
    memoryLimit: memory.limit,
    resources: memory.defaults,
    container: {
      name: 'postgresql',
      args: [
        Lazy.any({ produce: () => `--max_connections=${maxConnections ?? neededConnections(store)}` }) as unknown as string,
        ...Object.entries(PATIENCE).map(([name, value]) => `--${name}=${value}`),
      ],
      env: [
        envFromSecret('POSTGRES_USER', secretName, usernameKey),
        envFromSecret('POSTGRES_PASSWORD', secretName, passwordKey),
        { name: 'POSTGRES_DB', value: 'postgres' },
        { name: 'POSTGRES_INITDB_ARGS', value: '--auth-host=scram-sha-256 --data-checksums' },
        // one level below the mount, since a volume can have a lost+found in its root
        { name: 'PGDATA', value: `${VOLUME_PATH}/pgdata` },
      ],
      ports: [{ name: 'postgresql', containerPort: PORT }],
      // a first start makes the cluster of databases, a start after a crash replays the log
      startupProbe: { ...ready, periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 300 },
      readinessProbe: { exec: { command: ['/bin/bash', `${SCRIPTS_DIR}/${READY}`] }, periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3 },
      // a server that recovers refuses clients for a while, and to kill it then would begin it anew
      livenessProbe: { tcpSocket: { port: k8s.IntOrString.fromString('postgresql') }, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
      volumeMounts: [
        { name: VOLUME, mountPath: VOLUME_PATH },
        { name: 'run', mountPath: '/var/run/postgresql' },
        { name: 'tmp', mountPath: '/tmp' },
        { name: 'shm', mountPath: '/dev/shm' },
        { name: SCRIPTS, mountPath: SCRIPTS_DIR },
        password.mount,
      ],
    },
    scripts: { [READY]: POSTGRES_READY_SH },
    // parallel queries share memory there, of which a container has 64 MiB otherwise
    volumes: [emptyDir('run', '16Mi'), emptyDir('tmp', '512Mi'), { name: 'shm', emptyDir: { medium: 'Memory', sizeLimit: memory.shared } }, password.volume],
    // time for a checkpoint: a server that is killed has to replay its log at the next start
    terminationGracePeriodSeconds: 120,
    ports: [{ name: 'postgresql', port: PORT, targetPort: k8s.IntOrString.fromString('postgresql') }],
    script: { name: 'make-database.sh', text: MAKE_DATABASE_SH },
    scriptEnv: [
      { name: 'PGHOST', value: name },
      { name: 'PGPORT', value: String(PORT) },
      { name: 'DATABASE', value: database },
      { name: 'ADMIN_SECRET_NAME', value: secretName },
      ...(passwordKey === 'password' ? [] : [{ name: 'ADMIN_PASSWORD_KEY', value: passwordKey }]),
      { name: 'USER_SECRET_NAME', value: user.secretName },
    ],
  };
}
