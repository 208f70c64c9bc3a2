# Runs on a hypervisor and does one thing to each of many domains, in order. Must not contain single
# quotes. The first line of standard input holds the mark that begins every line of ours; each other
# line a UUID, what to do and, to define a domain, its XML in base64. Prints, for each, what virsh
# said and then the mark, the UUID and the exit status.
export LC_ALL=C
read -r mark || exit 1
on() { virsh -c qemu:///system "$@" 2>&1; }
while read -r uuid what xml; do
  case $what in
    start) said=$(on start "$uuid" </dev/null) ;;
    boot) said=$(on start --force-boot "$uuid" </dev/null) ;;
    destroy) said=$(on destroy "$uuid" </dev/null) ;;
    shutdown) said=$(on shutdown "$uuid" </dev/null) ;;
    reset) said=$(on reset "$uuid" </dev/null) ;;
    cycle) on destroy "$uuid" </dev/null >/dev/null; said=$(on start --force-boot "$uuid" </dev/null) ;;
    define) said=$(printf %s "$xml" | base64 -d | on define /dev/stdin) ;;
    *) said="unknown: $what"; false ;;
  esac
  status=$?
  printf "%s\n%s %s %s\n" "$said" "$mark" "$uuid" "$status"
done
echo "$mark end"
