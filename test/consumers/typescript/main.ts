import { App, Chart, Duration, JsonPatch, Size } from 'cdk8s';
import { ArtifactTransfer, Credentials, Minio, MlflowStack, Postgres } from 'cdk8s-mlflow';
import { k8s } from 'cdk8s-plus-28';

const app = new App();
const chart = new Chart(app, 'ml-platform', { namespace: 'ml-platform', labels: { team: 'vision' } });

const stack = new MlflowStack(chart, 'Mlflow', {
  backendStore: new Postgres(chart, 'BackendStore', {
    storageSize: Size.gibibytes(20),
    resources: { cpuLimit: '2', memoryLimit: Size.gibibytes(4) },
  }),
  artifactStore: new Minio(chart, 'ArtifactStore', {
    bucket: 'vision-models',
    credentials: Credentials.fromSecretName(chart, 'Keys', 's3-keys', { usernameKey: 'key-id', passwordKey: 'secret' }),
  }),
  trackingServer: {
    replicas: 2,
    allowedHosts: ['mlflow.example.com', 'mlflow-service:*'],
    artifactTransfer: ArtifactTransfer.DIRECT,
    startupDeadline: Duration.minutes(3),
    extraArgs: ['--expose-prometheus=/tmp/metrics'],
    extraEnv: [
      { name: 'MLFLOW_LOGGING_LEVEL', value: 'WARNING' },
      { name: 'HTTPS_PROXY', valueFrom: { secretKeyRef: { name: 'proxy', key: 'url', optional: true } } },
    ],
  },
});

stack.trackingServer.deployment.addJsonPatch(JsonPatch.add('/spec/template/spec/fieldOfTheFuture', { enabled: true }));
new k8s.KubeConfigMap(chart, 'Client', { metadata: { name: 'client' }, data: { MLFLOW_TRACKING_URI: stack.trackingUri } });

app.synth();
