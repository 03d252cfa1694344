// Compiles the library into build/, with the command beside it, and writes .jsii, the description of its API for the other languages.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.mjs';
import { embed } from './embed.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
// a reserved word of C# ("namespace") is escaped by itself, and the oldest peers are tried by test/consumers
const silenced = ['reserved-word', 'metadata/missing-dev-dependency'];

embed();
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
}
