#!/bin/bash
# Makes the user and the database of the tracking server. Run again, it changes nothing but a password or an owner that differs.
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

# A database of a volume that was kept, or of a dump, may belong to a former user, and MLflow changes tables only as their
# owner. Whose it was tell the owner of the database and that of the table in which MLflow keeps its version: REASSIGN OWNED
# would take other databases of the same role along, and refuses the roles that PostgreSQL itself needs.
hand_over() {
  # shellcheck disable=SC2153 # the container sets DATABASE
  PGDATABASE=$DATABASE psql --no-psqlrc --no-password --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 <<'SQL'
\set username `cat "$CREDENTIALS_DIR/user.username"`
BEGIN;
SET LOCAL lock_timeout = '30s';
SELECT coalesce(array_agg(oid), '{}') AS former, coalesce(string_agg(rolname, ', '), '') AS names FROM pg_roles
 WHERE rolname <> :'username' AND oid IN (
       SELECT datdba FROM pg_database WHERE datname = current_database()
       UNION ALL SELECT relowner FROM pg_class WHERE oid = to_regclass('public.alembic_version'))
\gset
SELECT format('ALTER DATABASE %I OWNER TO %I', datname, :'username') FROM pg_database
 WHERE datname = current_database() AND datdba = ANY (:'former'::oid[])
\gexec
-- since version 15 the schema is that of the owner of the database anyway
SELECT format('ALTER SCHEMA public OWNER TO %I', :'username') FROM pg_namespace
 WHERE nspname = 'public' AND pg_get_userbyid(nspowner) <> 'pg_database_owner'
   AND (nspowner = ANY (:'former'::oid[]) OR NOT has_schema_privilege(:'username', oid, 'CREATE'))
\gexec
-- a sequence goes with the column that it is for, and what an extension made stays with it; a superuser keeps its views
SELECT format('ALTER TABLE public.%I OWNER TO %I', relname, :'username') FROM pg_class JOIN pg_roles ON pg_roles.oid = relowner
 WHERE relnamespace = to_regnamespace('public') AND relowner = ANY (:'former'::oid[])
   AND relkind = ANY (CASE WHEN rolsuper THEN '{r,p,S}' ELSE '{r,p,S,v,m,f}' END::"char"[])
   AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid
                   AND (deptype = 'e' OR relkind = 'S' AND deptype IN ('a', 'i')))
\gexec
COMMIT;
SELECT format('Database "%s" and its tables belonged to %s, and are handed over', current_database(), :'names') WHERE :'names' <> '';
SQL
}
if ! answer=$(hand_over 2>&1); then
  answer=${answer//$'\n'/ } answer=${answer//$'\t'/}
  # shellcheck disable=SC2153 # it comes from the pod
  echo "ERROR: database \"$DATABASE\" cannot be handed over from its former owner to the user in Secret \"$USER_SECRET\": $answer." \
    "This is tried again: end what uses its tables, or make the user their owner in the database, as a superuser:" \
    "kubectl exec -it $PGHOST-0 -- psql -U postgres -d $DATABASE" >&2
  exit 1
fi
[ -z "$answer" ] || echo "$answer"
echo "Database \"$DATABASE\" and its user are ready"
