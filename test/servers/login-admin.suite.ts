import { join } from 'node:path';
import { Result, lines, scratch } from '../run-script';
import { Postgres } from './servers';
import { Mlflow } from './tracking-server';

const PASSWORDS = ['FirstPasswordThatNobodyMaySee', 'SecondPasswordThatNobodyMaySee', 'ThirdPasswordThatNobodyMaySee'];
const BY_HAND = 'ByHandPasswordThatNobodyMaySee';

jest.setTimeout(180_000);

let postgres: Postgres;
let environment: (generation: number, password?: string) => Record<string, string>;
let server: Mlflow;

beforeAll(async () => {
  postgres = await Postgres.start();
  await postgres.sql('postgres', ['CREATE ROLE mlflow LOGIN PASSWORD %s', 'PgPasswordThatNobodyMaySee'], ['CREATE DATABASE mlflow OWNER mlflow']);
  const uri = postgres.uri();
  const ini = join(scratch({ 'auth.ini': `[mlflow]\ndefault_permission = READ\ndatabase_uri = ${uri}\n` }), 'auth.ini');
  environment = (generation, password = PASSWORDS[generation - 1]) => ({
    PGUSER: 'mlflow',
    PGPASSWORD: 'PgPasswordThatNobodyMaySee',
    MLFLOW_AUTH_CONFIG_PATH: ini,
    MLFLOW_AUTH_ADMIN_USERNAME: "king's",
    MLFLOW_AUTH_ADMIN_PASSWORD: password,
    MLFLOW_FLASK_SERVER_SECRET_KEY: 'FlaskKeyThatNobodyMaySee',
    ...(generation > 1 ? { STARTUP_LOGIN_GENERATION: String(generation) } : {}),
  });
  server = await Mlflow.on(uri, environment(1), scratch(), ['--app-name=basic-auth']);
  await server.start();
});

afterAll(async () => {
  await server.stop();
  await postgres.stop();
});

/** What a pod does before its server starts. */
async function start(generation: number, password?: string): Promise<Result> {
  const pod = await Mlflow.on(postgres.uri(), environment(generation, password), scratch(), ['--app-name=basic-auth']);
  const result = await pod.pod().ended;
  expect(result.stdout + result.stderr).not.toContain('NobodyMaySee');
  expect(result).toMatchObject({ code: 0, stderr: '' });
  return result;
}

/** With which passwords a server lets the administrator in, one that has just started. */
async function good(): Promise<string[]> {
  const fresh = await Mlflow.on(postgres.uri(), environment(1), scratch(), ['--app-name=basic-auth']);
  await fresh.start();
  const answers = await Promise.all([...PASSWORDS, BY_HAND].map(async (password) => ((await asAdmin(fresh, password)).status === 200 ? [password] : [])));
  await fresh.stop();
  return answers.flat();
}

function asAdmin({ url }: Mlflow, password: string, path = '/api/2.0/mlflow/experiments/get?experiment_id=0', init: object = {}): Promise<Response> {
  return fetch(`${url}${path}`, { ...init, headers: { 'Content-Type': 'application/json', Authorization: `Basic ${Buffer.from(`king's:${password}`).toString('base64')}` } });
}
const changed = ({ stdout }: Result) => lines(stdout).filter((line) => line.startsWith('The admin of the login'));

test('a first start makes the administrator, and a second one changes nothing', async () => {
  expect(await good()).toEqual([PASSWORDS[0]]);
  expect(changed(await start(1))).toEqual([]);
});

test('a generation has its password, and the old one is dead', async () => {
  expect(changed(await start(2))).toEqual(['The admin of the login has the password of the Secret now (generation 2)']);
  expect(changed(await start(2))).toEqual([]);

  expect(await good()).toEqual([PASSWORDS[1]]);
});

test('a pod of the generation before that starts again meanwhile does not bring the old one back', async () => {
  expect(changed(await start(1))).toEqual([]);

  expect(await good()).toEqual([PASSWORDS[1]]);
});

test('what the administrator has changed in MLflow stays, until the Secret has another one', async () => {
  const answer = await asAdmin(server, PASSWORDS[1], '/api/2.0/mlflow/users/update-password', { method: 'PATCH', body: JSON.stringify({ username: "king's", password: BY_HAND, current_password: PASSWORDS[1] }) });
  expect(answer.status).toBe(200);
  expect(changed(await start(2))).toEqual([]);
  expect(await good()).toEqual([BY_HAND]);

  expect(changed(await start(3))).toHaveLength(1);
  expect(await good()).toEqual([PASSWORDS[2]]);
});

test('a Secret that was lost and made up anew, in the same generation, is brought to the database', async () => {
  expect(changed(await start(3, PASSWORDS[0]))).toHaveLength(1);

  expect(await good()).toEqual([PASSWORDS[0]]);
});
