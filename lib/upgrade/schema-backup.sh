#!/bin/bash
# schema-backup.sh save: a dump of the database before its schema is upgraded, where it has to be.
# schema-backup.sh restore: puts the newest dump back, or the one in $DUMP; what was there is kept as a dump, too.
set -euo pipefail
trap 'exit 143' TERM
export PGCONNECT_TIMEOUT=5 PGAPPNAME=schema-backup HOME=/tmp
uri=postgresql:${DATABASE_URI#postgres*:}
reason=$(mktemp) contents=$(mktemp)

fail() { echo "ERROR: $*" >&2; exit 1; }
# run COMMAND...: in the background, so that a SIGTERM is heard
run() { "$@" & wait $!; }
sql() { psql --no-psqlrc --no-password --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --dbname="$uri" "$@"; }
# revision TABLE: that of the schema; nothing where there is no such table
revision() {
  local there
  there=$(sql --command="SELECT to_regclass('$1') IS NOT NULL" 2>"$reason") || return
  [ "$there" = f ] || sql --command="SELECT version_num FROM $1" 2>"$reason"
}
until mlflow=$(revision alembic_version); do
  [ $SECONDS -lt "$DEADLINE_SECONDS" ] || fail "gave up after $DEADLINE_SECONDS s: $(tr '\n' ' ' <"$reason")"
  [ "$(tr '\n' ' ' <"$reason")" = "${said:-}" ] || { said=$(tr '\n' ' ' <"$reason"); echo "Waiting for the database: $said"; }
  sleep 1
done

# dump NAME: a dump that is whole and on the disk under its name, or none. What was kept under the name before is kept till then.
dump() {
  local file=$BACKUP_FOLDER/$1 needed free
  [ -w "$BACKUP_FOLDER" ] || fail "the volume for the backup, $BACKUP_FOLDER, is not there or cannot be written"
  needed=$(sql --command='SELECT pg_database_size(current_database()) / 1024')
  free=$(df --output=avail "$BACKUP_FOLDER" | tail -n 1)
  echo "Backing up the database ($needed KiB with its indexes; $((free)) KiB are free) to $file"
  rm -f "$BACKUP_FOLDER"/*.part
  run pg_dump --no-password --format=custom --no-owner --no-privileges --dbname="$uri" --file="$file.part" ||
    { rm -f "$file.part"; fail "pg_dump could not back the database up, and nothing was changed; the lines above say why. No room left: set schemaUpgrade.storageSize"; }
  # a dump that cannot be read is none
  run pg_restore --file=/dev/null "$file.part" || { rm -f "$file.part"; fail "the backup cannot be read back"; }
  sync "$file.part"
  mv "$file.part" "$file"
  sync "$BACKUP_FOLDER"
  (cd "$BACKUP_FOLDER" && sha256sum "$1" >"$1.sha256")
}

case ${1-} in
  save)
    [ -e "$UPGRADE_FOLDER/plan.json" ] || { echo "There is nothing to upgrade, and so nothing to back up"; exit 0; }
    name=mlflow-${mlflow:-none}.dump
    dump "$name"
    sum=$(cut -d' ' -f1 "$BACKUP_FOLDER/$name.sha256")
    printf '{"file": "%s", "bytes": %d, "sha256": "%s", "revisions": %s}' "$name" "$(stat --format=%s "$BACKUP_FOLDER/$name")" "$sum" \
      "$(cat "$UPGRADE_FOLDER/plan.json")" >"$UPGRADE_FOLDER/receipt.json"
    echo "The backup is whole: $(tr '\n' ' ' <"$BACKUP_FOLDER/$name.sha256")"
    ;;
  restore)
    cd "$BACKUP_FOLDER"
    name=${DUMP:-$(find . -name 'mlflow-*.dump' -printf '%T@ %f\n' | sort -rn | head -n 1 | cut -d' ' -f2)}
    [ -e "${name:-none}" ] || fail "there is no backup${name:+ $name} in the volume, which has: $(find . -name '*.dump' -printf '%f ')"
    sha256sum --check --quiet "$name.sha256" || fail "the backup $name was changed since it was taken"
    others="SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_start < now() - interval '20 s'"
    until [ "$(sql --command="$others")" = 0 ]; do
      [ $SECONDS -lt 60 ] || fail "the database is in use, and nothing was changed. Stop its servers first: kubectl scale deployment/$DEPLOYMENT --replicas=0 --namespace $NAMESPACE"
      sleep 1
    done
    dump "before-restore-$(date --utc +%Y%m%dT%H%M%SZ).dump"
    echo "Restoring $name"
    # all tables and functions of the user go, also those that the upgrade made, and the dump comes, or nothing happens
    {
      echo "SET lock_timeout = '30s'; SET client_min_messages = 'warning';"
      echo "DO \$\$ DECLARE t record; BEGIN FOR t IN SELECT oid::regclass AS name FROM pg_class WHERE relkind IN ('r', 'p')"
      echo " AND relnamespace = 'public'::regnamespace AND pg_has_role(relowner, 'USAGE') LOOP"
      echo " EXECUTE format('DROP TABLE IF EXISTS %s CASCADE', t.name); END LOOP;"
      echo " FOR t IN SELECT oid::regprocedure AS name FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND pg_has_role(proowner, 'USAGE')"
      echo " AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e') LOOP"
      echo " EXECUTE format('DROP ROUTINE IF EXISTS %s CASCADE', t.name); END LOOP; END \$\$;"
      # the schema itself is there; it is left out of the list of contents, since a line of the text may be data
      { pg_restore --list --schema=public "$name" | grep -vE '^[0-9]+; [0-9]+ [0-9]+ (SCHEMA - |COMMENT - SCHEMA )' >"$contents" &&
        pg_restore --no-owner --no-privileges --exit-on-error --use-list="$contents" --file=- "$name" |
        # newer programs set what older servers do not know
        sed '1,/^SELECT pg_catalog.set_config/{/^SET transaction_timeout/d}'; } ||
        echo 'SELECT 1/0 AS "the backup could not be read";'
    } | sql --single-transaction --file=- --output=/dev/null || fail "the backup could not be restored, and nothing was changed"
    echo "The database is as it was before the upgrade: revision $(revision alembic_version). What it had after it is in $(find . -name 'before-restore-*.dump' -printf '%T@ %f\n' | sort -rn | head -n 1 | cut -d' ' -f2)"
    ;;
  *) fail "$0 save|restore" ;;
esac
