#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test_xdp.sh WIRE: AF_XDP between the two ends of a veth pair. Every frame arrives as it was sent and
# in order, an interface in use and a queue in use are refused in words, and a process that is killed
# leaves no program behind.
set -euo pipefail

wire=$1
# shellcheck source=tests/live/netns.sh
. "$(dirname "${BASH_SOURCE[0]}")/netns.sh"
netns_need
"$wire" recv xdp none 1 1 2>&1 | grep -q "no packet source" && skip xdp "built without XDP"

netns_pair numtxqueues 2 numrxqueues 2
# No more frames than the receiver's ring holds, 4,096.
for length in 60 1514; do cross right xdp left0 xdp right0 2000 "$length" 1; done
cross right xdp left0 xdp right0 2000 600 2
grep -q "2 queues" "$scratch/recv" || fail "two queues were not used: $(cat "$scratch/recv")"

# A frame of several buffers.
ip -n "$left" link set left0 mtu 9000
ip -n "$right" link set right0 mtu 9000
cross right xdp left0 xdp right0 500 3800 1

# One that holds the queues is not pushed aside, and when it is killed the kernel cleans up.
start_right "$scratch/holder" "$wire" recv xdp right0 1 60
holder=$id
wait_for 20 grep -q ready "$scratch/holder" || fail "the holder does not start"
ip -n "$right" link show right0 | grep -q xdp || fail "no program is attached"
if on_right "$wire" recv xdp right0 1 1 >"$scratch/second" 2>&1; then fail "a queue was taken twice"; fi
grep -q "another program" "$scratch/second" || fail "not said: $(cat "$scratch/second")"
kill -KILL "$holder"
wait "$holder" 2>/dev/null || true
gone() { ! ip -n "$right" link show right0 | grep -q xdp; }
wait_for 10 gone || fail "a killed process left its program"
cross right xdp left0 xdp right0 100 60 1

ip -n "$right" addr add 10.0.0.1/24 dev right0
if on_right "$wire" recv xdp right0 1 1 >"$scratch/used" 2>&1; then fail "an address was no reason"; fi
grep -q "has 1 address" "$scratch/used" || fail "not said: $(cat "$scratch/used")"
