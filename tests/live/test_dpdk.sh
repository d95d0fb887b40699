#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test_dpdk.sh WIRE WMSCOPE: the DPDK module over virtual devices on a veth pair. Every frame arrives as
# it was sent and in order, whatever stands at the other end; errors are said in words.
set -euo pipefail

wire=$1 wmscope=$2
# shellcheck source=tests/live/netns.sh
. "$(dirname "${BASH_SOURCE[0]}")/netns.sh"
netns_need
"$wire" send dpdk nonsense 1 60 1 >"$scratch/none" 2>&1 && fail "a port that is none was opened"
grep -q "there is no module" "$scratch/none" && skip dpdk "built without DPDK"
grep -q "DPDK has no such port" "$scratch/none" || fail "not said: $(cat "$scratch/none")"
"$wire" send dpdk net_null0 1 60 1 2>&1 | grep -q "sent 1 bytes 60" || fail "net_null takes no frame"

# What needs no module does not pay for one.
"$wmscope" --version >/dev/null
[[ -n $(ldd "$wmscope" | grep librte) ]] && fail "wmscope itself is linked with DPDK"

netns_pair

af_packet='net_af_packet0,iface'
cross right dpdk "$af_packet=left0" dpdk "$af_packet=right0" 400 1514 1
cross right dpdk "$af_packet=left0" dpdk "$af_packet=right0" 400 60 1
# DPDK's own AF_XDP says more than it should of a kernel without freplace programs, and works.
if "$wire" recv xdp none 1 1 2>&1 | grep -q "no packet source\|no module"; then
	echo "built without XDP: not crossed with AF_XDP"
else
	cross right dpdk "$af_packet=left0" xdp right0 400 600 1
	cross right xdp left0 dpdk "$af_packet=right0" 400 600 1
	cross right dpdk net_af_xdp0,iface=left0 xdp right0 400 600 1
fi

# Written through DPDK, read by us.
"$wire" send dpdk "net_pcap0,tx_pcap=$scratch/out.pcap" 100 200 1 >/dev/null 2>&1 || fail "net_pcap"
"$wmscope" analyze --no-ndpi --jsonl - "$scratch/out.pcap" >"$scratch/events" 2>/dev/null ||
	fail "the capture that net_pcap wrote is not read"
grep -q '"packets":100' "$scratch/events" || fail "not 100 packets: $(head -c 900 "$scratch/events")"
