import { Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import { APP_LAYERS } from '../assets.generated';
import { fingerprint } from '../kube/hash';
import { ConfigMap } from '../kube/objects';
import { programPlace } from '../kube/programs-chart';
import { ITrackingServer } from '../tracking-server/server';
import { PropChecks } from '../validation/prop-checks';
import { k8s } from '../../imports/k8s';

const ID = 'PluginFolder';
const PATH = '/app/plugins';

/** Files of a folder, by name. */
export interface PluginFiles {
  readonly [name: string]: string;
}

/** What is known when all of the server's parts are there. */
function late<T>(produce: () => unknown): T {
  return Lazy.any({ produce }) as unknown as T;
}

/**
 * What the process of the server loads besides MLflow: a folder on PYTHONPATH, in which each folder, a Python package or what is
 * known of a distribution, is a ConfigMap. It is made when the first of them is added.
 */
export class PluginFolder extends Construct {
  /** That of a server. */
  public static of(server: ITrackingServer): PluginFolder {
    return (server.node.tryFindChild(ID) as PluginFolder | undefined) ?? new PluginFolder(server);
  }

  private readonly content: { [folder: string]: PluginFiles } = {};
  private readonly owners = new Map<string, Construct>();
  private readonly layers: string[] = [];
  private protocol?: k8s.KubeConfigMap;

  private constructor(private readonly server: ITrackingServer) {
    super(server, ID);
    server.addVariable(this, { name: 'PYTHONPATH', value: PATH });
    server.addPodAnnotation(this, 'checksum/plugins', late(() => fingerprint(Object.entries(this.content).map(([folder, files]) => [folder, Object.entries(files).map(([name, content]) => [name, fingerprint(content)])]))));
  }

  /** Adds a folder of a construct, as ConfigMap `<name of the server>-<name>`; undefined, and a fault of it, where it has another owner. */
  public add(owner: Construct, name: string, folder: string, files: PluginFiles): k8s.KubeConfigMap | undefined {
    const other = this.owners.get(folder);
    if (other !== undefined) {
      new PropChecks(owner).fault({
        prop: 'server',
        value: `[${this.node.scope!.node.path}]`,
        rule: `[${other.node.path}] has put the same files into the folder of plugins of this server`,
        fix: 'leave one of the two out; a server makes its own',
      });
      return undefined;
    }
    this.owners.set(folder, owner);
    this.content[folder] = files;
    const { namespace, labels } = this.server;
    const configMap = new ConfigMap(...programPlace(this, name), { metadata: { name: `${this.server.name}-${name}`, namespace, labels }, data: files });
    this.node.defaultChild ??= configMap;
    this.server.addVolume(owner, { name, configMap: { name: configMap.name } }, { name, mountPath: `${PATH}/${folder}` });
    return configMap;
  }

  /**
   * Puts a layer around the app of the server and the layers before it: the name of a function that takes an ASGI app and gives
   * one, as `module:function`. Where it cannot be imported, the server does not start. It gives the ConfigMap of what puts it there.
   *
   * @see https://www.uvicorn.org/settings/
   */
  public addLayer(name: string): k8s.KubeConfigMap {
    if (this.protocol === undefined) {
      this.protocol = this.add(this, 'layers', 'app_layers', APP_LAYERS)!;
      this.server.addVariable(this, { name: 'UVICORN_HTTP', value: 'app_layers.protocol:LayeredProtocol' });
      this.server.addVariable(this, { name: 'APP_LAYERS', value: late(() => this.layers.join(',')) });
    }
    this.layers.push(name);
    return this.protocol;
  }
}
