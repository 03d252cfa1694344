import { Construct } from 'constructs';
import { PROXIED_ARTIFACTS_PY } from '../assets.generated';
import { fingerprint } from '../kube/hash';
import { ConfigMap } from '../kube/objects';
import { k8s } from '../../imports/k8s';

const MODULE = 'proxied_artifacts';
const DIST_INFO = 'proxied_artifacts-1.0.dist-info';
const METADATA = 'Metadata-Version: 2.1\nName: proxied-artifacts\nVersion: 1.0\n';
/** By scheme of the artifacts destination: those for which MLflow offers presigned URLs. */
const REPOSITORIES = { s3: 'ProxiedS3ArtifactRepository', gs: 'ProxiedGCSArtifactRepository', wasbs: 'ProxiedAzureBlobArtifactRepository' };
const ENTRY_POINTS = ['[mlflow.artifact_repository]', ...Object.entries(REPOSITORIES).map(([scheme, name]) => `${scheme} = ${MODULE}:${name}`), ''].join('\n');

export interface ProxiedArtifactsPluginProps {
  readonly name: string;
  readonly namespace: string;
  readonly labels: { [key: string]: string };
}

/**
 * An installed Python distribution as a ConfigMap: mounted and put on PYTHONPATH, MLflow finds its entry points and
 * takes the classes in it for their schemes.
 *
 * @see https://mlflow.org/docs/latest/ml/plugins/
 */
export class ProxiedArtifactsPlugin extends Construct {
  public readonly mountPath = '/app/plugins';
  public readonly checksum: string;
  public readonly volume: k8s.Volume;
  public readonly configMap: k8s.KubeConfigMap;

  public constructor(scope: Construct, id: string, props: ProxiedArtifactsPluginProps) {
    super(scope, id);
    const data = { [`${MODULE}.py`]: PROXIED_ARTIFACTS_PY, METADATA, 'entry_points.txt': ENTRY_POINTS };
    this.configMap = new ConfigMap(this, 'ConfigMap', { metadata: { name: props.name, namespace: props.namespace, labels: props.labels }, data });
    this.checksum = fingerprint(data);
    this.volume = {
      name: 'plugins',
      configMap: {
        name: props.name,
        items: [
          { key: `${MODULE}.py`, path: `${MODULE}.py` },
          { key: 'METADATA', path: `${DIST_INFO}/METADATA` },
          { key: 'entry_points.txt', path: `${DIST_INFO}/entry_points.txt` },
        ],
      },
    };
    this.node.defaultChild = this.configMap;
  }
}
