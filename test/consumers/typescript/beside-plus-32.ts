import { App, Chart, Size } from 'cdk8s';
import { Credentials, IArtifactStore, MlflowStack } from 'cdk8s-mlflow';
import { Deployment, EnvValue, Ingress, IngressBackend, Pods, Secret, Service, k8s } from 'cdk8s-plus-32';

const app = new App();
const chart = new Chart(app, 'platform', { namespace: 'platform' });

const keys = new Secret(chart, 'Keys', { metadata: { name: 's3-keys' } });
const { secretName, usernameKey, passwordKey } = Credentials.fromSecretName(chart, 'Credentials', keys.name, { usernameKey: 'id', passwordKey: 'key' });
const fromSecret = (name: string, key: string): k8s.EnvVar => ({ name, valueFrom: { secretKeyRef: { name: secretName, key } } });
const artifactStore: IArtifactStore = {
  artifactsDestination: 's3://models/mlflow',
  environment: [fromSecret('AWS_ACCESS_KEY_ID', usernameKey), fromSecret('AWS_SECRET_ACCESS_KEY', passwordKey)],
};

const stack = new MlflowStack(chart, 'Mlflow', {
  artifactStore,
  trackingServer: {
    scratchSize: Size.gibibytes(5),
    extraEnv: [{ name: 'NODE_IP', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } } satisfies k8s.EnvVar],
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
