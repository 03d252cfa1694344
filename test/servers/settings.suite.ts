import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { OPEN_PATHS } from '../../lib/login/basic-auth';
import { ROOT, Script } from '../run-script';
import { PYTHON } from './servers';

const PROGRAM = join(ROOT, 'scripts/mlflow_settings.py');

jest.setTimeout(60_000);

function check(more = ''): Promise<{ code: number | null; stderr: string }> {
  const code = `import runpy, sys\nimport mlflow.environment_variables as e\n${more}\nsys.argv = ["mlflow_settings.py", "--check"]\nrunpy.run_path(${JSON.stringify(PROGRAM)}, run_name="__main__")`;
  return new Script([PYTHON, '-c', code], { HOME: '/nonexistent', MLFLOW_DISABLE_TELEMETRY: 'true' }, [], 50_000).ended;
}

test('each setting of the installed MLflow is decided about, and the page says so', async () => {
  expect(await check()).toMatchObject({ code: 0, stderr: '' });
});

test('the paths for which MLflow asks for no login are those that a prefix must not begin with', async () => {
  const { stdout } = await new Script([PYTHON, '-c', 'import importlib.util; print(importlib.util.find_spec("mlflow").submodule_search_locations[0])'], {}).ended;
  const [, list] = /^_UNPROTECTED_PATH_PREFIXES = \((.*)\)$/m.exec(readFileSync(join(stdout.trim(), 'server/auth/__init__.py'), 'utf8'))!;
  expect(list.split(', ').map((text) => text.slice(1, -1)).sort()).toEqual([...OPEN_PATHS].sort());
});

test('a setting that is new is told', async () => {
  const { code, stderr } = await check('e.MLFLOW_NEW_SECRET_KEY = e._EnvironmentVariable("MLFLOW_NEW_SECRET_KEY", str, None)');

  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('MLFLOW_NEW_SECRET_KEY: nobody has decided about it\n') });
});
