import { safe } from './lines';
import { Json, Manifest } from './manifests';
import { Finding, PRUNED, Review, at, docs, list, same } from './review';

const PRUNING = docs('before you switch on pruning', 'how-to/gitops.md#before-you-switch-on-pruning');
const NAMES = docs('what cannot be changed', 'upgrade.md#what-cannot-be-changed');
const ANEW = docs('what a new value needs', 'how-to/rotate-credentials.md');
const LOST = docs('start again with old volumes', 'how-to/operate.md#start-again-with-old-volumes');

/** Kinds that take data along when they go, and what. */
const HOLDERS: { [kind: string]: string } = {
  // https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/
  Namespace: 'with everything in it',
  // https://kubernetes.io/docs/concepts/storage/persistent-volumes/#reclaiming
  PersistentVolumeClaim: 'with its volume, unless that is retained',
  PersistentVolume: 'with what is on it',
  // https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#delete-a-customresourcedefinition
  CustomResourceDefinition: 'with all objects of its kind',
};
/** Operators whose objects own volumes. */
const OPERATED: { [group: string]: string } = { 'postgresql.cnpg.io': 'Cluster' };

/** What would be deleted with data in it, where what is gone is deleted, and data that is no longer looked at. */
export function data(review: Review): Finding[] {
  const gone = review.changes.flatMap(({ action, before }) => (action === 'removed' ? [before!] : []));
  const lost = gone.flatMap((manifest) => {
    const how = HOLDERS[manifest.kind] ?? (OPERATED[manifest.group] === manifest.kind ? 'with its volumes' : undefined) ?? (manifest.kind === 'StatefulSet' && deletes(manifest.object, 'whenDeleted') ? 'with its volumes' : undefined);
    return how === undefined ? [] : [{ manifest, how }];
  });
  return [
    ...lost.map(({ manifest, how }) => warning('deletes data', `deletes data, ${PRUNED}: ${review.name(manifest)}, ${how}`, PRUNING, manifest)),
    ...renamed(review),
    ...retention(review),
  ];
}

function warning(rule: string, text: string, link: Finding['link'], ...about: Manifest[]): Finding {
  return { sign: '⚠', rule, text, link, about };
}

/** Whether the claims go with the StatefulSet, or with its last pods: https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention */
function deletes(object: Json, when: 'whenDeleted' | 'whenScaled'): boolean {
  return at(object, `spec.persistentVolumeClaimRetentionPolicy.${when}`) === 'Delete';
}

/** A store under another name is another store, and an empty one. */
function renamed(review: Review): Finding[] {
  return review.only('removed', 'StatefulSet').map((before) => {
    const labels = (manifest: Manifest): Json => at(manifest.object, 'spec.selector.matchLabels');
    const claims = (manifest: Manifest): Json[] => at(manifest.object, 'spec.volumeClaimTemplates') ?? [];
    const after = review.only('added', 'StatefulSet').find((other) => same(kindOf(labels(before)), kindOf(labels(other))) || (before.name === other.name && before.namespace !== other.namespace));
    const keeps = claims(before).length > 0 && !deletes(before.object, 'whenDeleted');
    const kept = keeps ? `; ${safe(before.name)} stays with its volumes, which nothing uses` : '';
    if (after === undefined) return warning('data left behind', `takes away ${review.name(before)}, ${PRUNED}${keeps ? '; its volumes stay until somebody deletes their claims' : ''}`, PRUNING, before);
    const place = before.namespace === after.namespace ? safe(after.name) : `${safe(after.namespace)}/${safe(after.name)}`;
    return warning('data left behind', `begins with empty volumes: ${review.name(before)} → ${place}${kept}`, NAMES, before, after);
  });
}

/** What the pods are, without whose. */
function kindOf(labels: Json): Json {
  return labels?.['app.kubernetes.io/name'] === undefined ? labels : [labels['app.kubernetes.io/name'], labels['app.kubernetes.io/component']];
}

function retention(review: Review): Finding[] {
  return review.pairs('StatefulSet').flatMap(({ before, after }) => {
    const [old, fresh] = [before, after].map(({ object }) => (at(object, 'spec.replicas') ?? 1) as number);
    if (fresh < old && deletes(after.object, 'whenScaled')) return [warning('deletes data', `deletes data: ${review.name(after)}, volumes of ${old - fresh} pods that go`, PRUNING, after)];
    const when = (['whenDeleted', 'whenScaled'] as const).filter((policy) => deletes(after.object, policy) && !deletes(before.object, policy));
    return when.length === 0 ? [] : [warning('deletes data later', `lets volumes go with pods: ${review.name(after)}, ${when.join(' and ')} Delete`, PRUNING, after)];
  });
}

/** A value that is made up in the cluster: the key of a Secret, and who asks for it. */
interface Generated {
  readonly role: string;
  readonly secret: string;
  readonly keys: string[];
}

/** Secrets whose values would be others: what knows the old ones has to be told, or is shut out. */
export function secrets(review: Review): Finding[] {
  const jobs = review.pairs('Job').flatMap(({ before, after }) => {
    const [old, fresh] = [before, after].map(({ object }) => generatedBy(object));
    const found = fresh.flatMap((value): Finding[] => {
      const had = old.find(({ role }) => role === value.role);
      if (had === undefined) return [];
      if (had.secret !== value.secret) return [warning('new Secret', `makes a Secret anew: ${safe(had.secret)} → ${safe(value.secret)}, with other values`, LOST, after)];
      const keys = value.keys.filter((key) => !had.keys.includes(key) && had.keys.some((other) => withoutGeneration(other) === withoutGeneration(key)));
      return keys.length === 0 ? [] : [warning('new Secret', `makes values of a Secret anew: ${safe(value.secret)}, ${list(keys.map(safe))}`, ANEW, after)];
    });
    return found.filter(({ text }, index) => found.findIndex((other) => other.text === text) === index);
  });
  const told = new Set(jobs.flatMap(({ text }) => text.match(/[\w.-]+/g) ?? []));
  const successors = review
    .only('removed', 'Secret')
    .filter(({ name }) => !told.has(name))
    .map((before) => ({ before, after: nearest(before, review.only('added', 'Secret').filter((other) => same(roleOf(before), roleOf(other)))) }));
  const renewed = successors.flatMap(({ before, after }) =>
    after === undefined ? [] : [warning('new Secret', `makes a Secret anew: ${safe(before.name)} → ${safe(after.name)}${isEmpty(after.object) ? ', with other values' : ''}`, LOST, before, after)],
  );
  const gone = successors.flatMap(({ before, after }) => (after === undefined ? [before] : []));
  const lost = gone.length === 0 ? [] : [warning('Secret gone', `loses values, ${PRUNED}: ${list(gone.map((secret) => review.name(secret)))}`, PRUNING, ...gone)];
  return [...jobs, ...renewed, ...lost];
}

/** A key of a Secret without the number of its generation. */
function withoutGeneration(key: string): string {
  return key.replace(/-\d+$/, '');
}

/** Of several Secrets for the same, the one with most of the name, from its end on: other-user for minio-user. */
function nearest({ name }: Manifest, others: Manifest[]): Manifest | undefined {
  const common = (other: string) => [...name].reverse().findIndex((letter, index) => letter !== other.at(-1 - index));
  return [...others].sort((one, other) => common(other.name) - common(one.name))[0];
}

function isEmpty({ data: values = {}, stringData = {} }: Json): boolean {
  return Object.keys({ ...values, ...stringData }).length === 0;
}

/** What a Secret is for, without its name. */
function roleOf({ namespace, object }: Manifest): Json {
  return [namespace, object.type ?? 'Opaque', at(object, 'metadata.labels') ?? object.metadata?.name];
}

/** The values that a Job of this library has made up: lib/secrets/fill-secrets.py reads the same variables. */
function generatedBy(job: Json): Generated[] {
  const containers = [...((at(job, 'spec.template.spec.initContainers') ?? []) as Json[]), ...((at(job, 'spec.template.spec.containers') ?? []) as Json[])];
  return containers.flatMap(({ env = [] }) => (env as Json[]).flatMap(({ name, value }) => {
    try {
      if (name === 'CREDENTIALS') {
        return (JSON.parse(value) as Json[]).filter(({ generated }) => generated).map(({ role, secretName, usernameKey, passwordKey }) => ({ role, secret: secretName, keys: [usernameKey, passwordKey] }));
      }
      if (name === 'SECRETS') return (JSON.parse(value) as Json[]).map(({ secretName, values }) => ({ role: secretName as string, secret: secretName, keys: Object.keys(values as object) }));
    } catch {
      // a variable of this name that is somebody else's
    }
    return [];
  }));
}
