import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import * as cdk8s from 'cdk8s';
import ts from 'typescript';
import * as library from '../../lib';
import { ROOT, scratch } from '../run-script';

const folder = join(__dirname, '../../docs/reference');
const pages = Object.fromEntries(readdirSync(join(folder, 'api')).map((name) => [name, readFileSync(join(folder, 'api', name), 'utf8')]));
const options = readFileSync(join(folder, 'options.md'), 'utf8');

test('every export has a page in the API reference, which is in its index, and no member is without a description', () => {
  for (const name of Object.keys(library)) {
    expect(pages[`${name}.md`]).toContain(`# ${name} <a name="${name}"`);
    expect(pages['README.md']).toContain(`| [\`${name}\`](${name}.md) |`);
  }
  for (const [name, text] of Object.entries(pages)) expect([name, text.includes('No description')]).toEqual([name, false]);
});

test('a page links to the others, and none leads nowhere', () => {
  for (const [name, text] of Object.entries({ ...Object.fromEntries(Object.entries(pages).map(([page, content]) => [`api/${page}`, content])), 'options.md': options })) {
    for (const [, target] of text.matchAll(/\]\((?!https?:)([^)#\s]+)?(?:#[^)\s]+)?\)/g)) {
      if (target !== undefined) expect([name, target, existsSync(join(folder, name, '..', target))]).toEqual([name, target, true]);
    }
  }
  expect(pages['Minio.md']).toContain('](ContainerResources.md#cdk8s-mlflow.ContainerResources)');
});

test('every class shows how it is used', () => {
  const classes = Object.entries(library).filter(([, value]) => typeof value === 'function').map(([name]) => name);
  expect(classes.filter((name) => !/^## Example\n\n(From .*\n\n)?```ts\n/m.test(pages[`${name}.md`]))).toEqual([]);
});

// those from the guides are looked at where these are
describe('examples of docstrings', () => {
  const programs = Object.entries(pages).flatMap(([name, text]) => [...text.matchAll(/^## Example\n\n```ts\n([^]*?)^```$/gm)].map(([, program]) => ({ file: join(ROOT, name.replace('.md', '.ts')), program })));

  test('have the right types', () => {
    const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile) as { config: { compilerOptions: object } };
    const { options: compilerOptions } = ts.convertCompilerOptionsFromJson({ ...config.compilerOptions, paths: { 'cdk8s-mlflow': [join(ROOT, 'lib/index.ts')] } }, ROOT);
    const host = ts.createCompilerHost(compilerOptions);
    const { readFile, fileExists } = host;
    const inMemory = (path: string) => programs.find(({ file }) => file === path)?.program;
    Object.assign(host, { readFile: (path: string) => inMemory(path) ?? readFile(path), fileExists: (path: string) => inMemory(path) !== undefined || fileExists(path) });
    const compiled = ts.createProgram(programs.map(({ file }) => file), compilerOptions, host);
    const errors = programs.flatMap(({ file }) => ts.getPreEmitDiagnostics(compiled, compiled.getSourceFile(file)));
    expect(errors.map(({ file, messageText }) => [file?.fileName, ts.flattenDiagnosticMessageText(messageText, ' ')])).toEqual([]);
  }, 120_000);

  test.each(programs.map(({ file, program }) => [basename(file, '.ts'), program]))('that of %s runs', (_, program) => {
    const folder = scratch();
    const modules: { [name: string]: object } = { cdk8s, 'cdk8s-mlflow': library };
    const log = jest.spyOn(console, 'log').mockImplementation();
    const before = process.env.CDK8S_OUTDIR;
    process.env.CDK8S_OUTDIR = folder;
    try {
      const { outputText } = ts.transpileModule(program, { compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 } });
      new Function('require', 'exports', outputText)((name: string) => modules[name], {});
    } finally {
      if (before === undefined) delete process.env.CDK8S_OUTDIR;
      else process.env.CDK8S_OUTDIR = before;
    }
    expect(readdirSync(folder)).toEqual(['mlflow.k8s.yaml']);
    expect(log.mock.calls.flat().filter((line) => /undefined|null/.test(String(line)))).toEqual([]);
    log.mockRestore();
  });
});

test('constructs that a guide uses show how', () => {
  for (const name of ['MlflowStack', 'Minio', 'Postgres', 'ExternalS3', 'Login', 'Autoscaling']) expect(pages[`${name}.md`]).toMatch(/^## Example\n\nFrom \[.*\]\(.*\):\n\n```ts\n/m);
});

test('the list of options has every group, with types and defaults', () => {
  expect(options).toContain('| `replicas` | `number` | 1 |');
  expect(options).toContain('| `bucket` | `string` | **required** |');
  for (const heading of ['MlflowStack', 'trackingServer', 'trackingServer.settings', 'login: Login.oidc(…)', 'backendStore: new Postgres(…)']) expect(options.split('\n')).toContain(`## ${heading}`);
});
