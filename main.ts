// Two environments, each with a file in dist/: what they have is said here, how much of it in values/. A pipeline passes
// values in variables: CDK8S_MLFLOW_PROD_IMAGE is the value `image` of prod.
import { App, Chart } from 'cdk8s';
import { join } from 'node:path';
import { IngressOptions, Minio, MlflowStack, Postgres, ResourcePresets, TrackingServerOptions } from './lib';
import { Values, readValues, size } from './values/values';

const { dev, prod } = readValues(['dev', 'prod']);

// the defaults; `kubectl apply -f dist/` takes this one, and nothing from the folders in dist/
environment('.', dev);

// login, metrics with alerts, a nightly clean-up, and pods that stay when a node goes
environment('prod', prod, {
  deriveAllowedHosts: true,
  basicAuth: {},
  metrics: {},
  garbageCollection: {},
  podDisruptionBudget: {},
  pod: { topologySpread: [{ topologyKey: 'kubernetes.io/hostname' }] },
});

function environment(folder: string, values: Values, options: TrackingServerOptions = {}): void {
  const app = new App({ outdir: join(new App().outdir, folder) });
  const chart = new Chart(app, 'mlflow', { namespace: values.namespace });
  const { image, replicas, workers, storageClass: storageClassName } = values;
  const images = { registry: values.imageRegistry };
  const store = { instance: 'mlflow', storageClassName, images };
  new MlflowStack(chart, 'Stack', {
    images,
    backendStore: new Postgres(chart, 'BackendStore', { ...store, storageSize: size(values.databaseStorage) }),
    artifactStore: new Minio(chart, 'ArtifactStore', { ...store, storageSize: size(values.artifactStorage) }),
    trackingServer: { image, replicas, workers, resources: values.resources && ResourcePresets[values.resources], ingress: ingress(values), ...options },
  });
  app.synth();
}

function ingress({ host, ingressClass: className, issuer: issuerName }: Values): IngressOptions | undefined {
  return host === undefined ? undefined : { hosts: [host], className, tls: issuerName === undefined ? undefined : { certificate: { issuerName } } };
}
