// Stores that somebody else runs, twice: RDS and S3 on AWS, and servers in a data centre with an authority of its own. The
// External Secrets Operator brings the credentials. The YAML has neither a StatefulSet nor a Secret.
import { App, Chart } from 'cdk8s';
import { ExternalPostgres, ExternalS3, ExternalSecretCredentials, MlflowStack, ProgramsChart, SecretStoreKind } from 'cdk8s-mlflow';

function credentials(chart: Chart, secretName: string, key: string): ExternalSecretCredentials {
  return new ExternalSecretCredentials(chart, secretName, {
    secretName,
    storeName: 'platform',
    storeKind: SecretStoreKind.CLUSTER_SECRET_STORE,
    usernameRemote: { key, property: 'username' },
    passwordRemote: { key, property: 'password' },
  });
}

const aws = new App();
const cloud = new Chart(aws, 'mlflow-aws', { namespace: 'mlflow-aws' });
new ProgramsChart(aws, 'mlflow-aws-programs', { chart: cloud });
new MlflowStack(cloud, 'Stack', {
  backendStore: new ExternalPostgres(cloud, 'BackendStore', {
    host: 'mlflow.abc123.eu-central-1.rds.amazonaws.com',
    credentials: credentials(cloud, 'mlflow-database', 'mlflow/database'),
    tls: { ca: { configMapName: 'rds-ca', key: 'global-bundle.pem' } },
    cidrs: ['10.20.0.0/16'],
  }),
  // no keys: S3 knows the pods by the role of their ServiceAccount
  artifactStore: new ExternalS3(cloud, 'ArtifactStore', { bucket: 'example-mlflow-artifacts', region: 'eu-central-1' }),
  serviceAccount: { annotations: { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::123456789012:role/mlflow' } },
});
aws.synth();

const dataCentre = new App();
const chart = new Chart(dataCentre, 'mlflow-data-centre', { namespace: 'mlflow' });
new ProgramsChart(dataCentre, 'mlflow-data-centre-programs', { chart });
const ca = { configMapName: 'example-ca' };
new MlflowStack(chart, 'Stack', {
  backendStore: new ExternalPostgres(chart, 'BackendStore', {
    host: 'postgres.example.com',
    credentials: credentials(chart, 'mlflow-database', 'mlflow/database'),
    tls: { ca },
    readReplica: { host: 'postgres-ro.example.com' },
  }),
  artifactStore: new ExternalS3(chart, 'ArtifactStore', {
    bucket: 'mlflow',
    prefix: 'production',
    endpointUrl: 'https://s3.example.com:9000',
    credentials: credentials(chart, 'mlflow-object-store', 'mlflow/object-store'),
    ca,
  }),
});
dataCentre.synth();
