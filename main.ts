// Two environments, each with a folder in dist/: what they have is said here, how much of it in values/. A pipeline passes
// values in variables: CDK8S_MLFLOW_PROD_IMAGE is the value `image` of prod.
import { App, Chart } from 'cdk8s';
import { join } from 'node:path';
import { IngressOptions, Login, Minio, MlflowStack, MlflowStackProps, Postgres, ProgramsChart, ResourcePresets } from './lib';
import { Values, readValues, size } from './values/values';

const { dev, prod } = readValues(['dev', 'prod']);

// the defaults; `kubectl apply -f dist/` takes this one, and nothing from the folders in dist/
environment('.', dev);

// login, metrics with alerts, a nightly clean-up, and pods that stay when a node goes
environment('prod', prod, {
  login: Login.basicAuth(),
  metrics: {},
  garbageCollection: {},
  podDisruptionBudget: {},
  trackingServer: {
    settings: { deriveAllowedHosts: true },
    pod: { topologySpread: [{ topologyKey: 'kubernetes.io/hostname' }] },
  },
});

function environment(folder: string, values: Values, options: MlflowStackProps = {}): void {
  const app = new App({ outdir: join(new App().outdir, folder) });
  const chart = new Chart(app, 'mlflow', { namespace: values.namespace });
  // its Namespace and scripts, in a file that is applied first and changes with the library only
  new ProgramsChart(app, 'mlflow-programs', { chart });
  const { image, replicas, workers, storageClass: storageClassName } = values;
  const images = { registry: values.imageRegistry };
  const store = { instance: 'mlflow', storageClassName, images };
  new MlflowStack(chart, 'Stack', {
    images,
    backendStore: new Postgres(chart, 'BackendStore', { ...store, storageSize: size(values.databaseStorage) }),
    artifactStore: new Minio(chart, 'ArtifactStore', { ...store, storageSize: size(values.artifactStorage) }),
    ingress: ingress(values),
    ...options,
    trackingServer: { image, replicas, workers, resources: values.resources && ResourcePresets[values.resources], ...options.trackingServer },
  });
  app.synth();
}

function ingress({ host, ingressClass: className, issuer: issuerName }: Values): IngressOptions | undefined {
  return host === undefined ? undefined : { hosts: [host], className, tls: issuerName === undefined ? undefined : { certificate: { issuerName } } };
}
