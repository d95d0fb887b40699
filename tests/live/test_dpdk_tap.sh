#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test_dpdk_tap.sh WIRE: the DPDK module over net_tap, a TAP device of the kernel: what is sent out of it
# comes in through DPDK, and the other way round, every frame as it was and in order.
set -euo pipefail

wire=$1
# shellcheck source=tests/live/netns.sh
. "$(dirname "${BASH_SOURCE[0]}")/netns.sh"
netns_need
"$wire" send dpdk nonsense 1 60 1 >"$scratch/none" 2>&1 && fail "a port that is none was opened"
grep -q "there is no module" "$scratch/none" && skip dpdk "built without DPDK"
[[ -c /dev/net/tun ]] || skip tun "there is no /dev/net/tun"
on_left ip link set lo up
ip netns exec "$left" sysctl -q net.ipv6.conf.default.disable_ipv6=1 net.ipv6.conf.all.disable_ipv6=1
on_left ip tuntap add tap0 mode tap multi_queue 2>"$scratch/words" ||
	skip tun "the kernel makes no TAP devices: $(cat "$scratch/words")"
on_left ip link set tap0 up

cross left packet tap0 dpdk net_tap0,iface=tap0 400 600 1
on_left ip link set tap0 up
cross left dpdk net_tap0,iface=tap0 packet tap0 400 600 1
