import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { ADMIN, Pod, USER } from './fake-api-server';
import { lines } from '../run-script';

const OF_USER = { role: 'user', secretName: 'minio-user', generated: true, generatedUsername: 'minio-', firstUsernameKey: 'id', firstPasswordKey: 'key' };
const user = (generation?: number) => (generation === undefined ? { ...OF_USER, usernameKey: 'id', passwordKey: 'key' } : { ...OF_USER, usernameKey: `id-${generation}`, passwordKey: `key-${generation}`, generation });
/** As PostgreSQL has it: a name that stays, and a password that changes under the same key. */
const superuser = (generation?: number) => ({ role: 'admin', secretName: 'superuser', usernameKey: 'username', passwordKey: 'password', generated: true, generatedUsername: 'postgres', ...(generation === undefined ? {} : { generation, inPlace: true }) });
const SECRETS = { superuser: undefined, 'minio-user': undefined, 'minio-root': undefined };
const QUICKLY = { QUIET_SECONDS: '0' };

const steps = async (pod: Pod, ...names: string[]) => {
  for (const name of names) expect(await pod.run(name, QUICKLY)).toMatchObject({ code: 0, stderr: '' });
};
/** A namespace in which the Job of the first generation has run. */
async function first(admin: object = superuser()): Promise<Pod> {
  const pod = await Pod.with(SECRETS, [admin, user()]);
  await steps(pod, 'prepare', 'publish');
  return pod;
}

describe('of a user', () => {
  test('has keys of its own, and leaves the old values to the pods that have them', async () => {
    const before = await first();
    const old = before.api.values('minio-user');
    const pod = before.another([superuser(), user(2)]);

    await steps(pod, 'prepare');
    expect(pod.api.values('minio-user')).toEqual(old);
    await steps(pod, 'publish');

    const values = pod.api.values('minio-user');
    expect(values).toEqual({ ...old, 'id-2': pod.file('user.username'), 'key-2': pod.file('user.password') });
    expect(values['id-2']).toMatch(/^minio-[a-z0-9]{14}$/);
    expect(new Set([old.id, old.key, values['id-2'], values['key-2']]).size).toBe(4);
  });

  test.each([
    ['is running', { name: 'server-old', keys: [['minio-user', 'key']] as [string, string][] }],
    ['has to be started', { name: 'server-old', keys: [['minio-user', 'id']] as [string, string][], phase: 'Pending' }],
    ['has it in an init container', { name: 'server-old', keys: [['minio-user', 'id']] as [string, string][], init: true }],
  ])('waits for a pod with the old values that %s, and for no other', async (_, old) => {
    const pod = (await first()).another([superuser(), user(2)]);
    await steps(pod, 'prepare', 'publish');
    const others = [
      { name: 'ended', keys: [['minio-user', 'key']] as [string, string][], phase: 'Succeeded' },
      { name: 'new', keys: [['minio-user', 'id-2'], ['minio-user', 'key-2'], ['another', 'key']] as [string, string][] },
    ];
    pod.api.pods = [old, ...others];
    const waiting = pod.start('await', QUICKLY);
    await waiting.saw('Waiting: server-old still uses old values of Secret "minio-user"');
    expect(pod.file('former')).toBeUndefined();

    pod.api.pods = others;

    expect(await waiting.ended).toMatchObject({ code: 0, stderr: '' });
    expect(pod.file('former')).toBe(`${pod.api.values('minio-user').id}\n`);
  });

  test('one pod may take the place of another: nobody has to be seen for a while', async () => {
    const pod = (await first()).another([superuser(), user(2)]);
    await steps(pod, 'prepare', 'publish');
    const waiting = pod.start('await', { QUIET_SECONDS: '4' });
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    pod.api.pods = [{ name: 'late', keys: [['minio-user', 'key']] }];
    await waiting.saw('Waiting: late still uses');
    pod.api.pods = [];

    expect((await waiting.ended).seconds).toBeGreaterThan(6);
  });

  test('forgets the old values when their user is gone, and no others', async () => {
    const pod = (await first()).another([superuser(), user(2)]);
    pod.api.put('minio-user', { note: 'keep me', 'key-file': 'keep me too' });
    await steps(pod, 'prepare', 'publish', 'await');

    const { stdout } = await pod.run('forget');

    expect(stdout).toBe('Secret "minio-user": removed id, key\n');
    expect(pod.api.values('minio-user')).toEqual({ note: 'keep me', 'key-file': 'keep me too', 'id-2': pod.file('user.username'), 'key-2': pod.file('user.password') });
    expect((await pod.run('forget')).stdout).toBe('');
  });

  test('killed after the store knew the new user: the next pod makes the same one, so that none is left behind', async () => {
    const before = await first();
    const killed = before.another([superuser(), user(2)]);
    await steps(killed, 'prepare');

    const next = killed.another();
    await steps(next, 'prepare', 'publish', 'await', 'forget');

    expect(next.file('user.username')).toBe(killed.file('user.username'));
    expect(next.file('user.password')).not.toBe(killed.file('user.password'));
    expect(Object.keys(next.api.values('minio-user')).sort()).toEqual(['id-2', 'key-2']);
  });

  test.each([['publish'], ['await']])('killed after %s: the next pod goes on with the same values', async (last) => {
    const old = (await first()).another();
    const killed = old.another([superuser(), user(2)]);
    await steps(killed, 'prepare', 'publish', ...(last === 'await' ? ['await'] : []));
    const values = killed.api.values('minio-user');

    const next = killed.another();
    await steps(next, 'prepare', 'publish', 'await');

    expect(next.api.values('minio-user')).toEqual(values);
    expect(next.file('former')).toBe(`${values.id}\n`);
    await steps(next, 'forget');
    expect(Object.keys(next.api.values('minio-user')).sort()).toEqual(['id-2', 'key-2']);
  });

  test('a third generation while the second is half done: the Job of the second ends, that of the third ends both', async () => {
    const before = await first();
    const second = before.another([superuser(), user(2)]);
    await steps(second, 'prepare', 'publish');
    second.api.pods = [{ name: 'of-1', keys: [['minio-user', 'key']] }];
    const half = second.start('await', QUICKLY);
    await half.saw('Waiting: of-1');

    const third = before.another([superuser(), user(3)]);
    await steps(third, 'prepare', 'publish');
    const { code, stdout } = await half.ended;
    await steps(second, 'forget');

    expect({ code, last: lines(stdout).at(-1) }).toEqual({ code: 0, last: 'Secret "minio-user" has values of generation 3 by now, and another Job goes on' });
    expect(second.file('former')).toBe('');
    const values = third.api.values('minio-user');
    expect(Object.keys(values).sort()).toEqual(['id', 'id-2', 'id-3', 'key', 'key-2', 'key-3']);
    third.api.pods = [];
    await steps(third, 'await', 'forget');
    expect(third.file('former')!.split('\n').filter(Boolean).sort()).toEqual([values.id, values['id-2']].sort());
    expect(Object.keys(third.api.values('minio-user')).sort()).toEqual(['id-3', 'key-3']);
  });

  test('the way back makes new values under the old number', async () => {
    const second = (await first()).another([superuser(), user(2)]);
    await steps(second, 'prepare', 'publish', 'await', 'forget');
    const old = second.api.values('minio-user');
    await steps(second.another([superuser(), user(3)]), 'prepare', 'publish', 'await', 'forget');

    const back = second.another();
    await steps(back, 'prepare', 'publish', 'await', 'forget');

    const values = back.api.values('minio-user');
    expect(Object.keys(values).sort()).toEqual(['id-2', 'key-2']);
    expect(values['key-2']).not.toBe(old['key-2']);
  });

  test('a Secret that was emptied in the middle gets values again, and its former users end all the same', async () => {
    const pod = (await first()).another([superuser(), user(2)]);
    const { id } = pod.api.values('minio-user');
    await steps(pod, 'prepare', 'publish');
    pod.api.empty('minio-user');

    const next = pod.another();
    await steps(next, 'prepare', 'publish', 'await', 'forget');

    expect(Object.keys(next.api.values('minio-user')).sort()).toEqual(['id-2', 'key-2']);
    expect(lines(next.file('former')!)).toEqual([id]);
  });

  test('and where the store knows the user of this generation, it gets another one, after whom the known one ends too', async () => {
    const pod = (await first()).another([superuser(), user(2)]);
    const { id } = pod.api.values('minio-user');
    await steps(pod, 'prepare', 'publish');
    const known = pod.api.values('minio-user')['id-2'];
    pod.api.empty('minio-user');

    const next = pod.another();
    await steps(next, 'prepare');
    renameSync(join(next.directory, 'user.other'), join(next.directory, 'user.username'));
    await steps(next, 'publish', 'await', 'forget');

    expect(lines(next.file('former')!)).toEqual([id, known].sort());
  });

  test('a rotation has no other name at hand: the Secret has the values of the former generation', async () => {
    const pod = (await first()).another([superuser(), user(2)]);
    await steps(pod, 'prepare');
    expect(pod.file('user.other')).toBeUndefined();
  });
});

describe('a Secret that was deleted', () => {
  test('has another user and another password after the next apply, which makes the Job anew', async () => {
    const before = await first();
    const old = before.api.values('minio-user');
    before.api.remake('minio-user');

    await steps(before.another(), 'prepare', 'publish');

    const values = before.api.values('minio-user');
    expect(Object.keys(values).sort()).toEqual(['id', 'key']);
    expect([values.id, values.key]).not.toEqual(expect.arrayContaining([old.id]));
    expect(values.key).not.toBe(old.key);
  });

  test('of the administrator too, in any generation, and he is of that from the start', async () => {
    const pod = (await first()).another([superuser(3), user()]);
    pod.api.remake('superuser');

    await steps(pod, 'prepare', 'publish');

    expect(pod.api.values('superuser')).toEqual({ username: 'postgres', password: pod.file('admin.password') });
    expect(pod.file('admin.successor')).toBeUndefined();
  });
});

describe('of an administrator who keeps his name', () => {
  const rotate = async () => {
    const before = await first();
    return { old: before.api.values('superuser').password, pod: before.another([superuser(2), user()]) };
  };

  test('has the new password in the Secret before the store has it, and in place of the old one afterwards', async () => {
    const { old, pod } = await rotate();

    await steps(pod, 'prepare');
    const successor = pod.file('admin.successor')!;
    expect(pod.api.values('superuser')).toEqual({ username: 'postgres', password: old, 'password-2': successor });
    expect([pod.file('admin.password'), pod.file('pgpass'), pod.file('pgpass.0'), pod.file('pgpass.1')]).toEqual([old, `*:*:*:postgres:${old}\n`, `*:*:*:postgres:${successor}\n`, `*:*:*:postgres:${old}\n`]);
    await steps(pod, 'publish');

    expect(pod.api.values('superuser')).toEqual({ username: 'postgres', password: successor });
    const again = pod.another();
    await steps(again, 'prepare', 'publish');
    expect(again.api.values('superuser')).toEqual({ username: 'postgres', password: successor });
    expect(again.file('admin.successor')).toBeUndefined();
  });

  test('killed before the Secret had it: the next pod tells the store the same one', async () => {
    const { pod } = await rotate();
    await steps(pod, 'prepare');

    const next = pod.another();
    await steps(next, 'prepare', 'publish');

    expect(next.api.values('superuser')).toEqual({ username: 'postgres', password: pod.file('admin.successor') });
  });

  test('a third generation while the second is half done: any of the three may be what the store has', async () => {
    const { old, pod } = await rotate();
    await steps(pod, 'prepare');

    const third = pod.another([superuser(3), user()]);
    await steps(third, 'prepare');

    const passwords = [0, 1, 2].map((position) => third.file(`pgpass.${position}`)!.trim().split(':').at(-1));
    expect(passwords).toEqual([third.file('admin.successor'), old, pod.file('admin.successor')]);
    await steps(third, 'publish');
    expect(third.api.values('superuser')).toEqual({ username: 'postgres', password: passwords[0] });
  });
});

test('of the root user of MinIO: both are in the Secret until the server has started with the new one', async () => {
  const root = (generation?: number) => ({ ...OF_USER, role: 'admin', secretName: 'minio-root', generatedUsername: 'root-', ...(generation === undefined ? { usernameKey: 'id', passwordKey: 'key' } : { usernameKey: `id-${generation}`, passwordKey: `key-${generation}`, generation }) });
  const before = await first(root());
  const pod = before.another([root(2), user()]);
  pod.api.pods = [{ name: 'minio-0', keys: [['minio-root', 'id']] }];

  await steps(pod, 'prepare', 'publish');
  expect(Object.keys(pod.api.values('minio-root')).sort()).toEqual(['id', 'id-2', 'key', 'key-2']);
  expect(JSON.parse(pod.file('config.json')!).aliases.store.accessKey).toBe(pod.api.values('minio-root')['id-2']);
  pod.api.pods = [{ name: 'minio-0', keys: [['minio-root', 'id-2']] }];
  await steps(pod, 'await', 'forget');

  expect(pod.file('former')).toBe('');
  expect(Object.keys(pod.api.values('minio-root')).sort()).toEqual(['id-2', 'key-2']);
});

test('whoever makes no generation of their own is as before', async () => {
  const pod = await Pod.with({ 'minio-root': undefined, 'minio-credentials': undefined }, [ADMIN, USER]);
  await steps(pod, 'prepare', 'publish');
  expect(pod.api.writes.every(({ body }) => !body.includes('annotations'))).toBe(true);
});
