import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(__dirname, '..');
const directories: string[] = [];

jest.setTimeout(60_000);

afterAll(() => directories.forEach((directory) => rmSync(directory, { recursive: true, force: true })));

function directory(files: { [name: string]: string } = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'cdk8s-mlflow-main-'));
  directories.push(path);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

/** A copy of the repository, with another main.ts if one is given. */
function checkout(main?: string): string {
  const root = directory();
  for (const path of ['imports', 'lib', 'scripts', 'main.ts', 'package.json', 'tsconfig.json']) cpSync(join(ROOT, path), join(root, path), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  if (main !== undefined) writeFileSync(join(root, 'main.ts'), main);
  return root;
}

function synth(root: string, env: { [name: string]: string }, cwd = root) {
  const { PATH = '' } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'scripts/synth.mjs')], { cwd, env: { PATH, ...env }, encoding: 'utf8' });
  return { status, stdout, stderr };
}

function contents(path: string): { [name: string]: string } {
  return Object.fromEntries(readdirSync(path).map((name) => [name, readFileSync(join(path, name), 'utf8')]));
}

const SUCCESS = { status: 0, stdout: '', stderr: '' };

/** A main.ts whose one chart is `app` with `statements` in it. */
const program = (statements: string) => `
import { App, Chart, JsonPatch } from 'cdk8s';
import { Minio, MlflowStack } from './lib';
const app = new App();
${statements}
app.synth();
`;

describe('the manifests', () => {
  let root: string;
  let first: string;

  beforeAll(() => {
    root = checkout();
    first = directory();
    expect(synth(root, { CDK8S_OUTDIR: first, TZ: 'UTC', LANG: 'C' }, tmpdir())).toEqual(SUCCESS);
  });

  test('are those in dist/: run "npm run synth" where this fails', () => {
    expect(readdirSync(first)).toEqual(['mlflow.k8s.yaml']);
    expect(contents(first)).toEqual(contents(join(ROOT, 'dist')));
  });

  test('have nothing in them that Helm would take for a template', () => {
    expect(contents(first)['mlflow.k8s.yaml']).not.toContain('{{');
  });

  test('are the same in another process, wherever it runs', () => {
    const second = directory();
    const env = { CDK8S_OUTDIR: second, TZ: 'Pacific/Kiritimati', LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8' };
    expect(synth(checkout(), env, second)).toEqual(SUCCESS);
    expect(contents(second)).toEqual(contents(first));
  });

  test('go to dist/ of the repository, from any folder', () => {
    const elsewhere = directory();
    expect(synth(root, {}, elsewhere)).toEqual(SUCCESS);
    expect(readdirSync(elsewhere)).toEqual([]);
    expect(contents(join(root, 'dist'))).toEqual(contents(first));
  });

  test('go to a folder that is not there yet', () => {
    const out = join(directory(), 'not/there');
    expect(synth(root, { CDK8S_OUTDIR: out })).toEqual(SUCCESS);
    expect(readdirSync(out)).toEqual(['mlflow.k8s.yaml']);
  });

  test('are made from the programs as they are now', () => {
    const changed = checkout();
    const out = directory();
    writeFileSync(join(changed, 'lib/tracking-server/start-mlflow.py'), 'print("this is new")\n');
    expect(synth(changed, { CDK8S_OUTDIR: out })).toEqual(SUCCESS);
    expect(contents(out)['mlflow.k8s.yaml']).toContain('print("this is new")');
  });

  test('replace those of before; what is no longer made is removed, other files stay', () => {
    const out = directory({ 'mlflow.k8s.yaml': 'old', 'gone.k8s.yaml': 'stale', 'notes.yaml': 'mine', 'README.md': 'mine' });
    expect(synth(root, { CDK8S_OUTDIR: out })).toEqual(SUCCESS);
    expect(readdirSync(out).sort()).toEqual(['README.md', 'mlflow.k8s.yaml', 'notes.yaml']);
    expect(contents(out)).toEqual({ ...contents(first), 'README.md': 'mine', 'notes.yaml': 'mine' });
  });

  test('are one file a chart', () => {
    const out = directory();
    const two = checkout(program("for (const id of ['one', 'two']) new MlflowStack(new Chart(app, id, { namespace: id }), 'Stack');"));
    expect(synth(two, { CDK8S_OUTDIR: out })).toEqual(SUCCESS);
    expect(readdirSync(out).sort()).toEqual(['one.k8s.yaml', 'two.k8s.yaml']);
  });
});

describe('a synth that fails', () => {
  const before = { 'mlflow.k8s.yaml': 'of before', 'other.k8s.yaml': 'stale', 'README.md': 'mine' };
  const fails = (main: string, env: { [name: string]: string } = {}) => {
    const out = directory(before);
    return { ...synth(checkout(main), { CDK8S_OUTDIR: out, ...env }), left: contents(out) };
  };
  const WRONG_BUCKET = program("new Minio(new Chart(app, 'mlflow'), 'Files', { bucket: 'Models' });");

  test('prints the message and nothing else, and touches nothing', () => {
    expect(fails(WRONG_BUCKET)).toEqual({
      status: 1,
      stdout: '',
      stderr:
        'Validation failed with the following errors:\n' +
        '  [mlflow/Files] bucket: got "Models". Rule: a bucket name has lower-case letters, digits, "." and "-" only ' +
        '(https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html). Fix: pass a bucket name such as "models".\n',
      left: before,
    });
  });

  test('prints the stack trace where DEBUG is set', () => {
    const { status, stderr, left } = fails(WRONG_BUCKET, { DEBUG: '1' });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^Error: Validation failed with the following errors:\n[^]*\n {4}at /);
    expect(left).toEqual(before);
  });

  test('prints what was thrown where that is no error', () => {
    expect(fails(program("throw 'no error at all';"))).toEqual({ status: 1, stdout: '', stderr: 'no error at all\n', left: before });
  });

  test('touches nothing where one of two charts is good', () => {
    const main = program(`
      new MlflowStack(new Chart(app, 'mlflow'), 'Stack');
      new Minio(new Chart(app, 'other'), 'Minio').service.addJsonPatch(JsonPatch.remove('/spec/nothing/there'));
    `);
    const { status, stderr, left } = fails(main);
    expect(status).toBe(1);
    expect(stderr).toContain('[other/Minio/Service] JSON patch: got remove "/spec/nothing/there"');
    expect(left).toEqual(before);
  });

  test('touches nothing where the program throws behind app.synth()', () => {
    expect(fails(`${program("new Chart(app, 'mlflow');")}\nthrow new Error('too late');`)).toEqual({
      status: 1,
      stdout: '',
      stderr: 'too late\n',
      left: before,
    });
  });

  test.each([
    ['a program that is none', 'const = 1;', 'main.ts:1:6', 'Expected identifier'],
    ['an import that is not there', "import './nowhere';", 'main.ts:1:7', 'Could not resolve "./nowhere"'],
  ])('names the line of %s, without a stack trace', (_, main, line, reason) => {
    const { status, stderr, left } = fails(main);
    expect(status).toBe(1);
    expect(left).toEqual(before);
    expect(stderr).toContain(line);
    expect(stderr).toContain(reason);
    expect(stderr).not.toMatch(/^ {4}at /m);
  });

  test('makes no output folder', () => {
    const out = join(directory(), 'dist');
    expect(synth(checkout(WRONG_BUCKET), { CDK8S_OUTDIR: out }).status).toBe(1);
    expect(existsSync(out) ? readdirSync(out) : []).toEqual([]);
  });

  test('can be mended', () => {
    const root = checkout(WRONG_BUCKET);
    mkdirSync(join(root, 'dist'));
    writeFileSync(join(root, 'dist/mlflow.k8s.yaml'), 'of before');
    expect(synth(root, {}).status).toBe(1);
    writeFileSync(join(root, 'main.ts'), WRONG_BUCKET.replace('Models', 'models'));
    expect(synth(root, {})).toEqual(SUCCESS);
    expect(contents(join(root, 'dist'))['mlflow.k8s.yaml']).toContain('value: models');
  });
});
