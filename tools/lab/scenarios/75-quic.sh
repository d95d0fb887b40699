# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2153
# QUIC by ngtcp2's client and server, HTTP/3 inside. The box does not open Initial packets as real ones
# do: connections that ask for the blocked name carry a connection id that begins with MARK, and the
# box matches that. What a capture shows is the same.
MARK=b10cb10cb10c
NAMED=(-p udp --dport 443 -m string --algo bm --from 28 --to 80 --hex-string "|$MARK|")
NAMED6=(-p udp --dport 443 -m string --algo bm --from 48 --to 100 --hex-string "|$MARK|")

quic_start() { # quic_start [OPTIONS OF THE SERVER]
	# One datagram a frame: with offload a capture would hold several in one.
	spawn s quic.log gtlsserver -q --no-pmtud --max-gso-dgrams=1 --max-udp-payload-size=1350 -d "$KEYS/www" "$@" \
		'*' 443 "$KEYS/key.pem" "$KEYS/cert.pem"
	local i
	for ((i = 0; i < 200; i++)); do
		[[ -n $(nx s ss -Hlun 'sport = :443') ]] && return 0
		sleep 0.05
	done
	echo "lab: no QUIC server" >&2
	return 1
}

quic() { # quic NAME [OPTIONS OF THE CLIENT]
	local name=$1 to=${PIN:-$S4} id=()
	shift
	[[ $name != blocked.example ]] || id=("--dcid=$MARK$(openssl rand -hex 6)")
	echo "== quic $name $to $*" >>"$WORK/client.log"
	echo "$to $name" >"$WORK/hosts-$name-$to"
	# The client asks the system for the name; the file is mounted for this one command.
	# shellcheck disable=SC2016 # expands inside
	nx c timeout 20 bash -c 'mount --bind "$1" /etc/hosts && shift && exec "$@"' - "$WORK/hosts-$name-$to" \
		gtlsclient -q --no-pmtud --exit-on-all-streams-close --timeout="${GIVE_UP:-8}s" \
		--handshake-timeout="${GIVE_UP:-8}s" --max-udp-payload-size=1350 "${id[@]}" "$@" \
		"$name" 443 "https://$name/small" >>"$WORK/client.log" 2>&1 || true
}
controls_quic() { quic allowed.example "$@"; }

scenario quic-fetch benign "HTTP/3 over QUIC version 1, a later draft of version 2, IPv6" VANTAGES=client,server
quic_fetch() {
	quic_start
	capture_start
	controls_quic
	quic blocked.example
	controls_quic -v v2draft
	PIN=$S6 controls_quic
}

scenario quic-sni-drop drop "in-path box drops a client's datagrams by the name in the first"
quic_sni_drop() {
	quic_start
	nginx_start
	box -A FORWARD "${NAMED[@]}" -j DROP
	capture_start
	controls_quic
	GIVE_UP=5 tries 4 controls_quic quic blocked.example
	fetch https://blocked.example/
	quic lab.example
	controls_quic
}

scenario quic-sni-drop-v6 drop "IPv6: in-path box drops a client's datagrams by the name in the first" VANTAGES=client
quic_sni_drop_v6() {
	quic_start
	box6 -A FORWARD "${NAMED6[@]}" -j DROP
	capture_start
	PIN=$S6 controls_quic
	PIN=$S6 GIVE_UP=5 tries 3 controls_quic quic blocked.example
}

scenario quic-version-drop drop "box drops all of QUIC version 1 with 1200 bytes and more, whatever the name; a draft of version 2 and TLS pass" VANTAGES=client,server "CLAIM=quic-filtering|silent-drop:inconclusive:protocol=quic"
quic_version_drop() {
	quic_start
	nginx_start
	box -A FORWARD -p udp --dport 443 -m length --length 1228: \
		-m string --algo bm --from 28 --to 34 --hex-string '|00000001|' -j DROP
	capture_start
	later_version
	GIVE_UP=5 tries 2 later_version quic blocked.example
	GIVE_UP=5 tries 2 later_version controls_quic
	quic blocked.example -v v2draft
	fetch https://blocked.example/
}

later_version() { controls_quic -v v2draft; }

scenario quic-residual drop "after the name the box drops all of the client's UDP to that address and port for 30 s" VANTAGES=client,server RESIDUAL=3-tuple:30
quic_residual() {
	quic_start
	nginx_start
	box -A FORWARD -i b0 -p udp --dport 443 -m recent --name udp --rcheck --rdest --seconds 30 -j DROP
	box -A FORWARD -i b0 "${NAMED[@]}" -m recent --name udp --set --rdest -j DROP
	capture_start
	local _
	controls_quic
	for _ in 1 2 3; do
		window_opens
		GIVE_UP=5 quic blocked.example
		wait_until 8
		GIVE_UP=4 controls_quic
		wait_until 17
		GIVE_UP=4 controls_quic
		controls_tls
		PIN=$X4 controls_quic
		wait_until 24
		GIVE_UP=5 controls_quic
		wait_until 32
		controls_quic
	done
}

scenario quic-source-port drop "box drops by name, but looks only where the source port is above the destination port" VANTAGES=client,server "CLAIM=quic-filtering|silent-drop:inconclusive:quic-sni=blocked.example"
quic_source_port() {
	quic_start
	box -A FORWARD "${NAMED[@]}" --sport 444:65535 -j DROP
	capture_start
	controls_quic
	GIVE_UP=5 tries 3 controls_quic quic blocked.example
	nx c sysctl -qw net.ipv4.ip_unprivileged_port_start=0 'net.ipv4.ip_local_port_range=300 400'
	quic blocked.example
	quic blocked.example
	controls_quic
	quic blocked.example
}

scenario quic-dead-port benign "nobody listens on UDP 443, whatever the name: first in silence, then with ICMP port unreachable; TLS works" VANTAGES=client,server
quic_dead_port() {
	nginx_start
	nx s iptables-legacy -w -A OUTPUT -p icmp -j DROP
	capture_start
	GIVE_UP=5 tries 3 controls_tls quic blocked.example
	GIVE_UP=5 tries 2 controls_tls controls_quic
	fetch https://blocked.example/
	nx s iptables-legacy -w -F OUTPUT
	GIVE_UP=3 quic blocked.example
	GIVE_UP=3 controls_quic
}

scenario quic-version-negotiation benign "the server does not speak the client's version and says which it does" VANTAGES=client,server
quic_version_negotiation() {
	quic_start
	capture_start
	quic blocked.example -v 0x1a2a3a4a
	controls_quic -v 0x1a2a3a4a
	controls_quic
}

scenario quic-retry benign "the server validates addresses: Retry before every handshake" VANTAGES=client,server
quic_retry() {
	quic_start -V
	capture_start
	quic blocked.example
	controls_quic
	PIN=$S6 controls_quic
}

scenario quic-lossy benign "3 % loss both ways under a dozen fetches by QUIC" VANTAGES=client,server
quic_lossy() {
	quic_start
	lose 0.03
	capture_start
	local _
	for _ in 1 2 3 4; do
		quic blocked.example
		controls_quic
		quic lab.example
	done
}

scenario quic-sink benign "a server that takes datagrams and never answers, whatever the name" VANTAGES=client,server
quic_sink() {
	spawn s sink.log /usr/bin/python3 "$LAB/udppeer.py" sink 443
	capture_start
	GIVE_UP=5 tries 3 controls_quic quic blocked.example
}
