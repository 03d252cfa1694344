import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FIGURES } from '../../cli/capacity/figures';
import { ROOT, scratch } from '../run-script';

const page = readFileSync(join(ROOT, 'docs/reference/capacity.md'), 'utf8');

test('the page is what the command says', () => {
  const folder = scratch();
  const { status, stderr } = spawnSync(process.execPath, [join(ROOT, 'scripts/capacity.mjs'), folder], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  expect(readFileSync(join(folder, 'capacity.md'), 'utf8')).toBe(page);
});

test('every figure is on the page', () => {
  for (const { what, with: who } of Object.values(FIGURES)) expect(page).toContain(`| ${what} | ${who} | `);
});
