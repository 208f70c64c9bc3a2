#!/bin/sh
# Applies what DHCP gave to the small guest.
[ "$1" = bound ] || exit 0
ip addr add "$ip/${mask:-24}" dev "$interface"
[ -z "$router" ] || ip route add default via "$router"
echo "$ip" > /tmp/address
