#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Fuzzes every target under ASan and UBSan, two at a time:
#   tests/long/fuzz.sh [--seconds N] [--seed N] [--runs N] [--build DIR] [--keep DIR] [TARGET...]
# --seed: the same inputs in the same order; with --runs, as many of them however fast the machine is (a
# gate that draws lots fails changes that did nothing). Of the slow targets it is a hundredth.
# New inputs go to --keep (default .build-fuzz/corpus), crashes beside them; the corpora of the tree
# are read and never written.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

seconds=600 seed=0 runs=-1 build=.build-fuzz keep=.build-fuzz/corpus targets=()
while (($#)); do
	case $1 in
	--seconds) seconds=$2 && shift 2 ;;
	--seed) seed=$2 && shift 2 ;;
	--runs) runs=$2 && shift 2 ;;
	--build) build=$2 && shift 2 ;;
	--keep) keep=$2 && shift 2 ;;
	-*)
		sed -n 's/^#   tests/usage: tests/p' "$0" >&2
		exit 2
		;;
	*) targets+=("$1") && shift ;;
	esac
done

[[ -f $build/build.ninja ]] || CC=clang meson setup "$build" -Dfuzz=true \
	-Db_sanitize=address,undefined -Db_lundef=false
ninja -C "$build"
if ((${#targets[@]} == 0)); then
	for source in tests/fuzz/fuzz_*.c; do
		name=${source##*/fuzz_}
		targets+=("${name%.c}")
	done
fi

export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
fuzz() {
	local name=$1 found=$keep/$1 most=$runs
	case $name in
	capture | compare | dns | evidence | rate | reassembly | saved | testimony)
		((runs < 0)) || most=$((runs / 100))
		;;
	esac
	mkdir -p "$found"
	# Its weighing of inputs by how rare their features are costs more than the runs: of evidence 16 times
	# as many come to be without.
	"$build/tests/fuzz/fuzz_$name" -entropic=0 -max_total_time="$seconds" -runs="$most" -seed="$seed" -timeout=10 -rss_limit_mb=1024 \
		-print_final_stats=1 -artifact_prefix="$found/" "$found" "tests/fuzz/corpus/$name" \
		>"$keep/$name.log" 2>&1
}

status=0
mkdir -p "$keep"
for ((i = 0; i < ${#targets[@]}; i += 2)); do
	pids=()
	for name in "${targets[@]:i:2}"; do
		fuzz "$name" &
		pids+=("$!:$name")
	done
	for pid in "${pids[@]}"; do
		name=${pid#*:}
		if wait "${pid%%:*}"; then
			echo "ok: $name: $(grep -h number_of_executed_units "$keep/$name.log" || true)"
		else
			status=1
			echo "FAIL: $name"
			tail -n 40 "$keep/$name.log"
		fi
	done
done
exit $status
