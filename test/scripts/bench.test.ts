import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, scratch } from '../run-script';

const PAGE = readFileSync(join(ROOT, 'docs/reference/benchmarks.md'), 'utf8');
const PARTS = ['One large file', 'Many small files', 'A crowd', 'Many files in one folder', 'Metadata', 'Synth'];
const about = { date: '2026-01-02', machine: 'a machine' };
const row = { part: 'A crowd', what: 'a file', with: 'boto3', unit: 's', values: [3, 1, 2], load: 0.5 };

/** The page that the script writes from these lines, and the figures of the command. */
function written(lines: object[], old = 'old\n'): string {
  return allWritten(lines, old).page;
}

function allWritten(lines: object[], old = 'old\n'): { page: string; figures: string } {
  const folder = scratch({ results: lines.map((line) => JSON.stringify(line)).join('\n'), 'cli/capacity/measured.json': 'old' });
  for (const path of ['scripts/bench.mjs', 'docs/reference/benchmarks.md']) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    cpSync(join(ROOT, path), join(folder, path));
  }
  const page = join(folder, 'docs/reference/benchmarks.md');
  writeFileSync(page, `before\n\n<!-- benchmarks -->\n${old}<!-- end -->\n\nafter\n`);
  const { status, stderr } = spawnSync('node', [join(folder, 'scripts/bench.mjs'), 'page', join(folder, 'results')], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  return { page: readFileSync(page, 'utf8'), figures: readFileSync(join(folder, 'cli/capacity/measured.json'), 'utf8') };
}

test('a table has the median with what it is compared with, and no empty columns', () => {
  const other = { ...row, with: 'the stack', values: [2, 4, 9], ratios: [1, 1.5, 2], target: 1.25, cpu: 0.5, targetCpu: 1, load: 3 };
  expect(written([about, row, other])).toBe(`before

<!-- benchmarks -->
### One large file

No figures yet.

### Many small files

No figures yet.

### A crowd

Measured on 2026-01-02, on a machine; the load of the machine before each measurement was 0.5 to 3.0.

| What | With | Median | Min | Max | Of the first | CPU |
| --- | --- | --- | --- | --- | --- | --- |
| a file | boto3 | 2.00 s | 1.00 s | 3.00 s |  |  |
| a file | the stack | 4.00 s | 2.00 s | 9.00 s | 1.50 × (**missed**, target ≤ 1.25 ×) | 0.50 s (target ≤ 1.00 s) |

### Many files in one folder

No figures yet.

### Metadata

No figures yet.

### Synth

No figures yet.

<!-- end -->

after
`);
});

test('of a row that was measured again, the last is shown', () => {
  const page = written([about, row, { ...about, machine: 'another' }, { ...row, values: [70], unit: '/s' }]);
  expect(page).toContain('on another;');
  expect(page).toContain('| a file | boto3 | 70.0 |\n\n');
});

test('a part that was measured by itself is written, and the others keep their tables, dates and machines', () => {
  const synth = '### Synth\n\nMeasured on 2025-01-01, on an older machine; what it was.\n\n| a table |';
  const page = written([about, row], `### A crowd\n\nold\n\n${synth}\n\n`);
  expect(page).toContain(`${synth}\n\n<!-- end -->`);
  expect(page).toContain('### A crowd\n\nMeasured on 2026-01-02, on a machine;');
  expect(page).not.toContain('old\n');
});

test('the page has a table of each part, with when and where it was measured', () => {
  const measured = 'Measured on 20\\d\\d-\\d\\d-\\d\\d, on .* CPUs, .*; the load of the machine before each measurement was \\d+\\.\\d to \\d+\\.\\d\\.';
  for (const part of PARTS) expect(PAGE).toMatch(new RegExp(`^### ${part}\n\n${measured}\n\n\\| What \\|`, 'm'));
});

test('a page without figures gets them between its comments, and nothing else changes', () => {
  expect(written([about, row], '')).toBe(written([about, row]));
  expect(PAGE).toMatch(/\n<!-- end -->\n/);
});

test('what a call takes are figures of the command, with when and where they were measured, and leave the page as it was', () => {
  const cost = { ...row, part: 'What a call, a file and a GiB take', what: '`create_run`', with: 'MLflow', unit: 'ms of CPU', values: [20.123, 18, 30], figure: 'createRun.server' };
  const { page, figures } = allWritten([{ ...about, cpus: 2 }, cost, { ...cost, figure: 'createRun.wal', values: [12345.6] }]);
  expect(page).toContain('<!-- benchmarks -->\nold\n<!-- end -->');
  expect(JSON.parse(figures)).toEqual({
    command: 'npm run bench -- costs',
    ...about,
    cpus: 2,
    figures: {
      'createRun.server': { what: '`create_run`', with: 'MLflow', value: 20.1, unit: 'ms of CPU' },
      'createRun.wal': { what: '`create_run`', with: 'MLflow', value: 12300, unit: 'ms of CPU' },
    },
  });
  expect(allWritten([about, row]).figures).toBe('old');
});

test('a row of no table is told, and writes nothing', () => {
  expect(() => written([about, { ...row, part: 'Another' }])).toThrow(/no table for: Another/);
});

test('without results the script says what it wants, and writes nothing', () => {
  const { status, stderr } = spawnSync('node', [join(ROOT, 'scripts/bench.mjs'), 'page'], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([2, expect.stringContaining('npm run benchmarks -- RESULTS...')]);
  expect(readFileSync(join(ROOT, 'docs/reference/benchmarks.md'), 'utf8')).toBe(PAGE);
});
