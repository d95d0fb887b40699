#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test_replay.sh WMSCOPE CAPTURE [COUNT]: replay over a veth pair, mostly by AF_PACKET. What arrives is
# the capture, byte for byte and in order; rates hold within 1 %; interfaces in use are refused; two
# ports get a side each; signals and dead interfaces end it well. COUNT, of tests/bench, has the XDP
# program that lets a veth take live frames.
set -euo pipefail

wmscope=$1 capture=$2
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tests/live/netns.sh
. "$tests/live/netns.sh"
netns_need tcpdump
[[ -x /usr/bin/python3 ]] || skip netns "/usr/bin/python3 is not installed"
netns_pair
link=(add left1 netns "$left" type veth peer name right1 netns "$right")
ip link "${link[@]}"
ip -n "$left" link set left1 up
ip -n "$right" link set right1 up

frames() { /usr/bin/python3 -B "$tests/frames.py" "$@"; }
# value KEY...: from the statistics of the last replay
value() {
	/usr/bin/python3 -c 'import json, sys
v = json.load(open(sys.argv[1]))["replay"]
for key in sys.argv[2:]: v = v[int(key) if key.isdigit() else key]
print(v)' "$scratch/stats" "$@"
}
near() { # near WANT GOT WHAT: within 1 %
	/usr/bin/python3 -c 'import sys
want, got = map(float, sys.argv[1:])
sys.exit(abs(got / want - 1) > 0.01)' "$1" "$2" || fail "$3: $2, not $1"
}
listen() { # listen IFACE: into $scratch/IFACE.pcap
	start_right "$scratch/$1.log" tcpdump -Z root -i "$1" -Q in -B 65536 -U --immediate-mode \
		-w "$scratch/$1.pcap" --time-stamp-precision=nano
	wait_for 10 grep -q "listening on" "$scratch/$1.log" || fail "tcpdump: $(cat "$scratch/$1.log")"
}
hear_out() { # hear_out ID IFACE FRAMES: ends a listener once it has so many
	wait_for 10 has "$2" "$3" || true
	kill -INT "$1"
	wait "$1" || true
}
has() { (($(tcpdump -nr "$scratch/$1.pcap" 2>/dev/null | wc -l) >= $2)); }
# replay STATUS ARG...: on the left
replay() {
	local want=$1 status=0
	shift
	on_left "$wmscope" replay --stats "$scratch/stats" "$@" >"$scratch/out" 2>"$scratch/err" ||
		status=$?
	((status == want)) || fail "replay $*: exit $status: $(cat "$scratch/out" "$scratch/err")"
}
count=$(frames sources "$capture" | tr ' ' '\n' | awk -F: '{n += $2} END {print n}')

# Live frames are paced by the kernel.
replay 2 -i left0 --engine live --slack 5 "$capture"

# Bytes and order, one at a time and in batches, past the queueing discipline and through it.
for args in "-r original" "-r 2kpps --qdisc" "-r max -l 20" "-r max -l 20 --queues 2"; do
	loops=1
	[[ $args == *"-l 20"* ]] && loops=20
	listen right0
	# shellcheck disable=SC2086
	replay 0 -i left0 $args "$capture"
	hear_out "$id" right0 $((count * loops))
	[[ $(value packets sent) == $((count * loops)) && $(value ports 0 lost) == 0 ]] ||
		fail "$args: $(cat "$scratch/out")"
	if [[ $args == *queues* ]]; then
		[[ $(value queues) == 2 ]] || fail "two queues were asked for"
		has right0 $((count * loops)) || fail "$args: frames are missing"
	else
		frames same "$capture" "$scratch/right0.pcap" "$loops" || fail "$args"
	fi
done

# Frames that stay with the sink: the same bytes in every loop, with gaps and without.
held_loops() {
	local args
	mkfifo "$scratch/ask"
	: >"$scratch/counting"
	exec 7<>"$scratch/ask"
	nsenter --net="/run/netns/$right" "$count_frames" right0 pass <&7 >"$scratch/counting" 2>&1 &
	local counting=$!
	ours+=("$counting")
	if ! wait_for 10 grep -q ready "$scratch/counting"; then
		echo "not tried: live frames and AF_XDP: $(cat "$scratch/counting")"
		return
	fi
	for args in "live -r max" "live -r 20kpps" "live -r original" "xdp -r max"; do
		listen right0
		# shellcheck disable=SC2086
		replay 0 -i left0 -l 20 --engine $args "$capture"
		hear_out "$id" right0 $((count * 20))
		[[ $(value packets sent) == $((count * 20)) && $(value read) == $((count * 20)) &&
			$(value loops) == 20 && $(value ports 0 lost) == 0 ]] ||
			fail "$args: $(cat "$scratch/out")"
		frames same "$capture" "$scratch/right0.pcap" 20 || fail "$args: other bytes"
	done
	kill "$counting"
	wait "$counting" || true
	exec 7>&-
}
count_frames=${3:-}
[[ -z $count_frames ]] || held_loops

# Each loop other flows: what arrives is what the file engine writes.
replay 0 --engine file -w "$scratch/want.pcap" -l 3 --vary addresses --vlan 7 "$capture"
listen right0
replay 0 -i left0 -r 5kpps -l 3 --vary addresses --vlan 7 "$capture"
hear_out "$id" right0 $((count * 3))
frames same "$scratch/want.pcap" "$scratch/right0.pcap" || fail "loops with other addresses"

# Rates: as replay says, and as the receiver sees.
for rate in 1000 10000; do
	listen right0
	loops=$((3 * rate / count + 1)) # long enough that being late at an end is little of it
	replay 0 -i left0 -r "${rate}pps" -l "$loops" "$capture"
	hear_out "$id" right0 $((loops * count))
	near "$rate" "$(value asked packets_per_s)" "asked at $rate"
	near "$rate" "$(value achieved packets_per_s)" "achieved at $rate"
	near "$rate" "$(frames rate "$scratch/right0.pcap")" "received at $rate"
	[[ $(value off_by early) == 0 ]] || fail "$rate: frames went early"
	echo "$rate packets/s: off by $(value off_by p50_ns) ns median, $(value off_by p99_ns) ns p99"
done
replay 0 -i left0 -r 20mbps -l 200 "$capture"
near 20000000 "$(value achieved bits_per_s)" "bits a second"

# Two ports: who opened a flow is the client.
listen right0
first=$id
listen right1
replay 0 -i left0 --dual left1 -r 5kpps "$capture"
hear_out "$id" right1 "$(value ports 1 frames)"
hear_out "$first" right0 "$(value ports 0 frames)"
[[ $(value packets sent) == "$count" ]] || fail "two ports: $(cat "$scratch/out")"
read -ra all < <(frames sources "$capture")
read -ra clients < <(frames sources "$scratch/right0.pcap")
read -ra servers < <(frames sources "$scratch/right1.pcap")
[[ $(printf '%s\n' "${clients[@]}" "${servers[@]}" | sort) == $(printf '%s\n' "${all[@]}" | sort) ]] ||
	fail "a sender's packets left by both ports: ${clients[*]} and ${servers[*]} of ${all[*]}"
((${#clients[@]} > 0 && ${#servers[@]} > 0)) || fail "one port got all"

# What is longer than the interface takes is counted, and the rest goes.
ip -n "$left" link set left1 mtu 600
replay 0 -i left1 -r max "$capture"
[[ $(value packets too_long) -gt 0 ]] || fail "nothing was too long for an MTU of 600"
[[ $(($(value packets too_long) + $(value packets sent))) == "$count" ]] || fail "some are nowhere"

# A signal ends it, also in a long gap, with a report.
start_left "$scratch/out" "$wmscope" replay -i left0 -r 20pps -l forever --stats "$scratch/stats" \
	"$capture"
sleep 1
kill -INT "$id"
status=0
wait "$id" || status=$?
((status == 5)) || fail "SIGINT: exit $status"
grep -q interrupted "$scratch/out" || fail "SIGINT: no report: $(cat "$scratch/out")"
[[ $(value interrupted) == True && $(value packets sent) -gt 5 ]] || fail "SIGINT: statistics"

# The interface goes down: said, reported, and not for ever.
start_left "$scratch/out" "$wmscope" replay -i left0 -r 200pps -l forever --stats "$scratch/stats" \
	"$capture"
sleep 0.7
ip -n "$left" link set left0 down
status=0
wait "$id" || status=$?
((status == 4)) || fail "an interface that goes down: exit $status: $(cat "$scratch/out")"
[[ $(value error) == *"down"* && $(value packets sent) -gt 5 ]] || fail "down: $(cat "$scratch/stats")"
replay 4 -i left0 "$capture"
grep -qi "down" "$scratch/err" || fail "down before: $(cat "$scratch/err")"
ip -n "$left" link set left0 up

# In use: refused unless told.
ip -n "$left" addr add 10.9.0.1/24 dev left0
ip -n "$left" route add default dev left1
replay 4 -i left0 "$capture"
grep -q "has 1 address" "$scratch/err" || fail "address: $(cat "$scratch/err")"
replay 4 -i left1 "$capture"
grep -q "default route" "$scratch/err" || fail "default route: $(cat "$scratch/err")"
replay 4 -i nosuch0 "$capture"
replay 0 -i left0 -r max --yes-this-interface "$capture"
ip -n "$left" route del default dev left1
ip -n "$left" -6 route add default dev left1 2>/dev/null &&
	{ replay 4 -i left1 "$capture"; }
ip -n "$left" addr flush dev left0
if ip -n "$left" link add br0 type bridge 2>/dev/null; then
	ip -n "$left" link set left0 master br0
	replay 0 -i left0 -r max "$capture"
	ip -n "$left" addr add 10.9.0.1/24 dev br0
	replay 4 -i left0 "$capture"
	grep -q "port of br0" "$scratch/err" || fail "bridge: $(cat "$scratch/err")"
fi
echo "$count frames of $(basename "$capture"): all as they should be"
