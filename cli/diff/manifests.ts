import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type * as Yaml from 'yaml';
import { Fault } from '../fault';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- whatever stands in the YAML of whatever app
export type Json = any;

/** An object of a file. */
export interface Manifest {
  readonly file: string;
  readonly group: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  readonly object: Json;
}

/** The objects of one side, by a key that is the same on both sides. */
export type Manifests = Map<string, Manifest>;

/** The YAML library is the one of cdk8s, a peer of this package. */
export const YAML = createRequire(require.resolve('cdk8s'))('yaml') as typeof Yaml;

export function isObject(value: unknown): value is { [key: string]: Json } {
  return value?.constructor === Object;
}

/** The objects in a file, or in the files of a folder and of those below it. `shown` is what messages and the result call it. */
export function readManifests(path: string, shown = path): Manifests {
  if (!existsSync(path)) throw new Fault(`${shown} is not there`);
  const folder = statSync(path).isDirectory();
  const files = folder ? readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) => /\.ya?ml$/.test(name)).sort() : [''];
  const manifests: Manifests = new Map();
  for (const name of files) {
    const file = folder ? join(shown, name) : shown;
    for (const object of parse(join(path, name), file)) {
      const manifest = describe(file, object);
      let key;
      for (let nth = 1; key === undefined || manifests.has(key); nth++) key = JSON.stringify([manifest.group, manifest.kind, labelOf(manifest), nth]);
      manifests.set(key, manifest);
    }
  }
  return manifests;
}

/** Namespace and name. */
export function labelOf({ namespace, name }: Manifest): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function describe(file: string, object: { [key: string]: Json }): Manifest {
  const { apiVersion = '', kind = '?', metadata } = object;
  const group = String(apiVersion).replace(/\/?[^/]*$/, '');
  const namespace = metadata?.namespace === undefined || metadata.namespace === null ? undefined : String(metadata.namespace);
  return { file, group, kind: String(kind), namespace, name: String(metadata?.name ?? '?'), object };
}

function parse(path: string, shown: string): { [key: string]: Json }[] {
  const documents = YAML.parseAllDocuments(readFileSync(path, 'utf8'), { version: '1.1' }) as Yaml.Document[];
  // the message of the parser quotes the line, which may be one of a Secret
  const fault = documents.find(({ errors }) => errors.length > 0)?.errors[0];
  if (fault !== undefined) throw new Fault(`${shown} is no valid YAML (line ${fault.linePos?.[0].line ?? '?'}, ${fault.code})`);
  return documents
    .map((document) => document.toJS() as Json)
    .flatMap(flatten)
    .filter(isObject);
}

/** The single objects of a document: those of a List are applied one by one as well. */
function flatten(document: Json): Json[] {
  if (!Array.isArray(document?.items) || !/List$/.test(document.kind)) return [document];
  const { apiVersion, kind, items } = document;
  return items.flatMap((item: Json) => flatten(kind === 'List' ? item : { apiVersion, kind: kind.slice(0, -'List'.length), ...item }));
}
