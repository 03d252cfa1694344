/**
 * How artifacts travel between clients and the artifact store.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/architecture/tracking-server/
 */
export enum ArtifactTransfer {
  /**
   * Every byte goes through the tracking server: clients need to reach nothing else and have no keys. Versions 3.15 to
   * 3.17 of MLflow offer their clients presigned URLs of the artifact store all the same; a small MLflow plugin, mounted
   * into the server, takes that offer back. Later ones make it only where they are told to, as with `DIRECT`.
   */
  PROXIED = 'proxied',

  /**
   * Clients download, and upload large files, by presigned URLs straight from the endpoint of the artifact store,
   * as MLflow 3.15 to 3.17 does without the plugin, and later ones where two variables ask for it. For an endpoint that
   * all clients reach.
   */
  DIRECT = 'direct',
}
