# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The lab's network: client ── wire ── box ── wire ── router ── server, and a tap beside the box.
# Sourced by lab.sh. One set of namespaces a scenario, so that scenarios can run side by side.
#
#   c  192.0.2.10, 2001:db8:1::10          client
#   w  (no addresses)                      wire.py: delay, reordering
#   b  192.0.2.1 | 198.51.100.1            the box: an ordinary router plus the scenario's rules
#   o  10.66.0.2, fd66::2                  on-path device: sees copies (TEE), never the packets
#   r  198.51.100.2 | 203.0.113.1          router; takes HOPS more off the TTL
#   s  203.0.113.10 .66, 2001:db8:3::10 ::66  server; the second address is for address blocks
#      198.18.7.10                          the same server in a network of its own
#
# shellcheck disable=SC2034 # read by the scenarios
C4=192.0.2.10 C6=2001:db8:1::10
S4=203.0.113.10 S6=2001:db8:3::10
X4=203.0.113.66 X6=2001:db8:3::66
Y4=198.18.7.10

nx() { # nx ROLE COMMAND…: run inside the namespace of that role
	local role=$1
	shift
	ip netns exec "$NS-$role" "$@"
}

# Start a command in the background and remember its pid: only these pids are ever ended.
spawn() { # spawn ROLE LOG COMMAND…
	local role=$1 log=$2
	shift 2
	ip netns exec "$NS-$role" "$@" >"$WORK/$log" 2>&1 &
	SPAWNED=$!
	PIDS+=("$SPAWNED")
}

wait_for() { # wait_for FILE PATTERN: until a line says so, 10 s at most
	local i
	for ((i = 0; i < 200; i++)); do
		grep -q -- "$2" "$1" 2>/dev/null && return 0
		sleep 0.05
	done
	echo "lab: no '$2' in $1:" >&2
	cat "$1" >&2
	return 1
}

link_pair() { # link_pair ROLE IFACE ROLE IFACE
	ip link add "$2" netns "$NS-$1" type veth peer name "$4" netns "$NS-$3"
	local end
	for end in "$1 $2" "$3 $4"; do
		# Offloads would put 40 KB "segments" and unfinished checksums into the captures.
		# shellcheck disable=SC2086
		set -- $end
		nx "$1" ethtool -K "$2" tx off tso off gso off gro off >/dev/null 2>&1
		nx "$1" ip link set "$2" up
	done
}

addr() { # addr ROLE IFACE ADDRESS…
	local role=$1 dev=$2 a
	shift 2
	for a in "$@"; do
		if [[ $a == *:* ]]; then
			nx "$role" ip -6 addr add "$a" dev "$dev" nodad
		else
			nx "$role" ip addr add "$a" dev "$dev"
		fi
	done
}

routes() { # routes ROLE V4GATEWAY V6GATEWAY [V4PREFIX V6PREFIX]
	nx "$1" ip route add "${4:-default}" via "$2"
	nx "$1" ip -6 route add "${5:-default}" via "$3"
}

topology_up() {
	local role
	for role in c w b o r s; do
		ip netns add "$NS-$role"
		nx "$role" ip link set lo up
		nx "$role" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
			net.ipv6.conf.default.accept_ra=0 net.ipv4.conf.all.rp_filter=0 \
			net.ipv4.conf.default.rp_filter=0 net.ipv4.conf.all.send_redirects=0 \
			net.ipv4.conf.default.send_redirects=0 net.ipv4.icmp_ratelimit=0
	done
	for role in c s; do
		# The usual buffers and no memory of earlier connections, whatever this machine has.
		nx "$role" sysctl -qw net.ipv4.tcp_rmem='4096 131072 6291456' \
			net.ipv4.tcp_wmem='4096 16384 4194304' net.ipv4.tcp_no_metrics_save=1
	done
	for role in b o r; do
		nx "$role" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	done
	link_pair c c0 w w0
	link_pair w w1 b b0
	link_pair b b1 w w2
	link_pair w w3 r r0
	link_pair r r1 s s0
	topology_device
	addr b b0 192.0.2.1/24 2001:db8:1::1/64
	addr b b1 198.51.100.1/24 2001:db8:2::1/64
	addr b b2 10.66.0.1/24 fd66::1/64
	addr o o0 10.66.0.2/24 fd66::2/64
	addr r r0 198.51.100.2/24 2001:db8:2::2/64
	addr r r1 203.0.113.1/24 2001:db8:3::1/64
	addr s s0 $S4/24 $X4/24 $Y4/32 $S6/64 $X6/64
	nx r ip route add $Y4 via $S4
	topology_client
	routes b 198.51.100.2 2001:db8:2::2
	routes r 198.51.100.1 2001:db8:2::1
	routes o 10.66.0.1 fd66::1
	topology_sink
	routes s 203.0.113.1 2001:db8:3::1
	topology_hops
	# 6 + 14 ms each way: the box is close to the client, the server 40 ms away.
	spawn w wire.log /usr/bin/python3 -u "$LAB/wire.py" "w0:w1:6${LATE:-}" "w2:w3:14" \
		${DEVICE_MS:+"w4:w5:$DEVICE_MS"}
	wait_for "$WORK/wire.log" ready
	# Neighbours learn each other now, so that no first packet waits for that.
	knock c $S4 $S6 $X4 $X6
	knock b 10.66.0.2 fd66::2
}

knock() { # knock ROLE ADDRESS…: a connection to a closed port
	local role=$1 a
	shift
	for a in "$@"; do
		nx "$role" timeout 2 bash -c "exec 3<>/dev/tcp/$a/9" 2>/dev/null || true
	done
}

# With DEVICE_MS the on-path device sits that far away and its packets lose the race.
topology_device() {
	if [[ -z ${DEVICE_MS:-} ]]; then
		link_pair b b2 o o0
		return
	fi
	link_pair b b2 w w4
	link_pair w w5 o o0
}

# With BRIDGED=1 the client's address sits on a bridge, as on a machine with guests: a capture on
# "any" then has every frame twice.
topology_client() {
	local dev=c0
	if [[ ${BRIDGED:-0} == 1 ]]; then
		dev=br0
		nx c ip link add br0 type bridge
		nx c ip link set c0 master br0
		nx c ip link set br0 up
		nx c ethtool -K br0 tx off tso off gso off gro off >/dev/null 2>&1
	fi
	addr c $dev $C4/24 $C6/64
	routes c 192.0.2.1 2001:db8:1::1
}

# The device must never send a copy on, and yet let it pass its rules to the end, or its connection
# tracking would forget it: copies are routed into nothing, what it makes itself goes back.
topology_sink() {
	nx o ip link add sink type veth peer name drain
	nx o ip link set sink arp off up
	nx o ip link set drain arp off up
	nx o ip route add default dev sink table 9
	nx o ip -6 route add default dev sink table 9
	nx o ip rule add iif o0 to $C4/24 lookup 9
	nx o ip rule add iif o0 to $S4/24 lookup 9
	nx o ip rule add iif o0 to $Y4 lookup 9
	nx o ip -6 rule add iif o0 to $C6/64 lookup 9
	nx o ip -6 rule add iif o0 to $S6/64 lookup 9
}

# A path of eleven hops without eleven namespaces: the router takes more than its own one.
topology_hops() {
	local hops=${HOPS:-9}
	((hops > 0)) || return 0
	nx r iptables-legacy -t mangle -A PREROUTING -j TTL --ttl-dec "$hops"
	nx r ip6tables-legacy -t mangle -A PREROUTING ! -p icmpv6 -j HL --hl-dec "$hops"
}

topology_down() {
	local pid role
	disown -a # no remarks about those that have to be killed
	for pid in "${PIDS[@]}"; do
		kill -TERM "$pid" 2>/dev/null || true
	done
	for role in c w b o r s; do
		[[ -e /run/netns/$NS-$role ]] || continue
		# What still runs in a namespace that this script made was started by it.
		for pid in $(ip netns pids "$NS-$role"); do
			kill -KILL "$pid" 2>/dev/null || true
		done
		ip netns del "$NS-$role" || true
	done
	rm -f "/run/wireguard/wl${NS##*-}"*.sock # of a wireguard-go that could not tidy up
}

# ── captures ──────────────────────────────────────────────────────────────────────────────────

capture_start() {
	local spec role dev file
	for spec in "client c ${CLIENT_IF:-c0}" "box b ${BOX_IF:-b0}" "server s s0"; do
		read -r file role dev <<<"$spec"
		spawn "$role" "tcpdump-$file.log" tcpdump --immediate-mode -U -n -i "$dev" -s "${SNAP:-2000}" \
			--time-stamp-precision="${PRECISION:-micro}" -B 16384 -w "$WORK/$file.pcap" ${FILTER:+"${FILTER//:/ }"}
		CAPTURES+=("$SPAWNED")
		wait_for "$WORK/tcpdump-$file.log" 'listening on'
	done
}

# Fails where a capture may lack packets: its tcpdump ended by itself, or says that it lost some.
capture_stop() {
	local pid log died=0
	STOPPED=$(date +%s.%N) # what is sent from here on may miss a capture that ends sooner
	for pid in "${CAPTURES[@]}"; do
		jobs -rp | grep -qx "$pid" || died=1
		kill -INT "$pid" 2>/dev/null || died=1
		wait "$pid" || died=1
	done
	for log in "$WORK"/tcpdump-*.log; do
		grep -q 'dropped by kernel' "$log" || died=1
	done
	if ((died)); then
		echo "lab: a capture ended before its time, so nothing it lacks can be called missing:" >&2
		tail -n 3 "$WORK"/tcpdump-*.log >&2
		return 1
	fi
	if grep -H 'dropped by kernel' "$WORK"/tcpdump-*.log | grep -v ':0 packets dropped'; then
		echo "lab: a capture lost packets, so nothing it lacks can be called missing" >&2
		return 1
	fi
}
