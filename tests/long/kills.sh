#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Twenty times something breaks under a capture and a replay: SIGKILL, the link going down, a full disk,
# a queue that somebody else wants.   tests/long/kills.sh [--rounds N] [--seed N]
# tests/live/kills.py says what must be so afterwards. Root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

[[ -f .build/build.ninja ]] || meson setup .build
ninja -C .build >/dev/null
exec /usr/bin/python3 -B tests/live/kills.py "$@" .build/tools/wmscope \
	pcaps/sni-rst-onpath/client.pcap
