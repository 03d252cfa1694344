import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Peer, checkPeers } from '../../lib/validation/peers';
import { PEER_DEPENDENCIES } from '../../lib/assets.generated';

const RANGES = { a: '^2.5.6', b: '^10.3.0' };
const peer = (name: string, version: string): Peer => ({ name, read: () => ({ version }) });
const unreadable = (name: string): Peer => ({
  name,
  read: () => {
    throw new Error(`Package subpath './package.json' is not defined by "exports" in ${name}`);
  },
});
const found = (version: string) => () => checkPeers([peer('a', version)], RANGES);

test.each(['2.5.6', '2.5.7', '2.6.0', '2.10.0', '2.70.106', '2.5.6+build'])('%s is in ^2.5.6', (version) => {
  expect(found(version)).not.toThrow();
});

test.each(['2.5.5', '2.4.9', '2.0.0', '1.9.9', '3.0.0', '0.0.0', '22.5.6'])('%s is not in ^2.5.6', (version) => {
  expect(found(version)).toThrow(`a got ${version}, needs ^2.5.6`);
});

test('one sentence names all that is wrong and the command that mends it, without a stack', () => {
  let error: Error | undefined;
  try {
    checkPeers([peer('a', '1.0.0'), peer('b', '9.0.0')], RANGES);
  } catch (thrown) {
    error = thrown as Error;
  }
  expect(error?.message).toBe(
    'cdk8s-mlflow: a got 1.0.0, needs ^2.5.6; b got 9.0.0, needs ^10.3.0. Rule: these libraries are peers, which the app installs once for all that use them ' +
      '(https://docs.npmjs.com/cli/configuring-npm/package-json#peerdependencies). Fix: npm install a@^2.5.6 b@^10.3.0',
  );
  expect(error?.stack).toBe(error?.message);
});

test('a package.json that cannot be read is no reason to stop', () => {
  expect(() => checkPeers([unreadable('a')], RANGES)).not.toThrow();
});

test('the ranges are those of package.json, and of a form that can be compared', () => {
  const { peerDependencies } = JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8')) as { peerDependencies: object };
  expect(PEER_DEPENDENCIES).toEqual(peerDependencies);
  for (const range of Object.values(PEER_DEPENDENCIES)) expect(range).toMatch(/^\^[1-9]\d*\.\d+\.\d+$/);
});

test('the peers beside this checkout fit', () => {
  expect(() => checkPeers()).not.toThrow();
});
