import { chmodSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../processes';
import { Environment, Result, ROOT, lines, run, scratch } from '../run-script';
import { PG_BIN, Postgres } from './servers';

const SCRIPT = join(ROOT, 'lib/backend-store/make-database.sh');
const READY = join(ROOT, 'lib/backend-store/postgres-ready.sh');
const PASSWORD = "Pass'word $(that) nobody may see";
const FORMER = 'The "former" user';
const USER = 'mlflow-0123456789abc';

jest.setTimeout(60_000);

let postgres: Postgres;

beforeAll(async () => {
  postgres = await Postgres.start();
});

afterAll(() => postgres.stop());

const ADMIN_PASSWORD = 'AdminPasswordThatNobodyMaySee';

interface Rotation {
  /** Of the user. */
  readonly generation?: number;
  /** What is to end, in place of what is to be made. */
  readonly former?: string[];
  /** The password in the Secret, and those of rotations that have begun. */
  readonly admin?: [string, ...string[]];
  readonly superuser?: string;
  /** The name that the user has where the Secret was not lost, and the one at hand where it was. */
  readonly usual?: string;
  readonly other?: string;
  /** Seconds in which the superuser may be given what the Secret has. */
  readonly follow?: string;
}

let lastCredentials = '';
/** The name that the next container writes into the Secret. */
const published = () => readFileSync(join(lastCredentials, 'user.username'), 'utf8');

/** The script as the bootstrap Job of the store runs it, for a user. */
function makeDatabase(database: string, username: string, { generation, former, admin = [ADMIN_PASSWORD], superuser = 'admin', usual, other, follow = '0' }: Rotation = {}): Promise<Result> {
  const [current, ...successors] = admin;
  const credentials = scratch({
    'admin.username': superuser,
    namespace: 'ml-team',
    'user.username': username,
    'user.password': PASSWORD,
    ...(usual === undefined ? {} : { 'user.usual': usual }),
    ...(other === undefined ? {} : { 'user.other': other }),
    ...(former === undefined ? {} : { former: former.map((name) => `${name}\n`).join('') }),
    ...(successors.length === 0 ? {} : { 'admin.successor': successors[0] }),
  });
  // psql reads the files only where nobody else may
  const files = [['pgpass', current], ...successors.map((password, position) => [`pgpass.${position}`, password])];
  const prepare = `(umask 077; cd '${credentials}'; ${files.map(([file, password]) => `echo '*:*:*:${superuser}:${password}' >${file}`).join('; ')})`;
  lastCredentials = credentials;
  return run(['bash', '-c', `${prepare}; exec bash '${SCRIPT}'${former === undefined ? '' : ' retire'}`], {
    ...(generation === undefined ? {} : { GENERATION: String(generation) }),
    FOLLOW_SECONDS: follow,
    CREDENTIALS_DIR: credentials,
    PGHOST: '127.0.0.1',
    PGPORT: String(postgres.port),
    DATABASE: database,
    ADMIN_SECRET_NAME: 'postgres-superuser',
    USER_SECRET_NAME: 'postgres-user',
    DEADLINE_SECONDS: '20',
  });
}

/** What the statements answer to the user, a line each. */
async function as(username: string, database: string, ...statements: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await run(['psql', '-XqAt', '--set=ON_ERROR_STOP=1', ...statements.map((statement) => `--command=${statement}`)], {
    PGHOST: '127.0.0.1',
    PGPORT: String(postgres.port),
    PGDATABASE: database,
    PGUSER: username,
    PGPASSWORD: PASSWORD,
  });
  if (code !== 0) throw new Error(stderr);
  return lines(stdout);
}

const OWNERS = "SELECT relname || ': ' || pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S', 'v') ORDER BY 1";

/** A database with the tables of a former user. */
async function former(database: string): Promise<void> {
  await makeDatabase(database, FORMER);
  await as(
    FORMER,
    database,
    'CREATE TABLE alembic_version (version_num text)',
    'CREATE TABLE runs (id serial PRIMARY KEY, name text)',
    "INSERT INTO runs (name) VALUES ('first')",
    'CREATE SEQUENCE numbers',
  );
}

test('a second run changes nothing', async () => {
  await makeDatabase('again', USER);
  const { code, stdout, stderr } = await makeDatabase('again', USER);
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'Database "again" and its user are ready\n', stderr: '' });
});

test('the user comes into its own database only', async () => {
  await makeDatabase('own', USER);
  await makeDatabase('neighbour', 'neighbour');
  await postgres.sql('postgres', ['CREATE DATABASE reports'], ['GRANT CONNECT ON DATABASE reports TO PUBLIC']);
  await postgres.sql('postgres', ['CREATE DATABASE dump']);

  await makeDatabase('own', USER);

  for (const database of ['postgres', 'template1', 'dump']) {
    await expect(as(USER, database, 'SELECT 1')).rejects.toThrow(`permission denied for database "${database}"`);
  }
  // what somebody has allowed, and what is one's own
  for (const database of ['reports', 'own']) expect(await as(USER, database, 'SELECT 1')).toEqual(['1']);
  expect(await as('neighbour', 'neighbour', 'SELECT 1')).toEqual(['1']);
});

test('a database of a former user is handed over, with its tables and no other database', async () => {
  await former('kept');
  await makeDatabase('other', FORMER);

  const { code, stdout } = await makeDatabase('kept', USER);

  expect(code).toBe(0);
  expect(lines(stdout)).toEqual([`Database "kept" and its tables belonged to ${FORMER}, and are handed over`, 'Database "kept" and its user are ready']);
  expect(await as(USER, 'kept', OWNERS)).toEqual(['alembic_version', 'numbers', 'runs', 'runs_id_seq'].map((name) => `${name}: ${USER}`));
  expect(await as(USER, 'kept', 'ALTER TABLE runs ADD COLUMN stage text', "INSERT INTO runs (name) VALUES ('second') RETURNING id", 'CREATE TABLE more (id int)')).toEqual(['2']);
  expect(await as(FORMER, 'other', 'SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()')).toEqual([FORMER]);
  expect((await makeDatabase('kept', USER)).stdout).toBe('Database "kept" and its user are ready\n');
});

test('a dump that the superuser brought back is handed over, without what is the superuser\'s own', async () => {
  await makeDatabase('restored', USER);
  await postgres.sql('restored', ['CREATE EXTENSION pg_trgm'], ['CREATE TABLE alembic_version (version_num text)'], ['CREATE TABLE runs (id serial)'], ['CREATE VIEW statistics AS SELECT 1']);

  const { code } = await makeDatabase('restored', USER);

  expect(code).toBe(0);
  expect(await as(USER, 'restored', OWNERS)).toEqual([`alembic_version: ${USER}`, `runs: ${USER}`, `runs_id_seq: ${USER}`, 'statistics: admin']);
});

describe('where the Secret of the user was lost', () => {
  const OTHER = 'mlflow-k3x9a2';
  const LAST = 'mlflow-z00000';
  const lost = { usual: 'mlflow', other: OTHER };

  test('the first user of a store has the usual name', async () => {
    expect(await makeDatabase('lost', 'mlflow', lost)).toMatchObject({ code: 0, stderr: '' });
    expect(published()).toBe('mlflow');
    await as('mlflow', 'lost', 'CREATE TABLE alembic_version (version_num text)', 'CREATE TABLE runs (id serial PRIMARY KEY, name text)');
  });

  test('one who works is left alone, and the new one is as good as the owner', async () => {
    await postgres.sql('postgres', ["ALTER ROLE mlflow PASSWORD 'what the pods have'"]);

    expect(await makeDatabase('lost', 'mlflow', lost)).toMatchObject({ code: 0, stdout: 'Database "lost" and its user are ready\n', stderr: '' });

    expect(published()).toBe(OTHER);
    expect(await as(OTHER, 'lost', 'ALTER TABLE runs ADD COLUMN stage text', "INSERT INTO runs (name) VALUES ('second') RETURNING id")).toEqual(['1']);
    await expect(as('mlflow', 'lost', 'SELECT 1')).rejects.toThrow('password authentication failed');
    await postgres.sql('postgres', [`ALTER ROLE mlflow PASSWORD '${PASSWORD.replaceAll("'", "''")}'`]);
    expect(await as('mlflow', 'lost', OWNERS)).toEqual(['alembic_version: mlflow', 'runs: mlflow', 'runs_id_seq: mlflow']);
  });

  test('the Job of the next apply takes no table from the one who works', async () => {
    expect(await makeDatabase('lost', OTHER, { usual: 'mlflow' })).toMatchObject({ code: 0, stdout: 'Database "lost" and its user are ready\n', stderr: '' });
    for (const user of ['mlflow', OTHER]) expect(await as(user, 'lost', 'SELECT count(*) FROM runs')).toEqual(['1']);
  });

  test('lost again, and in the next generation: all others end with it', async () => {
    expect(await makeDatabase('lost', 'mlflow', { usual: 'mlflow', other: LAST })).toMatchObject({ code: 0, stderr: '' });
    for (const user of ['mlflow', OTHER, LAST]) expect(await as(user, 'lost', "INSERT INTO runs (name) VALUES ('more') RETURNING name")).toEqual(['more']);

    expect(await makeDatabase('lost', 'mlflow-2', { generation: 2, usual: 'mlflow-2' })).toMatchObject({ code: 0, stderr: '' });
    expect(await makeDatabase('lost', 'mlflow-2', { generation: 2, former: ['mlflow', LAST] })).toMatchObject({ code: 0, stderr: '' });
    for (const user of ['mlflow', LAST]) await expect(as(user, 'lost', 'SELECT 1')).rejects.toThrow(/not permitted to log in|does not exist|password authentication failed/);
    expect(await as('mlflow-2', 'lost', 'SELECT count(*) FROM runs')).toEqual(['4']);
  });
});

test('the tables of somebody else in the database stay theirs', async () => {
  await former('shared');
  await postgres.sql('shared', ['CREATE ROLE analyst'], ['CREATE TABLE notes (id int)'], ['ALTER TABLE notes OWNER TO analyst']);

  await makeDatabase('shared', USER);

  expect(await as(USER, 'shared', OWNERS)).toEqual(expect.arrayContaining(['notes: analyst', `runs: ${USER}`]));
});

test('what cannot be handed over stops the Job, all as it was, and the next try hands it over', async () => {
  await former('busy');
  await postgres.sql('postgres', ['ALTER DATABASE busy ALLOW_CONNECTIONS false']);

  const { code, stderr } = await makeDatabase('busy', USER);

  expect(code).toBe(1);
  expect(stderr).toMatch(/^ERROR: database "busy" cannot be handed over from its former owner to the user in Secret "postgres-user": .*not currently accepting connections.*\n$/);
  await postgres.sql('postgres', ['ALTER DATABASE busy ALLOW_CONNECTIONS true']);
  expect((await makeDatabase('busy', USER)).code).toBe(0);
});

describe('a rotation', () => {
  const FIRST = 'mlflow';
  const [SECOND, THIRD] = ['mlflow-2', 'mlflow-3'];
  const write = (user: string, database: string, name: string) => as(user, database, `INSERT INTO runs (name) VALUES ('${name}')`, 'SELECT count(*) FROM runs');

  /** A database of the first generation, with a table that is in use, of which the owner alone may change the form. */
  async function used(database: string): Promise<void> {
    await makeDatabase(database, FIRST);
    await as(FIRST, database, 'CREATE TABLE IF NOT EXISTS alembic_version (version_num text)', 'CREATE TABLE IF NOT EXISTS runs (id serial PRIMARY KEY, name text)');
  }

  test('users of both generations work, while a table is locked by a request, and the new one is as good as the owner', async () => {
    await used('rotated');
    const request = as(FIRST, 'rotated', "BEGIN; INSERT INTO runs (name) VALUES ('slow'); SELECT pg_sleep(3); COMMIT");

    const { code, stdout, stderr, seconds } = await makeDatabase('rotated', SECOND, { generation: 2 });

    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'Database "rotated" and its user are ready\n', stderr: '' });
    expect(seconds).toBeLessThan(3);
    await request;
    expect(await write(FIRST, 'rotated', 'old')).toEqual(['2']);
    expect(await write(SECOND, 'rotated', 'new')).toEqual(['3']);
    await as(SECOND, 'rotated', 'ALTER TABLE runs ADD COLUMN stage text', 'CREATE TABLE more (id int)');
    expect(await as(SECOND, 'rotated', OWNERS)).toEqual(['alembic_version', 'more', 'runs', 'runs_id_seq'].map((name) => `${name}: ${FIRST}`));
    expect(await write(FIRST, 'rotated', 'old again')).toEqual(['4']);
  });

  test('and then the old one is dead, its connections too, and the database stays whole', async () => {
    const open = as(FIRST, 'rotated', 'SELECT pg_sleep(20)').catch((error: Error) => error.message);
    const busy = async () => (await postgres.sql('postgres', ["SELECT pg_stat_clear_snapshot()"]), (await as(SECOND, 'rotated', `SELECT count(*) FROM pg_stat_activity WHERE usename = '${FIRST}'`))[0] === '1');
    while (!(await busy())) await new Promise((resolve) => setTimeout(resolve, 100));

    expect(await makeDatabase('rotated', SECOND, { generation: 2, former: [FIRST, 'never-there'] })).toMatchObject({ code: 0, stderr: '' });

    expect(await open).toContain('terminating connection due to administrator command');
    await expect(as(FIRST, 'rotated', 'SELECT 1')).rejects.toThrow(/is not permitted to log in|password authentication failed/);
    expect(await write(SECOND, 'rotated', 'alone')).toEqual(['5']);
  });

  test('a third user takes the place of the second, which is gone then, whatever was run twice', async () => {
    for (let time = 0; time < 2; time++) {
      expect(await makeDatabase('rotated', THIRD, { generation: 3 })).toMatchObject({ code: 0, stderr: '' });
      expect(await makeDatabase('rotated', THIRD, { generation: 3, former: [FIRST, SECOND] })).toMatchObject({ code: 0, stderr: '' });
    }

    expect(await write(THIRD, 'rotated', 'third')).toEqual(['6']);
    expect(await as(THIRD, 'rotated', "SELECT rolname || rolcanlogin FROM pg_roles WHERE rolname LIKE 'mlflow%' AND rolname IN ('mlflow', 'mlflow-2', 'mlflow-3') ORDER BY 1")).toEqual(['mlflow-3true', 'mlflowfalse']);
    await expect(as(THIRD, 'postgres', 'SELECT 1')).rejects.toThrow('permission denied for database "postgres"');
  });

  test('the superuser is ended by none', async () => {
    expect(await makeDatabase('rotated', THIRD, { generation: 3, former: ['admin'] })).toMatchObject({ code: 0, stderr: '' });
    expect(await makeDatabase('rotated', THIRD, { generation: 3 })).toMatchObject({ code: 0 });
  });

  test('a database that is made by a later generation belongs to its user', async () => {
    await makeDatabase('late', SECOND, { generation: 2 });
    expect(await as(SECOND, 'late', 'SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()')).toEqual([SECOND]);
  });

  test('of the superuser: whichever password the database has, it ends with that of the new generation', async () => {
    await postgres.sql('postgres', [`CREATE ROLE king SUPERUSER LOGIN PASSWORD 'first'`]);
    const rotate = (...admin: [string, ...string[]]) => makeDatabase('rotated', THIRD, { generation: 3, admin, superuser: 'king' });

    expect(await rotate('first', 'second')).toMatchObject({ code: 0, stderr: '' });
    // killed before the Secret had it, and run again
    expect(await rotate('first', 'second')).toMatchObject({ code: 0, stderr: '' });
    // killed again, and another generation declared meanwhile
    expect(await rotate('first', 'third', 'second')).toMatchObject({ code: 0, stderr: '' });

    expect(await rotate('third')).toMatchObject({ code: 0 });
    for (const old of ['first', 'second']) expect(await rotate(old)).toMatchObject({ code: 1, stderr: expect.stringContaining('refuses the superuser in Secret "postgres-superuser"') });
  });

  test('a password of the superuser that was lost is told with what mends it', async () => {
    await postgres.sql('postgres', [`CREATE ROLE queen SUPERUSER LOGIN PASSWORD 'lost'`]);

    const { code, stderr } = await makeDatabase('rotated', THIRD, { admin: ['made-up-anew'], superuser: 'queen' });

    expect(code).toBe(1);
    const [, program] = / run: kubectl --namespace ml-team get secret postgres-superuser --output 'jsonpath=\{\.data\.password\}' \| base64 --decode \| kubectl --namespace ml-team exec --stdin \S+-0 -- bash -c '(.*)'\n$/.exec(stderr)!;
    // what the shell in the pod gets, with a psql that shows what it is told
    const psql = scratch({ psql: '#!/bin/bash\ncat\n' });
    const { stdout } = await run(['bash', '-c', `chmod +x ${psql}/psql; printf %s "made'up \\$anew" | bash -c '${program}'`], { POSTGRES_USER: 'queen' }, [psql]);
    expect(stdout).toBe("ALTER ROLE CURRENT_USER PASSWORD $p$made'up $anew$p$\n");
  });
});

describe('a pod of PostgreSQL', () => {
  /** The folder of a Secret, as the kubelet keeps it. */
  class SecretFolder {
    public readonly path = scratch();
    private versions = 0;

    public write(password: string): void {
      const version = `..${++this.versions}`;
      mkdirSync(join(this.path, version));
      writeFileSync(join(this.path, version, 'password'), password);
      symlinkSync(version, join(this.path, 'new'));
      renameSync(join(this.path, 'new'), join(this.path, '..data'));
      rmSync(join(this.path, 'password'), { force: true });
      symlinkSync('..data/password', join(this.path, 'password'));
    }
  }

  const folder = new SecretFolder();
  const tmp = scratch();
  const ready = (user = 'prince', environment: Environment = {}) =>
    run(['bash', READY], { PGHOST: postgres.socketFolder, PGPORT: String(postgres.port), POSTGRES_USER: user, SUPERUSER_DIR: folder.path, TMPDIR: tmp, AGAIN_SECONDS: '0', ...environment }, [PG_BIN]);
  const QUIET = { code: 0, stdout: '', stderr: '' };
  const login = (password: string) => makeDatabase('princely', 'somebody', { admin: [password], superuser: 'prince' });

  beforeAll(() => postgres.sql('postgres', [`CREATE ROLE prince SUPERUSER LOGIN PASSWORD 'of the volume'`]));

  test('is ready where its Secret has nothing, and leaves the superuser as he is', async () => {
    expect(await ready()).toMatchObject(QUIET);
    for (const nothing of ['', '\n', ' \n']) {
      folder.write(nothing);
      expect(await ready()).toMatchObject(QUIET);
    }
    expect(await login('of the volume')).toMatchObject({ code: 0 });
  });

  test('gives the superuser what the Secret has, and once', async () => {
    folder.write("made'up \\$anew\n");
    expect(await ready()).toMatchObject(QUIET);
    expect(await login("made'up \\\\$anew".replaceAll("'", "'\\''"))).toMatchObject({ code: 0 });
    expect(await login('of the volume')).toMatchObject({ code: 1 });
    // what somebody has changed in the database since is left alone till the Secret has another value
    await postgres.sql('postgres', [`ALTER ROLE prince PASSWORD 'of a rotation'`]);
    expect(await ready()).toMatchObject(QUIET);
    expect(await login('of a rotation')).toMatchObject({ code: 0 });
    folder.write('second');
    expect(await ready()).toMatchObject(QUIET);
    expect(await login('second')).toMatchObject({ code: 0 });
  });

  test('lets a Job that was refused go on', async () => {
    folder.write('third');
    const job = makeDatabase('princely', 'somebody', { admin: ['third'], superuser: 'prince', follow: '30' });
    await sleep(1_500);
    expect(await ready()).toMatchObject(QUIET);
    expect(await job).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^Waiting for PostgreSQL .* password authentication failed[^]*are ready\n$/) });
  });

  test('where it has no such user, or the socket is elsewhere, it is not ready once, and tries again later', async () => {
    folder.write('fourth');
    for (const [user, environment] of [['nobody', {}], ['prince', { PGHOST: '/nowhere' }]] as [string, Environment][]) {
      expect(await ready(user, environment)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/role "nobody" does not exist|\/nowhere/) });
      expect(await ready(user, { ...environment, AGAIN_SECONDS: '60' })).toMatchObject(QUIET);
    }
    expect(await login('third')).toMatchObject({ code: 0 });
    expect(await ready()).toMatchObject(QUIET);
    expect(await login('fourth')).toMatchObject({ code: 0 });
  });

  test('leaves nothing of the password but in the database', async () => {
    folder.write('PasswordThatNobodyMaySee');
    expect(await ready()).toMatchObject(QUIET);
    expect(readdirSync(tmp).map((name) => readFileSync(join(tmp, name), 'utf8')).join()).not.toContain('PasswordThatNobodyMaySee');
  });

  // a child of a probe that is killed would be one of PostgreSQL, which takes its end for a crash
  test('is one process, whatever it does', async () => {
    const program = '#!/bin/bash\necho "$$" >>"$SEEN"\n';
    const programs = scratch({ psql: program, pg_isready: program, seen: '' });
    for (const name of ['psql', 'pg_isready']) chmodSync(join(programs, name), 0o755);
    const start = 'echo $$ >>"$SEEN"; exec bash "$0"';
    for (const again of ['0', '60']) {
      folder.write(`another ${again}`);
      const { code } = await run(['bash', '-c', start, READY], { POSTGRES_USER: 'prince', SUPERUSER_DIR: folder.path, TMPDIR: tmp, SEEN: join(programs, 'seen'), AGAIN_SECONDS: again }, [programs]);
      expect(code).toBe(0);
    }
    const seen = lines(readFileSync(join(programs, 'seen'), 'utf8'));
    expect(seen).toHaveLength(4);
    for (const [began, became] of [seen.slice(0, 2), seen.slice(2)]) expect(became).toBe(began);
  });

  test('is not ready where nobody answers', async () => {
    const { code } = await ready('prince', { PGPORT: String(await freePort()) });
    expect(code).toBe(2);
  });
});
