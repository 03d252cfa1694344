import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { Server, createServer } from 'node:https';
import { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Testing } from 'cdk8s';
import { ExternalS3, ExternalS3Props, S3Checksums } from '../../lib/artifact-store/external-s3';
import { CloudNativePg } from '../../lib/backend-store/cloud-native-pg';
import { ExternalPostgres, ExternalPostgresProps, PostgresTlsMode } from '../../lib/backend-store/external-postgres';
import { Credentials } from '../../lib/secrets/credentials';
import { k8s } from '../../imports/k8s';
import { faults } from '../helpers';
import { Served, freePort, until } from '../processes';
import { Environment, run, scratch, startScript } from '../run-script';
import { Minio, PYTHON, Postgres } from './servers';

const SCRIPT = startScript();
const KEY = 'minio-Ab12Cd34Ef56Gh';
const SECRET = 'SecretKeyThatNobodyMaySee123456789012345';
const PASSWORD = 'p@ss:w/o?rd#%20 &';
const SECRETS: Environment = { AWS_ACCESS_KEY_ID: KEY, AWS_SECRET_ACCESS_KEY: SECRET, PGUSER: 'mlflow', PGPASSWORD: PASSWORD };
const CONNECT = `
import psycopg2, sys
connection = psycopg2.connect(sys.argv[1].replace("+psycopg2", ""), connect_timeout=5)
cursor = connection.cursor()
cursor.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
print("encrypted" if cursor.fetchone()[0] else "plain")
`;

/** A store below a path, as that of Supabase: it signs anew what it hands on to MinIO. Or a proxy that takes the path away and does not. */
const BELOW_A_PATH = `
import http.client, http.server, os, sys
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

port, minio, signs = int(sys.argv[1]), sys.argv[2], sys.argv[3] == "signs"
keys = Credentials(os.environ["ROOT_USER"], os.environ["ROOT_PASSWORD"])


class Handler(http.server.BaseHTTPRequestHandler):
    def do(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.removeprefix("/storage/v1/s3")
        headers = dict(self.headers)
        if path == self.path:
            return self.send_error(404)
        if signs:
            kept = {n: v for n, v in headers.items() if n.lower().startswith(("content-type", "x-amz-checksum", "x-amz-sdk"))}
            request = AWSRequest(self.command, f"http://{minio}{path}", data=body, headers=kept)
            S3SigV4Auth(keys, "s3", "us-east-1").add_auth(request)
            headers = dict(request.prepare().headers)
        there = http.client.HTTPConnection(minio)
        there.request(self.command, path, body, headers)
        answer = there.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do


http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
`;

/** What MLflow's own repository does with an artifact, as the server does. */
const WITH_MLFLOW = `
import sys, tempfile, pathlib
from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

repository = S3ArtifactRepository(sys.argv[1])
with tempfile.TemporaryDirectory() as folder:
    (pathlib.Path(folder) / "a.txt").write_text("content")
    repository.log_artifact(f"{folder}/a.txt", "dir")
    print([file.path for file in repository.list_artifacts("dir")])
    print(pathlib.Path(repository.download_artifacts("dir/a.txt", f"{folder}")).read_text())
    repository.delete_artifacts("dir")
    print(repository.list_artifacts("dir"))
`;

jest.setTimeout(60_000);

let folder: string;
let minio: Minio;
let postgres: Postgres;
let plainPostgres: Postgres;
let tlsStore: Server;

/** An authority, another one, and a certificate from the first: for "localhost", and for the Services that an operator makes. */
function makeCertificates(directory: string): void {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc'];
  for (const name of ['ca', 'other']) openssl('req', '-x509', ...key, '-days', '2', '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.crt`);
  openssl('req', ...key, '-subj', '/CN=server', '-addext', 'subjectAltName=DNS:localhost,DNS:database-rw.mlflow.svc,DNS:database-ro.mlflow.svc', '-keyout', 'server.key', '-out', 'server.csr');
  openssl('x509', '-req', '-in', 'server.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-days', '2', '-copy_extensions', 'copy', '-out', 'server.crt');
}

async function makeUser(server: Postgres): Promise<void> {
  await server.sql('postgres', [`CREATE ROLE mlflow LOGIN PASSWORD '${PASSWORD}'`], ['CREATE DATABASE mlflow OWNER mlflow']);
}

/** PostgreSQL reads a key only where it is its own, and nobody else's. */
async function turnOnTls(server: Postgres): Promise<void> {
  const files = scratch({ 'server.key': '', 'server.crt': readFileSync(join(folder, 'server.crt'), 'utf8') });
  const keyFile = join(files, 'server.key');
  chmodSync(keyFile, 0o600);
  writeFileSync(keyFile, readFileSync(join(folder, 'server.key')));
  if (process.getuid?.() === 0) {
    const id = (flag: string) => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }));
    for (const path of [files, keyFile]) chownSync(path, id('-u'), id('-g'));
    chmodSync(join(files, 'server.crt'), 0o644);
  }
  const settings = [`ssl_cert_file = '${files}/server.crt'`, `ssl_key_file = '${keyFile}'`, 'ssl = on'];
  await server.sql('postgres', ...settings.map((setting) => [`ALTER SYSTEM SET ${setting}`]), ['SELECT pg_reload_conf()']);
}

/** MinIO behind TLS. */
async function terminateTls(target: Minio): Promise<Server> {
  const [key, cert] = ['server.key', 'server.crt'].map((name) => readFileSync(join(folder, name)));
  const server = createServer({ key, cert }, (incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const forwarded = request(`${target.url}${url}`, { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(forwarded);
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  return server;
}

beforeAll(async () => {
  folder = scratch();
  makeCertificates(folder);
  [minio, postgres, plainPostgres] = await Promise.all([Minio.start(), Postgres.start(), Postgres.start()]);
  await Promise.all([makeUser(postgres), makeUser(plainPostgres)]);
  await turnOnTls(postgres);
  await until('TLS', async () => ((await connect({ mode: PostgresTlsMode.REQUIRE })).stdout === 'encrypted\n' ? true : undefined));
  await minio.mc('mb', 's/models');
  await minio.makeUser(KEY, SECRET, 'models');
  tlsStore = await terminateTls(minio);
}, 90_000);

afterAll(() => {
  tlsStore.close();
});

/** What the kubelet makes of a store: the variables, with their Secrets read, and the files where the variables say they are. */
function pod(store: { environment: k8s.EnvVar[]; volumes?: k8s.Volume[]; volumeMounts?: k8s.VolumeMount[] }): Environment {
  const environment = Object.fromEntries(store.environment.map(({ name, value }) => [name, value ?? SECRETS[name]]));
  for (const { name, mountPath } of store.volumeMounts ?? []) {
    const { secret, configMap } = store.volumes!.find((volume) => volume.name === name)!;
    const [source, items] = [secret?.secretName ?? configMap!.name!, (secret ?? configMap)!.items!];
    const mount = scratch(Object.fromEntries(items.map(({ path, key }) => [path, readFileSync(join(folder, `${source}.${key}`), 'utf8')])));
    for (const [variable, value] of Object.entries(environment)) environment[variable] = value.replace(mountPath, mount);
  }
  return environment;
}

function externalPostgres(props: Partial<ExternalPostgresProps>): ExternalPostgres {
  const chart = Testing.chart();
  const credentials = Credentials.fromSecretName(chart, 'User', 'db-user');
  const store = new ExternalPostgres(chart, 'Database', { host: 'localhost', port: postgres.port, credentials, ...props });
  expect(faults(chart)).toEqual([]);
  return store;
}

function connect(tls: ExternalPostgresProps['tls'], props: Partial<ExternalPostgresProps> = {}) {
  const store = externalPostgres({ tls, ...props });
  return run([PYTHON, '-c', CONNECT, store.uri!], pod(store));
}

describe('PostgreSQL', () => {
  const ca = (configMapName: string) => ({ configMapName, key: 'crt' });

  test.each<[string, ExternalPostgresProps['tls'], Partial<ExternalPostgresProps>, string]>([
    ['nothing said', undefined, {}, 'encrypted'],
    ['DISABLE', { mode: PostgresTlsMode.DISABLE }, {}, 'plain'],
    ['PREFER', { mode: PostgresTlsMode.PREFER }, {}, 'encrypted'],
    ['the authority', { ca: ca('ca') }, {}, 'encrypted'],
    ['VERIFY_CA and another host', { ca: ca('ca'), mode: PostgresTlsMode.VERIFY_CA }, { host: '127.0.0.1' }, 'encrypted'],
  ])('with %s a connection is made', async (_, tls, props, outcome) => {
    expect(await connect(tls, props)).toMatchObject({ code: 0, stdout: `${outcome}\n`, stderr: '' });
  });

  test.each<[string, ExternalPostgresProps['tls'], Partial<ExternalPostgresProps>, string]>([
    ['the authority and another host', { ca: ca('ca') }, { host: '127.0.0.1' }, 'does not match host name "127.0.0.1"'],
    ['another authority', { ca: ca('other') }, {}, 'certificate verify failed'],
    ['VERIFY_CA and another authority', { ca: ca('other'), mode: PostgresTlsMode.VERIFY_CA }, {}, 'certificate verify failed'],
  ])('with %s none is made', async (_, tls, props, reason) => {
    const { code, stderr } = await connect(tls, props);
    expect(code).toBe(1);
    expect(stderr).toContain(reason);
  });

  test('a server without TLS is refused, unless it may be one', async () => {
    const { code, stderr } = await connect(undefined, { port: plainPostgres.port });
    expect(code).toBe(1);
    expect(stderr).toContain('server does not support SSL, but SSL was required');
    expect(await connect({ mode: PostgresTlsMode.PREFER }, { port: plainPostgres.port })).toMatchObject({ code: 0, stdout: 'plain\n' });
  });

  test('the replica has user, password and TLS of the server', async () => {
    const store = externalPostgres({ tls: { ca: ca('ca') }, port: plainPostgres.port, readReplica: { host: 'localhost', port: postgres.port } });
    const environment = pod(store);
    expect(await run([PYTHON, '-c', CONNECT, environment.MLFLOW_READ_REPLICA_BACKEND_STORE_URI], environment)).toMatchObject({ code: 0, stdout: 'encrypted\n' });
  });
});

describe('CloudNativePG', () => {
  async function connections(authority: string) {
    // the Secret of the operator with its authority
    copyFileSync(join(folder, authority), join(folder, 'database-ca.ca.crt'));
    const chart = Testing.chart();
    const store = new CloudNativePg(chart, 'Database', { name: 'database', readReplica: true });
    expect(faults(chart)).toEqual([]);
    // the certificate is for the name, and the DNS of a cluster would have the address
    const environment: Environment = { ...pod(store), PGHOSTADDR: '127.0.0.1' };
    const uris = [store.uri!, environment.MLFLOW_READ_REPLICA_BACKEND_STORE_URI];
    return Promise.all(uris.map((uri) => run([PYTHON, '-c', CONNECT, uri.replace(':5432/', `:${postgres.port}/`)], environment)));
  }

  test('the names of its Services are those of the certificate, and user and password come from its Secret', async () => {
    const connected = { code: 0, stdout: 'encrypted\n', stderr: '' };
    expect(await connections('ca.crt')).toMatchObject([connected, connected]);
  });

  test('a server whose certificate is from somebody else is refused', async () => {
    const refused = { code: 1, stderr: expect.stringContaining('certificate verify failed') as string };
    expect(await connections('other.crt')).toMatchObject([refused, refused]);
  });
});

describe('S3', () => {
  function start(props: Partial<ExternalS3Props>) {
    const chart = Testing.chart();
    const credentials = Credentials.fromSecretName(chart, 'Keys', 's3-keys');
    const store = new ExternalS3(chart, 'Store', { bucket: 'models', credentials, ...props });
    expect(faults(chart)).toEqual([]);
    const environment = { ...pod(store), STARTUP_DEADLINE_SECONDS: '2', TERMINATION_LOG: '/dev/null' };
    return run([PYTHON, SCRIPT, 'echo', 'started', `--artifacts-destination=${store.artifactsDestination}`], environment);
  }
  const tlsEndpoint = () => `https://localhost:${(tlsStore.address() as AddressInfo).port}`;

  test('the start script puts, gets and deletes with what the store says', async () => {
    const { code, stdout, stderr } = await start({ endpointUrl: minio.url, prefix: 'mlflow/team-a', checksums: S3Checksums.WHEN_REQUIRED });
    expect(stderr).toBe('');
    expect([code, stdout]).toEqual([0, expect.stringContaining('started --artifacts-destination=s3://models/mlflow/team-a')]);
    expect(await minio.mc('ls', '--recursive', 's/models')).toBe('');
  });

  test('the certificate of the store is checked against the authority', async () => {
    expect(await start({ endpointUrl: tlsEndpoint(), ca: { secretName: 'ca', key: 'crt' } })).toMatchObject({ code: 0, stderr: '' });
  });

  describe('an endpoint with a path', () => {
    const keysOfMinio = () => ({ ROOT_USER: minio.rootUser, ROOT_PASSWORD: minio.rootPassword });
    async function belowAPath(how: string): Promise<string> {
      const port = await freePort();
      new Served([PYTHON, '-c', BELOW_A_PATH, String(port), new URL(minio.url).host, how], keysOfMinio());
      await until('the store below a path', async () => (await fetch(`http://127.0.0.1:${port}/`)).status);
      return `http://127.0.0.1:${port}/storage/v1/s3`;
    }

    test('is taken, by the start script and by MLflow', async () => {
      const endpointUrl = await belowAPath('signs');
      expect(await start({ endpointUrl, prefix: 'team' })).toMatchObject({ code: 0, stderr: '' });
      const environment = { ...SECRETS, MLFLOW_S3_ENDPOINT_URL: endpointUrl, AWS_DEFAULT_REGION: 'us-east-1', HOME: '/nonexistent' };
      const { stdout } = await run([PYTHON, '-c', WITH_MLFLOW, 's3://models/team'], environment);
      expect(stdout).toBe("['dir/a.txt']\ncontent\n[]\n");
    });

    test('that something takes away is named', async () => {
      const { code, stderr } = await start({ endpointUrl: await belowAPath('strips') });
      expect(code).toBe(4);
      expect(stderr).toContain('ERROR: the artifact store does not take the signature of a request to the path "/storage/v1/s3" (SignatureDoesNotMatch)');
    });
  });

  test('names of buckets and regions are refused where MLflow and its S3 client refuse them, and nowhere else', async () => {
    const arn = 'arn:aws:s3:eu-west-1:123456789012';
    const buckets = ['ML_flow', 'a', 'Big.Bucket', '192.0.2.1', 'b--use1-az4--x-s3', 'ap-s3alias', `${arn}:accesspoint/a`, `${arn}:accesspoint:a`, `${arn}:accesspoint:a/b`, `${arn}:bucket/a`, 'a b', 'ä', 'a'.repeat(256), 'a:b'];
    const regions = ['RegionOne', 'GRA', 'us-east-1', '1', '12', '-a', 'a-', 'a_b', 'a.b', 'a'.repeat(63), 'a'.repeat(64)];
    const accepted = (prop: 'bucket' | 'region', values: string[]) =>
      values.map((value) => {
        const chart = Testing.chart();
        const store = new ExternalS3(chart, 'Store', { bucket: 'models', credentials: Credentials.fromSecretName(chart, 'Keys', 's3-keys'), [prop]: value });
        return faults(chart).length === 0 ? store.artifactsDestination : '';
      });
    const code = `
import json, sys
from botocore.handlers import validate_bucket_name
from botocore.utils import validate_region_name
from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

def takes(check, value):
    try:
        check(value)
        return True
    except Exception:
        return False

buckets, regions, uris = json.loads(sys.argv[1])
parsed = [S3ArtifactRepository(uri).parse_s3_compliant_uri(uri)[0] for uri in uris]
print(json.dumps([[takes(lambda b: validate_bucket_name({"Bucket": b}), b) for b in buckets], [takes(validate_region_name, r) for r in regions], parsed]))
`;
    const [ours, ourRegions] = [accepted('bucket', buckets), accepted('region', regions)];
    const uris = ours.filter((uri) => uri !== '');
    const { stdout } = await run([PYTHON, '-c', code, JSON.stringify([buckets, regions, uris])], { HOME: '/nonexistent' });
    expect(JSON.parse(stdout)).toEqual([ours.map((uri) => uri !== ''), ourRegions.map((uri) => uri !== ''), uris.map((uri) => uri.slice('s3://'.length))]);
  });

  test('a region that is no name of AWS is signed for', async () => {
    const openstack = await Minio.start({ region: 'RegionOne' });
    await openstack.mc('mb', 's/models');
    await openstack.makeUser(KEY, SECRET, 'models');
    expect(await start({ endpointUrl: openstack.url, region: 'RegionOne' })).toMatchObject({ code: 0, stderr: '' });
    await openstack.stop();
  });

  test.each([undefined, { secretName: 'other', key: 'crt' }])('with authority %j it is refused', async (ca) => {
    const { code, stderr } = await start({ endpointUrl: tlsEndpoint(), ca });
    expect(code).toBeGreaterThan(0);
    expect(stderr).toContain('CERTIFICATE_VERIFY_FAILED');
  });
});
