// The tests of the preflight's modules, one a file. By hand: PYTHONPATH=lib/preflight python3 test/preflight/test_causes.py
import { PythonModules } from '../python-modules';
import { preflightModules } from '../run-script';

const tests = new PythonModules(__dirname, 'preflight');
const modules = Object.keys(preflightModules()).filter((name) => name.endsWith('.py') && name !== '__main__.py');

tests.testEach();

test('each module has a test', () => {
  expect(tests.files).toEqual(expect.arrayContaining(modules.filter((name) => name !== '__init__.py').map((name) => `test_${name}`)));
});

test.each(modules)('%s can be the first to be imported, and needs nothing installed', async (name) => {
  const module = `preflight.${name.replace(/\.py$/, '')}`.replace(/\.__init__$/, '');
  const program = `import ${module}, sys; print(*(set(sys.modules) & {"boto3", "psycopg2", "sqlalchemy", "mlflow", "google", "azure"}))`;

  expect(await tests.python('-c', program)).toMatchObject({ code: 0, stdout: '\n', stderr: '' });
});
