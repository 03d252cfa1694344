import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Environment, ROOT, Result, run, scratch } from '../run-script';
import { MC, Minio } from './servers';

const SCRIPT = join(ROOT, 'lib/artifact-store/make-bucket.sh');
const USER = 'minio-0123456789abc';
const SECRET = 'SecretKeyThatNobodyMaySee123456789012345';
const ANOTHER = 'AnotherSecretKey123456789012345678901234';

jest.setTimeout(60_000);

let minio: Minio;

function config(name: string, accessKey: string, secretKey: string): string {
  return JSON.stringify({ version: '10', aliases: { [name]: { url: minio.url, accessKey, secretKey, api: 'S3v4', path: 'auto' } } });
}

let lastCredentials = '';
/** The name that the next container writes into the Secret. */
const published = () => readFileSync(join(lastCredentials, 'user.username'), 'utf8');

/** The script as the bootstrap Job of the store runs it, for a user; with `former`, to end other ones; with `other`, where the Secret was lost. */
function makeBucket(username: string, { former, other, env = {} }: { former?: string[]; other?: string; env?: Environment } = {}): Promise<Result> {
  const files = { ...(other === undefined ? {} : { 'user.other': other }), 'config.json': config('store', minio.rootUser, minio.rootPassword), namespace: 'ml-team', 'user.username': username, 'user.password': SECRET };
  const credentials = scratch(former === undefined ? files : { ...files, former: former.map((name) => `${name}\n`).join('') });
  lastCredentials = credentials;
  const environment = { CREDENTIALS_DIR: credentials, STORE_URL: minio.url, STORE_NAME: 'minio', BUCKET: 'models', REGION: 'us-east-1', POLICY: 'models-only', ADMIN_SECRET_NAME: 'minio-root', DEADLINE_SECONDS: '20', FOLLOW_SECONDS: '0', ...env };
  const bin = scratch();
  symlinkSync(MC, join(bin, 'mc'));
  return run(['bash', SCRIPT, ...(former === undefined ? [] : ['retire'])], environment, [bin]);
}

beforeAll(async () => {
  minio = await Minio.start();
  expect(await makeBucket(USER)).toMatchObject({ code: 0, stdout: 'Bucket "models" and its user are ready\n', stderr: '' });
}, 60_000);

afterAll(() => minio.stop());

/** What mc answers to a user. */
async function as(username: string, ...command: string[]): Promise<string> {
  const folder = scratch({ 'config.json': config('user', username, SECRET) });
  const { code, stdout, stderr } = await run([MC, ...command], { MC_CONFIG_DIR: folder, HOME: folder });
  return code === 0 ? stdout : stderr;
}
/** To the one whose keys the tracking server has. */
const asUser = (...command: string[]) => as(USER, ...command);

test('the user works with the bucket', async () => {
  const file = join(scratch({ a: 'content' }), 'a');

  await asUser('cp', file, 'user/models/a');
  expect(await asUser('cat', 'user/models/a')).toBe('content');
  await asUser('rm', 'user/models/a');
  expect(await asUser('ls', 'user/models')).toBe('');
});

// whoever got the keys of the tracking server would have keys of their own that no rotation ends
test.each([
  ['make keys', ['admin', 'user', 'svcacct', 'add', 'user', USER, '--access-key', 'minted-1', '--secret-key', ANOTHER]],
  ['make keys the newer way', ['admin', 'accesskey', 'create', 'user', '--access-key', 'minted-2', '--secret-key', ANOTHER]],
  ['list keys', ['admin', 'accesskey', 'ls', 'user']],
  ['change its secret', ['admin', 'user', 'add', 'user', USER, ANOTHER]],
  ['change the secret of a key', ['admin', 'user', 'svcacct', 'edit', 'user', 'given', '--secret-key', `${ANOTHER}x`]],
])('it may not %s', async (_what, command) => {
  await minio.mc('admin', 'user', 'svcacct', 'rm', 's', 'given').catch(() => undefined);
  await minio.mc('admin', 'user', 'svcacct', 'add', 's', USER, '--access-key', 'given', '--secret-key', ANOTHER);

  expect(await asUser(...command)).toMatch(/Access Denied/);

  const keys = await minio.mc('admin', 'user', 'svcacct', 'ls', 's', USER);
  expect(keys).toContain('given');
  expect(keys).not.toContain('minted');
  expect(await asUser('ls', 'user/models')).toBe('');
});

test('where the Secret of the user was lost, there is another one, and the one who works is left alone', async () => {
  const [fresh, other] = ['minio-fresh00000000', 'minio-other00000000'];
  expect(await makeBucket(fresh, { other })).toMatchObject({ code: 0, stderr: '' });
  expect(published()).toBe(fresh);
  await minio.mc('admin', 'user', 'add', 's', fresh, ANOTHER);

  expect(await makeBucket(fresh, { other })).toMatchObject({ code: 0, stderr: '' });

  expect(published()).toBe(other);
  expect(await as(other, 'ls', 'user/models')).toBe('');
  expect(await as(fresh, 'ls', 'user/models')).toMatch(/signature we calculated does not match/);
  await makeBucket(other, { former: [fresh, other] });
});

describe('a rotation', () => {
  const [NEXT, THIRD] = ['minio-next000000000', 'minio-third00000000'];

  test('makes a user beside the old one, and both work', async () => {
    expect(await makeBucket(NEXT)).toMatchObject({ code: 0, stderr: '' });

    const file = join(scratch({ a: 'content' }), 'a');
    for (const user of [USER, NEXT]) {
      await as(user, 'cp', file, `user/models/${user}`);
      expect(await as(NEXT, 'cat', `user/models/${user}`)).toBe('content');
    }
  });

  test('and removes the old one, once or twice, however far the try before came', async () => {
    for (const former of [[USER], [USER, 'never-there'], ['never-there', USER]]) expect(await makeBucket(NEXT, { former })).toMatchObject({ code: 0, stderr: '' });

    expect(await as(USER, 'ls', 'user/models')).toMatch(/Access Key Id you provided does not exist/);
    expect(await as(NEXT, 'cat', `user/models/${USER}`)).toBe('content');
    // a generation that was declared meanwhile
    expect(await makeBucket(THIRD)).toMatchObject({ code: 0 });
    expect(await makeBucket(THIRD, { former: [USER, NEXT] })).toMatchObject({ code: 0, stderr: '' });
    expect(await as(NEXT, 'ls', 'user/models')).toMatch(/does not exist/);
    expect(await as(THIRD, 'cat', `user/models/${USER}`)).toBe('content');
  });

  test('of the root user goes on when the server has started again with him, and its users are as they were', async () => {
    const before = minio.rootUser;
    minio.rootUser = 'minio-root-user-next';
    const job = makeBucket(THIRD, { env: { FOLLOW_SECONDS: '30' } });
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await minio.stop();
    await minio.start();

    expect(await job).toMatchObject({ code: 0, stderr: '' });
    expect(await as(THIRD, 'cat', `user/models/${USER}`)).toBe('content');
    minio.rootUser = before;
    expect(await makeBucket(THIRD)).toMatchObject({ code: 1, stderr: expect.stringContaining('refuses the root user in Secret "minio-root"') });
  });
});
