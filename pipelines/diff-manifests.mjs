// Writes what this branch changes in the manifests, as Markdown for a review comment:
//
//   node pipelines/diff-manifests.mjs BASE_REF OUT.md
//
// Both sides are synthesized, the base in a worktree of its own, so no YAML has to be in git. Values of Secrets are
// masked. Of files for programs (*-programs.*.yaml, what a ProgramsChart makes) the comment has one line each: their ConfigMaps
// change with a new version of the library, by thousands of lines. OUT.md is cut to what a comment can hold; "-" writes all
// of it to standard output, programs included. The app is the one in the current folder. It is synthesized by
// SYNTH_COMMAND, else by its npm script "synth", else by the cdk8s CLI.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

// GitHub takes 65,536 characters; the rest is for the marker that comment.mjs adds.
const COMMENT_LIMIT = 65_000;
const ACTIONS = ['removed', 'replaced', 'added', 'changed'];
const PROGRAMS = /-programs\.[^\\/]*ya?ml$/;
const FINGERPRINT = /-[0-9a-f]{8,}$/;
const MASKED_FIELDS = ['data', 'stringData'];
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

class Fault extends Error {}

const scratch = mkdtempSync(join(tmpdir(), 'diff-manifests-'));
const worktree = join(scratch, 'base');
// a CDK8S_OUTDIR of the caller would send both sides to one folder
const environment = { ...process.env };
delete environment.CDK8S_OUTDIR;
let child;
let YAML;

/** Runs a command in a process group of its own, which a signal can end as a whole. */
function run(command, args, { cwd = '.', env = environment, show = false } = {}) {
  return new Promise((resolve, reject) => {
    child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', show ? 2 : 'pipe', show ? 2 : 'pipe'] });
    let stdout = '';
    child.stdout?.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr?.resume();
    child.on('error', (error) => reject(new Fault(`${command} cannot be run (${error.code})`)));
    child.on('close', (code) => {
      child = undefined;
      resolve({ code, stdout });
    });
  });
}

async function git(...args) {
  const { code, stdout } = await run('git', args);
  return code === 0 ? stdout.trim() : undefined;
}

function cleanUp() {
  if (existsSync(worktree) && spawnSync('git', ['worktree', 'remove', '--force', worktree], { stdio: 'ignore' }).status !== 0) {
    rmSync(worktree, { recursive: true, force: true, maxRetries: 5 });
    spawnSync('git', ['worktree', 'prune'], { stdio: 'ignore' });
  }
  rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
}

function cleanUpOnSignal() {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => {
      try {
        if (child !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // it has ended meanwhile
      }
      cleanUp();
      process.exit(128 + constants.signals[signal]);
    });
  }
}

/** The YAML library is the one of cdk8s, which every app has. */
function yamlOfCdk8s() {
  try {
    const app = createRequire(join(process.cwd(), 'package.json'));
    return createRequire(app.resolve('cdk8s'))('yaml');
  } catch {
    throw new Fault('cdk8s is not installed in this folder: run "npm ci" first');
  }
}

/** The command that synthesizes the app in a folder; undefined where there is no app. */
function synthCommand(app) {
  if (!existsSync(join(app, 'package.json'))) return undefined;
  if (process.env.SYNTH_COMMAND) return process.env.SYNTH_COMMAND;
  if (JSON.parse(readFileSync(join(app, 'package.json'), 'utf8')).scripts?.synth !== undefined) return 'npm run --silent synth';
  return existsSync(join(app, 'cdk8s.yaml')) ? 'npx --no-install cdk8s synth' : undefined;
}

function outputFolder(app) {
  const config = join(app, 'cdk8s.yaml');
  return (existsSync(config) && YAML.parse(readFileSync(config, 'utf8'))?.output) || 'dist';
}

/** The single objects of a document: those of a List are applied one by one as well. */
function flatten(document) {
  if (!Array.isArray(document?.items) || !/List$/.test(document.kind)) return [document];
  const { apiVersion, kind, items } = document;
  return items.flatMap((item) => flatten(kind === 'List' ? item : { apiVersion, kind: kind.slice(0, -'List'.length), ...item }));
}

function parse(path, shown) {
  const documents = YAML.parseAllDocuments(readFileSync(path, 'utf8'), { version: '1.1' });
  // the message of the parser quotes the line, which may be one of a Secret
  const fault = documents.find(({ errors }) => errors.length > 0)?.errors[0];
  if (fault !== undefined) throw new Fault(`${shown} is no valid YAML (line ${fault.linePos?.[0].line ?? '?'}, ${fault.code})`);
  return documents
    .map((document) => document.toJS())
    .flatMap(flatten)
    .filter(isObject);
}

/** All objects in the output folder of an app, by a key that is the same on both sides. */
function readObjects(app) {
  const folder = outputFolder(app);
  const objects = new Map();
  if (!existsSync(join(app, folder))) return objects;
  const names = readdirSync(join(app, folder), { recursive: true }).filter((name) => /\.ya?ml$/.test(name));
  for (const name of names.sort()) {
    for (const object of parse(join(app, folder, name), join(folder, name))) {
      const { apiVersion = '', kind = '?', metadata } = object;
      const group = String(apiVersion).replace(/\/?[^/]*$/, '');
      const label = [metadata?.namespace, metadata?.name ?? '?'].filter((part) => part !== undefined).join('/');
      let key;
      for (let nth = 1; key === undefined || objects.has(key); nth++) key = JSON.stringify([group, kind, label, nth]);
      objects.set(key, { file: join(folder, name), group, kind: String(kind), label, object });
    }
  }
  return objects;
}

function isObject(value) {
  return value?.constructor === Object;
}

function mapValues(object, change) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value, key)]));
}

function maskValue(value, other, side) {
  return other === undefined || isDeepStrictEqual(value, other) ? '***' : `*** (${side})`;
}

/** An object without the values of any Secret in it, which still shows where they differ from those of the other side. */
function mask(value, other, side, inSecret = false) {
  if (Array.isArray(value)) return value.map((item, index) => mask(item, other?.[index], side, inSecret));
  if (!isObject(value)) return value;
  const secret = inSecret || value.kind === 'Secret';
  return mapValues(value, (field, key) => {
    const same = other?.[key];
    if (secret && key === LAST_APPLIED) return maskValue(field, same, side);
    if (!secret || !MASKED_FIELDS.includes(key)) return mask(field, same, side, secret);
    return isObject(field) ? mapValues(field, (item, name) => maskValue(item, same?.[name], side)) : maskValue(field, same, side);
  });
}

/** What others wrote, as a name that can stand anywhere in Markdown. */
function safe(text) {
  return String(text).replace(/[^\w.:/-]/g, '?');
}

/** The unified diff of an object before and after, in lines, none of which are there where it is added or removed. */
async function unifiedDiff(before, after, name) {
  if (before.length === 0) return [`@@ -0,0 +1,${after.length} @@ ${name}`, ...after.map((line) => `+${line}`)];
  if (after.length === 0) return [`@@ -1,${before.length} +0,0 @@ ${name}`, ...before.map((line) => `-${line}`)];
  const folder = join(scratch, 'objects');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'before'), `${before.join('\n')}\n`);
  writeFileSync(join(folder, 'after'), `${after.join('\n')}\n`);
  // the same for everybody, whatever their git is set to
  const env = { PATH: process.env.PATH, LC_ALL: 'C', HOME: folder, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' };
  const options = ['--no-index', '--text', '--no-color', '--no-ext-diff', '--unified=3', '--diff-algorithm=histogram'];
  const { stdout } = await run('git', ['diff', ...options, 'before', 'after'], { cwd: folder, env });
  const lines = stdout.split('\n').slice(0, -1);
  const start = lines.findIndex((line) => line.startsWith('@@'));
  return start === -1 ? [] : lines.slice(start).map((line) => line.replace(/^(@@ .*? @@).*/, `$1 ${name}`));
}

function toLines(object) {
  return YAML.stringify(object, { lineWidth: 0, version: '1.1' }).replace(/\n$/, '').split('\n');
}

/** What an object whose name ends with a fingerprint, such as a Job, keeps of its name when it changes. */
function stem({ group, kind, label }) {
  return JSON.stringify([group, kind, label.replace(FINGERPRINT, '')]);
}

/**
 * What is done to the objects, and the lines of it. Objects are compared one by one: their order, and the files they are
 * in, mean nothing to a cluster, and would fill a diff of whole files.
 */
async function compare(base, head) {
  const gone = [...base.keys()].filter((key) => !head.has(key)).map((key) => base.get(key));
  const predecessors = new Map(gone.filter(({ label }) => FINGERPRINT.test(label)).map((before) => [stem(before), before]));
  const pairs = [...head].map(([key, after]) => ({ before: base.get(key) ?? predecessors.get(stem(after)), after }));
  const replaced = new Set(pairs.map(({ before }) => before));
  pairs.push(...gone.filter((before) => !replaced.has(before)).map((before) => ({ before })));

  const changes = [];
  for (const { before, after } of pairs) {
    if (before?.label === after?.label && isDeepStrictEqual(before?.object, after?.object)) continue;
    const { file, kind, label } = after ?? before;
    const text = (one, other, side) => (one === undefined ? [] : toLines(mask(one.object, other?.object, side)));
    const lines = await unifiedDiff(text(before, after, 'before'), text(after, before, 'after'), `${safe(kind)} ${safe(label)}`);
    const action = before === undefined ? 'added' : after === undefined ? 'removed' : before.label === label ? 'changed' : 'replaced';
    const names = [before, after].map((side) => side?.label).filter((name, index, all) => name !== undefined && name !== all[index - 1]);
    changes.push({ action, file, kind, names: names.map((name) => `\`${safe(name)}\``).join(' → '), lines });
  }
  const order = ({ action, kind, names }) => [ACTIONS.indexOf(action), kind, names].join('\0');
  return changes.sort((one, other) => (order(one) < order(other) ? -1 : 1));
}

function fileBlock(name, lines, added, removed) {
  const longest = lines.reduce((length, line) => Math.max(length, ...(line.match(/`+/g) ?? []).map((run) => run.length)), 2);
  const fence = '`'.repeat(longest + 1);
  return [`<details><summary><code>${safe(name)}</code> (+${added} −${removed})</summary>`, '', `${fence}diff`, ...lines, fence, '', '</details>', ''].join('\n');
}

function count(lines, sign) {
  return lines.filter((line) => line.startsWith(sign)).length;
}

function countActions(changes) {
  return ACTIONS.map((action) => [changes.filter((change) => change.action === action).length, action])
    .filter(([number]) => number > 0)
    .map(([number, action]) => `${number} ${action}`)
    .join(', ');
}

/** What changes in the programs of a file, in one line. */
function programsLine(file, changes) {
  const lines = changes.flatMap(({ lines }) => lines);
  return `Programs in \`${safe(file)}\`: ${countActions(changes)} (+${count(lines, '+')} −${count(lines, '-')})\n`;
}

/** The comment, in at most `limit` characters. */
function markdown(all, base, note, limit, command) {
  const parts = [`### Manifests: ${countActions(all) || 'no change'}\n`];
  if (note !== undefined) parts.push(`${note}\n`);
  const isProgram = ({ file, kind }) => limit !== Infinity && kind === 'ConfigMap' && PROGRAMS.test(file);
  const [programs, changes] = [all.filter(isProgram), all.filter((change) => !isProgram(change))];
  if (all.length === 0) {
    parts.push(`Compared with ${base}, no object is added, removed or changed.\n`);
  } else if (changes.length === 0) {
    parts.push(`Compared with ${base}, programs change and nothing else.\n`);
  } else {
    const rows = changes.map(({ action, kind, names }) => `| ${action} | ${safe(kind)} | ${names} |`);
    while (rows.join('\n').length > limit / 3) rows.splice(-Math.ceil(rows.length / 10));
    parts.push(`Compared with ${base}:\n`, '| | Kind | Name |\n| --- | --- | --- |', ...rows, '');
    if (rows.length < changes.length) parts.push(`And ${changes.length - rows.length} more objects.\n`);
  }
  const filesOf = (list) => [...new Set(list.map(({ file }) => file))].sort();
  parts.push(...filesOf(programs).map((file) => programsLine(file, programs.filter((change) => change.file === file))));
  if (programs.length > 0) parts.push(`To read the programs, run this on the branch: \`${command}\`\n`);
  if (all.some(({ action }) => ['removed', 'replaced'].includes(action))) parts.push('What is removed or replaced stays in the cluster until somebody deletes it: `apply.sh` deletes nothing.\n');

  const diffs = filesOf(changes).map((file) => ({ file, lines: changes.filter((change) => change.file === file).flatMap(({ lines }) => lines) }));
  const total = diffs.reduce((sum, { lines }) => sum + lines.length, 0);
  const footer = (shown) =>
    `**Cut here**, since a comment has a limit: ${shown} of ${total} lines are shown. To see all of it, run this on the branch:\n\n    ${command}\n`;
  let room = limit - parts.join('\n').length - footer(total).length - 10;
  let shown = 0;
  for (const { file, lines } of diffs) {
    const block = (end) => fileBlock(file, lines.slice(0, end), count(lines, '+'), count(lines, '-'));
    let end = lines.length;
    while (end > 0 && block(end).length >= room) end = Math.min(end - 1, Math.floor((end * room) / block(end).length));
    if (end <= 0) break;
    parts.push(block(end));
    room -= block(end).length + 1;
    shown += end;
    if (end < lines.length) break;
  }
  if (shown < total) parts.push(footer(shown));
  return parts.join('\n');
}

/** The objects of the base, none with the reason where there are none to be had. */
async function baseObjects(commit, prefix, name) {
  const none = (reason) => ({ objects: new Map(), note: `**${name} ${reason}**, so everything counts as added.` });
  const options = ['-c', 'core.hooksPath=/dev/null', 'worktree', 'add', '--quiet', '--detach', worktree, commit];
  if ((await run('git', options)).code !== 0) throw new Fault(`git cannot check out ${commit} into a worktree`);
  const app = join(worktree, prefix);
  const command = synthCommand(app);
  if (command === undefined) return none('has no app yet');
  const install = ['ci', '--no-audit', '--no-fund', '--prefer-offline'];
  if ((await run('npm', install, { cwd: app, show: true })).code !== 0) return none('cannot be installed (`npm ci`, see the log of the job)');
  if ((await run('sh', ['-c', command], { cwd: app, show: true })).code !== 0) return none('cannot be synthesized (see the log of the job)');
  return { objects: readObjects(app) };
}

async function main(ref, out, ...rest) {
  if (ref === undefined || out === undefined || rest.length > 0) throw new Fault('usage: node diff-manifests.mjs BASE_REF OUT.md');
  YAML = yamlOfCdk8s();
  const tip = await git('rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`);
  if (tip === undefined) throw new Fault(`"${ref}" is no commit here: fetch it first (fetch-depth: 0 on GitHub, GIT_DEPTH: 0 on GitLab)`);
  // what others merged meanwhile is no change of this branch
  const commit = (await git('merge-base', tip, 'HEAD')) ?? tip;
  const base = `\`${safe(ref)}\` (${commit.slice(0, 12)})`;

  const command = synthCommand('.');
  if (command === undefined) throw new Fault('there is no CDK8s app in this folder (package.json, and cdk8s.yaml or an npm script "synth")');
  if ((await run('sh', ['-c', command], { show: true })).code !== 0) throw new Fault(`the app cannot be synthesized by "${command}", see above`);
  const head = readObjects('.');
  if (head.size === 0) throw new Fault(`"${command}" wrote no manifests to ${outputFolder('.')}/`);
  const { objects, note } = await baseObjects(commit, (await git('rev-parse', '--show-prefix')) ?? '', base);

  const changes = await compare(objects, head);
  const again = `node pipelines/diff-manifests.mjs ${safe(ref)} -`;
  if (out === '-') process.stdout.write(markdown(changes, base, note, Infinity, again));
  else writeFileSync(out, markdown(changes, base, note, COMMENT_LIMIT, again));
}

cleanUpOnSignal();
try {
  await main(...process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Fault)) throw error;
  console.error(`diff-manifests: ${error.message}`);
  process.exitCode = 1;
} finally {
  cleanUp();
}
