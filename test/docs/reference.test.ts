import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as library from '../../lib';

const reference = readFileSync(join(__dirname, '../../docs/reference/api.md'), 'utf8');

test('the API reference has every export, and no member without a description', () => {
  for (const name of Object.keys(library)) expect(reference).toContain(`### ${name} <a name="${name}"`);
  expect(reference).not.toContain('No description');
});
