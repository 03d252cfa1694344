import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Images } from '../../lib';
import { ROOT } from '../run-script';

interface Manager {
  readonly managerFilePatterns: string[];
  readonly matchStrings: string[];
}

interface Rule {
  readonly matchPackageNames?: string[];
  readonly versioning?: string;
}

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const config = JSON.parse(read('.github/renovate.json')) as { 'github-actions': Manager; customManagers: Manager[]; packageRules: Rule[] };
const [images, tools] = config.customManagers;

/** What the regex of a manager finds in a file, which its pattern names. */
function found({ managerFilePatterns, matchStrings }: Manager, path: string): string[][] {
  expect(managerFilePatterns.map((pattern) => new RegExp(pattern.slice(1, -1)).test(path))).toEqual([true]);
  return matchStrings.flatMap((regex) => [...read(path).matchAll(new RegExp(regex, 'g'))].map(({ groups }) => [groups!.depName, groups!.currentValue]));
}

const versioning = (name: string) => new RegExp(config.packageRules.find((rule) => rule.versioning !== undefined && rule.matchPackageNames?.includes(name))!.versioning!.replace(/^regex:/, ''));

test('every image is found, with its name and tag', () => {
  expect(found(images, 'lib/options/images.ts').map((parts) => parts.join(':'))).toEqual(Object.values(Images));
});

test('every tool of .ci/run that Go installs is found, by the name of its module', () => {
  const installed = [...read('.ci/run').matchAll(/^ +tool (\S+)@(\S+)(?: &&)?$/gm)].map(([, program, version]) => [program, version]);
  expect(installed.length).toBeGreaterThan(3);
  const modules = found(tools, '.ci/run');
  expect(modules.map(([, version]) => version)).toEqual(installed.map(([, version]) => version));
  modules.forEach(([module], index) => expect(installed[index][0]).toBe(`${module}/cmd/${module.split('/')[module.startsWith('helm.sh/') ? 1 : 2]}`));
});

test('the jobs for users have the actions of our own', () => {
  const [pattern, ...others] = config['github-actions'].managerFilePatterns;
  expect(others).toEqual([]);
  expect(pattern).toBe('/^pipelines/github-actions\\.yml$/');
  expect(existsSync(join(ROOT, 'pipelines/github-actions.yml'))).toBe(true);
});

test('packages that rules name are there', () => {
  const names = config.packageRules.flatMap(({ matchPackageNames }) => matchPackageNames ?? []);
  const known = [...Object.values(Images).map((image: string) => image.split(':')[0]), 'mlflow'];
  expect(names.filter((name) => !known.includes(name))).toEqual([]);
  expect(names.length).toBeGreaterThan(4);
});

test('tags with a date are versions in order', () => {
  const silo = versioning('docker.io/pgsty/silo').exec(Images.MINIO.split(':')[1])!.groups!;
  expect(silo.major).toMatch(/^20\d\d$/);
  expect(Object.keys(silo)).toEqual(['major', 'minor', 'patch', 'build', 'revision']);
  const { major, minor, build, compatibility } = versioning('ghcr.io/cloudnative-pg/postgresql').exec(Images.CLOUD_NATIVE_PG.split(':')[1])!.groups!;
  expect(`${major}.${minor}-${build}-${compatibility}`).toBe(Images.CLOUD_NATIVE_PG.split(':')[1]);
  expect(compatibility).toMatch(/^[a-z-]+$/);
});
