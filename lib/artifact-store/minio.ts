import { Size } from 'cdk8s';
import { Construct } from 'constructs';
import { IArtifactStore } from './artifact-store';
import { bucketEnv } from './minio-bucket';
import { MinioLifecycleRule, MinioTls } from './minio-options';
import { MinioServers } from './minio-servers';
import { MAKE_BUCKET_SH } from '../assets.generated';
import { emptyDir, envFromSecret } from '../kube/pod';
import { Images } from '../options/images';
import { ICredentials } from '../secrets/credentials';
import { generationVariable } from '../secrets/in-place-credentials';
import { MountedFile, caFile, destination, keyPrefix, secretFile } from '../store/external-store';
import { StatefulStore, StoreKind, StoreServer, StoreSetup, VOLUME } from '../store/stateful-store';
import { CREDENTIALS, STORE } from '../store/store';
import { StoreOptions } from '../store/store-options';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { k8s } from '../../imports/k8s';

const PORT = 9000;
const CONSOLE_PORT = 9001;
const CERTS_DIR = '/etc/minio/certs';
const CA_VOLUME = 'artifact-store-ca';
const CA_DIR = '/etc/mlflow/artifact-store-ca';

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
   * What all keys in the bucket begin with, without the slash that follows. The user of the tracking server may use the whole
   * bucket all the same. Choose it before the first run: with another prefix, MLflow does not find the artifacts of the old one.
   *
   * @default - the artifacts have the bucket for themselves
   * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-prefixes.html
   */
  readonly prefix?: string;

  /**
   * Whether the bucket keeps what is deleted or written over, so that it can be brought back. This takes space that no delete
   * frees: give `lifecycleRules` with `noncurrentExpireDays` too. False suspends the versioning of a bucket that has it; its
   * versions stay.
   *
   * @default - left as it is; a new bucket has none
   * @see https://docs.min.io/community/minio-object-store/administration/object-management/object-versioning.html
   */
  readonly versioning?: boolean;

  /**
   * What the server deletes by itself, and when. An artifact that expires is lost, although MLflow goes on to list its run.
   * The bucket has exactly these rules: a rule that was added by hand is removed.
   *
   * @default - nothing is deleted
   * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html
   */
  readonly lifecycleRules?: MinioLifecycleRule[];

  /**
   * Size of all objects in the bucket, with their versions, from which on the server takes no more. It counts now and then, so
   * that the bucket can grow somewhat beyond. A quota that was set by hand is replaced, or removed where this is not given.
   *
   * @default - as much as the volume takes
   * @see https://docs.min.io/aistor/administration/bucket-quotas/
   */
  readonly quota?: Size;

  /**
   * Number of servers, each with a volume of `storageSize`: one, or four and more. Four keep the parts of each object, of which half
   * make it whole: one server may go, and nothing is refused. Objects may then take half of the space (with 8 and 16 servers 1/2 and
   * 3/4). It cannot be changed: from one server to four is another store and a copy.
   *
   * @default 1
   * @see https://docs.min.io/community/minio-object-store/operations/concepts/erasure-coding.html
   */
  readonly servers?: number;

  /**
   * Whether the server has a web console, at port 9001. It is one more login page for the root user, and `mc` does all that it does.
   *
   * @default false
   * @see https://docs.min.io/community/minio-object-store/administration/minio-console.html
   */
  readonly console?: boolean;

  /**
   * Certificate of the server. With it API and console speak HTTPS only.
   *
   * @default - HTTP
   * @see https://docs.min.io/community/minio-object-store/operations/network-encryption.html
   */
  readonly tls?: MinioTls;

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
  ...STORE,
  bucket: 'value',
  prefix: 'value',
  versioning: 'value',
  lifecycleRules: 'list',
  quota: 'value',
  servers: 'value',
  console: 'value',
  tls: {},
  region: 'value',
  rootCredentials: CREDENTIALS,
};
const KIND: StoreKind = {
  shape: SHAPE,
  name: 'minio',
  software: 'minio',
  component: 'artifact-store',
  image: Images.MINIO,
  port: PORT,
  headless: false,
  user: { id: 'User', suffix: 'user', username: 'minio-', usernameKey: 'AWS_ACCESS_KEY_ID', passwordKey: 'AWS_SECRET_ACCESS_KEY' },
  administrator: { prop: 'rootCredentials', id: 'Root', suffix: 'root', username: 'minio-root-' },
};
const TLS: Shape<MinioTls> = { secretName: 'value', ca: {} };

/**
 * MinIO as artifact store: one server with a volume, or several that keep each object together, and a Job that makes the private
 * bucket, a user and a policy for this bucket only.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/architecture/artifact-store/
 */
export class Minio extends StatefulStore implements IArtifactStore {
  public readonly artifactsDestination: string;
  public readonly environment: k8s.EnvVar[];
  public readonly volumes?: k8s.Volume[];
  public readonly volumeMounts?: k8s.VolumeMount[];
  public readonly userMayComeLate?: boolean;

  /** Bucket for the artifacts. */
  public readonly bucket: string;

  /** URL of the S3 API, which resolves in the whole cluster. */
  public readonly endpointUrl: string;

  /** URL of the web console, which resolves in the whole cluster, where `console` is true. The root user logs in there. */
  public readonly consoleUrl?: string;

  /** Region of the server. */
  public readonly region: string;

  /** Root user of the server. */
  public readonly rootCredentials: ICredentials;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props names, bucket, credentials and size
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: MinioProps = {}) {
    let own!: MinioServer;
    super(scope, id, props, KIND, (setup) => (own = serverOf(setup as StoreSetup<MinioProps>)));
    this.rootCredentials = own.administrator;
    this.bucket = own.bucket;
    this.region = own.region;
    this.endpointUrl = own.storeUrl;
    this.consoleUrl = own.consoleUrl;
    this.artifactsDestination = destination(`s3://${this.bucket}`, own.prefix);
    // where the cluster makes up the keys, the Secret is filled after the user is made
    this.userMayComeLate = !this.credentials.generated;
    if (own.ca) {
      this.volumes = [own.ca.volume];
      this.volumeMounts = [own.ca.mount];
    }
    this.environment = [
      envFromSecret('AWS_ACCESS_KEY_ID', this.credentials.secretName, this.credentials.usernameKey),
      envFromSecret('AWS_SECRET_ACCESS_KEY', this.credentials.secretName, this.credentials.passwordKey),
      ...generationVariable('AWS_CREDENTIALS_GENERATION', this.credentials),
      { name: 'MLFLOW_S3_ENDPOINT_URL', value: this.endpointUrl },
      { name: 'AWS_DEFAULT_REGION', value: this.region },
      { name: 'AWS_REGION', value: this.region },
      ...(own.ca ? [{ name: 'AWS_CA_BUNDLE', value: own.ca.path }] : []),
    ];
  }
}

interface MinioServer extends StoreServer {
  readonly administrator: ICredentials;
  readonly bucket: string;
  readonly prefix?: string;
  readonly region: string;
  readonly storeUrl: string;
  readonly consoleUrl?: string;
  readonly ca?: MountedFile;
}

function serverOf({ checks, props, name, host, administrator, storageSize }: StoreSetup<MinioProps>): MinioServer {
  const bucket = checks.bucket('bucket', props.bucket ?? 'mlflow-bucket');
  const region = checks.region('region', props.region ?? 'us-east-1');
  const tls = props.tls && serverTls(checks, props.tls);
  const scheme = tls ? 'https' : 'http';
  const storeUrl = `${scheme}://${host}:${PORT}`;
  const hasConsole = checks.flag('console', props.console ?? false);
  const servers = new MinioServers(checks, props.servers);
  const prefix = keyPrefix(checks, props.prefix);
  const quota = props.quota === undefined ? undefined : checks.size('quota', props.quota);
  const healthy = (page: string): k8s.Probe => ({
    httpGet: { path: `/minio/health/${page}`, port: k8s.IntOrString.fromString('s3'), ...(tls && { scheme: 'HTTPS' }) },
    timeoutSeconds: 5,
  });
  return {
    administrator,
    bucket,
    prefix,
    region,
    storeUrl,
    consoleUrl: hasConsole ? `${scheme}://${host}:${CONSOLE_PORT}` : undefined,
    ca: tls?.ca,
    replicas: servers.count,
    container: {
      name: 'minio',
      // no command: the images name their server differently, and each entry point finds its own
      args: ['server', servers.folders(scheme, name, host, PORT), ...(hasConsole ? [`--console-address=:${CONSOLE_PORT}`] : []), ...(tls ? [`--certs-dir=${CERTS_DIR}`] : [])],
      env: [
        envFromSecret('MINIO_ROOT_USER', administrator.secretName, administrator.usernameKey),
        envFromSecret('MINIO_ROOT_PASSWORD', administrator.secretName, administrator.passwordKey),
        { name: 'MINIO_SITE_REGION', value: region },
        // the server would ask the internet for updates
        { name: 'MINIO_UPDATE', value: 'off' },
        ...(hasConsole ? [] : [{ name: 'MINIO_BROWSER', value: 'off' }]),
        { name: 'HOME', value: '/tmp' },
      ],
      ports: [
        { name: 's3', containerPort: PORT },
        ...(hasConsole ? [{ name: 'console', containerPort: CONSOLE_PORT }] : []),
      ],
      startupProbe: { ...healthy('live'), periodSeconds: 2, failureThreshold: 150 },
      readinessProbe: { ...healthy('ready'), periodSeconds: 5, failureThreshold: 3 },
      livenessProbe: { ...healthy('live'), periodSeconds: 10, failureThreshold: 6 },
      volumeMounts: [
        { name: VOLUME, mountPath: '/data' },
        { name: 'tmp', mountPath: '/tmp' },
        ...(tls ? [{ name: 'certs', mountPath: CERTS_DIR }] : []),
      ],
    },
    volumes: [emptyDir('tmp', '512Mi'), ...(tls ? [tls.certs] : [])],
    terminationGracePeriodSeconds: 60,
    ports: [
      { name: 's3', port: PORT, targetPort: k8s.IntOrString.fromString('s3') },
      ...(hasConsole ? [{ name: 'console', port: CONSOLE_PORT, targetPort: k8s.IntOrString.fromString('console') }] : []),
    ],
    script: { name: 'make-bucket.sh', text: MAKE_BUCKET_SH },
    scriptEnv: [
      { name: 'STORE_URL', value: storeUrl },
      { name: 'STORE_NAME', value: name },
      { name: 'BUCKET', value: bucket },
      { name: 'REGION', value: region },
      { name: 'POLICY', value: `${bucket}-only` },
      { name: 'ADMIN_SECRET_NAME', value: administrator.secretName },
      ...bucketEnv(checks, { ...props, prefix, quota, storageSize, volumes: servers.count, usableShare: servers.usableShare }),
      // what mc, a program in Go, knows authorities from
      ...(tls ? [{ name: 'SSL_CERT_FILE', value: tls.ca.path }] : []),
    ],
    ...(tls && { scriptVolumes: [tls.ca.volume], scriptMounts: [tls.ca.mount] }),
  };
}

/** The volume of the server with its certificate, and the file with that of the authority. */
function serverTls(checks: PropChecks, given: MinioTls): { certs: k8s.Volume; ca: MountedFile } {
  const options = checks.props(given, TLS, 'tls.');
  const named = checks.required('tls.secretName', options.secretName, 'none', 'the Secret with the certificate', '"minio-tls"');
  const secretName = checks.objectName('tls.secretName', named);
  // the names under which the server looks for them
  const items = [
    { key: 'tls.crt', path: 'public.crt' },
    { key: 'tls.key', path: 'private.key' },
  ];
  return {
    certs: { name: 'certs', secret: { secretName, items, defaultMode: 0o440 } },
    ca: caFile(checks, 'tls.ca', options.ca, CA_VOLUME, CA_DIR) ?? secretFile(CA_VOLUME, CA_DIR, { secretName, key: 'ca.crt' }, 'ca.crt'),
  };
}
