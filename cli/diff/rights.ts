import { safe } from './lines';
import { Json, Manifest } from './manifests';
import { Finding, Review, docs, list, same } from './review';

/** One verb on one resource, or on one path. `name` is undefined for all objects of it. */
interface Right {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly name?: string;
}

const LINK = docs('who may do what', 'explanation/credentials.md#one-job-three-steps');
const ROLES = ['Role', 'ClusterRole'];
const BINDINGS = ['RoleBinding', 'ClusterRoleBinding'];

/** What accounts may do in the cluster that they might not (https://kubernetes.io/docs/reference/access-authn-authz/rbac/). */
export function rights(review: Review): Finding[] {
  if (review.base.size === 0) return [];
  const finding = (manifest: Manifest, what: string): Finding => ({ sign: '⚠', rule: 'grants more', text: `grants more: ${review.name(manifest)}, ${what}`, link: LINK, about: [manifest] });
  const grown = (before: Manifest | undefined, after: Manifest) => {
    const had = rightsOf(before?.object);
    const more = rightsOf(after.object).filter((right) => !had.some((other) => isCovered(right, other)));
    return more.length === 0 ? [] : [finding(after, list(wordsOf(more), 6))];
  };
  const bound = (before: Manifest | undefined, after: Manifest) => {
    const more = subjectsOf(after).filter((subject) => !subjectsOf(before).some((other) => same(subject, other)));
    return more.length === 0 ? [] : [finding(after, `${safe(after.object.roleRef?.kind)} ${safe(after.object.roleRef?.name)} for ${whom(more)}`)];
  };
  const added = review.only('added', ...BINDINGS);
  // what a new role is for is told with it
  const fresh = review.only('added', ...ROLES).flatMap((role) => {
    const bindings = added.filter((binding) => isOf(binding, role));
    const others = [...review.head.values()].some((binding) => BINDINGS.includes(binding.kind) && isOf(binding, role));
    const subjects = bindings.flatMap(subjectsOf);
    const who = subjects.length > 0 ? `, for ${whom(subjects)}` : others ? '' : ', and nobody has it yet';
    const where = bindings.some(({ kind }) => kind === 'ClusterRoleBinding') ? ', in all namespaces' : '';
    return grown(undefined, role).map((found) => ({ ...found, text: `${found.text}${who}${where}`, about: [role, ...bindings] }));
  });
  const told = new Set(fresh.flatMap(({ about }) => about));
  return [
    ...review.pairs(...ROLES).flatMap(({ before, after }) => grown(before, after)),
    ...fresh,
    ...review.pairs(...BINDINGS).flatMap(({ before, after }) => bound(before, after)),
    ...added.filter((binding) => !told.has(binding)).flatMap((binding) => bound(undefined, binding)),
  ];
}

function subjectsOf(binding: Manifest | undefined): Json[] {
  return (binding?.object.subjects ?? []) as Json[];
}

function whom(subjects: Json[]): string {
  return list(subjects.map(({ kind, name }) => `${safe(kind)} ${safe(name)}`), 4);
}

/** Whether a binding is to a role: of a Role it is one of the same namespace. */
function isOf(binding: Manifest, role: Manifest): boolean {
  const { kind, name } = (binding.object.roleRef ?? {}) as Json;
  return kind === role.kind && name === role.name && (kind === 'ClusterRole' || binding.namespace === role.namespace);
}

function rightsOf(role: Json): Right[] {
  return ((role?.rules ?? []) as Json[]).flatMap(({ verbs = [], apiGroups = [''], resources = [], resourceNames, nonResourceURLs = [] }) => {
    const names: (string | undefined)[] = resourceNames?.length > 0 ? resourceNames : [undefined];
    const things: { group: string; resource: string; name?: string }[] = [
      ...apiGroups.flatMap((group: string) => resources.flatMap((resource: string) => names.map((name) => ({ group, resource, name })))),
      ...nonResourceURLs.map((resource: string) => ({ group: 'path', resource })),
    ];
    return things.flatMap((thing) => verbs.map((verb: string) => ({ ...thing, verb })));
  });
}

function isCovered(right: Right, had: Right): boolean {
  const fits = (one: string, other: string) => other === '*' || one === other;
  return fits(right.verb, had.verb) && fits(right.group, had.group) && fits(right.resource, had.resource) && (had.name === undefined || had.name === right.name);
}

/** The rights, verbs of one thing together. */
function wordsOf(rights: Right[]): string[] {
  const things = new Map<string, string[]>();
  for (const { verb, resource, name } of rights) {
    const thing = `${resource === '*' ? 'everything' : safe(resource)}${name === undefined ? '' : ` ${safe(name)}`}`;
    things.set(thing, [...(things.get(thing) ?? []), verb === '*' ? 'do anything with' : safe(verb)]);
  }
  return [...things].map(([thing, verbs]) => `${[...new Set(verbs)].join(' and ')} ${thing}`);
}
