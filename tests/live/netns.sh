# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# Sourced by the live tests: two network namespaces of the test's own, joined by a veth pair.
#   netns_need TOOL...            skips (77) without root, namespaces or one of the tools
#   netns_pair [LINK-OPTION...]   $left and $right, with left0 and right0 in them; all goes at exit
#   on_left, on_right COMMAND...  runs there
#   start_left, start_right FILE COMMAND...  runs there in the background, all output in FILE; its
#                                 process id is in $id, and it is ended with the test
#   cross END SINK DEVICE SOURCE DEVICE FRAMES LENGTH QUEUES  $wire sends on the left, and all arrives
#                                 at END (left or right); its words are in $scratch/send and recv
# $scratch is a folder that goes too. Only processes that the test started are ended: those above, and
# whose ids it puts into the array $ours.

scratch=$(mktemp -d)
left=wmt$$l right=wmt$$r
ours=()

# skip WHAT WHY: 77, or a failure where the caller says that WHAT must be testable
skip() {
	case ",${WMSCOPE_REQUIRE:-}," in
	*,"$1",*)
		echo "FAIL: $1 is required, but $2"
		exit 1
		;;
	esac
	echo "SKIP: $2"
	exit 77
}

fail() {
	echo "FAIL: $*"
	exit 1
}

netns_end() {
	local status=$?
	for id in "${ours[@]}"; do kill -KILL "$id" 2>/dev/null || true; done
	ip netns del "$left" 2>/dev/null || true
	ip netns del "$right" 2>/dev/null || true
	rm -rf "$scratch"
	exit $status
}
trap netns_end EXIT

netns_need() {
	((EUID == 0)) || skip root "not root"
	for tool in ip ethtool nsenter "$@"; do
		command -v "$tool" >/dev/null || skip netns "$tool is not installed"
	done
	# Takes them away however the test ends, by SIGKILL too: then nobody has the other end of the pipe.
	# shellcheck disable=SC2016,SC2034
	exec {watch}> >(exec setsid sh -c 'cat; ip netns del "$1"; ip netns del "$2"; rm -rf "$3"' sh "$left" \
		"$right" "$scratch" >/dev/null 2>&1)
	ip netns add "$left" 2>/dev/null || skip netns "network namespaces cannot be made here"
	ip netns add "$right"
}

on_left() { nsenter --net="/run/netns/$left" "$@"; }
on_right() { nsenter --net="/run/netns/$right" "$@"; }

# A function in the background would be a shell around the process, with an id of its own. That one
# opens FILE when it comes to it: what an earlier one wrote there must not be taken for its words.
start_left() {
	: >"$1"
	nsenter --net="/run/netns/$left" "${@:2}" >"$1" 2>&1 &
	id=$!
	ours+=("$id")
}

start_right() {
	: >"$1"
	nsenter --net="/run/netns/$right" "${@:2}" >"$1" 2>&1 &
	id=$!
	ours+=("$id")
}

# The kernel's own chatter stays off the wire, and no packet is merged, split or left unsummed.
netns_pair() {
	local side
	for side in "$left" "$right"; do
		ip netns exec "$side" sysctl -q net.ipv6.conf.default.disable_ipv6=1 \
			net.ipv6.conf.all.disable_ipv6=1
	done
	ip link add left0 netns "$left" "$@" type veth peer name right0 netns "$right" "$@"
	ip -n "$left" link set lo up
	ip -n "$right" link set lo up
	on_left ethtool -K left0 tx off rx off tso off gso off gro off >/dev/null
	on_right ethtool -K right0 tx off rx off tso off gso off gro off >/dev/null
	ip -n "$left" link set left0 up
	ip -n "$right" link set right0 up
}

# wait_for SECONDS COMMAND...: until it succeeds
wait_for() {
	local tries=$(($1 * 20))
	shift
	while ! "$@"; do
		((tries-- > 0)) || return 1
		sleep 0.05
	done
}

cross() {
	"start_$1" "$scratch/recv" "$wire" recv "$4" "$5" "$6" 5
	wait_for 20 grep -Eq 'ready|has no AF_XDP|needs root' "$scratch/recv" ||
		fail "the receiver: $(cat "$scratch/recv")"
	grep -q ready "$scratch/recv" || skip "$4" "$(cat "$scratch/recv")"
	on_left "$wire" send "$2" "$3" "$6" "$7" "$8" >"$scratch/send" 2>"$scratch/words" ||
		fail "the sender: $(cat "$scratch/send" "$scratch/words")"
	wait "$id" || fail "$3 to $5: $(cat "$scratch/send" "$scratch/recv")"
	grep -q "sent $6 bytes $(($6 * $7)) refused 0 lost 0 flush 0" "$scratch/send" ||
		fail "the sender counts otherwise: $(cat "$scratch/send")"
	echo "$2 $3 to $4 $5, $6 frames of $7 bytes over $8 queue(s): $(tail -n 1 "$scratch/recv")"
}
