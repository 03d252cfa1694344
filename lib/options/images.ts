/**
 * Every image that the stack runs, each pinned to a version. This is the one file to change for an upgrade.
 *
 * @see https://kubernetes.io/docs/concepts/containers/images/#image-names
 */
export class Images {
  /**
   * MLflow with the drivers for S3 (boto3) and PostgreSQL (psycopg and psycopg2): the `-full` variant, because the plain one has neither.
   * The Jobs that write generated Secrets use its Python as well.
   *
   * @see https://mlflow.org/docs/latest/self-hosting/
   */
  public static readonly MLFLOW = 'ghcr.io/mlflow/mlflow:v3.17.2-full';

  /**
   * PostgreSQL, the official image.
   *
   * @see https://hub.docker.com/_/postgres
   */
  public static readonly POSTGRES = 'docker.io/library/postgres:17.12';

  /**
   * PostgreSQL as the operator CloudNativePG wants it (`CloudNativePg`), of the same version but for its last number, so that the
   * tools of the other image can dump it.
   *
   * @see https://github.com/cloudnative-pg/artifacts/tree/main/image-catalogs
   */
  public static readonly CLOUD_NATIVE_PG = 'ghcr.io/cloudnative-pg/postgresql:17.11-202608170816-standard-trixie';

  /**
   * A MinIO-compatible server with the client `mc` in it: the community fork of MinIO, since the images of
   * MinIO itself can no longer be pulled.
   *
   * @see https://hub.docker.com/r/pgsty/silo
   */
  public static readonly MINIO = 'docker.io/pgsty/silo:RELEASE.2026-09-16T00-00-00Z';

  /**
   * oauth2-proxy, which asks browsers to log in with an OpenID Connect provider (`Oauth2Proxy`).
   *
   * @see https://quay.io/repository/oauth2-proxy/oauth2-proxy
   */
  public static readonly OAUTH2_PROXY = 'quay.io/oauth2-proxy/oauth2-proxy:v7.15.5';

  /**
   * nginx, which sends transfers of artifacts to pods of their own (`SplitTopology`).
   *
   * @see https://hub.docker.com/_/nginx
   */
  public static readonly NGINX = 'docker.io/library/nginx:1.30.5-alpine';
}
