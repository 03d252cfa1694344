import { IArtifactStore } from '../artifact-store/artifact-store';
import { IBackendStore } from '../backend-store/backend-store';
import { ITrackingServer } from '../tracking-server/server';
import { PropChecks } from '../validation/prop-checks';

const BUCKET = /^s3:\/\/[a-zA-Z0-9][a-zA-Z0-9._-]+(\/|$)/;
const ENDPOINT = 'MLFLOW_S3_ENDPOINT_URL';

/** Faults where the stores of a server are none that pg_dump and mc know, or the destination is none for its backups. */
export function checkBackupStores(checks: PropChecks, { backendStore, artifactStore, namespace }: ITrackingServer, destination: IArtifactStore): void {
  checkDatabase(checks, backendStore);
  const fix = 'back the bucket up by the means of its store (replication, versions, snapshots), and the database by those of the database';
  checkBucket(checks, 'server', 'artifacts at ', artifactStore, fix);
  if (!checkBucket(checks, 'destination', '', destination, 'pass an ExternalS3 with endpointUrl and credentials, such as one on a MinIO elsewhere')) return;
  if (destination.secretNamespace !== undefined && destination.secretNamespace !== namespace) {
    checks.fault({
      prop: 'destination',
      value: `a store with its Secret in namespace "${destination.secretNamespace}"`,
      rule: 'a pod reads Secrets of its own namespace only (https://kubernetes.io/docs/concepts/configuration/secret/)',
      fix: `make the Secret in namespace "${namespace}", where the pods are`,
    });
  }
  const [one, other] = [artifactStore, destination].map(placeOf);
  if (one.bucket === other.bucket && one.endpoint === other.endpoint) {
    checks.fault({
      prop: 'destination',
      value: destination.artifactsDestination,
      rule: 'a backup in the bucket of the artifacts is lost with it, and who may delete the artifacts may delete it too',
      fix: 'pass another bucket, best at another endpoint, with keys of its own',
    });
  }
  const [key, same] = [artifactStore, destination].map(keyOf);
  if (key !== undefined && key === same) {
    checks.fault({ prop: 'destination', value: 'the keys of the artifact store', rule: 'who has the keys of the artifacts could delete the backups, too', fix: 'give the destination credentials of its own: Credentials.fromSecretName(…)' });
  }
}

function checkDatabase(checks: PropChecks, { uri }: IBackendStore): void {
  if (uri !== undefined && /^postgres(ql)?(\+\w+)?:/.test(uri)) return;
  checks.fault({
    prop: 'server',
    value: `a server with the database ${uri === undefined ? 'of a URI in a Secret' : uri.split(':')[0]}`,
    rule: 'pg_dump backs up a PostgreSQL whose URI stands in the manifests, as Postgres and ExternalPostgres have it (https://www.postgresql.org/docs/current/app-pgdump.html)',
    fix: 'back up database and bucket by their own means, such as snapshots, the database first, and leave backup out; or use ExternalPostgres',
  });
}

/** Whether mc can use the bucket. */
function checkBucket(checks: PropChecks, prop: string, what: string, { artifactsDestination, environment, usesPodIdentity }: IArtifactStore, fix: string): boolean {
  const fault = (value: string, rule: string) => (checks.fault({ prop, value: `${what}${value}`, rule: `${rule} (https://docs.min.io/community/minio-object-store/reference/minio-mc/mc-mirror.html)`, fix }), false);
  if (!BUCKET.test(String(artifactsDestination))) return fault(String(artifactsDestination), 'mc copies from one S3 bucket to another, each named by its name');
  if (usesPodIdentity || !environment.some(({ name }) => name === 'AWS_ACCESS_KEY_ID')) return fault('a store without keys', 'mc logs in with an access key');
  const endpoint = String(environment.find(({ name }) => name === ENDPOINT)?.value ?? '');
  if (/^https?:\/\/[^/]+\/./.test(endpoint)) return fault(endpoint, 'mc knows endpoints without a path only');
  return true;
}

function placeOf({ artifactsDestination, environment }: IArtifactStore): { bucket: string; endpoint: string } {
  const endpoint = String(environment.find(({ name }) => name === ENDPOINT)?.value ?? '').toLowerCase();
  return { bucket: artifactsDestination.split('/')[2], endpoint: endpoint.replace(/\/+$/, '').replace(/^(http:.*):80$|^(https:.*):443$/, '$1$2') };
}

function keyOf({ environment }: IArtifactStore): string | undefined {
  const ref = environment.find(({ name }) => name === 'AWS_SECRET_ACCESS_KEY')?.valueFrom?.secretKeyRef;
  return ref && `${ref.name}/${ref.key}`;
}
