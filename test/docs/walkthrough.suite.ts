import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Every document that needs no cluster, run as it stands, with the package as users get it. Those that need one are run
// by test_documents.py.

const root = join(__dirname, '../..');
const workspace = mkdtempSync(join(tmpdir(), 'documents-'));
const packages = join(workspace, 'packages');
const app = join(workspace, 'tutorial/mlflow-platform');
const guides = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.md') && !path.startsWith('reference'));
const documents = guides
  .filter((path) => /^<!-- walkthrough:(?!.* cluster )/.test(readFileSync(join(root, 'docs', path), 'utf8')))
  .sort();

function run(command: string, ...args: string[]): void {
  const env = { ...process.env, PATH: `${join(root, '.venv/bin')}:${process.env.PATH}`, KUBECONFIG: undefined };
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}\n${stdout}${stderr}`);
}

interface Block {
  readonly language: string;
  readonly file: string;
  readonly text: string;
}

function blocks(guide: string): Block[] {
  const { stdout } = spawnSync('python3', [join(__dirname, 'walkthrough.py'), join(root, 'docs', guide), '--list'], { encoding: 'utf8' });
  return (JSON.parse(stdout) as { blocks: Block[] }).blocks.filter(({ language }) => language === 'ts');
}

function file(folder: string, pattern: RegExp): string {
  return join(packages, folder, readdirSync(join(packages, folder)).find((name) => pattern.test(name))!);
}

function walk(document: string, directory: string, ...options: string[]): void {
  const needs = ['--tarball', file('js', /\.tgz$/), '--wheel', file('python', /\.whl$/)];
  run('python3', join(__dirname, 'walkthrough.py'), join('docs', document), '--directory', directory, ...needs, ...options);
}

beforeAll(() => {
  run('npm', 'run', 'build');
  run('npx', 'jsii-pacmak', '--target', 'js', '--target', 'python', '--outdir', packages, '--no-npmignore');
  walk('tutorial.md', join(workspace, 'tutorial'), '--section', 'Make an app', '--section', 'Look at the YAML');
}, 300_000);

afterAll(() => rmSync(workspace, { recursive: true, force: true }));

test('the app of the tutorial gives the YAML of dist/', () => {
  for (const name of ['mlflow.k8s.yaml', 'mlflow-programs.k8s.yaml']) {
    const [tutorial, dist] = [app, root].map((folder) => readFileSync(join(folder, 'dist', name), 'utf8'));
    expect(tutorial).toBe(dist);
  }
});

test('every program in TypeScript, of all documents, has the right types', () => {
  const programs = join(app, 'programs');
  for (const guide of guides) {
    const earlier: { [name: string]: string } = {};
    blocks(guide).forEach(({ file: name, text }, index) => {
      // beside a program stand the files that the document has written before it
      const folder = join(programs, guide.replace(/\W/g, '-'), String(index));
      mkdirSync(folder, { recursive: true });
      earlier[name === '' ? 'program.ts' : name] = text;
      for (const [path, content] of Object.entries(earlier)) writeFileSync(join(folder, path), content);
    });
  }
  const compilerOptions = { strict: true, noEmit: true, noUnusedLocals: true, target: 'ES2022', module: 'node16', moduleResolution: 'node16', skipLibCheck: true };
  const types = { typeRoots: [join(root, 'node_modules/@types')], types: ['node'] };
  writeFileSync(join(programs, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...compilerOptions, ...types } }));
  run(process.execPath, join(root, 'node_modules/typescript/bin/tsc'), '--project', programs);
  rmSync(programs, { recursive: true });
}, 120_000);

test('there are documents that need no cluster', () => {
  expect(documents.length).toBeGreaterThanOrEqual(4);
});

test.each(documents)('%s', (document) => walk(document, join(workspace, document.replace(/\W/g, '-')), '--app', app), 300_000);
