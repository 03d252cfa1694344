// Writes docs/reference/api/, a page for each type as jsii-docgen describes it with an example of its docstring or from the guides, and
// docs/reference/options.md, the options of MlflowStack with all groups below them. Both from .jsii, which `npm run build` writes.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { name: library, types } = JSON.parse(readFileSync(join(root, '.jsii'), 'utf8'));
const short = (fqn) => fqn.split('.').at(-1);
const oneLine = (text) => (text ?? '').replace(/\s*\n\s*/g, ' ').trim();
const write = (path, text) => writeFileSync(join(root, 'docs/reference', path), `${text.replace(/\n{3,}/g, '\n\n').trim()}\n`);

// --- examples: programs of the guides, which test/docs compiles and runs

const guides = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.md') && !path.startsWith('reference'))
  .sort();
const programs = guides.flatMap((guide) => {
  const text = readFileSync(join(root, 'docs', guide), 'utf8');
  return [...text.matchAll(/^```ts[^\n]*\n([^]*?)^```$/gm)].map(([, program]) => ({ from: guide, title: /^# (.*)$/m.exec(text)[1], program }));
});
const ofExamples = readdirSync(join(root, 'examples'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => ({ from: `../examples/${name}/main.ts`, title: `examples/${name}`, program: readFileSync(join(root, 'examples', name, 'main.ts'), 'utf8') }))
  .sort((one, other) => (one.from < other.from ? -1 : 1));
/** How one says that a construct is to be made, where its options are a prop or the parameter of a static method. */
function saidBy(fqn) {
  const groups = [`${fqn}Options`, ...(types[`${fqn}Props`]?.interfaces ?? [])];
  const all = Object.values(types);
  const props = all.filter(({ kind }) => kind === 'interface').flatMap(({ properties = [] }) => properties);
  const methods = all.flatMap(({ name, methods: own = [] }) => own.filter((method) => method.static).map((method) => ({ ...method, of: name })));
  const name = short(fqn);
  const [ofItsName] = props.filter((prop) => prop.name === name[0].toLowerCase() + name.slice(1));
  return [
    ...props.filter(({ type }) => groups.includes(type.fqn)).map(({ name }) => new RegExp(`\\b${name}: \\{`)),
    ...methods.filter(({ parameters = [] }) => parameters.some(({ type }) => groups.includes(type.fqn))).map(({ of, name }) => new RegExp(`\\b${of}\\.${name}\\(`)),
    ...(ofItsName === undefined ? [] : [new RegExp(`\\b${ofItsName.name}(: |,$)`, 'm')]),
  ];
}

function example({ fqn, name, kind, docs }) {
  if (kind !== 'class' || docs?.example !== undefined) return undefined;
  const patterns = [new RegExp(`\\bnew ${name}\\(|\\b${name}\\.\\w+`), ...saidBy(fqn)];
  for (const pattern of patterns) {
    for (const all of [programs, ofExamples]) {
      const found = all.filter(({ program }) => pattern.test(program)).sort((one, other) => one.program.length - other.program.length);
      if (found.length > 0) return found[0];
    }
  }
  return undefined;
}

// --- a page for each type; the props of a class are on its page

const folder = mkdtempSync(join(tmpdir(), 'reference-'));
execFileSync(join(root, 'node_modules/.bin/jsii-docgen'), ['--output', join(folder, 'api.md')], { cwd: root, stdio: 'inherit' });
const whole = readFileSync(join(folder, 'api.md'), 'utf8');
rmSync(folder, { recursive: true });

const described = new Map(); // by name: the chapter it stands in, and its text
for (const chapter of whole.split(/^## /m).slice(1)) {
  const title = /^[^<\n]*/.exec(chapter)[0].trim();
  for (const part of chapter.split(/^### /m).slice(1)) described.set(/^\w+/.exec(part)[0], { title, text: `### ${part}` });
}
const pageOf = (name) => (name.endsWith('Props') && described.has(name.slice(0, -5)) ? name.slice(0, -5) : name);

function relinked(text, page) {
  const target = (reference) => {
    const [, type] = reference.split('.');
    return described.has(type) && pageOf(type) !== page ? `${pageOf(type)}.md#${reference}` : `#${reference}`;
  };
  return text
    .replace(/<code>([^`\n]*?<a href="#[^\n]*?)<\/code>/g, (_, linked) => linked.replace(/<a href="#([^"]+)">([^<]*)<\/a>/g, (__, reference, label) => `[\`${label}\`](${target(reference)})`))
    .replace(/<a href="#([^"]+)">([^<]*)<\/a>/g, (_, reference, label) => `[${label}](${target(reference)})`)
    .replace(/^\*Example\*\n\n```typescript$/gm, '#### Example\n\n```ts')
    // one level higher each, the name of the type on top
    .replace(/^(#{3,6}) /gm, (_, marks) => `${marks.slice(2)} `);
}

rmSync(join(root, 'docs/reference/api'), { recursive: true, force: true });
mkdirSync(join(root, 'docs/reference/api'));
for (const [name, { text }] of described) {
  if (pageOf(name) !== name) continue;
  const shown = example({ ...types[`${library}.${name}`] });
  const parts = [relinked(text, name)];
  if (shown !== undefined) {
    const link = `../../${shown.from}`;
    parts.push(`## Example\n\nFrom [${shown.title}](${link}):\n\n\`\`\`ts\n${shown.program.trimEnd()}\n\`\`\``);
  }
  const props = described.get(`${name}Props`);
  if (props !== undefined) parts.push(relinked(props.text, name).replace(/^(#{1,5}) /gm, '#$1 '));
  write(`api/${name}.md`, parts.join('\n\n'));
}

const chapters = [
  ['Constructs', 'What is made: `new X(scope, id, props)`.', 'Constructs'],
  ['Structs', 'Props and groups of options.', 'Groups of options'],
  ['Classes', 'Values with a choice, by their static methods.', 'Classes'],
  ['Protocols', 'What one implements oneself, or passes on.', 'Interfaces'],
  ['Enums', 'One of a list.', 'Enums'],
];
const summary = (name) => oneLine(types[`${library}.${name}`].docs?.summary).replaceAll('|', '\\|');
write(
  'api/README.md',
  [
    '# API reference',
    '',
    'A page for each type, generated from the docstrings, with an example, from the guides where one uses it. [Options](../options.md) has all options of a stack on one page.',
    '',
    ...chapters.flatMap(([chapter, text, heading]) => [
      `## ${heading}`,
      '',
      text,
      '',
      '| Name | |',
      '| --- | --- |',
      ...[...described].filter(([name, { title }]) => title === chapter && pageOf(name) === name).map(([name]) => `| [\`${name}\`](${name}.md) | ${summary(name)} |`),
      '',
    ]),
  ].join('\n'),
);

// --- all options of a stack

const isLocal = (fqn) => fqn !== undefined && types[fqn] !== undefined;
const isGroup = (fqn) => isLocal(fqn) && types[fqn].kind === 'interface' && types[fqn].datatype === true;

/** Props of a group, with those of the groups that it extends. */
function propsOf(fqn) {
  const { properties = [], interfaces = [] } = types[fqn];
  return [...interfaces.filter(isLocal).flatMap(propsOf), ...properties].sort((one, other) => (one.name < other.name ? -1 : 1));
}

const isA = (fqn, wanted) => fqn === wanted || (isLocal(fqn) && [types[fqn].base, ...(types[fqn].interfaces ?? [])].some((above) => above !== undefined && isA(above, wanted)));
const fqnOf = ({ fqn, collection }) => fqn ?? collection?.elementtype?.fqn;

/** Groups of options that one fills in for a value of this type, each with how it is written. */
function waysTo(fqn) {
  if (!isLocal(fqn) || isGroup(fqn) || types[fqn].kind === 'enum') return [];
  const ways = [];
  for (const type of Object.values(types)) {
    if (type.kind !== 'class' || !isA(type.fqn, fqn)) continue;
    const group = (parameters) => (parameters ?? []).map((parameter) => parameter.type.fqn).find(isGroup);
    const constructed = type.abstract ? undefined : group(type.initializer?.parameters);
    if (constructed !== undefined) ways.push([`new ${type.name}(…)`, constructed]);
    for (const method of type.methods ?? []) {
      const given = method.static && isA(method.returns?.type?.fqn, fqn) ? group(method.parameters) : undefined;
      if (given !== undefined) ways.push([`${type.name}.${method.name}(…)`, given]);
    }
  }
  return ways;
}

const top = `${library}.MlflowStackProps`;
const sections = new Map([[top, { path: '', ways: [] }]]); // by group, in the order of the page
for (const queue = [top]; queue.length > 0; ) {
  const fqn = queue.shift();
  const { path } = sections.get(fqn);
  for (const prop of propsOf(fqn)) {
    const type = fqnOf(prop.type);
    const below = isGroup(type) ? [['', type]] : waysTo(type);
    for (const [way, group] of below) {
      if (sections.has(group)) continue;
      sections.set(group, { path: `${path === '' ? '' : `${path}.`}${prop.name}`, way });
      queue.push(group);
    }
  }
}
const headingOf = (fqn) => {
  const { path, way } = sections.get(fqn);
  return path === '' ? 'MlflowStack' : way ? `${path}: ${way}` : path;
};
const anchor = (heading) => heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-');
const anchors = new Map();
for (const fqn of sections.keys()) {
  const wanted = anchor(headingOf(fqn));
  if ([...anchors.values()].includes(wanted)) throw new Error(`scripts/reference.mjs: two headings with the anchor ${wanted}`);
  anchors.set(fqn, wanted);
}

function typeText(type) {
  if (type.primitive !== undefined) return `\`${type.primitive}\``;
  if (type.collection !== undefined) return type.collection.kind === 'array' ? `list of ${typeText(type.collection.elementtype)}` : `map to ${typeText(type.collection.elementtype)}`;
  if (type.union !== undefined) return type.union.types.map(typeText).join(' or ');
  if (isGroup(type.fqn) && sections.has(type.fqn)) return `[group](#${anchors.get(type.fqn)})`;
  if (isLocal(type.fqn)) return `[\`${short(type.fqn)}\`](api/${pageOf(short(type.fqn))}.md)`;
  return `\`${short(type.fqn)}\` of ${type.fqn.split('.')[0]}`;
}
const cell = (text) => oneLine(text).replaceAll('|', '\\|').replace(/<(?=[A-Za-z/])/g, '&lt;').replace(/(?<!\]\(|<)(https?:\/\/[^\s)]+)/g, '$1');

function rows(fqn) {
  return propsOf(fqn).map(({ name, type, optional, docs = {} }) => {
    const value = optional ? cell(docs.default ?? '').replace(/^- /, '') : '**required**';
    const ways = waysTo(fqnOf(type)).filter(([, group]) => sections.has(group));
    const see = ways.length > 0 ? ` ${ways.map(([way, group]) => `[\`${way}\`](#${anchors.get(group)})`).join(', ')}.` : '';
    return `| \`${name}\` | ${typeText(type)} | ${value} | ${cell(`${docs.summary ?? ''} ${docs.remarks ?? ''}`)}${see} |`;
  });
}

write(
  'options.md',
  [
    '# Options',
    '',
    'All props of [`MlflowStack`](api/MlflowStack.md), with the groups below them and the parts that one passes, generated from the types. What there is for which wish, and what there is not, stands in [the table of wishes](features.md).',
    'A wrong value fails at synth, all of them in one run, each with the path of the construct, the prop, the value, the rule and the fix; so do two props that contradict each other.',
    '',
    ...[...sections.keys()].flatMap((fqn) => [
      `## ${headingOf(fqn)}`,
      '',
      `[\`${short(fqn)}\`](api/${pageOf(short(fqn))}.md): ${oneLine(types[fqn].docs?.summary)}`,
      '',
      '| Option | Type | Default | |',
      '| --- | --- | --- | --- |',
      ...rows(fqn),
      '',
    ]),
  ].join('\n'),
);
