import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROOT, lines, scratch } from '../run-script';
import { cdk8sMlflow } from './program';

const read = (folder: string, name: string) => readFileSync(join(folder, name), 'utf8');
const filesOf = (folder: string) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => statSync(join(folder, name)).isFile()).sort();

function init(...args: string[]): string {
  const cwd = scratch();
  const { status, stdout, stderr } = cdk8sMlflow(['init', ...args], { cwd });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const [next, ...files] = lines(stdout).reverse();
  expect(next).toBe('Next: npm install && npm test && npm run synth');
  expect(files.sort()).toEqual(filesOf(cwd));
  return cwd;
}

const SHARED = ['.gitignore', 'README.md', 'cdk8s.yaml', 'package.json', 'values.yaml'];
const SCRIPTS = ['pipelines/apply.sh', 'pipelines/comment.mjs', 'pipelines/validate.sh'];

// what it writes is run in test/consumers
test.each([
  [['--pipeline', 'none'], ['main.ts', 'test/main.test.ts', 'tsconfig.json']],
  [['--language', 'typescript'], ['main.ts', 'test/main.test.ts', 'tsconfig.json', '.github/workflows/manifests.yml', ...SCRIPTS]],
  [['--language', 'python', '--pipeline', 'gitlab'], ['main.py', 'test/test_main.py', 'requirements.txt', '.gitlab-ci.yml', ...SCRIPTS]],
])('%j writes an app of one screen', (args, files) => {
  const folder = init(...args);
  expect(filesOf(folder)).toEqual([...SHARED, ...files].sort());
  const [program] = files;
  expect(lines(read(folder, program)).length).toBeLessThanOrEqual(30);
  for (const name of filesOf(folder).filter((path) => !path.startsWith('.git') && !path.startsWith('pipelines'))) expect([name, read(folder, name)]).toEqual([name, expect.not.stringMatching(/\{\{|undefined,\n|"undefined"/)]);
});

test.each(['typescript', 'python'])('%s: the packages are those of this version', (language) => {
  const { version, devDependencies, peerDependencies } = JSON.parse(read(ROOT, 'package.json')) as { version: string; devDependencies: Record<string, string>; peerDependencies: Record<string, string> };
  const { dependencies = {}, devDependencies: tools, scripts } = JSON.parse(read(init('--language', language), 'package.json')) as { [kind: string]: Record<string, string> };
  const packages = { ...dependencies, ...tools };
  expect(packages).toMatchObject({ ...peerDependencies, 'cdk8s-mlflow': `^${version}`, 'cdk8s-cli': devDependencies['cdk8s-cli'] });
  expect(Object.values(packages).filter((range) => !/^\^?\d+\.\d+\.\d+$/.test(range))).toEqual([]);
  expect(scripts).toMatchObject({ synth: expect.any(String), test: expect.any(String) });
});

test('the pipeline is the one of pipelines/, and its scripts can be executed', () => {
  const folder = init();
  expect(read(folder, '.github/workflows/manifests.yml')).toBe(read(ROOT, 'pipelines/github-actions.yml'));
  for (const script of SCRIPTS) {
    expect(read(folder, script)).toBe(read(ROOT, script));
    if (script.endsWith('.sh')) expect(statSync(join(folder, script)).mode & 0o111).toBe(0o111);
  }
});

test('GitLab has an image with an environment for Python, and else what it has', () => {
  const jobs = (language: string) => parse(read(init('--language', language, '--pipeline', 'gitlab'), '.gitlab-ci.yml')) as { '.npm': { before_script: string[] } };
  const [python, typescript] = ['python', 'typescript'].map(jobs);
  expect(typescript['.npm'].before_script).toEqual(['npm ci']);
  expect(python['.npm'].before_script).toEqual([expect.stringContaining('python3-venv'), 'npm ci']);
  expect({ ...python, '.npm': undefined }).toEqual({ ...typescript, '.npm': undefined });
});

test('a folder is made, and a file that is there is not written over', () => {
  const cwd = scratch();
  expect(lines(cdk8sMlflow(['init', 'deploy/mlflow'], { cwd }).stdout).at(-1)).toBe('Next: cd deploy/mlflow && npm install && npm test && npm run synth');
  writeFileSync(join(cwd, 'main.ts'), 'mine');
  const { status, stdout, stderr } = cdk8sMlflow(['init'], { cwd });
  expect({ status, stdout, stderr }).toEqual({ status: 2, stdout: '', stderr: 'cdk8s-mlflow init: main.ts is there already, and nothing was written: take another folder\n' });
  expect(existsSync(join(cwd, 'package.json'))).toBe(false);
});

test.each([
  [['--language', 'java'], '--language is one of typescript, python, and not "java"'],
  [['--pipeline', 'jenkins'], '--pipeline is one of github, gitlab, none, and not "jenkins"'],
  [['a', 'b'], 'one folder is written'],
])('%j is told', (args, sentence) => {
  expect(cdk8sMlflow(['init', ...args], { cwd: scratch() })).toMatchObject({ status: 2, stderr: `cdk8s-mlflow init: ${sentence}. See: cdk8s-mlflow init --help\n` });
});
