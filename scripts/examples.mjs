// Synthesizes every example in its own folder, with the command that its user has.
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const examples = join(root, 'examples');

for (const { name } of readdirSync(examples, { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
  const cwd = join(examples, name);
  rmSync(join(cwd, 'dist'), { recursive: true, force: true });
  // the CLI would look for a newer one in the registry
  const env = { ...process.env, CDK8S_CHECK_UPGRADE: 'false', CDK8S_OUTDIR: undefined };
  const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', 'synth'], { cwd, env, encoding: 'utf8' });
  if (status !== 0) {
    console.error(`${name}: ${stdout}${stderr}`);
    process.exitCode = 1;
  }
}
