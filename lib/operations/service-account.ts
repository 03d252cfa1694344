import { Construct } from 'constructs';
import { ServiceAccount } from '../kube/objects';
import { PropChecks } from '../validation/prop-checks';
import { Shape } from '../validation/prop-shape';
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

const SHAPE: Shape<ServiceAccountOptions> = { name: 'value', create: 'value', annotations: {} };

/** Name of the ServiceAccount, and the object where it is made. */
export function serviceAccount(scope: Construct, checks: PropChecks, given: ServiceAccountOptions, metadata: k8s.ObjectMeta): { name: string; object?: k8s.KubeServiceAccount } {
  const options = checks.props(given, SHAPE, 'serviceAccount.');
  const name = checks.objectName('serviceAccount.name', options.name ?? metadata.name!);
  if (checks.flag('serviceAccount.create', options.create ?? true)) {
    return { name, object: new ServiceAccount(scope, 'ServiceAccount', { metadata: { ...metadata, name, annotations: checks.annotations('serviceAccount.annotations', options.annotations) }, automountServiceAccountToken: false }) };
  }
  if (options.annotations !== undefined) {
    checks.fault({ prop: 'serviceAccount.annotations', value: options.annotations, rule: 'with serviceAccount.create = false the ServiceAccount is somebody else\'s', fix: 'leave serviceAccount.annotations out, or serviceAccount.create' });
  }
  return { name };
}
