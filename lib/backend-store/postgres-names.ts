import { PropChecks } from '../validation/prop-checks';

/** PostgreSQL keeps an identifier to 63 bytes. */
const IDENTIFIER = /^[a-z_][a-z0-9_]{0,62}$/;

/** A name of a database or a role that needs no quotes, and is none of those that the server has by itself. */
export function identifier(checks: PropChecks, prop: 'database' | 'username', name: string, taken: string[]): string {
  if (!IDENTIFIER.test(name) || taken.includes(name)) {
    checks.fault({
      prop,
      value: name,
      rule:
        `a ${prop === 'database' ? 'database' : 'user'} name has lower-case letters, digits and "_", no digit first, at most 63 characters, and is none of the server's own (${taken.join(', ')}) ` +
        '(https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS)',
      fix: 'pass a name such as "mlflow"',
    });
  }
  return name;
}
