import { Construct } from 'constructs';
import { PROXIED_ARTIFACTS } from '../assets.generated';
import { PluginFolder } from '../plugins/plugin-folder';
import { ITrackingServer } from '../tracking-server/server';
import { ofServer } from '../tracking-server/add-on';
import { place } from '../validation/place';
import { k8s } from '../../imports/k8s';

const PACKAGE = 'proxied_artifacts';
const DIST_INFO = 'proxied_artifacts-1.0.dist-info';
const METADATA = 'Metadata-Version: 2.1\nName: proxied-artifacts\nVersion: 1.0\n';
/** By scheme of the artifacts destination: those for which MLflow offers presigned URLs. */
const REPOSITORIES = { s3: 'ProxiedS3ArtifactRepository', gs: 'ProxiedGCSArtifactRepository', wasbs: 'ProxiedAzureBlobArtifactRepository' };
const ENTRY_POINTS = ['[mlflow.artifact_repository]', ...Object.entries(REPOSITORIES).map(([scheme, name]) => `${scheme} = ${PACKAGE}.repository:${name}`), ''].join('\n');

/** Props of `ProxiedArtifacts`. */
export interface ProxiedArtifactsProps {
  /** The server whose artifacts travel through it only. */
  readonly server: ITrackingServer;
}

/**
 * Keeps clients off the artifact store, and lets files stream through the server: an MLflow plugin, as an installed Python
 * distribution in ConfigMaps. Mounted and put on PYTHONPATH, MLflow finds its entry points and takes the classes in it for
 * their schemes; a layer in front of MLflow's app sends downloads. A tracking server with `ArtifactTransfer.PROXIED` makes it
 * itself.
 *
 * @see https://mlflow.org/docs/latest/ml/plugins/
 * @example
 * import { App, Chart } from 'cdk8s';
 * import { MlflowStack } from 'cdk8s-mlflow';
 *
 * const app = new App();
 * const chart = new Chart(app, 'mlflow', { namespace: 'mlflow' });
 * const { trackingServer } = new MlflowStack(chart, 'Stack');
 * for (const { name } of [trackingServer.proxiedArtifacts!.configMap, trackingServer.proxiedArtifacts!.info]) console.log(name);
 * app.synth();
 */
export class ProxiedArtifacts extends Construct {
  /** ConfigMap `<name of the server>-transfer` with the Python package. */
  public readonly configMap!: k8s.KubeConfigMap;

  /** ConfigMap `<name of the server>-transfer-info`, by which MLflow finds the package. */
  public readonly info!: k8s.KubeConfigMap;

  /** ConfigMap `<name of the server>-layers` with what puts the package in front of MLflow. */
  public readonly layers!: k8s.KubeConfigMap;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the server
   */
  public constructor(scope: Construct, id: string, props: ProxiedArtifactsProps) {
    super(place(scope, id), id);
    const { server } = ofServer(this, props);
    const files = PluginFolder.of(server);
    const configMap = files.add(this, 'transfer', PACKAGE, PROXIED_ARTIFACTS);
    if (configMap === undefined) return;
    this.info = files.add(this, 'transfer-info', DIST_INFO, { METADATA, 'entry_points.txt': ENTRY_POINTS })!;
    this.layers = files.addLayer(`${PACKAGE}.layer:wrap`);
    this.configMap = configMap;
    this.node.defaultChild = configMap;
  }
}
