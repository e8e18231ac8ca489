#!/bin/sh
# agent: as the official image's entry point starts it.
set -e
address_of() { python3 - "$1" <<'PY'
import fcntl, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    print(socket.inet_ntoa(fcntl.ioctl(s, 0x8915, struct.pack("256s", sys.argv[1].encode()))[20:24]))
PY
}
[ -z "$CONSUL_LOCAL_CONFIG" ] || echo "$CONSUL_LOCAL_CONFIG" > /consul/config/local.json
if [ "$1" = agent ]; then
  shift
  [ -z "$CONSUL_BIND_INTERFACE" ] || set -- "-bind=$(address_of "$CONSUL_BIND_INTERFACE")" "$@"
  [ -z "$CONSUL_CLIENT_INTERFACE" ] || set -- "-client=$(address_of "$CONSUL_CLIENT_INTERFACE")" "$@"
  set -- consul agent -data-dir=/consul/data -config-dir=/consul/config "$@"
fi
if [ "$(id -u)" = 0 ] && [ -z "${CONSUL_DISABLE_PERM_MGMT+x}" ]; then
  chown consul:consul /consul/data /consul/config
  exec setpriv --reuid=consul --regid=consul --clear-groups "$@"
fi
exec "$@"
