// Compiles the library into build/, with the command beside it, and writes .jsii, the description of its API for the other languages.
// What is there already of the same sources stays.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.mjs';
import { embed } from './embed.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
// a reserved word of C# ("namespace") is escaped by itself, and the oldest peers are tried by test/consumers
const silenced = ['reserved-word', 'metadata/missing-dev-dependency'];

const SOURCES = ['README.md', 'cli', 'imports', 'lib', 'package.json', 'package-lock.json', 'scripts/build.mjs', 'scripts/bundle.mjs', 'tsconfig.jsii.json'];
const RESULTS = ['.jsii', 'build/cli/main.js', 'build/lib/index.d.ts', 'build/lib/index.js'];
const stamp = join(root, 'build/.sources');

/** One number for whatever the build is made of. */
function fingerprint() {
  const hash = createHash('sha256');
  const add = (path) => {
    if (statSync(join(root, path)).isDirectory()) {
      for (const name of readdirSync(join(root, path)).sort()) if (name !== '__pycache__') add(join(path, name));
    } else {
      hash.update(`${path}\0`).update(createHash('sha256').update(readFileSync(join(root, path))).digest());
    }
  };
  SOURCES.forEach(add);
  return hash.digest('hex');
}

embed();
const made = fingerprint();
if (RESULTS.every((path) => existsSync(join(root, path))) && existsSync(stamp) && readFileSync(stamp, 'utf8') === made) process.exit();
rmSync(join(root, 'build'), { recursive: true, force: true });
const jsii = createRequire(import.meta.url).resolve('jsii/bin/jsii');
const { status, stdout, stderr } = spawnSync(process.execPath, [jsii, ...silenced.map((rule) => `--silence-warnings=${rule}`)], {
  cwd: root,
  encoding: 'utf8',
});
if (status !== 0) {
  console.error(`${stdout}${stderr}`.replace(/^!!.*\n/gm, ''));
  process.exitCode = 1;
} else {
  bundle();
  writeFileSync(stamp, made);
}
