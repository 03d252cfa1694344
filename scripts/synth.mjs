// Runs main.ts and writes its manifests, from the sources as they are now and without a look at types, which
// `npm test` checks. The output folder changes only when all of it could be made: a wrong prop or value loses nothing.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
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

mkdirSync(outdir, { recursive: true });
const fresh = mkdtempSync(join(outdir, '.synth-'));
try {
  build();
  process.chdir(root);
  process.env.CDK8S_OUTDIR = fresh;
  createRequire(import.meta.url)(program);
  replace(outdir, fresh);
} catch (error) {
  console.error(process.env.DEBUG === undefined && error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(fresh, { recursive: true, force: true });
}
