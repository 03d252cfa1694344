import type { CredentialsKeys } from './credentials';
import { PropChecks } from '../validation/prop-checks';

/** The keys of a Secret with user name and password. */
export function secretKeys(checks: PropChecks, keys: CredentialsKeys): Required<CredentialsKeys> {
  const usernameKey = checks.secretKey('usernameKey', keys.usernameKey ?? 'username');
  const passwordKey = checks.secretKey('passwordKey', keys.passwordKey ?? 'password');
  if (usernameKey === passwordKey) {
    checks.fault({
      prop: 'passwordKey',
      value: passwordKey,
      rule: 'user name and password stand under two keys, here both under usernameKey',
      fix: 'pass two different keys',
    });
  }
  return { usernameKey, passwordKey };
}
