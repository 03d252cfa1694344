// Backups and restores with real stores: PostgreSQL, the MinIO of the artifacts, and another one for the backups.
import { BackupPods, VAULT } from './backup-pods';
import { Minio, PYTHON, certificate } from './servers';
import { ServedStack, Stores } from './stack';
import { Environment, Script, scratch } from '../run-script';

const tls = certificate();
let stores: Stores;
let vault: Minio;
let pods: BackupPods;

const BUCKET = 's/mlflow-bucket';
const HELD = `s/${VAULT}/mlflow`;
const SECRETS: Environment = { MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY: 'a'.repeat(43) + '=', MLFLOW_CRYPTO_KEK_PASSPHRASE: 'PassphraseThatNobodyMaySee' };

/** What a client logs: parameters in the database, a file in the bucket. */
const LOG = `
import mlflow, os
mlflow.set_experiment(os.environ["EXPERIMENT"])
with mlflow.start_run() as run:
    mlflow.log_param("rate", 0.1)
    mlflow.log_metrics({"loss": 0.5, "accuracy": 0.9})
    mlflow.log_text(os.environ["TEXT"], "folder/note \\u00fc.txt")
print(run.info.run_id)
`;
const READ = `
import mlflow, os
for run in mlflow.MlflowClient().search_runs([e.experiment_id for e in mlflow.search_experiments()], order_by=["attributes.start_time"]):
    print(run.info.run_id, run.data.metrics["loss"], mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/folder/note \\u00fc.txt"))
`;

jest.setTimeout(240_000);

const put = (minio: Minio, path: string, text: string) => minio.mc('cp', '--quiet', `${scratch({ file: text })}/file`, path);
const listed = async (minio: Minio, path: string) => (await minio.mc('find', path).catch(() => '')).split('\n').filter(Boolean).map((found) => found.replace(`${path}/`, '')).sort();
const manifest = async (name: string) => JSON.parse(await vault.mc('cat', `${HELD}/backups/${name}/manifest.json`));
const state = async () => JSON.parse(await vault.mc('cat', `${HELD}/state.json`));
const surroundings = (database: string, bucket = 'mlflow-bucket') => ({
  databaseUri: stores.postgres.uri(database),
  artifacts: `s3://${bucket}`,
  environment: { ...stores.environment, ...SECRETS },
  vault,
  authority: tls.authority,
});

/** A server of a stack with a database, as it is at its first start, and a client of it. */
async function served(database: string): Promise<ServedStack> {
  const stack = await ServedStack.of(stores, database, { trackingServer: { guard: { enabled: false } } });
  await stack.start();
  return stack;
}

beforeAll(async () => {
  [stores, vault] = await Promise.all([Stores.start(), Minio.start({ tls, rootUser: 'root-of-the-vault', rootPassword: 'RootPasswordOfTheVault' })]);
  await Promise.all([stores.makeDatabase('mlflow'), vault.mc('mb', `s/${VAULT}`)]);
  pods = new BackupPods(surroundings('mlflow'));
}, 120_000);

describe('one after the other', () => {
  let first: string;
  let second: string;

  test('a backup of runs and files, tried at once', async () => {
    const mlflow = await served('mlflow');
    await mlflow.client(LOG, { EXPERIMENT: 'kept', TEXT: 'one' });
    await mlflow.client(LOG, { EXPERIMENT: 'kept', TEXT: 'two' });
    await put(stores.minio, `${BUCKET}/1/extra/odd name + % #.txt`, 'odd');
    await put(stores.minio, `${BUCKET}/1/changes.txt`, 'aaaa');
    await put(stores.minio, `${BUCKET}/1/goes.txt`, 'it goes');
    await mlflow.stop();

    const pod = pods.backup();
    const { code, stdout, stderr } = await pod.run();

    expect({ code, stderr }).toMatchObject({ code: 0 });
    first = pod.name;
    const { objects, rows, database, copied } = await manifest(first);
    expect({ objects, copied: copied.copied }).toEqual({ objects: 5, copied: 5 });
    expect(rows).toBeGreaterThan(10);
    expect(database).toMatchObject({ revision: 'dc11669786a5', schema: 'public', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(stdout).toMatch(new RegExp(`Backup ${first} is verified: \\d+ tables with ${rows} rows restored, 5 objects by sha256`));
    expect(await state()).toMatchObject({ verified: { name: first }, succeeded: { name: first, objects: 5, rows, backups: 1 }, failed: null });
  });

  test('no value of a secret is in a log, in an argument or at the destination', async () => {
    const all = await vault.mc('cat', '--', `${HELD}/backups/${first}/manifest.json`, `${HELD}/state.json`);
    for (const value of Object.values({ ...stores.environment, ...SECRETS }).filter((text) => text.length > 20 && !text.startsWith('http'))) expect(all).not.toContain(value);
    expect((await manifest(first)).secrets).toEqual({ salt: expect.any(String), MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY: expect.any(String), MLFLOW_CRYPTO_KEK_PASSPHRASE: expect.any(String) });
  });

  test('the next one copies what is new and what changed, also where the size is the same; what is gone stays for older backups', async () => {
    await put(stores.minio, `${BUCKET}/1/new.txt`, 'new');
    await put(stores.minio, `${BUCKET}/1/changes.txt`, 'bbbb');
    await stores.minio.mc('rm', `${BUCKET}/1/goes.txt`);

    second = await pods.whole();

    expect((await manifest(second)).copied).toEqual({ new: 1, changed: 1, gone: 1, copied: 2, copied_bytes: 7 });
    expect(await listed(vault, `${HELD}/kept/${second}`)).toEqual(['1/changes.txt', '1/goes.txt']);
    expect(await vault.mc('cat', `${HELD}/objects/1/changes.txt`)).toBe('bbbb');
    expect(await vault.mc('cat', `${HELD}/kept/${second}/1/changes.txt`)).toBe('aaaa');
  });

  test('with nothing new nothing is copied', async () => {
    expect((await manifest(await pods.whole())).copied).toMatchObject({ copied: 0, gone: 0 });
  });

  test('a run that is killed in the middle leaves no backup that looks whole, and the next one goes on', async () => {
    await put(stores.minio, `${BUCKET}/1/changes.txt`, 'cccc');
    const before = (await state()).succeeded.name;
    const pod = pods.backup();
    expect(await pod.run('begin', 'compare')).toMatchObject({ code: 0 });
    const killed = pod.container('copy');
    killed.kill('SIGKILL');
    await killed.ended;
    const copied = pods.backup();
    expect(await copied.run('begin', 'copy')).toMatchObject({ code: 0 });
    expect(await vault.mc('cat', `${HELD}/objects/1/changes.txt`)).toBe('cccc');
    for (const { name } of [pod, copied]) expect(await listed(vault, `${HELD}/backups/${name}`)).toEqual([]);

    await put(stores.minio, `${BUCKET}/1/changes.txt`, 'dddd');
    const next = await pods.whole();

    expect(next > before).toBe(true);
    expect(await vault.mc('cat', `${HELD}/objects/1/changes.txt`)).toBe('dddd');
  });

  test('a dump that is damaged at the destination is not taken for good, and older backups stay', async () => {
    const pod = pods.backup({ RETENTION_SECONDS: '1' });
    expect(await pod.run('begin', 'copy')).toMatchObject({ code: 0 });
    expect(await pod.container('seal', {}, ['seal']).ended).toMatchObject({ code: 0 });
    await put(vault, `${HELD}/backups/${pod.name}/database.dump`, 'PGDMP something else');

    const { code, stderr } = await pod.container('seal', {}, ['fetch']).ended;

    expect(code).toBe(12);
    expect(stderr).toContain(`ERROR: the backup ${pod.name} is not good: database.dump has another checksum`);
    expect((await state()).failed).toMatchObject({ cause: 'backup-damaged' });
    expect(await listed(vault, `${HELD}/backups/${first}`)).toContain('manifest.json');
  });

  test('a dump that restores with other rows than were counted is not good either', async () => {
    const pod = pods.backup();
    expect(await pod.run('begin', 'trial')).toMatchObject({ code: 0 });
    pod.write('trial.json', JSON.stringify({ tables: {} }));

    const { code, stderr } = await pod.container('finish').ended;

    expect({ code, title: stderr.split('\n')[0] }).toEqual({ code: 12, title: expect.stringMatching(/is not good: \w+: None rows of \d+/) });
  });

  test('old backups go once a newer one is verified, and what only they needed', async () => {
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const last = await pods.whole({ RETENTION_SECONDS: '1' });
    const left = (await listed(vault, `${HELD}/backups`)).map((path) => path.split('/')[0]);
    expect(left).toContain(last);
    expect(left).not.toContain(first);
    expect((await listed(vault, `${HELD}/kept`)).filter((path) => path.startsWith(second))).toEqual([]);
    expect(await state()).toMatchObject({ failed: null, verified: { name: last } });
  });
});

describe('the way back', () => {
  const FILES = ['1/changes.txt', '1/extra/odd name + % #.txt', '1/new.txt'];
  const ROWS = 'SELECT count(*) FROM params';
  let elsewhere: BackupPods;
  let older: string;

  /** An empty database and an empty bucket, whose names, users and keys are others. */
  async function empty(name: string, artifacts = `s3://${name}/team`): Promise<BackupPods> {
    await stores.postgres.sql('postgres', [`CREATE ROLE ${name} LOGIN PASSWORD %s`, `PasswordOf${name}`], [`CREATE DATABASE ${name} OWNER ${name}`]);
    await stores.minio.mc('mb', `s/${name}`);
    await stores.minio.makeUser(`key-of-${name}`, `SecretOf${name}OfLength`, name);
    const keys = { PGUSER: name, PGPASSWORD: `PasswordOf${name}`, AWS_ACCESS_KEY_ID: `key-of-${name}`, AWS_SECRET_ACCESS_KEY: `SecretOf${name}OfLength` };
    return new BackupPods({ ...surroundings(name), artifacts, environment: { ...stores.environment, ...SECRETS, ...keys } });
  }
  const filesOf = async (name: string) => (await listed(stores.minio, `s/${name}/team`)).filter((path) => FILES.includes(path));

  beforeAll(async () => {
    older = await pods.whole();
    await put(stores.minio, `${BUCKET}/1/changes.txt`, 'eeee');
    await stores.minio.mc('rm', `${BUCKET}/1/new.txt`);
    await put(stores.minio, `${BUCKET}/1/newest.txt`, 'newest');
    await pods.whole();
    elsewhere = await empty('elsewhere');
  }, 120_000);

  test('an older backup under other names: what changed or went since is as it was, what came since is not there', async () => {
    const { code, stdout, stderr } = await elsewhere.restore({ BACKUP: older }).run();

    expect({ code, stderr }).toMatchObject({ code: 0, stderr: '' });
    expect(stdout).toContain(`Restored backup ${older}`);
    expect(await filesOf('elsewhere')).toEqual(FILES);
    expect(await listed(stores.minio, 's/elsewhere/team')).not.toContain('1/newest.txt');
    expect(await stores.minio.mc('cat', 's/elsewhere/team/1/changes.txt')).toBe('dddd');
    expect(await stores.postgres.answers('elsewhere', [ROWS])).toEqual(await stores.postgres.answers('mlflow', [ROWS]));
    expect(await stores.postgres.answers('elsewhere', ["SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"])).toEqual(['elsewhere']);
  });

  test('it is refused where there is data, and changes nothing', async () => {
    await stores.postgres.sql('elsewhere', ["INSERT INTO experiments (name, lifecycle_stage) VALUES ('of here', 'active')"]);
    const { code, stderr, failed } = await elsewhere.restore().run();
    expect({ code, failed, title: stderr.split('\n')[0] }).toEqual({ code: 13, failed: 'look', title: expect.stringMatching(/^ERROR: nothing was restored: the database has data: \d+ /) });
    expect(stderr).toContain('OVERWRITE=true | kubectl apply --filename=-');
    expect(await stores.postgres.answers('elsewhere', ["SELECT count(*) FROM experiments WHERE name = 'of here'"])).toEqual([1]);
  });

  test('with overwrite it is done, and what was there is kept: tables in a schema, files below a prefix', async () => {
    await put(stores.minio, 's/elsewhere/team/9/mine.txt', 'mine');

    const { code, stdout, stderr } = await elsewhere.restore({ OVERWRITE: 'true' }).run();

    expect({ code, stdout }).toMatchObject({ code: 0 });
    const [, schema] = /what was in the database is kept in its schema (\w+)/.exec(stdout)!;
    expect(await stores.postgres.answers('elsewhere', [`SELECT count(*) FROM ${schema}.experiments WHERE name = 'of here'`])).toEqual([1]);
    expect(await stores.postgres.answers('elsewhere', ["SELECT count(*) FROM experiments WHERE name = 'of here'"])).toEqual([0]);
    const [, prefix] = /kept: \d+ objects, below s3:\/\/elsewhere\/team\/(before-restore-\w+)\//.exec(stderr)!;
    expect(await listed(stores.minio, `s/elsewhere/team/${prefix}`)).toEqual(['1/changes.txt', '1/new.txt', '9/mine.txt']);
    expect(await stores.minio.mc('cat', 's/elsewhere/team/1/changes.txt')).toBe('eeee');
    // and it can be backed up and restored again
    expect(await elsewhere.restore({ OVERWRITE: 'true' }).run()).toMatchObject({ code: 0 });
  });

  test('secrets that are missing, or others, are told', async () => {
    const other = await empty('secretless');
    const { code, stderr } = await other.restore({ MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY: '', MLFLOW_CRYPTO_KEK_PASSPHRASE: 'AnotherPassphrase' }).run();
    expect(code).toBe(0);
    expect(stderr).toMatch(/WARNING: key webhook-key of Secret mlflow-server-secrets .* is missing: it opens the secrets of webhooks/);
    expect(stderr).toMatch(/WARNING: key kek-passphrase-1 of Secret mlflow-server-secrets .* is another one than at the time of the backup: it opens the API keys/);
  });

  test('objects that are lost at the destination are told before the database is touched', async () => {
    const other = await empty('lossy');
    const pod = other.restore();
    expect(await pod.run('look', 'objects')).toMatchObject({ code: 0 });
    await stores.minio.mc('rm', 's/lossy/team/1/changes.txt');
    const { code, stderr } = await pod.container('check').ended;
    expect({ code, title: stderr.split('\n')[0] }).toEqual({ code: 13, title: 'ERROR: 1 objects of the backup are not in the bucket: 1/changes.txt' });
    expect(await stores.postgres.answers('lossy', ["SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"])).toEqual([0]);
    // it goes on where it was
    expect(await other.restore().run()).toMatchObject({ code: 0 });
  });

  test('a backup that is not there, and those that are', async () => {
    const { code, stderr } = await elsewhere.restore({ BACKUP: '20200101T000000Z', OVERWRITE: 'true' }).run();
    expect(code).toBe(13);
    expect(stderr).toMatch(new RegExp(`there is no backup 20200101T000000Z at s3://vault/mlflow[^]*${older}`));
  });

  test('a backup of another schema is refused, and says which MLflow it is of', async () => {
    const path = `${HELD}/backups/${older}/manifest.json`;
    const known = await manifest(older);
    await put(vault, path, JSON.stringify({ ...known, mlflow: '3.10.1', database: { ...known.database, revision: '1b5f0d9ad7c1' } }));
    const { code, stderr } = await elsewhere.restore({ BACKUP: older, OVERWRITE: 'true' }).run();
    await put(vault, path, JSON.stringify(known));
    expect({ code, title: stderr.split('\n')[0] }).toEqual({ code: 13, title: expect.stringContaining('is of another version of MLflow: it is at revision 1b5f0d9ad7c1') });
    expect(stderr).toContain('Give the stack the image of MLflow 3.10.1');
  });

  test('an empty stack at the place of the old one does not back itself up', async () => {
    await stores.makeDatabase('lost');
    const first = await ServedStack.of(stores, 'lost', {});
    await first.start();
    await first.stop();
    const { code, stderr, failed } = await new BackupPods(surroundings('lost')).backup().run();
    expect({ code, failed, title: stderr.split('\n')[0] }).toEqual({ code: 12, failed: 'compare', title: expect.stringMatching(/^ERROR: the database is empty, and its last backup, \w+, is not/) });
  });

  test('an empty bucket is backed up as well, and the administrator of a login gets the password of the stack', async () => {
    const LOGIN = `
import os, sys
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as Tracking
from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore
uri = os.environ["DATABASE_URI"]
store = SqlAlchemyStore()
if sys.argv[1] == "make":
    Tracking(uri, "mlflow-artifacts:/").create_experiment("mine")
    store.init_db(uri)
    store.create_user("admin", "PasswordOfBefore", is_admin=True)
    store.create_user("somebody", "PasswordOfSomebody")
else:
    store.init_db(uri)
    print([store.authenticate_user(*pair) for pair in (("admin", "PasswordOfBefore"), ("admin", "PasswordOfHere"), ("somebody", "PasswordOfSomebody"))])
`;
    const [from, to] = [await empty('withlogin'), await empty('otherlogin')];
    const python = async ({ at }: BackupPods, word: string) => {
      const { code, stdout, stderr } = await new Script([PYTHON, '-c', LOGIN, word], { ...at.environment, DATABASE_URI: at.databaseUri, HOME: scratch() }, [], 60_000).ended;
      if (code !== 0) throw new Error(stderr);
      return stdout.trim();
    };
    const destination = { BACKUP_DESTINATION: `s3://${VAULT}/login` };
    await python(from, 'make');
    await from.whole(destination);

    const admin = { MLFLOW_AUTH_ADMIN_USERNAME: 'admin', MLFLOW_AUTH_ADMIN_PASSWORD: 'PasswordOfHere' };
    const { code, stdout, stderr } = await to.restore({ ...destination, ...admin }).run();

    expect({ code, stdout, stderr }).toMatchObject({ code: 0 });
    expect(stdout).toContain('The password of the administrator admin is that of this stack');
    expect(await python(to, 'try')).toBe('[False, True, True]');
  });

  test('a server that runs has made its tables before, and serves what was restored with no step by hand', async () => {
    const there = await Stores.start();
    await there.makeDatabase('mlflow');
    const mlflow = await ServedStack.of(there, 'mlflow', {});
    await mlflow.start();
    expect(await mlflow.client(READ)).toBe('');

    const { code, stdout } = await new BackupPods({ ...surroundings('mlflow'), databaseUri: there.postgres.uri('mlflow'), environment: { ...there.environment, ...SECRETS } }).restore().run();

    expect({ code, stdout }).toMatchObject({ code: 0 });
    const read = (await mlflow.client(READ)).split('\n').map((line) => line.split(' ').slice(1));
    expect(read).toEqual([['0.5', 'one'], ['0.5', 'two']]);
    await mlflow.client(LOG, { EXPERIMENT: 'kept', TEXT: 'three' });
    await mlflow.stop();
  });
});
