import { quantity } from '../../lib/validation/quantity';
import { safe } from './lines';
import { Json, Manifest } from './manifests';
import { Finding, Link, Review, at, docs, list, same, without } from './review';

/** A field that keeps its value. `initial` is what the API server puts where it is not set. */
interface Fixed {
  readonly path: string;
  readonly word?: string;
  readonly initial?: Json;
  /** Whether this change of the object leaves the field free after all. */
  readonly free?: (before: Json, after: Json) => boolean;
}

const LARGER = docs('how to enlarge a volume', 'how-to/operate.md#a-larger-volume');
const UNCHANGEABLE = docs('what cannot be changed', 'upgrade.md#what-cannot-be-changed');
const AGAIN = docs('how to make it anew', 'how-to/pipelines.md#what-kubernetes-refuses');

/** https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/stateful-set-v1/ and the message of the API server, "updates to statefulset spec for fields other than …". */
const CHANGEABLE_OF_STATEFUL_SETS = ['replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy', 'minReadySeconds'];

/** Directives of a suspended Job: https://kubernetes.io/docs/concepts/workloads/controllers/job/#mutable-scheduling-directives */
const DIRECTIVES = ['nodeSelector', 'tolerations', 'affinity', 'schedulingGates'];

const isExternal = (service: Json): boolean => at(service, 'spec.type') === 'ExternalName';

/**
 * What the API server refuses to change, for each kind. test/e2e/test_refused.py asks a real one.
 */
const FIXED: { [kind: string]: Fixed[] } = {
  // https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#label-selector-updates
  Deployment: [{ path: 'spec.selector' }],
  DaemonSet: [{ path: 'spec.selector' }],
  ReplicaSet: [{ path: 'spec.selector' }],
  // https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/
  Job: [
    { path: 'spec.selector' },
    { path: 'spec.template', free: (before, after) => at(before, 'spec.suspend') === true && same(withoutDirectives(before), withoutDirectives(after)) },
    { path: 'spec.completions', free: (before) => at(before, 'spec.completionMode') === 'Indexed' },
    { path: 'spec.completionMode', initial: 'NonIndexed' },
    { path: 'spec.podFailurePolicy' },
    { path: 'spec.backoffLimitPerIndex' },
    { path: 'spec.successPolicy' },
    { path: 'spec.managedBy' },
  ],
  // https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/, at clusterIP: a value stays that was set, also where it is left out later
  Service: [{ path: 'spec.clusterIP', free: (before, after) => isExternal(before) || isExternal(after) || at(after, 'spec.clusterIP') === undefined }],
  // https://kubernetes.io/docs/concepts/storage/persistent-volumes/#expanding-persistent-volumes-claims
  PersistentVolumeClaim: [
    { path: 'spec.resources.requests.storage', word: 'storage', free: (before, after) => storage(after.spec) >= storage(before.spec) },
    { path: 'spec.storageClassName', word: 'storage class' },
    { path: 'spec.accessModes' },
    { path: 'spec.volumeMode', initial: 'Filesystem' },
    { path: 'spec.volumeName', free: (before) => at(before, 'spec.volumeName') === undefined },
    { path: 'spec.selector' },
    { path: 'spec.dataSource' },
  ],
  // https://kubernetes.io/docs/concepts/configuration/configmap/#configmap-immutable
  ConfigMap: [
    { path: 'data', free: isMutable },
    { path: 'binaryData', free: isMutable },
    { path: 'immutable', free: isMutable },
  ],
  // https://kubernetes.io/docs/concepts/configuration/secret/#secret-types and #secret-immutable
  Secret: [
    { path: 'type', initial: 'Opaque' },
    { path: 'data', free: isMutable },
    { path: 'stringData', free: isMutable },
    { path: 'immutable', free: isMutable },
  ],
  // https://kubernetes.io/docs/reference/access-authn-authz/rbac/#clusterrolebinding-example
  RoleBinding: [{ path: 'roleRef' }],
  ClusterRoleBinding: [{ path: 'roleRef' }],
  // https://kubernetes.io/docs/concepts/storage/storage-classes/
  StorageClass: [
    { path: 'provisioner' },
    { path: 'parameters' },
    { path: 'reclaimPolicy', initial: 'Delete' },
    { path: 'volumeBindingMode', initial: 'Immediate' },
  ],
  // https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/#priorityclass
  PriorityClass: [{ path: 'value' }, { path: 'preemptionPolicy', initial: 'PreemptLowerPriority' }],
};

/** What kubectl and controllers cannot apply, since the API server refuses it. The rest of the manifests is applied all the same. */
export function refused(review: Review): Finding[] {
  return review.pairs().flatMap(({ before, after, change }) => {
    // another name is another object
    if (change.action !== 'changed') return [];
    const found = after.kind === 'StatefulSet' ? ofStatefulSet(before.object, after.object) : fixed(before, after);
    if (found.length === 0) return [];
    // one that has ended is gone by then, and comes anew
    if (after.kind === 'Job' && at(before.object, 'spec.ttlSecondsAfterFinished') !== undefined) {
      return { sign: '·', rule: 'runs again', text: `runs again: ${review.name(after)}, which is refused while the one before is there`, about: [after] };
    }
    const text = `refused by Kubernetes: ${review.name(after)}, ${list(found)}`;
    return { sign: '⚠', rule: 'refused', text, link: linkOf(before, after, found), about: [after] };
  });
}

function fixed(before: Manifest, after: Manifest): string[] {
  return (FIXED[after.kind] ?? []).flatMap(({ path, word, initial, free }) => {
    const [old, fresh] = [before, after].map(({ object }) => at(object, path) ?? (initial as Json));
    if (same(old, fresh) || free?.(before.object, after.object) === true) return [];
    const called = word ?? path.split('.').at(-1)!;
    return after.kind === 'Secret' ? called : moved(called, old, fresh);
  });
}

function ofStatefulSet(before: Json, after: Json): string[] {
  const initial: { [field: string]: Json } = { podManagementPolicy: 'OrderedReady' };
  const fields = [...new Set([...Object.keys(before.spec ?? {}), ...Object.keys(after.spec ?? {})])].filter((field) => !CHANGEABLE_OF_STATEFUL_SETS.includes(field));
  return fields.flatMap((field) => {
    const [old, fresh] = [before, after].map((object) => at(object, `spec.${field}`) ?? initial[field]);
    if (field === 'volumeClaimTemplates') return ofClaims(old ?? [], fresh ?? []);
    return same(old, fresh) ? [] : moved(field, old, fresh);
  });
}

function ofClaims(before: Json[], after: Json[]): string[] {
  const named = (claims: Json[]) => claims.map((claim) => at(claim, 'metadata.name') as Json);
  if (!same(named(before), named(after))) return [moved('claims', named(before), named(after))];
  return before.flatMap((claim, index) => {
    const [old, fresh] = [claim, after[index]].map(claimOf);
    const of = before.length === 1 ? '' : ` of ${safe(at(claim, 'metadata.name'))}`;
    const found = [
      ...(old.bytes === fresh.bytes ? [] : [moved(`storage${of}`, old.storage, fresh.storage)]),
      ...(same(old.storageClassName, fresh.storageClassName) ? [] : [moved(`storage class${of}`, old.storageClassName, fresh.storageClassName)]),
    ];
    return same(old.rest, fresh.rest) ? found : [...found, `volumeClaimTemplates${of}`];
  });
}

function claimOf(claim: Json): Json {
  const { storageClassName, resources, volumeMode = 'Filesystem', ...spec } = claim.spec ?? {};
  const requests = without(resources?.requests, 'storage');
  const rest = { ...without(claim, 'apiVersion', 'kind'), spec: { ...spec, volumeMode, resources: { ...resources, requests } } };
  return { bytes: storage(claim.spec), storage: resources?.requests?.storage, storageClassName, rest };
}

function storage(spec: Json): number | string {
  const text = String(at(spec, 'resources.requests.storage') ?? '');
  const bytes = quantity(text);
  return Number.isNaN(bytes) ? text : bytes;
}

function moved(what: string, old: Json, fresh: Json): string {
  const [from, to] = [old, fresh].map(shown);
  return from === undefined || to === undefined ? what : `${what} ${from} → ${to}`;
}

/** A value that is short enough to be told. */
function shown(value: Json): string | undefined {
  if (value === undefined) return 'not set';
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.map(safe).join('+');
  return ['string', 'number', 'boolean'].includes(typeof value) && String(value).length <= 60 ? safe(value) : undefined;
}

function linkOf(before: Manifest, after: Manifest, found: string[]): Link {
  if (!['StatefulSet', 'PersistentVolumeClaim'].includes(after.kind)) return after.kind === 'Deployment' ? UNCHANGEABLE : AGAIN;
  if (!found.every((field) => /^storage (?!class)/.test(field))) return UNCHANGEABLE;
  const [old, fresh] = [before, after].map(({ object }) => (at(object, 'spec.volumeClaimTemplates') ?? [object]) as Json[]);
  return fresh.some((claim, index) => storage(claim.spec) > storage(old[index]?.spec)) ? LARGER : UNCHANGEABLE;
}

function isMutable(before: Json): boolean {
  return before.immutable !== true;
}

function withoutDirectives(job: Json): Json {
  const template = at(job, 'spec.template') as Json;
  return { ...without(template, 'metadata'), spec: without(template?.spec, ...DIRECTIVES) };
}
