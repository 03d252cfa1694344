// Uploads of artifacts that a test holds in its hands, to a server on loopback.
import { createHash, randomBytes } from 'node:crypto';
import { Agent, ClientRequest, request } from 'node:http';
import { Environment } from '../run-script';

export const MEBIBYTE = 1024 ** 2;
export const BLOCK = randomBytes(MEBIBYTE);

export const pathOf = (name: string) => `api/2.0/mlflow-artifacts/artifacts/${name}`;

export interface Upload {
  /** Sends so many blocks of 1 MiB, unless it was answered before. */
  readonly sent: (blocks: number) => Promise<void>;
  readonly asked: ClientRequest;
  /** The status of the answer, or the code of the error. */
  readonly status: Promise<number | string>;
}

/** An upload of which as much is sent as is asked for, over a connection of its own. */
export function put(port: number, name: string, announced: number, headers: Environment = {}): Upload {
  const asked = request({ host: '127.0.0.1', port, path: `/${pathOf(name)}`, method: 'PUT', headers: { 'content-length': announced, ...headers }, agent: new Agent() });
  const status = new Promise<number | string>((resolve) => {
    asked.on('response', (response) => resolve(response.resume().statusCode!)).on('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)));
  });
  let answered = false;
  void status.then(() => (answered = true));
  const sent = async (blocks: number) => {
    for (let block = 0; block < blocks && !asked.destroyed && !answered; block += 1) if (!asked.write(BLOCK)) await Promise.race([new Promise((resolve) => asked.once('drain', resolve)), status]);
  };
  return { sent, asked, status };
}

/** Uploads a file of so many blocks; its SHA-256. */
export async function store(port: number, name: string, blocks: number, headers: Environment = {}): Promise<string> {
  const { sent, asked, status } = put(port, name, blocks * MEBIBYTE, headers);
  await sent(blocks);
  asked.end();
  expect(await status).toBe(200);
  const hash = createHash('sha256');
  for (let block = 0; block < blocks; block += 1) hash.update(BLOCK);
  return hash.digest('hex');
}
