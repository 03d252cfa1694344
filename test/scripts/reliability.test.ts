import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, scratch } from '../run-script';

interface Row { readonly row: string; readonly what: string }

const PAGE = readFileSync(join(ROOT, 'docs/reference/reliability.md'), 'utf8');
const known = JSON.parse(execFileSync('python3', ['-B', join(ROOT, 'test/faults/listed.py')], { encoding: 'utf8' })) as Row[];
const lines = /<!-- faults -->\n([^]*?)<!-- end -->/.exec(PAGE)![1].split('\n').filter((line) => /^\| (?!What was done|---)/.test(line));

test('the suite has a row for each kind of fault', () => {
  expect(known.length).toBeGreaterThan(20);
  expect(new Set(known.map(({ row }) => row)).size).toBe(known.length);
});

test('the page has the rows of the suite, in their order, and names those without figures', () => {
  const measured = lines.map((line) => known.find(({ what }) => line.startsWith(`| ${what} `))?.row);
  const missing = known.filter(({ what }) => PAGE.includes(`\n- No figures yet: ${what}.\n`)).map(({ row }) => row);
  expect(measured).toEqual(known.map(({ row }) => row).filter((row) => !missing.includes(row)));
  expect(measured.length).toBeGreaterThan(0);
});

test('on the page nothing is lost, and all heals by itself', () => {
  for (const line of lines) {
    const cells = line.split(' | ').slice(1);
    expect([line, cells[1]]).toEqual([line, expect.stringMatching(/^(0|–)$/)]);
    expect(cells.at(-1)).toMatch(/^yes, \d/);
  }
});

test('the page says when, where and with what it was measured', () => {
  expect(PAGE).toMatch(/^Measured on 20\d\d-\d\d-\d\d( and 20\d\d-\d\d-\d\d)?, on a node with \d+ CPUs .*\. Versions: Kubernetes v.*postgres.*mlflow.*\.$/m);
});

/** The repository, as far as the script reads and writes it. */
function copied(): string {
  const root = scratch();
  for (const path of ['scripts', 'test/faults', 'test/e2e', 'docs', 'dist', 'lib/preflight', 'README.md']) cpSync(join(ROOT, path), join(root, path), { recursive: true });
  return root;
}

test('without results the script says what it wants, and writes nothing', () => {
  expect(() => execFileSync('node', [join(ROOT, 'scripts/reliability.mjs')], { cwd: scratch({}), stdio: 'pipe' })).toThrow(/usage: npm run reliability -- RESULTS\.\.\./);
  expect(readFileSync(join(ROOT, 'docs/reference/reliability.md'), 'utf8')).toBe(PAGE);
});

test('figures of a part of day two take the place of its old ones, and leave those of others', () => {
  const root = copied();
  writeFileSync(join(root, 'figures'), `${JSON.stringify({ part: 'Upgrades', text: 'the only one', date: '2030-01-02' })}\n`);
  execFileSync('node', [join(root, 'scripts/reliability.mjs'), join(root, 'figures')], { stdio: 'pipe' });
  const parts = (page: string) => page.split('<!-- day two -->\n')[1].split('<!-- end -->')[0].split(/^(?=\*\*)/m);
  const now = readFileSync(join(root, 'docs/reference/reliability.md'), 'utf8');
  const expected = parts(PAGE).map((part) => (part.startsWith('**Upgrades**') ? '**Upgrades** (2030-01-02)\n\n- the only one\n\n' : part));
  expect([now.split('<!-- day two -->')[0], parts(now)]).toEqual([PAGE.split('<!-- day two -->')[0], expected]);
});

test('a row that is measured again takes the place of its old one, and leaves the others; the sum is that of the rows', () => {
  const root = copied();
  const [first, ...others] = lines;
  const { row, what } = known.find((one) => first.startsWith(`| ${one.what} `))!;
  const result = { row, what, note: '', clients: true, checked: 7_000_000, lost: [], errors: [], failed: 1, requests: 2, outage: 3, longest: 4, healed: 5 };
  writeFileSync(join(root, 'results'), [{ date: '2030-01-02', machine: 'a node', versions: 'none' }, result].map((line) => JSON.stringify(line)).join('\n'));
  execFileSync('node', [join(root, 'scripts/reliability.mjs'), join(root, 'results')], { stdio: 'pipe' });
  const now = readFileSync(join(root, 'docs/reference/reliability.md'), 'utf8');
  expect(now).toContain(`| ${what} | 7000000 | 0 | 0 | 1 of 2 | 3.0 s | 4.0 s | yes, 5.0 s |\n${others.join('\n')}\n`);
  expect(now).toMatch(/^Measured on 20\d\d-\d\d-\d\d and 2030-01-02, on a node\./m);
  const checked = others.map((line) => Number(/^\|.*? \| (\d+) \| 0 \|/.exec(line)?.[1] ?? 0)).reduce((sum, one) => sum + one, 7_000_000);
  expect(now).toContain(`\n${checked} acknowledged writes were read back at the end, and 0 were lost.\n`);
});
