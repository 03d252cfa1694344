import { App, Chart, Duration, JsonPatch, Size } from 'cdk8s';
import { ArtifactTransfer, Credentials, ExternalS3, Login, MlflowStack, Postgres, ProgramsChart, ResourcePresets, S3AddressingStyle, XFrameOptions } from 'cdk8s-mlflow';
import { k8s } from 'cdk8s-plus-28';

const app = new App();
const chart = new Chart(app, 'ml-platform', { namespace: 'ml-platform', labels: { team: 'vision' } });
new ProgramsChart(app, 'ml-platform-programs', { chart });

const stack = new MlflowStack(chart, 'Mlflow', {
  backendStore: new Postgres(chart, 'BackendStore', {
    storageSize: Size.gibibytes(20),
    resources: { cpuLimit: '2', memoryLimit: Size.gibibytes(4) },
  }),
  artifactStore: new ExternalS3(chart, 'ArtifactStore', {
    bucket: 'vision-models',
    endpointUrl: 'https://s3.example.com',
    addressingStyle: S3AddressingStyle.PATH,
    credentials: Credentials.fromSecretName(chart, 'Keys', 's3-keys', { usernameKey: 'key-id', passwordKey: 'secret' }),
  }),
  images: { registry: 'registry.example.com/mirror', pullSecrets: ['registry-login'] },
  login: Login.basicAuth({ adminUsername: 'root' }),
  ingress: { hosts: ['mlflow.example.com'], tls: { certificate: { issuerName: 'letsencrypt' } } },
  metrics: { alertLabels: { team: 'vision' } },
  garbageCollection: { olderThan: Duration.days(7) },
  podDisruptionBudget: { minAvailable: 1 },
  trackingServer: {
    replicas: 2,
    artifactTransfer: ArtifactTransfer.DIRECT,
    resources: ResourcePresets.MEDIUM,
    settings: {
      allowedHosts: ['mlflow.example.com', 'mlflow-service:*'],
      staticPrefix: '/runs',
      xFrameOptions: XFrameOptions.DENY,
    },
    preflight: { startupDeadline: Duration.minutes(3) },
    pod: { topologySpread: [{ topologyKey: 'topology.kubernetes.io/zone' }], priorityClassName: 'business-critical' },
    extraArgs: ['--uvicorn-opts=--timeout-keep-alive=120'],
    extraEnv: [
      { name: 'MLFLOW_LOGGING_LEVEL', value: 'WARNING' },
      { name: 'HTTPS_PROXY', valueFrom: { secretKeyRef: { name: 'proxy', key: 'url', optional: true } } },
    ],
  },
});

// what an add-on of the program's own does
const { trackingServer } = stack;
trackingServer.addVariable(chart, { name: 'OTEL_SERVICE_NAME', value: trackingServer.name });
trackingServer.allowTo({ ports: [{ protocol: 'TCP', port: k8s.IntOrString.fromNumber(4317) }] });

trackingServer.deployment.addJsonPatch(JsonPatch.add('/spec/template/spec/fieldOfTheFuture', { enabled: true }));
new k8s.KubeConfigMap(chart, 'Client', { metadata: { name: 'client' }, data: { MLFLOW_TRACKING_URI: stack.trackingUri } });

app.synth();
