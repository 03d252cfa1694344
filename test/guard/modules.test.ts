// The tests of the guard's modules, one a file. By hand: PYTHONPATH=lib/guard:lib/plugins:test/guard python3 test/guard/test_guard.py
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PythonModules } from '../python-modules';
import { ROOT } from '../run-script';

const modules = new PythonModules(__dirname, 'guard', 'plugins');

modules.testEach();

test.each(readdirSync(join(ROOT, 'lib/guard/mlflow_guard')).filter((name) => name.endsWith('.py')))('%s can be the first to be imported, and needs nothing installed', async (name) => {
  const module = `mlflow_guard.${name.replace(/\.py$/, '')}`.replace(/\.__init__$/, '');

  expect(await modules.python('-c', `import ${module}`)).toMatchObject({ code: 0, stdout: '', stderr: '' });
});
