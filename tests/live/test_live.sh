#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The live-frame sink on a veth pair: test_live.sh SEND COUNT (of tests/bench). Every frame arrives,
# once, whole and in order, also where the receiver's ring is full; what cannot be sent is counted;
# nothing stays in the kernel after a kill.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/netns.sh"
send=$1 count=$2

fails=0
check() { # check WHAT EXPECTED GOT
	if [[ $2 == "$3" ]]; then
		echo "ok: $1"
	else
		echo "FAIL: $1: expected $2, got $3"
		fails=1
	fi
}
value() { sed -n "s/.*\"$2\":\([0-9]*\).*/\1/p" <<<"$1"; } # value JSON KEY

# The far end. far: what it counted since the last time, into $got.
start_far() { # start_far [pass]
	rm -f "$scratch/ask"
	mkfifo "$scratch/ask"
	nsenter --net="/run/netns/$right" "$count" right0 "$@" <"$scratch/ask" >"$scratch/far" 2>&1 &
	ours+=($!)
	exec 7>"$scratch/ask"
	wait_for 10 grep -q ready "$scratch/far" || skip xdp "no XDP here: $(cat "$scratch/far")"
	asked=0
}
answered() { (($(grep -c frames "$scratch/far") == asked)); }
far() {
	asked=$((asked + 1))
	echo >&7
	wait_for 10 answered || fail "the far end does not answer"
	got=$(tail -1 "$scratch/far")
}
near() { # near COUNT LENGTH [PPS [QUEUES]]: the sender's account into $sent
	sent=$(on_left timeout -s KILL 60 "$send" live left0 "$@") || fail "send $*: $sent"
}
all_arrived() { # all_arrived WHAT COUNT
	check "$1: sent" "$2" "$(value "$sent" frames)"
	check "$1: received" "$2" "$(value "$got" frames)"
	check "$1: bytes" "$(value "$sent" bytes)" "$(value "$got" bytes)"
	check "$1: in order" 0 "$(value "$got" disordered)"
	check "$1: as sent" 0 "$(value "$got" changed)"
	check "$1: refused and lost" 00 "$(value "$sent" refused)$(value "$sent" lost)"
}

netns_need bpftool setpriv
netns_pair numrxqueues 2 numtxqueues 2

words=$(on_left "$send" live left0 10 60 2>&1) && status=0 || status=$?
check "a peer that takes no XDP frames is an error" 4 $status
if [[ $words != *"ethtool -K PEER gro on"* ]]; then
	[[ $words == *"live frames (Linux 5.18"* ]] && skip xdp "$words"
	check "and the words say what helps" "ethtool -K PEER gro on" "$words"
fi
start_far
words=$(on_left setpriv --reuid 65534 --clear-groups --inh-caps -all --bounding-set -all \
	"$send" live left0 10 60 2>&1) && status=0 || status=$?
check "without privilege: an error" 4 $status
[[ $words == *"needs root"* ]] || check "with words" "needs root" "$words"

near 200000 0
far
all_arrived "all lengths" 200000
near 200000 60 0 2
far
all_arrived "two threads" 200000
near 10000 300 20000
far
all_arrived "paced" 10000
check "each has its time" 10000 "$(value "$sent" timed)"
took=$(value "$sent" ns) # from before the first was due to after the last: never early
((took >= 499950000)) || check "10,000 frames at 20,000 a second" "0.49995 s" "$took ns"

near 1000 3072
far
check "above the MTU: refused" 1000 "$(value "$sent" refused)"
check "and not on the wire" 0 "$(value "$got" frames)"

# An interface may take more than a live frame can be: what fits goes.
ip -n "$left" link set left0 mtu 9000
ip -n "$right" link set right0 mtu 9000
near 1000 3072
far
all_arrived "the longest" 1000
ip -n "$left" link set left0 mtu 1500

# A receiver on a thread of its own falls behind: the ring is full, and not one frame is lost.
ip netns exec "$right" sh -c 'echo 1 >/sys/class/net/right0/threaded' 2>/dev/null || true
near 200000 60
far
all_arrived "slow receiver" 200000
echo "ring full $(value "$sent" waits) times"

# The link goes down on the way: what was not sent is counted, and it ends.
(
	sleep 0.5
	ip -n "$left" link set left0 down
) &
near 40000 60 40000
wait $!
check "link down: all accounted for" 40000 $(($(value "$sent" frames) + $(value "$sent" refused) + \
	$(value "$sent" lost)))
(($(value "$sent" refused) > 0)) || check "link down: some refused" ">0" 0
ip -n "$left" link set left0 up
far

# Killed in the middle: the programs go, and the interface works again at once.
start_left "$scratch/killed" "$send" live left0 100000000 60 1000
programs() { sed -n 's/^prog_id:[[:space:]]*//p' /proc/"$id"/fdinfo/* 2>/dev/null | sort -u; }
loaded() { (($(programs | wc -l) >= 2)); }
wait_for 10 loaded || fail "the sender has no programs: $(cat "$scratch/killed")"
held=$(programs)
kill -KILL "$id"
gone() {
	local p
	for p in $held; do
		! bpftool prog show id "$p" >/dev/null 2>&1 || return 1
	done
}
wait_for 10 gone || check "after a kill: no program left" none "$held"
far
near 1000 60
far
all_arrived "after a kill" 1000
exec 7>&-
exit $fails
