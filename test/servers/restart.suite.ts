// What process 1 of a pod does when the server process ends, in a PID namespace as a container has one. It needs root.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratch } from '../run-script';
import { PYTHON } from './servers';

const PACKAGE = join(__dirname, '../../lib/preflight');
// as MLflow does: waits for a process, hands signals on to it, and ends with 0 however that has ended
const MLFLOW = `#!${PYTHON}
import signal, subprocess, sys, os
server = subprocess.Popen(["sleep", os.environ["LIVES"]])
signal.signal(signal.SIGTERM, lambda number, _: server.send_signal(number))
print(os.getpid(), *sys.argv[1:], flush=True)
server.wait()
sys.exit(int(os.environ.get("CODE", "0")))
`;

jest.setTimeout(60_000);

/** Starts it as the start script does, and looks after some seconds, or at its end. */
async function started(env: Record<string, string>, then?: (pid: number) => Promise<void>): Promise<{ code: number | null; out: string[]; err: string }> {
  const folder = scratch({ mlflow: MLFLOW });
  chmodSync(join(folder, 'mlflow'), 0o755);
  const become = 'from preflight.become import become; become("mlflow", ("mlflow", "server", "--port=5000"))';
  const given = { PATH: `${folder}:${process.env.PATH}`, PYTHONPATH: PACKAGE, ...env };
  const child = spawn('unshare', ['--pid', '--fork', '--kill-child', '--mount-proc', PYTHON, '-c', become], { env: given });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const ended = once(child, 'close');
  await then?.(child.pid!);
  const [code] = (await ended) as [number | null];
  return { code, out: out.trim().split('\n'), err };
}

test('a server that has served starts again in its place, and one that ends soon ends the container', async () => {
  const { code, out, err } = await started({ LIVES: '2', STARTUP_LEAST_SECONDS: '1' }, async (pid) => {
    await new Promise((done) => setTimeout(done, 6000));
    process.kill(pid, 'SIGKILL');
  });
  expect(code).toBeNull();
  expect(out.length).toBeGreaterThan(1);
  expect(new Set(out)).toEqual(new Set(['1 server --port=5000']));
  expect(err).toContain('ERROR: the server process ended after 2 s without being asked to');

  expect(await started({ LIVES: '1' })).toMatchObject({ code: 1, out: ['1 server --port=5000'] });
});

test('what MLflow says of itself stays as it is', async () => {
  expect(await started({ LIVES: '0', CODE: '2' })).toEqual({ code: 2, out: ['1 server --port=5000'], err: '' });
});

test('a server that is asked to end ends', async () => {
  const stop = async (pid: number) => {
    await new Promise((done) => setTimeout(done, 3000));
    const [inside] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    process.kill(Number(inside), 'SIGTERM');
  };
  expect(await started({ LIVES: '30', STARTUP_LEAST_SECONDS: '0' }, stop)).toEqual({ code: 0, out: ['1 server --port=5000'], err: '' });
});
