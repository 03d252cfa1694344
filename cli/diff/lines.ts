import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Fault } from '../fault';
import { Change, manifestOf } from './changes';
import { Json, Manifest, YAML, isObject, labelOf } from './manifests';
import { isSecret, withoutPassword } from '../../lib/validation/literal-secrets';

const MASKED_FIELDS = ['data', 'stringData'];
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** What others wrote, as a name that can stand anywhere in Markdown and in a terminal. */
export function safe(text: unknown): string {
  return String(text).replace(/[^\w.:/-]/g, '?');
}

/** Whether an object is a variable with a value that is a secret by its name. A list, as bootstrap Jobs have, is of names. */
export function isPlainSecret({ name, value }: Json): boolean {
  return typeof name === 'string' && typeof value === 'string' && !value.startsWith('[') && isSecret(name, value);
}

/** The unified diff of a change, with the values of Secrets masked. */
export function linesOf(change: Change): string[] {
  const { before, after } = change;
  const manifest = manifestOf(change);
  const text = (one: Manifest | undefined, other: Manifest | undefined, side: string) => (one === undefined ? [] : toLines(mask(one.object, other?.object, side)));
  return unifiedDiff(text(before, after, 'before'), text(after, before, 'after'), `${safe(manifest.kind)} ${safe(labelOf(manifest))}`);
}

function toLines(object: Json): string[] {
  return YAML.stringify(object, { lineWidth: 0, version: '1.1' }).replace(/\n$/, '').split('\n');
}

/** An object without the values of any Secret in it, and without those of variables that are secrets by their names, which still shows where they differ from those of the other side. */
function mask(value: Json, other: Json, side: string, inSecret = false): Json {
  if (Array.isArray(value)) return value.map((item, index) => mask(item, other?.[index], side, inSecret));
  if (typeof value === 'string') return withoutPassword(value);
  if (!isObject(value)) return value;
  const secret = inSecret || value.kind === 'Secret';
  if (isPlainSecret(value)) return { ...value, value: maskValue(value.value as Json, other?.value, side) };
  return mapValues(value, (field, key) => {
    const same = other?.[key];
    if (secret && key === LAST_APPLIED) return maskValue(field, same, side);
    if (!secret || !MASKED_FIELDS.includes(key)) return mask(field, same, side, secret);
    return isObject(field) ? mapValues(field, (item, name) => maskValue(item, same?.[name], side)) : maskValue(field, same, side);
  });
}

function mapValues(object: { [key: string]: Json }, change: (value: Json, key: string) => Json): { [key: string]: Json } {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value, key)]));
}

function maskValue(value: Json, other: Json, side: string): string {
  return other === undefined || isDeepStrictEqual(value, other) ? '***' : `*** (${side})`;
}

/** The unified diff of an object before and after, in lines, none of which are there where it is added or removed. */
function unifiedDiff(before: string[], after: string[], name: string): string[] {
  if (before.length === 0) return [`@@ -0,0 +1,${after.length} @@ ${name}`, ...after.map((line) => `+${line}`)];
  if (after.length === 0) return [`@@ -1,${before.length} +0,0 @@ ${name}`, ...before.map((line) => `-${line}`)];
  const folder = mkdtempSync(join(tmpdir(), 'cdk8s-mlflow-objects-'));
  try {
    writeFileSync(join(folder, 'before'), `${before.join('\n')}\n`);
    writeFileSync(join(folder, 'after'), `${after.join('\n')}\n`);
    // the same for everybody, whatever their git is set to
    const env = { PATH: process.env.PATH, LC_ALL: 'C', HOME: folder, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' };
    const options = ['--no-index', '--text', '--no-color', '--no-ext-diff', '--unified=3', '--diff-algorithm=histogram'];
    const { error, stdout } = spawnSync('git', ['diff', ...options, 'before', 'after'], { cwd: folder, env, encoding: 'utf8', maxBuffer: Infinity });
    if (error !== undefined) throw new Fault(`git cannot be run (${(error as NodeJS.ErrnoException).code}), which compares the lines of objects: install it`);
    const lines = stdout.split('\n').slice(0, -1);
    const start = lines.findIndex((line) => line.startsWith('@@'));
    return start === -1 ? [] : lines.slice(start).map((line) => line.replace(/^(@@ .*? @@).*/, `$1 ${name}`));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
