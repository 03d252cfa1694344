import { PropChecks } from '../validation/prop-checks';

/** How a Secret names its keys. */
export interface CredentialsKeys {
  /**
   * Key under which the user name (or access key id) stands.
   *
   * @default "username"
   */
  readonly usernameKey?: string;

  /**
   * Key under which the password (or secret access key) stands.
   *
   * @default "password"
   */
  readonly passwordKey?: string;
}

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
