// The tests of the plugin's modules that need nothing of MLflow, one a file. By hand:
// PYTHONPATH=lib/proxied-artifacts:lib/plugins python3 test/proxied-artifacts/test_uploads.py
import { PythonModules } from '../python-modules';

const modules = new PythonModules(__dirname, 'proxied-artifacts', 'plugins');

modules.testEach();

test.each(['in_flight', 'layer', 'opened', 'request', 'uploads'])('%s is loaded before MLflow is, and imports nothing of it', async (name) => {
  const program = `import sys, proxied_artifacts.${name}\nprint([name for name in sys.modules if name.startswith("mlflow")])`;

  expect(await modules.python('-c', program)).toMatchObject({ code: 0, stdout: '[]\n' });
});
