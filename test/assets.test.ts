import { readFileSync, readdirSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from 'esbuild';
import * as assets from '../lib/assets.generated';
import { ROOT, run, scratch } from './run-script';

const EMBED = readFileSync(join(ROOT, 'scripts/embed.mjs'), 'utf8');
const PACKAGE = readFileSync(join(ROOT, 'package.json'), 'utf8');
const GENERATED = 'lib/assets.generated.ts';

const programs = readdirSync(join(ROOT, 'lib'), { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.(py|sh)$|\/preflight\/mlflow$/.test(path))
  .map((path) => `lib/${path}`)
  .sort();
const PACKAGES = { PREFLIGHT: 'lib/preflight/preflight/', APP_LAYERS: 'lib/plugins/app_layers/', BACKUP: 'lib/backup/mlflow_backup/', GUARD: 'lib/guard/mlflow_guard/', PROXIED_ARTIFACTS: 'lib/proxied-artifacts/proxied_artifacts/' };
const within = (folder: string) => programs.filter((path) => path.startsWith(folder));
const modules = within(PACKAGES.PREFLIGHT);
const loaded = [PACKAGES.APP_LAYERS, PACKAGES.BACKUP, PACKAGES.GUARD, PACKAGES.PROXIED_ARTIFACTS].flatMap(within);
const alone = programs.filter((path) => ![...modules, ...loaded].includes(path));

function sources(text: (path: string) => string): Record<string, string> {
  return { 'scripts/embed.mjs': EMBED, 'package.json': PACKAGE, ...Object.fromEntries(programs.map((path) => [path, text(path)])) };
}

function embed(root: string) {
  return run([process.execPath, join(root, 'scripts/embed.mjs')], {});
}

test('hold the text of every program file, to the letter', () => {
  const text = (path: string) => readFileSync(join(ROOT, path), 'utf8');

  expect(alone).toHaveLength(10);
  expect({ ...assets }).toEqual({ ...constants(text), PEER_DEPENDENCIES: JSON.parse(PACKAGE).peerDependencies });
});

test('are ASCII: one other character, and JavaScript would keep the text of a whole manifest with two bytes for each', () => {
  expect(programs.filter((path) => /[^\0-\x7f]/.test(readFileSync(join(ROOT, path), 'utf8')))).toEqual([]);
});

test('are what scripts/embed.mjs writes today: run "node scripts/embed.mjs" where this fails', async () => {
  const root = scratch(sources((path) => readFileSync(join(ROOT, path), 'utf8')));

  expect(await embed(root)).toMatchObject({ code: 0, stdout: '', stderr: '' });

  expect(readFileSync(join(root, GENERATED), 'utf8')).toBe(readFileSync(join(ROOT, GENERATED), 'utf8'));
});

test('survive every character that means something in a template literal', async () => {
  const text = 'a\\n \\\\ `b` ${c} $d $$ \\${e} \\` é 🐘 \t*/ \\u0041\n\\\n';
  const root = scratch(sources(() => text));

  expect(await embed(root)).toMatchObject({ code: 0, stderr: '' });

  const { code: plain } = transformSync(readFileSync(join(root, GENERATED), 'utf8'), { loader: 'ts' });
  const script = scratch({ 'assets.mjs': plain, 'print.mjs': PRINT });
  const { stdout } = await run([process.execPath, join(script, 'print.mjs')], {});
  expect(JSON.parse(stdout)).toMatchObject(constants(() => text));
});

test('have the line ends of Unix, whatever git made of the files', async () => {
  const root = scratch(sources((path) => readFileSync(join(ROOT, path), 'utf8').replace(/\n/g, '\r\n')));

  await embed(root);

  expect(readFileSync(join(root, GENERATED), 'utf8')).toBe(readFileSync(join(ROOT, GENERATED), 'utf8'));
});

test('are written only where they changed', async () => {
  const root = scratch(sources((path) => path));
  await embed(root);
  const target = join(root, GENERATED);
  utimesSync(target, 1000, 1000);

  await embed(root);

  expect(statSync(target).mtimeMs).toBe(1_000_000);
});

describe('the preflight', () => {
  test('is all of its modules, sorted by name', () => {
    const names = modules.map((path) => path.split('/').at(-1)!);
    expect(names).toEqual(expect.arrayContaining(['__init__.py', '__main__.py', 'check.py', 'mlflow_doctor.py', 'monitor.py']));
    expect(Object.keys(assets.PREFLIGHT)).toEqual(names.sort());
  });

  test.each([...modules, ...loaded])('%s can be read in one go', (path) => {
    expect(readFileSync(join(ROOT, path), 'utf8').split('\n').length - 1).toBeLessThan(400);
  });

  test.each([...modules, ...loaded, 'lib/tracking-server/start-mlflow.py'])('%s has nothing in it that Helm would take for a template', (path) => {
    expect(readFileSync(join(ROOT, path), 'utf8')).not.toMatch(/\{\{|\}\}/);
  });

  test('leaves one screen to the start script', () => {
    expect(assets.START_MLFLOW_PY.split('\n').length - 1).toBeLessThanOrEqual(60);
  });
});

const PRINT = "import * as assets from './assets.mjs';\nconsole.log(JSON.stringify(assets));\n";

/** What the generated file exports of the programs. */
function constants(text: (path: string) => string): Record<string, unknown> {
  const filesOf = (folder: string) => Object.fromEntries(within(folder).map((path) => [path.split('/').at(-1)!, text(path)]));
  const packages = Object.fromEntries(Object.entries(PACKAGES).map(([name, folder]) => [name, filesOf(folder)]));
  return { ...Object.fromEntries(alone.map((path) => [constantOf(path), text(path)])), ...packages, MLFLOW_DOCTOR_PY: packages.PREFLIGHT['mlflow_doctor.py'] };
}

/** lib/tracking-server/start-mlflow.py → START_MLFLOW_PY */
function constantOf(path: string): string {
  return path.split('/').at(-1)!.replace(/[-.]/g, '_').toUpperCase();
}
