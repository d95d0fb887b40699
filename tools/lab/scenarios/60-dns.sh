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

# Asks as programs do, through the C library: A and AAAA from one socket, again after a second.
look_up() { # look_up NAME…
	printf 'nameserver %s\noptions timeout:1 attempts:3\n' "$S4" >"$WORK/resolv.conf"
	# The mount lives in the namespace of this one command.
	# shellcheck disable=SC2016 # expands inside
	nx c bash -c 'mount --bind "$1" /etc/resolv.conf && shift && timeout 20 getent ahosts "$@"' - \
		"$WORK/resolv.conf" "$@" >>"$WORK/client.log" 2>&1 || true
}

odd_resolver() { # odd_resolver HABIT…: see resolver.py
	spawn s resolver.log /usr/bin/python3 -u "$LAB/resolver.py" "$S4" "$@"
	wait_for "$WORK/resolver.log" ready
}

honest_resolver() {
	local name args=()
	for name in loop ten far; do
		args+=("--host-record=$name.blocked.example,$X4,$X6")
	done
	dnsmasq_start "${args[@]}"
}

FORGED=("loop.blocked.example,a=127.0.0.1" "ten.blocked.example,a=10.10.0.34,flags=0x8580,df=0"
	"far.blocked.example,a=198.51.100.77,ttl=255" "blocked.example,aaaa=2001:db8:bad::77")

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
	forger o o0 "${FORGED[@]}"
	capture_start
	ask_blocked
}

scenario dns-onpath-late inject "the on-path device is slow: its answer arrives after the resolver's" DEVICE_MS=20 VANTAGES=client
dns_onpath_late() { dns_onpath; }

scenario dns-onpath-oneside inject "as dns-onpath, but each file holds one direction only" PUBLISH=oneside VANTAGES=client
dns_onpath_oneside() { dns_onpath; }

scenario dns-onpath-snap96 inject "as dns-onpath, captured with 96 bytes of each frame: the answers are cut short" PUBLISH=snap96 VANTAGES=client
dns_onpath_snap96() { dns_onpath; }

scenario dns-onpath-twice inject "as dns-onpath; the client's capture on 'any' has every frame twice (SLL2)" BRIDGED=1 CLIENT_IF=any VANTAGES=client
dns_onpath_twice() { dns_onpath; }

scenario dns-onpath-v6 inject "IPv6: on-path device answers the query first" VANTAGES=client,box
dns_onpath_v6() { RESOLVER=$S6 dns_onpath; }

scenario dns-onpath-same inject "on-path device forges with the resolver's TTL, flag word, IP-ID and EDNS record" VANTAGES=client
dns_onpath_same() {
	honest_resolver
	mirror_dns
	forger o o0 ".blocked.example,a=198.51.100.77,aaaa=2001:db8:bad::77,ttl=54,flags=0x8580,ipid=0,opt=1"
	capture_start
	ask_blocked
}

scenario dns-onpath-triple inject "on-path device sends three answers of different make to each query" VANTAGES=client,box
dns_onpath_triple() {
	honest_resolver
	mirror_dns
	forger o o0 ".blocked.example,a=198.51.100.71,flags=0x8580,df=0,ttl=101" \
		".blocked.example,a=198.51.100.72,ttl=77,rrttl=300" \
		".blocked.example,a=198.51.100.73,flags=0x8400,df=0,ttl=53,plain=1"
	capture_start
	ask_often 3 allowed.example
	ask blocked.example
	ask far.blocked.example +noedns
	ask lab.example
	ask loop.blocked.example
	ask allowed.example
}

scenario dns-onpath-nx inject "on-path device says that the name does not exist (or fails); the resolver knows better" VANTAGES=client,box
dns_onpath_nx() {
	honest_resolver
	mirror_dns
	forger o o0 ten.blocked.example,rcode=2 loop.blocked.example,rcode=3 far.blocked.example,rcode=3,opt=1
	capture_start
	ask_often 3 allowed.example
	ask loop.blocked.example
	ask missing.example
	ask ten.blocked.example
	ask far.blocked.example AAAA
	ask allowed.example
}

scenario dns-inpath inject "in-path box swallows the query and answers it"
dns_inpath() {
	honest_resolver
	swallow
	forger b b0 "${FORGED[@]}" blocked.example,a=198.51.100.78
	capture_start
	ask_blocked
}

scenario dns-inpath-few inject "as dns-inpath, but the file holds few other answers to compare with" VANTAGES=client,server
dns_inpath_few() {
	honest_resolver
	swallow
	forger b b0 "${FORGED[@]}" blocked.example,a=198.51.100.78
	capture_start
	ask allowed.example
	sleep 0.7 # what is younger than a capture, or as old, may be missing from it
	local _
	for _ in 1 2 3; do
		ask loop.blocked.example
		ask lab.example
	done
	ask ten.blocked.example +noedns
	ask far.blocked.example
	sleep 0.7
	ask lab.example
}

scenario dns-inpath-nx inject "in-path box swallows the query and says that the name does not exist" VANTAGES=client,box,server
dns_inpath_nx() {
	honest_resolver
	swallow
	forger b b0 .blocked.example,rcode=3
	capture_start
	ask_blocked
	local _
	for _ in 1 2 3; do
		ask loop.blocked.example
		ask lab.example
	done
	sleep 0.7 # what is as young as a capture may be missing from it
	ask missing.example
}

scenario dns-udp-only inject "in-path box forges over UDP; the same name over TCP gets the resolver's answer" VANTAGES=client,box
dns_udp_only() {
	honest_resolver
	swallow
	forger b b0 .blocked.example,a=10.10.0.34
	capture_start
	ask_often 11 allowed.example
	ask blocked.example
	ask blocked.example +tcp
	ask far.blocked.example
	ask far.blocked.example +tcp
	ask allowed.example +tcp
}

scenario dns-intercept inject "from some time on the box answers every query itself, whatever resolver was asked"
dns_intercept() {
	honest_resolver
	resolver b 192.0.2.1 --local=/example/ --host-record="allowed.example,$S4,$S6" \
		--host-record=blocked.example,10.10.0.34
	await_port 53 b
	capture_start
	ask_often 11 allowed.example
	ask blocked.example
	RESOLVER=$X4 ask allowed.example +timeout=1 # nothing listens there
	box -t nat -A PREROUTING -i b0 -p udp --dport 53 -j REDIRECT
	ask_often 3 allowed.example
	ask blocked.example
	RESOLVER=$X4 ask allowed.example
	RESOLVER=$X4 ask blocked.example
	ask allowed.example +tcp
}

scenario dns-drop drop "the box drops queries for a name; they stay unanswered" VANTAGES=client,box,server
dns_drop() {
	honest_resolver
	swallow
	capture_start
	ask_often 3 allowed.example
	local _
	for _ in 1 2 3; do
		ask blocked.example +tries=2 +timeout=1
		ask allowed.example
	done
	look_up loop.blocked.example
	ask lab.example
}

scenario dns-cdn benign "a content network's answers: chains of CNAMEs, short TTLs, other addresses each time" VANTAGES=client,server
dns_cdn() {
	odd_resolver rotate
	capture_start
	ask_often 8 www.allowed.example
	ask_often 3 img.allowed.example +noedns
	look_up www.allowed.example
	ask www.allowed.example AAAA
}

scenario dns-cdn-twice benign "as dns-cdn; the client's capture on 'any' has every frame twice (SLL2)" BRIDGED=1 CLIENT_IF=any VANTAGES=client
dns_cdn_twice() { dns_cdn; }

scenario dns-resent benign "the resolver is slow, the client asks again in the same words, and both queries are answered, each with other addresses" VANTAGES=client,server
dns_resent() {
	odd_resolver rotate slow=1300
	capture_start
	look_up www.allowed.example
	look_up img.allowed.example
}

scenario dns-answer-lost benign "every third answer is lost on the path, or the resolver did not hear the query: asked again in the same words" VANTAGES=client,server
dns_answer_lost() {
	odd_resolver rotate deaf=2
	box -A FORWARD -i b1 -p udp --sport 53 -m statistic --mode nth --every 3 --packet 0 -j DROP
	capture_start
	look_up www.allowed.example
	look_up img.allowed.example
	ask allowed.example +tries=3 +timeout=1
}

scenario dns-query-doubled benign "the network doubles the query behind the capture: two honest answers with other addresses to what was asked once" VANTAGES=client,server
dns_query_doubled() {
	odd_resolver rotate
	box -t mangle -A PREROUTING -i b0 -p udp --dport 53 -j TEE --gateway 198.51.100.2
	capture_start
	ask_often 4 www.allowed.example
	ask www.allowed.example AAAA
}

scenario dns-answer-doubled benign "the network doubles the answers" VANTAGES=client
dns_answer_doubled() {
	odd_resolver shuffle
	box -t mangle -A PREROUTING -i b1 -p udp --sport 53 -j TEE --gateway "$C4"
	capture_start
	ask_often 4 www.allowed.example
	look_up www.allowed.example
}

scenario dns-split-horizon benign "one name, a private address inside and a public one outside: two resolvers are asked" VANTAGES=client
dns_split_horizon() {
	resolver s "$X4" --local=/example/ --host-record="intra.allowed.example,$S4" --host-record="allowed.example,$S4"
	wait_for "$WORK/dnsmasq.log" started
	dnsmasq_start --host-record=intra.allowed.example,10.20.30.40
	capture_start
	ask_often 3 allowed.example
	for _ in 1 2 3; do
		ask intra.allowed.example
		RESOLVER=$X4 ask intra.allowed.example
	done
	RESOLVER=$X4 ask allowed.example
}

scenario dns-portal benign "captive portal: every name is one private address until the user has logged in" VANTAGES=client
dns_portal() {
	resolver s "$S4" --address=/#/10.0.0.1 --local-ttl=5
	local portal=$SPAWNED name
	await_port 53
	capture_start
	for name in allowed.example blocked.example lab.example portal-check.example; do
		ask $name
		look_up $name
	done
	kill "$portal"
	wait "$portal" 2>/dev/null || true
	dnsmasq_start
	for name in allowed.example blocked.example lab.example; do
		ask $name
		look_up $name
	done
	ask_often 10 allowed.example
}

scenario dns-parental benign "the user's own filtering resolver: some names are 0.0.0.0, or do not exist" VANTAGES=client
dns_parental() {
	dnsmasq_start --address=/ads.example/0.0.0.0 --address=/ads.example/:: --address=/tracker.example/
	capture_start
	ask_often 11 allowed.example
	for _ in 1 2 3; do
		ask www.ads.example
		ask www.ads.example AAAA
		ask tracker.example
		look_up cdn.ads.example
	done
	ask allowed.example AAAA
}

scenario dns-answers benign "no such name, no such address, SERVFAIL, too long for UDP and then TCP, with and without EDNS" VANTAGES=client,server
dns_answers() {
	local text
	text=$(printf '%0240d' 0)
	dnsmasq_start --host-record="v4only.allowed.example,$S4" --txt-record="long.allowed.example,$text,$text,$text"
	capture_start
	ask missing.example
	ask missing.example +noedns
	ask v4only.allowed.example AAAA
	ask v4only.allowed.example
	ask long.allowed.example TXT +noedns
	ask long.allowed.example TXT +bufsize=512
	ask long.allowed.example TXT
	look_up v4only.allowed.example
	RESOLVER=$S6 ask allowed.example AAAA
	ask unknown.invalid +norecurse # refused
	ask 10.113.0.203.in-addr.arpa PTR
}

scenario dns-servfail benign "a resolver that cannot say, and one that does not know EDNS" VANTAGES=client
dns_servfail() {
	odd_resolver servfail noedns
	local first=$SPAWNED
	capture_start
	ask_often 2 allowed.example
	look_up blocked.example
	kill "$first"
	wait "$first" 2>/dev/null || true
	odd_resolver shuffle noedns
	ask_often 4 allowed.example
	look_up blocked.example
}
