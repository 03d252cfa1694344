// Makes a release in this clone, for somebody to look at and to push: the version everywhere, the date in CHANGELOG.md,
// today's API as the one to compare with, a commit and a tag. Where a step fails, everything is as it was before.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const LEVELS = ['major', 'minor', 'patch'];
const VERSION = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$/;

class Fault extends Error {}

function run(command, ...args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  if (error !== undefined) throw new Fault(`${command} cannot be run (${error.code})`);
  const said = `${stdout}\n${stderr}`.split('\n').findLast((line) => line.trim() !== '');
  if (status !== 0) throw new Fault(`"${[command, ...args].join(' ')}" failed${said === undefined ? '' : `: ${said.trim()}`}`);
  return stdout.trim();
}

function parse(version) {
  const numbers = VERSION.exec(version)?.slice(1).map(Number);
  if (numbers === undefined) throw new Fault(`"${version}" is neither a version x.y.z nor one of ${LEVELS.join(', ')}`);
  return numbers;
}

/** The version to release: a level counts from the current one, anything else is the version itself. */
function next(current, argument) {
  const level = LEVELS.indexOf(argument);
  if (level === -1) return parse(argument).join('.');
  return parse(current).map((number, index) => (index < level ? number : index === level ? number + 1 : 0)).join('.');
}

function isLower(version, other) {
  const index = version.findIndex((number, position) => number !== other[position]);
  return index !== -1 && version[index] < other[index];
}

/** CHANGELOG.md with a version and a date instead of "(unreleased)". */
function dated(changelog, version) {
  const [, before, heading, after] = /^([^]*?)^## (.*)$([^]*)$/m.exec(changelog) ?? [];
  if (!/^\S+ \(unreleased\)$/.test(heading)) throw new Fault(`the top heading of CHANGELOG.md is not "## x.y.z (unreleased)" but "## ${heading ?? ''}"`);
  if (!/^- \S/m.test(after.split(/^## /m)[0])) throw new Fault(`CHANGELOG.md has no entries under "## ${heading}"`);
  return `${before}## ${version} (${new Date().toISOString().slice(0, 10)})${after}`;
}

function check(current, version) {
  const branch = run('git', 'rev-parse', '--abbrev-ref', 'HEAD');
  if (branch !== 'main') throw new Fault(`a release is made on the branch main, and this is ${branch === 'HEAD' ? 'no branch' : branch}`);
  const changes = run('git', 'status', '--porcelain').split('\n').filter(Boolean);
  if (changes.length > 0) throw new Fault(`the tree is not clean: commit or remove what is changed or untracked (${changes.length} in git status)`);
  const tags = run('git', 'tag', '--list', 'v*').split('\n').filter(Boolean);
  if (tags.includes(`v${version}`)) throw new Fault(`the tag v${version} exists already`);
  if (isLower(parse(version), parse(current))) throw new Fault(`${version} is lower than ${current} in package.json`);
  // only the first release has the version that package.json was born with
  if (version === current && tags.length > 0) throw new Fault(`${version} is the version of package.json already, and there are releases: ${tags.join(', ')}`);
}

/** The examples are apps of their own, which take the library from the registry. */
function updateExamples(version) {
  const folder = join(root, 'examples');
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const path = join(folder, name, 'package.json');
    if (existsSync(path)) writeFileSync(path, readFileSync(path, 'utf8').replace(/("cdk8s-mlflow": "\^)[^"]*"/, `$1${version}"`));
  }
}

function release(version, changelog) {
  const before = run('git', 'rev-parse', 'HEAD');
  try {
    run('npm', 'version', version, '--no-git-tag-version', '--allow-same-version', '--ignore-scripts');
    writeFileSync(join(root, 'CHANGELOG.md'), changelog);
    updateExamples(version);
    run('npm', 'run', '--silent', 'api:accept');
    run('git', 'add', '--all');
    run('git', 'commit', '--quiet', '--message', `Release ${version}`);
    run('git', 'tag', '--annotate', `v${version}`, '--message', `Release ${version}`);
  } catch (error) {
    // nothing of anybody else is lost: there was no change and no untracked file
    run('git', 'reset', '--quiet', '--hard', before);
    run('git', 'clean', '--quiet', '--force', '-d');
    throw error;
  }
}

// the command that a signal ends fails, and what it did is taken back
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => undefined);
try {
  const [argument, ...rest] = process.argv.slice(2);
  if (argument === undefined || rest.length > 0) throw new Fault('usage: npm run release -- patch|minor|major|x.y.z');
  const current = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
  const version = next(current, argument);
  check(current, version);
  release(version, dated(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'), version));
  console.log(`Release ${version} is committed and tagged in this clone. To publish it:\n\n  git push --atomic origin main v${version}`);
} catch (error) {
  if (!(error instanceof Fault)) throw error;
  console.error(`release: ${error.message}`);
  process.exitCode = 1;
}
