// Makes the package of every language in packages/: a tarball for npm and a wheel for Python; for Go and Java, which are
// published as sources and as a Maven project, the sources; for .NET a package where its tools are, else the sources.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const hasDotnet = spawnSync('dotnet', ['--version']).status === 0;

function run(program, ...args) {
  const { status, error, stdout, stderr } = spawnSync(program, args, { cwd: root, encoding: 'utf8' });
  if (status === 0) return;
  console.error(error?.message ?? `${stdout}${stderr}`.replace(/^!!.*\n/gm, ''));
  process.exit(1);
}

const pacmak = (languages, ...options) =>
  run(join(root, 'node_modules/.bin/jsii-pacmak'), ...languages.flatMap((language) => ['--target', language]), ...options);

rmSync(join(root, 'packages'), { recursive: true, force: true });
run(process.execPath, join(root, 'scripts/build.mjs'));
pacmak(['js', 'python', ...(hasDotnet ? ['dotnet'] : [])], '--no-npmignore');
pacmak(['go', 'java', ...(hasDotnet ? [] : ['dotnet'])], '--code-only', '--no-npmignore');
