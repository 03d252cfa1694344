// Two teams in one cluster, each with a namespace, stores and credentials of its own, in files of its own. One App for
// each keeps synth quick, however many there are: the time of App.synth grows with the square of its charts.
import { App, Chart, Size } from 'cdk8s';
import { Minio, MlflowStack, ProgramsChart } from 'cdk8s-mlflow';

const tenants = [
  { team: 'vision', artifacts: Size.gibibytes(200), replicas: 2 },
  { team: 'speech', artifacts: Size.gibibytes(50), replicas: 1 },
];

for (const { team, artifacts, replicas } of tenants) {
  const app = new App();
  const chart = new Chart(app, `mlflow-${team}`, { namespace: `mlflow-${team}`, labels: { team } });
  new ProgramsChart(app, `mlflow-${team}-programs`, { chart });
  new MlflowStack(chart, 'Stack', {
    artifactStore: new Minio(chart, 'ArtifactStore', { bucket: `${team}-artifacts`, storageSize: artifacts }),
    trackingServer: { replicas },
  });
  app.synth();
}
