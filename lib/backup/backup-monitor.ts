import { Size } from 'cdk8s';
import { Construct } from 'constructs';
import { DESTINATION, sourcesOf } from './backup-pod';
import { IArtifactStore } from '../artifact-store/artifact-store';
import { secondStore } from '../artifact-store/second-store';
import { Connections } from '../kube/connections';
import { containerResources } from '../kube/pod';
import { ContainerResources } from '../options/resources';
import { PreflightPod } from '../preflight/preflight-pod';
import { WatchingPod } from '../preflight/watching-pod';
import { ITrackingServer } from '../tracking-server/server';
import { storeEgress } from '../tracking-server/store-clients';
import { PropChecks } from '../validation/prop-checks';
import { k8s } from '../../imports/k8s';

const PORT = 8080;
const RESOURCES: Required<ContainerResources> = { cpuRequest: '10m', cpuLimit: '500m', memoryRequest: Size.mebibytes(96), memoryLimit: Size.mebibytes(192) };

/** Props of `BackupMonitor`. */
export interface BackupMonitorProps {
  readonly server: ITrackingServer;
  readonly destination: IArtifactStore;
  /** ConfigMap with the programs. */
  readonly programs: k8s.KubeConfigMap;
}

/** A small pod that tells Prometheus what the last backups have noted at the destination: their own pods are gone by then. */
export class BackupMonitor extends Construct {
  public readonly deployment: k8s.KubeDeployment;
  public readonly service: k8s.KubeService;
  public readonly labels: { [key: string]: string };
  public readonly podLabels: { [key: string]: string };
  public readonly connections: Connections;
  public readonly networkPolicy?: k8s.KubeNetworkPolicy;

  public constructor(scope: Construct, id: string, { server, destination, programs }: BackupMonitorProps) {
    super(scope, id);
    const checks = new PropChecks(this, [server]);
    const beside = new PreflightPod(this, checks, server, 'backup-monitor', 'backup-monitor');
    this.labels = beside.metadata.labels;
    this.podLabels = beside.podLabels;
    const second = secondStore(destination, DESTINATION);
    this.connections = new Connections({ podLabels: this.podLabels, ports: [PORT], isolated: true });
    this.connections.allowTo(...storeEgress(server, destination));
    destination.connections?.allowFromPods(this.podLabels);
    const env = [
      ...second.environment,
      { name: 'BACKUP_DESTINATION', value: destination.artifactsDestination },
      { name: 'BACKUP_STARTUP_SOURCES', value: sourcesOf(destination.environment) },
      { name: 'EXPORTER_PORT', value: String(PORT) },
    ];
    const mount = { name: 'backup', mountPath: '/app/mlflow_backup' };
    const pod = new WatchingPod(this, checks, server, {
      beside,
      container: { ...beside.container('exporter', ['exporter'], env, [mount, ...second.volumeMounts]), command: ['python3', mount.mountPath], resources: containerResources(checks, undefined, RESOURCES, '256Mi') },
      port: PORT,
      readiness: { periodSeconds: 10 },
      volumes: [{ name: mount.name, configMap: { name: programs.name } }, ...second.volumes],
      connections: this.connections,
    });
    this.deployment = pod.deployment;
    this.service = pod.service;
    this.networkPolicy = pod.networkPolicy;
  }
}
