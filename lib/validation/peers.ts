import { PEER_DEPENDENCIES } from '../assets.generated';

/** A library that stands beside this one in the app, at the version that is installed. */
export interface Peer {
  readonly name: string;
  /** Reads its package.json. */
  readonly read: () => { readonly version: string };
}

/* eslint-disable @typescript-eslint/no-require-imports -- what cannot be read has to be caught, and a bundler needs each name as it is */
const PEERS: Peer[] = [
  { name: 'cdk8s', read: () => require('cdk8s/package.json') as { version: string } },
  { name: 'cdk8s-plus-28', read: () => require('cdk8s-plus-28/package.json') as { version: string } },
  { name: 'constructs', read: () => require('constructs/package.json') as { version: string } },
];
/* eslint-enable */

/**
 * Throws one sentence for all peers that do not fit, before a later line fails somewhere inside one of them.
 * Where a package.json cannot be read, there is nothing to compare.
 */
export function checkPeers(peers: Peer[] = PEERS, ranges: { [name: string]: string } = PEER_DEPENDENCIES): void {
  const wrong = peers.flatMap(({ name, read }) => {
    try {
      const { version } = read();
      return satisfies(version, ranges[name]) ? [] : [{ name, found: version }];
    } catch {
      return [];
    }
  });
  if (wrong.length === 0) return;
  const error = new Error(
    `cdk8s-mlflow: ${wrong.map(({ name, found }) => `${name} got ${found}, needs ${ranges[name]}`).join('; ')}. ` +
      'Rule: these libraries are peers, which the app installs once for all that use them (https://docs.npmjs.com/cli/configuring-npm/package-json#peerdependencies). ' +
      `Fix: npm install ${wrong.map(({ name }) => `${name}@${ranges[name]}`).join(' ')}`,
  );
  error.stack = error.message;
  throw error;
}

/** Whether a version is in a range `^x.y.z` with x above 0, the only kind there is in package.json. */
function satisfies(version: string, range: string): boolean {
  const [wanted, found] = [range.slice(1), version].map((text) => text.split(/[.+-]/).slice(0, 3).map(Number));
  if (found[0] !== wanted[0]) return false;
  const differs = found.findIndex((part, index) => part !== wanted[index]);
  return differs === -1 || found[differs] > wanted[differs];
}
