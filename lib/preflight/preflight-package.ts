import { Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import { PREFLIGHT } from '../assets.generated';
import { ConfigMap } from '../kube/objects';
import { programPlace } from '../kube/programs-chart';
import { ArtifactTransfer } from '../proxied-artifacts/artifact-transfer';
import { ITrackingServer } from '../tracking-server/server';
import { k8s } from '../../imports/k8s';

const ID = 'PreflightPackage';
const VOLUME = 'preflight';
/** Modules of commands that run in few pods. With all others they would not fit into what `kubectl apply` notes of an object, 256 KiB. */
const RARE = /^relocate(?!_causes)/;

/**
 * The Python package of preflight, doctor, monitor and clean-up as a ConfigMap, once for each tracking server. It is mounted as
 * a folder, which the kubelet keeps up to date: what starts later has the new one, and no pod is replaced for a better sentence.
 */
export class PreflightPackage extends Construct {
  /** That of a server, which is made when it is first asked for. */
  public static of(server: ITrackingServer): PreflightPackage {
    return (server.node.tryFindChild(ID) as PreflightPackage | undefined) ?? new PreflightPackage(server);
  }

  /** Path of the package in a container. Python runs it as a program. */
  public readonly path = '/app/preflight';

  public readonly configMap: k8s.KubeConfigMap;

  /** ConfigMap with what is in `completeVolume` only. */
  public readonly relocateConfigMap: k8s.KubeConfigMap;

  public readonly volume: k8s.Volume;

  /** For pods in which every command can be run. */
  public readonly completeVolume: k8s.Volume;

  public readonly volumeMount: k8s.VolumeMount;

  /** What its programs read of the server, whether that has a preflight or not. */
  public readonly variables: k8s.EnvVar[];

  private constructor(private readonly server: ITrackingServer) {
    super(server, ID);
    const name = `${server.name}-preflight`;
    const modules = (id: string, suffix: string, rare: boolean) =>
      new ConfigMap(...programPlace(this, id), {
        metadata: { name: `${name}${suffix}`, namespace: server.namespace, labels: server.labels },
        data: Object.fromEntries(Object.entries(PREFLIGHT).filter(([module]) => RARE.test(module) === rare)),
      });
    this.configMap = modules('ConfigMap', '', false);
    this.relocateConfigMap = modules('Relocate', '-relocate', true);
    this.node.defaultChild = this.configMap;
    this.volume = { name: VOLUME, configMap: { name } };
    this.completeVolume = { name: VOLUME, projected: { sources: [this.configMap, this.relocateConfigMap].map((configMap) => ({ configMap: { name: configMap.name } })) } };
    this.volumeMount = { name: VOLUME, mountPath: this.path };
    this.variables = [
      { name: 'STARTUP_DEPLOYMENT', value: server.name },
      { name: 'STARTUP_ARTIFACT_TRANSFER', value: String(server.options.artifactTransfer ?? ArtifactTransfer.PROXIED) },
      // where each value comes from, so that a message can name the key of the Secret
      { name: 'STARTUP_SOURCES', value: Lazy.any({ produce: () => sources(server.environment) }) as unknown as string },
      ...(server.artifactStore.userMayComeLate ? [{ name: 'STARTUP_USER_MAY_COME_LATE', value: 'true' }] : []),
    ];
  }

  /** The variables of the server that its programs read, in a pod beside that of the server. */
  public environment(): k8s.EnvVar[] {
    const given = this.server.environment.filter(({ name }) => name.startsWith('STARTUP_'));
    return [...given, ...this.variables.filter((variable) => given.every(({ name }) => name !== variable.name))];
  }
}

function sources(environment: k8s.EnvVar[]): string {
  const fromSecrets = environment.flatMap(({ name, valueFrom }) =>
    valueFrom?.secretKeyRef === undefined ? [] : [[name, `key ${valueFrom.secretKeyRef.key} of Secret ${valueFrom.secretKeyRef.name}`]],
  );
  return JSON.stringify(Object.fromEntries(fromSecrets));
}
