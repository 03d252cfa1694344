// Guards the public API: `check` compares it with that of the last release and fails on a change that breaks programs,
// `accept` makes today's API the one to compare with.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const released = join(root, 'test/api/released.jsii');
const NOT_API = ['docs', 'locationInModule', 'readme'];

const build = spawnSync(process.execPath, [join(root, 'scripts/build.mjs')], { stdio: 'inherit' });
if (build.status !== 0) process.exit(1);

if (process.argv[2] === 'accept') {
  const api = JSON.parse(readFileSync(join(root, '.jsii'), 'utf8'));
  writeFileSync(released, `${JSON.stringify(signatures(api), undefined, 1)}\n`);
} else {
  // a package.json beside it tells jsii-diff where the types of the peers are
  const before = join(root, 'build/released');
  mkdirSync(before);
  copyFileSync(join(root, 'package.json'), join(before, 'package.json'));
  copyFileSync(released, join(before, '.jsii'));
  const { status, stdout, stderr } = spawnSync(join(root, 'node_modules/.bin/jsii-diff'), [before, root], { cwd: root, encoding: 'utf8' });
  if (status !== 0) {
    console.error(`${stdout}${stderr}`.replace(/^!!.*\n/gm, ''));
    console.error('Keep the old API working, or, where the break is meant, run "npm run api:accept" and say so in CHANGELOG.md.');
    process.exit(1);
  }
}

/** The API without its documentation and the places in the sources, which change more often than it does. */
function signatures(value) {
  if (Array.isArray(value)) return value.map(signatures);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !NOT_API.includes(key))
      .map(([key, inner]) => [key, signatures(inner)]),
  );
}
