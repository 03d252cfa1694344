// What a synth costs: the app alone, by the CLI, against the app that `cdk8s init typescript-app` makes, and against Helm.
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { buildSync } from 'esbuild';
import { isExecutable } from '../processes';
import { PYTHON, ROOT, Script, scratch } from '../run-script';
import { Row, SHORT, judge, keep, median } from './results';

jest.setTimeout(SHORT ? 120_000 : 1_200_000);

const ROUNDS = SHORT ? 3 : 7;
const LIMIT_MS = 300_000;
const APP = readFileSync(join(ROOT, 'examples/minimal/main.ts'), 'utf8');
const TEMPLATE = join(ROOT, 'node_modules/cdk8s-cli/templates/typescript-app');
const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { devDependencies: Record<string, string> };

/** Runs a program and those that it starts, and tells what they took. */
const USAGE = `
import json, os, subprocess, sys, time
started = time.monotonic()
program = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(program.pid, 0)
print(json.dumps({"code": status, "seconds": time.monotonic() - started, "cpu": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss / 1024}))
`;

interface Usage {
  readonly code: number;
  readonly seconds: number;
  readonly cpu: number;
  /** Of the largest of the processes, in MiB. */
  readonly memory: number;
}

async function usage(cwd: string, command: string[]): Promise<Usage> {
  const env = { HOME: process.env.HOME ?? '/', TMPDIR: process.env.TMPDIR ?? '/tmp', CDK8S_CHECK_UPGRADE: 'false' };
  const { stdout, stderr } = await new Script([PYTHON, '-c', `import os; os.chdir(${JSON.stringify(cwd)})\n${USAGE}`, ...command], env, [], LIMIT_MS).ended;
  const used = JSON.parse(stdout.split('\n').at(-2) ?? '{}') as Usage;
  if (used.code !== 0) throw new Error(`${command.join(' ')}: ${stderr}`);
  return used;
}

type Ways = Record<string, () => Promise<Usage>>;

/** Rows of those that take turns; CPU is compared, which other work on the machine changes least. */
async function measure(what: string, ways: Ways, more: Partial<Row> = {}, rounds = ROUNDS): Promise<Row[]> {
  const used = Object.fromEntries(Object.keys(ways).map((name) => [name, [] as Usage[]]));
  for (let round = 0; round < rounds; round++) for (const [name, way] of Object.entries(ways)) used[name].push(await way());
  const [first] = Object.values(used);
  return Object.entries(used).map(([name, all], index) =>
    keep({
      part: 'Synth',
      what,
      with: name,
      unit: 's',
      values: all.map(({ seconds }) => seconds),
      cpu: median(all.map(({ cpu }) => cpu)),
      memory: Math.max(...all.map(({ memory }) => memory)),
      ...(index === 0 ? {} : { ratios: all.map(({ cpu }, round) => cpu / first[round].cpu) }),
      ...(index === Math.min(1, Object.keys(ways).length - 1) ? more : {}),
    }),
  );
}

/** A program of one file, with the library in it, as a build of an app makes it. */
function compiled(main: string, files: Record<string, string> = {}): string {
  const folder = scratch({ 'main.ts': main, ...files });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  buildSync({ absWorkingDir: folder, entryPoints: ['main.ts'], bundle: true, format: 'cjs', packages: 'external', alias: { 'cdk8s-mlflow': join(ROOT, 'lib') }, platform: 'node', target: 'node20', outfile: 'main.cjs', logLevel: 'silent' });
  return folder;
}

const runs = (folder: string) => () => usage(folder, [process.execPath, 'main.cjs']);

test('the app alone', async () => {
  const own = { '`node`': runs(compiled(APP)) };
  judge(await measure('the app of `examples/minimal`, compiled', SHORT ? own : { [CDK8S_ALONE]: runs(cdk8sAlone(1)), ...own }, { targetCpu: 0.25 }));
});

/** As README shows it: an app for each. */
const stacks = (count: number) => `
import { App, Chart } from 'cdk8s';
import { MlflowStack } from 'cdk8s-mlflow';

for (let number = 0; number < ${count}; number++) {
  const app = new App();
  const chart = new Chart(app, \`mlflow-\${number}\`, { namespace: \`mlflow-\${number}\` });
  new MlflowStack(chart, 'Stack');
  app.synth();
}
`;

const CDK8S_ALONE = 'their objects, by cdk8s alone';

/** The objects of a stack as they are, which cdk8s has to write only. */
function cdk8sAlone(count: number): string {
  const stack = compiled(`
import { Testing } from 'cdk8s';
import { MlflowStack } from 'cdk8s-mlflow';

const chart = Testing.chart();
new MlflowStack(chart, 'Stack');
console.log(JSON.stringify(Testing.synth(chart)));
`);
  const main = `
import { ApiObject, App, Chart } from 'cdk8s';
import objects from './objects.json';

for (let number = 0; number < ${count}; number++) {
  const app = new App();
  const chart = new Chart(app, \`mlflow-\${number}\`);
  objects.forEach((object, index) => new ApiObject(chart, \`Object\${index}\`, object));
  app.synth();
}
`;
  return compiled(main, { 'objects.json': execFileSync(process.execPath, ['main.cjs'], { cwd: stack, encoding: 'utf8', maxBuffer: Infinity }) });
}

test('many stacks', async () => {
  const rows: Row[] = [];
  for (const count of SHORT ? [10, 100] : [10, 100, 1000]) {
    const all = { ...(SHORT ? {} : { [CDK8S_ALONE]: cdk8sAlone(count) }), 'the stack': compiled(stacks(count)) };
    const ways: Ways = Object.fromEntries(Object.entries(all).map(([name, folder]) => [name, runs(folder)]));
    rows.push((await measure(`${count.toLocaleString('en')} stacks`, ways, { targetCpu: count === 1000 ? 10 : undefined }, 3)).at(-1)!);
    expect(readdirSync(join(all['the stack'], 'dist'))).toHaveLength(count);
    for (const folder of Object.values(all)) rmSync(join(folder, 'dist'), { recursive: true, force: true });
  }
  // linear: ten times as many take no more than ten times as long, and what a start takes is in both
  for (const [index, { cpu }] of rows.slice(1).entries()) expect(cpu! / rows[index].cpu!).toBeLessThan(20);
  judge(rows);
});

const ifLong = SHORT ? test.skip : test;

/** What `cdk8s init typescript-app` makes, with the package of this library: the template installs the newest of everything. */
function initialized(): string {
  const [folder, tarballs] = [scratch({ 'main.ts': APP }), scratch()];
  for (const name of ['tsconfig.json', 'cdk8s.yaml']) cpSync(join(TEMPLATE, name), join(folder, name));
  const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', tarballs], { cwd: ROOT, encoding: 'utf8' }).trim().split('\n').at(-1)!;
  const own = ['cdk8s', 'cdk8s-cli', 'cdk8s-plus-28', 'constructs', 'tsx'].map((name) => `${name}@${devDependencies[name]}`);
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  execFileSync('npm', ['install', '--silent', join(tarballs, packed), ...own, 'ts-node@10.9.2', 'typescript@5.9.3', '@types/node@14.18.63'], { cwd: folder, stdio: 'pipe' });
  return folder;
}

/** A clone of this repository, with another app. */
function clone(): string {
  const folder = scratch();
  for (const path of ['imports', 'lib', 'scripts', 'package.json', 'tsconfig.json', 'cdk8s.yaml']) cpSync(join(ROOT, path), join(folder, path), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'main.ts'), APP.replace("'cdk8s-mlflow'", "'./lib'"));
  return folder;
}

ifLong('the CLI, with the same constructs', async () => {
  const [init, here] = [initialized(), clone()];
  const cdk8s = (folder: string, ...app: string[]) => () => usage(folder, ['npx', 'cdk8s', 'synth', ...app]);
  const ways = { 'the app of `cdk8s init` (ts-node)': cdk8s(init), 'this repository': cdk8s(here), 'an app with the package, by tsx': cdk8s(init, '--app', 'npx tsx main.ts') };
  judge(await measure('`npx cdk8s synth`', ways, { target: 0.5 }));
});

const helm = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'helm')).find(isExecutable);

(SHORT || helm === undefined ? test.skip : test)('Helm', async () => {
  const chart = join(ROOT, 'examples/helm');
  const ways = { '`helm template` of `examples/helm/dist`': () => usage(chart, [helm!, 'template', '--kube-version=1.29', 'mlflow', 'dist']), '`node`, the app that makes this chart': runs(compiled(readFileSync(join(chart, 'main.ts'), 'utf8'))) };
  await measure('a chart', ways);
});
