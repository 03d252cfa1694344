#!/bin/bash
# Makes the user and the database of the tracking server. Run again, it changes nothing but a password that differs.
set -euo pipefail
export PGPASSFILE=$CREDENTIALS_DIR/pgpass PGDATABASE=postgres PGCONNECT_TIMEOUT=5
PGUSER=$(<"$CREDENTIALS_DIR/admin.username")
export PGUSER

reason=
until answer=$(psql --no-psqlrc --no-password --quiet --command='SELECT 1' 2>&1 >/dev/null); do
  answer=${answer//$'\n'/ } answer=${answer//$'\t'/}
  case $answer in
    *'password authentication failed'* | *'role "'*'" does not exist'*)
      echo "ERROR: PostgreSQL at $PGHOST:$PGPORT refuses the superuser in Secret \"$ADMIN_SECRET\": its password was made when the" \
        "volume was empty, and the Secret has another one now. Put the old value back, or set the new one in the database:" \
        "kubectl exec -it $PGHOST-0 -- psql -U postgres -c '\\password'" >&2
      exit 1 ;;
  esac
  if [ "$answer" != "$reason" ]; then reason=$answer; echo "Waiting for PostgreSQL at $PGHOST:$PGPORT: $reason"; fi
  [ $SECONDS -lt "$DEADLINE_SECONDS" ] || { echo "ERROR: gave up after $DEADLINE_SECONDS s: $reason" >&2; exit 1; }
  sleep 1
done

# The values go in by psql's variables, from files, and a statement that fails is not logged by the server:
# so a password stands neither in an argument nor in a log.
psql --no-psqlrc --no-password --quiet --set=ON_ERROR_STOP=1 <<'SQL'
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
\set username `cat "$CREDENTIALS_DIR/user.username"`
\set password `cat "$CREDENTIALS_DIR/user.password"`
\getenv database DATABASE
SELECT format('CREATE ROLE %I LOGIN', :'username') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'username') \gexec
ALTER ROLE :"username" LOGIN PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'username') WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
SQL
# shellcheck disable=SC2153 # it comes from the pod
echo "Database \"$DATABASE\" and its user are ready"
