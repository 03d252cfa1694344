import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT, run, scratch } from '../run-script';

const IDENTITY = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@example.com', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@example.com' };
const TODAY = /^\d{4}-\d\d-\d\d$/;
const USAGE = 'usage: npm run release -- patch|minor|major|x.y.z';

// "npm version" in a fraction of the time, and "npm run api:accept" without a compiler; one test takes the real npm
const NPM = `#!/bin/sh
case "$1" in
  version) sed -i "s/\\"version\\": \\"[^\\"]*\\"/\\"version\\": \\"$2\\"/" package.json package-lock.json ;;
  run) mkdir -p api && echo "$*" >api/released && echo noise && exec sh ./accept.sh ;;
esac
`;

const PACKAGE = { name: 'cdk8s-mlflow', version: '0.1.0', scripts: { 'api:accept': 'mkdir -p api && echo accepted >api/released' } };
const LOCK = { name: 'cdk8s-mlflow', version: '0.1.0', lockfileVersion: 3, requires: true, packages: { '': { name: 'cdk8s-mlflow', version: '0.1.0' } } };
const FILES = {
  'package.json': `${JSON.stringify(PACKAGE, undefined, 2)}\n`,
  'package-lock.json': `${JSON.stringify(LOCK, undefined, 2)}\n`,
  'CHANGELOG.md': '# Changelog\n\n## 0.1.1 (unreleased)\n\n- A change.\n\n## 0.1.0 (2026-11-01)\n\n- Another.\n',
  'examples/minimal/package.json': '{ "dependencies": { "cdk8s": "^2.70.106", "cdk8s-mlflow": "^0.1.0" } }\n',
  'accept.sh': 'true\n',
  'scripts/release.mjs': readFileSync(join(ROOT, 'scripts/release.mjs'), 'utf8'),
};

class Repository {
  public readonly root = scratch();
  private readonly bin = scratch({ npm: NPM });

  public constructor(files: Record<string, string> = {}, tags = ['v0.1.0']) {
    chmodSync(join(this.bin, 'npm'), 0o755);
    this.git('init', '--quiet', '--initial-branch=main');
    for (const [name, text] of Object.entries({ ...FILES, ...files })) this.write(name, text);
    this.git('add', '--all');
    this.git('commit', '--quiet', '--message=first');
    for (const tag of tags) this.git('tag', tag);
  }

  public git(...args: string[]): string {
    const { status, stdout, stderr } = spawnSync('git', args, { cwd: this.root, env: { PATH: process.env.PATH, ...this.environment() }, encoding: 'utf8' });
    if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`);
    return stdout.trim();
  }

  public write(name: string, text: string): void {
    mkdirSync(dirname(join(this.root, name)), { recursive: true });
    writeFileSync(join(this.root, name), text);
  }

  public read(name: string): string {
    return readFileSync(join(this.root, name), 'utf8');
  }

  public async release(args: string[], path = [this.bin], before: string[] = []) {
    const command = [...before, process.execPath, join(this.root, 'scripts/release.mjs'), ...args];
    const { code, stdout, stderr } = await run(command, this.environment(), path);
    return { code, stdout, stderr };
  }

  /** The one sentence of a release that fails and leaves everything as it was. */
  public async refusal(...args: string[]): Promise<string> {
    const before = this.state();
    const { code, stdout, stderr } = await this.release(args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^release: [^\n]+\n$/);
    expect(this.state()).toEqual(before);
    return stderr.slice('release: '.length, -1);
  }

  private state(): string[] {
    return [this.git('rev-parse', 'HEAD'), this.git('status', '--porcelain', '--ignored'), this.git('diff'), this.git('tag', '--list')];
  }

  private environment(): Record<string, string> {
    return { HOME: this.bin, GIT_CONFIG_GLOBAL: '/dev/null', ...IDENTITY };
  }
}


describe('a release', () => {
  test('sets version and date, accepts the API, commits and tags, and pushes nothing', async () => {
    const repository = new Repository();
    repository.git('remote', 'add', 'origin', '/nowhere');
    const { code, stdout, stderr } = await repository.release(['minor']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe('Release 0.2.0 is committed and tagged in this clone. To publish it:\n\n  git push --atomic origin main v0.2.0\n');

    expect(repository.git('log', '--format=%s')).toBe('Release 0.2.0\nfirst');
    expect(repository.git('rev-list', '--max-count=1', 'v0.2.0')).toBe(repository.git('rev-parse', 'HEAD'));
    expect(repository.git('cat-file', '-t', 'v0.2.0')).toBe('tag');
    expect(repository.git('status', '--porcelain')).toBe('');
    const changed = repository.git('show', '--name-only', '--format=', 'HEAD').split('\n');
    expect(changed).toEqual(['CHANGELOG.md', 'api/released', 'examples/minimal/package.json', 'package-lock.json', 'package.json']);

    expect(JSON.parse(repository.read('package.json'))).toEqual({ ...PACKAGE, version: '0.2.0' });
    expect(repository.read('package-lock.json').match(/"version": "0\.2\.0"/g)).toHaveLength(2);
    expect(repository.read('examples/minimal/package.json')).toBe('{ "dependencies": { "cdk8s": "^2.70.106", "cdk8s-mlflow": "^0.2.0" } }\n');
    const [, date] = /^# Changelog\n\n## 0\.2\.0 \((.*)\)\n\n- A change\.\n\n## 0\.1\.0 \(2026-11-01\)\n\n- Another\.\n$/.exec(repository.read('CHANGELOG.md'))!;
    expect(date).toMatch(TODAY);
    expect(Math.abs(Date.now() - Date.parse(date))).toBeLessThan(2 * 24 * 3600 * 1000);
  });

  test.each([
    ['patch', '0.1.1'],
    ['major', '1.0.0'],
    ['0.10.0', '0.10.0'],
  ])('"%s" after 0.1.0 is %s', async (argument, version) => {
    const repository = new Repository();
    expect(await repository.release([argument])).toMatchObject({ code: 0 });
    expect(repository.git('tag', '--list', '--sort=creatordate')).toBe(`v0.1.0\nv${version}`);
  });

  test('can be the first one, of the version that package.json has', async () => {
    const repository = new Repository({ 'CHANGELOG.md': '# Changelog\n\n## 0.1.0 (unreleased)\n\n- Everything.\n' }, []);
    expect(await repository.release(['0.1.0'])).toMatchObject({ code: 0, stderr: '' });
    expect(repository.git('tag', '--list')).toBe('v0.1.0');
    expect(repository.read('CHANGELOG.md')).toMatch(/^## 0\.1\.0 \(\d{4}-\d\d-\d\d\)$/m);
  });

  test('works with the real npm', async () => {
    const repository = new Repository();
    expect(await repository.release(['patch'], [])).toMatchObject({ code: 0 });
    expect(JSON.parse(repository.read('package.json'))).toEqual({ ...PACKAGE, version: '0.1.1' });
    expect(repository.read('package-lock.json').match(/"version": "0\.1\.1"/g)).toHaveLength(2);
    expect(repository.git('show', 'HEAD:api/released')).toBe('accepted');
    expect(repository.git('tag', '--list')).toBe('v0.1.0\nv0.1.1');
  });
});

describe('refused, with everything as it was:', () => {
  test('arguments that are no version to release', async () => {
    const repository = new Repository({}, ['v0.0.1', 'v0.2.0']);
    const sentences = {
      '': USAGE,
      'patch minor': USAGE,
      huge: '"huge" is neither a version x.y.z nor one of major, minor, patch',
      '1.0': '"1.0" is neither a version x.y.z nor one of major, minor, patch',
      '1.0.0-rc.1': '"1.0.0-rc.1" is neither a version x.y.z nor one of major, minor, patch',
      '0.0.9': '0.0.9 is lower than 0.1.0 in package.json',
      '0.2.0': 'the tag v0.2.0 exists already',
      minor: 'the tag v0.2.0 exists already',
      '0.1.0': '0.1.0 is the version of package.json already, and there are releases: v0.0.1, v0.2.0',
    };
    const said = await Promise.all(Object.keys(sentences).map(async (args) => [args, await repository.refusal(...args.split(' ').filter(Boolean))]));
    expect(Object.fromEntries(said)).toEqual(sentences);
  });

  test('a tree with changes, tracked or not', async () => {
    const repository = new Repository();
    repository.write('untracked', '');
    expect(await repository.refusal('patch')).toBe('the tree is not clean: commit or remove what is changed or untracked (1 in git status)');
    repository.write('accept.sh', 'changed\n');
    expect(await repository.refusal('patch')).toBe('the tree is not clean: commit or remove what is changed or untracked (2 in git status)');
    expect(repository.read('accept.sh')).toBe('changed\n');
  });

  test('another branch than main, or none', async () => {
    const repository = new Repository();
    repository.git('switch', '--quiet', '--create', 'feature');
    expect(await repository.refusal('patch')).toBe('a release is made on the branch main, and this is feature');
    repository.git('switch', '--quiet', '--detach');
    expect(await repository.refusal('patch')).toBe('a release is made on the branch main, and this is no branch');
  });

  test.each([
    ['# Changelog\n\n## 0.1.1 (unreleased)\n\n## 0.1.0 (2026-11-01)\n\n- Another.\n', 'CHANGELOG.md has no entries under "## 0.1.1 (unreleased)"'],
    ['# Changelog\n\n## 0.1.0 (2026-11-01)\n\n- Another.\n', 'the top heading of CHANGELOG.md is not "## x.y.z (unreleased)" but "## 0.1.0 (2026-11-01)"'],
    ['# Changelog\n', 'the top heading of CHANGELOG.md is not "## x.y.z (unreleased)" but "## "'],
  ])('CHANGELOG.md %j', async (changelog, message) => {
    expect(await new Repository({ 'CHANGELOG.md': changelog }).refusal('patch')).toBe(message);
  });
});

describe('taken back:', () => {
  test('a release whose API cannot be accepted', async () => {
    const repository = new Repository({ 'accept.sh': 'echo first >&2; echo "lib/index.ts does not compile" >&2; exit 1\n' });
    expect(await repository.refusal('patch')).toBe('"npm run --silent api:accept" failed: lib/index.ts does not compile');
    expect(existsSync(join(repository.root, 'api'))).toBe(false);
  });

  test('a release whose commit a hook refuses', async () => {
    const repository = new Repository();
    repository.write('.git/hooks/pre-commit', '#!/bin/sh\necho "not today" >&2\nexit 1\n');
    chmodSync(join(repository.root, '.git/hooks/pre-commit'), 0o755);
    expect(await repository.refusal('patch')).toBe('"git commit --quiet --message Release 0.1.1" failed: not today');
  });

  test('a release that cannot be tagged, after its commit', async () => {
    const repository = new Repository();
    repository.git('config', 'tag.gpgSign', 'true');
    repository.git('config', 'gpg.program', 'false');
    expect(await repository.refusal('patch')).toMatch(/^"git tag --annotate v0\.1\.1 --message Release 0\.1\.1" failed: /);
  });

  test('a release without npm', async () => {
    const repository = new Repository();
    const bin = scratch();
    symlinkSync(execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim(), join(bin, 'git'));
    expect(await repository.release(['patch'], [], ['/usr/bin/env', `PATH=${bin}`])).toEqual({ code: 1, stdout: '', stderr: 'release: npm cannot be run (ENOENT)\n' });
    expect(repository.git('status', '--porcelain')).toBe('');
  });
});
