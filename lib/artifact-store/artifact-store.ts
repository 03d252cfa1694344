import { Connections } from '../kube/connections';
import { k8s } from '../../imports/k8s';

/**
 * The object store in which the tracking server keeps artifacts: models, plots, files.
 *
 * Implement it to use another object store than `Minio`.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/architecture/artifact-store/
 */
export interface IArtifactStore {
  /**
   * URI of the bucket, with a key prefix if there is one, for example `s3://mlflow-bucket` or `gs://bucket/mlflow`.
   *
   * @see https://mlflow.org/docs/latest/self-hosting/architecture/artifact-store/
   */
  readonly artifactsDestination: string;

  /**
   * Environment of the client of the store in the tracking server, in the order in which it stands in the pod. For S3:
   * `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `MLFLOW_S3_ENDPOINT_URL`, then the region, then the rest.
   *
   * @see https://boto3.amazonaws.com/v1/documentation/api/latest/guide/configuration.html#using-environment-variables
   */
  readonly environment: k8s.EnvVar[];

  /**
   * Whether the user of the keys may be made after the tracking server has started, so that an unknown key is waited for
   * like a store that is not there yet.
   *
   * @default false
   */
  readonly userMayComeLate?: boolean;

  /**
   * Namespace of the Secrets that `environment` refers to. The tracking server has to be in the same one.
   *
   * @default - no Secret is referred to
   */
  readonly secretNamespace?: string;

  /**
   * Whether the pods have no keys and are known to the store by their ServiceAccount: IRSA, workload identity.
   *
   * @default false
   */
  readonly usesPodIdentity?: boolean;

  /**
   * Volumes that the pods which use the store need, with a certificate of an authority for example.
   *
   * @default - none
   */
  readonly volumes?: k8s.Volume[];

  /**
   * Mounts of `volumes`.
   *
   * @default - none
   */
  readonly volumeMounts?: k8s.VolumeMount[];

  /**
   * What the NetworkPolicies of the pods which use the store let out.
   *
   * @default - everything, since nobody knows where the store is
   * @see https://kubernetes.io/docs/concepts/services-networking/network-policies/
   */
  readonly egress?: k8s.NetworkPolicyEgressRule[];

  /**
   * Who may connect to the pods of the store. The tracking server adds itself, by `allowFromPods`.
   *
   * @default - nobody has to be let in
   * @see https://kubernetes.io/docs/concepts/services-networking/network-policies/
   */
  readonly connections?: Connections;

  /**
   * Names of the PersistentVolumeClaims of the store, in the namespace of the tracking server. Metrics watch how full they are.
   *
   * @default - none
   * @see https://kubernetes.io/docs/concepts/storage/persistent-volumes/
   */
  readonly volumeClaims?: string[];
}
