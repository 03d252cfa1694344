// npm run bench                        measures (test/bench), prints the tables, and leaves the figures in build/bench.jsonl
// npm run benchmarks -- RESULTS...     writes the tables of the parts that were measured into docs/reference/benchmarks.md, whose
//                                      other parts stay, and figures of costs.suite.ts into cli/capacity/measured.json
// BENCH_SHORT=1 is a short form of the first, for CI; arguments go to jest: npm run bench -- -t 'a crowd'
import { spawnSync } from 'node:child_process';
import { appendFileSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release, tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const page = join(root, 'docs/reference/benchmarks.md');
const measured = join(root, 'cli/capacity/measured.json');
const [command, ...args] = process.argv.slice(2);

// the parts of test/bench, in their order on the page
const PARTS = ['One large file', 'Many small files', 'A crowd', 'Many files in one folder', 'Metadata', 'Synth'];
// on which `cdk8s-mlflow capacity` rests: docs/reference/capacity.md shows it
const COSTS = 'What a call, a file and a GiB take';

const digits = (value) => (value === 0 ? '0' : value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2));
const number = (value, unit) => (unit === '/s' ? digits(value) : `${digits(value)} ${unit}`);
const times = (value) => `${value.toFixed(2)} ×`;

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** A figure, and what it was to be. */
function against(figure, target, text, said) {
  if (target === undefined) return said;
  return `${said} (${figure <= target ? 'target' : '**missed**, target'} ≤ ${text(target)})`;
}

const mebibytes = (value) => `${Math.round(value)} MiB`;
const seconds = (value) => number(value, 's');

function row(one) {
  const { unit, values } = one;
  const middle = median(values);
  const ratio = one.ratios === undefined ? undefined : median(one.ratios);
  return [
    one.what,
    one.with,
    against(middle, ratio === undefined ? one.target : undefined, (value) => number(value, unit), number(middle, unit)),
    values.length === 1 ? '' : number(Math.min(...values), unit),
    values.length === 1 ? '' : number(Math.max(...values), unit),
    ratio === undefined ? '' : against(ratio, one.target, times, times(ratio)),
    one.cpu === undefined ? '' : against(one.cpu, one.targetCpu, seconds, seconds(one.cpu)),
    one.memory === undefined ? '' : against(one.memory, one.targetMemory, mebibytes, mebibytes(one.memory)),
    one.disk === undefined ? '' : against(one.disk, one.targetDisk, mebibytes, mebibytes(one.disk)),
  ];
}

const HEADS = ['What', 'With', 'Median', 'Min', 'Max', 'Of the first', 'CPU', 'Memory', 'Scratch disk'];

function table(rows) {
  const cells = rows.map(row);
  const kept = HEADS.map((_, index) => cells.some((line) => line[index] !== ''));
  const line = (texts) => `| ${texts.filter((_, index) => kept[index]).join(' | ')} |`;
  return [line(HEADS), line(HEADS.map(() => '---')), ...cells.map(line)].join('\n');
}

/** Of a row that is in several files, the last, at the place of the first; each with when and where it was measured. */
function read(files) {
  const lines = files.flatMap((file) => readFileSync(file, 'utf8').trim().split('\n').filter(Boolean).map((line) => JSON.parse(line)));
  const all = new Map();
  let about;
  for (const one of lines) {
    if (one.part === undefined) about = one;
    else all.set(`${one.part} ${one.what} ${one.with} ${one.figure ?? ''}`, { ...one, about });
  }
  const rows = [...all.values()];
  const others = rows.filter(({ part }) => ![...PARTS, COSTS].includes(part));
  if (others.length > 0) throw new Error(`no table for: ${others[0].part}`);
  return rows;
}

/** The sections of the parts that have rows, by their names. */
function sections(rows) {
  const section = (part) => {
    const own = rows.filter((one) => one.part === part);
    const loads = own.map(({ load }) => load);
    const { date, machine } = own.at(-1).about;
    const load = `the load of the machine before each measurement was ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}`;
    return `### ${part}\n\nMeasured on ${date}, on ${machine}; ${load}.\n\n${table(own)}`;
  };
  return new Map([...PARTS, COSTS].filter((part) => rows.some((one) => one.part === part)).map((part) => [part, section(part)]));
}

function measure() {
  const results = process.env.BENCH_RESULTS ?? join(root, 'build/bench.jsonl');
  // not in build/, which the measures of synth make anew
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const measuring = join(folder, 'bench.jsonl');
  const gibibytes = Math.round(totalmem() / 2 ** 30);
  const machine = `${cpus()[0].model.trim()}, ${availableParallelism()} CPUs, ${gibibytes} GiB of memory (Linux ${release()}), Node ${process.versions.node}`;
  appendFileSync(measuring, `${JSON.stringify({ date: new Date().toISOString().slice(0, 10), machine, cpus: availableParallelism() })}\n`);
  const jest = [...args, '--runInBand', '--testMatch=**/test/bench/*.suite.ts'];
  const { status } = spawnSync(join(root, 'node_modules/.bin/jest'), jest, { cwd: root, stdio: 'inherit', env: { ...process.env, BENCH_RESULTS: measuring } });
  mkdirSync(dirname(results), { recursive: true });
  copyFileSync(measuring, results);
  rmSync(folder, { recursive: true });
  const found = [...sections(read([results])).values()];
  if (found.length > 0) console.log(`\n${found.join('\n\n')}\n\nFigures: ${results}`);
  process.exitCode = status ?? 1;
}

function write() {
  const rows = read(args);
  const costs = rows.filter(({ part }) => part === COSTS);
  const others = rows.filter(({ part }) => part !== COSTS);
  if (others.length > 0) {
    const [before, rest] = readFileSync(page, 'utf8').split('<!-- benchmarks -->\n');
    const end = rest.indexOf('<!-- end -->');
    const kept = rest.slice(0, end).split(/^(?=### )/m).map((text) => [/^### (.*)/.exec(text)?.[1], text.trim()]);
    const now = new Map([...kept, ...sections(others)]);
    const texts = PARTS.map((part) => now.get(part) ?? `### ${part}\n\nNo figures yet.`);
    writeFileSync(page, `${before}<!-- benchmarks -->\n${texts.join('\n\n')}\n\n${rest.slice(end)}`);
  }
  if (costs.length > 0) {
    const { date, machine, cpus: count } = costs.at(-1).about;
    const about = Object.entries({ command: 'npm run bench -- costs', date, machine, cpus: count }).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)},\n`);
    const lines = costs.map(({ figure, what, with: who, unit, values }) => `    ${JSON.stringify(figure)}: ${JSON.stringify({ what, with: who, value: Number(median(values).toPrecision(3)), unit })}`);
    writeFileSync(measured, `{\n${about.join('')}  "figures": {\n${lines.join(',\n')}\n  }\n}\n`);
  }
}

if (command === 'run') measure();
else if (command === 'page' && args.length > 0 && args.every(existsSync)) write();
else {
  console.error('usage: npm run bench   or   npm run benchmarks -- RESULTS...   (files that runs of `npm run bench` have left)');
  process.exitCode = 2;
}
