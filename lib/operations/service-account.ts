import { Construct } from 'constructs';
import { ServiceAccount } from '../kube/objects';
import { ITrackingServer } from '../tracking-server/server';
import { ofServer } from '../tracking-server/add-on';
import { place } from '../validation/place';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
import { rejectTakenNames } from '../validation/unique-names';
import { k8s } from '../../imports/k8s';

/**
 * ServiceAccount of the pods. Its token for the Kubernetes API is not mounted: MLflow has no use for it.
 *
 * @see https://kubernetes.io/docs/concepts/security/service-accounts/
 */
export interface ServiceAccountOptions {
  /**
   * Name of the ServiceAccount.
   *
   * @default - the name of the tracking server
   */
  readonly name?: string;

  /**
   * Whether it is made. Otherwise there is one of this name already.
   *
   * @default true
   */
  readonly create?: boolean;

  /**
   * Annotations, by which clouds know it: `eks.amazonaws.com/role-arn`, `iam.gke.io/gcp-service-account` or
   * `azure.workload.identity/client-id`.
   *
   * @default - none
   * @see https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html
   */
  readonly annotations?: { [key: string]: string };
}

/** Props of `ServerServiceAccount`. */
export interface ServerServiceAccountProps extends ServiceAccountOptions {
  /** The server whose pods run with it. The monitor of its stores does, too. */
  readonly server: ITrackingServer;
}

const SHAPE: Shape<ServiceAccountOptions> = { name: 'value', create: 'value', annotations: {} };

/**
 * ServiceAccount of the pods of a tracking server, by which a store knows them that gives out no keys. Its token for the
 * Kubernetes API is not mounted: MLflow has no use for it.
 *
 * @see https://kubernetes.io/docs/concepts/security/service-accounts/
 */
export class ServerServiceAccount extends Construct {
  /** Name of the ServiceAccount. */
  public readonly serviceAccountName: string;

  /** The ServiceAccount, unless `create` is false. */
  public readonly serviceAccount?: k8s.KubeServiceAccount;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the server, and name and annotations of the ServiceAccount
   * @throws at synth, one error with all wrong props, each with the path of its construct, the value, the rule and the fix
   */
  public constructor(scope: Construct, id: string, props: ServerServiceAccountProps) {
    super(place(scope, id), id);
    const { server, ...given } = ofServer(this, props);
    const checks = new PropChecks(this);
    const options = checks.props(given, SHAPE);
    this.serviceAccountName = checks.objectName('name', options.name ?? server.name);
    const annotations = checks.annotations('annotations', options.annotations);
    if (checks.flag('create', options.create ?? true)) {
      this.serviceAccount = new ServiceAccount(this, 'ServiceAccount', {
        metadata: { name: this.serviceAccountName, namespace: server.namespace, labels: server.labels, annotations },
        automountServiceAccountToken: false,
      });
      this.node.defaultChild = this.serviceAccount;
    } else if (annotations !== undefined) {
      checks.fault({ prop: 'annotations', value: annotations, rule: 'with create = false the ServiceAccount is somebody else\'s', fix: 'leave annotations out, or create' });
    }
    server.runAs(this, this.serviceAccountName);
    rejectTakenNames(this, 'name', 'give each ServiceAccount of the namespace its own name');
  }
}
