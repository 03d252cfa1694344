/**
 * What libpq does when the server is gone without a word, as with a node that lost its power: it tries 15 s to connect, and
 * takes a connection for dead on which nothing was acknowledged for 20 s, or no probe after 15 s of silence. By itself it
 * waits for minutes, and with it everybody who waits for an answer.
 *
 * @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
 */
const PATIENCE = { connect_timeout: 15, keepalives_idle: 15, keepalives_interval: 5, keepalives_count: 3, tcp_user_timeout: 20_000 };

/** The URI of a database, without user and password, as SQLAlchemy reads it. */
export function postgresUri(host: string, port: number, database: string): string {
  const parameters = Object.entries(PATIENCE).map(([name, value]) => `${name}=${value}`);
  return `postgresql+psycopg2://${host}:${port}/${database}?${parameters.join('&')}`;
}
