import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { lines, scratch } from '../run-script';
import { PROGRAM, cdk8sMlflow } from './program';

const IDENTITY = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@example.com', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@example.com' };

const APP = {
  'package.json': JSON.stringify({ name: 'app', version: '1.0.0', scripts: { synth: 'sh synth.sh' } }),
  'package-lock.json': JSON.stringify({ name: 'app', version: '1.0.0', lockfileVersion: 3, packages: { '': { name: 'app', version: '1.0.0' } } }),
  'synth.sh': 'out=${CDK8S_OUTDIR:-dist}; mkdir -p "$out" && cp -R manifests/. "$out"\n',
  '.gitignore': 'node_modules\ndist\n',
};

// what the command needs of npm, in a fraction of the time; the last test takes the real one
const NPM = `#!/bin/sh
echo "$*" >>"$NPM_LOG"
case $1 in
  ci) [ ! -e no-install ] ;;
  run) exec sh synth.sh ;;
esac
`;

type Files = Record<string, string>;

const object = (kind: string, name: string, rest: string, namespace = 'mlflow') =>
  `apiVersion: v1\nkind: ${kind}\nmetadata:\n  name: ${name}\n  namespace: ${namespace}\n${rest}`;
const configMap = (name: string, value: string) => object('ConfigMap', name, `data:\n  key: ${value}\n`);
const secret = (name: string, values: string) => object('Secret', name, `stringData:\n${values}`);
const manifests = (...objects: string[]): Files => ({ 'manifests/app.k8s.yaml': objects.join('---\n') });

/** A git repository of an app, with everything that a run of the command needs around it. */
class Repository {
  public readonly root = scratch();
  public readonly temporary = scratch();
  private readonly bin = scratch({ npm: NPM });

  /** Files of the commit on `main`, from which `branch` starts. */
  public constructor(files: Files, public readonly app = '', ignored = APP['.gitignore']) {
    chmodSync(join(this.bin, 'npm'), 0o755);
    this.git('init', '--quiet', '--initial-branch=main');
    this.commit({ ...files, '.gitignore': ignored });
    this.git('switch', '--quiet', '--create', 'branch');
  }

  public get folder(): string {
    return join(this.root, this.app);
  }

  /** What git knows of beside the clone itself. */
  public get worktrees(): string[] {
    const folder = join(this.root, '.git/worktrees');
    return existsSync(folder) ? readdirSync(folder) : [];
  }

  public get npmCalls(): string[] {
    return lines(readFileSync(join(this.bin, 'log'), 'utf8'));
  }

  public environment(more: Files = {}): NodeJS.ProcessEnv {
    const path = `${this.bin}:${process.env.PATH}`;
    return { PATH: path, HOME: this.bin, TMPDIR: this.temporary, NPM_LOG: join(this.bin, 'log'), GIT_CONFIG_GLOBAL: '/dev/null', ...IDENTITY, ...more };
  }

  public git(...args: string[]): string {
    const { status, stdout, stderr } = spawnSync('git', args, { cwd: this.root, env: this.environment(), encoding: 'utf8' });
    if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  public write(files: Files): void {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.folder, name)), { recursive: true });
      writeFileSync(join(this.folder, name), text);
    }
  }

  public commit(files: Files): void {
    this.write(files);
    this.git('add', '--all');
    this.git('commit', '--quiet', '--allow-empty', '--message=change');
  }

  public diff(ref = 'main', out = 'out.md', env: Files = {}) {
    const where = out === '-' ? ['--full'] : ['--output', out];
    const { status, stdout, stderr } = cdk8sMlflow(['diff', '--base', ref, '--format', 'markdown', ...where], { cwd: this.folder, env: this.environment(env) });
    const path = join(this.folder, out);
    const comment = existsSync(path) ? readFileSync(path, 'utf8') : undefined;
    return { status, stdout, stderr, comment };
  }

  /** The comment on a branch that has these files instead. */
  public comment(files: Files, env: Files = {}, log: unknown = ''): string {
    rmSync(join(this.folder, 'manifests'), { recursive: true, force: true });
    rmSync(join(this.folder, 'dist'), { recursive: true, force: true });
    this.write(files);
    const { status, stderr, comment } = this.diff('main', 'out.md', env);
    expect({ status, stderr }).toEqual({ status: 0, stderr: log });
    return comment!;
  }

  public expectNothingLeft(): void {
    expect(readdirSync(this.temporary)).toEqual([]);
    expect(this.worktrees).toEqual([]);
  }
}

describe('the comment', () => {
  const THREE = manifests(configMap('kept', 'a'), configMap('gone', 'b'), configMap('other', 'c'));
  let repository: Repository;

  beforeAll(() => {
    repository = new Repository({ ...APP, ...THREE });
  });

  afterEach(() => repository.expectNothingLeft());

  test('says plainly that nothing changes', () => {
    const sha = repository.git('rev-parse', '--short=12', 'main').trim();
    expect(repository.comment(THREE)).toBe(`### Manifests: no change\n\nCompared with \`main\` (${sha}), no object is added, removed or changed.\n`);
  });

  test('lists what is added, removed and changed, with the lines of each file', () => {
    const sha = repository.git('rev-parse', '--short=12', 'main').trim();
    const after = { ...manifests(configMap('kept', 'a'), configMap('other', 'd')), 'manifests/sub/new.yaml': object('Service', 'new', '', 'web') };
    expect(repository.comment(after)).toBe(`### Manifests: 1 removed, 1 added, 1 changed

Compared with \`main\` (${sha}):

· new: Service web/new  
· not there any more: ConfigMap mlflow/gone  
· changes: ConfigMap mlflow/other (data)

<details><summary>Objects: 1 removed, 1 added, 1 changed</summary>

| | Kind | Name |
| --- | --- | --- |
| removed | ConfigMap | \`mlflow/gone\` |
| added | Service | \`web/new\` |
| changed | ConfigMap | \`mlflow/other\` |

</details>

What is removed or replaced stays in the cluster until somebody deletes it, or a controller prunes it: \`apply.sh\` deletes nothing.

<details><summary><code>dist/app.k8s.yaml</code> (+1 −8)</summary>

\`\`\`diff
@@ -1,7 +0,0 @@ ConfigMap mlflow/gone
-apiVersion: v1
-kind: ConfigMap
-metadata:
-  name: gone
-  namespace: mlflow
-data:
-  key: b
@@ -4,4 +4,4 @@ ConfigMap mlflow/other
   name: other
   namespace: mlflow
 data:
-  key: c
+  key: d
\`\`\`

</details>

<details><summary><code>dist/sub/new.yaml</code> (+5 −0)</summary>

\`\`\`diff
@@ -0,0 +1,5 @@ Service web/new
+apiVersion: v1
+kind: Service
+metadata:
+  name: new
+  namespace: web
\`\`\`

</details>
`);
  });

  test('is the same whatever git is set to', () => {
    const after = manifests(configMap('kept', 'a2'), configMap('gone', 'b'));
    const before = repository.comment(after);
    appendFileSync(join(repository.root, '.git/config'), '[diff]\ncontext = 0\nnoprefix = true\nalgorithm = minimal\n[color]\nui = always\n');
    expect(repository.comment(after, { GIT_DIFF_OPTS: '--unified=0', GIT_EXTERNAL_DIFF: 'false', LANG: 'tr_TR.UTF-8' })).toBe(before);
  });

  test('is about objects: their order and their files are no change', () => {
    const moved = { ...manifests(configMap('gone', 'b'), configMap('kept', 'a')), 'manifests/moved.yaml': configMap('other', 'c') };
    expect(repository.comment(moved)).toContain('### Manifests: no change\n');
    const changed = repository.comment({ ...moved, 'manifests/moved.yaml': configMap('other', 'd') });
    expect(changed).toContain('### Manifests: 1 changed\n');
    expect(changed).toContain('<code>dist/moved.yaml</code> (+1 −1)');
  });

  test('knows an object in a List and in another version of its API again', () => {
    const items = [configMap('kept', 'a'), configMap('gone', 'b')].map((text) => `- ${text.trim().replace(/\n/g, '\n  ')}\n`);
    const list = `apiVersion: v1\nkind: List\nitems:\n${items.join('')}`;
    const comment = repository.comment(manifests(list, configMap('other', 'c').replace('v1', 'v2')));
    expect(comment).toContain('### Manifests: 1 changed\n');
    expect(comment).toContain('| changed | ConfigMap | `mlflow/other` |');
    expect(comment).toContain('-apiVersion: v1\n+apiVersion: v2\n');
  });

  test('compares an object with the one that it replaces under another fingerprint', () => {
    const root = new Repository({ ...APP, ...manifests(configMap('text-25494bb8cb', 'a'), configMap('other-25494bb8cb', 'a'), configMap('plain', 'a')) });
    const comment = root.comment(manifests(configMap('text-3964f8c7bc', 'b'), configMap('plain-25494bb8cb', 'a')));
    expect(comment).toContain('### Manifests: 2 removed, 1 replaced, 1 added\n');
    expect(comment).toContain('| replaced | ConfigMap | `mlflow/text-25494bb8cb` → `mlflow/text-3964f8c7bc` |\n');
    expect(comment).toContain('@@ ConfigMap mlflow/text-3964f8c7bc\n apiVersion: v1\n kind: ConfigMap\n metadata:\n-  name: text-25494bb8cb\n+  name: text-3964f8c7bc\n');
  });

  describe('on a file of programs', () => {
    const program = (name: string, ...text: string[]) => object('ConfigMap', name, `data:\n  ${name}.py: |\n${text.map((line) => `    ${line}\n`).join('')}`);
    const files = (...text: string[]): Files => ({
      ...manifests(object('Namespace', 'mlflow', ''), configMap('kept', 'a')),
      'manifests/mlflow-programs.k8s.yaml': `${program('start', ...text)}---\n${program('gc', 'x = 1')}`,
      'manifests/prod/prod-programs.k8s.yaml': object('ConfigMap', 'start', `data:\n  start.py: ${text.join('')}\n`, 'prod'),
    });
    let programs: Repository;

    beforeAll(() => {
      programs = new Repository({ ...APP, ...files('a') });
    });

    test('has one line, and the command that shows all of it', () => {
      const sha = programs.git('rev-parse', '--short=12', 'main').trim();
      expect(programs.comment({ ...files('b', 'c'), ...manifests(object('Namespace', 'mlflow', ''), configMap('kept', 'b')) })).toBe(`### Manifests: 3 changed

Compared with \`main\` (${sha}):

· changes: ConfigMap mlflow/kept (data)  
· programs: ConfigMap mlflow/start, ConfigMap prod/start

<details><summary>Objects: 1 changed</summary>

| | Kind | Name |
| --- | --- | --- |
| changed | ConfigMap | \`mlflow/kept\` |

</details>

Programs in \`dist/mlflow-programs.k8s.yaml\`: 1 changed (+2 −1)

Programs in \`dist/prod/prod-programs.k8s.yaml\`: 1 changed (+1 −1)

To read the programs, run this on the branch: \`npx cdk8s-mlflow diff --base main --full\`

<details><summary><code>dist/app.k8s.yaml</code> (+1 −1)</summary>

\`\`\`diff
@@ -4,4 +4,4 @@ ConfigMap mlflow/kept
   name: kept
   namespace: mlflow
 data:
-  key: a
+  key: b
\`\`\`

</details>
`);
      expect(programs.diff('main', '-').stdout).toContain('-    a\n+    b\n+    c\n');
    });

    test('says where programs are all that changes', () => {
      const comment = programs.comment(files('b'));
      expect(comment).toContain(':\n\n· programs: ConfigMap mlflow/start, ConfigMap prod/start\n\nPrograms in');
      expect(comment).not.toContain('<details>');
    });

    test('hides nothing but ConfigMaps there', () => {
      const comment = programs.comment({ ...files('a'), 'manifests/mlflow-programs.k8s.yaml': `${program('start', 'a')}---\n${object('Role', 'smuggled', '')}` });
      expect(comment).toContain('### Manifests: 1 removed, 1 added\n');
      expect(comment).toContain('| added | Role | `mlflow/smuggled` |');
      expect(comment).toContain('Programs in `dist/mlflow-programs.k8s.yaml`: 1 removed (+0 −8)');
      expect(comment).toContain('+  name: smuggled\n');
    });
  });

  test('has the values as they are, dates among them', () => {
    const comment = repository.comment(manifests(configMap('kept', '2026-11-23'), configMap('gone', 'b'), configMap('other', '"2026-11-23"')));
    expect(comment).toContain('-  key: a\n+  key: 2026-11-23\n');
    expect(comment).toContain('-  key: c\n+  key: "2026-11-23"\n');
  });

  test('keeps its form with backticks, HTML and Markdown in the YAML', () => {
    const comment = repository.comment({ 'manifests/a|b@`<i>.yaml': configMap('"x`|\\n@everybody <b>"', '"```` </details>"') });
    expect(comment).toContain('| added | ConfigMap | `mlflow/x????everybody??b?` |');
    expect(comment).toContain('<code>dist/a?b???i?.yaml</code>');
    expect(comment).toContain('@@ -0,0 +1,9 @@ ConfigMap mlflow/x????everybody??b?\n');
    expect(comment).toMatch(/^`{5}diff\n[^]*````[^]*\n`{5}$/m);
  });

  test('is cut at what GitHub takes, and says how to see the rest', () => {
    const some = (prefix: string) => Array.from({ length: 200 }, (_, index) => configMap(`${prefix}-${index}`, 'x'.repeat(40))).join('---\n');
    const many = { 'manifests/a.yaml': some('a'), 'manifests/b.yaml': some('b') };
    const comment = repository.comment(many);
    expect(comment.length).toBeGreaterThan(60_000);
    expect(comment.length).toBeLessThanOrEqual(65_000);
    const shown = lines(comment).filter((line) => /^[-+ @]/.test(line) && !line.startsWith('    ')).length;
    expect(comment).toContain(`: ${shown} of `);
    expect(comment).toMatch(/\n```\n\n<\/details>\n\n\*\*Cut here\*\*[^]*\n {4}npx cdk8s-mlflow diff --base main --full\n$/);
    const { status, stdout } = repository.diff('main', '-');
    expect(status).toBe(0);
    expect(stdout).toContain('+  name: b-199\n');
    expect(stdout).not.toContain('Cut here');
  });
});

describe('a Secret', () => {
  const VALUES = ['unchanged-value', 'value-of-before', 'value-of-after', 'bmV3LXZhbHVl', 'dmFsdWUgb2YgYSBsaXN0', 'nested-value'];
  const nested = (value: string) =>
    object(
      'Template',
      'wrapped',
      `spec:
  manifest:
    kind: Secret
    metadata:
      annotations:
        kubectl.kubernetes.io/last-applied-configuration: ${value}
    data:
      inner: ${value}
`,
    );
  const before = manifests(secret('keys', '  same: unchanged-value\n  rotated: value-of-before\n'), nested('nested-value'));
  const after = manifests(
    secret('keys', '  same: unchanged-value\n  rotated: value-of-after\n'),
    nested('value-of-after'),
    object('Secret', 'added', 'data:\n  token: bmV3LXZhbHVl\n'),
    'apiVersion: v1\nkind: SecretList\nitems:\n- metadata:\n    name: listed\n  data:\n    key: dmFsdWUgb2YgYSBsaXN0\n',
  );

  test('shows that a value changes, and never a value', () => {
    const repository = new Repository({ ...APP, ...before });
    const comment = repository.comment(after);
    expect(comment).toContain('-  rotated: "*** (before)"\n+  rotated: "*** (after)"\n');
    expect(comment).toContain('   same: "***"\n');
    expect(comment).toContain('+  token: "***"\n');
    expect(comment).toContain('| changed | Secret | `mlflow/keys` |');
    expect(comment).toContain('| added | Secret | `listed` |');
    expect(comment).toContain('+      inner: "*** (after)"\n');
    expect(VALUES.filter((value) => comment.includes(value))).toEqual([]);
  });

  test('is not quoted where its file is no YAML', () => {
    const repository = new Repository({ ...APP, ...before });
    repository.write(manifests(secret('keys', '  password: "value-of-after\n')));
    const { status, stderr, comment } = repository.diff();
    expect({ status, comment }).toEqual({ status: 2, comment: undefined });
    expect(stderr).toBe('cdk8s-mlflow diff: dist/app.k8s.yaml is no valid YAML (line 8, MISSING_CHAR)\n');
    repository.expectNothingLeft();
  });
});

describe('the base', () => {
  const ONE = manifests(configMap('one', 'a'));

  test.each([
    ['that has no app yet', { 'README.md': 'nothing' }, 'has no app yet'],
    ['that has no lockfile', { 'package.json': APP['package.json'], 'synth.sh': APP['synth.sh'], ...ONE }, 'has no package-lock.json, by which its packages could be installed: commit one, or the manifests'],
    ['that cannot be installed', { ...APP, ...ONE, 'no-install': '' }, 'cannot be installed (`npm ci`, see the log of the job)'],
    ['that cannot be synthesized', { ...APP, 'synth.sh': 'echo of the base >&2; exit 3\n' }, 'cannot be synthesized (see the log of the job)'],
  ])('%s makes everything count as added, with a word about it', (_, files: Files, reason) => {
    const repository = new Repository(files);
    repository.write({ ...APP, ...ONE });
    const { status, comment } = repository.diff();
    expect(status).toBe(0);
    expect(comment).toContain('### Manifests: 1 added\n');
    expect(comment).toMatch(/^\*\*`main` \([0-9a-f]{12}\) /m);
    expect(comment).toContain(` ${reason}**, so everything counts as added.\n`);
    repository.expectNothingLeft();
  });

  test('is where the branch began: what others merged meanwhile is no change', () => {
    const repository = new Repository({ ...APP, ...ONE });
    repository.git('switch', '--quiet', 'main');
    repository.commit(manifests(configMap('one', 'a'), configMap('of-others', 'b')));
    repository.git('switch', '--quiet', 'branch');
    expect(repository.comment(ONE)).toContain('### Manifests: no change\n');
  });

  test('may be one of several workspaces, which have one lockfile', () => {
    const repository = new Repository({ 'package.json': APP['package.json'], 'synth.sh': APP['synth.sh'], ...ONE }, 'deploy/mlflow');
    writeFileSync(join(repository.root, 'package-lock.json'), APP['package-lock.json']);
    repository.git('switch', '--quiet', 'main');
    repository.commit({});
    repository.git('switch', '--quiet', '--force-create', 'branch');
    expect(repository.comment(manifests(configMap('one', 'b')))).toContain('### Manifests: 1 changed\n');
    expect(repository.npmCalls).toContain('ci --no-audit --no-fund --prefer-offline');
  });

  test('has its own packages, program and output folder', () => {
    const repository = new Repository({ ...APP, ...ONE, 'cdk8s.yaml': 'output: yaml\n', 'synth.sh': APP['synth.sh'].replaceAll('dist', 'yaml') });
    repository.write({ 'cdk8s.yaml': 'language: typescript\n', 'synth.sh': APP['synth.sh'] });
    expect(repository.comment(ONE, { CDK8S_OUTDIR: scratch() })).toContain('### Manifests: no change\n');
    expect(repository.npmCalls).toEqual(['run --silent synth', 'ci --no-audit --no-fund --prefer-offline', 'run --silent synth']);
  });

  test.each(['', 'deploy/mlflow'])('that has its manifests in git needs no packages (app in "%s")', (app) => {
    const repository = new Repository({ ...APP, ...ONE, 'dist/app.k8s.yaml': configMap('one', 'a'), 'no-install': '' }, app, '');
    const comment = repository.comment(manifests(configMap('one', 'b')));
    expect(comment).toContain('### Manifests: 1 changed\n');
    expect(comment).not.toContain('everything counts as added');
    expect(repository.npmCalls).toEqual(['run --silent synth']);
    repository.expectNothingLeft();
  });

  test('may be an app in Python, which is installed in an environment of its own', () => {
    const app = { 'requirements.txt': '', 'cdk8s.yaml': 'language: python\napp: sh synth.sh\n', 'synth.sh': 'echo "$(command -v python3)" >>"$NPM_LOG"; mkdir -p dist && cp -R manifests/. dist\n' };
    const repository = new Repository({ ...app, ...ONE });
    expect(repository.comment(manifests(configMap('one', 'b')))).toContain('### Manifests: 1 changed\n');
    expect(repository.npmCalls).toEqual([expect.not.stringContaining('.venv'), expect.stringMatching(/\/base\/\.venv\/bin\/python3$/)]);
    repository.expectNothingLeft();
  });

  test('has its app in the same folder', () => {
    const repository = new Repository({ ...APP, ...ONE }, 'deploy/mlflow');
    expect(repository.comment(manifests(configMap('one', 'b')))).toContain('### Manifests: 1 changed\n');
    repository.expectNothingLeft();
  });

  test('is cleaned up when a signal ends the command', async () => {
    const repository = new Repository({ ...APP, 'synth.sh': 'while touch "$NPM_LOG.base"; do sleep 0.05; done\n' });
    repository.write({ ...APP, ...ONE });
    const child = spawn(process.execPath, [PROGRAM, 'diff', '--base', 'main', '--output', 'out.md'], { cwd: repository.folder, env: repository.environment(), stdio: 'ignore' });
    const ended = new Promise((resolve) => child.on('close', resolve));
    const sign = `${repository.environment().NPM_LOG}.base`;
    while (!existsSync(sign) && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(repository.worktrees).toEqual(['base']);
    child.kill('SIGTERM');
    expect(await ended).toBe(143);
    repository.expectNothingLeft();
    rmSync(sign);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(existsSync(sign)).toBe(false);
    expect(existsSync(join(repository.folder, 'out.md'))).toBe(false);
  });
});

describe('one sentence and no comment', () => {
  let repository: Repository;

  beforeEach(() => {
    repository = new Repository({ ...APP, ...manifests(configMap('one', 'a')) });
  });

  afterEach(() => repository.expectNothingLeft());

  const fails = (result: ReturnType<Repository['diff']>) => {
    expect(result).toMatchObject({ status: 2, comment: undefined });
    return result.stderr;
  };

  test('where the branch cannot be synthesized', () => {
    repository.write({ 'synth.sh': 'echo of the app >&2; exit 1\n' });
    expect(fails(repository.diff())).toBe('of the app\ncdk8s-mlflow diff: the app cannot be synthesized by "npm run --silent synth", see above\n');
  });

  test('where it makes no manifests', () => {
    expect(fails(repository.diff('main', 'out.md', { SYNTH_COMMAND: 'echo made nothing' }))).toBe(
      'made nothing\ncdk8s-mlflow diff: "echo made nothing" wrote no manifests to dist/\n',
    );
  });

  test('where the base is not there', () => {
    expect(fails(repository.diff('origin/main'))).toBe(
      'cdk8s-mlflow diff: "origin/main" is no commit here: fetch it first (fetch-depth: 0 on GitHub, GIT_DEPTH: 0 on GitLab)\n',
    );
  });

  test('where there is no app', () => {
    rmSync(join(repository.folder, 'package.json'));
    expect(fails(repository.diff())).toContain('cdk8s-mlflow diff: there is no CDK8s app in this folder');
  });
});

test('works with the real npm', () => {
  const repository = new Repository({ ...APP, ...manifests(configMap('one', 'a')) });
  expect(repository.comment(manifests(configMap('one', 'b')), { PATH: process.env.PATH! }, expect.any(String))).toContain('### Manifests: 1 changed\n');
});
