import { ArtifactTransfer } from './artifact-transfer';
import { ITrackingServer } from '../tracking-server/server';
import { PropChecks } from '../validation/prop-checks';

/** What lets a server of MLflow 3.18 and later make its clients the offer that those before make anyway. */
const OFFERS = ['MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD', 'MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD'];

/** Lets clients go to the artifact store themselves, with faults where its endpoint resolves in the cluster only. */
export function transferDirectly(checks: PropChecks, server: ITrackingServer, domain: string): void {
  for (const name of OFFERS) server.addVariable(server, { name, value: 'true' });
  const endpoint = server.artifactStore.environment.find(({ name }) => name === 'MLFLOW_S3_ENDPOINT_URL')?.value;
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
