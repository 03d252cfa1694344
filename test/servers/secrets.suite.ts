import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { Served, freePort, until } from '../processes';
import { Environment, ROOT, Result, Script, lines, scratch, startScript } from '../run-script';
import { PYTHON, Postgres } from './servers';

const SCRIPT = startScript();
const PG_PASSWORD = 'PgPasswordThatNobodyMaySee';
const API_KEY = 'sk-ApiKeyThatNobodyMaySee';
const HOOK = { name: 'hook', url: 'https://127.0.0.1/hook', events: [{ entity: 'MODEL_VERSION', action: 'CREATED' }], secret: 'HookSecretThatNobodyMaySee' };

jest.setTimeout(120_000);

let postgres: Postgres;
let uri: string;
/** What the Job makes up, by the names that the construct gives it. */
let made: { key: string; passphrases: string[] };

beforeAll(async () => {
  postgres = await Postgres.start();
  await postgres.sql('postgres', ['CREATE ROLE mlflow LOGIN PASSWORD %s', PG_PASSWORD], ['CREATE DATABASE mlflow OWNER mlflow']);
  uri = postgres.uri();
  made = JSON.parse(
    await python(
      `import importlib.util, json, sys
sys.path.insert(0, ${JSON.stringify(join(ROOT, 'lib/secrets'))})
spec = importlib.util.spec_from_file_location("fill", ${JSON.stringify(join(ROOT, 'lib/secrets/fill-secrets.py'))})
fill = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fill)
print(json.dumps({"key": fill.make_value({"fernet": True}), "passphrases": [fill.make_value({"length": 64}) for _ in range(4)]}))`,
    ),
  ) as typeof made;
}, 90_000);

function environment(changes: Environment = {}): Environment {
  return {
    PATH: `${dirname(PYTHON)}:${process.env.PATH}`,
    HOME: '/nonexistent',
    PGUSER: 'mlflow',
    PGPASSWORD: PG_PASSWORD,
    TERMINATION_LOG: '/',
    STARTUP_DEADLINE_SECONDS: '100',
    MLFLOW_WORKERS: '1',
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
    MLFLOW_DISABLE_TELEMETRY: 'true',
    MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS: 'true',
    GIT_PYTHON_REFRESH: 'quiet',
    ...changes,
  };
}

/** What `ServerSecrets` gives the server with a version of the passphrase. */
function secrets(version: number): Environment {
  return {
    MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY: made.key,
    MLFLOW_CRYPTO_KEK_PASSPHRASE: made.passphrases[version],
    MLFLOW_CRYPTO_KEK_VERSION: String(version),
    ...(version > 2 ? { PREVIOUS_KEK_PASSPHRASE: made.passphrases[version - 1] } : {}),
    STARTUP_SOURCES: JSON.stringify({ MLFLOW_CRYPTO_KEK_PASSPHRASE: 'key kek-passphrase of Secret s' }),
  };
}

async function python(code: string, env: Environment = {}): Promise<string> {
  const { code: exit, stdout, stderr } = await new Script([PYTHON, '-c', code], environment(env), [], 60_000).ended;
  if (exit !== 0) throw new Error(stderr);
  return stdout.trim();
}

/** Starts a server, and gives its URL. */
async function server(env: Environment = {}): Promise<{ url: string; stop: () => Promise<void> }> {
  const port = await freePort();
  const flags = ['--host=127.0.0.1', `--port=${port}`, `--backend-store-uri=${uri}`, `--artifacts-destination=${scratch()}`, '--default-artifact-root=mlflow-artifacts:/'];
  const served = new Served([PYTHON, SCRIPT, 'mlflow', 'server', ...flags], environment(env));
  const url = `http://127.0.0.1:${port}`;
  await until(`MLflow at ${url}`, async () => (await fetch(`${url}/health`)).ok || undefined, 90_000);
  return { url, stop: () => served.stop() };
}

async function call(url: string, path: string, method = 'GET', body?: object): Promise<{ status: number; json: Record<string, never> }> {
  const response = await fetch(`${url}/api/${path}`, { method, headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body) });
  return { status: response.status, json: (await response.json().catch(() => ({}))) as Record<string, never> };
}
const webhooks = (url: string) => call(url, '2.0/mlflow/webhooks');

/** The preflight, and nothing behind it. */
async function start(env: Environment, command = ['true']): Promise<Result> {
  const result = await new Script([PYTHON, SCRIPT, ...command, `--backend-store-uri=${uri}`, `--artifacts-destination=${scratch()}`], environment(env), [], 60_000).ended;
  expect(result.stdout + result.stderr).not.toMatch(/NobodyMaySee/);
  for (const secret of [made.key, ...made.passphrases]) expect(result.stdout + result.stderr).not.toContain(secret);
  return result;
}

/** What somebody gets who has the row of the API key, and this passphrase. */
const decrypted = (passphrase: string, version: number) =>
  python(
    `import os, psycopg2
from mlflow.utils.crypto import KEKManager, _decrypt_secret, DEFAULT_KEK_PASSPHRASE
cursor = psycopg2.connect(${JSON.stringify(uri.replace('+psycopg2', ''))}).cursor()
cursor.execute("SELECT encrypted_value, wrapped_dek, secret_id, secret_name FROM secrets")
value, key, *aad = cursor.fetchone()
try:
    print(_decrypt_secret(bytes(value), bytes(key), KEKManager(os.environ["GUESS"] or DEFAULT_KEK_PASSPHRASE, ${version}), *aad)["api_key"])
except Exception as error:
    print(type(error).__name__)`,
    { GUESS: passphrase },
  );
const PUBLIC = '';

describe('a server without secrets of its own, as MLflow is by default', () => {
  test('makes up a key for webhooks in each process, and encrypts API keys with what stands in its source', async () => {
    const [first, second] = await Promise.all([server(), server()]);

    expect(await call(first.url, '2.0/mlflow/webhooks', 'POST', HOOK)).toMatchObject({ status: 200 });
    expect(await call(first.url, '3.0/mlflow/gateway/secrets/create', 'POST', { secret_name: 'openai', provider: 'openai', secret_value: { api_key: API_KEY } })).toMatchObject({ status: 200 });

    expect([(await webhooks(first.url)).status, (await webhooks(second.url)).status]).toEqual([200, 500]);
    expect(await decrypted(PUBLIC, 1)).toBe(API_KEY);
    await Promise.all([first.stop(), second.stop()]);
  });
});

describe('its database, with secrets of the stack', () => {
  test('is not taken: the preflight says which version of the passphrase leads over, and what is lost', async () => {
    const { code, stderr } = await start(secrets(1));

    expect(code).toBe(3);
    expect(stderr).toContain("ERROR: the API keys of the AI gateway are encrypted with the passphrase that stands in MLflow's source");
    expect(stderr).toMatch(/fix: .*secrets\.kekVersion of TrackingServer to 2/);
  });

  test('is led over by a version that is one higher, with mlflow crypto rotate-kek', async () => {
    const { code, stdout, stderr } = await start(secrets(2));

    expect(code).toBe(0);
    expect(lines(stdout)).toContain('Encrypting the API keys of the AI gateway with passphrase 2, in place of 1');
    expect(await decrypted(made.passphrases[2], 2)).toBe(API_KEY);
    expect([await decrypted(PUBLIC, 1), await decrypted(PUBLIC, 2)]).toEqual(['MlflowException', 'MlflowException']);
    const [, ids] = /does not open the secrets of 1 webhooks\. .* (DELETE FROM webhooks WHERE webhook_id IN \('[\w-]+'\);)/.exec(stderr)!;
    await postgres.sql('mlflow', [ids]);
  });

  test('and works then in all processes, which the doctor sees', async () => {
    const [first, second] = await Promise.all([server(secrets(2)), server(secrets(2))]);

    expect(await call(first.url, '2.0/mlflow/webhooks', 'POST', HOOK)).toMatchObject({ status: 200 });
    const { status, json } = await webhooks(second.url);
    expect({ status, names: (json.webhooks as { name: string; webhook_id: string }[]).map(({ name }) => name) }).toEqual({ status: 200, names: ['hook'] });
    expect(await (await fetch(`${second.url}/ajax-api/3.0/mlflow/gateway/secrets/config`)).json()).toMatchObject({ using_default_passphrase: false });
    const { stdout } = await start(secrets(2), ['doctor']);
    expect(stdout).toContain('✓ the secrets of the server\n');
    expect(await call(second.url, `2.0/mlflow/webhooks/${(json.webhooks as { webhook_id: string }[])[0].webhook_id}`, 'DELETE')).toMatchObject({ status: 200 });
    await Promise.all([first.stop(), second.stop()]);
  });

  test('a rotation takes the passphrase before from the Secret', async () => {
    expect(await start(secrets(3))).toMatchObject({ code: 0, stderr: '' });

    expect(await decrypted(made.passphrases[3], 3)).toBe(API_KEY);
  });

  test.each<[string, () => Environment, number, RegExp]>([
    ['a version of before', () => secrets(2), 3, /ERROR: API keys of the AI gateway are encrypted with passphrase 3, and the server has passphrase 2\n(.*\n)*.*fix: .*kekVersion of TrackingServer to 3/],
    ['a passphrase that was made up anew', () => ({ ...secrets(3), MLFLOW_CRYPTO_KEK_PASSPHRASE: made.passphrases[0] }), 0, /^WARNING: the passphrase of the server does not open the API keys.* into key kek-passphrase of Secret s /],
    ['a key of another form', () => ({ ...secrets(3), MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY: 'ShortKeyThatIsNoFernet' }), 3, /ERROR: .*is no key for the secrets of webhooks\n(.*\n)*.*fix: .*openssl rand -base64 32/],
  ])('%s is told', async (_, env, exit, text) => {
    const { code, stderr } = await start(env());

    expect({ code, stderr }).toEqual({ code: exit, stderr: expect.stringMatching(text) });
  });
});

describe('the key of webhooks', () => {
  const keys = [0, 1, 2].map(() => randomBytes(32).toString('base64url') + '=');
  const of = (version: number, previous = version - 1) => ({
    ...secrets(3),
    MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY: keys[version],
    ...(previous >= 0 && keys[previous] !== undefined ? { PREVIOUS_WEBHOOK_KEY: keys[previous] } : {}),
  });
  const hooks = () => python(`import psycopg2
cursor = psycopg2.connect(${JSON.stringify(uri.replace('+psycopg2', ''))}).cursor()
cursor.execute("SELECT secret FROM webhooks")
from cryptography.fernet import Fernet, InvalidToken
def opens(key, text):
    try:
        return bool(Fernet(key).decrypt(text.encode()))
    except InvalidToken:
        return False
print([[opens(key, row[0]) for key in ${JSON.stringify(keys)}] for row in cursor.fetchall()])`);

  test('of the version before leads to the next one: what it has encrypted is encrypted anew, and servers list it', async () => {
    await postgres.sql('mlflow', ['DELETE FROM webhook_events'], ['DELETE FROM webhooks']);
    const before = await server(of(0));
    expect(await call(before.url, '2.0/mlflow/webhooks', 'POST', HOOK)).toMatchObject({ status: 200 });
    expect(await call(before.url, '2.0/mlflow/webhooks', 'POST', { ...HOOK, name: 'other' })).toMatchObject({ status: 200 });
    expect(await hooks()).toBe('[[True, False, False], [True, False, False]]');

    const after = await server(of(1));

    expect(await hooks()).toBe('[[False, True, False], [False, True, False]]');
    expect(await webhooks(after.url)).toMatchObject({ status: 200, json: { webhooks: [expect.anything(), expect.anything()] } });
    // one that an old pod stores meanwhile is taken along by the next start
    expect(await call(before.url, '2.0/mlflow/webhooks', 'POST', { ...HOOK, name: 'late' })).toMatchObject({ status: 200 });
    const { stdout } = await start(of(1));
    expect(lines(stdout)).toContain('Encrypting the secrets of 1 webhooks with the key of the new version');
    expect(await hooks()).toBe('[[False, True, False], [False, True, False], [False, True, False]]');
    await Promise.all([before.stop(), after.stop()]);
  });

  test('run again it changes nothing, and a key that is lost is told', async () => {
    const { code, stdout, stderr } = await start(of(1));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).not.toContain('webhooks');

    expect(await start(of(2, 0))).toMatchObject({ code: 0, stderr: expect.stringContaining('does not open the secrets of 3 webhooks') });
    expect(await hooks()).toBe('[[False, True, False], [False, True, False], [False, True, False]]');
  });
});
