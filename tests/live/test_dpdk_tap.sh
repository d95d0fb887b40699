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

# cross SINK DEVICE SOURCE DEVICE FRAMES LENGTH
cross() {
	start_left "$scratch/recv" "$wire" recv "$3" "$4" "$5" 5
	wait_for 20 grep -q ready "$scratch/recv" || fail "the receiver: $(cat "$scratch/recv")"
	on_left "$wire" send "$1" "$2" "$5" "$6" 1 >"$scratch/send" 2>"$scratch/words" ||
		fail "the sender: $(cat "$scratch/send" "$scratch/words")"
	wait "$id" || fail "$2 to $4: $(cat "$scratch/send" "$scratch/recv")"
	echo "$1 $2 to $3 $4, $5 frames of $6 bytes: $(tail -n 1 "$scratch/recv")"
}

cross packet tap0 dpdk net_tap0,iface=tap0 400 600
on_left ip link set tap0 up
cross dpdk net_tap0,iface=tap0 packet tap0 400 600
