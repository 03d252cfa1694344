import { isDeepStrictEqual } from 'node:util';
import { Change, withoutFingerprint } from './changes';
import { safe } from './lines';
import { Json, Manifest, Manifests } from './manifests';

/** Where to read on: a page of the documentation, in the words of its heading. */
export interface Link {
  readonly words: string;
  readonly url: string;
}

/** What happens when the change is applied: `⚠` to look at, `↻` a restart, `·` noise. */
export interface Finding {
  readonly sign: '⚠' | '↻' | '·';
  /** The name of the rule, for programs. */
  readonly rule: string;
  readonly text: string;
  readonly link?: Link;
  /** The objects that it is about. */
  readonly about: readonly Manifest[];
}

/** A rule of a review: what it finds in the changes. */
export type Rule = (review: Review) => Finding[];

/** When what is no longer in the manifests goes. */
export const PRUNED = 'where what is gone is pruned';

const DOCS = 'https://github.com/mlflow-on-kubernetes/cdk8s-mlflow/blob/main/docs';
/** Kinds that go by their name alone. */
const PLAIN_KINDS = ['Deployment', 'CronJob'];

export function docs(words: string, page: string): Link {
  return { words, url: `${DOCS}/${page}` };
}

/** A field of an object, by a path with dots; undefined where it is not there. */
export function at(object: Json, path: string): Json {
  return path.split('.').reduce((value, key) => value?.[key] as Json, object) ?? undefined;
}

export function same(one: Json, other: Json): boolean {
  return isDeepStrictEqual(one ?? undefined, other ?? undefined);
}

/** An object without some of its fields. */
export function without(object: Json, ...fields: string[]): Json {
  return Object.fromEntries(Object.entries((object ?? {}) as object).filter(([field]) => !fields.includes(field)));
}

/** The fields of two objects that differ. */
export function differing(before: Json, after: Json): string[] {
  const fields = [before, after].flatMap((object) => Object.keys((object ?? {}) as object));
  return [...new Set(fields)].filter((field) => !same(before?.[field], after?.[field]));
}

/** A list of which the end is a number, so that a line stays one. */
export function list(items: string[], most = 8): string {
  const unique = [...new Set(items)];
  return unique.length <= most ? unique.join(', ') : `${unique.slice(0, most).join(', ')} and ${unique.length - most} more`;
}

/** The changes of two sides, with what rules ask of them. */
export class Review {
  private readonly severalNamespaces: boolean;

  public constructor(
    public readonly base: Manifests,
    public readonly head: Manifests,
    public readonly changes: readonly Change[],
  ) {
    const namespaces = [...base.values(), ...head.values()].flatMap(({ namespace }) => namespace ?? []);
    this.severalNamespaces = new Set(namespaces).size > 1;
  }

  /** What an object is called in a line: without a fingerprint, and with its namespace where there are several. */
  public name({ kind, namespace, name }: Manifest): string {
    const label = `${this.severalNamespaces && namespace !== undefined ? `${safe(namespace)}/` : ''}${safe(withoutFingerprint(name))}`;
    return PLAIN_KINDS.includes(kind) ? label : `${safe(kind)} ${label}`;
  }

  /** The changes of objects of these kinds that are on both sides. */
  public pairs(...kinds: string[]): { before: Manifest; after: Manifest; change: Change }[] {
    return this.changes.flatMap((change) => {
      const { before, after } = change;
      return before !== undefined && after !== undefined && (kinds.length === 0 || kinds.includes(after.kind)) ? [{ before, after, change }] : [];
    });
  }

  public only(action: 'added' | 'removed', ...kinds: string[]): Manifest[] {
    return this.changes.flatMap(({ action: done, before, after }) => (done === action && kinds.includes((after ?? before)!.kind) ? [(after ?? before)!] : []));
  }
}
