import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { createSourceFile, isExportDeclaration, isImportDeclaration, isStringLiteral, ScriptTarget } from 'typescript';
import { ROOT } from './run-script';

const LIB = join(ROOT, 'lib');
const GENERATED = 'assets.generated.ts';
const MAX_LINES = 400;

const files = readdirSync(LIB, { recursive: true, encoding: 'utf8' }).filter((path) => /\.(ts|py|sh)$/.test(path) && path !== GENERATED).sort();
const text = (path: string) => readFileSync(join(LIB, path), 'utf8');

/** The files of lib/ that each of them imports. */
const imports = new Map(
  files
    .filter((path) => path.endsWith('.ts'))
    .map((path) => {
      const { statements } = createSourceFile(path, text(path), ScriptTarget.Latest);
      const targets = statements.flatMap((statement) => {
        if ((!isImportDeclaration(statement) && !isExportDeclaration(statement))) return [];
        const { moduleSpecifier: from } = statement;
        if (from === undefined || !isStringLiteral(from) || !from.text.startsWith('.')) return [];
        const target = relative(LIB, join(LIB, dirname(path), `${from.text}.ts`));
        return target.startsWith('..') || target === GENERATED ? [] : [target];
      });
      return [path, targets] as const;
    }),
);

test('each import is of a file that is there', () => {
  expect(imports.size).toBeGreaterThan(50);
  for (const [path, targets] of imports) for (const target of targets) expect([path, files]).toEqual([path, expect.arrayContaining([target])]);
});

test(`no file of lib/ has more than ${MAX_LINES} lines`, () => {
  expect(files.filter((path) => text(path).trimEnd().split('\n').length > MAX_LINES)).toEqual([]);
});

test('no file of lib/ imports itself by way of others', () => {
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, way: string[]): void => {
    if (way.includes(path)) cycles.push([...way.slice(way.indexOf(path)), path].join(' → '));
    if (done.has(path) || way.includes(path)) return;
    for (const target of imports.get(path)!) visit(target, [...way, path]);
    done.add(path);
  };
  for (const path of imports.keys()) visit(path, []);
  expect(cycles).toEqual([]);
});

test('nothing central knows the list of add-ons: the tracking server imports none of them', () => {
  const known = [...imports].filter(([path]) => path.startsWith('tracking-server/')).flatMap(([path, targets]) => targets.map((target) => `${path} → ${target}`));
  expect(known.length).toBeGreaterThan(20);
  expect(known.filter((edge) => / → (access|login|monitoring|operations)\//.test(edge) && !edge.endsWith(' → access/route-target.ts'))).toEqual([]);
});

test('no store and nothing below it knows the tracking server', () => {
  const below = /^(artifact-store|backend-store|kube|options|secrets|store|validation)\//;
  const edges = [...imports].filter(([path]) => below.test(path)).flatMap(([path, targets]) => targets.map((target) => `${path} → ${target}`));
  expect(edges.filter((edge) => / → (tracking-server|access|login|monitoring|operations|preflight|proxied-artifacts|mlflow-stack)/.test(edge))).toEqual([]);
});
