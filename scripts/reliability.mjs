// Writes the figures of test/faults and test/day-two into docs/reference/reliability.md between its comments, and those of
// README.md:
// npm run reliability -- RESULTS...   with files that FAULTS_RESULTS named in runs of `npm run e2e:faults`, and
// RELIABILITY_FIGURES in runs of `npm run e2e:day-two`.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const page = join(root, 'docs/reference/reliability.md');
const files = process.argv.slice(2);
if (files.length === 0) {
  console.error('usage: npm run reliability -- RESULTS...   (files of FAULTS_RESULTS and RELIABILITY_FIGURES)');
  process.exit(2);
}

const seconds = (value) => (value < 0.05 ? '–' : `${value.toFixed(value < 10 ? 1 : 0)} s`);
const cell = (text) => String(text).replaceAll('|', '\\|').replace(/\s+/g, ' ').trim();

function row(result) {
  const cells = result.clients
    ? [
        result.checked,
        result.lost.length,
        result.errors.length,
        `${result.failed} of ${result.requests}`,
        seconds(result.outage),
        seconds(result.longest),
        `yes, ${seconds(result.healed)}`,
      ]
    : ['–', '–', '–', '–', '–', '–', `yes, ${seconds(result.healed)}`];
  const what = result.note === '' ? result.what : `${result.what} (${result.note})`;
  return `| ${[what, ...cells].map(cell).join(' | ')} |`;
}

// the rows of the suite, in their order; of one that is in several files, the last
const known = JSON.parse(execFileSync('python3', ['-B', join(root, 'test/faults/listed.py')], { encoding: 'utf8' }));
const read = files.map((file) => readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line)));
const runs = read.filter(([first]) => first.part === undefined);
const figures = read.flat().filter(({ part }) => part !== undefined);

/** The rows that were measured, and those of the page that were not measured again. */
function faults(text) {
  const [{ machine, versions }] = runs.at(-1);
  const measured = new Map(runs.flatMap(([, ...results]) => results).map((result) => [result.what, row(result)]));
  const before = text.split('\n').filter((line) => /^\| (?!What was done|---)/.test(line));
  const lines = new Map(known.map(({ what }) => [what, measured.get(what) ?? before.find((line) => [' |', ' ('].some((end) => line.startsWith(`| ${what}${end}`)))]));
  const rows = [...lines.values()].filter(Boolean);
  const kept = rows.length > measured.size ? (text.match(/^Measured on (.*?), on /m)?.[1].split(' and ') ?? []) : [];
  const dates = [...new Set([...kept, ...runs.map(([{ date }]) => date)])].sort();
  const sum = (column) => rows.reduce((total, line) => total + (Number(line.split(/(?<!\\) \| /)[column]) || 0), 0);
  return [
    `Measured on ${[...new Set([dates[0], dates.at(-1)])].join(' and ')}, on ${machine}. Versions: ${versions}.`,
    '',
    `${sum(1)} acknowledged writes were read back at the end, and ${sum(2)} were lost.`,
    '',
    '| What was done | Acknowledged writes checked | Lost | Errors of MLflow\'s clients | Requests without retry that failed | Longest outage | Longest call | Healed by itself |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
    ...[...lines].filter(([, line]) => line === undefined).map(([what]) => `- No figures yet: ${what}.`),
    '',
  ].join('\n');
}

/** The parts of day two that are in the page, with those that were measured in their places. */
function dayTwo(text) {
  const parts = new Map(text.split(/^(?=\*\*.*\*\* \()/m).filter(Boolean).map((part) => [part.match(/^\*\*(.*?)\*\*/)[1], part.trimEnd()]));
  for (const name of new Set(figures.map(({ part }) => part))) {
    const found = figures.filter(({ part }) => part === name);
    parts.set(name, `**${name}** (${found[0].date})\n\n${found.map((one) => (one.text.startsWith('|') ? one.text : `- ${one.text}`)).join('\n')}`);
  }
  return `${[...parts.values()].join('\n\n')}\n`;
}

function put(text, name, table) {
  const [begin, end] = [`<!-- ${name} -->\n`, '<!-- end -->'];
  const from = text.indexOf(begin) + begin.length;
  const to = text.indexOf(end, from);
  return text.slice(0, from) + table(text.slice(from, to)) + text.slice(to);
}

let text = readFileSync(page, 'utf8');
if (runs.length > 0) text = put(text, 'faults', faults);
if (figures.length > 0) text = put(text, 'day two', dayTwo);
writeFileSync(page, text);
execFileSync(process.execPath, [join(root, 'scripts/readme.mjs')]);
