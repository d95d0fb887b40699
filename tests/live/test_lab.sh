#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs a few quick scenarios of the lab and checks that the truth read off the captures is the one
# expected: forged frames where a box resets, none where no box is.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lab=$here/../../tools/lab/lab.sh

# skip WHY: 77, or a failure where the caller says that this must be testable
skip() {
	case " ${WMSCOPE_REQUIRE:-} " in
	*[\ ,]root[\ ,]* | *[\ ,]netns[\ ,]*)
		echo "FAIL: required, but $1"
		exit 1
		;;
	esac
	echo "SKIP: $1"
	exit 77
}

((EUID == 0)) || skip "not root"
for tool in ip iptables-legacy ip6tables-legacy ethtool tcpdump nginx curl dig dnsmasq openssl \
	ssh-keygen; do
	command -v "$tool" >/dev/null || skip "$tool is not installed"
done
[[ -x /usr/bin/python3 ]] || skip "/usr/bin/python3 is not installed"
probe=wmlprobe$$
ip netns add "$probe" 2>/dev/null || skip "network namespaces cannot be made here"
ip netns exec "$probe" iptables-legacy -A FORWARD -p tcp -m string --algo bm --string x \
	-j REJECT --reject-with tcp-reset 2>/dev/null && ok=1 || ok=0
ip netns del "$probe"
((ok)) || skip "this kernel has no string match or REJECT"

out=$(mktemp -d)
running=
end() {
	[[ -z $running ]] || kill -TERM "$running" 2>/dev/null || true
	rm -rf "$out"
}
trap end EXIT
"$lab" --out "$out" --jobs 2 --only sni-rst-inpath --only sni-rst-onpath --only client-abort \
	--only closed-port --only dns-onpath-v6 --only page-inpath \
	--only boxes-same-name --only tls-mitm &
id=$! # by which it calls its namespaces
running=$id
wait "$id"
running=

fails=0
check() { # check WHAT EXPECTED GOT
	if [[ $2 == "$3" ]]; then
		echo "ok: $1"
	else
		echo "FAIL: $1: expected $2, got $3"
		fails=1
	fi
}
# What the lab makes of a tcpdump that runs on or ended by itself, and says so many losses.
stopped() { # stopped runs|ends DROPPED
	(
		# shellcheck source=/dev/null
		source "$(dirname "$lab")/topology.sh"
		WORK=$out/stopped-$1-$2 CAPTURES=() last='signal.pause()'
		[[ $1 == runs ]] || last=''
		mkdir "$WORK"
		/usr/bin/python3 -c "import signal, sys
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
print('$2 packets dropped by kernel', flush=True)
$last" >"$WORK/tcpdump-client.log" &
		CAPTURES+=($!)
		until [[ -s $WORK/tcpdump-client.log ]]; do sleep 0.05; done
		[[ $1 == runs ]] || sleep 0.5
		if capture_stop 2>/dev/null >&2; then echo whole; else echo cut; fi
	)
}
check "a capture that ran" whole "$(stopped runs 0)"
check "a capture that lost packets" cut "$(stopped runs 3)"
check "a capture that ended before its time" cut "$(stopped ends 0)"

# rows FILE EXPECT: how many rows of that file expect that; controls FILE: connections left alone;
# frames FILE: how many rows name frames
rows() { awk -F'\t' -v f="$1" -v e="$2" '$1 == f && $3 == e' "$out/MANIFEST" | wc -l; }
controls() { awk -F'\t' -v f="$1" '$1 == f && $2 != "*" && $3 == "none"' "$out/MANIFEST" | wc -l; }
frames() { awk -F'\t' -v f="$1" '$1 == f && $6 != "-"' "$out/MANIFEST" | wc -l; }
verdicts() { awk -F'\t' -v f="$1" '$1 == f && $6 != "-" {print $4}' "$out/MANIFEST" | sort -u; }

for scenario in sni-rst-inpath sni-rst-onpath; do
	for vantage in client box; do
		check "$scenario at $vantage: forged flows" 3 "$(frames $scenario/$vantage.pcap)"
		check "$scenario at $vantage: controls" 3 "$(controls $scenario/$vantage.pcap)"
	done
	check "$scenario at server: nothing forged arrives" 0 "$(frames $scenario/server.pcap)"
done
check "in path, one reset alone" anomaly "$(verdicts sni-rst-inpath/client.pcap)"
check "on path, the answer comes too" likely "$(verdicts sni-rst-onpath/client.pcap)"
conclusions() { awk -F'\t' -v f="$1" '$1 == f && $2 == "*" {print $3, $4, $7}' "$out/MANIFEST"; }
check "two boxes: forged by one, dropped by the other" 5 "$(frames boxes-same-name/client.pcap)"
check "two boxes: the name that fails" "tls-filtering anomaly sni=blocked.example" \
	"$(conclusions boxes-same-name/client.pcap)"
check "proxy: connections that it ended" 3 "$(rows tls-mitm/client.pcap unscored)"
check "proxy: the name that it minds" "tls-interception anomaly sni=blocked.example" \
	"$(conclusions tls-mitm/client.pcap)"
for scenario in client-abort closed-port; do
	check "$scenario: one row for all" 1 "$(rows $scenario/client.pcap none)"
	check "$scenario: nothing forged" 0 "$(frames $scenario/client.pcap)"
done
for vantage in client box; do
	check "dns at $vantage: forged answers" 4 "$(frames dns-onpath-v6/$vantage.pcap)"
	check "dns at $vantage: controls" 14 "$(controls dns-onpath-v6/$vantage.pcap)"
	check "page at $vantage: forged pages" 3 "$(frames page-inpath/$vantage.pcap)"
	check "page at $vantage: controls" 3 "$(controls page-inpath/$vantage.pcap)"
done
check "pages lack the timestamps" likely "$(verdicts page-inpath/client.pcap)"
check "a page never reaches the server" 0 "$(frames page-inpath/server.pcap)"
check "namespaces left over" 0 "$(ip netns list | grep -c "^wml$id-" || true)"
exit $fails
