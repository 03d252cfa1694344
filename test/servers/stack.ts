import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Chart, Testing } from 'cdk8s';
import { MlflowStack, MlflowStackProps } from '../../lib';
import { Manifests, get } from '../helpers';
import { end, freePort, start, until } from '../processes';
import { Environment, Result, Script, scratch } from '../run-script';
import { Minio, PYTHON, Postgres } from './servers';

const PASSWORD = 'PgPasswordThatNobodyMaySee';
const KEY = 'mlflow-access-key';
const SECRET = 'SecretKeyThatNobodyMaySee';
const BUCKET = 'mlflow-bucket';

/** Real stores, as the bootstrap Jobs of a stack leave them. */
export class Stores {
  /** PostgreSQL has these settings, such as `max_connections=200`. */
  public static async start(settings: string[] = []): Promise<Stores> {
    const [minio, postgres] = await Promise.all([Minio.start(), Postgres.start(undefined, settings)]);
    await Promise.all([minio.mc('mb', `s/${BUCKET}`), postgres.sql('postgres', ['CREATE ROLE mlflow LOGIN PASSWORD %s', PASSWORD])]);
    await minio.makeUser(KEY, SECRET, BUCKET);
    return new Stores(minio, postgres);
  }

  private constructor(
    public readonly minio: Minio,
    public readonly postgres: Postgres,
  ) {}

  public async makeDatabase(name: string): Promise<void> {
    await this.postgres.sql('postgres', [`CREATE DATABASE ${name} OWNER mlflow`]);
  }

  /** What the Secrets of the server hold, and where the store is. */
  public get environment(): Environment {
    return { PGUSER: 'mlflow', PGPASSWORD: PASSWORD, AWS_ACCESS_KEY_ID: KEY, AWS_SECRET_ACCESS_KEY: SECRET, MLFLOW_S3_ENDPOINT_URL: this.minio.url };
  }

  /** Objects in the bucket. */
  public async objects(): Promise<string[]> {
    return (await this.minio.mc('find', `s/${BUCKET}`)).split('\n').filter(Boolean).map((path) => path.replace(`s/${BUCKET}/`, ''));
  }
}

/** The container of the server in a Deployment of a stack, on loopback: its own arguments, variables and files, and the addresses of real stores. */
export class ServedStack {
  /** `python` is that of the image, and `modules` a folder with further modules for it. */
  public static async of(stores: Stores, database: string, props: MlflowStackProps, { python = PYTHON, modules = '', deployment = 'mlflow' } = {}): Promise<ServedStack> {
    const served = new ServedStack(stores, database, props, python, await freePort(), deployment);
    if (modules !== '') served.env.PYTHONPATH = [served.env.PYTHONPATH, modules].filter(Boolean).join(':');
    return served;
  }

  public readonly url: string;
  public readonly args: string[];
  public readonly env: Environment;
  public readonly manifests: Manifests;
  private readonly root = scratch();
  private child?: ReturnType<typeof start>;

  private constructor(
    stores: Stores,
    database: string,
    props: MlflowStackProps,
    private readonly python: string,
    public readonly port: number,
    deployment: string,
  ) {
    const chart = new Chart(Testing.app(), 'test', { namespace: 'mlflow' });
    new MlflowStack(chart, 'Stack', props);
    this.manifests = Testing.synth(chart);
    const { spec } = get(this.manifests, 'Deployment', deployment).spec.template;
    const [container] = spec.containers;
    for (const { name, mountPath, subPath } of container.volumeMounts) {
      const { configMap, projected } = spec.volumes.find((volume: { name: string }) => volume.name === name);
      for (const source of [{ configMap }, ...(projected?.sources ?? [])]) {
        if (source.configMap === undefined) continue;
        for (const [key, text] of Object.entries<string>(get(this.manifests, 'ConfigMap', source.configMap.name).data)) {
          if (subPath === undefined) this.write(join(mountPath, key), text);
          else if (subPath === key) this.write(mountPath, text);
        }
      }
    }
    const flags: Environment = { '--host': '127.0.0.1', '--port': String(port), '--backend-store-uri': stores.postgres.uri(database) };
    this.args = (container.args as string[]).map((arg) => {
      const [flag] = arg.split('=');
      return flag in flags ? `${flag}=${flags[flag]}` : arg;
    });
    const given = (container.env as { name: string; value?: string }[]).filter(({ value }) => value !== undefined);
    this.env = {
      ...Object.fromEntries(given.map(({ name, value }) => [name, value!.replace(/^\/app\//, `${this.root}/app/`)])),
      PATH: `${dirname(python)}:${process.env.PATH}`,
      GIT_PYTHON_REFRESH: 'quiet',
      TERMINATION_LOG: '/',
      // no Job is here, and a server without one upgrades by itself
      STARTUP_UPGRADE_JOB: '',
      HOME: this.root,
      ...stores.environment,
    };
    this.url = `http://127.0.0.1:${port}${this.env.MLFLOW_STATIC_PREFIX ?? ''}`;
  }

  /** In a process namespace of its own, as a container has it. */
  public async start(): Promise<void> {
    this.child = start(['unshare', '--pid', '--fork', '--kill-child', '--mount-proc', this.python, join(this.root, 'app/start-mlflow.py'), ...this.args], this.env);
    await until(`MLflow at ${this.url}`, async () => (await fetch(`${this.url}/health`)).ok || undefined, 300_000);
  }

  public async stop(): Promise<void> {
    await end(this.child!, 'SIGKILL');
  }

  /** Runs a command in the container, as `kubectl exec` and a preStop hook do. */
  public async exec(command: string[]): Promise<Result> {
    const { stdout: inside } = await new Script(['pgrep', '--parent', String(this.child!.pid)], {}).ended;
    const enter = ['nsenter', '--target', inside.trim(), '--pid', '--mount'];
    return new Script([...enter, ...command.map((word) => (word === 'python3' ? this.python : word))], this.env, [], 60_000).ended;
  }

  /** Runs a word of the start script, such as gc, in a pod of its own; another program is what a server would be. */
  public async run(word: string, args: string[] = [], env: Environment = {}): Promise<Result> {
    return new Script([this.python, join(this.root, 'app/start-mlflow.py'), word, ...args], { ...this.env, ...env }, [], 60_000).ended;
  }

  /** Runs Python as a client that knows the URI and nothing else. */
  public async client(code: string, env: Environment = {}): Promise<string> {
    const all = { HOME: this.root, GIT_PYTHON_REFRESH: 'quiet', MLFLOW_TRACKING_URI: this.url, ...env };
    const { code: exit, stdout, stderr } = await new Script([this.python, '-c', code], all, [], 80_000).ended;
    if (exit !== 0) throw new Error(`${stdout}${stderr}`);
    return stdout.trim();
  }

  public async ask(path: string, method = 'GET', body?: unknown): Promise<{ status: number; json: unknown }> {
    const headers = { 'Content-Type': 'application/json' };
    const answer = await fetch(`${this.url}${path}`, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await answer.text();
    return { status: answer.status, json: text.startsWith('{') ? JSON.parse(text) : text };
  }

  private write(path: string, text: string): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), text);
  }
}
