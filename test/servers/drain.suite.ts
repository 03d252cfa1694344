// How a server ends under clients that keep their connections and send nothing twice, with a real uvicorn.
import { writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { Served, freePort, until } from '../processes';
import { scratch } from '../run-script';
import { PYTHON } from './servers';

const PLUGINS = join(__dirname, '../../lib/plugins');
// works for 2 ms as MLflow does, waits for 5 ms as for a database
const APP = `
import asyncio, time
def layer(app): return app
async def app(scope, receive, send):
    until = time.monotonic() + 0.002
    while time.monotonic() < until: pass
    await asyncio.sleep(0.005)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
`;

jest.setTimeout(120_000);

class Server {
  private readonly folder = scratch({ 'app.py': APP });
  private readonly stopping = join(this.folder, 'stopping');
  private served?: Served;

  public constructor(private readonly port: number) {}

  public async start(): Promise<this> {
    const env = { APP_LAYERS: 'app:layer', PYTHONPATH: `${PLUGINS}:${this.folder}`, STOPPING_FILE: this.stopping, UVICORN_TIMEOUT_KEEP_ALIVE: '620' };
    this.served = new Served([PYTHON, '-m', 'uvicorn', '--log-level=error', '--lifespan=off', '--http=app_layers.protocol:LayeredProtocol', `--port=${this.port}`, 'app:app'], env);
    await until('uvicorn', () => this.ask(new Agent()).then(() => true, () => undefined), 30_000);
    return this;
  }

  /** As the preStop hook of the pod does. */
  public prepare(): void {
    writeFileSync(this.stopping, '');
  }

  public stop(): Promise<void> {
    return this.served!.stop();
  }

  /** The header `Connection` of an answer. */
  public ask(agent: Agent): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      get({ host: '127.0.0.1', port: this.port, agent }, (response) => {
        response.resume().on('end', () => resolve(response.headers.connection)).on('error', reject);
      }).on('error', reject);
    });
  }
}

/** Asks again and again on one connection until it is told that this closes; what came instead. */
async function client(server: Server): Promise<string> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    while ((await server.ask(agent)) !== 'close');
    return 'told';
  } catch (error) {
    return String(error);
  } finally {
    agent.destroy();
  }
}

test.each([[true], [false]])('no request fails on a connection that is kept, with a preStop hook: %s', async (hook) => {
  for (let round = 0; round < 4; round++) {
    const server = await new Server(await freePort()).start();
    const clients = Array.from({ length: 16 }, () => client(server));
    await new Promise((done) => setTimeout(done, 500));
    if (hook) {
      server.prepare();
      await new Promise((done) => setTimeout(done, 500));
    }
    await server.stop();
    expect(await Promise.all(clients)).toEqual(Array(16).fill('told'));
  }
});

test('a server that comes after the hook of another in the same pod keeps connections', async () => {
  const server = new Server(await freePort());
  server.prepare();
  await server.start();
  expect(await server.ask(new Agent({ keepAlive: true }))).not.toBe('close');
  server.prepare();
  expect(await server.ask(new Agent({ keepAlive: true }))).toBe('close');
  await server.stop();
});
