import { Construct } from 'constructs';
import { IBackendStore } from './backend-store';
import { egressTo, maxConnections, remotePort } from '../store/external-store';
import { place } from '../validation/place';
import { envFromSecret } from '../kube/pod';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { k8s } from '../../imports/k8s';

/** Props of `ExternalDatabase`. */
export interface ExternalDatabaseProps {
  /** Name of the Secret with the URI. */
  readonly secretName: string;

  /**
   * Namespace of the Secret.
   *
   * @default - the namespace of the chart, else "mlflow"
   */
  readonly namespace?: string;

  /**
   * Key in the Secret under which the URI stands, such as `mysql+pymysql://user:password@host:3306/mlflow`. In a URI,
   * characters of user and password such as `@ : / %` are percent-encoded.
   *
   * @default "uri"
   * @see https://docs.sqlalchemy.org/en/20/core/engines.html#escaping-special-characters-such-as-signs-in-passwords
   */
  readonly key?: string;

  /**
   * Key in the Secret under which the URI of a replica stands, for what MLflow only reads.
   *
   * @default - no replica
   * @see https://mlflow.org/docs/latest/api_reference/cli.html#mlflow-server
   */
  readonly readReplicaKey?: string;

  /**
   * Port of the server, and of the replica, for the NetworkPolicies of the pods that use the store: the URI, which has it
   * too, is in the Secret. Of a Service of the cluster it is the port of its pods.
   */
  readonly port: number;

  /**
   * Connections that the server takes, of MySQL its `max_connections`. Tracking servers that would open more are a fault.
   *
   * @default - nobody knows, and nothing is checked
   */
  readonly maxConnections?: number;

  /**
   * Address ranges of the server, for the same NetworkPolicies.
   *
   * @default - any address
   */
  readonly cidrs?: string[];
}

const SHAPE: Shape<ExternalDatabaseProps> = { secretName: 'value', namespace: 'value', key: 'value', readReplicaKey: 'value', port: 'value', maxConnections: 'value', cidrs: 'list' };

/**
 * Any database that MLflow and SQLAlchemy can use (MySQL, Microsoft SQL Server), as backend store: its whole URI stands in a
 * Secret. The image of MLflow has the drivers `mysql+pymysql` and `mssql+pymssql`; for others extend it. For PostgreSQL see
 * `ExternalPostgres`, which knows TLS and takes any password as it is.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/architecture/backend-store/
 */
export class ExternalDatabase extends Construct implements IBackendStore {
  /** The URI is in the Secret: `environment` has it. */
  public readonly uri?: string;
  public readonly environment: k8s.EnvVar[];
  public readonly secretNamespace?: string;
  public readonly egress?: k8s.NetworkPolicyEgressRule[];
  public readonly maxConnections?: number;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the Secret, and the port of the server
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: ExternalDatabaseProps) {
    super(place(scope, id), id);
    const checks = new PropChecks(this);
    props = checks.props(props, SHAPE);
    const secretName = checks.objectName('secretName', checks.required('secretName', props.secretName, 'none', 'the Secret with the URI', '"mlflow-database"'));
    const key = checks.secretKey('key', props.key ?? 'uri');
    const replicaKey = props.readReplicaKey === undefined ? undefined : checks.secretKey('readReplicaKey', props.readReplicaKey);
    if (replicaKey === key) {
      checks.fault({
        prop: 'readReplicaKey',
        value: replicaKey,
        rule: 'server and replica have two URIs under two keys, here both under key',
        fix: 'pass the key of the URI of the replica, or leave it out',
      });
    }
    const port = remotePort(checks, 'port', checks.required('port', props.port, 3306, 'the port of the server', '3306'), 3306);
    this.maxConnections = maxConnections(checks, 'maxConnections', props.maxConnections);
    this.secretNamespace = checks.namespace(this, props.namespace);
    this.egress = [egressTo(checks, props.cidrs, [port])];
    this.environment = [
      envFromSecret('MLFLOW_BACKEND_STORE_URI', secretName, key),
      ...(replicaKey === undefined ? [] : [envFromSecret('MLFLOW_READ_REPLICA_BACKEND_STORE_URI', secretName, replicaKey)]),
    ];
  }
}
