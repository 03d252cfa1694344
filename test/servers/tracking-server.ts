import { dirname } from 'node:path';
import { Chart, Testing } from 'cdk8s';
import { Postgres, TrackingServer, TrackingServerProps } from '../../lib';
import { Served, freePort, until } from '../processes';
import { Environment, Script, scratch, startScript } from '../run-script';
import { PYTHON } from './servers';
import { containers, get } from '../helpers';

const SCRIPT = startScript();

/** What a stack gives to its server to use the database with, and to its PostgreSQL. */
export function databaseSettings(props: Partial<TrackingServerProps> = {}): { readonly server: Environment; readonly postgres: string[] } {
  const chart = Testing.chart();
  const backendStore = new Postgres(chart, 'Postgres', { instance: 'mlflow' });
  new TrackingServer(chart, 'TrackingServer', { backendStore, artifactStore: { artifactsDestination: 's3://bucket', environment: [] }, ...props });
  const objects = Testing.synth(Chart.of(backendStore));
  const variables: { name: string; value: string }[] = containers(get(objects, 'Deployment', 'mlflow'))[0].env;
  const pool = variables.filter(({ name }) => name.startsWith('MLFLOW_SQLALCHEMYSTORE_'));
  const args: string[] = containers(get(objects, 'StatefulSet', 'postgres'))[0].args;
  return { server: Object.fromEntries(pool.map(({ name, value }) => [name, value])), postgres: args.map((argument) => argument.replace(/^--/, '')) };
}

/** An MLflow with one worker, and its artifacts in a folder unless it is told otherwise, started by the start script. */
export class Mlflow {
  /** One that has not started. */
  public static async on(uri: string, environment: Environment, artifacts = scratch(), flags: string[] = []): Promise<Mlflow> {
    return new Mlflow(await freePort(), uri, environment, artifacts, flags);
  }

  public static async start(uri: string, environment: Environment, artifacts?: string): Promise<Mlflow> {
    const mlflow = await Mlflow.on(uri, environment, artifacts);
    await mlflow.start();
    return mlflow;
  }

  public readonly url: string;
  private readonly command: string[];
  private readonly environment: Environment;
  private server?: Served;

  private constructor(port: number, uri: string, environment: Environment, artifacts: string, further: string[]) {
    this.url = `http://127.0.0.1:${port}`;
    const flags = ['--host=127.0.0.1', `--port=${port}`, `--backend-store-uri=${uri}`, `--artifacts-destination=${artifacts}`, '--default-artifact-root=mlflow-artifacts:/', '--serve-artifacts'];
    this.command = ['mlflow', 'server', ...flags, '--allowed-hosts=*', ...further];
    this.environment = {
      // where mlflow itself is
      PATH: `${dirname(PYTHON)}:${process.env.PATH}`,
      HOME: '/nonexistent',
      TERMINATION_LOG: '/',
      MLFLOW_WORKERS: '1',
      MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
      MLFLOW_DISABLE_TELEMETRY: 'true',
      GIT_PYTHON_REFRESH: 'quiet',
      ...environment,
    };
  }

  /** Another pod, which makes ready what the server needs and then runs something else. */
  public pod(limitMs = 60_000): Script {
    return new Script([PYTHON, SCRIPT, 'true', ...this.command.slice(2)], this.environment, [], limitMs);
  }

  public async start(): Promise<void> {
    this.server = new Served([PYTHON, SCRIPT, ...this.command], this.environment);
    await until(`MLflow at ${this.url}`, async () => (await fetch(`${this.url}/health`)).ok || undefined, 120_000);
  }

  public async stop(): Promise<void> {
    await this.server!.stop();
  }

  /** The status of an answer, with its text. */
  public async request(method: string, path: string, body: unknown): Promise<{ readonly status: number; readonly text: string }> {
    const content = typeof body === 'string' ? { body } : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } };
    const answer = await fetch(`${this.url}${path}`, { method, ...content });
    return { status: answer.status, text: await answer.text() };
  }

  public post(path: string, body: object): Promise<{ readonly status: number; readonly text: string }> {
    return this.request('POST', `/api/2.0/mlflow/${path}`, body);
  }
}
