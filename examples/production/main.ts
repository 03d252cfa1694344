// Everything on, for a server that many depend on. The cluster has cert-manager, an Ingress controller, the Prometheus
// operator, a metrics server, nodes in several zones and a mirror of the images.
import { ApiObject, App, Chart, Duration, Size } from 'cdk8s';
import { Images, LogLevel, Login, Minio, MlflowStack, Postgres, ProgramsChart, ResourcePresets, XFrameOptions } from 'cdk8s-mlflow';

const NAMESPACE = 'mlflow';
const app = new App();
const chart = new Chart(app, 'mlflow', { namespace: NAMESPACE });
new ProgramsChart(app, 'mlflow-programs', { chart });

// made up here: take the digests that your mirror shows
const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const images = {
  registry: 'registry.example.com/mirror',
  pullSecrets: ['registry'],
  digests: { [Images.MLFLOW]: digest('1'), [Images.POSTGRES]: digest('2'), [Images.MINIO]: digest('3') },
};
const pod = { priorityClassName: 'business-critical', tolerations: [{ key: 'example.com/dedicated', value: 'ml', effect: 'NoSchedule' }] };
const store = { instance: 'mlflow', storageClassName: 'ssd', images, pod };

new ApiObject(chart, 'MinioCertificate', {
  apiVersion: 'cert-manager.io/v1',
  kind: 'Certificate',
  metadata: { name: 'minio-tls' },
  spec: { secretName: 'minio-tls', dnsNames: [`minio.${NAMESPACE}.svc.cluster.local`], issuerRef: { name: 'internal', kind: 'ClusterIssuer' } },
});

const clients = ['ingress-nginx', 'monitoring', 'notebooks'].map((name) => ({
  namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } },
}));

new MlflowStack(chart, 'Stack', {
  images,
  pod,
  backendStore: new Postgres(chart, 'BackendStore', { ...store, storageSize: Size.gibibytes(100), resources: ResourcePresets.LARGE }),
  artifactStore: new Minio(chart, 'ArtifactStore', {
    ...store,
    storageSize: Size.tebibytes(2),
    quota: Size.tebibytes(1),
    versioning: true,
    lifecycleRules: [{ noncurrentExpireDays: 30 }],
    tls: { secretName: 'minio-tls' },
  }),
  ingress: { hosts: ['mlflow.example.com'], className: 'nginx', tls: { certificate: { issuerName: 'letsencrypt' } } },
  login: Login.basicAuth(),
  metrics: { labels: { release: 'kube-prometheus-stack' }, alertLabels: { team: 'ml-platform' } },
  garbageCollection: { olderThan: Duration.days(30), timeZone: 'Europe/Berlin' },
  autoscaling: { maxReplicas: 6 },
  podDisruptionBudget: {},
  trackingServer: {
    workers: 2,
    resources: ResourcePresets.MEDIUM,
    pod: { topologySpread: [{ topologyKey: 'topology.kubernetes.io/zone' }] },
    networkPolicy: { clients },
    settings: {
      connectionPool: { size: 5, maxOverflow: 45, recycle: Duration.minutes(30) },
      deriveAllowedHosts: true,
      xFrameOptions: XFrameOptions.DENY,
      logLevel: LogLevel.WARNING,
    },
  },
});

app.synth();
