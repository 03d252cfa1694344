/**
 * Certificates of the authorities that a server's certificate is checked against, in one PEM file. They stand in a Secret
 * or in a ConfigMap of the namespace of the tracking server. A changed file reaches running pods; clients read it when they
 * connect anew.
 *
 * @see https://kubernetes.io/docs/concepts/configuration/configmap/#using-configmaps-as-files-from-a-pod
 */
export interface CertificateAuthority {
  /**
   * Name of the Secret with the file.
   *
   * @default - `configMapName` is given
   */
  readonly secretName?: string;

  /**
   * Name of the ConfigMap with the file.
   *
   * @default - `secretName` is given
   */
  readonly configMapName?: string;

  /**
   * Key under which the file stands.
   *
   * @default "ca.crt"
   */
  readonly key?: string;
}
