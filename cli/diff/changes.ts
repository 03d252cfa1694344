import { isDeepStrictEqual } from 'node:util';
import { Manifest, Manifests, labelOf } from './manifests';

/** What is done to an object, in the order in which it is told. */
export const ACTIONS = ['removed', 'replaced', 'added', 'changed'] as const;

export type Action = (typeof ACTIONS)[number];

/** An object that differs. Each side is there but for one that is added or removed. */
export interface Change {
  readonly action: Action;
  readonly before?: Manifest;
  readonly after?: Manifest;
}

const FINGERPRINT = /-[0-9a-f]{8,}$/;

/** A name without the fingerprint of the content at its end, such as that of a bootstrap Job. */
export function withoutFingerprint(name: string): string {
  return name.replace(FINGERPRINT, '');
}

/** The object as it is named and found: that of after where there are two. */
export function manifestOf({ before, after }: Change): Manifest {
  return (after ?? before)!;
}

/**
 * The objects that differ. They are compared one by one: their order, and the files they are in, mean nothing to a cluster, and
 * would fill a diff of whole files. One with a fingerprint in its name is compared with the one that it replaces.
 */
export function changesOf(base: Manifests, head: Manifests): Change[] {
  const gone = [...base].filter(([key]) => !head.has(key)).map(([, before]) => before);
  const predecessors = new Map(gone.filter(({ name }) => FINGERPRINT.test(name)).map((before) => [stem(before), before]));
  const pairs: { before?: Manifest; after?: Manifest }[] = [...head].map(([key, after]) => ({ before: base.get(key) ?? predecessors.get(stem(after)), after }));
  const replaced = new Set(pairs.map(({ before }) => before));
  pairs.push(...gone.filter((before) => !replaced.has(before)).map((before) => ({ before })));
  const changes = pairs
    .filter(({ before, after }) => before?.name !== after?.name || !isDeepStrictEqual(before?.object, after?.object))
    .map(({ before, after }): Change => ({ action: actionOf(before, after), before, after }));
  const order = (change: Change): string => [ACTIONS.indexOf(change.action), manifestOf(change).kind, labelOf((change.before ?? change.after)!)].join('\0');
  return changes.sort((one, other) => (order(one) < order(other) ? -1 : 1));
}

function actionOf(before?: Manifest, after?: Manifest): Action {
  if (before === undefined) return 'added';
  if (after === undefined) return 'removed';
  return before.name === after.name ? 'changed' : 'replaced';
}

function stem(manifest: Manifest): string {
  return JSON.stringify([manifest.group, manifest.kind, withoutFingerprint(labelOf(manifest))]);
}
