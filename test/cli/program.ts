import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../run-script';

mkdirSync(join(ROOT, 'build'), { recursive: true });
const folder = mkdtempSync(join(ROOT, 'build/test-'));

/** The command, as it is in the package, of the sources as they are now. */
export const PROGRAM = join(folder, 'main.js');

execFileSync(process.execPath, [join(ROOT, 'scripts/bundle.mjs'), PROGRAM]);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the command to its end. */
export function cdk8sMlflow(args: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], { encoding: 'utf8', maxBuffer: 2 ** 28, ...options });
  return { status, stdout, stderr };
}
