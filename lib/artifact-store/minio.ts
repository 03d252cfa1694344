import { Construct } from 'constructs';
import { IArtifactStore } from './artifact-store';
import { MAKE_BUCKET_SH } from '../assets.generated';
import { Part, labels, selectorLabels, workloadLabels } from '../common/labels';
import { Service, StatefulSet } from '../common/objects';
import { place } from '../common/place';
import { CONTAINER_SECURITY, POD_SECURITY, containerResources, emptyDir, envFromSecret, volumeClaim } from '../common/pod';
import { PropChecks } from '../common/prop-checks';
import { Shape } from '../common/prop-shape';
import { BOOTSTRAP_DEADLINE, CREDENTIALS, STORE_RESOURCES, STORE_SIZE, checkSecretNamespaces, storeName } from '../common/store';
import { rejectTakenNames } from '../common/unique-names';
import { BootstrapJob } from '../credentials/bootstrap-job';
import { Credentials, ICredentials } from '../credentials/credentials';
import { Images } from '../images';
import { StoreOptions } from '../store-options';
import { k8s } from '../../imports/k8s';

const PORT = 9000;
const CONSOLE_PORT = 9001;

/** Props of `Minio`. */
export interface MinioProps extends StoreOptions {
  /**
   * Name of the StatefulSet and its Service, and beginning of the names of all other objects.
   *
   * @default "minio"
   * @see https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#rfc-1035-label-names
   */
  readonly name?: string;

  /**
   * Image of a MinIO-compatible server that has the client `mc` in it. The server is started by the image's own
   * entry point with the argument `server`.
   *
   * @default Images.MINIO
   */
  readonly image?: string;

  /**
   * Bucket for the artifacts. It is made private.
   *
   * @default "mlflow-bucket"
   * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
   */
  readonly bucket?: string;

  /**
   * Region that the server says it is in, and that its clients sign for.
   *
   * @default "us-east-1"
   */
  readonly region?: string;

  /**
   * User who may use the bucket and nothing else. The tracking server has its keys.
   *
   * @default - Secret "<name>-user", with keys made up in the cluster
   */
  readonly credentials?: ICredentials;

  /**
   * Root user of the server. The tracking server never sees it.
   *
   * @default - Secret "<name>-root", with a name and a password made up in the cluster
   */
  readonly rootCredentials?: ICredentials;
}

const SHAPE: Shape<MinioProps> = {
  name: 'value',
  namespace: 'value',
  instance: 'value',
  image: 'value',
  bootstrapImage: 'value',
  bucket: 'value',
  region: 'value',
  credentials: CREDENTIALS,
  rootCredentials: CREDENTIALS,
  storageSize: 'value',
  storageClassName: 'value',
  resources: {},
};

/**
 * MinIO as artifact store: one server with a volume, and a Job that makes the private bucket, a user and a policy
 * for this bucket only.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/architecture/artifact-store/
 */
export class Minio extends Construct implements IArtifactStore {
  public readonly artifactsDestination: string;
  public readonly environment: k8s.EnvVar[];
  public readonly secretNamespace?: string;
  public readonly userMayComeLate?: boolean;

  /** Namespace of all objects. */
  public readonly namespace: string;

  /** Bucket for the artifacts. */
  public readonly bucket: string;

  /** URL of the S3 API, which resolves in the whole cluster. */
  public readonly endpointUrl: string;

  /** URL of the web console, which resolves in the whole cluster. The root user logs in there. */
  public readonly consoleUrl: string;

  /** Region of the server. */
  public readonly region: string;

  /** User who may use the bucket, with whose keys the tracking server works. */
  public readonly credentials: ICredentials;

  /** Root user of the server. */
  public readonly rootCredentials: ICredentials;

  /** The server. */
  public readonly statefulSet: k8s.KubeStatefulSet;

  /** Service of the server: the S3 API at port 9000, the console at port 9001. */
  public readonly service: k8s.KubeService;

  /** Labels that select the pod of the server. */
  public readonly podLabels: { [key: string]: string };

  /** Job that makes bucket, user and policy. Its name in the YAML carries a fingerprint of its spec, after all patches. */
  public readonly bootstrapJob: k8s.KubeJob;

  /** ServiceAccount of the bootstrap Job. */
  public readonly bootstrapServiceAccount: k8s.KubeServiceAccount;

  /** Role of the bootstrap Job: it may read, and where they are generated fill, the Secrets of this store. */
  public readonly bootstrapRole: k8s.KubeRole;

  /** RoleBinding of the bootstrap Job. */
  public readonly bootstrapRoleBinding: k8s.KubeRoleBinding;

  /** ConfigMap with the scripts of the bootstrap Job. */
  public readonly bootstrapScripts: k8s.KubeConfigMap;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props names, bucket, credentials and size
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: MinioProps = {}) {
    super(place(scope, id), id);
    const checks = new PropChecks(this);
    props = checks.props(props, SHAPE);
    const name = storeName(checks, props.name ?? 'minio');
    const image = checks.image('image', props.image ?? Images.MINIO);
    const part: Part = { name: 'minio', instance: props.instance === undefined ? name : checks.labelValue('instance', props.instance), component: 'artifact-store', image };
    this.podLabels = selectorLabels(part);
    this.namespace = checks.namespace(this, props.namespace);
    this.bucket = checks.bucket('bucket', props.bucket ?? 'mlflow-bucket');
    this.region = props.region ?? 'us-east-1';
    if (typeof this.region !== 'string' || !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(this.region)) {
      checks.fault({
        prop: 'region',
        value: this.region,
        rule: 'a region has lower-case letters, digits and hyphens (https://docs.aws.amazon.com/general/latest/gr/rande.html)',
        fix: 'pass a region such as "us-east-1"',
      });
    }
    const host = `${name}.${this.namespace}.svc.cluster.local`;
    this.endpointUrl = `http://${host}:${PORT}`;
    this.consoleUrl = `http://${host}:${CONSOLE_PORT}`;
    const storageClassName = checks.storageClassName(props.storageClassName);
    const metadata = { name, namespace: this.namespace, labels: labels(part) };

    this.rootCredentials =
      props.rootCredentials ??
      new Credentials(this, 'Root', { secretName: `${name}-root`, username: 'minio-root-', namespace: this.namespace, labels: labels(part) });
    this.credentials =
      props.credentials ??
      new Credentials(this, 'User', {
        secretName: `${name}-user`,
        username: 'minio-',
        usernameKey: 'AWS_ACCESS_KEY_ID',
        passwordKey: 'AWS_SECRET_ACCESS_KEY',
        namespace: this.namespace,
        labels: labels(part),
      });
    this.secretNamespace = this.credentials.namespace;
    // where the cluster makes up the keys, the Secret is filled after the user is made
    this.userMayComeLate = !this.credentials.generated;
    checkSecretNamespaces(checks, this.namespace, { credentials: this.credentials, rootCredentials: this.rootCredentials });

    this.service = new Service(this, 'Service', {
      metadata,
      spec: {
        type: 'ClusterIP',
        selector: this.podLabels,
        ports: [
          { name: 's3', port: PORT, targetPort: k8s.IntOrString.fromString('s3') },
          { name: 'console', port: CONSOLE_PORT, targetPort: k8s.IntOrString.fromString('console') },
        ],
      },
    });

    const live = { httpGet: { path: '/minio/health/live', port: k8s.IntOrString.fromString('s3') }, timeoutSeconds: 5 };
    this.statefulSet = new StatefulSet(this, 'StatefulSet', {
      metadata: { ...metadata, labels: workloadLabels(part) },
      spec: {
        serviceName: name,
        replicas: 1,
        selector: { matchLabels: this.podLabels },
        template: {
          metadata: { labels: workloadLabels(part) },
          spec: {
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            securityContext: POD_SECURITY,
            terminationGracePeriodSeconds: 60,
            containers: [
              {
                name: 'minio',
                image,
                imagePullPolicy: 'IfNotPresent',
                // no command: the images name their server differently, and each entry point finds its own
                args: ['server', '/data', `--console-address=:${CONSOLE_PORT}`],
                env: [
                  envFromSecret('MINIO_ROOT_USER', this.rootCredentials.secretName, this.rootCredentials.usernameKey),
                  envFromSecret('MINIO_ROOT_PASSWORD', this.rootCredentials.secretName, this.rootCredentials.passwordKey),
                  { name: 'MINIO_SITE_REGION', value: this.region },
                  // the server would ask the internet for updates
                  { name: 'MINIO_UPDATE', value: 'off' },
                  { name: 'HOME', value: '/tmp' },
                ],
                ports: [
                  { name: 's3', containerPort: PORT },
                  { name: 'console', containerPort: CONSOLE_PORT },
                ],
                startupProbe: { ...live, periodSeconds: 2, failureThreshold: 150 },
                readinessProbe: {
                  httpGet: { path: '/minio/health/ready', port: k8s.IntOrString.fromString('s3') },
                  timeoutSeconds: 5,
                  periodSeconds: 5,
                  failureThreshold: 3,
                },
                livenessProbe: { ...live, periodSeconds: 10, failureThreshold: 6 },
                resources: containerResources(checks, props.resources, STORE_RESOURCES, '1Gi'),
                securityContext: CONTAINER_SECURITY,
                terminationMessagePolicy: 'FallbackToLogsOnError',
                volumeMounts: [
                  { name: 'data', mountPath: '/data' },
                  { name: 'tmp', mountPath: '/tmp' },
                ],
              },
            ],
            volumes: [emptyDir('tmp', '512Mi')],
          },
        },
        volumeClaimTemplates: [
          volumeClaim('data', this.podLabels, checks.size('storageSize', props.storageSize ?? STORE_SIZE), storageClassName),
        ],
      },
    });
    rejectTakenNames(this, 'name', 'give each store of the namespace, or each stack, its own name');
    this.node.defaultChild = this.statefulSet;

    const bootstrap = new BootstrapJob(this, 'Bootstrap', {
      part,
      name,
      namespace: this.namespace,
      pythonImage: checks.image('bootstrapImage', props.bootstrapImage ?? Images.MLFLOW),
      admin: this.rootCredentials,
      user: this.credentials,
      toolImage: image,
      storeUrl: this.endpointUrl,
      script: { name: 'make-bucket.sh', text: MAKE_BUCKET_SH },
      scriptEnv: [
        { name: 'STORE_URL', value: this.endpointUrl },
        { name: 'STORE_NAME', value: name },
        { name: 'BUCKET', value: this.bucket },
        { name: 'REGION', value: this.region },
        { name: 'POLICY', value: `${this.bucket}-only` },
        { name: 'ADMIN_SECRET', value: this.rootCredentials.secretName },
        { name: 'DEADLINE_SECONDS', value: String(BOOTSTRAP_DEADLINE.toSeconds()) },
      ],
    });
    this.bootstrapJob = bootstrap.job;
    this.bootstrapServiceAccount = bootstrap.serviceAccount;
    this.bootstrapRole = bootstrap.role;
    this.bootstrapRoleBinding = bootstrap.roleBinding;
    this.bootstrapScripts = bootstrap.scripts;

    this.artifactsDestination = `s3://${this.bucket}`;
    this.environment = [
      envFromSecret('AWS_ACCESS_KEY_ID', this.credentials.secretName, this.credentials.usernameKey),
      envFromSecret('AWS_SECRET_ACCESS_KEY', this.credentials.secretName, this.credentials.passwordKey),
      { name: 'MLFLOW_S3_ENDPOINT_URL', value: this.endpointUrl },
      { name: 'AWS_DEFAULT_REGION', value: this.region },
      { name: 'AWS_REGION', value: this.region },
    ];
  }
}
