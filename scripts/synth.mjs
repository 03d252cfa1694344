// Runs main.ts and writes its manifests, from the sources as they are now and without a look at types, which
// `npm test` checks. The output folder changes only when all of it could be made: a wrong prop or value loses nothing.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { embed } from './embed.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const outdir = resolve(process.env.CDK8S_OUTDIR ?? join(root, 'dist'));
const program = join(root, 'build/main.cjs');

function build() {
  embed();
  buildSync({
    absWorkingDir: root,
    entryPoints: ['main.ts'],
    bundle: true,
    format: 'cjs',
    packages: 'external',
    platform: 'node',
    target: 'node20',
    sourcemap: 'inline',
    outfile: program,
    logLevel: 'silent',
  });
}

const isManifest = (entry) => entry.isFile() && entry.name.endsWith('.k8s.yaml');

/** Moves the files, folder by folder, and removes the manifests beside them, and the folders of nothing else, that are not made any more. */
function replace(folder, fresh) {
  mkdirSync(folder, { recursive: true });
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (path === fresh || existsSync(join(fresh, entry.name))) continue;
    const inside = entry.isDirectory() ? readdirSync(path, { withFileTypes: true }) : [];
    if (isManifest(entry) || (inside.length > 0 && inside.every(isManifest))) rmSync(path, { recursive: true });
  }
  for (const entry of readdirSync(fresh, { withFileTypes: true })) {
    const [to, from] = [join(folder, entry.name), join(fresh, entry.name)];
    if (entry.isDirectory()) replace(to, from);
    else renameSync(from, to);
  }
}

/** What was written, and the command that applies it: of each folder, the manifests with their objects and namespaces. */
function report(files) {
  const shown = (path) => relative(cwd, path) || '.';
  for (const folder of new Set(files.map(({ path }) => dirname(path)))) {
    for (const { path, objects, namespaces } of files.filter((file) => dirname(file.path) === folder)) {
      say(`${shown(path)}: ${objects} object${objects === 1 ? '' : 's'}${namespaces.length === 0 ? '' : `, namespace ${namespaces.join(', ')}`}`);
    }
    say(`Next: kubectl apply -f ${shown(folder)}/`);
  }
}

/** The CLI of cdk8s, which sets this variable, keeps standard output to itself; with --stdout it throws the folder away. */
function say(line) {
  if (process.env.CDK8S_RECORD_CONSTRUCT_METADATA === undefined) console.log(line);
  else if (relative(tmpdir(), outdir).startsWith('..')) console.error(line);
}

/** The manifests in a folder and those below it. Each object begins at the start of a line, where a program in it never does. */
function manifests(folder) {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => Number(a.isDirectory()) - Number(b.isDirectory()));
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return manifests(path);
    const text = readFileSync(path, 'utf8');
    const namespaces = [...text.matchAll(/^metadata:\n(?: .*\n)*? {2}namespace: "?(.*?)"?$/gm)].map(([, namespace]) => namespace);
    const objects = text.match(/^apiVersion: /gm)?.length ?? 0;
    return objects === 0 ? [] : [{ path: join(outdir, relative(fresh, path)), objects, namespaces: [...new Set(namespaces)] }];
  });
}

const cwd = process.cwd();
mkdirSync(outdir, { recursive: true });
const fresh = mkdtempSync(join(outdir, '.synth-'));
try {
  build();
  process.chdir(root);
  process.env.CDK8S_OUTDIR = fresh;
  createRequire(import.meta.url)(program);
  const files = manifests(fresh);
  replace(outdir, fresh);
  report(files);
} catch (error) {
  console.error(process.env.DEBUG === undefined && error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(fresh, { recursive: true, force: true });
}
