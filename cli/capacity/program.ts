import { PodSize, Sizes } from './sizes';

export const cpu = (cores: number) => (Number.isInteger(cores) ? String(cores) : `${Math.round(cores * 1000)}m`);

/** A program with a stack of these sizes. */
export function programOf({ server, database, minio }: Sizes): string {
  const requests = ({ cpuRequest, cpuLimit, memoryRequest }: PodSize) => [`cpuRequest: '${cpu(cpuRequest)}'`, `cpuLimit: '${cpu(cpuLimit)}'`, `memoryRequest: Size.mebibytes(${memoryRequest})`];
  const all = (size: PodSize) => `{ ${[...requests(size), `memoryLimit: Size.mebibytes(${size.memoryLimit})`].join(', ')} }`;
  return `import { App, Chart, Size } from 'cdk8s';
import { Minio, MlflowStack, Postgres, ProgramsChart } from 'cdk8s-mlflow';

const app = new App();
const chart = new Chart(app, 'mlflow', { namespace: 'mlflow' });
new ProgramsChart(app, 'mlflow-programs', { chart });

new MlflowStack(chart, 'Stack', {
  trackingServer: {
    replicas: ${server.pods},
    workers: ${server.workers},
    resources: ${all(server.resources)},
  },
  backendStore: new Postgres(chart, 'BackendStore', {
    instance: 'mlflow',
    storageSize: Size.gibibytes(${database.volume}),
    // its limit of memory follows from the connections
    resources: { ${requests(database.resources).join(', ')} },
  }),
  artifactStore: new Minio(chart, 'ArtifactStore', {
    instance: 'mlflow',
    servers: ${minio.pods},
    storageSize: Size.gibibytes(${minio.volume}),
    resources: ${all(minio.resources)},
  }),
  // alerts and dashboard, for a cluster that has the Prometheus operator
  metrics: {},
});

app.synth();
`;
}
