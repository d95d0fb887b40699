# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2153
# Forged answers to DNS queries, and what resolvers do of their own accord.
#
# The forger is forger.py: on the device it races (the query goes on), on the box it answers what the
# box then drops. The resolver is dnsmasq at 203.0.113.10 and 2001:db8:3::10.

ask() { # ask NAME [TYPE OR OPTIONS OF dig]: one query, answered or not
	echo "== dig $*" >>"$WORK/client.log"
	nx c dig "@${RESOLVER:-$S4}" +tries=1 +timeout=2 +noall +comments +answer "$@" \
		>>"$WORK/client.log" 2>&1 || true
}

ask_often() { # ask_often TIMES NAME…: what a resolver's usual answers look like
	local times=$1 i
	shift
	for ((i = 0; i < times; i++)); do ask "$@"; done
}

mirror_dns() {
	box -t mangle -A PREROUTING -i b0 -p udp --dport 53 -j TEE --gateway 10.66.0.2
	box6 -t mangle -A PREROUTING -i b0 -p udp --dport 53 -j TEE --gateway fd66::2
}

forger() { # forger ROLE IFACE RULE…
	local role=$1 dev=$2
	shift 2
	spawn "$role" forger.log /usr/bin/python3 -u "$LAB/forger.py" "$dev" "$@"
	wait_for "$WORK/forger.log" ready
}

# Nothing but a name below blocked.example holds these bytes.
swallow() { # swallow: the box lets no query for blocked.example pass
	local rule=(-A FORWARD -i b0 -p udp --dport 53 -m string --algo bm
		--hex-string '|07|blocked|07|example|00|' -j DROP)
	box "${rule[@]}"
	box6 "${rule[@]}"
}

BLOCKED=(blocked.example loop.blocked.example ten.blocked.example far.blocked.example)

honest_resolver() { # honest_resolver [OPTIONS]
	local name args=()
	for name in "${BLOCKED[@]:1}"; do
		args+=("--host-record=$name,$X4,$X6")
	done
	dnsmasq_start "${args[@]}" "$@"
}

ask_blocked() {
	ask_often 11 allowed.example
	ask blocked.example
	ask loop.blocked.example
	ask ten.blocked.example +noedns
	ask lab.example AAAA
	ask far.blocked.example
	ask blocked.example AAAA
	ask allowed.example
}

scenario dns-onpath inject "on-path device answers the query first; the resolver's answer comes after it"
dns_onpath() {
	honest_resolver
	mirror_dns
	forger o o0 "loop.blocked.example,a=127.0.0.1" "ten.blocked.example,a=10.10.0.34,flags=0x8580,df=0" \
		"far.blocked.example,a=198.51.100.77,ttl=255" "blocked.example,aaaa=2001:db8:bad::77"
	capture_start
	ask_blocked
}
