import { App, Chart, Size } from 'cdk8s';
import { Credentials, ExternalS3, MlflowStack } from 'cdk8s-mlflow';
import { ConfigMap, Deployment, EnvValue, Ingress, IngressBackend, Pods, Secret, Service, ServiceAccount, k8s } from 'cdk8s-plus-28';

const app = new App();
const chart = new Chart(app, 'platform', { namespace: 'platform' });

const keys = new Secret(chart, 'Keys', { metadata: { name: 's3-keys' } });
const provider = new Secret(chart, 'Provider', { metadata: { name: 'provider' } });
const account = new ServiceAccount(chart, 'Account', { metadata: { name: 'ml-pods' } });
const authority = new ConfigMap(chart, 'Authority', { metadata: { name: 'authority' }, data: { 'ca.crt': 'a certificate' } });
const sidecar: k8s.Container = {
  name: 'log',
  image: 'busybox:1.36',
  resources: { limits: { memory: k8s.Quantity.fromString('64Mi') } },
  livenessProbe: { tcpSocket: { port: k8s.IntOrString.fromNumber(9000) } },
};

const stack = new MlflowStack(chart, 'Mlflow', {
  artifactStore: new ExternalS3(chart, 'Bucket', {
    bucket: 'models',
    endpointUrl: 'https://s3.example.com',
    credentials: Credentials.fromSecret(chart, 'Credentials', keys, { usernameKey: 'id', passwordKey: 'key' }),
  }),
  serviceAccount: { create: false, name: account.name },
  trackingServer: {
    scratchSize: Size.gibibytes(5),
    extraEnv: [
      { name: 'PROVIDER_TOKEN', ...EnvValue.fromSecretValue({ secret: provider, key: 'token' }) },
      { name: 'NODE_IP', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } } satisfies k8s.EnvVar,
    ],
    pod: { sidecars: [sidecar], volumes: [{ name: 'authority', configMap: { name: authority.name } } satisfies k8s.Volume], volumeMounts: [{ name: 'authority', mountPath: '/etc/authority' }] },
    networkPolicy: { clients: [{ podSelector: { matchLabels: { app: 'reports' } } } satisfies k8s.NetworkPolicyPeer] },
  },
});

const { podLabels, port } = stack.trackingServer;
const service = new Service(chart, 'Web', {
  metadata: { name: 'mlflow-web' },
  selector: Pods.select(chart, 'Pods', { labels: podLabels }),
  ports: [{ port: 80, targetPort: port }],
});
new Ingress(chart, 'Ingress').addHostDefaultBackend('mlflow.example.com', IngressBackend.fromService(service));

new Deployment(chart, 'Notebook', {
  containers: [{ image: 'jupyter/scipy-notebook:2024-05-01', envVariables: { MLFLOW_TRACKING_URI: EnvValue.fromValue(stack.trackingUri) } }],
});

app.synth();
