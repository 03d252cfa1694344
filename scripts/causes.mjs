// Writes the catalogue of causes, as the preflight prints it, into README.md between its two comments.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const readme = join(root, 'README.md');
const table = execFileSync('python3', [join(root, 'lib/preflight/preflight'), 'causes'], { encoding: 'utf8', env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } });
writeFileSync(readme, readFileSync(readme, 'utf8').replace(/(<!-- start-mlflow\.py causes -->\n)[^]*?(<!-- end -->)/, (_, before, after) => before + table + after));
