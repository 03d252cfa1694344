import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// One program in four languages, each made into an app as its user would, with the package that `npm run package` makes.

const root = join(__dirname, '../..');
const packages = join(root, 'packages');
const workspace = mkdtempSync(join(tmpdir(), 'languages-'));
/** The stack, and the programs in it, which have a file of their own. */
const MANIFESTS = ['dist/ml-platform.k8s.yaml', 'dist/ml-platform-programs.k8s.yaml'];
const { version, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string; devDependencies: { [name: string]: string } };
const tarball = join(packages, `js/cdk8s-mlflow@${version}.jsii.tgz`);
let expected: string[];

/** A folder for an app, with the program of its language in it. */
function app(language: string, program: string, path = program): string {
  const folder = join(workspace, language);
  mkdirSync(join(folder, path, '..'), { recursive: true });
  cpSync(join(__dirname, language, program), join(folder, path));
  return folder;
}

function run(cwd: string, command: string, ...args: string[]): string {
  const env = { ...process.env, CDK8S_OUTDIR: undefined };
  try {
    return execFileSync(command, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${command} ${args.join(' ')}\n${stdout}${stderr}`);
  }
}

/** What a program has made, file by file. */
function made(folder: string): string[] {
  return MANIFESTS.map((manifest) => readFileSync(join(folder, manifest), 'utf8'));
}

/** The program that the guide shows in a language, without what has to stand around it. */
function fromGuide(language: string): string {
  const guide = readFileSync(join(root, 'docs/how-to/other-languages.md'), 'utf8');
  return new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'm').exec(guide)![1];
}

function python(): string {
  const folder = join(workspace, 'python');
  mkdirSync(folder, { recursive: true });
  run(folder, 'python3', '-m', 'venv', '.venv');
  run(folder, '.venv/bin/pip', 'install', '--quiet', '--disable-pip-version-check', join(packages, `python/cdk8s_mlflow-${version}-py3-none-any.whl`));
  return '.venv/bin/python';
}

beforeAll(() => {
  run(root, 'npm', 'run', 'package');
  const folder = app('typescript', 'main.ts');
  writeFileSync(join(folder, 'package.json'), '{ "name": "app", "private": true }');
  const peers = ['cdk8s', 'cdk8s-plus-28', 'constructs'].map((name) => `${name}@${devDependencies[name]}`);
  run(folder, 'npm', 'install', tarball, ...peers);
  run(folder, 'npm', 'install', '--save-dev', 'tsx@4.23.15', 'typescript@7.0.2', '@types/node@20.19.43');
  run(folder, 'npx', 'tsc', '--init', '--strict', '--noEmit', '--module', 'node16', '--types', 'node', '--verbatimModuleSyntax', 'false');
  run(folder, 'npx', 'tsc');
  run(folder, 'npx', 'tsx', 'main.ts');
  expected = made(folder);
}, 600_000);

afterAll(() => rmSync(workspace, { recursive: true, force: true }));

test('TypeScript: the stack has what the program asks for', () => {
  const [stack, programs] = expected;
  expect(stack).toContain('s3://vision-models');
  expect(stack).toContain('fieldOfTheFuture:\n        enabled: true');
  expect(stack).toContain('MLFLOW_TRACKING_URI: http://mlflow-service.ml-platform.svc.cluster.local:5000/runs');
  expect(stack).toContain('kind: PrometheusRule');
  expect(stack).toContain('--app-name=basic-auth');
  expect(stack).toContain('--uvicorn-opts=--timeout-keep-alive=120');
  expect(stack).toMatch(/name: OTEL_SERVICE_NAME\n\s+value: mlflow\n/);
  expect(stack).toMatch(/port: 4317\n/);
  expect(stack).not.toContain('def put_credentials_in_place');
  expect(programs).toContain('def put_credentials_in_place');
});

test('Python: the wheel gives the same bytes', () => {
  const interpreter = python();
  const folder = app('python', 'main.py');
  run(folder, interpreter, 'main.py');
  expect(made(folder)).toEqual(expected);
}, 600_000);

test('Python: the smallest program of the guide gives the YAML of dist/', () => {
  const folder = join(workspace, 'python');
  const [, program] = /^```python smallest\.py\n([^]*?)^```$/m.exec(readFileSync(join(root, 'docs/how-to/other-languages.md'), 'utf8'))!;
  writeFileSync(join(folder, 'app.py'), program);
  rmSync(join(folder, 'dist'), { recursive: true });
  run(folder, '.venv/bin/python', 'app.py');
  // whatever files they stand in
  const objects = (...files: string[]) => files.flatMap((file) => readFileSync(file, 'utf8').trimEnd().split('\n---\n')).sort();
  const manifests = (app: string) => readdirSync(join(app, 'dist')).filter((name) => name.endsWith('.k8s.yaml')).map((name) => join(app, 'dist', name));
  expect(objects(...manifests(folder))).toEqual(objects(...manifests(root)));
}, 60_000);

test('Python: the wheel has the command as well', () => {
  const output = run(join(workspace, 'python'), '.venv/bin/cdk8s-mlflow', 'diff', join(root, 'examples/minimal/dist'), join(root, 'examples/production/dist'));
  expect(output).toContain('⚠ refused by Kubernetes: StatefulSet minio, storage 10Gi → ');
}, 60_000);

test('Python: what the command writes is an app that passes its tests and gives the YAML of the one in TypeScript', () => {
  const folder = join(workspace, 'written');
  run(join(workspace, 'typescript'), 'npx', '--no-install', 'cdk8s-mlflow', 'init', '--language', 'python', folder);
  symlinkSync(join(workspace, 'python/.venv'), join(folder, '.venv'));
  run(folder, 'npm', 'test');
  run(folder, '.venv/bin/python', 'main.py');

  const typescript = join(workspace, 'typescript');
  run(typescript, 'npx', '--no-install', 'cdk8s-mlflow', 'init', 'written');
  run(join(typescript, 'written'), 'npx', 'tsx', 'main.ts');
  const written = (app: string) => ['dist/mlflow.k8s.yaml', 'dist/mlflow-programs.k8s.yaml'].map((file) => readFileSync(join(app, file), 'utf8'));
  expect(written(folder)).toEqual(written(join(typescript, 'written')));
}, 120_000);

test.each([
  ["bucket='Models'", 'bucket: got "Models". Rule: '],
  ['storage_size=10', 'storage_size'],
  ["bucket_name='models'", 'bucket_name'],
])('Python: %s gives a sentence that names the prop', (argument, sentence) => {
  const program = `from cdk8s import App, Chart\nfrom cdk8s_mlflow import Minio\napp = App()\nMinio(Chart(app, 'c'), 'Store', ${argument})\napp.synth()\n`;
  writeFileSync(join(workspace, 'python/wrong.py'), program);
  let output = '';
  try {
    run(join(workspace, 'python'), '.venv/bin/python', 'wrong.py');
  } catch (error) {
    output = (error as Error).message;
  }
  expect(output.trim().split('\n').slice(-6).join('\n')).toContain(sentence);
}, 60_000);

describe('with the sources of the libraries beside it, in place of their packages', () => {
  const sources = join(workspace, 'sources');

  beforeAll(() => {
    const pacmak = join(root, 'node_modules/.bin/jsii-pacmak');
    run(root, pacmak, '--target', 'go', '--target', 'java', '--recurse', '--code-only', '--no-npmignore', '--outdir', sources);
  }, 600_000);

  test('Go: the module gives the same bytes', () => {
    const folder = app('go', 'main.go');
    run(folder, 'go', 'mod', 'init', 'example.com/app');
    const modules = {
      'github.com/mlflow-on-kubernetes/cdk8s-mlflow-go/cdk8smlflow': join(packages, 'go/cdk8smlflow'),
      'github.com/cdk8s-team/cdk8s-core-go/cdk8s/v2': join(sources, 'go/cdk8s'),
      'github.com/cdk8s-team/cdk8s-plus-go/cdk8splus28/v2': join(sources, 'go/cdk8splus28'),
      'github.com/aws/constructs-go/constructs/v10': join(sources, 'go/constructs'),
    };
    run(folder, 'go', 'mod', 'edit', ...Object.entries(modules).map(([module, path]) => `-replace=${module}=${path}`));
    run(folder, 'go', 'mod', 'tidy');
    run(folder, 'go', 'run', '.');
    expect(made(folder)).toEqual(expected);

    const imports = readFileSync(join(folder, 'main.go'), 'utf8').split('func main()')[0].replace(/.*\/k8s"\n/, '');
    writeFileSync(join(folder, 'main.go'), `${imports}func main() {\n${fromGuide('go')}}\n`);
    run(folder, 'go', 'run', '.');
    expect(made(folder)[0]).toContain('storage: 20Gi');
  }, 900_000);

  test('Java: the classes give the same bytes', () => {
    const folder = app('java', 'Main.java', 'src/main/java/app/Main.java');
    cpSync(join(__dirname, 'java/pom.xml'), join(folder, 'pom.xml'));
    for (const classes of [sources, packages]) cpSync(join(classes, 'java/src'), join(folder, 'src'), { recursive: true });
    const imports = readFileSync(join(folder, 'src/main/java/app/Main.java'), 'utf8').split('public class')[0];
    const guide = `${imports}public class Guide {\n  public static void main(String[] args) {\n${fromGuide('java')}  }\n}\n`;
    writeFileSync(join(folder, 'src/main/java/app/Guide.java'), guide);
    run(folder, 'mvn', '--batch-mode', '--quiet', 'compile', 'exec:java');
    expect(made(folder)).toEqual(expected);
    run(folder, 'mvn', '--batch-mode', '--quiet', 'exec:java', '-Dexec.mainClass=app.Guide');
    expect(made(folder)[0]).toContain('storage: 20Gi');
  }, 900_000);
});
