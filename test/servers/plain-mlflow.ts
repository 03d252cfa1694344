// A plain MLflow on SQLite, with the plugins and the variables that a synthesized server has.
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { Testing } from 'cdk8s';
import { TrackingServer, TrackingServerOptions } from '../../lib';
import { containers, get } from '../helpers';
import { Served, freePort, until } from '../processes';
import { Environment, Result, Script, scratch } from '../run-script';
import { PYTHON } from './servers';

/** Variables of the server, with its folder of plugins laid out as the kubelet does. */
export function delivered(options: TrackingServerOptions = {}): Environment {
  const chart = Testing.chart();
  new TrackingServer(chart, 'TrackingServer', { backendStore: { uri: 'postgresql://db/mlflow', environment: [] }, artifactStore: { artifactsDestination: 's3://b', environment: [] }, ...options });
  const objects = Testing.synth(chart);
  const deployment = get(objects, 'Deployment', 'mlflow');
  const plugins = scratch();
  for (const { name, mountPath } of containers(deployment)[0].volumeMounts as { name: string; mountPath: string }[]) {
    if (!mountPath.startsWith('/app/plugins/')) continue;
    const { configMap } = deployment.spec.template.spec.volumes.find((volume: { name: string }) => volume.name === name);
    const folder = mountPath.replace('/app/plugins', plugins);
    mkdirSync(folder);
    for (const [file, content] of Object.entries(get(objects, 'ConfigMap', configMap.name).data as Environment)) writeFileSync(join(folder, file), content);
  }
  const env = containers(deployment)[0].env.filter(({ name }: { name: string }) => /^(UVICORN|APP_LAYERS|GUARD|PYTHON)|VALIDATION_REGEX$/.test(name));
  return { ...Object.fromEntries(env.map(({ name, value }: { name: string; value: string }) => [name, value])), PYTHONPATH: plugins };
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** It has to be told where its artifacts are; nothing else is missing. */
export class Mlflow {
  public readonly folder = scratch();
  public readonly url: string;
  private readonly env: Environment;
  private readonly command: string[];
  private server?: Served;

  public static async on(changes: Environment, flags: string[] = [], prefix = '', python = PYTHON): Promise<Mlflow> {
    return new Mlflow(await freePort(), changes, flags, prefix, python);
  }

  private constructor(
    public readonly port: number,
    changes: Environment,
    flags: string[],
    private readonly prefix: string,
    private readonly python: string,
  ) {
    this.url = `http://127.0.0.1:${port}${prefix}`;
    this.env = {
      PATH: `${dirname(python)}:${process.env.PATH}`,
      HOME: this.folder,
      MLFLOW_WORKERS: '1',
      MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
      GIT_PYTHON_REFRESH: 'quiet',
      ...changes,
    };
    const stores = [`--backend-store-uri=sqlite:///${this.folder}/db`, '--artifacts-destination=s3://mlflow-bucket', '--default-artifact-root=mlflow-artifacts:/', '--serve-artifacts'];
    this.command = ['mlflow', 'server', '--host=127.0.0.1', `--port=${port}`, ...stores, '--allowed-hosts=*', ...flags];
  }

  public async start(): Promise<this> {
    this.server = new Served([join(dirname(this.python), 'mlflow'), ...this.command.slice(1)], this.env);
    await until(`MLflow at ${this.url}`, async () => (await fetch(`${this.url}/health`)).ok || undefined, 120_000);
    return this;
  }

  public async stop(): Promise<void> {
    await this.server!.stop();
  }

  public get printed(): string {
    return this.server!.printed;
  }

  /** What it says where it does not start. */
  public failed(): Promise<Result> {
    return new Script([join(dirname(this.python), 'mlflow'), ...this.command.slice(1)], this.env, [], 90_000).ended;
  }

  /** Asks with the path as it is, which `fetch` would put in order. */
  public ask(method: string, path: string, body: Buffer | string | (Buffer | string)[] = '', headers: Record<string, string> = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port: this.port, method, path: `${this.prefix}/${path}`, headers: { 'content-type': 'application/json', ...headers } }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
        response.on('end', () => resolve({ status: response.statusCode!, body: text }));
      });
      asked.on('error', reject);
      for (const piece of [body].flat()) asked.write(piece);
      asked.end();
    });
  }

  public post(path: string, value: unknown, headers?: Record<string, string>): Promise<Answer> {
    return this.ask('POST', `api/${path}`, JSON.stringify(value), headers);
  }

  /** Runs Python as a client of this server. */
  public async client(code: string, env: Environment = {}): Promise<string> {
    const all = { PATH: this.env.PATH, HOME: this.folder, GIT_PYTHON_REFRESH: 'quiet', MLFLOW_TRACKING_URI: this.url, MLFLOW_HTTP_REQUEST_MAX_RETRIES: '1', ...env };
    const { code: exit, stdout, stderr } = await new Script([PYTHON, '-c', `import mlflow\nfrom mlflow import MlflowClient\n${code}`], all, [], 120_000).ended;
    if (exit !== 0) throw new Error(stderr);
    return stdout.trim();
  }

  /** Most memory that one of its processes has had, in MiB. */
  public get peak(): number {
    const ours = readdirSync('/proc').filter((pid) => {
      try {
        return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`HOME=${this.folder}\0`);
      } catch {
        return false;
      }
    });
    return Math.max(...ours.map((pid) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024));
  }
}
