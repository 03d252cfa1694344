import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Answer, FakeProgram, ROOT, lines, run, scratch } from '../run-script';

const SCRIPT = join(ROOT, 'lib/artifact-store/make-bucket.sh');
const URL = 'http://mlflow-minio:9000';
const ROOT_PASSWORD = 'RootPasswordThatNobodyMaySee';
const USER = 'mlflow-0123456789abc';
const PASSWORD = 'UserPassword with $(specials) \\ "quotes" & 100%s';
const CONFIG = JSON.stringify({ version: '10', aliases: { store: { url: URL, accessKey: 'root', secretKey: ROOT_PASSWORD } } });

const PROBE = 'admin info store';
const REFUSED: Answer = { stderr: `mc: <ERROR> Unable to get service info. Get "${URL}": connection refused.\n`, code: 1 };
const STARTING: Answer = { stderr: 'mc: <ERROR> Unable to get service info. Server not initialized yet, please try again.\n', code: 1 };

// the script writes to /tmp, which in the pod is its own
const leftovers = ['/tmp/mc', '/tmp/policy.json'].filter((path) => !existsSync(path));
afterAll(() => {
  leftovers.forEach((path) => rmSync(path, { recursive: true, force: true }));
});

function makeBucket(mc: FakeProgram, environment: Record<string, string> = {}, path: string[] = []) {
  const credentials = scratch({ 'config.json': CONFIG, 'user.username': USER, 'user.password': PASSWORD });
  return run(
    ['bash', SCRIPT],
    {
      CREDENTIALS_DIR: credentials,
      STORE_URL: URL,
      STORE_NAME: 'mlflow-minio',
      BUCKET: 'models',
      REGION: 'eu-central-1',
      POLICY: 'models-only',
      ADMIN_SECRET: 'minio-root',
      DEADLINE_SECONDS: '60',
      ...environment,
    },
    [mc.directory, ...path],
  );
}

test('makes bucket, user and policy, in this order', async () => {
  const mc = new FakeProgram('mc');

  const { code, stdout, stderr } = await makeBucket(mc);

  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'Bucket "models" and its user are ready\n', stderr: '' });
  expect(mc.calls.map((call) => call.argv.join(' '))).toEqual([
    'admin info store',
    'mb --quiet --ignore-existing --region eu-central-1 store/models',
    'anonymous set none store/models',
    'admin user add store',
    'admin policy create store models-only /tmp/policy.json',
    `admin policy attach store models-only --user ${USER}`,
  ]);
});

test('the passwords go by standard input and by a file, never by an argument or the environment', async () => {
  const mc = new FakeProgram('mc');

  const { stdout, stderr } = await makeBucket(mc);

  const add = mc.calls.find((call) => call.argv.join(' ') === 'admin user add store');
  expect(add?.stdin).toBe(`${USER}\n${PASSWORD}\n`);
  expect(mc.calls.map((call) => call.env.MC_CONFIG_DIR)).toEqual(Array(6).fill('/tmp/mc'));
  expect(readFileSync('/tmp/mc/config.json', 'utf8')).toBe(CONFIG);
  for (const seen of [stdout, stderr, ...mc.calls.flatMap((call) => [...call.argv, ...Object.values(call.env)])]) {
    expect(seen).not.toContain(PASSWORD);
    expect(seen).not.toContain(ROOT_PASSWORD);
  }
});

test('the policy names this bucket and nothing else', async () => {
  await makeBucket(new FakeProgram('mc'), { BUCKET: 'team-a.models' });

  const policy = JSON.parse(readFileSync('/tmp/policy.json', 'utf8')) as {
    Version: string;
    Statement: { Effect: string; Action: string[]; Resource: string[] }[];
  };
  expect(policy.Version).toBe('2012-10-17');
  expect(policy.Statement.map((statement) => [statement.Effect, statement.Resource])).toEqual([
    ['Allow', ['arn:aws:s3:::team-a.models']],
    ['Allow', ['arn:aws:s3:::team-a.models/*']],
  ]);
  const actions = policy.Statement.flatMap((statement) => statement.Action);
  expect(actions).toEqual(expect.arrayContaining(['s3:ListBucket', 's3:GetObject', 's3:PutObject', 's3:DeleteObject']));
  expect(actions.filter((action) => !/^s3:[A-Za-z]+$/.test(action))).toEqual([]);
});

test('waits for a server that is down, with a line when the reason changes', async () => {
  const mc = new FakeProgram('mc', { [PROBE]: [REFUSED, REFUSED, STARTING] });
  const sleep = new FakeProgram('sleep');

  const { code, stdout } = await makeBucket(mc, {}, [sleep.directory]);

  expect(code).toBe(0);
  expect(lines(stdout)).toEqual([
    `Waiting for the artifact store at ${URL}: ${REFUSED.stderr.trim()}`,
    `Waiting for the artifact store at ${URL}: ${STARTING.stderr.trim()}`,
    'Bucket "models" and its user are ready',
  ]);
  expect(sleep.calls.map((call) => call.argv)).toEqual([['1'], ['1'], ['1']]);
  expect(mc.calls.map((call) => call.argv[0])).toEqual(['admin', 'admin', 'admin', 'admin', 'mb', 'anonymous', 'admin', 'admin', 'admin']);
});

test.each([
  'The Access Key Id you provided does not exist in our records.',
  'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
  'Access Denied.',
])('a final refusal fails at once and names the Secret: %s', async (refusal) => {
  const mc = new FakeProgram('mc', { [PROBE]: [{ stderr: `mc: <ERROR> Unable to get service info. ${refusal}\n`, code: 1 }] });

  const { code, stdout, stderr } = await makeBucket(mc);

  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(lines(stderr)).toEqual([
    `ERROR: the artifact store at ${URL} refuses the root user in Secret "minio-root": the server was started with other values. ` +
      'Restart it: kubectl rollout restart statefulset/mlflow-minio',
  ]);
  expect(mc.calls).toHaveLength(1);
});

test('gives up at the deadline, not before', async () => {
  const mc = new FakeProgram('mc', { [PROBE]: Array<Answer>(20).fill(REFUSED) });

  const { code, stderr, seconds } = await makeBucket(mc, { DEADLINE_SECONDS: '2' });

  expect(code).toBe(1);
  expect(lines(stderr)).toEqual([`ERROR: gave up after 2 s: ${REFUSED.stderr.trim()}`]);
  expect(mc.calls.length).toBeGreaterThan(1);
  expect(seconds).toBeLessThan(5);
  expect(mc.calls.filter((call) => call.argv.join(' ') !== PROBE)).toEqual([]);
});

test.each(['mb', 'anonymous set', 'admin user add', 'admin policy create', 'admin policy attach'])('a failing "mc %s" ends it', async (step) => {
  const mc = new FakeProgram('mc', { [step]: [{ stderr: 'mc: <ERROR> No space left.\n', code: 1 }] });

  const { code, stdout, stderr } = await makeBucket(mc);

  expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: 'mc: <ERROR> No space left.\n' });
  expect(mc.calls.at(-1)?.argv.join(' ')).toMatch(new RegExp(`^${step}`));
});
