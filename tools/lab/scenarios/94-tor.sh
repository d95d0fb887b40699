# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2153
# Tor in a network of its own, its bridge reached over obfs4 and over Tor's own TLS; obfs4 and Shadowsocks
# cut within a transfer and held to a rate.

# Both clients, used once they are there.
tor_two() {
	tor_client torc1 9051 obfs4
	tor_client torc2 9052 tls
	tor_up torc1
	tor_up torc2
	GIVE_UP=90 socks_fetch 9051 "http://$S4/mid" &
	GIVE_UP=90 socks_fetch 9052 "http://$S4/mid"
	wait_children
	controls_http
}

scenario tor-alone benign "Tor through a bridge, over obfs4 and over its own TLS, each used for a while" VANTAGES=client,server SNAP=600
tor_alone() {
	nginx_start
	tor_network
	capture_start
	tor_two
}

scenario tor-lossy-1 benign "1 % loss both ways under Tor, over obfs4 and over its own TLS" VANTAGES=client SNAP=220
tor_lossy_1() {
	nginx_start
	tor_network
	lose 0.01
	capture_start
	tor_two
}

scenario tor-lossy-3 benign "3 % loss both ways under Tor, over obfs4 and over its own TLS" VANTAGES=client SNAP=220
tor_lossy_3() {
	nginx_start
	tor_network
	lose 0.03
	capture_start
	tor_two
}

# tor_beside BLOCKED OTHER: a client that is let down, tried for a while, and beside it one that is left alone
tor_beside() {
	tor_client torc1 9051 "$1"
	controls_http
	tor_client torc2 9052 "$2"
	tor_up torc2
	socks_fetch 9052 "http://$S4/small"
	controls_http
	sleep 16
	socks_fetch 9052 "http://$S4/small"
	controls_http
}

scenario tor-rst-onpath inject "an on-path device resets both ends of Tor's TLS to a bridge; obfs4 to that bridge is left alone" VANTAGES=client,server SNAP=600
tor_rst_onpath() {
	nginx_start
	tor_network
	mirror both
	mark_flow device -p tcp --dport 7030 -m length --length 100:
	device -A FORWARD -m connmark --mark 1 -p tcp ! --tcp-flags RST RST "${RESET[@]}"
	capture_start
	tor_beside tls obfs4
}

# tor_thrice BLOCKED OTHER: as tor_beside, with as many tries as it takes to tell a rule
tor_thrice() {
	local k
	TOR_TRIED=()
	tor_client torc2 9052 "$2"
	tor_up torc2
	for k in 1 3 4; do
		fetch http://allowed.example/mid
		tor_client torc$k 905$k "$1"
		TOR_TRIED+=("$SPAWNED")
		sleep 5
		socks_fetch 9052 "http://$S4/small"
	done
	fetch http://allowed.example/mid
	sleep 16
	socks_fetch 9052 "http://$S4/small"
	controls_http
}

scenario tor-drop drop "the box drops the ClientHello of Tor's TLS to a bridge and what follows; obfs4 to that bridge is left alone" VANTAGES=client,server SNAP=600
tor_drop() {
	nginx_start
	tor_network
	box -A FORWARD -i b0 -p tcp --dport 7030 -m length --length 100: -j DROP
	capture_start
	tor_thrice tls obfs4
}

scenario tor-obfs4-cut drop "the box drops all packets of Tor over obfs4 after the 24th of a connection; Tor's TLS to that bridge is left alone" VANTAGES=client,server SNAP=220
tor_obfs4_cut() {
	nginx_start 'client_body_timeout 5s;'
	tor_network
	cut_after 9443 24 tcp
	capture_start
	tor_thrice obfs4 tls
	# Where the cut comes while a client waits for data, only its FIN, unanswered, shows that all is lost.
	kill -TERM "${TOR_TRIED[@]}"
	sleep 14
	controls_http
}

scenario tor-policed throttle "Tor's connections to its bridge (TLS and obfs4) are policed to 304 kbit/s each" VANTAGES=client,server SNAP=110
tor_policed() {
	nginx_start
	tor_network
	# For the published detector a bucket fills without end from a connection's first packet on: it has to
	# hold more than what Tor leaves unused in the seconds before the transfer.
	policed 7030,9443 tcp 152000
	capture_start
	local k=0 over
	for over in tls obfs4 tls; do
		fetch http://allowed.example/big
		fetch https://allowed.example/big
		tor_client torc$((++k)) 905$k $over
		tor_up torc$k
		GIVE_UP=90 socks_fetch 905$k "http://$S4/long"
		kill -TERM "$SPAWNED" # the bucket is the port's: what else the client fetches would share it
		wait "$SPAWNED" || true
	done
	fetch http://allowed.example/big
	fetch https://allowed.example/big
}

scenario tor-bridge-off benign "the bridge is killed while in use; its host answers for closed ports" VANTAGES=client,server SNAP=220
tor_bridge_off() {
	nginx_start
	tor_network
	capture_start
	tor_two
	crash "$TOR_BRIDGE"
	GIVE_UP=12 socks_fetch 9051 "http://$S4/small" &
	GIVE_UP=12 socks_fetch 9052 "http://$S4/small"
	wait_children
	controls_http
}

# ── cut and policed without Tor ───────────────────────────────────────────────────────────────

scenario obfs4-cut drop "the box drops all packets of an obfs4 connection after its 40th, in an upload that the server gives up after 5 s; Shadowsocks to it is left alone" VANTAGES=client,server SNAP=400
obfs4_cut() {
	nginx_start 'client_body_timeout 5s;'
	shadowsocks_server 8388
	obfs4_server 9443
	cut_after 9443 40 tcp
	capture_start
	obfs4_client
	shadowsocks_client 8388 1080
	local _
	for _ in 1 2 3; do
		GIVE_UP=18 obfs4_fetch 9443 /upload/one -T "$KEYS/www/wide" &
		socks_fetch 1080 "http://$S4/upload/one" -T "$KEYS/www/wide"
		sleep 4
	done
	wait_children
	sleep 14
	controls_http
}

scenario obfs4-policed throttle "obfs4's connection is policed to 304 kbit/s" VANTAGES=client,server SNAP=110
obfs4_policed() {
	nginx_start
	obfs4_server 9443
	policed 9443
	capture_start
	obfs4_client
	local _
	for _ in 1 2 3; do
		fetch http://allowed.example/wide
		GIVE_UP=90 obfs4_fetch 9443 /long
	done
	fetch http://allowed.example/wide
}

scenario shadowsocks-download-cut drop "the box drops all packets of a Shadowsocks connection after its 30th, in a download: the client waits and has nothing to say again" VANTAGES=client,server SNAP=220
shadowsocks_download_cut() {
	nginx_start
	shadowsocks_server 8388
	shadowsocks_server 8389
	cut_after 8388 30 tcp
	capture_start
	shadowsocks_client 8388 1080
	shadowsocks_client 8389 1081
	local _
	for _ in 1 2 3; do
		GIVE_UP=18 socks_fetch 1080 "http://$S4/mid" &
		socks_fetch 1081 "http://$S4/mid"
		sleep 5
	done
	wait_children
	sleep 14
	controls_http
}
