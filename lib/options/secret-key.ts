/**
 * One value of a Secret.
 *
 * @see https://kubernetes.io/docs/concepts/configuration/secret/
 */
export interface SecretKey {
  /** Name of the Secret. */
  readonly secretName: string;

  /** Key in the Secret under which the value stands. */
  readonly key: string;
}
