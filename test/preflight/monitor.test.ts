import { networkInterfaces } from 'node:os';
import { freePort, until } from '../processes';
import { Environment, PYTHON, Script, startScript } from '../run-script';

const SCRIPT = startScript();
const CREDENTIALS = { AWS_ACCESS_KEY_ID: 'minioadmin', AWS_SECRET_ACCESS_KEY: 'SecretKeyThatNobodyMaySee' };
const hasIpv6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ family }) => family === 'IPv6'));

/** With -S, so that no store is asked: what is judged here is the environment. */
class Monitor extends Script {
  public static async start(environment: Environment, flags = ['--artifacts-destination=s3://mlflow-bucket']): Promise<Monitor> {
    return new Monitor(await freePort(), environment, flags);
  }

  private constructor(
    private readonly port: number,
    environment: Environment,
    flags: string[],
  ) {
    super([PYTHON, '-S', SCRIPT, 'monitor', ...flags], { HOME: '/nonexistent', STARTUP_MONITOR_PORT: String(port), ...environment });
  }

  public async get(path: string, host = '127.0.0.1'): Promise<[number, string]> {
    const response = await fetch(`http://${host}:${this.port}${path}`);
    return [response.status, await response.text()];
  }

  /** What /ready says once both stores were looked at. */
  public ready(): Promise<[number, string]> {
    return until('the first look', async () => {
      const found = await this.get('/ready');
      return found[1].includes('not checked yet') ? undefined : found;
    });
  }
}

test('a monitor that finds nothing is ready', async () => {
  const monitor = await Monitor.start(CREDENTIALS);

  expect(await monitor.ready()).toEqual([200, 'ok\n']);

  monitor.kill('SIGTERM');
  expect(await monitor.ended).toMatchObject({ code: 0, stderr: '' });
});

test.each<[string, Environment, string]>([
  ['upload arguments that are no JSON', { ...CREDENTIALS, MLFLOW_S3_UPLOAD_EXTRA_ARGS: 'no JSON' }, 'MLFLOW_S3_UPLOAD_EXTRA_ARGS is not what boto3 takes'],
  ['upload arguments that are no object', { ...CREDENTIALS, MLFLOW_S3_UPLOAD_EXTRA_ARGS: '[1]' }, 'it is no JSON object'],
  ['an endpoint that is none', { ...CREDENTIALS, MLFLOW_S3_ENDPOINT_URL: 'http://[bad' }, 'MLFLOW_S3_ENDPOINT_URL is no endpoint'],
  ['a key that is missing', { AWS_ACCESS_KEY_ID: 'minioadmin' }, 'AWS_SECRET_ACCESS_KEY not set!'],
  ['sources that are no JSON', { STARTUP_SOURCES: '{' }, 'AWS_ACCESS_KEY_ID not set!'],
])('%s are told by HTTP, and do not end the monitor', async (_case, environment, text) => {
  const monitor = await Monitor.start(environment);

  const [status, said] = await monitor.ready();

  expect(status).toBe(503);
  expect(said).toMatch(/^artifact: [a-z-]+\nsee the log of this pod\n$/);
  expect(await monitor.get('/metrics')).toEqual([200, expect.stringContaining('mlflow_artifact_store_writable 0\n')]);
  monitor.kill('SIGTERM');
  const { code, stdout, stderr } = await monitor.ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^ERROR: /m);
  expect(stdout).toContain(text);
  expect(stdout).toMatch(/\n {2}fix: /);
});

(hasIpv6 ? test : test.skip)(`it answers on IPv6 as well${hasIpv6 ? '' : ' (skipped: this machine has none)'}`, async () => {
  const monitor = await Monitor.start(CREDENTIALS);
  await monitor.ready();

  expect(await monitor.get('/ready', '[::1]')).toEqual([200, 'ok\n']);
  expect(await monitor.get('/ready')).toEqual([200, 'ok\n']);
});
