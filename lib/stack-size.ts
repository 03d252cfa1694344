import { Size } from 'cdk8s';
import { mergeResources } from './kube/merge';
import { PodOptions } from './options/pod-options';
import { ContainerResources } from './options/resources';
import { StackSize } from './options/stack-size';
import { StoreOptions } from './store/store-options';
import { TrackingServerOptions } from './tracking-server/tracking-server-props';
import { PropChecks } from './validation/prop-checks';

/** What the parts of a stack get where their own options say nothing. */
interface Sizes {
  readonly backendStore?: StoreOptions;
  readonly artifactStore?: StoreOptions;
  pod(given: PodOptions | undefined): PodOptions | undefined;
  server(given: TrackingServerOptions | undefined): TrackingServerOptions | undefined;
}

const VOLUME = Size.gibibytes(1);
const SERVER: ContainerResources = { cpuRequest: '100m', memoryRequest: Size.mebibytes(416) };
const BOOTSTRAP: ContainerResources = { cpuRequest: '10m', memoryRequest: Size.mebibytes(32) };
const TINY: Sizes = {
  backendStore: { storageSize: VOLUME, resources: { cpuRequest: '50m', memoryRequest: Size.mebibytes(64) } },
  // the memory that it asks for by default is what it takes without load
  artifactStore: { storageSize: VOLUME, resources: { cpuRequest: '50m' } },
  pod: (given) => ({ ...given, bootstrapResources: mergeResources(BOOTSTRAP, given?.bootstrapResources) }),
  server: (given) => ({ ...given, resources: mergeResources(SERVER, given?.resources) }),
};

/** The prop `size` of a stack. */
export function stackSize(checks: PropChecks, size: StackSize = StackSize.DEFAULT): Sizes {
  checks.oneOf('size', size, Object.values(StackSize), 'the size of a stack');
  return size === StackSize.TINY ? TINY : { pod: (given) => given, server: (given) => given };
}
