import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Answer, Call, FakeProgram, ROOT, lines, run, scratch } from '../run-script';

const SCRIPT = join(ROOT, 'lib/backend-store/make-database.sh');
const SUPERUSER_PASSWORD = 'SuperuserPasswordThatNobodyMaySee';
const USER = 'mlflow-0123456789abc';
const PASSWORD = "UserPassword with $(specials) \\ 'quotes' & 100%s";
const PGPASS = `*:*:*:postgres:${SUPERUSER_PASSWORD}\n`;

const PROBE = '--no-psqlrc --no-password --quiet --command=SELECT 1';
const MAKE = '--no-psqlrc --no-password --quiet --set=ON_ERROR_STOP=1';
const HAND_OVER = '--no-psqlrc --no-password --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1';
const FAILED = 'psql: error: connection to server at "mlflow-postgres" (10.0.0.7), port 5432 failed:';
const UNKNOWN_HOST: Answer = { stderr: 'psql: error: could not translate host name "mlflow-postgres" to address\n', code: 2 };
const STARTING: Answer = { stderr: `${FAILED} FATAL:  the database system is starting up\n`, code: 2 };
const REFUSED: Answer = {
  stderr: `${FAILED} Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?\n`,
  code: 2,
};

function makeDatabase(psql: FakeProgram, environment: Record<string, string> = {}, path: string[] = []) {
  const credentials = scratch({ namespace: 'ml-team', pgpass: PGPASS, 'admin.username': 'postgres', 'user.username': USER, 'user.password': PASSWORD });
  return run(
    ['bash', SCRIPT],
    {
      CREDENTIALS_DIR: credentials,
      PGHOST: 'mlflow-postgres',
      PGPORT: '5432',
      DATABASE: 'tracking',
      ADMIN_SECRET_NAME: 'postgres-superuser',
      USER_SECRET_NAME: 'postgres-user',
      DEADLINE_SECONDS: '60',
      FOLLOW_SECONDS: '0',
      ...environment,
    },
    [psql.directory, ...path],
  );
}

test.concurrent('asks for the server, makes user and database, and hands the database over, all as the superuser', async () => {
  const psql = new FakeProgram('psql');

  const { code, stdout, stderr } = await makeDatabase(psql);

  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'Database "tracking" and its user are ready\n', stderr: '' });
  expect(psql.calls.map((call) => call.argv.join(' '))).toEqual([PROBE, MAKE, HAND_OVER]);
  expect(psql.calls.map(({ env }) => env.PGDATABASE)).toEqual(['postgres', 'postgres', 'tracking']);
  for (const { env } of psql.calls) {
    expect(env).toMatchObject({
      PGHOST: 'mlflow-postgres',
      PGPORT: '5432',
      PGUSER: 'postgres',
      PGPASSFILE: `${env.CREDENTIALS_DIR}/pgpass`,
      PGCONNECT_TIMEOUT: expect.stringMatching(/^[1-9]\d?$/),
    });
  }
});

test.concurrent('psql gets the user by files and the database by its environment', async () => {
  const psql = new FakeProgram('psql');

  await makeDatabase(psql);

  const [, make, handOver] = psql.calls;
  // psql runs what stands between backticks in a shell
  const variable = ({ stdin, env }: Call, name: string) => {
    const [, command] = new RegExp(`^\\\\set ${name} \`(.*)\`$`, 'm').exec(stdin) ?? [];
    return execFileSync('sh', ['-c', command ?? 'false'], { env, encoding: 'utf8' });
  };
  expect([variable(make, 'username'), variable(handOver, 'username')]).toEqual([USER, USER]);
  expect(variable(make, 'password')).toBe(PASSWORD);
  expect(handOver.stdin).not.toContain('password');
  const [, name] = /^\\getenv database (\w+)$/m.exec(make.stdin) ?? [];
  expect(make.env[name!]).toBe('tracking');
});

test.concurrent('a repeated run alters what is there and logs no statement with the password', async () => {
  const psql = new FakeProgram('psql');

  await makeDatabase(psql);

  const statements = lines(psql.calls[1].stdin).filter((line) => !line.startsWith('\\'));
  expect(statements).toEqual([
    "SET log_statement = 'none';",
    "SET log_min_error_statement = 'panic';",
    "SET client_min_messages = 'warning';",
    "SELECT format('ALTER ROLE CURRENT_USER PASSWORD %L', :'successor') WHERE :'successor' <> '' \\gexec",
    expect.stringMatching(/^SELECT format\('CREATE ROLE %I LOGIN', :'username'\) WHERE NOT EXISTS \(.*\) \\gexec$/),
    "ALTER ROLE :\"username\" LOGIN PASSWORD :'password';",
    expect.stringMatching(/^SELECT format\('CREATE DATABASE %I OWNER %I', :'database', :'username'\) WHERE NOT EXISTS \(.*\) \\gexec$/),
    expect.stringMatching(/^SELECT format\(statement, rolname, :'database', :'username'\) FROM pg_database/),
    expect.stringContaining("'GRANT %1$I TO %3$I'"),
    expect.stringMatching(/^ WHERE \(:generation > 1 OR rolname = :'usual'\) AND /),
    expect.stringMatching(/^-- /),
    expect.stringMatching(/^-- /),
    expect.stringMatching(/^SELECT format\('REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM PUBLIC', datname\) FROM pg_database$/),
    expect.stringMatching(/^ WHERE datname <> :'database' AND /),
  ]);
});

test.concurrent('no password in an argument, in the environment, in the statements or in the output', async () => {
  const psql = new FakeProgram('psql', { [PROBE]: [STARTING] });
  const sleep = new FakeProgram('sleep');

  const { code, stdout, stderr } = await makeDatabase(psql, {}, [sleep.directory]);

  expect(code).toBe(0);
  expect(psql.calls).toHaveLength(4);
  for (const seen of [stdout, stderr, ...psql.calls.flatMap((call) => [call.stdin, ...call.argv, ...Object.values(call.env)])]) {
    expect(seen).not.toContain(PASSWORD);
    expect(seen).not.toContain(SUPERUSER_PASSWORD);
  }
});

test.concurrent('waits for a server that is down, with a line when the reason changes', async () => {
  const psql = new FakeProgram('psql', { [PROBE]: [UNKNOWN_HOST, UNKNOWN_HOST, STARTING] });
  const sleep = new FakeProgram('sleep');

  const { code, stdout } = await makeDatabase(psql, {}, [sleep.directory]);

  expect(code).toBe(0);
  expect(lines(stdout)).toEqual([
    `Waiting for PostgreSQL at mlflow-postgres:5432: ${UNKNOWN_HOST.stderr.trim()}`,
    `Waiting for PostgreSQL at mlflow-postgres:5432: ${STARTING.stderr.trim()}`,
    'Database "tracking" and its user are ready',
  ]);
  expect(sleep.calls.map((call) => call.argv)).toEqual([['1'], ['1'], ['1']]);
  expect(psql.calls.map((call) => call.argv.at(-1))).toEqual([...Array<string>(4).fill('--command=SELECT 1'), '--set=ON_ERROR_STOP=1', '--set=ON_ERROR_STOP=1']);
});

test.concurrent('a reason of two lines is printed as one', async () => {
  const psql = new FakeProgram('psql', { [PROBE]: [REFUSED] });
  const sleep = new FakeProgram('sleep');

  const { code, stdout } = await makeDatabase(psql, {}, [sleep.directory]);

  expect(code).toBe(0);
  expect(lines(stdout)).toEqual([
    expect.stringMatching(/^Waiting for PostgreSQL at mlflow-postgres:5432: .*Connection refused/),
    'Database "tracking" and its user are ready',
  ]);
});

test.concurrent.each(['password authentication failed for user "postgres"', 'role "postgres" does not exist'])(
  'a final refusal fails at once and names the Secret: %s',
  async (refusal) => {
    const psql = new FakeProgram('psql', { [PROBE]: [{ stderr: `${FAILED} FATAL:  ${refusal}\n`, code: 2 }] });

    const { code, stdout, stderr } = await makeDatabase(psql);

    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(lines(stderr)).toEqual([
      expect.stringMatching(/^ERROR: PostgreSQL at mlflow-postgres:5432 refuses the superuser in Secret "postgres-superuser": .* run: kubectl --namespace ml-team get secret postgres-superuser --output 'jsonpath=\{\.data\.password\}' \| base64 --decode \| kubectl --namespace ml-team exec --stdin mlflow-postgres-0 -- bash -c '[^']+'$/),
    ]);
    expect(psql.calls).toHaveLength(1);
  },
);

test.concurrent('a superuser who is about to get the password of the Secret is waited for', async () => {
  const refused: Answer = { stderr: `${FAILED} FATAL:  password authentication failed for user "postgres"\n`, code: 2 };
  const psql = new FakeProgram('psql', { [PROBE]: [refused, refused] });

  const { code, stdout, stderr } = await makeDatabase(psql, { FOLLOW_SECONDS: '30' });

  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(lines(stdout)).toEqual([expect.stringMatching(/^Waiting for PostgreSQL at mlflow-postgres:5432: .*password authentication failed/), 'Database "tracking" and its user are ready']);
});

test.concurrent('gives up at the deadline, not before', async () => {
  const psql = new FakeProgram('psql', { [PROBE]: Array<Answer>(20).fill(STARTING) });

  const { code, stderr, seconds } = await makeDatabase(psql, { DEADLINE_SECONDS: '2' });

  expect(code).toBe(1);
  expect(lines(stderr)).toEqual([`ERROR: gave up after 2 s: ${STARTING.stderr.trim()}`]);
  expect(psql.calls.length).toBeGreaterThan(1);
  expect(seconds).toBeLessThan(5);
  expect(psql.calls.filter((call) => call.argv.join(' ') !== PROBE)).toEqual([]);
});

test.concurrent('a failing statement ends it', async () => {
  const psql = new FakeProgram('psql', {
    '--no-psqlrc --no-password --quiet --set': [{ stderr: 'ERROR:  permission denied to create role\n', code: 3 }],
  });

  const { code, stdout, stderr } = await makeDatabase(psql);

  expect({ code, stdout, stderr }).toEqual({ code: 3, stdout: '', stderr: 'ERROR:  permission denied to create role\n' });
});

describe('a database that was there before', () => {
  const PLACE = /^(BEGIN|COMMIT);$|^SELECT format\('ALTER (DATABASE|SCHEMA|TABLE)\b/;

  test.concurrent('goes over to the user with its schema and its tables, all or nothing', async () => {
    const psql = new FakeProgram('psql');

    await makeDatabase(psql);

    const steps = lines(psql.calls[2].stdin).flatMap((line) => PLACE.exec(line)?.slice(1).find(Boolean) ?? []);
    expect(steps).toEqual(['BEGIN', 'DATABASE', 'SCHEMA', 'TABLE', 'COMMIT']);
    // names are quoted by the server
    expect(psql.calls[2].stdin).not.toMatch(/OWNER TO (?!%I)/);
  });

  test.concurrent('what cannot be handed over fails, with cause and fix, in one line', async () => {
    const psql = new FakeProgram('psql', { [HAND_OVER]: [{ stderr: 'ERROR:  canceling statement due to lock timeout\nCONTEXT:  a table\n', code: 3 }] });

    const { code, stdout, stderr } = await makeDatabase(psql);

    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(lines(stderr)).toEqual([
      'ERROR: database "tracking" cannot be handed over from its former owner to the user in Secret "postgres-user": ' +
        'ERROR:  canceling statement due to lock timeout CONTEXT:  a table. This is tried again: end what uses its tables, or make the user their owner ' +
        'in the database, as a superuser: kubectl --namespace ml-team exec -it mlflow-postgres-0 -- psql -U postgres -d tracking',
    ]);
  });
});
