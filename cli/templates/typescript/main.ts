import { App, Chart, Size, Yaml } from 'cdk8s';
import { Minio, MlflowStack, Postgres, ProgramsChart } from 'cdk8s-mlflow';

interface Values {
  readonly namespace: string;
  readonly replicas: number;
  readonly databaseGiB: number;
  readonly artifactsGiB: number;
  readonly host?: string;
}

const [values] = Yaml.load('values.yaml') as [Values];

const app = new App();
const chart = new Chart(app, 'mlflow', { namespace: values.namespace });
// programs have a file of their own, so that a review looks at the rest
new ProgramsChart(app, 'mlflow-programs', { chart });

new MlflowStack(chart, 'Mlflow', {
  backendStore: new Postgres(chart, 'Postgres', { instance: 'mlflow', storageSize: Size.gibibytes(values.databaseGiB) }),
  artifactStore: new Minio(chart, 'Minio', { instance: 'mlflow', storageSize: Size.gibibytes(values.artifactsGiB) }),
  trackingServer: { replicas: values.replicas },
  ingress: values.host === undefined ? undefined : { hosts: [values.host] },
});

app.synth();
