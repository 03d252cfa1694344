// Makes the command `cdk8s-mlflow` of the sources in cli/: one file, since nothing of it is for others to import.
import { chmodSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

export function bundle(outfile = 'build/cli/main.js') {
  buildSync({
    absWorkingDir: root,
    entryPoints: ['cli/main.ts'],
    bundle: true,
    format: 'cjs',
    packages: 'external',
    platform: 'node',
    target: 'node20',
    // with the names of the sources, for the trace of an error that nobody foresaw
    minifySyntax: true,
    minifyWhitespace: true,
    banner: { js: '#!/usr/bin/env node' },
    outfile,
    logLevel: 'warning',
  });
  // npm makes a command executable where it installs it, the wheel for Python does not
  chmodSync(resolve(root, outfile), 0o755);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) bundle(process.argv[2]);
