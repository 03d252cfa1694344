// The tests of the backup's modules, one a file. By hand: PYTHONPATH=lib/backup:lib/preflight python3 test/backup/test_plan.py
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PythonModules } from '../python-modules';
import { ROOT } from '../run-script';

const tests = new PythonModules(__dirname, 'backup', 'preflight');
// backup.py is tried with real stores: test/servers/backup.suite.ts
const modules = readdirSync(join(ROOT, 'lib/backup/mlflow_backup')).filter((name) => /^[a-z]\w+\.py$/.test(name) && name !== 'backup.py');

tests.testEach();

test('each module has a test', () => {
  expect(tests.files).toEqual(expect.arrayContaining(modules.map((name) => `test_${name}`)));
});

test.each([...modules, 'backup.py'])('%s can be the first to be imported, and needs nothing installed', async (name) => {
  const program = `import mlflow_backup.${name.replace(/\.py$/, '')}, sys; print(*(set(sys.modules) & {"boto3", "psycopg2", "sqlalchemy", "mlflow"}))`;

  expect(await tests.python('-c', program)).toMatchObject({ code: 0, stdout: '\n', stderr: '' });
});
