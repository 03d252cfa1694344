import { readFileSync, readdirSync } from 'node:fs';
import { IncomingHttpHeaders, Server, createServer } from 'node:http';
import { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Environment, PYTHON, ROOT, Result, Script, scratch } from '../run-script';

export const SCRIPT = join(ROOT, 'lib/secrets/fill-secrets.py');
const NAMESPACE = 'ml-team';
/** As the API server makes it, in which the namespace of the pod stands. */
export const TOKEN = `TokenThatNobodyMaySee.${Buffer.from(JSON.stringify({ 'kubernetes.io': { namespace: NAMESPACE, pod: { name: 'fill' } } })).toString('base64url')}.signature`;
export const STORE_URL = 'http://mlflow-minio:9000';

export const ADMIN = {
  role: 'admin',
  secretName: 'minio-root',
  usernameKey: 'root-user',
  passwordKey: 'root-password',
  generated: true,
  generatedUsername: 'root-',
};
export const USER = {
  role: 'user',
  secretName: 'minio-credentials',
  usernameKey: 'access-key',
  passwordKey: 'secret-key',
  generated: true,
  generatedUsername: 'mlflow',
};
export const EXISTING_USER = { role: 'user', secretName: 'minio-credentials', usernameKey: 'access-key', passwordKey: 'secret-key', generated: false };

interface Secret {
  resourceVersion: number;
  readonly uid: string;
  annotations?: Record<string, string>;
  data: Record<string, string> | undefined;
}

/** A pod, and the keys of Secrets in the environment of its containers. */
export interface FakePod {
  readonly name: string;
  readonly keys: [string, string][];
  readonly phase?: string;
  readonly init?: boolean;
  readonly uid?: string;
  /** Whether its container waits for a value. */
  readonly waits?: boolean;
}

function podObject({ name, keys, phase = 'Running', init = false, uid = `uid of ${name}`, waits = false }: FakePod): object {
  const container = { name: 'a', env: [{ name: 'PLAIN', value: 'a' }, ...keys.map(([secret, key]) => ({ name: key, valueFrom: { secretKeyRef: { name: secret, key } } }))] };
  const state = waits ? { waiting: { reason: 'CreateContainerConfigError' } } : { running: { startedAt: '2026-01-01T00:00:00Z' } };
  return { metadata: { name, uid }, spec: init ? { initContainers: [container], containers: [{ name: 'b' }] } : { containers: [container] }, status: { phase, containerStatuses: [{ name: 'a', state }] } };
}

interface Request {
  readonly method: string;
  readonly path: string;
  readonly secretName: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Answers for the Secrets of one namespace as the Kubernetes API does. */
export class FakeApiServer {
  public readonly requests: Request[] = [];
  public url = '';
  /** Sees a request before it is answered, and may refuse it with a status code. */
  public before: (request: Request) => number | undefined = () => undefined;
  /** Which values of which Secrets the pods of the namespace have in their environment. */
  public pods: FakePod[] = [];
  private readonly secrets = new Map<string, Secret>();
  private made = 0;
  private readonly server: Server;

  public constructor() {
    this.server = createServer((message, response) => {
      let body = '';
      message.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      message.on('end', () => {
        const url = new URL(message.url!, 'http://api');
        const [, secretName] = new RegExp(`^/api/v1/namespaces/${NAMESPACE}/secrets/([^/]+)$`).exec(url.pathname) ?? [];
        const request = { method: message.method!, path: url.pathname, secretName: secretName ?? '', query: url.searchParams, headers: message.headers, body };
        this.requests.push(request);
        const [status, answer] = this.answer(request);
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
      });
    });
  }

  public async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return this;
  }

  public close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  public get writes(): Request[] {
    return this.requests.filter((request) => request.method !== 'GET');
  }

  /** Makes a Secret, or changes keys of it as anybody could. */
  public put(name: string, values?: Record<string, string>): void {
    const { resourceVersion, data, uid, annotations } = this.secrets.get(name) ?? { resourceVersion: 100, data: undefined, uid: `${this.url}/${this.made++}` };
    const encoded = Object.entries(values ?? {}).map(([key, value]) => [key, Buffer.from(value).toString('base64')]);
    this.secrets.set(name, {
      uid,
      annotations,
      resourceVersion: resourceVersion + 1,
      data: values === undefined ? data : { ...data, ...(Object.fromEntries(encoded) as Record<string, string>) },
    });
  }

  /** Somebody deletes a Secret, and the next apply declares it again. */
  public remake(name: string): void {
    this.secrets.delete(name);
    this.put(name);
  }

  /** Somebody takes all values out of a Secret. */
  public empty(name: string): void {
    const secret = this.secrets.get(name)!;
    secret.data = undefined;
    secret.resourceVersion += 1;
  }

  public values(name: string): Record<string, string> {
    const entries = Object.entries(this.secrets.get(name)?.data ?? {});
    return Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
  }

  public annotations(name: string): Record<string, string> {
    return this.secrets.get(name)?.annotations ?? {};
  }

  private pod(name: string, { method, headers, body }: Request): [number, object] {
    const pod = this.pods.find((one) => one.name === name);
    if (pod === undefined) return failure(404);
    if (method === 'DELETE') {
      if (headers['content-type'] !== 'application/json') return failure(415);
      const { preconditions } = JSON.parse(body) as { preconditions: { uid: string } };
      if (preconditions.uid !== (pod.uid ?? `uid of ${name}`)) return failure(409);
      this.pods = this.pods.filter((one) => one !== pod);
    } else if (method !== 'GET') {
      return failure(405);
    }
    return [200, podObject(pod)];
  }

  private answer(request: Request): [number, object] {
    const refusal = this.before(request);
    if (refusal !== undefined) return failure(refusal);
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return failure(401);
    if (request.path === `/api/v1/namespaces/${NAMESPACE}/pods`) return [200, { kind: 'PodList', items: this.pods.map(podObject) }];
    const [, podName] = new RegExp(`^/api/v1/namespaces/${NAMESPACE}/pods/([^/]+)$`).exec(request.path) ?? [];
    if (podName !== undefined) return this.pod(podName, request);
    const secret = this.secrets.get(request.secretName);
    if (secret === undefined) return failure(404);
    if (request.method === 'PATCH') {
      if (request.headers['content-type'] !== 'application/merge-patch+json') return failure(415);
      const patch = JSON.parse(request.body) as { metadata?: { resourceVersion?: string; annotations?: Record<string, string | null> }; data?: Record<string, string | null> };
      const expected = patch.metadata?.resourceVersion;
      if (expected !== undefined && expected !== String(secret.resourceVersion)) return failure(409);
      secret.resourceVersion += 1;
      secret.data = merged(secret.data, patch.data);
      secret.annotations = merged(secret.annotations, patch.metadata?.annotations);
    } else if (request.method !== 'GET') {
      return failure(405);
    }
    const metadata = { name: request.secretName, namespace: NAMESPACE, uid: secret.uid, annotations: secret.annotations, resourceVersion: String(secret.resourceVersion) };
    return [200, { kind: 'Secret', apiVersion: 'v1', metadata, ...(secret.data === undefined ? {} : { data: secret.data }), type: 'Opaque' }];
  }
}

/** As RFC 7396 has it, for one level. */
function merged(before: Record<string, string> | undefined, patch: Record<string, string | null> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries({ ...before, ...patch }).filter((entry): entry is [string, string] => entry[1] !== null));
}

function failure(code: number): [number, object] {
  return [code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code }];
}

const servers: FakeApiServer[] = [];
afterAll(() => servers.forEach((server) => server.close()));

/** A namespace with Secrets, and the directory that the containers of one pod share. */
export class Pod {
  public readonly directory = join(scratch({ 'credentials/.keep': '' }), 'credentials');
  private readonly serviceAccount = scratch({ token: `${TOKEN}\n`, 'ca.crt': '' });

  private constructor(
    public readonly api: FakeApiServer,
    private readonly credentials: object[],
  ) {}

  public static async with(secrets: Record<string, Record<string, string> | undefined>, credentials: object[] = [ADMIN, USER]): Promise<Pod> {
    const api = await new FakeApiServer().listen();
    servers.push(api);
    Object.entries(secrets).forEach(([name, values]) => api.put(name, values));
    return new Pod(api, credentials);
  }

  /** Another pod of the same namespace, whose Job has other credentials. */
  public another(credentials: object[] = this.credentials): Pod {
    return new Pod(this.api, credentials);
  }

  public start(step: string, environment: Environment = {}): Script {
    return new Script([PYTHON, SCRIPT, step], {
      API_SERVER: this.api.url,
      SERVICE_ACCOUNT_DIR: this.serviceAccount,
      CREDENTIALS_DIR: this.directory,
      CREDENTIALS: JSON.stringify(this.credentials),
      STORE_URL,
      DEADLINE_SECONDS: '60',
      ...environment,
    });
  }

  /** Runs a step to its end. Whatever it is, no value and no token may stand in the output. */
  public async run(step: string, environment: Environment = {}): Promise<Result> {
    const result = await this.start(step, environment).ended;
    this.expectNoValueIn(result);
    return result;
  }

  public expectNoValueIn(result: Result): void {
    const ofFiles = ['admin', 'user'].flatMap((role) => [this.file(`${role}.username`), this.file(`${role}.password`)]);
    const ofSecrets = [ADMIN, USER].flatMap((spec) => Object.values(this.api.values(spec.secretName)));
    for (const value of [TOKEN, ...ofFiles, ...ofSecrets].map((text) => text?.trim() ?? '').filter((text) => text !== '')) {
      expect(result.stdout + result.stderr).not.toContain(value);
      expect(result.stdout + result.stderr).not.toContain(Buffer.from(value).toString('base64'));
    }
  }

  public file(name: string): string | undefined {
    return readdirSync(this.directory).includes(name) ? readFileSync(join(this.directory, name), 'utf8') : undefined;
  }

  public get files(): Record<string, string> {
    const names = readdirSync(this.directory).filter((name) => name !== '.keep');
    return Object.fromEntries(names.map((name) => [name, this.file(name)!]));
  }
}
