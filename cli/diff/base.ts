import { ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Fault } from '../fault';
import { safe } from './lines';
import { Manifests, YAML, readManifests } from './manifests';

/** Both sides of a comparison, and what is to be said of them. */
export interface Sides {
  readonly base: Manifests;
  readonly head: Manifests;
  /** What the base is called. */
  readonly name: string;
  readonly note?: string;
}

/** How an app in a folder gets its packages, and its manifests. */
interface Build {
  readonly install: readonly string[];
  readonly synth: string;
}

const NPM_CI = ['npm', 'ci', '--no-audit', '--no-fund', '--prefer-offline'];
// in an environment that is thrown away with the worktree, and is first on PATH
const PIP = ['sh', '-c', 'python3 -m venv .venv && .venv/bin/pip install --quiet --disable-pip-version-check --requirement requirements.txt'];

/**
 * The app in the current folder, compared with a commit. Both sides are synthesized, the base in a worktree of its own, unless the
 * base has its manifests in git, which then are those that were reviewed, and need no packages.
 */
export class BaseComparison {
  private readonly scratch = mkdtempSync(join(tmpdir(), 'cdk8s-mlflow-diff-'));
  private readonly worktree = join(this.scratch, 'base');
  private child?: ChildProcess;

  public static async sides(ref: string): Promise<Sides> {
    const comparison = new BaseComparison();
    const forget = comparison.cleanUpOnSignal();
    try {
      return await comparison.sidesOf(ref);
    } finally {
      comparison.cleanUp();
      forget();
    }
  }

  private async sidesOf(ref: string): Promise<Sides> {
    const tip = await this.git('rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`);
    if (tip === undefined) throw new Fault(`"${ref}" is no commit here: fetch it first (fetch-depth: 0 on GitHub, GIT_DEPTH: 0 on GitLab)`);
    // what others merged meanwhile is no change of this branch
    const commit = (await this.git('merge-base', tip, 'HEAD')) ?? tip;
    const name = `\`${safe(ref)}\` (${commit.slice(0, 12)})`;

    const build = buildOf('.');
    if (build === undefined) throw new Fault('there is no CDK8s app in this folder (package.json or requirements.txt, and cdk8s.yaml or an npm script "synth")');
    if ((await this.run('sh', ['-c', build.synth], { show: true })).code !== 0) throw new Fault(`the app cannot be synthesized by "${build.synth}", see above`);
    const head = outputOf('.');
    if (head.size === 0) throw new Fault(`"${build.synth}" wrote no manifests to ${outputFolder('.')}/`);
    return { head, name, ...(await this.base(commit, (await this.git('rev-parse', '--show-prefix')) ?? '', name)) };
  }

  /** The objects of the base, none with the reason where there are none to be had. */
  private async base(commit: string, prefix: string, name: string): Promise<{ base: Manifests; note?: string }> {
    const none = (reason: string) => ({ base: new Map() as Manifests, note: `**${name} ${reason}**, so everything counts as added.` });
    const options = ['-c', 'core.hooksPath=/dev/null', 'worktree', 'add', '--quiet', '--detach', this.worktree, commit];
    if ((await this.run('git', options)).code !== 0) throw new Fault(`git cannot check out ${commit} into a worktree`);
    const app = join(this.worktree, prefix);
    if (existsSync(join(app, outputFolder(app)))) {
      const committed = outputOf(app);
      if (committed.size > 0) return { base: committed };
    }
    const build = buildOf(app);
    if (build === undefined) return none('has no app yet');
    const [program, ...args] = build.install;
    if (program === 'npm' && !this.hasLockfile(app)) return none('has no package-lock.json, by which its packages could be installed: commit one, or the manifests');
    if ((await this.run(program, args, { cwd: app, show: true })).code !== 0) return none(`cannot be installed (\`${program === 'npm' ? 'npm ci' : 'pip install'}\`, see the log of the job)`);
    if ((await this.run('sh', ['-c', build.synth], { cwd: app, show: true })).code !== 0) return none('cannot be synthesized (see the log of the job)');
    return { base: outputOf(app) };
  }

  /** Of the app, or of the workspaces of which it is one. */
  private hasLockfile(app: string): boolean {
    if (['package-lock.json', 'npm-shrinkwrap.json'].some((file) => existsSync(join(app, file)))) return true;
    return resolve(app) !== resolve(this.worktree) && this.hasLockfile(join(app, '..'));
  }

  private async git(...args: string[]): Promise<string | undefined> {
    const { code, stdout } = await this.run('git', args);
    return code === 0 ? stdout.trim() : undefined;
  }

  /** Runs a command in a process group of its own, which a signal can end as a whole. */
  private async run(command: string, args: readonly string[], { cwd = '.', show = false } = {}): Promise<{ code: number | null; stdout: string }> {
    // a CDK8S_OUTDIR of the caller would send both sides to one folder
    const env = { ...process.env, CDK8S_OUTDIR: undefined, CDK8S_CHECK_UPGRADE: 'false', PATH: `${resolve(cwd)}/.venv/bin:${process.env.PATH}` };
    return new Promise((done, reject) => {
      const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', show ? 2 : 'pipe', show ? 2 : 'pipe'] });
      this.child = child;
      let stdout = '';
      child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
      child.stderr?.resume();
      child.on('error', (error: NodeJS.ErrnoException) => reject(new Fault(`${command} cannot be run (${error.code})`)));
      child.on('close', (code) => {
        this.child = undefined;
        done({ code, stdout });
      });
    });
  }

  private cleanUp(): void {
    if (existsSync(this.worktree) && spawnSync('git', ['worktree', 'remove', '--force', this.worktree], { stdio: 'ignore' }).status !== 0) {
      rmSync(this.worktree, { recursive: true, force: true, maxRetries: 5 });
      spawnSync('git', ['worktree', 'prune'], { stdio: 'ignore' });
    }
    rmSync(this.scratch, { recursive: true, force: true, maxRetries: 5 });
  }

  private cleanUpOnSignal(): () => void {
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
    const handlers = signals.map((signal) => () => {
      try {
        if (this.child?.pid !== undefined) process.kill(-this.child.pid, 'SIGKILL');
      } catch {
        // it has ended meanwhile
      }
      this.cleanUp();
      process.exit(128 + constants.signals[signal]);
    });
    signals.forEach((signal, index) => process.once(signal, handlers[index]));
    return () => signals.forEach((signal, index) => process.removeListener(signal, handlers[index]));
  }
}

/** How an app is made; undefined where there is none in the folder. SYNTH_COMMAND comes first. */
function buildOf(app: string): Build | undefined {
  const has = (file: string) => existsSync(join(app, file));
  const install = has('package.json') ? NPM_CI : has('requirements.txt') ? PIP : undefined;
  if (install === undefined) return undefined;
  if (process.env.SYNTH_COMMAND) return { install, synth: process.env.SYNTH_COMMAND };
  const { scripts } = has('package.json') ? (JSON.parse(readFileSync(join(app, 'package.json'), 'utf8')) as { scripts?: { synth?: string } }) : {};
  if (scripts?.synth !== undefined) return { install, synth: 'npm run --silent synth' };
  if (!has('cdk8s.yaml')) return undefined;
  return { install, synth: has('package.json') ? 'npx --no-install cdk8s synth' : configOf(app).app! };
}

function configOf(app: string): { app?: string; output?: string } {
  const config = join(app, 'cdk8s.yaml');
  return ((existsSync(config) ? YAML.parse(readFileSync(config, 'utf8')) : undefined) ?? {}) as { app?: string; output?: string };
}

function outputFolder(app: string): string {
  return configOf(app).output ?? 'dist';
}

function outputOf(app: string): Manifests {
  const folder = outputFolder(app);
  return existsSync(join(app, folder)) ? readManifests(join(app, folder), folder) : new Map();
}
