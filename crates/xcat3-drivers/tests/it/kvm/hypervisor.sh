# A hypervisor of its own for tests: libvirtd and ssh servers in private namespaces. Run by
#   unshare --mount --pid --fork --kill-child --mount-proc sh hypervisor.sh FOLDER PORT…
# and then told what to do, line by line, on standard input. When that ends (or whoever holds the
# other end does) everything here is gone: it is all in one pid namespace, of which this is process 1.
#
# Process 1 must reap what it inherits, and so does nothing but wait: a QEMU that has ended but was not
# reaped still exists for libvirt, which then waits half a minute in each destroy.
#
# libvirtd knows other instances by its files only (and by /run/libvirtd.pid). With private /run, /etc/libvirt, /var/lib/libvirt,
# /var/log/libvirt and /var/cache/libvirt any number of them runs side by side. It needs no virtlogd when consoles are
# logged to files by QEMU itself (stdio_handler), no systemd, no dbus, and has a network namespace of
# its own so that it changes no firewall.
set -e
folder=$1
shift
trap "rm -rf $folder" EXIT

mkdir -p /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt
for place in /run /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt; do
  mount -t tmpfs -o mode=755 tmpfs $place
done
mkdir -p /run/sshd /run/lock /run/op
cat >/etc/libvirt/qemu.conf <<END
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
END
cat >/etc/libvirt/libvirtd.conf <<END
auth_unix_rw = "none"
auth_unix_ro = "none"
unix_sock_rw_perms = "0700"
log_outputs = "3:file:/run/libvirtd.log"
END

# Accounts: root may log in with a key; op (password "correct horse") is nobody to libvirt; guest has
# no shell.
grep -v -e "^root:" -e "^op:" -e "^guest:" /etc/passwd >$folder/passwd
printf "%s\n" "root:x:0:0::/root:/bin/sh" "op:x:1234:1234::/run/op:/bin/sh" \
  "guest:x:1235:1235::/run/op:/usr/sbin/nologin" >>$folder/passwd
hash='$6$kvmlab$iAz46jj2tUMIU3jKBGTuOpHCEnYVnooKLUUssUtWj7aq5sTxA9RsKwchTjUyClyQGA7Qex6upULisZIls04gz1'
printf "%s\n" "root:*:19000::::::" "op:$hash:19000::::::" "guest:*:19000::::::" >$folder/shadow
mount --bind $folder/passwd /etc/passwd
mount --bind $folder/shadow /etc/shadow
printf "%s\n" "auth required pam_unix.so" "account required pam_permit.so" \
  "session required pam_permit.so" >$folder/pam
mount --bind $folder/pam /etc/pam.d/sshd

serve() { # NAME PORT, further configuration on standard input
  {
    echo "Port $2"
    echo "ListenAddress 127.0.0.1"
    echo "HostKey $folder/host_ed25519"
    echo "HostKey $folder/host_ecdsa"
    echo "AuthorizedKeysFile $folder/authorized_keys"
    echo "PidFile none"
    echo "StrictModes no"
    echo "LogLevel VERBOSE"
    echo "MaxStartups 100"
    cat # What is said first counts.
    echo "UsePAM no"
  } >$folder/$1.conf
  /usr/sbin/sshd -f $folder/$1.conf -E $folder/$1.log
}
serve plain $1 </dev/null
echo "MaxSessions 1" | serve counted $2
mkdir $folder/bin
ln -s /bin/sh $folder/bin/sh
echo "SetEnv PATH=$folder/bin" | serve without_virsh $3
# Passwords only by keyboard-interactive.
printf "%s\n" "UsePAM yes" "PasswordAuthentication no" "KbdInteractiveAuthentication yes" |
  serve asking $5
# Where libvirtd does not run: the same host, but for an empty /run/libvirt.
export folder
unshare --mount sh -c "mkdir -p /run/libvirt; mount -t tmpfs tmpfs /run/libvirt
  sed s/^Port.*/Port\ $4/ $folder/plain.conf >$folder/without_libvirtd.conf
  exec /usr/sbin/sshd -f $folder/without_libvirtd.conf -E $folder/without_libvirtd.log"

unshare --net libvirtd -d -p /run/libvirtd.pid
tries=0
until virsh -c qemu:///system list >/dev/null 2>&1; do
  tries=$((tries + 1))
  [ $tries -lt 100 ] || { cat /run/libvirtd.log; exit 1; }
  sleep 0.1
done
set +e
echo ready
obey() {
  while read -r line; do
    eval "$line" </dev/null 2>&1
    echo "done $?"
  done
}
exec 3<&0
obey <&3 &
wait $!
