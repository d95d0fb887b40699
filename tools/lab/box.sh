# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# What the box can be told to do, in the kernel's own words. Sourced by lab.sh.
#
# BAD, HOST and WORD are matches on what the client sends; the box looks at single packets and does
# not reassemble.
# shellcheck disable=SC2034 # read by the scenarios
BAD=(-p tcp --dport 443 -m string --algo bm --string blocked.example)
HOST=(-p tcp --dport 80 -m string --algo bm --string 'Host: blocked.example')
WORD=(-p tcp --dport 80 -m string --algo bm --string forbidden-word)
RESET=(-j REJECT --reject-with tcp-reset)

box() { nx b iptables-legacy -w "$@"; }
box6() { nx b ip6tables-legacy -w "$@"; }
device() { nx o iptables-legacy -w "$@"; }
device6() { nx o ip6tables-legacy -w "$@"; }
router() { nx r iptables-legacy -w "$@"; }

# Resets that a namespace makes start at its default TTL.
stamp_ttl() { # stamp_ttl ROLE TTL
	nx "$1" sysctl -qw "net.ipv4.ip_default_ttl=$2" "net.ipv6.conf.all.hop_limit=$2" \
		"net.ipv6.conf.default.hop_limit=$2"
	local conf
	for conf in b0 b1 o0 r0 r1; do
		nx "$1" sysctl -qw "net.ipv6.conf.$conf.hop_limit=$2" 2>/dev/null || true
	done
}

# The box passes everything on and gives the device a copy: the device can only race.
mirror() { # mirror c2s|both
	local dev
	for dev in b0 $([[ $1 == both ]] && echo b1); do
		box -t mangle -A PREROUTING -i "$dev" -p tcp -j TEE --gateway 10.66.0.2
		box6 -t mangle -A PREROUTING -i "$dev" -p tcp -j TEE --gateway fd66::2
	done
}

strip_options() {
	box -t mangle -A FORWARD -p tcp --tcp-flags SYN SYN -j TCPOPTSTRIP --strip-options timestamp
	box -t mangle -A FORWARD -p tcp --tcp-flags SYN SYN -j TCPMSS --set-mss 1200
}

# Remember a connection by what one of its packets said.
mark_flow() { # mark_flow ROLE-FUNCTION MATCH…
	local where=$1
	shift
	"$where" -A FORWARD "$@" -j CONNMARK --set-mark 1
}
