// All credentials come from Secrets that somebody else makes (by hand, Vault, Sealed Secrets…), under the names and keys
// that they have already. The YAML refers to them and declares none. The Secrets may come before the stack or after it:
// pods and Jobs wait for them. Users and bucket are made in the stores, with the values of these Secrets.
import { App, Chart } from 'cdk8s';
import { Credentials, Minio, MlflowStack, Postgres, ProgramsChart } from 'cdk8s-mlflow';

const app = new App();
const chart = new Chart(app, 'mlflow', { namespace: 'ml-platform' });
new ProgramsChart(app, 'mlflow-programs', { chart });

const secret = (name: string, usernameKey: string, passwordKey: string) =>
  Credentials.fromSecretName(chart, name, name, { usernameKey, passwordKey });

new MlflowStack(chart, 'Stack', {
  createNamespace: false,
  backendStore: new Postgres(chart, 'BackendStore', {
    superuserCredentials: secret('database-admin', 'username', 'password'),
    credentials: secret('mlflow-database', 'username', 'password'),
  }),
  artifactStore: new Minio(chart, 'ArtifactStore', {
    rootCredentials: secret('object-store-admin', 'root-user', 'root-password'),
    credentials: secret('mlflow-object-store', 'accesskey', 'secretkey'),
  }),
});

app.synth();
