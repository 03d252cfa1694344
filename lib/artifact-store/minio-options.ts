import { CertificateAuthority } from '../options/certificate-authority';

/**
 * What the server does by itself with old objects. It looks for them from time to time, and not to the minute.
 *
 * An artifact that expires is lost: MLflow goes on to list its run, and fails to load it. Unfinished uploads need no rule:
 * the server removes them after a day.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html
 */
export interface MinioLifecycleRule {
  /**
   * Beginning of the keys that the rule is for, counted from the `prefix` of the store: `7/` is all of experiment 7.
   *
   * @default - all keys
   */
  readonly prefix?: string;

  /**
   * Days after which an object is deleted. With versioning it becomes a noncurrent version.
   *
   * @default - never
   */
  readonly expireDays?: number;

  /**
   * Days after which a version is removed for good, from the day on which another one or a delete took its place. What a
   * delete leaves behind goes with the last version.
   *
   * @default - never
   */
  readonly noncurrentExpireDays?: number;
}

/**
 * Certificate of the server. It has to be valid for the host `<name>.<namespace>.svc.<domain of the cluster>`, and with several
 * servers for `*.<name>-headless.<namespace>.svc.<domain of the cluster>` as well. No public authority signs for these: cert-manager
 * with an issuer of your own does. A renewed one is taken without a restart.
 *
 * @see https://docs.min.io/community/minio-object-store/operations/network-encryption.html
 */
export interface MinioTls {
  /**
   * Name of a Secret of type `kubernetes.io/tls` in the namespace of the store, with the keys `tls.crt` and `tls.key`.
   *
   * @see https://kubernetes.io/docs/concepts/configuration/secret/#tls-secrets
   */
  readonly secretName: string;

  /**
   * Certificate of the authority, with which the tracking server and the bootstrap Job check the server.
   *
   * @default - key "ca.crt" of the Secret `secretName`, where cert-manager puts it
   */
  readonly ca?: CertificateAuthority;
}
