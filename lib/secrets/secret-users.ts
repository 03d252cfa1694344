import { Construct } from 'constructs';
import { appWide } from './app-wide';
import { ICredentials } from './credentials';
import { PropChecks } from '../validation/prop-checks';

interface User {
  /** The prop that says so, and the name of the part that has it. */
  readonly user: string;
  readonly path: string;
}

/**
 * Faults where a Secret, whose values are made up for one user, is that of another user in the app. The first keeps it.
 * Two parts of one name are told by that.
 */
export function rejectSecondUser(
  construct: Construct,
  checks: PropChecks,
  name: string,
  prop: string,
  { secretName, namespace }: { readonly secretName: string; readonly namespace: string },
): void {
  const users = appWide<User>(construct, 'users of generated Secrets');
  // neither of the two names has a colon
  const key = `${namespace}:${secretName}`;
  const first = users.get(key);
  const one: User = { user: `${prop} of ${name}`, path: construct.node.path };
  if (first === undefined) users.set(key, one);
  if (first === undefined || first.user === one.user) return;
  checks.fault({
    prop,
    value: `Secret "${secretName}" in namespace "${namespace}"`,
    rule:
      `a generated Secret is for one user, and it is that of ${first.user} in [${first.path}] already: the Job that fills it last would leave the other ` +
      'with values that its server does not know (InvalidAccessKeyId, password authentication failed)',
    fix: 'pass credentials of its own, such as new Credentials(…) with another secretName',
  });
}

/** Faults where the two users of a store are one, and where a Secret whose values are made up is that of anybody else in the app. */
export function rejectSharedSecrets(construct: Construct, checks: PropChecks, name: string, users: { [prop: string]: ICredentials }): void {
  const earlier: [string, ICredentials][] = [];
  for (const [prop, credentials] of Object.entries(users)) {
    const { secretName, namespace, usernameKey, generated } = credentials;
    const same = earlier.find(([, other]) => other.secretName === secretName && other.namespace === namespace && other.usernameKey === usernameKey);
    if (same !== undefined) {
      checks.fault({
        prop,
        value: `key "${usernameKey}" of Secret "${secretName}" in namespace "${namespace}"`,
        rule: `a server has two users of two names, and this is that of ${same[0]} already: there would be one, with all rights`,
        fix: 'pass another Secret, or other keys of this one',
      });
    } else if (generated) {
      rejectSecondUser(construct, checks, name, prop, credentials);
    }
    earlier.push([prop, credentials]);
  }
}
