# Runs on a hypervisor and prints every domain. Must not contain single quotes. The first line of
# standard input holds the mark that begins every line of ours, whether to print secrets (without
# them an XML cannot be defined again), and whether to print what runs as well as what is defined.
export LC_ALL=C
set -f
read -r mark secrets live || exit 1
command -v virsh >/dev/null 2>&1 || { echo "$mark missing"; exit 0; }
list=$(virsh -c qemu:///system list --all --uuid </dev/null 2>/dev/null) || {
  virsh -c qemu:///system list --all --uuid </dev/null 2>&1
  echo "$mark unreachable"
  exit 0
}
flags=--inactive
[ "$secrets" = secrets ] && flags="--inactive --security-info"
set -- $list
while [ $# -gt 0 ]; do
  # One virsh for many domains: most of what a virsh costs is its start.
  batch=
  while [ $# -gt 0 ] && [ ${#batch} -lt 20000 ]; do
    batch="$batch echo $mark domain $1; domstate $1; echo $mark defined; dumpxml $flags $1;"
    [ "$live" = live ] && batch="$batch echo $mark running; dumpxml $1;"
    shift
  done
  virsh -c qemu:///system "$batch" </dev/null 2>&1
done
echo "$mark end"
