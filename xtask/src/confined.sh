#!/bin/sh
# confined.sh DIRECTORY TEST…: runs a quick test as on a machine without root's powers, without network
# and with no programs but those of DIRECTORY. Needs root; its network is a namespace with loopback only.
set -eu
programs=$1
shift
# shellcheck disable=SC2016
exec unshare --net -- sh -c '
    ip link set lo up
    PATH=$0
    exec /usr/bin/setpriv --no-new-privs --bounding-set=-all --inh-caps=-all -- "$@"
' "$programs" "$@"
