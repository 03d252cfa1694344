import { Construct } from 'constructs';
import { PROXIED_ARTIFACTS_PY } from '../assets.generated';
import { fingerprint } from '../kube/hash';
import { ConfigMap } from '../kube/objects';
import { programPlace } from '../kube/programs-chart';
import type { TrackingServer } from '../tracking-server/tracking-server';
import { ofServer } from '../validation/add-on';
import { place } from '../validation/place';
import { k8s } from '../../imports/k8s';

const MODULE = 'proxied_artifacts';
const DIST_INFO = 'proxied_artifacts-1.0.dist-info';
const METADATA = 'Metadata-Version: 2.1\nName: proxied-artifacts\nVersion: 1.0\n';
/** By scheme of the artifacts destination: those for which MLflow offers presigned URLs. */
const REPOSITORIES = { s3: 'ProxiedS3ArtifactRepository', gs: 'ProxiedGCSArtifactRepository', wasbs: 'ProxiedAzureBlobArtifactRepository' };
const ENTRY_POINTS = ['[mlflow.artifact_repository]', ...Object.entries(REPOSITORIES).map(([scheme, name]) => `${scheme} = ${MODULE}:${name}`), ''].join('\n');
const MOUNT_PATH = '/app/plugins';

/** Props of `ProxiedArtifacts`. */
export interface ProxiedArtifactsProps {
  /** The server whose artifacts travel through it only. */
  readonly server: TrackingServer;
}

/**
 * Keeps clients off the artifact store: an MLflow plugin, as an installed Python distribution in a ConfigMap. Mounted and put
 * on PYTHONPATH, MLflow finds its entry points and takes the classes in it for their schemes. A tracking server with
 * `ArtifactTransfer.PROXIED` makes it itself.
 *
 * @see https://mlflow.org/docs/latest/ml/plugins/
 */
export class ProxiedArtifacts extends Construct {
  /** ConfigMap `<name of the server>-plugins`. */
  public readonly configMap: k8s.KubeConfigMap;

  /**
   * @param scope the construct to which this one belongs
   * @param id the name of this construct in its scope
   * @param props the server
   */
  public constructor(scope: Construct, id: string, props: ProxiedArtifactsProps) {
    super(place(scope, id), id);
    const { server } = ofServer(this, props);
    const data = { [`${MODULE}.py`]: PROXIED_ARTIFACTS_PY, METADATA, 'entry_points.txt': ENTRY_POINTS };
    const name = `${server.name}-plugins`;
    this.configMap = new ConfigMap(...programPlace(this, 'ConfigMap'), { metadata: { name, namespace: server.namespace, labels: server.labels }, data });
    this.node.defaultChild = this.configMap;
    const items = [
      { key: `${MODULE}.py`, path: `${MODULE}.py` },
      { key: 'METADATA', path: `${DIST_INFO}/METADATA` },
      { key: 'entry_points.txt', path: `${DIST_INFO}/entry_points.txt` },
    ];
    server.addVolume(this, { name: 'plugins', configMap: { name, items } }, { name: 'plugins', mountPath: MOUNT_PATH, readOnly: true });
    server.addVariable(this, { name: 'PYTHONPATH', value: MOUNT_PATH });
    server.addPodAnnotation(this, 'checksum/plugins', fingerprint(data));
  }
}
