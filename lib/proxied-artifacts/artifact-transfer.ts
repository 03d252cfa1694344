/**
 * How artifacts travel between clients and the artifact store.
 *
 * @see https://mlflow.org/docs/latest/self-hosting/architecture/tracking-server/
 */
export enum ArtifactTransfer {
  /**
   * Every byte goes through the tracking server: clients need to reach nothing else and have no keys. Since
   * version 3.15 MLflow offers its clients presigned URLs of the artifact store all the same; a small MLflow
   * plugin, mounted into the server, takes that offer back.
   */
  PROXIED = 'proxied',

  /**
   * Clients download, and upload large files, by presigned URLs straight from the endpoint of the artifact store,
   * as MLflow does without the plugin. For an endpoint that all clients reach.
   */
  DIRECT = 'direct',
}
