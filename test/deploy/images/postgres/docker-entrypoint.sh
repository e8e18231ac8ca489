#!/bin/sh
# POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB, PGDATA: as the official image takes them.
set -e
if [ "$(id -u)" = 0 ]; then
  install -d -o postgres -g postgres -m 0700 "$PGDATA"
  exec setpriv --reuid=postgres --regid=postgres --clear-groups "$0" "$@"
fi
mkdir -p "$PGDATA"
chmod 0700 "$PGDATA"
if ! [ -s "$PGDATA/PG_VERSION" ]; then
  word=$(mktemp)
  printf '%s\n' "$POSTGRES_PASSWORD" > "$word"
  initdb --username="${POSTGRES_USER:-postgres}" --pwfile="$word" --encoding=UTF8 --auth-host=scram-sha-256 >/dev/null
  rm "$word"
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  pg_ctl -w start -o "-c listen_addresses=''" >/dev/null
  [ "${POSTGRES_DB:-postgres}" = postgres ] || createdb --username="${POSTGRES_USER:-postgres}" "$POSTGRES_DB"
  pg_ctl -w -m fast stop >/dev/null
fi
exec "$@" -c listen_addresses='*'
