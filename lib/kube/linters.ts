/** What is the way it is on purpose, although kube-score or checkov would have it otherwise. */
export interface Decisions {
  readonly images: string[];
  readonly pullPolicy: string;
  /** Whether a container has secrets in its environment. */
  readonly secretsInEnv?: boolean;
  /** Whether liveness and readiness ask for the same page. */
  readonly sameProbes?: boolean;
  /** Whether the Service of a StatefulSet has an address of its own. One pod needs no name of its own. */
  readonly serviceWithAddress?: boolean;
  /** Whether there is one pod only. */
  readonly single?: boolean;
}

/**
 * The same as annotations, in the words of the linters: they stand where a reviewer reads them, and a finding that is new
 * is the only one in a report.
 *
 * @see https://www.checkov.io/2.Basics/Suppressing%20and%20Skipping%20Policies.html
 * @see https://github.com/zegl/kube-score#ignoring-a-test
 */
export function decided(decisions: Decisions): { [annotation: string]: string } {
  const ifNotPresent = decisions.pullPolicy !== 'Always';
  const skips = [
    ...(ifNotPresent ? ['CKV_K8S_15=A pinned image starts without its registry'] : []),
    ...(decisions.images.every((image) => image.includes('@')) ? [] : ['CKV_K8S_43=Pinned by tag; images.digests adds the digest of your registry']),
    ...(decisions.secretsInEnv ? ['CKV_K8S_35=Server and drivers read their credentials from the environment'] : []),
  ];
  const ignored = [
    ...(ifNotPresent ? ['container-image-pull-policy'] : []),
    ...(decisions.sameProbes ? ['pod-probes-identical'] : []),
    ...(decisions.serviceWithAddress ? ['statefulset-has-servicename'] : []),
    ...(decisions.single ? ['deployment-replicas'] : []),
  ];
  return {
    ...Object.fromEntries(skips.map((skip, index) => [`checkov.io/skip${index + 1}`, skip])),
    ...(ignored.length === 0 ? {} : { 'kube-score/ignore': ignored.join(',') }),
  };
}
