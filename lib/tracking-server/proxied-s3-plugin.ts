import { Construct } from 'constructs';
import { PROXIED_S3_PY } from '../assets.generated';
import { fingerprint } from '../common/hash';
import { ConfigMap } from '../common/objects';
import { k8s } from '../../imports/k8s';

const MODULE = 'proxied_s3';
const DIST_INFO = 'proxied_s3-1.0.dist-info';
const METADATA = `Metadata-Version: 2.1\nName: ${MODULE.replace('_', '-')}\nVersion: 1.0\n`;
const ENTRY_POINTS = `[mlflow.artifact_repository]\ns3 = ${MODULE}:ProxiedS3ArtifactRepository\n`;

export interface ProxiedS3PluginProps {
  readonly name: string;
  readonly namespace: string;
  readonly labels: { [key: string]: string };
}

/**
 * An installed Python distribution as a ConfigMap: mounted and put on PYTHONPATH, MLflow finds its entry point and
 * takes the class in it for the scheme `s3`.
 *
 * @see https://mlflow.org/docs/latest/ml/plugins/
 */
export class ProxiedS3Plugin extends Construct {
  public readonly mountPath = '/app/plugins';
  public readonly checksum: string;
  public readonly volume: k8s.Volume;
  public readonly configMap: k8s.KubeConfigMap;

  public constructor(scope: Construct, id: string, props: ProxiedS3PluginProps) {
    super(scope, id);
    const data = { [`${MODULE}.py`]: PROXIED_S3_PY, METADATA, 'entry_points.txt': ENTRY_POINTS };
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
