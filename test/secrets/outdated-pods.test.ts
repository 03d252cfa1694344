import { ADMIN, FakePod, Pod, USER } from './fake-api-server';

const SERVERS = ['minio-0', 'minio-1'];
const ROOT_USER = { ...ADMIN, pods: SERVERS };
const MARK = 'cdk8s-mlflow/outdated-pods';
const VALUES = { 'root-user': 'root-a', 'root-password': 'password-of-the-root-user' };

/** A server, which has its root user from the Secret. */
const server = (name: string, others: Partial<FakePod> = {}): FakePod => ({
  name,
  keys: [
    ['minio-root', 'root-user'],
    ['minio-root', 'root-password'],
  ],
  ...others,
});

async function cluster(values: Record<string, string> | undefined, pods: FakePod[], admin: object = ROOT_USER): Promise<Pod> {
  const pod = await Pod.with({ 'minio-root': values, 'minio-credentials': undefined }, [admin, USER]);
  pod.api.pods = pods;
  return pod;
}

const deleted = (pod: Pod) => pod.api.requests.filter(({ method }) => method === 'DELETE').map(({ path }) => path.split('/').at(-1));

test('servers that run with a root user who was made anew are replaced', async () => {
  const pod = await cluster(undefined, SERVERS.map((name) => server(name)));

  const { code, stdout, stderr } = await pod.run('prepare');

  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toBe(
    'Secret "minio-root": wrote root-password, root-user\n' +
      SERVERS.map((name) => `Pod "${name}" started with what Secret "minio-root" had before, and is replaced\n`).join(''),
  );
  expect([deleted(pod), pod.api.annotations('minio-root')]).toEqual([SERVERS, {}]);
  // and no later run replaces the new ones
  pod.api.pods = SERVERS.map((name) => server(name, { uid: `another ${name}` }));
  expect(await pod.another().run('prepare')).toMatchObject({ code: 0, stdout: 'Secret "minio-root" has all its keys: left as it is\n' });
  expect(deleted(pod)).toEqual(SERVERS);
});

test('one value that is gone is enough', async () => {
  const pod = await cluster({ 'root-user': 'root-a', 'root-password': '' }, [server('minio-0')]);
  await pod.run('prepare');
  expect([deleted(pod), pod.api.values('minio-root')['root-user']]).toEqual([['minio-0'], 'root-a']);
});

test.each<[string, Record<string, string> | undefined, FakePod[], object]>([
  ['a first start: the servers wait for the Secret', undefined, SERVERS.map((name) => server(name, { waits: true })), ROOT_USER],
  ['a first start: there is no pod yet', undefined, [], ROOT_USER],
  ['nothing was lost', VALUES, SERVERS.map((name) => server(name)), ROOT_USER],
  ['a rotation: they have the values of another generation, and their StatefulSet replaces them', VALUES, SERVERS.map((name) => server(name)), { ...ROOT_USER, usernameKey: 'root-user-2', passwordKey: 'root-password-2', firstUsernameKey: 'root-user', firstPasswordKey: 'root-password', generation: 2 }],
  ['pods of others', undefined, [server('minio-2'), server('postgres-0')], ROOT_USER],
  ['they do not have the Secret', undefined, [server('minio-0', { keys: [['another', 'root-user']] })], ROOT_USER],
  ['an administrator for whom no server has to start again', undefined, [server('minio-0')], ADMIN],
])('no server is replaced: %s', async (_, values, pods, admin) => {
  const pod = await cluster(values, pods, admin);
  expect(await pod.run('prepare')).toMatchObject({ code: 0, stderr: '' });
  expect([deleted(pod), pod.api.annotations('minio-root')[MARK]]).toEqual([[], undefined]);
});

test('what a Job that was cut off has left to do is done by the next, and to the same pods only', async () => {
  const pod = await cluster(undefined, SERVERS.map((name) => server(name)));
  pod.api.before = ({ method }) => (method === 'DELETE' ? 500 : undefined);
  expect(await pod.run('prepare', { DEADLINE_SECONDS: '1' })).toMatchObject({ code: 1, stderr: expect.stringContaining('the API server answered 500 to DELETE minio-0') });
  expect(JSON.parse(pod.api.annotations('minio-root')[MARK])).toEqual({ 'minio-0': 'uid of minio-0', 'minio-1': 'uid of minio-1' });
  const tries = deleted(pod).length;

  pod.api.before = () => undefined;
  pod.api.pods = [server('minio-0', { uid: 'made meanwhile' }), server('minio-1')];

  const asked = pod.api.requests.length;

  const { code, stdout, stderr } = await pod.another().run('prepare');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toBe('Secret "minio-root" has all its keys: left as it is\nPod "minio-1" started with what Secret "minio-root" had before, and is replaced\n');
  // each pod once, and no write but the one that takes the mark away
  expect(pod.api.requests.slice(asked).filter(({ method, path }) => method === 'GET' && path.includes('/pods/'))).toHaveLength(2);
  expect(pod.api.requests.slice(asked).filter(({ method }) => method === 'PATCH')).toHaveLength(1);
  expect([deleted(pod).slice(tries), pod.api.annotations('minio-root')]).toEqual([['minio-1'], {}]);
});

test('a pod that is replaced by somebody else at this moment is left alone', async () => {
  const pod = await cluster(undefined, [server('minio-0')]);
  pod.api.before = ({ method }) => {
    if (method === 'DELETE') pod.api.pods = [server('minio-0', { uid: 'made meanwhile' })];
    return undefined;
  };
  expect(await pod.run('prepare')).toMatchObject({ code: 0, stderr: '' });
  expect(pod.api.pods).toEqual([server('minio-0', { uid: 'made meanwhile' })]);
  expect(pod.api.annotations('minio-root')).toEqual({});
});

test('a right that is missing is told, and waited for', async () => {
  const pod = await cluster(undefined, [server('minio-0')]);
  pod.api.before = ({ method }) => (method === 'DELETE' ? 403 : undefined);
  const { code, stdout } = await pod.run('prepare', { DEADLINE_SECONDS: '1' });
  expect([code, stdout]).toEqual([1, expect.stringContaining('Waiting: the API server does not let this Job DELETE Pod "minio-0": its Role or RoleBinding is missing or was changed; apply the manifests again')]);
});
