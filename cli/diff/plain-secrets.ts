import { isPlainSecret, safe } from './lines';
import { Json, Manifest, isObject } from './manifests';
import { Finding, Review, docs, list } from './review';

const LINK = docs('keep it in a Secret that is in no manifest', 'how-to/existing-secrets.md');

/** Values that everybody reads who sees the manifests, and that were not there before. Their names are told, and no value. */
export function plainSecrets(review: Review): Finding[] {
  const found = (before: Manifest | undefined, after: Manifest): Finding[] => {
    const had = before === undefined ? [] : namesOf(before.object);
    const names = namesOf(after.object).filter((name) => !had.includes(name));
    return names.length === 0 ? [] : [{ sign: '⚠', rule: 'plain secret', text: `shows a secret to all who read the manifests: ${review.name(after)}, ${list(names.map(safe), 4)}`, link: LINK, about: [after] }];
  };
  return review.changes.flatMap(({ before, after }) => (after === undefined ? [] : found(before, after)));
}

/** The names of variables with a secret in them, and of the keys of a Secret that has values. */
function namesOf(value: Json): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => namesOf(item as Json));
  if (!isObject(value)) return [];
  if (value.kind === 'Secret') return ['data', 'stringData'].flatMap((field) => Object.entries((value[field] ?? {}) as object).flatMap(([key, text]) => (text === '' ? [] : key)));
  return [...(isPlainSecret(value as Json) ? [value.name as string] : []), ...Object.values(value).flatMap((item) => namesOf(item as Json))];
}
