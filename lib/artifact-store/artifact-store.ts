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
   * URI of the bucket, with a key prefix if there is one, for example `s3://mlflow-bucket`.
   *
   * @see https://mlflow.org/docs/latest/self-hosting/architecture/artifact-store/
   */
  readonly artifactsDestination: string;

  /**
   * Environment of the S3 client in the tracking server, in the order in which it stands in the pod:
   * `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `MLFLOW_S3_ENDPOINT_URL`, then the region.
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
}
