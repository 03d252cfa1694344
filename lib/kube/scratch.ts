import { Size } from 'cdk8s';
import { emptyDir, ephemeralVolume } from './pod';
import { ClusterPlatform } from '../options/cluster-options';
import { EphemeralScratch, ScratchVolume } from '../options/scratch-volume';
import { PropChecks } from '../validation/prop-checks';
import { quantity } from '../validation/quantity';
import { k8s } from '../../imports/k8s';

/** Mebibytes on the disk of the node besides the files in transit: logs, and what Python and MLflow write. */
const BESIDE_SCRATCH = 256;
/** Mebibytes that a container may have there on GKE Autopilot. */
const AUTOPILOT_MAX = 10 * 1024;

/** Props of a pod that keeps files for as long as it lives. */
export interface ScratchProps {
  readonly scratchSize?: Size;
  readonly scratchVolume?: ScratchVolume;
  readonly platform: string;
  readonly podLabels: { [key: string]: string };
}

/** The volume for them, and how much of the disk of its node a container may take then. */
export function scratch(checks: PropChecks, name: string, props: ScratchProps): { readonly volume: k8s.Volume; readonly diskLimit: string } {
  const scratchSize = checks.size('scratchSize', props.scratchSize ?? Size.gibibytes(10));
  const ephemeral = ephemeralScratch(checks, props.scratchVolume, props.platform);
  const onNode = Math.ceil(quantity(scratchSize) / 1024 ** 2) + BESIDE_SCRATCH;
  if (ephemeral === undefined && props.platform === ClusterPlatform.GKE_AUTOPILOT && onNode > AUTOPILOT_MAX) {
    checks.fault({
      prop: 'scratchSize',
      value: scratchSize,
      rule: `on GKE Autopilot a container has at most 10 GiB of the disk of the node, of which ${BESIDE_SCRATCH} MiB are for what is not in transit (https://cloud.google.com/kubernetes-engine/docs/concepts/autopilot-resource-requests)`,
      fix: 'leave scratchVolume out, for a volume of its own, or pass a size such as Size.gibibytes(9)',
    });
  }
  return {
    volume: ephemeral === undefined ? emptyDir(name, scratchSize) : ephemeralVolume(name, props.podLabels, scratchSize, ephemeral.storageClassName),
    diskLimit: `${ephemeral === undefined ? onNode : BESIDE_SCRATCH}Mi`,
  };
}

/** Of which class the volume is that comes and goes with a pod; undefined for a folder of the node. */
function ephemeralScratch(checks: PropChecks, given: ScratchVolume | undefined, platform: string): EphemeralScratch | undefined {
  // there is always a class there, and too little of the disk of the node for the default size
  if (given === undefined) return platform === ClusterPlatform.GKE_AUTOPILOT ? {} : undefined;
  if (!('_ephemeral' in given)) {
    checks.fault({ prop: 'scratchVolume', value: given, hidden: true, rule: 'it is a ScratchVolume', fix: 'pass ScratchVolume.ephemeral(), or leave it out' });
    return undefined;
  }
  if (given._ephemeral === undefined) return undefined;
  const { storageClassName } = checks.props(given._ephemeral, { storageClassName: 'value' }, 'scratchVolume.');
  return { storageClassName: checks.storageClassName(storageClassName, 'scratchVolume.storageClassName') };
}
