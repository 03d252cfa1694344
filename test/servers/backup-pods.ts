import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Testing } from 'cdk8s';
import { Credentials, ExternalS3, MlflowStack } from '../../lib';
import { Manifests, get } from '../helpers';
import { Environment, Result, Script, scratch } from '../run-script';
import { MC, Minio, PG_BIN, PYTHON } from './servers';

interface Container {
  readonly name: string;
  readonly command: string[];
  readonly args?: string[];
  readonly env: { readonly name: string; readonly value?: string }[];
}

/** Where a pod finds its stores, which keys it has, and what its Secrets hold besides. */
export interface Surroundings {
  readonly databaseUri: string;
  readonly artifacts: string;
  readonly environment: Environment;
  /** The other MinIO, which has TLS, and the certificate of its authority. */
  readonly vault: Minio;
  readonly authority: string;
}

export const VAULT = 'vault';

/** The pods of a Backup, whose containers run here one after the other, with the programs, arguments and variables of the manifests. */
export class BackupPods {
  private readonly root: string;
  private readonly pods: { readonly [name: string]: Container[] };

  public constructor(public readonly at: Surroundings) {
    const chart = Testing.chart();
    const credentials = Credentials.fromSecretName(chart, 'Key', 'vault');
    const destination = new ExternalS3(chart, 'Vault', { bucket: VAULT, prefix: 'mlflow', endpointUrl: 'https://vault.example.com', credentials });
    new MlflowStack(chart, 'Stack', { backup: { destination } });
    const manifests: Manifests = Testing.synth(chart);
    const podOf = (name: string) => get(manifests, 'CronJob', name).spec.jobTemplate.spec.template.spec;
    this.pods = Object.fromEntries(['mlflow-backup', 'mlflow-restore'].map((name) => [name, [...podOf(name).initContainers, ...podOf(name).containers]]));
    const files = (name: string, folder: string) => Object.entries<string>(get(manifests, 'ConfigMap', name).data).map(([file, text]) => [`app/${folder}/${file}`, text]);
    this.root = scratch(Object.fromEntries([...files('mlflow-preflight', 'preflight'), ...files('mlflow-backup', 'mlflow_backup')]));
    // PostgreSQL does not run as root
    chmodSync(this.root, 0o755);
  }

  /** A pod that begins: its volumes are empty. */
  public backup(env: Environment = {}): RunningPod {
    return new RunningPod(this.root, this.pods['mlflow-backup'], this.at, env);
  }

  public restore(env: Environment = {}): RunningPod {
    return new RunningPod(this.root, this.pods['mlflow-restore'], this.at, env);
  }

  /** A backup from its beginning to its end. */
  public async whole(env: Environment = {}): Promise<string> {
    const pod = this.backup(env);
    const { code, stdout, stderr } = await pod.run();
    if (code !== 0) throw new Error(`${stdout}${stderr}`);
    return pod.name;
  }
}

export class RunningPod {
  private readonly folders: { readonly [mount: string]: string };

  public constructor(
    private readonly root: string,
    private readonly containers: Container[],
    private readonly at: Surroundings,
    private readonly env: Environment,
  ) {
    this.folders = Object.fromEntries(['handover', 'scratch', 'mc'].map((name) => [`/${name}`, scratch()]));
    for (const folder of Object.values(this.folders)) chmodSync(folder, 0o777);
  }

  /** Name of the backup that it makes or restores. */
  public get name(): string {
    return JSON.parse(readFileSync(join(this.folders['/handover'], 'run.json'), 'utf8')).name;
  }

  public write(file: string, text: string): void {
    writeFileSync(join(this.folders['/handover'], file), text);
  }

  public container(name: string, env: Environment = {}, steps?: string[]): Script {
    const container = this.containers.find((one) => one.name === name)!;
    const { databaseUri, artifacts, environment, vault, authority } = this.at;
    const place = (text: string) => Object.entries(this.folders).reduce((moved, [mount, folder]) => moved.replace(new RegExp(`^${mount}(?=/|$)`), folder), text).replace(/^\/app\//, `${this.root}/app/`).replace(/^python3$/, PYTHON);
    const given = container.env.filter(({ value }) => value !== undefined).map(({ name: variable, value }) => [variable, place(value!)]);
    const keys = Object.entries({ ...vault.environment, AWS_CA_BUNDLE: authority, MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE: 'path' }).map(([variable, value]) => [`BACKUP_${variable}`, value]);
    const own = { DATABASE_URI: databaseUri, ARTIFACTS_DESTINATION: artifacts, TERMINATION_LOG: '/', TMPDIR: this.folders['/scratch'], GIT_PYTHON_REFRESH: 'quiet' };
    const unprivileged = container.name === 'trial' && process.getuid?.() === 0 ? ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups'] : [];
    const all = { ...Object.fromEntries([...given, ...keys]), ...environment, ...own, STARTUP_DEADLINE_SECONDS: '3', ...this.env, ...env };
    return new Script([...unprivileged, ...[...container.command, ...(steps ?? container.args ?? [])].map(place)], all, [PG_BIN, dirname(MC)], 120_000);
  }

  /** Its containers in their order, from one on and up to another; it ends with the first that fails. */
  public async run(from = this.containers[0].name, to = ''): Promise<Result & { failed?: string }> {
    const names = this.containers.map(({ name }) => name);
    let stdout = '';
    let stderr = '';
    let result!: Result;
    for (const name of names.slice(names.indexOf(from), to === '' ? undefined : names.indexOf(to) + 1)) {
      result = await this.container(name).ended;
      stdout += result.stdout;
      stderr += result.stderr;
      if (result.code !== 0) return { ...result, stdout, stderr, failed: name };
    }
    return { ...result, stdout, stderr };
  }
}
