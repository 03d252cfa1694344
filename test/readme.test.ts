import { spawnSync } from 'child_process';
import { readFileSync } from 'fs';
import { join } from 'path';

const root = join(__dirname, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');

test('the troubleshooting table is the catalogue of the start script', () => {
  const { stdout } = spawnSync('python3', [join(root, 'lib/tracking-server/start-mlflow.py'), 'causes'], { encoding: 'utf8' });
  expect(stdout.split('\n').length).toBeGreaterThan(20);
  expect(readme).toContain(`<!-- start-mlflow.py causes -->\n${stdout}<!-- end -->`);
});
