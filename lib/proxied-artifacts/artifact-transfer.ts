import { IArtifactStore } from '../artifact-store/artifact-store';
import { PropChecks } from '../validation/prop-checks';

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

/** Faults where clients are to go to the artifact store themselves, and its endpoint resolves in the cluster only. */
export function checkEndpoint(checks: PropChecks, { environment }: IArtifactStore, domain: string): void {
  const endpoint = environment.find(({ name }) => name === 'MLFLOW_S3_ENDPOINT_URL')?.value;
  if (endpoint === undefined || !isInCluster(endpoint, domain)) return;
  checks.fault({
    prop: 'artifactTransfer',
    value: ArtifactTransfer.DIRECT,
    rule: `clients go to the endpoint of artifactStore by themselves, and ${endpoint} resolves in the cluster only (https://mlflow.org/docs/latest/self-hosting/architecture/tracking-server/)`,
    fix: 'use ArtifactTransfer.PROXIED, or an artifactStore with an endpoint that all clients reach, such as ExternalS3',
  });
}

/** Whether a host has a name that is known in a cluster only, or is the machine itself. */
function isInCluster(endpoint: string, domain: string): boolean {
  const host = URL.canParse(endpoint) ? new URL(endpoint).hostname : '';
  // an IPv6 address has no dots
  if (host.startsWith('[')) return host === '[::1]';
  return !host.includes('.') || host.endsWith('.svc') || host.endsWith(`.${domain}`) || host.startsWith('127.');
}
