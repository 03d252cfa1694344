import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './run-script';

const rows = readFileSync(join(ROOT, 'SECURITY.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (---|Who, )/.test(line))
  .map((line) => line.split(' | '));

test('the threat model has rows', () => {
  expect(rows.length).toBeGreaterThan(10);
});

test.each(rows)('%s, %s: a test shows it', (...row) => {
  const [, file, title] = /^`(test\/[^`]+)`: (.+?) \|$/.exec(row.at(-1)!)!;
  expect(readFileSync(join(ROOT, file), 'utf8')).toContain(title);
});
