#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Every capture of pcaps/ by every engine of replay into every engine of capture, with the gaps it
# was taken with: what is found live is what analyze finds. Root.
#   tests/long/replay_capture.sh [OPTION OF tests/live/replayed.py...] [CAPTURE...]
# --longest 3 leaves the long ones out, --jobs N sends so many at once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

options=() captures=()
while (($#)); do
	case $1 in
	--verbose) options+=("$1") && shift ;;
	--*) options+=("$1" "$2") && shift 2 ;;
	*) captures+=("$1") && shift ;;
	esac
done
((${#captures[@]} > 0)) || mapfile -t captures < <(find pcaps -name '*.pcap' | sort)
[[ -f .build/build.ninja ]] || meson setup .build
ninja -C .build >/dev/null
exec /usr/bin/python3 -B tests/live/replayed.py "${options[@]}" .build/tools/wmscope \
	.build/tests/bench/count "${captures[@]}"
