import { chmodSync, existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
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

/** Usual programs that the image does not have. */
const MISSING = scratch(Object.fromEntries(['awk', 'curl', 'find', 'grep', 'jq', 'python3', 'sed', 'xargs'].map((program) => [program, '#!/bin/sh\nexit 127\n'])));
readdirSync(MISSING).forEach((program) => chmodSync(join(MISSING, program), 0o755));

// the script writes to /tmp, which in the pod is its own
const leftovers = ['/tmp/mc', '/tmp/policy.json'].filter((path) => !existsSync(path));
afterAll(() => {
  leftovers.forEach((path) => rmSync(path, { recursive: true, force: true }));
});

function makeBucket(mc: FakeProgram, environment: Record<string, string> = {}, path: string[] = [], before: string[] = []) {
  const credentials = scratch({ 'config.json': CONFIG, namespace: 'ml-team', 'user.username': USER, 'user.password': PASSWORD });
  return run(
    ['bash', SCRIPT],
    {
      CREDENTIALS_DIR: credentials,
      STORE_URL: URL,
      STORE_NAME: 'mlflow-minio',
      BUCKET: 'models',
      REGION: 'eu-central-1',
      POLICY: 'models-only',
      ADMIN_SECRET_NAME: 'minio-root',
      DEADLINE_SECONDS: '60',
      FOLLOW_SECONDS: '0',
      ...environment,
    },
    [...before, mc.directory, ...path, MISSING],
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
    'ilm rule rm --all --force store/models',
    'quota clear store/models',
    'admin user add store',
    'admin policy create store models-only /tmp/policy.json',
    `admin policy attach store models-only --user ${USER}`,
  ]);
});

test('a store that does not say whether it knows the user of a lost Secret changes nothing: the next try decides', async () => {
  const mc = new FakeProgram('mc', { 'admin user info': [REFUSED] });
  const other = scratch({ 'config.json': CONFIG, 'user.username': USER, 'user.password': PASSWORD, 'user.other': 'mlflow-another0000000' });

  const { code, stderr } = await makeBucket(mc, { CREDENTIALS_DIR: other });

  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('connection refused') });
  expect(mc.calls.map((call) => call.argv.join(' '))).toEqual([PROBE, `admin user info store ${USER}`]);
  expect(['user.username', 'user.other'].map((file) => readFileSync(join(other, file), 'utf8'))).toEqual([USER, 'mlflow-another0000000']);
});

test('the passwords go by standard input and by a file, never by an argument or the environment', async () => {
  const mc = new FakeProgram('mc');

  const { stdout, stderr } = await makeBucket(mc);

  const add = mc.calls.find((call) => call.argv.join(' ') === 'admin user add store');
  expect(add?.stdin).toBe(`${USER}\n${PASSWORD}\n`);
  expect(mc.calls.map((call) => call.env.MC_CONFIG_DIR)).toEqual(Array(8).fill('/tmp/mc'));
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
    Statement: { Effect: string; Action: string[]; Resource?: string[] }[];
  };
  expect(policy.Version).toBe('2012-10-17');
  expect(policy.Statement.map((statement) => [statement.Effect, statement.Resource])).toEqual([
    ['Allow', ['arn:aws:s3:::team-a.models']],
    ['Allow', ['arn:aws:s3:::team-a.models/*']],
    // what a user may do about itself, which test/servers/make-bucket.suite.ts tries
    ['Deny', undefined],
  ]);
  const actions = policy.Statement.filter(({ Effect }) => Effect === 'Allow').flatMap((statement) => statement.Action);
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
  expect(mc.calls.map((call) => call.argv[0])).toEqual(['admin', 'admin', 'admin', 'admin', 'mb', 'anonymous', 'ilm', 'quota', 'admin', 'admin', 'admin']);
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
    expect.stringMatching(new RegExp(`^ERROR: the artifact store at ${URL} refuses the root user in Secret "minio-root": the server was started with other values. Restart it: kubectl --namespace ml-team rollout restart statefulset/mlflow-minio$`)),
  ]);
  expect(mc.calls).toHaveLength(1);
});

test('a server that is about to start with the root user of the Secret is waited for', async () => {
  const refused: Answer = { stderr: 'mc: <ERROR> Unable to get service info. Access Denied.\n', code: 1 };
  const mc = new FakeProgram('mc', { [PROBE]: [refused, refused] });

  const { code, stdout, stderr } = await makeBucket(mc, { FOLLOW_SECONDS: '30' });

  expect({ code, stderr, stdout }).toEqual({ code: 0, stderr: '', stdout: expect.stringMatching(/^Waiting for the artifact store .*Access Denied\.\nBucket "models" and its user are ready\n$/) });
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

test.each(['mb', 'anonymous set', 'ilm rule rm', 'quota clear', 'admin user add', 'admin policy create', 'admin policy attach'])('a failing "mc %s" ends it', async (step) => {
  const mc = new FakeProgram('mc', { [step]: [{ stderr: 'mc: <ERROR> No space left.\n', code: 1 }] });

  const { code, stdout, stderr } = await makeBucket(mc);

  expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: 'mc: <ERROR> No space left.\n' });
  expect(mc.calls.at(-1)?.argv.join(' ')).toMatch(new RegExp(`^${step}`));
});

describe('what the bucket is beyond its name', () => {
  const LIFECYCLE = '{"Rules":[{"ID":"rule-1","Status":"Enabled","Filter":{"Prefix":"a b%s/"},"Expiration":{"Days":90}}]}';
  const steps = (mc: FakeProgram) => mc.calls.map((call) => call.argv.join(' ')).filter((step) => /^(version|ilm|quota)/.test(step));

  /** An `mc` that knows the versioning of the bucket, in front of the one that records. */
  function versioned(mc: FakeProgram, status: string): string {
    const answer = JSON.stringify({ Op: 'info', status: 'success', url: 'store/models', versioning: { status, MFADelete: '' } });
    const directory = scratch({ mc: `#!/bin/bash\n[ "$1 $2" = 'version info' ] && echo '${answer}'\nexec '${mc.directory}/mc' "$@"\n` });
    chmodSync(join(directory, 'mc'), 0o755);
    return directory;
  }

  test('versioning is switched on, without the folder of the checks', async () => {
    const mc = new FakeProgram('mc');
    expect((await makeBucket(mc, { VERSIONING: 'true', UNVERSIONED_PREFIX: 'x/.mlflow-preflight/' })).code).toBe(0);
    expect(steps(mc)[0]).toBe('version enable --excluded-prefixes x/.mlflow-preflight/ store/models');
  });

  test.each([
    ['Enabled', ['version info --json store/models', 'version suspend store/models']],
    ['Suspended', ['version info --json store/models']],
    ['', ['version info --json store/models']],
  ])('versioning that is "%s" is suspended only where it is on', async (status, calls) => {
    const mc = new FakeProgram('mc');
    expect((await makeBucket(mc, { VERSIONING: 'false' }, [], [versioned(mc, status)])).code).toBe(0);
    expect(steps(mc).slice(0, -2)).toEqual(calls);
  });

  test('the rules go by standard input as they are', async () => {
    const mc = new FakeProgram('mc');
    expect((await makeBucket(mc, { LIFECYCLE })).code).toBe(0);
    expect(steps(mc)).toEqual(['ilm rule import store/models', 'quota clear store/models']);
    expect(mc.calls.find((call) => call.argv[0] === 'ilm')?.stdin).toBe(LIFECYCLE);
  });

  test('it is fine that there are no rules to remove', async () => {
    const stderr = 'mc: <ERROR> Unable to fetch lifecycle rules. The lifecycle configuration does not exist.\n';
    const mc = new FakeProgram('mc', { 'ilm rule rm': [{ stderr, code: 1 }] });
    const { code, stdout, stderr: told } = await makeBucket(mc);
    expect({ code, stdout, stderr: told }).toEqual({ code: 0, stdout: 'Bucket "models" and its user are ready\n', stderr: '' });
  });

  test('the quota is set in bytes', async () => {
    const mc = new FakeProgram('mc');
    expect((await makeBucket(mc, { QUOTA_BYTES: '5368709120' })).code).toBe(0);
    expect(steps(mc).at(-1)).toBe('quota set store/models --size 5368709120');
  });

  test.each(['version enable', 'version info', 'ilm rule import', 'quota set'])('a failing "mc %s" ends it', async (step) => {
    const mc = new FakeProgram('mc', { [step]: [{ stderr: 'mc: <ERROR> No such thing.\n', code: 1 }] });
    const VERSIONING = String(step !== 'version info');
    const { code, stderr } = await makeBucket(mc, { VERSIONING, UNVERSIONED_PREFIX: 'x/', LIFECYCLE, QUOTA_BYTES: '1' });
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'mc: <ERROR> No such thing.\n' });
    expect(mc.calls.at(-1)?.argv.join(' ')).toMatch(new RegExp(`^${step}`));
  });
});
