// Runs main.ts and writes its manifests, from the sources as they are now and without a look at types, which
// `npm test` checks. The output folder changes only when all of it could be made: a wrong prop loses nothing.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { embed } from './embed.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const outdir = process.env.CDK8S_OUTDIR ?? join(root, 'dist');
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

mkdirSync(outdir, { recursive: true });
const fresh = mkdtempSync(join(outdir, '.synth-'));
try {
  build();
  process.env.CDK8S_OUTDIR = fresh;
  createRequire(import.meta.url)(program);
  for (const file of readdirSync(outdir)) {
    if (file.endsWith('.k8s.yaml') && !existsSync(join(fresh, file))) rmSync(join(outdir, file));
  }
  for (const file of readdirSync(fresh)) renameSync(join(fresh, file), join(outdir, file));
} catch (error) {
  console.error(process.env.DEBUG === undefined && error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(fresh, { recursive: true, force: true });
}
