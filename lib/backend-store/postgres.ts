import { Construct } from 'constructs';
import { IBackendStore } from './backend-store';
import { MAKE_DATABASE_SH } from '../assets.generated';
import { ImageSource } from '../kube/image-source';
import { Part, labels, selectorLabels, workloadLabels } from '../kube/labels';
import { decided } from '../kube/linters';
import { connect, networkPolicyOptions, podPolicy, toPods } from '../kube/network';
import { Service, StatefulSet } from '../kube/objects';
import { place } from '../validation/place';
import { CONTAINER_SECURITY, POD_SECURITY, containerResources, emptyDir, envFromSecret, volumeClaim } from '../kube/pod';
import { PodSettings } from '../kube/pod-settings';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { BOOTSTRAP_DEADLINE, CREDENTIALS, STORE_RESOURCES, STORE_SIZE, checkSecretNamespaces, storeName } from '../store/store';
import { rejectSharedSelector, rejectTakenNames } from '../validation/unique-names';
import { BootstrapJob } from '../secrets/bootstrap-job';
import { Credentials, ICredentials } from '../secrets/credentials';
import { Images } from '../options/images';
import { StoreOptions } from '../store/store-options';
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

const SHAPE: Shape<PostgresProps> = {
  name: 'value',
  namespace: 'value',
  instance: 'value',
  image: 'value',
  bootstrapImage: 'value',
  database: 'value',
  credentials: CREDENTIALS,
  superuserCredentials: CREDENTIALS,
  storageSize: 'value',
  storageClassName: 'value',
  resources: {},
  images: {},
  pod: {},
  networkPolicy: {},
};

/**
 * PostgreSQL as backend store: one server with a volume, and a Job that makes the database and its user.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/architecture/backend-store/
 */
export class Postgres extends Construct implements IBackendStore {
  public readonly uri?: string;
  public readonly environment: k8s.EnvVar[];
  public readonly secretNamespace?: string;
  public readonly egress?: k8s.NetworkPolicyEgressRule[];

  /** Namespace of all objects. */
  public readonly namespace: string;

  /** Host name of the server, which resolves in the whole cluster. */
  public readonly host: string;

  /** Port of the server. */
  public readonly port: number = PORT;

  /** Name of the database. */
  public readonly database: string;

  /** User of the database, with whom the tracking server logs in. */
  public readonly credentials: ICredentials;

  /** Superuser of the server. */
  public readonly superuserCredentials: ICredentials;

  /** The server. */
  public readonly statefulSet: k8s.KubeStatefulSet;

  /** Headless Service of the server. */
  public readonly service: k8s.KubeService;

  /** Labels that select the pod of the server. */
  public readonly podLabels: { [key: string]: string };

  /** Job that makes the database and its user. Its name in the YAML carries a fingerprint of its spec, after all patches. */
  public readonly bootstrapJob: k8s.KubeJob;

  /** ServiceAccount of the bootstrap Job. */
  public readonly bootstrapServiceAccount: k8s.KubeServiceAccount;

  /** Role of the bootstrap Job: it may read, and where they are generated fill, the Secrets of this store. */
  public readonly bootstrapRole: k8s.KubeRole;

  /** RoleBinding of the bootstrap Job. */
  public readonly bootstrapRoleBinding: k8s.KubeRoleBinding;

  /** ConfigMap with the scripts of the bootstrap Job. */
  public readonly bootstrapScripts: k8s.KubeConfigMap;

  /** NetworkPolicy of the server, where `networkPolicy.enabled` is true. */
  public readonly networkPolicy?: k8s.KubeNetworkPolicy;

  /** NetworkPolicy of the bootstrap Job, where `networkPolicy.enabled` is true. */
  public readonly bootstrapNetworkPolicy?: k8s.KubeNetworkPolicy;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props names, database, credentials and size
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: PostgresProps = {}) {
    super(place(scope, id), id);
    const checks = new PropChecks(this);
    props = checks.props(props, SHAPE);
    const name = storeName(checks, props.name ?? 'postgres');
    const images = new ImageSource(checks, props.images);
    const image = images.of('image', props.image ?? Images.POSTGRES);
    const part: Part = { name: 'postgresql', instance: props.instance === undefined ? name : checks.labelValue('instance', props.instance), component: 'backend-store', image };
    this.podLabels = selectorLabels(part);
    this.namespace = checks.namespace(this, props.namespace);
    this.database = props.database ?? 'mlflow';
    if (!IDENTIFIER.test(this.database) || ['postgres', 'template0', 'template1'].includes(this.database)) {
      checks.fault({
        prop: 'database',
        value: this.database,
        rule:
          'a database name has lower-case letters, digits and "_", no digit first, at most 63 characters, and is none of the server\'s own (postgres, template0, template1) ' +
          '(https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS)',
        fix: 'pass a name such as "mlflow"',
      });
    }
    const storageClassName = checks.storageClassName(props.storageClassName);
    const metadata = { name, namespace: this.namespace, labels: labels(part) };
    const pod = new PodSettings(checks, props.pod, images);
    const network = networkPolicyOptions(checks, props.networkPolicy);
    const connection = toPods(this.podLabels, PORT);
    this.egress = [connection];

    this.superuserCredentials =
      props.superuserCredentials ??
      new Credentials(this, 'Superuser', { secretName: `${name}-superuser`, username: 'postgres', namespace: this.namespace, labels: labels(part) });
    this.credentials =
      props.credentials ??
      new Credentials(this, 'User', { secretName: `${name}-user`, username: 'mlflow', namespace: this.namespace, labels: labels(part) });
    this.secretNamespace = this.credentials.namespace;
    checkSecretNamespaces(checks, this.namespace, { credentials: this.credentials, superuserCredentials: this.superuserCredentials });

    this.service = new Service(this, 'Service', {
      metadata,
      spec: {
        clusterIp: 'None',
        selector: this.podLabels,
        ports: [{ name: 'postgresql', port: PORT, targetPort: k8s.IntOrString.fromString('postgresql') }],
      },
    });

    const ready = { exec: { command: ['pg_isready', '--host=127.0.0.1', `--port=${PORT}`, '--username=postgres', '--quiet'] } };
    this.statefulSet = new StatefulSet(this, 'StatefulSet', {
      metadata: { ...metadata, labels: workloadLabels(part), annotations: decided({ images: [image], pullPolicy: images.pullPolicy, secretsInEnv: true }) },
      spec: {
        serviceName: name,
        replicas: 1,
        selector: { matchLabels: this.podLabels },
        template: {
          metadata: { labels: pod.labels(workloadLabels(part)), annotations: pod.annotations() },
          spec: pod.complete({
            ...pod.placement(this.podLabels),
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            securityContext: POD_SECURITY,
            // time for a checkpoint: a server that is killed has to replay its log at the next start
            terminationGracePeriodSeconds: 120,
            containers: [
              {
                name: 'postgresql',
                image,
                imagePullPolicy: images.pullPolicy,
                env: [
                  envFromSecret('POSTGRES_USER', this.superuserCredentials.secretName, this.superuserCredentials.usernameKey),
                  envFromSecret('POSTGRES_PASSWORD', this.superuserCredentials.secretName, this.superuserCredentials.passwordKey),
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
                resources: containerResources(checks, props.resources, STORE_RESOURCES, '1Gi'),
                securityContext: CONTAINER_SECURITY,
                terminationMessagePolicy: 'FallbackToLogsOnError',
                volumeMounts: [
                  { name: 'data', mountPath: VOLUME_PATH },
                  { name: 'run', mountPath: '/var/run/postgresql' },
                  { name: 'tmp', mountPath: '/tmp' },
                ],
              },
            ],
            volumes: [emptyDir('run', '16Mi'), emptyDir('tmp', '512Mi')],
          }),
        },
        volumeClaimTemplates: [
          volumeClaim('data', this.podLabels, checks.size('storageSize', props.storageSize ?? STORE_SIZE), storageClassName),
        ],
      },
    });
    rejectTakenNames(this, 'name', 'give each store of the namespace, or each stack, its own name');
    rejectSharedSelector(this, name, this.namespace, this.podLabels);
    this.node.defaultChild = this.statefulSet;

    const bootstrap = new BootstrapJob(this, 'Bootstrap', {
      part,
      name,
      namespace: this.namespace,
      pythonImage: images.of('bootstrapImage', props.bootstrapImage ?? Images.MLFLOW),
      images,
      pod,
      egress: network && [connection, ...network.egress],
      admin: this.superuserCredentials,
      user: this.credentials,
      toolImage: image,
      script: { name: 'make-database.sh', text: MAKE_DATABASE_SH },
      scriptEnv: [
        { name: 'PGHOST', value: name },
        { name: 'PGPORT', value: String(PORT) },
        { name: 'DATABASE', value: this.database },
        { name: 'ADMIN_SECRET', value: this.superuserCredentials.secretName },
        { name: 'DEADLINE_SECONDS', value: String(BOOTSTRAP_DEADLINE.toSeconds()) },
      ],
    });
    this.bootstrapJob = bootstrap.job;
    this.bootstrapServiceAccount = bootstrap.serviceAccount;
    this.bootstrapRole = bootstrap.role;
    this.bootstrapRoleBinding = bootstrap.roleBinding;
    this.bootstrapScripts = bootstrap.scripts;
    this.bootstrapNetworkPolicy = bootstrap.networkPolicy;
    connect(this, bootstrap.podLabels);
    if (network !== undefined) {
      this.networkPolicy = podPolicy(this, 'NetworkPolicy', { ...metadata, podLabels: this.podLabels, ports: [PORT], server: this, ...network });
    }

    this.host = `${name}.${this.namespace}.svc.cluster.local`;
    this.uri = `postgresql://${this.host}:${PORT}/${this.database}`;
    this.environment = [
      envFromSecret('PGUSER', this.credentials.secretName, this.credentials.usernameKey),
      envFromSecret('PGPASSWORD', this.credentials.secretName, this.credentials.passwordKey),
    ];
  }
}
