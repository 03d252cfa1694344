#!/bin/bash
# Makes the user and the database of the tracking server. Run again, it changes nothing but a password or an owner that differs.
# With "retire" it ends the users of other generations, whose names are in the file "former".
set -euo pipefail
export PGPASSFILE=$CREDENTIALS_DIR/pgpass PGDATABASE=postgres PGCONNECT_TIMEOUT=5
PGUSER=$(<"$CREDENTIALS_DIR/admin.username")
export PGUSER

ask() { psql --no-psqlrc --no-password --quiet "$@" --set=ON_ERROR_STOP=1; }

# The password of the superuser is the one in the Secret, or the one that a rotation is about to put there.
refused=0 reason=
until answer=$(psql --no-psqlrc --no-password --quiet --command='SELECT 1' 2>&1 >/dev/null); do
  answer=${answer//$'\n'/ } answer=${answer//$'\t'/}
  case $answer in
    *'password authentication failed'* | *'role "'*'" does not exist'*)
      if [ -f "$CREDENTIALS_DIR/pgpass.$refused" ]; then
        PGPASSFILE=$CREDENTIALS_DIR/pgpass.$refused refused=$((refused + 1))
        continue
      fi
      # the pod gives the superuser what the Secret has, when the kubelet has brought it there
      if [ $SECONDS -ge "${FOLLOW_SECONDS:-180}" ]; then
        kubectl="kubectl --namespace $(<"$CREDENTIALS_DIR/namespace")"
        echo "ERROR: PostgreSQL at $PGHOST:$PGPORT refuses the superuser in Secret \"$ADMIN_SECRET_NAME\": its pod sets the password that" \
          "the Secret has, and did not: the user may have another name there than when the volume was made, or the image asks for a" \
          "password on the socket too. The tracking server does not use it, and goes on. Put the old values back, or set the password" \
          "in the pod; this is tried again. run: $kubectl get secret $ADMIN_SECRET_NAME --output" \
          "'jsonpath={.data.${ADMIN_PASSWORD_KEY:-password}}' | base64 --decode | $kubectl exec --stdin $PGHOST-0 -- bash -c 'read -r p || true;" \
          "psql -qU \"\$POSTGRES_USER\" -d postgres <<<\"ALTER ROLE CURRENT_USER PASSWORD \\\$p\\\$\$p\\\$p\\\$\"'" >&2
        exit 1
      fi
      refused=0 PGPASSFILE=$CREDENTIALS_DIR/pgpass ;;
  esac
  if [ "$answer" != "$reason" ]; then reason=$answer; echo "Waiting for PostgreSQL at $PGHOST:$PGPORT: $reason"; fi
  [ $SECONDS -lt "${DEADLINE_SECONDS:=600}" ] || { echo "ERROR: gave up after $DEADLINE_SECONDS s: $reason" >&2; exit 1; }
  sleep 1
done

# The owner of the database keeps its objects, and is a login no more. Another one is dropped, unless other databases need it.
retire() {
  while read -r former; do
    export former
    # shellcheck disable=SC2153 # the container sets DATABASE
    PGDATABASE=$DATABASE ask <<'SQL'
\getenv former former
SELECT format('ALTER ROLE %I NOLOGIN PASSWORD NULL', rolname) FROM pg_roles WHERE rolname = :'former' AND NOT rolsuper
\gexec
SELECT count(pg_terminate_backend(pid)) AS ended FROM pg_stat_activity JOIN pg_roles ON rolname = usename WHERE usename = :'former' AND NOT rolsuper
\gset
SQL
    PGDATABASE=$DATABASE ask <<'SQL' || true
\getenv former former
SELECT format(statement, rolname, datdba::regrole) FROM pg_roles, pg_database,
       unnest(ARRAY['REASSIGN OWNED BY %1$I TO %2$s', 'DROP OWNED BY %1$I', 'DROP ROLE %1$I']) WITH ORDINALITY AS steps (statement, position)
 WHERE rolname = :'former' AND NOT rolsuper AND datname = current_database() AND datdba <> pg_roles.oid ORDER BY position
\gexec
SQL
    echo "User \"$former\" of another generation cannot log in any more"
  done <"$CREDENTIALS_DIR/former"
}
if [ "${1:-}" = retire ]; then retire; exit; fi

# The Secret of the user was deleted or emptied: pods go on with the user that they know, and the next ones have another.
if [ -f "$CREDENTIALS_DIR/user.other" ]; then
  known=$(ask --tuples-only --no-align <<'SQL'
\set username `cat "$CREDENTIALS_DIR/user.username"`
SELECT rolname FROM pg_roles WHERE rolname = :'username' AND rolcanlogin
SQL
)
  if [ -n "$known" ]; then mv "$CREDENTIALS_DIR/user.other" "$CREDENTIALS_DIR/user.username"; else rm "$CREDENTIALS_DIR/user.other"; fi
fi

# The values go in by psql's variables, from files, and a statement that fails is not logged by the server:
# so a password stands neither in an argument nor in a log. A user who comes after another acts as the owner of the database: no
# table changes hands, so that none is locked while both work.
ask <<'SQL'
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET client_min_messages = 'warning';
\set successor `cat "$CREDENTIALS_DIR/admin.successor" 2>/dev/null || true`
SELECT format('ALTER ROLE CURRENT_USER PASSWORD %L', :'successor') WHERE :'successor' <> '' \gexec
\set username `cat "$CREDENTIALS_DIR/user.username"`
\set password `cat "$CREDENTIALS_DIR/user.password"`
\getenv database DATABASE
\set usual `cat "$CREDENTIALS_DIR/user.usual" 2>/dev/null || true`
\set generation 1
\getenv generation GENERATION
SELECT format('CREATE ROLE %I LOGIN', :'username') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'username') \gexec
ALTER ROLE :"username" LOGIN PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'username') WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
SELECT format(statement, rolname, :'database', :'username') FROM pg_database JOIN pg_roles ON pg_roles.oid = datdba,
       unnest(ARRAY['GRANT %1$I TO %3$I', 'ALTER ROLE %3$I IN DATABASE %2$I SET role TO %1$I']) AS statement
 WHERE (:generation > 1 OR rolname = :'usual') AND datname = :'database' AND NOT rolsuper AND rolname <> :'username'
\gexec
-- The other databases are no business of the user, such as that of the superuser, in which everybody may connect by default.
-- One whose rights somebody has set is left alone.
SELECT format('REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM PUBLIC', datname) FROM pg_database
 WHERE datname <> :'database' AND datallowconn AND (datacl IS NULL OR datname = 'template1')
\gexec
SQL

[ ! -f "$CREDENTIALS_DIR/admin.successor" ] || PGPASSFILE=$CREDENTIALS_DIR/pgpass.0

# A database of a volume that was kept, or of a dump, may belong to a former user, and MLflow changes tables only as their
# owner. Whose it was tell the owner of the database and that of the table in which MLflow keeps its version: REASSIGN OWNED
# would take other databases of the same role along, and refuses the roles that PostgreSQL itself needs.
hand_over() {
  # shellcheck disable=SC2153 # the container sets DATABASE
  PGDATABASE=$DATABASE ask --tuples-only --no-align <<'SQL'
\set username `cat "$CREDENTIALS_DIR/user.username"`
\set usual `cat "$CREDENTIALS_DIR/user.usual" 2>/dev/null || true`
\set generation 1
\getenv generation GENERATION
SELECT coalesce((SELECT rolname FROM pg_database JOIN pg_roles ON pg_roles.oid = datdba
 WHERE (:generation > 1 OR rolname = :'usual') AND datname = current_database() AND NOT rolsuper), :'username') AS username
\gset
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
  echo "ERROR: database \"$DATABASE\" cannot be handed over from its former owner to the user in Secret \"$USER_SECRET_NAME\": $answer." \
    "This is tried again: end what uses its tables, or make the user their owner in the database, as a superuser:" \
    "kubectl --namespace $(<"$CREDENTIALS_DIR/namespace") exec -it $PGHOST-0 -- psql -U $PGUSER -d $DATABASE" >&2
  exit 1
fi
[ -z "$answer" ] || echo "$answer"
echo "Database \"$DATABASE\" and its user are ready"
