// The tests of the preflight's modules, one a file. By hand: PYTHONPATH=lib/preflight python3 test/preflight/test_causes.py
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PYTHON, ROOT, preflightModules, run } from '../run-script';

const files = readdirSync(__dirname).filter((name) => /^test_\w+\.py$/.test(name));
const LIBRARY = join(ROOT, 'lib/preflight');

// with -S, so that what is installed on this machine is not found
test.each(files)('%s', async (file) => {
  const { code, stderr } = await run([PYTHON, '-S', join(__dirname, file)], { PYTHONPATH: LIBRARY });

  if (code !== 0 || !/^Ran [1-9]/m.test(stderr)) throw new Error(stderr);
});

test('each module has a test', () => {
  const modules = Object.keys(preflightModules()).filter((name) => !/^__\w+__\.py$/.test(name));
  expect(files).toEqual(expect.arrayContaining(modules.map((name) => `test_${name}`)));
});

test.each(Object.keys(preflightModules()).filter((name) => name !== '__main__.py'))('%s can be the first to be imported, and needs nothing installed', async (name) => {
  const module = `preflight.${name.replace(/\.py$/, '')}`.replace(/\.__init__$/, '');
  const program = `import ${module}, sys; print(*(set(sys.modules) & {"boto3", "psycopg2", "sqlalchemy", "mlflow", "google", "azure"}))`;

  expect(await run([PYTHON, '-S', '-c', program], { PYTHONPATH: LIBRARY })).toMatchObject({ code: 0, stdout: '\n', stderr: '' });
});
