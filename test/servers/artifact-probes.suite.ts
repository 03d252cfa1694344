// What the checks of the artifact store leave in it, and what they find of how it deletes.
import { RequestListener, Server, createServer, request } from 'node:http';
import { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { freePort, until } from '../processes';
import { Environment, Result, Script, fixOf, lines, run, scratch, startScript } from '../run-script';
import { Minio, PYTHON } from './servers';

const SCRIPT = startScript();
const KEY = 'minio-Ab12Cd34Ef56Gh';
const SECRET = 'SecretKeyThatNobodyMaySee123456789012345';
const DELETE = ['POST', '?delete'];

jest.setTimeout(60_000);

let minio: Minio;
let proxy: Server;
/** What the store before MinIO does with a request; nothing: MinIO answers. */
let answer: RequestListener | undefined;

beforeAll(async () => {
  minio = await Minio.start();
  for (const bucket of ['plain', 'versioned']) await minio.mc('mb', `s/${bucket}`);
  await minio.mc('version', 'enable', 's/versioned');
  await minio.makeUser(KEY, SECRET, '*');
  // the signature holds, since the header Host is handed on
  proxy = createServer((incoming, outgoing) => {
    if (answer && DELETE[0] === incoming.method && incoming.url!.endsWith(DELETE[1])) return answer(incoming, outgoing);
    const { method, url, headers } = incoming;
    incoming.pipe(
      request(`${minio.url}${url}`, { method, headers }, (from) => {
        outgoing.writeHead(from.statusCode!, from.headers);
        from.pipe(outgoing);
      }),
    );
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
}, 60_000);

beforeEach(() => (answer = undefined));

afterAll(async () => {
  proxy.closeAllConnections();
  proxy.close();
  await minio.stop();
});

function environment(changes: Environment = {}): Environment {
  const endpoint = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  return { AWS_ACCESS_KEY_ID: KEY, AWS_SECRET_ACCESS_KEY: SECRET, MLFLOW_S3_ENDPOINT_URL: endpoint, STARTUP_DEADLINE_SECONDS: '3', TERMINATION_LOG: '/dev/null', HOME: '/nonexistent', ...changes };
}

function start(bucket: string, changes: Environment = {}): Promise<Result> {
  return run([PYTHON, SCRIPT, 'true', `--artifacts-destination=s3://${bucket}/team`], environment(changes));
}

/** Objects, versions and markers. */
async function left(bucket: string): Promise<string> {
  return minio.mc('ls', '--recursive', '--versions', `s/${bucket}`);
}

function refuse(status: number, code: string, message: string): RequestListener {
  return (incoming, outgoing) => {
    incoming.resume();
    outgoing.writeHead(status, { 'Content-Type': 'application/xml' }).end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`);
  };
}

test.each<[string, RequestListener, RegExp, RegExp]>([
  ['wants Content-MD5', refuse(400, 'MissingContentMD5', 'Missing required header for this request: Content-MD5'), /wants a Content-MD5 to delete objects \(MissingContentMD5\)/, /boto3 below 1\.36/],
  ['wants it, and says so otherwise', refuse(400, 'InvalidRequest', 'Missing required header for this request: Content-MD5 OR x-amz-checksum-*'), /wants a Content-MD5 to delete objects \(InvalidRequest\)/, /boto3 below 1\.36/],
  ['has no DeleteObjects', refuse(501, 'NotImplemented', 'A header or query you provided implies functionality that is not implemented'), /does not delete objects as MLflow asks it to \(NotImplemented\)/, /Take a version of the store/],
])('a store that %s ends the start, and holds no probe', async (_what, refusal, title, fix) => {
  answer = refusal;
  for (const bucket of ['plain', 'versioned']) {
    const { code, stderr } = await start(bucket);
    expect(code).toBe(4);
    expect(lines(stderr)[0]).toMatch(title);
    expect(fixOf(stderr)).toMatch(fix);
    expect(await left(bucket)).toBe('');
  }
});

test('a user that may not delete is named, although the store answers 200', async () => {
  await minio.mc('mb', 's/append');
  const policy = join(scratch(), 'policy.json');
  const allow = (actions: string[], resource: string) => ({ Effect: 'Allow', Action: actions.map((action) => `s3:${action}`), Resource: [resource] });
  writeFileSync(policy, JSON.stringify({ Version: '2012-10-17', Statement: [allow(['GetBucketLocation', 'ListBucket'], 'arn:aws:s3:::append'), allow(['GetObject', 'PutObject'], 'arn:aws:s3:::append/*')] }));
  await minio.mc('admin', 'user', 'add', 's', 'append-only', SECRET);
  await minio.mc('admin', 'policy', 'create', 's', 'append-only', policy);
  await minio.mc('admin', 'policy', 'attach', 's', 'append-only', '--user', 'append-only');

  const { code, stderr } = await start('append', { AWS_ACCESS_KEY_ID: 'append-only' });

  expect(code).toBe(5);
  expect(lines(stderr)[0]).toMatch(/denies access to bucket append \(AccessDenied\)/);
  expect(stderr).toMatch(/tried: {2}DELETE s3:\/\/append/);
});

test('start, doctor and monitor leave neither versions nor markers in a versioned bucket', async () => {
  expect(await start('versioned')).toMatchObject({ code: 0, stderr: '' });
  const doctor = await run([PYTHON, SCRIPT, 'doctor', '--artifacts-destination=s3://versioned', '--port=1'], environment());
  expect(doctor.stdout).toMatch(/✓ the artifact store/);
  const port = await freePort();
  const monitor = new Script([PYTHON, SCRIPT, 'monitor', '--artifacts-destination=s3://versioned'], environment({ STARTUP_MONITOR_PORT: String(port) }), [], 30_000);
  await until('the monitor to have looked', async () => (await fetch(`http://127.0.0.1:${port}/ready`)).ok || undefined);
  monitor.kill('SIGTERM');
  await monitor.ended;

  expect(await left('versioned')).toBe('');
});

test('a user that may delete no version is told, and works', async () => {
  await minio.mc('mb', 's/kept');
  await minio.mc('version', 'enable', 's/kept');
  const policy = join(scratch(), 'policy.json');
  writeFileSync(policy, JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: ['s3:*'], Resource: ['arn:aws:s3:::kept', 'arn:aws:s3:::kept/*'] }, { Effect: 'Deny', Action: ['s3:DeleteObjectVersion'], Resource: ['arn:aws:s3:::kept/*'] }] }));
  await minio.mc('admin', 'user', 'add', 's', 'no-versions', SECRET);
  await minio.mc('admin', 'policy', 'create', 's', 'no-versions', policy);
  await minio.mc('admin', 'policy', 'attach', 's', 'no-versions', '--user', 'no-versions');

  const { code, stderr } = await start('kept', { AWS_ACCESS_KEY_ID: 'no-versions' });

  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(/^WARNING: the bucket kept keeps versions, .*s3:DeleteObjectVersion.* below team\/\.mlflow-preflight\/: .*\n$/) });
  expect(await minio.mc('ls', '--recursive', 's/kept')).toBe('');
});
