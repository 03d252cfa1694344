import { compareVersions, containersOf, imageOf, imageWords, isImageOf, versionOf } from './images';
import { safe } from './lines';
import { Json, Manifest } from './manifests';
import { Finding, Review, at, differing, docs, list, without } from './review';

const SCHEMA = docs('a new version of MLflow', 'upgrade.md#a-new-version-of-mlflow');
const WAY_BACK = docs('the way back', 'upgrade.md#the-way-back');
const MAJOR = docs('a new major version of PostgreSQL', 'upgrade.md#a-new-major-version-of-postgresql');
const MINIO = docs('a new version of MinIO', 'upgrade.md#a-new-version-of-minio');
const REPLICAS = docs('more replicas', 'how-to/operate.md#more-replicas');
const PLACES = docs('what cannot be changed', 'upgrade.md#what-cannot-be-changed');

/** What runs all the time, and is replaced when its template changes. */
const RUNNING = ['Deployment', 'StatefulSet', 'DaemonSet'];
/** What runs in the end, or later. */
const ENDING = ['Job', 'CronJob'];
/** Labels of a pod that say what runs in it, and are no reason of their own. */
const VERSION_LABELS = ['app.kubernetes.io/version', 'helm.sh/chart'];
/** How MinIO and its like call their versions: by the time, which sorts as text does. */
const RELEASE = /^RELEASE\.\d{4}-\d\d-\d\dT/;
const ARTIFACT_STORE = 'artifact store';
const ENDPOINT = 'MLFLOW_S3_ENDPOINT_URL';
/** Which places a server of MLflow keeps what it is given: another one begins empty. */
const PLACE_FLAGS: { [flag: string]: string } = { '--backend-store-uri': 'database', '--artifacts-destination': ARTIFACT_STORE, '--registry-store-uri': 'model registry' };

/** A workload whose pods change. */
interface Workload {
  readonly before: Manifest;
  readonly after: Manifest;
  /** Its changes of images, before and after, by container. */
  readonly images: { readonly container: string; readonly before: string; readonly after: string }[];
  /** What else is a reason for new pods, in words. */
  readonly reasons: string[];
  /** What changes beside its pods, in words. */
  readonly beside: string[];
}

/** Restarts, jumps of versions, and workloads of which an image changes with that of another. What is `refused` comes when that is mended. */
export function pods(review: Review, refused: ReadonlySet<Manifest>): Finding[] {
  const all = review.pairs(...RUNNING, ...ENDING).map(({ before, after }) => workloadOf(before, after));
  const workloads = all.filter(({ after }) => !refused.has(after));
  const later = all.filter(({ after, images, reasons }) => refused.has(after) && RUNNING.includes(after.kind) && images.length + reasons.length > 0);
  const primaries = primariesOf(workloads.filter(({ after }) => RUNNING.includes(after.kind)));
  const explained = new Set(primaries.flatMap(({ images }) => images.map(keyOf)));
  const followers = workloads.filter((workload) => !primaries.includes(workload) && isImageOnly(workload));
  return [
    ...all.flatMap((workload) => jumps(review, workload)),
    ...workloads.flatMap((workload) => scaled(review, workload)),
    ...primaries.map((workload) => restart(review, workload)),
    ...later.map((workload) => restart(review, workload, ', once it is not refused any more')),
    ...imageOnly(review, followers, explained),
  ];
}

function workloadOf(before: Manifest, after: Manifest): Workload {
  const path = after.kind === 'CronJob' ? 'spec.jobTemplate.spec.template' : 'spec.template';
  const [old, fresh] = [before, after].map(({ object }) => at(object, path) as Json);
  const rest = [before, after].map(({ object }) => withoutTemplate(object.spec, after.kind)) as [Json, Json];
  return { before, after, images: imagesOf(old, fresh), reasons: reasonsOf(old, fresh), beside: differing(...rest) };
}

function withoutTemplate(spec: Json, kind: string): Json {
  return kind === 'CronJob' ? { ...spec, jobTemplate: { ...without(spec.jobTemplate, 'metadata'), spec: without(spec.jobTemplate?.spec, 'template') } } : without(spec, 'template');
}

function imagesOf(before: Json, after: Json): Workload['images'] {
  return containersOf(after).flatMap(({ name, image }) => {
    const old = containersOf(before).find((container) => container.name === name)?.image;
    return old === undefined || old === image ? [] : [{ container: name, before: old, after: image }];
  });
}

/** What differs in a template beside images, in words. */
function reasonsOf(before: Json, after: Json): string[] {
  const annotations = differing(at(before, 'metadata.annotations'), at(after, 'metadata.annotations')).map((name) => (name.startsWith('checksum/') ? safe(name) : `annotation ${safe(name)}`));
  const labels = differing(at(before, 'metadata.labels'), at(after, 'metadata.labels'))
    .filter((name) => !VERSION_LABELS.includes(name))
    .map((name) => `label ${safe(name)}`);
  const fields = differing(at(before, 'spec'), at(after, 'spec')).filter((field) => !['containers', 'initContainers'].includes(field));
  return [...(['containers', 'initContainers'] as const).flatMap((kind) => ofContainers(before, after, kind)), ...fields, ...annotations, ...labels];
}

function ofContainers(before: Json, after: Json, kind: 'containers' | 'initContainers'): string[] {
  const [old, fresh] = [before, after].map((template) => (at(template, `spec.${kind}`) ?? []) as Json[]);
  const named = (list: Json[], name: string): Json => list.find((container) => container.name === name);
  const what = kind === 'containers' ? 'container' : 'init container';
  const several = fresh.length > 1;
  return [
    ...old.filter(({ name }) => named(fresh, name) === undefined).map(({ name }) => `without ${what} ${safe(name)}`),
    ...fresh.flatMap((container) => {
      const other = named(old, container.name);
      if (other === undefined) return [`new ${what} ${safe(container.name)}`];
      const of = several ? ` of ${safe(container.name)}` : '';
      return differing(other, container).flatMap((field) => (field === 'image' ? [] : [`${fieldWords(field, other[field], container[field])}${of}`]));
    }),
  ];
}

function fieldWords(field: string, before: Json, after: Json): string {
  if (field === 'env') {
    const byName = (env: Json[] = []) => Object.fromEntries(env.map((variable) => [variable.name, variable]));
    return `variables ${list(differing(byName(before), byName(after)).map(safe), 4)}`;
  }
  if (field === 'args') {
    const flags = differingArguments(before, after);
    return flags.length === 0 ? 'arguments' : `arguments ${list(flags, 4)}`;
  }
  if (field === 'resources') {
    const amounts = (['requests', 'limits'] as const).flatMap((kind) => differing(before?.[kind], after?.[kind]).map((name) => `${safe(name)} ${kind === 'limits' ? 'limit' : 'request'} ${amount(before?.[kind]?.[name])} → ${amount(after?.[kind]?.[name])}`));
    if (amounts.length > 0) return list(amounts, 4);
  }
  return safe(field);
}

function amount(value: unknown): string {
  return value === undefined ? 'none' : safe(value);
}

/** The names of flags that differ: a value may be long, or not for everybody. */
function differingArguments(before: string[] = [], after: string[] = []): string[] {
  const [old, fresh] = [before, after].map((args) => args.map(String));
  return [...fresh.filter((arg) => !old.includes(arg)), ...old.filter((arg) => !fresh.includes(arg))].flatMap((arg) => /^-{1,2}[\w-]+/.exec(arg)?.[0] ?? []);
}

function isImageOnly({ images, reasons, beside }: Workload): boolean {
  return images.length > 0 && reasons.length === 0 && beside.length === 0;
}

function keyOf({ before, after }: { before: string; after: string }): string {
  return `${before}\0${after}`;
}

/**
 * The workloads that have a line of their own: those of which more than an image changes; and of those with the same change of an
 * image and nothing else, the server, where one of them is it.
 */
function primariesOf(workloads: Workload[]): Workload[] {
  const replaced = workloads.filter(({ images, reasons }) => images.length > 0 || reasons.length > 0);
  const isServer = ({ after }: Workload) => at(after.object, 'spec.template.metadata.labels')?.['app.kubernetes.io/component'] === 'tracking-server' || serverOf(at(after.object, 'spec.template')) !== undefined;
  const firm = replaced.filter((workload) => !isImageOnly(workload) || isServer(workload) || workload.after.kind === 'StatefulSet');
  const explained = new Set(firm.flatMap(({ images }) => images.map(keyOf)));
  return replaced.filter((workload) => firm.includes(workload) || !workload.images.every((image) => explained.has(keyOf(image))));
}

/** The container that is a server of MLflow. */
function serverOf(template: Json): Json {
  const isServer = ({ command = [], args = [] }: Json) => /(^|\0)mlflow\0server(\0|$)/.test([...command, ...args].join('\0'));
  return ((at(template, 'spec.containers') ?? []) as Json[]).find((container) => isServer(container));
}

function restart(review: Review, { before, after, images, reasons }: Workload, when = ''): Finding {
  const server = serverOf(at(after.object, 'spec.template'));
  const image = images.find(({ container }) => container === server?.name);
  const words = [...new Set([...images.map((one) => imageWords(one.before, one.after)), ...reasons])];
  const schema = image === undefined ? undefined : schemaWords(image, server);
  const text = `restarts ${review.name(after)}${countWords(review, before, after)}${when}: ${list(words, 6)}${schema ?? ''}`;
  return { sign: '↻', rule: 'restarts', text, link: schema === undefined ? undefined : SCHEMA, about: [after] };
}

function schemaWords({ before, after }: { before: string; after: string }, server: Json): string | undefined {
  const [old, fresh] = [before, after].map(versionOf);
  if (old === undefined || fresh === undefined || compareVersions(old, fresh) >= 0) return undefined;
  const upgrades = ((server.env ?? []) as Json[]).some(({ name }) => name === 'STARTUP_UPGRADE_SECONDS');
  return upgrades ? '; the schema is upgraded first: `upgradeSchema`' : '; the schema may be older: `upgradeSchema`';
}

/** More pods or fewer, where no other change replaces them; and none at all, whatever else changes. */
function scaled(review: Review, { before, after, images, reasons }: Workload): Finding[] {
  const [old, fresh] = [before, after].map(replicasOf);
  // the rule about data tells of volumes that go with their pods
  const goes = fresh < old && at(after.object, 'spec.persistentVolumeClaimRetentionPolicy.whenScaled') === 'Delete';
  if (!['Deployment', 'StatefulSet'].includes(after.kind) || old === fresh || goes || isAutoscaled(review, after)) return [];
  const about = { link: REPLICAS, about: [after] };
  if (fresh === 0) return [{ sign: '⚠', rule: 'stops', text: `stops ${review.name(after)}: ${old} → 0 pods`, ...about }];
  if (images.length + reasons.length > 0) return [];
  const volumes = after.kind === 'StatefulSet' && fresh < old ? ', and the volumes of those that go stay' : '';
  return [{ sign: '↻', rule: 'scales', text: `scales ${review.name(after)}: ${old} → ${fresh} pods; none of the others is replaced${volumes}`, ...about }];
}

function replicasOf({ object }: Manifest): number {
  return (at(object, 'spec.replicas') ?? 1) as number;
}

function isAutoscaled(review: Review, { namespace, name }: Manifest): boolean {
  return [...review.head.values()].some((other) => other.kind === 'HorizontalPodAutoscaler' && other.namespace === namespace && at(other.object, 'spec.scaleTargetRef.name') === name);
}

/** How many pods, and whether something serves meanwhile. Nothing where an autoscaler decides. */
function countWords(review: Review, before: Manifest, after: Manifest): string {
  if (after.kind === 'DaemonSet') return ' (a pod on each node)';
  if (isAutoscaled(review, after)) return '';
  const [old, fresh] = [before, after].map(replicasOf);
  const away = (after.kind === 'StatefulSet' && fresh === 1) || at(after.object, 'spec.strategy.type') === 'Recreate';
  const number = old === fresh ? String(fresh) : `${old} → ${fresh}`;
  return ` (${number} pod${fresh === 1 ? '' : 's'}${away ? ', away meanwhile' : ''})`;
}

/** Versions of MLflow, PostgreSQL and MinIO that do not start on what they find, and places that they find empty. */
function jumps(review: Review, { before, after, images }: Workload): Finding[] {
  const template = at(after.object, 'spec.template') as Json;
  const server = serverOf(template);
  const warning = (rule: string, text: string, link: Finding['link']): Finding => ({ sign: '⚠', rule, text, link, about: [after] });
  const name = review.name(after);
  const found = images.flatMap((image) => {
    const [was, is] = [image.before, image.after].map((one) => imageOf(one).tag ?? '');
    if (isImageOf(/^mlflow$/, image.after) && image.container === server?.name && was.endsWith('-full') && versionOf(image.after) !== undefined && !is.endsWith('-full')) {
      return [warning('drivers', `does not start: ${name}, image ${safe(is)} without -full has no drivers for PostgreSQL and S3`, SCHEMA)];
    }
    if ([was, is].every((tag) => RELEASE.test(tag)) && is < was) {
      return [warning('MinIO back', `steps back: ${name}, ${safe(was)} → ${safe(is)}, which may not read what the newer one has written`, MINIO)];
    }
    const [old, fresh] = [image.before, image.after].map(versionOf);
    if (old === undefined || fresh === undefined) return [];
    if (image.container === server?.name && compareVersions(old, fresh) > 0) {
      return [warning('MLflow back', `steps back: ${name}, MLflow ${old.join('.')} → ${fresh.join('.')}, which does not start where the schema is that of the newer one`, WAY_BACK)];
    }
    const isPostgres = [image.before, image.after].every((one) => isImageOf(/^postgres(ql)?$/, one));
    if (after.kind !== 'StatefulSet' || !isPostgres || old[0] === fresh[0]) return [];
    return [warning('PostgreSQL major', `does not start: ${name}, PostgreSQL ${fresh[0]} cannot read the files of ${old[0]}`, MAJOR)];
  });
  return [...found, ...(server === undefined ? [] : places(name, before, server, warning))];
}

function places(name: string, before: Manifest, server: Json, warning: (rule: string, text: string, link: Finding['link']) => Finding): Finding[] {
  const old = serverOf(at(before.object, 'spec.template') as Json);
  const flags = Object.entries(PLACE_FLAGS).flatMap(([flag, what]) => {
    const [was, is] = [old, server].map((container) => placeOf(container, flag));
    return was === undefined || is === undefined || was === is ? [] : [{ what, by: flag }];
  });
  const [was, is] = [old, server].map(endpointOf);
  // with another scheme it is the same server
  const place = (url: string | undefined) => url?.replace(/^\w+:\/\//, '').replace(/\/+$/, '');
  const endpoint = place(was) === place(is) || flags.some(({ what }) => what === ARTIFACT_STORE) ? [] : [{ what: ARTIFACT_STORE, by: `${ENDPOINT} ${was ?? 'not set'} → ${is ?? 'not set'}` }];
  return [...flags, ...endpoint].map(({ what, by }) => warning('another place', `another ${what}: ${name}, ${by}; what was logged stays in the one of before`, PLACES));
}

/** Where the S3 server is, without who connects. */
function endpointOf(container: Json): string | undefined {
  const value = ((container?.env ?? []) as Json[]).find(({ name }) => name === ENDPOINT)?.value as string | undefined;
  return value === undefined ? undefined : safe(withoutUser(value));
}

/** The value of a flag, without what says how to connect, and not where to. */
function placeOf(container: Json, flag: string): string | undefined {
  const args = ((container?.args ?? []) as unknown[]).map(String);
  const value = args.find((arg) => arg.startsWith(`${flag}=`))?.slice(flag.length + 1) ?? args[args.indexOf(flag) + 1 || args.length];
  return value === undefined ? undefined : withoutUser(value.replace(/\?.*$/, ''));
}

function withoutUser(uri: string): string {
  return uri.replace(/\/\/[^/]*@/, '//');
}

/** The line of those whose image changes with that of another. */
function imageOnly(review: Review, followers: Workload[], explained: Set<string>): Finding[] {
  if (followers.length === 0) return [];
  const rank = ({ after }: Workload) => ['Deployment', 'StatefulSet', 'DaemonSet', 'CronJob', 'Job'].indexOf(after.kind);
  const words = [...followers].sort((one, other) => rank(one) - rank(other)).map(({ after, images }) => {
    const other = images.filter((image) => !explained.has(keyOf(image))).map((image) => imageWords(image.before, image.after).replace(/^image /, ''));
    return `${review.name(after)}${other.length === 0 ? '' : ` (${list(other)})`}`;
  });
  return [{ sign: '·', rule: 'image only', text: `image only: ${list(words, 20)}`, about: followers.map(({ after }) => after) }];
}
