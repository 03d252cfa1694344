#!/bin/bash
# backup-database.sh save: a dump of the database, and how many rows each table has in the very state of which it is.
# backup-database.sh try: the dump that lies at the destination, restored into a server of its own, and its rows counted.
# backup-database.sh restore: a dump into the database of the stack, all of it or nothing.
set -euo pipefail
trap 'exit 143' TERM
export PGCONNECT_TIMEOUT=5 PGAPPNAME=mlflow-backup HOME=/tmp
uri=postgresql:${DATABASE_URI#postgres*:}
reason=$(mktemp)

fail() { echo "ERROR: $*" >&2; exit 1; }
# run COMMAND...: in the background, so that a SIGTERM is heard
run() { "$@" & wait $!; }
sql() { psql --no-psqlrc --no-password --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --dbname="$uri" "$@"; }
# of the tables of MLflow, in the schema where they are: rows as {"table": count}, in one line
counts() {
  cat <<'SQL'
SELECT coalesce(json_object_agg(relname, (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I.%I', nspname, relname), false, true, '')))[1]::text::bigint ORDER BY relname), '{}')
FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'p') AND NOT relispartition AND nspname = :'schema';
SQL
}
case ${1-} in
  save)
    until schema=$(sql --command="SELECT coalesce((SELECT nspname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = to_regclass('alembic_version')), current_schema())" 2>"$reason"); do
      [ $SECONDS -lt "$DEADLINE_SECONDS" ] || fail "gave up after $DEADLINE_SECONDS s: $(tr '\n' ' ' <"$reason")"
      [ "$(tr '\n' ' ' <"$reason")" = "${said:-}" ] || { said=$(tr '\n' ' ' <"$reason"); echo "Waiting for the database: $said"; }
      sleep 1
    done ;;
  # that of the dump
  *) schema=$(cat "$HANDOVER_FOLDER/schema") ;;
esac

# entries FILE LIST: what of a dump is restored: the schema itself only where it is not there yet
entries() {
  local there
  there=$(sql --set=schema="$schema" <<<"SELECT to_regnamespace(quote_ident(:'schema')) IS NOT NULL")
  pg_restore --list "$1" | if [ "$there" = t ]; then grep -vE '^[0-9]+; [0-9]+ [0-9]+ (SCHEMA - |COMMENT - SCHEMA )'; else cat; fi >"$2"
}
# as_sql FILE ENTRIES: newer programs set what older servers do not know
as_sql() { pg_restore --no-owner --no-privileges --exit-on-error --use-list="$2" --file=- "$1" | sed '1,/^SELECT pg_catalog.set_config/{/^SET transaction_timeout/d}'; }

save() {
  local dump=$SCRATCH_FOLDER/database.dump started=$SECONDS
  echo "Dumping the database, schema $schema ($(sql --command='SELECT pg_size_pretty(pg_database_size(current_database()))') with its indexes)"
  # counted in the snapshot of which the dump is: nobody stops writing for a backup
  {
    echo '\set QUIET on'
    echo 'SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0;'
    echo 'BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;'
    echo 'SELECT pg_export_snapshot() AS snapshot \gset'
    echo '\setenv SNAPSHOT :snapshot'
    # shellcheck disable=SC2016 # for the shell that psql starts
    echo '\! pg_dump --no-password --format=custom --no-owner --no-privileges --snapshot="$SNAPSHOT" --schema="$DUMP_SCHEMA" --dbname="$DUMP_URI" --file="$DUMP_FILE" || rm -f "$DUMP_FILE"'
    echo '\o :counts'
    counts
    echo '\o'
    echo "SELECT json_build_object('server', current_setting('server_version')) \\g :facts"
    echo 'COMMIT;'
  } >/tmp/save.sql
  DUMP_URI=$uri DUMP_SCHEMA=$schema DUMP_FILE=$dump run psql --no-psqlrc --no-password --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --dbname="$uri" \
    --set=schema="$schema" --set=counts=/tmp/counts --set=facts=/tmp/facts --file=/tmp/save.sql
  [ -s "$dump" ] || fail 'pg_dump could not dump the database; the lines above say why. No room left: raise scratchSize of the backup'
  revision() { [ "$(sql --command="SELECT to_regclass('$1') IS NOT NULL")" = f ] || sql --command="SELECT version_num FROM $1"; }
  printf '{"file": "database.dump", "schema": "%s", "bytes": %d, "sha256": "%s", "revision": "%s", "login_revision": "%s", "server": %s, "tables": %s}' \
    "$schema" "$(stat --format=%s "$dump")" "$(sha256sum "$dump" | cut -d' ' -f1)" "$(revision alembic_version)" "$(revision alembic_version_auth)" \
    "$(cat /tmp/facts)" "$(cat /tmp/counts)" >"$HANDOVER_FOLDER/database.json"
  printf '%s' "$schema" >"$HANDOVER_FOLDER/schema"
  echo "Dumped $(stat --format=%s "$dump") bytes in $((SECONDS - started)) s"
}

# a server for this pod only, which no port leads to: the user of the database may make none beside it
try() {
  local data=$SCRATCH_FOLDER/trial dump=$SCRATCH_FOLDER/trial.dump started=$SECONDS
  rm -rf "$data"
  # initdb wants a name for whoever runs it
  if ! getent passwd "$(id -u)" >/dev/null; then
    printf 'trial:x:%s:%s::/tmp:/bin/false\n' "$(id -u)" "$(id -g)" >/tmp/passwd
    printf 'trial:x:%s:\n' "$(id -g)" >/tmp/group
    export NSS_WRAPPER_PASSWD=/tmp/passwd NSS_WRAPPER_GROUP=/tmp/group
    LD_PRELOAD=$(find /usr/lib -name libnss_wrapper.so -print -quit)
    export LD_PRELOAD
  fi
  initdb --pgdata="$data" --username=trial --auth=trust --encoding=UTF8 --locale=C --no-sync >/tmp/initdb.log 2>&1 || { cat /tmp/initdb.log >&2; fail 'the server for the trial could not be made'; }
  postgres -D "$data" -c listen_addresses= -c unix_socket_directories=/tmp -c fsync=off -c full_page_writes=off -c max_wal_size=256MB -c shared_buffers=64MB -c logging_collector=off >/tmp/trial.log 2>&1 &
  local server=$!
  trap 'kill -INT '"$server"' 2>/dev/null; exit 143' TERM
  # the settings of the other server are not for this one
  unset "${!PG@}"
  export PGUSER=trial PGHOST=/tmp PGPORT=5432
  uri=postgresql:///postgres
  until sql --command='SELECT 1' >/dev/null 2>"$reason"; do
    if ! kill -0 "$server" 2>/dev/null || [ $((SECONDS - started)) -gt 60 ]; then tail -n 20 /tmp/trial.log >&2; fail "the server for the trial did not start: $(cat "$reason")"; fi
    sleep 0.2
  done
  sql --command='CREATE DATABASE trial TEMPLATE template0'
  uri=postgresql:///trial
  if ! { entries "$dump" /tmp/entries && as_sql "$dump" /tmp/entries | run sql --single-transaction --file=- --output=/dev/null; } 2>/tmp/trial.err; then
    tail -n 5 /tmp/trial.err >&2
    echo '{"tables": {}}' >"$HANDOVER_FOLDER/trial.json"
    echo 'The dump cannot be restored'
  else
    printf '{"tables": %s}' "$(counts | sql --set=schema="$schema" --file=-)" >"$HANDOVER_FOLDER/trial.json"
    echo "Restored the dump of the destination into a server of this pod, in $((SECONDS - started)) s"
  fi
  kill -INT "$server"
  wait "$server" || true
  rm -rf "$data"
}

# A database with nothing but what MLflow makes at its start is emptied; another one only where it may be, and then it is kept in a
# schema. All of it is one transaction, in which nobody else reads or writes.
restore() {
  local dump=$SCRATCH_FOLDER/database.dump started=$SECONDS tries=0 kept
  [ -e "$HANDOVER_FOLDER/plan.json" ] || fail 'there is no plan'
  kept=before_restore_$(date --utc +%Y%m%dt%H%M%Sz)
  entries "$dump" /tmp/entries
  {
    echo "SET lock_timeout = '30s'; SET client_min_messages = 'warning';"
    echo "SELECT set_config('restore.schema', :'schema', true), set_config('restore.kept', :'kept', true), set_config('restore.overwrite', :'overwrite', true), set_config('restore.first', :'first', true), set_config('restore.notes', :'notes', true);"
    cat <<'SQL'
DO $$
DECLARE
  t record; n bigint; taken text := '';
  own text := current_setting('restore.schema'); kept text := current_setting('restore.kept');
BEGIN
  FOR t IN SELECT relname, pg_class.oid::regclass AS name FROM pg_class JOIN pg_namespace s ON s.oid = relnamespace WHERE relkind IN ('r', 'p') AND nspname = own ORDER BY relname LOOP
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', t.name);
    EXECUTE format('SELECT count(*) FROM %s', t.name) INTO n;
    IF NOT current_setting('restore.notes')::jsonb ? t.relname AND n > coalesce((current_setting('restore.first')::jsonb ->> t.relname)::bigint, 0) THEN
      taken := taken || format(' %s (%s rows)', t.relname, n);
    END IF;
  END LOOP;
  IF taken <> '' AND current_setting('restore.overwrite') <> 'true' THEN
    RAISE EXCEPTION 'the database has data:%', taken;
  END IF;
  IF taken <> '' THEN
    EXECUTE format('CREATE SCHEMA %I', kept);
    RAISE WARNING 'what was in the database is kept in its schema %', kept;
  END IF;
  FOR t IN SELECT pg_class.oid::regclass AS name FROM pg_class JOIN pg_namespace s ON s.oid = relnamespace WHERE relkind IN ('r', 'p') AND nspname = own LOOP
    EXECUTE format(CASE WHEN taken <> '' THEN 'ALTER TABLE %s SET SCHEMA %I' ELSE 'DROP TABLE IF EXISTS %s CASCADE' END, t.name, kept);
  END LOOP;
  FOR t IN SELECT p.oid::regprocedure AS name FROM pg_proc p JOIN pg_namespace s ON s.oid = pronamespace WHERE nspname = own
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e') LOOP
    EXECUTE format(CASE WHEN taken <> '' THEN 'ALTER ROUTINE %s SET SCHEMA %I' ELSE 'DROP ROUTINE IF EXISTS %s CASCADE' END, t.name, kept);
  END LOOP;
END $$;
SQL
    as_sql "$dump" /tmp/entries || echo 'SELECT 1/0 AS "the dump could not be read";'
  } >"$SCRATCH_FOLDER/restore.sql"
  until run psql --no-psqlrc --no-password --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --dbname="$uri" --single-transaction --output=/dev/null \
    --set=schema="$schema" --set=kept="$kept" --set=overwrite="${OVERWRITE:-false}" --set=first="$(cat "$HANDOVER_FOLDER/first_rows.json")" --set=notes="$(cat "$HANDOVER_FOLDER/notes.json")" --file="$SCRATCH_FOLDER/restore.sql" 2>/tmp/restore.err; do
    if ! grep -qE 'lock timeout|deadlock' /tmp/restore.err || [ $((tries += 1)) -gt 4 ]; then cat /tmp/restore.err >&2; fail 'the database was not restored, and nothing in it was changed; the lines above say why'; fi
    echo 'Waiting for transactions of the servers to end'
  done
  grep WARNING /tmp/restore.err || true
  rm -f "$SCRATCH_FOLDER/restore.sql"
  echo "Restored the database in $((SECONDS - started)) s"
}

case ${1-} in
  save) save ;;
  try) try ;;
  restore) restore ;;
  *) fail "$0 save|try|restore" ;;
esac
