import { ChildProcess, execFile, execFileSync } from 'node:child_process';
import { chownSync, copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { end, freePort, isExecutable, program, start, until } from '../processes';
import { Environment, scratch } from '../run-script';

const LIMIT_MS = 20_000;
const DEBIAN_POSTGRES = '/usr/lib/postgresql';

function postgresFolder(): string {
  const advice = 'apt-get install postgresql, or set PG_BIN to a folder with initdb and postgres';
  const versions = existsSync(DEBIAN_POSTGRES) ? readdirSync(DEBIAN_POSTGRES).map(Number) : [];
  const folder = process.env.PG_BIN ?? (versions.length > 0 ? join(DEBIAN_POSTGRES, String(Math.max(...versions)), 'bin') : undefined);
  if (!folder || !['initdb', 'postgres'].every((name) => isExecutable(join(folder, name)))) throw new Error(`no PostgreSQL found: ${advice}`);
  return folder;
}

/** The interpreter itself, with what the MLflow image has. */
function interpreter(): string {
  const python = program('PYTHON', 'python3', 'set PYTHON to a Python with boto3 and psycopg2');
  const check = 'import sys, azure.storage.blob, boto3, flask_wtf, google.cloud.storage, psycopg, psycopg2, pymysql; print(sys.executable)';
  try {
    return execFileSync(python, ['-c', check], { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    throw new Error(`${python} lacks a package: pip install -r test/servers/requirements.txt, or set PYTHON to one that has them`);
  }
}

const GET_MINIO = 'get a MinIO-compatible server and its client, and set MINIO_BIN and MC_BIN to them (go install github.com/minio/…)';
export const MINIO = program('MINIO_BIN', 'minio', GET_MINIO);
export const MC = program('MC_BIN', 'mc', GET_MINIO);
/** Folder with the programs of PostgreSQL. */
export const PG_BIN = postgresFolder();
export const PYTHON = interpreter();

/** PostgreSQL refuses to run as root. */
function unprivileged(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string) => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

/** Certificate of an authority, and certificate and key that it gave to 127.0.0.1. */
export interface Certificate {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

export function certificate(): Certificate {
  const folder = scratch({ extensions: 'subjectAltName=IP:127.0.0.1\n' });
  const at = (name: string) => join(folder, name);
  const openssl = (...flags: string[]) => execFileSync('openssl', flags, { stdio: 'pipe' });
  const key = ['-newkey', 'rsa:2048', '-nodes'];
  openssl('req', '-x509', ...key, '-subj', '/CN=authority', '-days', '2', '-keyout', at('authority.key'), '-out', at('authority.crt'));
  openssl('req', ...key, '-subj', '/CN=server', '-keyout', at('server.key'), '-out', at('server.csr'));
  const authority = ['-CA', at('authority.crt'), '-CAkey', at('authority.key'), '-CAcreateserial'];
  openssl('x509', '-req', '-in', at('server.csr'), ...authority, '-days', '2', '-extfile', at('extensions'), '-out', at('server.crt'));
  return { authority: at('authority.crt'), certificate: at('server.crt'), key: at('server.key') };
}

export interface MinioOptions {
  readonly rootUser?: string;
  readonly rootPassword?: string;
  readonly region?: string;
  readonly tls?: Certificate;
}

/** A MinIO-compatible server on loopback, administered by its root user. */
export class Minio {
  public static async start(options: MinioOptions = {}): Promise<Minio> {
    const minio = new Minio(await freePort(), await freePort(), options);
    await minio.start();
    return minio;
  }

  public readonly url: string;
  public rootUser: string;
  public rootPassword: string;
  public data = scratch();
  private readonly config = scratch();
  private child?: ChildProcess;

  private constructor(
    public readonly port: number,
    private readonly consolePort: number,
    private readonly options: MinioOptions,
  ) {
    this.url = `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`;
    if (options.tls) {
      mkdirSync(join(this.config, 'certs/CAs'), { recursive: true });
      copyFileSync(options.tls.authority, join(this.config, 'certs/CAs/authority.crt'));
      copyFileSync(options.tls.certificate, join(this.config, 'certs/public.crt'));
      copyFileSync(options.tls.key, join(this.config, 'certs/private.key'));
    }
    this.rootUser = options.rootUser ?? 'minio-root-user-1234';
    this.rootPassword = options.rootPassword ?? 'RootPasswordThatNobodyMaySee';
  }

  /** What boto3 needs to use it as its root user. */
  public get environment(): Environment {
    return { AWS_ACCESS_KEY_ID: this.rootUser, AWS_SECRET_ACCESS_KEY: this.rootPassword, MLFLOW_S3_ENDPOINT_URL: this.url };
  }

  public async start(): Promise<void> {
    const address = ['--address', `127.0.0.1:${this.port}`, '--console-address', `127.0.0.1:${this.consolePort}`];
    const alias = { url: this.url, accessKey: this.rootUser, secretKey: this.rootPassword, api: 'S3v4', path: 'auto' };
    writeFileSync(join(this.config, 'config.json'), JSON.stringify({ version: '10', aliases: { s: alias } }));
    this.child = start([MINIO, 'server', this.data, ...address, '--certs-dir', join(this.config, 'certs')], {
      HOME: this.config,
      MINIO_ROOT_USER: this.rootUser,
      MINIO_ROOT_PASSWORD: this.rootPassword,
      ...(this.options.region ? { MINIO_SITE_REGION: this.options.region } : {}),
    });
    await until(`MinIO at ${this.url}`, () => this.mc('admin', 'info', 's'));
  }

  public async stop(): Promise<void> {
    await end(this.child!);
  }

  /** From now on with an empty volume. */
  public loseVolume(): void {
    this.data = scratch();
  }

  public get pid(): number {
    return this.child!.pid!;
  }

  /** What `mc` needs to know it as `s`. */
  public get clientEnvironment(): Environment {
    return { HOME: this.config, MC_CONFIG_DIR: this.config };
  }

  public async mc(...command: string[]): Promise<string> {
    const env = { PATH: process.env.PATH, ...this.clientEnvironment };
    return (await promisify(execFile)(MC, command, { env, timeout: LIMIT_MS })).stdout;
  }

  /** Makes a user that may use the bucket, and nothing else. */
  public async makeUser(name: string, secret: string, bucket: string): Promise<void> {
    const allow = (actions: string[], resource: string) => ({ Effect: 'Allow', Action: actions.map((action) => `s3:${action}`), Resource: [resource] });
    const policy = join(scratch(), 'policy.json');
    const statements = [
      allow(['GetBucketLocation', 'ListBucket'], `arn:aws:s3:::${bucket}`),
      allow(['GetObject', 'PutObject', 'DeleteObject', 'AbortMultipartUpload'], `arn:aws:s3:::${bucket}/*`),
    ];
    writeFileSync(policy, JSON.stringify({ Version: '2012-10-17', Statement: statements }));
    await this.mc('admin', 'user', 'add', 's', name, secret);
    await this.mc('admin', 'policy', 'create', 's', `policy-${name}`, policy);
    await this.mc('admin', 'policy', 'attach', 's', `policy-${name}`, '--user', name);
  }
}

const SQL = `
import json, os, psycopg2, sys
connection = psycopg2.connect(sys.argv[1], connect_timeout=5)
connection.autocommit = True
cursor = connection.cursor()
for statement, *parameters in json.loads(sys.argv[2]):
    cursor.execute(statement, parameters or None)
print(json.dumps([row[0] for row in cursor.fetchall()] if cursor.description else []))
`;

/** A PostgreSQL on loopback that wants passwords. */
export class Postgres {
  /** With these settings, such as `max_connections=200`. */
  public static async start(tls?: Certificate, given: string[] = []): Promise<Postgres> {
    const user = unprivileged();
    const directory = scratch({ password: 'AdminPasswordThatNobodyMaySee' });
    const data = join(directory, 'data');
    mkdirSync(data, { mode: 0o700 });
    const files = [directory, data, join(directory, 'password')];
    for (const name of tls ? (['certificate', 'key'] as const) : []) {
      copyFileSync(tls![name], join(directory, name));
      files.push(join(directory, name));
    }
    if (user.uid !== undefined) for (const path of files) chownSync(path, user.uid, user.gid!);
    const flags = ['-D', data, '-U', 'admin', '-E', 'UTF8', '--locale=C', '--auth-local=trust', '--auth-host=scram-sha-256', '--no-sync', `--pwfile=${directory}/password`];
    await promisify(execFile)(join(PG_BIN, 'initdb'), flags, { cwd: '/', timeout: 3 * LIMIT_MS, ...user });
    const encryption = tls ? ['ssl=on', `ssl_cert_file=${directory}/certificate`, `ssl_key_file=${directory}/key`] : [];
    const postgres = new Postgres(await freePort(), data, user, [...encryption, ...given]);
    await postgres.start();
    return postgres;
  }

  public readonly superuser = { user: 'admin', password: 'AdminPasswordThatNobodyMaySee' };
  private child?: ChildProcess;

  private constructor(
    public readonly port: number,
    private readonly data: string,
    private readonly user: { uid?: number; gid?: number },
    private readonly settings: string[],
  ) {}

  /** As the stores of this library write it. */
  public uri(database = 'mlflow'): string {
    return `postgresql+psycopg2://127.0.0.1:${this.port}/${database}`;
  }

  public async start(): Promise<void> {
    const all = ['listen_addresses=127.0.0.1', `unix_socket_directories=${this.socketFolder}`, 'fsync=off', ...this.settings];
    const settings = all.flatMap((setting) => ['-c', setting]);
    this.child = start([join(PG_BIN, 'postgres'), '-D', this.data, '-p', String(this.port), ...settings], {}, this.user);
    await until(`PostgreSQL at port ${this.port}`, () => this.sql('postgres', ['SELECT 1']));
  }

  public get pid(): number {
    return this.child!.pid!;
  }

  /** Where whoever is on the machine needs no password, as in the pod. */
  public get socketFolder(): string {
    return dirname(this.data);
  }

  public async stop(): Promise<void> {
    await end(this.child!, 'SIGINT');
  }

  /** Runs statements, each with its parameters, as the superuser. */
  public async sql(database: string, ...statements: string[][]): Promise<true> {
    await this.answers(database, ...statements);
    return true;
  }

  /** The first column of what the last of these statements answers to the superuser. */
  public answers(database: string, ...statements: string[][]): Promise<unknown[]> {
    return answers(this.uri(database), { PGUSER: this.superuser.user, PGPASSWORD: this.superuser.password }, ...statements);
  }
}

/** The first column of what the last of these statements answers to a user; each has its parameters with it. */
export async function answers(uri: string, user: Environment, ...statements: string[][]): Promise<unknown[]> {
  const command = ['-c', SQL, uri.replace('+psycopg2', ''), JSON.stringify(statements)];
  const { stdout } = await promisify(execFile)(PYTHON, command, { env: { PATH: process.env.PATH, ...user }, timeout: LIMIT_MS });
  return JSON.parse(stdout) as unknown[];
}

/** Whether somebody takes connections at a port. */
function listens(port: number): Promise<true> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', reject).once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

const PGBOUNCER = 'apt-get install pgbouncer, or set PGBOUNCER_BIN to one';

/** A PgBouncer on loopback before a PostgreSQL: a connection to the server is a client's for a transaction, and then another's. */
export class PgBouncer {
  public static async start(postgres: Postgres, passwords: { [user: string]: string }, poolSize = 20): Promise<PgBouncer> {
    const binary = program('PGBOUNCER_BIN', existsSync('/usr/sbin/pgbouncer') ? '/usr/sbin/pgbouncer' : 'pgbouncer', PGBOUNCER);
    const user = unprivileged();
    const port = await freePort();
    const users = Object.entries(passwords).map(([name, password]) => `"${name}" "${password}"\n`);
    const directory = scratch({ 'users.txt': users.join('') });
    const settings = {
      listen_addr: '127.0.0.1',
      listen_port: port,
      unix_socket_dir: '',
      auth_type: 'scram-sha-256',
      auth_file: join(directory, 'users.txt'),
      pool_mode: 'transaction',
      default_pool_size: poolSize,
      max_client_conn: 500,
    };
    const ini = ['[databases]', `* = host=127.0.0.1 port=${postgres.port}`, '[pgbouncer]', ...Object.entries(settings).map(([name, value]) => `${name} = ${value}`), ''];
    writeFileSync(join(directory, 'pgbouncer.ini'), ini.join('\n'));
    if (user.uid !== undefined) for (const name of ['', 'users.txt', 'pgbouncer.ini']) chownSync(join(directory, name), user.uid, user.gid!);
    const child = start([binary, join(directory, 'pgbouncer.ini')], {}, user);
    await until(`PgBouncer at port ${port}`, () => listens(port));
    return new PgBouncer(port, child);
  }

  private constructor(
    public readonly port: number,
    private readonly child: ChildProcess,
  ) {}

  public uri(database: string): string {
    return `postgresql+psycopg2://127.0.0.1:${this.port}/${database}`;
  }

  public async stop(): Promise<void> {
    await end(this.child, 'SIGINT');
  }
}

const MARIADB = 'apt-get install mariadb-server, or set MARIADB_BIN and MARIADB_INSTALL_BIN to mariadbd and mariadb-install-db';

/** A MariaDB on loopback, with a database and a user that owns it. */
export class MariaDb {
  public static async start(password: string): Promise<MariaDb> {
    const server = program('MARIADB_BIN', '/usr/sbin/mariadbd', MARIADB);
    const install = program('MARIADB_INSTALL_BIN', '/usr/bin/mariadb-install-db', MARIADB);
    const user = unprivileged();
    // one statement a line
    const setup = ['CREATE DATABASE mlflow;', `CREATE USER mlflow@'%' IDENTIFIED BY '${password}';`, "GRANT ALL ON mlflow.* TO mlflow@'%';", ''];
    const directory = scratch({ setup: setup.join('\n') });
    const data = join(directory, 'data');
    mkdirSync(data, { mode: 0o700 });
    if (user.uid !== undefined) for (const path of [directory, data, join(directory, 'setup')]) chownSync(path, user.uid, user.gid!);
    const flags = ['--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db'];
    await promisify(execFile)(install, flags, { cwd: '/', env: { PATH: process.env.PATH, TMPDIR: directory }, timeout: 3 * LIMIT_MS, ...user });
    const port = await freePort();
    const files = [`--datadir=${data}`, `--socket=${directory}/socket`, `--pid-file=${directory}/pid`, `--init-file=${directory}/setup`];
    const database = new MariaDb(port, password);
    database.child = start([server, '--no-defaults', ...files, `--port=${port}`, '--bind-address=127.0.0.1'], { TMPDIR: directory }, user);
    await until(`MariaDB at port ${port}`, () => database.sql('SELECT 1'), 3 * LIMIT_MS);
    return database;
  }

  private child?: ChildProcess;

  private constructor(
    public readonly port: number,
    private readonly password: string,
  ) {}

  public get uri(): string {
    return `mysql+pymysql://mlflow:${encodeURIComponent(this.password)}@127.0.0.1:${this.port}/mlflow`;
  }

  public async stop(): Promise<void> {
    await end(this.child!, 'SIGTERM');
  }

  public async sql(statement: string): Promise<true> {
    const code = 'import sys, sqlalchemy as s; c = s.create_engine(sys.argv[1]).connect(); c.execute(s.text(sys.argv[2])); c.commit()';
    await promisify(execFile)(PYTHON, ['-c', code, this.uri, statement], { timeout: LIMIT_MS });
    return true;
  }
}
