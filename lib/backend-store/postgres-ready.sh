#!/bin/bash
# Whether PostgreSQL answers. Where the kubelet has brought another password of the superuser than this pod has set, the answer is
# that of setting it: on the socket in the pod he needs none, whatever the volume was made with.
# A probe that takes too long is killed, and a child that it leaves behind goes to process 1, which is PostgreSQL and takes its end
# for that of a server process: all sessions would be ended. So no program is started here, but one takes the place of this one.
password=${SUPERUSER_DIR:-/superuser}/password known=${TMPDIR:-/tmp}/superuser tried=0 PASSWORD=
[ ! -s "$password" ] || read -r PASSWORD <"$password"
[ ! -f "$known.tried" ] || read -r tried <"$known.tried"
if [ -n "$PASSWORD" ] && [ "$password" -nt "$known" ] && [ $((EPOCHSECONDS - tried)) -ge "${AGAIN_SECONDS:-30}" ]; then
  echo "$EPOCHSECONDS" >"$known.tried"
  export PASSWORD KNOWN=$known PGUSER=$POSTGRES_USER PGDATABASE=postgres PGCONNECT_TIMEOUT=3
  export PGOPTIONS='-c log_statement=none -c log_min_error_statement=panic -c statement_timeout=3s'
  exec psql --no-psqlrc --no-password --quiet --set=ON_ERROR_STOP=1 <<'SQL'
\getenv password PASSWORD
\getenv known KNOWN
ALTER ROLE CURRENT_USER PASSWORD :'password';
\o :known
\qecho set
\o
SQL
fi
exec pg_isready --host=localhost --port="${PGPORT:-5432}" --username=postgres --quiet
