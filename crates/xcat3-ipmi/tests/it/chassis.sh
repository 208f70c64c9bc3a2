#!/bin/sh
# Power and boot device of a machine of ipmi_sim, kept in files: ADDRESS get|set WHAT ...
shift
action=$1
shift
case $action in
get) for what in "$@"; do echo "$what:$(cat "kept.$what" 2>/dev/null || echo 0)"; done ;;
set) while [ $# -gt 0 ]; do echo "$2" >"kept.$1"; shift 2; done ;;
esac
