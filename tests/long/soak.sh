#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# An hour of live analysis without loss in memory that stays flat. Root.
#   tests/long/soak.sh [--seconds 3600] [--settle SECONDS] [--rate 50kpps] [--engine packet|xdp]
#                      [CAPTURE [OPTION-OF-CAPTURE...]]
# The sender may be a millisecond late: it sleeps, and leaves the cores to the capture and to others.
# --rate: half of what tests/bench/capture.py found to be lossless here. Each loop has other addresses,
# so that flows begin and end all the time. While it settles, a tenth of the time unless told
# otherwise, tables fill; after that the memory must not grow by more than a tenth and 8 MiB.
# Settled is what has forgotten as much as it learns: closed connections are remembered for a minute,
# silent ones for ten, hosts until a million are known, findings until --memory is full.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

seconds=3600 settle= rate=50kpps engine=packet
while [[ ${1:-} == --* ]]; do
	case $1 in
	--seconds) seconds=$2 ;;
	--settle) settle=$2 ;;
	--rate) rate=$2 ;;
	--engine) engine=$2 ;;
	*) echo "soak.sh: $1?" >&2 && exit 2 ;;
	esac
	shift 2
done
capture=${1:-pcaps/fetch-tls/client.pcap}
options=("${@:2}")
[[ -f .build/build.ninja ]] || meson setup .build
ninja -C .build >/dev/null
wmscope=$PWD/.build/tools/wmscope
. tests/live/netns.sh
netns_need
netns_pair
chmod 755 "$scratch"

start_right "$scratch/words" "$wmscope" capture -v -i right0 --engine "$engine" --no-lists \
	--stats "$scratch/live" --text "$scratch/text" "${options[@]}"
taker=$id
wait_for 20 grep -qs "right0: capturing" "$scratch/words" || fail "$(cat "$scratch/words")"
start_left "$scratch/sender" "$wmscope" replay -q -i left0 --engine packet -r "$rate" --slack 1000 \
	--loop forever --vary addresses --stats "$scratch/sent" "$capture"
sender=$id

resident() { awk '/^VmRSS/ {print $2}' "/proc/$taker/status"; }
base=0 most=0
end=$((SECONDS + seconds)) settled=$((SECONDS + ${settle:-$((seconds / 10))}))
while ((SECONDS < end)); do
	sleep 1
	now=$(resident) || fail "the capture ended: $(cat "$scratch/words")"
	kill -0 "$sender" || fail "the replay ended: $(cat "$scratch/sender")"
	if ((SECONDS < settled)); then
		((now <= base)) || base=$now
	elif ((now > most)); then
		most=$now
		echo "$((seconds - end + SECONDS)) s: $now KiB"
	fi
done
kill -INT "$sender"
wait "$sender" || true
sleep 1
kill -INT "$taker"
status=0
wait "$taker" || status=$?
((status <= 1)) || fail "capture: exit $status: $(cat "$scratch/words")"
read -r sent got dropped < <(/usr/bin/python3 -c '
import json, sys
sent = json.load(open(sys.argv[1]))["replay"]["packets"]["sent"]
live = json.loads(open(sys.argv[2]).readlines()[-1])["stats"]
print(sent, live["packets"], live["dropped"])' "$scratch/sent" "$scratch/live")
echo "$sent sent, $got received, $dropped dropped; $base KiB at first, $most KiB at most after"
((got == sent && dropped == 0)) || fail "packets were lost"
((most <= base + base / 10 + 8192)) || fail "the memory grows"
