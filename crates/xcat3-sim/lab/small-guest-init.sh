#!/bin/sh
# init of the lab's small guest: does in seconds what debian-installer does in many minutes, with the
# same answer file. It follows the url= of its kernel command line, runs the early and the late
# command that it finds there, takes a file from the mirror that it is told, writes a boot sector to
# the disk and lets the operator log in by ssh.
export PATH=/bin:/sbin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /tmp /target/etc/apt/apt.conf.d /target/root
mount -t devpts devpts /dev/pts
say() { echo "small-guest: $*"; }
fail() { say "FAILED: $*"; sleep 2; poweroff -f; }
say "init is running"
for module in $(cat /modules/order); do insmod "/modules/$module" || say "no module $module"; done
grep -q small-guest-probe /proc/cmdline && poweroff -f

for word in $(cat /proc/cmdline); do
    case $word in
        url=*) answer_url=${word#url=} ;;
        hostname=*) hostname "${word#hostname=}" ;;
    esac
done
ip link set lo up
ip link set eth0 up
udhcpc -q -n -t 8 -T 2 -i eth0 -s /etc/udhcpc.sh || fail "no address by DHCP"
say "address $(cat /tmp/address)"
[ -n "$answer_url" ] || fail "no url= on the kernel command line"
wget -q -O /tmp/answer "$answer_url" || fail "no answer file at url="

# The value of a question, as the installer's debconf has it.
answer() { sed -n "s#^d-i $1 [a-z]* *##p" /tmp/answer | head -n 1; }
run() { say "running $1"; answer "$1" > "/tmp/command"; sh /tmp/command || fail "$1"; }
[ "$(answer netcfg/get_hostname)" = "$(hostname)" ] || fail "the answer file is for another node"
case $(answer passwd/root-password-crypted) in '$'*) ;; *) fail "no root password hash" ;; esac
run preseed/early_command
mirror=http://$(answer mirror/http/hostname)$(answer mirror/http/directory)
suite=$(answer mirror/suite)
echo "deb $mirror $suite main" > /target/etc/apt/sources.list
wget -q -O /tmp/Release "$mirror/dists/$suite/Release" || fail "no $mirror/dists/$suite/Release"
path=$(sed -n 's/^Filename: //p' /media/Packages)
wget -q -O /tmp/package "$mirror/$path" || fail "no $mirror/$path"
cmp -s /tmp/package /media/package || fail "$path differs from the one on the ISO"
say "the mirror is good"
dd if=/media/boot-sector of=/dev/vda bs=512 conv=fsync 2>/dev/null || fail "can't write to the disk"
run preseed/late_command
say "the late command is done"

cp -r /target/root/.ssh /root/ 2>/dev/null || fail "nobody's ssh key was installed"
chmod 700 /root /root/.ssh
dropbear -s -j -k -r /etc/dropbear-key || fail "dropbear"
say "ready for ssh"
# init must not end, and reaps what it adopts.
while :; do sleep 3600 & wait; done
