import { createServer } from 'node:http';
import { AddressInfo } from 'node:net';
import { FakeProgram, endsBeforeCleaning, run } from '../run-script';
import { PROGRAM, cdk8sMlflow } from './program';

const doctor = (args: string[], path: string[] = []) => run([process.execPath, PROGRAM, 'doctor', ...args], {}, path);

test('examines a server as the doctor for clients does, and ends with its exit code', async () => {
  // it has no MLflow, which the doctor says
  const server = createServer((_, response) => response.writeHead(404).end('not here'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endsBeforeCleaning(() => new Promise((resolve) => server.close(resolve)));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { code, stdout } = await doctor(['--client', '--json', url]);
  expect(code).toBe(9);
  const results = (JSON.parse(stdout) as { checks: { check: string }[] }).checks;
  expect(results[0].check).toBe('environment of this client');
});

test('passes its arguments on', async () => {
  const python = new FakeProgram('python3', { '': [{ stderr: '', code: 10 }] });
  expect(await doctor(['--client', '--check-folder', 'models'], [python.directory])).toMatchObject({ code: 10 });
  const [{ argv }] = python.calls;
  expect(argv).toEqual(['-B', expect.stringMatching(/lib\/preflight\/preflight\/mlflow_doctor\.py$/), '--check-folder', 'models']);
});

test('has a doctor for clients only, and says where the other one is', () => {
  const { status, stderr } = cdk8sMlflow(['doctor']);
  expect(status).toBe(2);
  expect(stderr).toContain('kubectl exec deployment/mlflow -- python3 /app/start-mlflow.py doctor. See: cdk8s-mlflow doctor --help\n');
});

test('without python3 is told in a sentence', () => {
  const { status, stdout, stderr } = cdk8sMlflow(['doctor', '--client'], { env: { PATH: '/nowhere' } });
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toMatch(/^cdk8s-mlflow doctor: python3 cannot be run \(ENOENT\): [^\n]+\n$/);
});
