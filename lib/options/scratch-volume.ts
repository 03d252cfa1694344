/** Options of `ScratchVolume.ephemeral`. */
export interface EphemeralScratch {
  /**
   * Storage class of the volume.
   *
   * @default - the default class of the cluster
   * @see https://kubernetes.io/docs/concepts/storage/storage-classes/
   */
  readonly storageClassName?: string;
}

/**
 * On which kind of volume a pod of the tracking server keeps files in transit.
 *
 * @see https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/
 */
export class ScratchVolume {
  /**
   * A folder on the disk of the node. It needs nothing of the cluster, and is there at once; but the kubelet evicts a pod whose
   * folder is above `scratchSize`, with all transfers that are under way.
   *
   * @see https://kubernetes.io/docs/concepts/storage/volumes/#emptydir
   */
  public static emptyDir(): ScratchVolume {
    return new ScratchVolume();
  }

  /**
   * A volume of `scratchSize` that comes and goes with the pod. Where it is full, the one transfer that has no room ends with an
   * error, and the pod goes on. The cluster needs a storage class whose volumes have the size that they are asked for, as those of
   * a cloud have: volumes that are folders of a node, as in kind and k3s, have no bound at all.
   *
   * @param options the storage class
   * @see https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#generic-ephemeral-volumes
   */
  public static ephemeral(options: EphemeralScratch = {}): ScratchVolume {
    return new ScratchVolume(options);
  }

  /** @internal */
  public readonly _ephemeral?: EphemeralScratch;

  private constructor(ephemeral?: EphemeralScratch) {
    this._ephemeral = ephemeral;
  }
}
