/**
 * The secrets with which a tracking server encrypts what users store in its database: the secrets of webhooks, and the API
 * keys of the AI gateway. Without them MLflow makes up a key for each process, and takes a passphrase that stands in its source.
 *
 * @see https://mlflow.org/docs/latest/ml/webhooks/
 */
export interface ServerSecretsOptions {
  /**
   * Secret that somebody else makes, with the keys `webhook-key` (a Fernet key: 32 random bytes as urlsafe base64; from
   * `webhookKeyVersion` 2 on `webhook-key-<webhookKeyVersion>`) and `kek-passphrase-<kekVersion>` (32 characters or more).
   *
   * @default - Secret "<name>-server-secrets", with values made up in the cluster
   */
  readonly secretName?: string;

  /**
   * Version of the passphrase of the API keys. To rotate the passphrase, raise it by one: the cluster makes up another one, and
   * the first pod that starts with it encrypts what is in the database anew (`mlflow crypto rotate-kek`), which the preflight does.
   *
   * @default 1
   * @see https://mlflow.org/docs/latest/genai/governance/ai-gateway/api-keys/
   */
  readonly kekVersion?: number;

  /**
   * Version of the key for the secrets of webhooks. To rotate the key, raise it by one: the cluster makes up another one, and the
   * first pod that starts with it encrypts what is in the database anew, which the preflight does.
   *
   * @default 1
   */
  readonly webhookKeyVersion?: number;
}
