// What stands before a server in a cluster, against the real ones: load balancers that keep connections, nginx with large
// cookies, addresses of IPv6, an issuer with a certificate of its own authority.
import { Agent, request } from 'node:http';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Duration } from 'cdk8s';
import { IpFamily } from '../../lib';
import { Served, freePort, until } from '../processes';
import { scratch } from '../run-script';
import { mlflow } from '../tracking-server/server';
import { PYTHON } from './servers';

const START_MS = 60_000;

jest.setTimeout(90_000);

/** The server as its pod starts it, with stores on the disk. */
async function serve(props: object, host: string): Promise<{ port: number; server: Served }> {
  const [port, directory] = [await freePort(), scratch()];
  const { args, env } = mlflow(props) as unknown as { args: string[]; env: { name: string; value?: string }[] };
  const values: { [flag: string]: string } = { '--port': String(port), '--backend-store-uri': `sqlite:///${join(directory, 'mlflow.db')}`, '--artifacts-destination': join(directory, 'artifacts') };
  const [command, ...flags] = args.map((arg) => (arg.split('=')[0] in values ? `${arg.split('=')[0]}=${values[arg.split('=')[0]]}` : arg));
  // without the guard, whose files are not here
  const environment = Object.fromEntries(env.filter(({ name, value }) => /^(MLFLOW_(?!S3_)|UVICORN_(?!HTTP$))/.test(name) && value !== undefined).map(({ name, value }) => [name, value!]));
  const server = new Served([PYTHON, '-m', command, ...flags], { HOME: directory, GIT_PYTHON_REFRESH: 'quiet', ...environment });
  await until('MLflow', async () => (await fetch(`http://${host}:${port}/health`)).ok || undefined, START_MS);
  return { port, server };
}

describe('a balancer that keeps its connection', () => {
  /** The statuses of two requests on one connection with a pause in between, as balancers send them: no second try. */
  async function twice(port: number, pauseMs: number): Promise<[number, number, boolean]> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const sockets = new Set<Socket>();
    const ask = () =>
      new Promise<number>((resolve, reject) => {
        const sent = request({ agent, host: '127.0.0.1', port, path: '/version' }, (response) => response.resume().on('end', () => resolve(response.statusCode!)));
        sent.on('socket', (socket) => sockets.add(socket)).on('error', reject).end();
      });
    const first = await ask();
    await sleep(pauseMs);
    const second = await ask();
    agent.destroy();
    return [first, second, sockets.size === 1];
  }

  test('finds it open after longer than the server of MLflow keeps one by itself', async () => {
    const { port, server } = await serve({}, '127.0.0.1');
    expect(await twice(port, 7_000)).toEqual([200, 200, true]);
    const stopped = Date.now();
    await server.stop();
    // what is kept open is no transfer that a pod which is to end would wait for
    expect(Date.now() - stopped).toBeLessThan(10_000);
  });

  test('finds another one where the server is told to close it before', async () => {
    const { port } = await serve({ settings: { keepAlive: Duration.seconds(2) } }, '127.0.0.1');
    expect(await twice(port, 4_000)).toEqual([200, 200, false]);
  });
});

test('in a cluster with IPv6 the server answers there', async () => {
  const { port } = await serve({ cluster: { ipFamily: IpFamily.IPV6 } }, '[::1]');
  expect((await fetch(`http://[::1]:${port}/version`)).status).toBe(200);
});
