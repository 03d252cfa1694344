import { safe } from './lines';
import { Json } from './manifests';
import { at } from './review';

/** An image, taken apart. */
export interface Image {
  readonly repository: string;
  /** Undefined where there is none, which is "latest". */
  readonly tag?: string;
  readonly digest?: string;
}

export function containersOf(template: Json): Json[] {
  return [...((at(template, 'spec.initContainers') ?? []) as Json[]), ...((at(template, 'spec.containers') ?? []) as Json[])];
}

export function imageOf(text: unknown): Image {
  const [name, digest] = String(text).split('@');
  const [, repository, tag] = /^(.*?)(?::([\w][\w.-]*))?$/.exec(name)!;
  return { repository, tag, digest };
}

/** The change of an image in words: of the version, if the rest is the same. */
export function imageWords(before: unknown, after: unknown): string {
  const [old, fresh] = [before, after].map(imageOf);
  const name = ({ repository }: Image) => safe(repository.split('/').at(-1));
  if (old.repository !== fresh.repository && name(old) !== name(fresh)) return `image ${name(old)}${colon(old)} → ${name(fresh)}${colon(fresh)}`;
  if (old.tag === fresh.tag) return old.repository === fresh.repository ? `another digest of image ${old.tag ?? name(old)}` : `image ${name(old)}${colon(old)} from another registry`;
  const suffix = commonSuffix(old.tag, fresh.tag);
  return `image ${short(old.tag, suffix)} → ${short(fresh.tag, suffix)}`;
}

function colon({ tag }: Image): string {
  return tag === undefined ? '' : `:${tag}`;
}

function short(tag: string | undefined, suffix: string): string {
  return tag === undefined ? 'latest' : tag.slice(0, tag.length - suffix.length);
}

/** "-full" of v3.17.2-full and v3.18.0-full: what both have says nothing of the change. */
function commonSuffix(one = '', other = ''): string {
  const [suffix] = /-[a-z][\w.-]*$/.exec(one) ?? [''];
  return suffix !== '' && other.endsWith(suffix) ? suffix : '';
}

/** The numbers of a version, such as that of v3.17.2-full. */
export function versionOf(image: unknown): number[] | undefined {
  const [, numbers] = /^v?(\d+(?:\.\d+)*)(?:-|$)/.exec(imageOf(image).tag ?? '') ?? [];
  return numbers?.split('.').map(Number);
}

/** Below zero where the first version is the older one. */
export function compareVersions(one: number[], other: number[]): number {
  const index = one.findIndex((number, position) => number !== (other[position] ?? 0));
  return index === -1 ? one.length - other.length : one[index] - (other[index] ?? 0);
}

/** Whether this is the image of a program, by its last name: "mlflow" in registry.example.com/team/mlflow:v3. */
export function isImageOf(program: RegExp, image: unknown): boolean {
  return program.test(imageOf(image).repository.split('/').at(-1)!);
}
