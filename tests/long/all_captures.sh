#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Every capture at hand with 1, 2 and 8 workers, in batches of 1 and 64, with and without nDPI: the
# same bytes each time.
# Then all of them again under ASan and UBSan.   tests/long/all_captures.sh [FOLDER...]
# FOLDER: default pcaps and, where it is, ../shared/corpora.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

folders=("$@")
if ((${#folders[@]} == 0)); then
	folders=(pcaps)
	[[ ! -d ../shared/corpora ]] || folders+=(../shared/corpora)
fi
[[ -f .build/build.ninja ]] || meson setup .build
ninja -C .build tools/wmscope tests/identity
[[ -f .build-asan/build.ninja ]] || CC=clang meson setup .build-asan \
	-Db_sanitize=address,undefined -Db_lundef=false
ninja -C .build-asan tools/wmscope

room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
n=0 bad=0
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

complain() {
	bad=$((bad + 1))
	echo "FAIL: $*"
}

# The first line names the command, so it differs and is left out.
analyse() { # analyse OUTPUT BINARY OPTIONS... FILE
	local out=$1 status=0
	shift
	timeout 300 "$1" analyze -q --jsonl "$room/raw" "${@:2}" 2>"$room/stderr" || status=$?
	case $status in
	0 | 1 | 3 | 5) ;;
	*) complain "exit $status: $*" && cat "$room/stderr" ;;
	esac
	tail -n +2 "$room/raw" >"$out"
	rm -f "$room/raw"
}

while IFS= read -r -d '' file; do
	n=$((n + 1))
	for ndpi in "" --ndpi; do
		status=0
		timeout 600 .build/tests/identity $ndpi "$file" >"$room/stdout" || status=$?
		case $status in
		0 | 77) ;;
		*) complain "identity $ndpi: exit $status" && tail -n 5 "$room/stdout" | cut -c -500 ;;
		esac
	done
	: >"$room/raw"
	analyse "$room/one" .build/tools/wmscope --no-ndpi --workers 1 "$file"
	: >"$room/raw"
	analyse "$room/other" .build-asan/tools/wmscope --no-ndpi --workers 2 "$file"
	cmp -s "$room/one" "$room/other" || complain "under ASan something else: $file"
done < <(find "${folders[@]}" -type f \( -name '*.pcap*' -o -name '*.cap*' \) -print0 | sort -z)

echo "$n captures, $bad failures"
((bad == 0 && n > 0))
