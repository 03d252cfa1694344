import { join } from 'node:path';
import { Result, ROOT, lines, run, scratch } from '../run-script';
import { Postgres } from './servers';

const SCRIPT = join(ROOT, 'lib/backend-store/make-database.sh');
const PASSWORD = "Pass'word $(that) nobody may see";
const FORMER = 'The "former" user';
const USER = 'mlflow-0123456789abc';

jest.setTimeout(60_000);

let postgres: Postgres;

beforeAll(async () => {
  postgres = await Postgres.start();
});

afterAll(() => postgres.stop());

/** The script as the bootstrap Job of the store runs it, for a user. */
function makeDatabase(database: string, username: string): Promise<Result> {
  const credentials = scratch({ 'admin.username': 'admin', 'user.username': username, 'user.password': PASSWORD });
  // psql reads the file only where nobody else may
  const prepare = `(umask 077; echo '*:*:*:admin:AdminPasswordThatNobodyMaySee' >'${credentials}/pgpass')`;
  return run(['bash', '-c', `${prepare}; exec bash '${SCRIPT}'`], {
    CREDENTIALS_DIR: credentials,
    PGHOST: '127.0.0.1',
    PGPORT: String(postgres.port),
    DATABASE: database,
    ADMIN_SECRET: 'postgres-superuser',
    USER_SECRET: 'postgres-user',
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
