#!/bin/sh
# Runs a command that installs PostgreSQL and NATS without Debian's packages starting them: the tests
# start servers of their own. Nothing of this stays, so a cluster or a unit that the administrator
# makes later starts as usual.
cluster=/etc/postgresql-common/createcluster.d
policy=/usr/sbin/policy-rc.d
created= placed=

clean() {
    rm -f "$cluster/xcat3.conf"
    [ -z "$created" ] || rmdir --ignore-fail-on-non-empty "$cluster"
    [ -z "$placed" ] || rm -f "$policy"
}
trap clean EXIT
trap 'exit 1' HUP INT TERM

# PostgreSQL makes no cluster, so there is none to start.
[ -d "$cluster" ] || created=yes
mkdir -p "$cluster" && echo 'create_main_cluster = off' >"$cluster/xcat3.conf" || exit 1
# No service is started now …
if ! [ -e "$policy" ]; then
    placed=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" || exit 1
fi
"$@" || exit 1
# … and NATS, which listens on every address as Debian configures it, not at the next boot either.
case " $* " in
*" nats-server "*) [ ! -d /run/systemd/system ] || systemctl disable --quiet nats-server || true ;;
esac
