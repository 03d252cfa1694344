import { IArtifactStore } from './artifact-store';
import { k8s } from '../../imports/k8s';

/** What stands before the names of a second store in a pod: of its variables, its volumes and its paths. */
export interface SecondStoreNames {
  readonly variable: string;
  readonly volume: string;
  readonly path: string;
}

/** What the client of a second store needs. */
export interface SecondStore {
  readonly environment: k8s.EnvVar[];
  readonly volumes: k8s.Volume[];
  readonly volumeMounts: k8s.VolumeMount[];
}

/** What the client of a second store needs in a pod, under names that are not those of the first. */
export function secondStore(store: IArtifactStore, names: SecondStoreNames): SecondStore {
  const { environment, volumes = [], volumeMounts = [] } = store;
  const path = (value: string) => (volumeMounts.some(({ mountPath }) => value.startsWith(mountPath)) ? `${names.path}${value}` : value);
  return {
    environment: environment.map((variable) => ({ ...variable, name: `${names.variable}${variable.name}`, ...(variable.value !== undefined && { value: path(variable.value) }) })),
    volumes: volumes.map((volume) => ({ ...volume, name: `${names.volume}${volume.name}` })),
    volumeMounts: volumeMounts.map((mount) => ({ ...mount, name: `${names.volume}${mount.name}`, mountPath: `${names.path}${mount.mountPath}` })),
  };
}
