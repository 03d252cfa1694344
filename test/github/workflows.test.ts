import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROOT } from '../run-script';

interface Step {
  readonly run?: string;
  readonly uses?: string;
  readonly with?: { [name: string]: unknown };
  readonly env?: { [name: string]: string };
}

interface Job {
  readonly needs?: string;
  readonly permissions: { [scope: string]: string };
  readonly environment?: string;
  readonly strategy?: { readonly matrix: { readonly node: number[] } };
  readonly ['timeout-minutes']: number;
  readonly steps: Step[];
}

interface Workflow {
  readonly on: { readonly push: { readonly tags?: string[] } };
  readonly permissions: object;
  readonly jobs: { [name: string]: Job };
}

const FOLDER = join(ROOT, '.github/workflows');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const manifest = JSON.parse(read('package.json')) as { engines: { node: string }; scripts: object; jsii: { targets: object } };
const workflow = (name: string) => parse(read(`.github/workflows/${name}.yml`)) as Workflow;
const names = readdirSync(FOLDER).map((file) => file.replace(/\.yml$/, ''));
const commands = ({ steps }: Job) => steps.flatMap(({ run }) => (run ?? '').split('\n')).filter((line) => line !== '');

test('there is one for changes and one for releases', () => {
  expect(names).toEqual(['ci', 'release']);
});

test('an action has one version in all of them and in the jobs for users, and it is a commit', () => {
  const uses = ['pipelines/github-actions.yml', ...names.map((name) => `.github/workflows/${name}.yml`)].flatMap((path) => read(path).match(/uses:.*/g)!);
  for (const line of uses) expect(line).toMatch(/^uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  expect(new Set(uses).size).toBe(new Set(uses.map((line) => line.split('@')[0])).size);
});

describe.each(names)('%s', (name) => {
  const { permissions, jobs } = workflow(name);

  test('gives no right but to jobs, and a time to each', () => {
    expect(permissions).toEqual({});
    for (const job of Object.values(jobs)) {
      expect([{ contents: 'read' }, { 'id-token': 'write' }]).toContainEqual(job.permissions);
      expect(job['timeout-minutes']).toBeLessThanOrEqual(60);
      for (const step of job.steps) if (step.uses?.startsWith('actions/checkout@')) expect(step.with).toEqual({ 'persist-credentials': false });
    }
  });

  test('puts neither a secret nor what others wrote into a command', () => {
    expect(Object.values(jobs).flatMap(commands).join('\n')).not.toContain('${{');
  });

  test('runs npm scripts that exist', () => {
    const scripts = Object.values(jobs).flatMap(commands).flatMap((line) => [...line.matchAll(/npm run ([\w:-]+)/g)].map(([, script]) => script));
    expect(scripts).not.toEqual([]);
    for (const script of scripts) expect(Object.keys(manifest.scripts)).toContain(script);
  });
});

describe('ci', () => {
  const { test: tests, lint } = workflow('ci').jobs;

  test('tests the versions of Node that the README and package.json promise', () => {
    const versions = tests.strategy!.matrix.node;
    expect(commands(tests)).toEqual(['npm ci && npm test']);
    expect(read('README.md')).toContain(`Node ${versions.slice(0, -1).join(', ')} or ${versions.at(-1)}`);
    expect(manifest.engines.node).toBe(`>=${versions[0]}`);
  });

  test('lints the scripts that .ci/run does', () => {
    expect(read('.ci/run')).toContain(`  ${commands(lint).find((line) => line.startsWith('shellcheck '))!}\n`);
  });
});

describe('release', () => {
  const { on, jobs } = workflow('release');
  const { build, ...registries } = jobs;
  const secretly = (job: Job) => /\$\{\{ *secrets\./.test(JSON.stringify(job));

  test('is of a tag that is the version', () => {
    expect(on).toEqual({ push: { tags: ['v*'] } });
    expect(commands(build)[0]).toBe(`test "$GITHUB_REF_NAME" = "v$(node --print "require('./package.json').version")"`);
  });

  test('publishes for each language that jsii makes a package for, and nothing that is not tested', () => {
    expect(Object.keys(registries).sort()).toEqual(['go', 'maven', 'npm', 'nuget', 'pypi']);
    expect(Object.keys(registries)).toHaveLength(Object.keys(manifest.jsii.targets).length + 1);
    expect(commands(build).slice(1, 4)).toEqual(['npm ci', 'npm test', 'npm run package']);
    for (const job of Object.values(registries)) expect(job).toMatchObject({ needs: 'build', environment: 'release' });
  });

  test('keeps a token only for registries that trust no workflow, and none where code of this repository runs', () => {
    const having = (has: (job: Job) => boolean) => Object.keys(jobs).filter((name) => has(jobs[name]));
    expect(having(secretly)).toEqual(['maven', 'go']);
    expect(having(({ permissions }) => 'id-token' in permissions)).toEqual(['npm', 'pypi', 'nuget']);
    for (const job of Object.values(registries)) expect(commands(job).join('\n')).not.toMatch(/npm (test|run)|scripts\/|node_modules\/.bin\/(?!publib-)/);
  });

  test('installs what has a lock file only, and starts no script of it', () => {
    const installs = Object.values(jobs).flatMap(commands).filter((line) => /\b(npm (ci|i|install)|npx|pip)\b/.test(line));
    const locked = 'npm ci --ignore-scripts --prefix .github/publish';
    expect(installs).toEqual(['npm ci', 'rm -r packages/java && npx --no-install jsii-pacmak --target java --no-npmignore', locked, locked]);
    const lock = JSON.parse(read('.github/publish/package-lock.json')) as { packages: { [path: string]: { dependencies?: object; version?: string; integrity?: string } } };
    const { '': root, ...packages } = lock.packages;
    expect(root.dependencies).toEqual((JSON.parse(read('.github/publish/package.json')) as { dependencies: object }).dependencies);
    expect(root.dependencies).toEqual({ publib: packages['node_modules/publib'].version });
    expect(Object.entries(packages).filter(([, { integrity }]) => integrity === undefined)).toEqual([]);
  });
});
