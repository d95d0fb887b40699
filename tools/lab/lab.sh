#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The lab: real programs, a real path, one box that does one thing at a time. Captures at client,
# box and server; what happened is read off by comparing the three (truth.py).
#
# usage: lab.sh [--out DIR] [--only SCENARIO]... [--jobs N] [--keep] | --list
#
# Everything happens in namespaces that this script makes and takes down. Needs root.
set -euo pipefail

LAB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SCENARIOS=() # name|kind|note|KEY=VALUE… in the order of the files
# shellcheck disable=SC2034 # the parts sourced below use these
PIDS=() CAPTURES=() RUNNING=()

# scenario NAME KIND NOTE [KEY=VALUE…]; the function of that name does the rest. KIND is inject,
# drop, mixed (both), throttle, mitm or benign: which of the differences between the captures are the
# box's doing.
scenario() {
	local name=$1 kind=$2 note=$3
	shift 3
	SCENARIOS+=("$name|$kind|$note|$*")
}

# shellcheck source=/dev/null
for part in "$LAB"/{topology,services,tunnels,ipsec,dialup,tor,box}.sh "$LAB"/scenarios/*.sh; do
	source "$part"
done

find_scenario() {
	local row
	for row in "${SCENARIOS[@]}"; do
		[[ ${row%%|*} == "$1" ]] && echo "$row" && return 0
	done
	echo "lab: no scenario '$1' (see --list)" >&2
	return 1
}

# Runs in a subshell of its own: knobs, pids and the trap are this scenario's.
run_scenario() { # run_scenario ROW
	local name kind note knobs
	IFS='|' read -r name kind note knobs <<<"$1"
	# shellcheck disable=SC2086,SC2163
	[[ -z $knobs ]] || export $knobs
	# shellcheck disable=SC2034 # so do they
	NS=wml$$-$BASHPID
	WORK=$TMP/$name
	mkdir -p "$WORK"
	trap topology_down EXIT
	trap 'exit 130' INT TERM
	topology_up
	"${name//-/_}"
	sleep 0.4 # let what is under way arrive
	capture_stop
	# shellcheck disable=SC2153
	/usr/bin/python3 "$LAB/truth.py" --name "$name" --kind "$kind" --note "$note" \
		--until "$STOPPED" --work "$WORK" --out "$OUT" --publish "${PUBLISH:-plain}" \
		--vantages "${VANTAGES:-client,box,server}" --nat "${NAT:-}" \
		--residual "${RESIDUAL:-}" --claim "${CLAIM:-}" --unscored "${UNSCORED:-}" --rate "${RATE:-}" \
		--client "$C4,$C6" --server "$S4,$X4,$Y4,$S6,$X6" >"$WORK/rows"
	echo "lab: $name: $(tail -n 1 "$WORK/rows")" >&2
}

reap() { # wait for one of the running scenarios
	local pid rc=0
	wait -n -p pid "${RUNNING[@]}" || rc=$?
	((rc == 0)) || FAILED=1
	local rest=() other
	for other in "${RUNNING[@]}"; do
		[[ $other == "$pid" ]] || rest+=("$other")
	done
	RUNNING=("${rest[@]}")
}

stop_all() {
	local pid
	trap - INT TERM
	for pid in "${RUNNING[@]}"; do
		kill -TERM "$pid" 2>/dev/null || true
	done
	wait
	[[ $KEEP == 1 ]] || rm -rf "$TMP"
}

# One manifest for all: rows of scenarios that were not run again stay.
write_manifest() {
	local header='file\tflow\texpect\tmin_verdict\tdevice\tframes\ttrigger\tvantage\torigin\tnote'
	local row name old=$OUT/MANIFEST
	{
		printf '%b\n' "$header"
		for row in "${SCENARIOS[@]}"; do
			name=${row%%|*}
			if [[ -s $TMP/$name/rows ]]; then
				sed '$d' "$TMP/$name/rows" # the last line is for the log
			elif [[ -s $old ]]; then
				grep -P "^\Q$name\E/" "$old" || true
			fi
		done
	} >"$TMP/MANIFEST"
	cp "$TMP/MANIFEST" "$old"
}

main() {
	local only=() jobs=5 row
	OUT=$LAB/../../pcaps KEEP=0 FAILED=0
	while (($#)); do
		case $1 in
		--out) OUT=$2 && shift ;;
		--only) only+=("$2") && shift ;;
		--jobs) jobs=$2 && shift ;;
		--keep) KEEP=1 ;;
		--list)
			printf '%s\n' "${SCENARIOS[@]}" | cut -d'|' -f1-3 | column -t -s'|'
			return 0
			;;
		*) sed -n '3,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2 && return 2 ;;
		esac
		shift
	done
	((EUID == 0)) || { echo "lab: needs root" >&2 && return 4; }
	local chosen=("${SCENARIOS[@]}")
	if ((${#only[@]})); then
		chosen=()
		for row in "${only[@]}"; do
			row=$(find_scenario "$row") || return 2
			chosen+=("$row")
		done
	fi
	TMP=$(mktemp -d)
	KEYS=$TMP/keys
	mkdir -p "$KEYS" "$OUT"
	OUT=$(cd "$OUT" && pwd)
	chmod 755 "$TMP" "$KEYS"
	trap stop_all EXIT
	trap 'exit 130' INT TERM
	make_certificate "$KEYS"
	for row in "${chosen[@]}"; do
		while ((${#RUNNING[@]} >= jobs)); do reap; done
		(run_scenario "$row") &
		RUNNING+=($!)
		sleep 0.2
	done
	while ((${#RUNNING[@]})); do reap; done
	write_manifest
	[[ $KEEP == 0 ]] || echo "lab: kept $TMP" >&2
	return $FAILED
}

main "$@"
