# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2153
# Tunnels of real programs: left alone; with their first message dropped, with a few packets passed and the
# rest dropped, reset, policed; and what looks like it: loss, a wrong key, a server that is off. In each
# capture another protocol or another port of the same server is left alone.

# cut_after PORT PACKETS: both ways, counted by connection
cut_after() {
	local end
	for end in --dport --sport; do
		box -A FORWARD -p "${3:-udp}" "$end" "$1" -m connbytes --connbytes "$(($2 + 1)):" \
			--connbytes-dir both --connbytes-mode packets -j DROP
	done
}

scenario wireguard-handshake-drop drop "the box drops WireGuard's initiations to one port, which had answered that client before; another port is left alone" VANTAGES=client CLAIM=vpn-interference:anomaly:protocol=wireguard
wireguard_handshake_drop() {
	nginx_start
	wg_server 51820 20 3
	wg_server 51821 21 1
	capture_start
	wg_control 51820 20
	controls_tls
	box -A FORWARD -p udp --dport 51820 -m u32 --u32 '28=0x01000000' -j DROP
	wg_client 51820 20 2
	wg_client 51820 20 3
	wg_pings 20 2 18 1 &
	wg_pings 20 3 18 1
	wg_control 51821 21
	controls_tls
	wait_children
}

scenario wireguard-answer-drop drop "the box drops the server's answers to WireGuard's initiations, of one port that had answered that client before; another port is left alone" VANTAGES=client,server CLAIM=vpn-interference:anomaly:protocol=wireguard
wireguard_answer_drop() {
	nginx_start
	wg_server 51820 20 3
	wg_server 51821 21 1
	capture_start
	wg_control 51820 20
	controls_tls
	box -A FORWARD -p udp --sport 51820 -m u32 --u32 '28=0x02000000' -j DROP
	wg_client 51820 20 2
	wg_client 51820 20 3
	wg_pings 20 2 18 1 &
	wg_pings 20 3 18 1
	wg_control 51821 21
	controls_tls
	wait_children
}

scenario wireguard-cut drop "the box drops all packets of a WireGuard session after its 14th; OpenVPN to the same server is left alone" VANTAGES=client,server CLAIM=vpn-interference:anomaly:protocol=wireguard
wireguard_cut() {
	nginx_start
	openvpn_server 1194 udp 30 crypt
	wg_server 51820 20 3
	cut_after 51820 14
	capture_start
	local k
	for k in 1 2 3; do
		wg_client 51820 20 $k
		wg_pings 20 $k 48 0.4 &
		sleep 6
	done
	openvpn_client ovc 1194 udp crypt
	openvpn_up ovc
	sleep 3
	pings ovc 10.30.0.1 12 0.4
	controls_tls
	wait_children
}

scenario openvpn-handshake-drop drop "the box drops the hard resets of OpenVPN's clients over UDP (tls-crypt); the port had answered before" VANTAGES=client CLAIM=vpn-interference:anomaly:protocol=openvpn
openvpn_handshake_drop() {
	nginx_start
	openvpn_server 1194 udp 30 crypt
	openvpn_server 1195 udp 31 auth
	capture_start
	openvpn_client ovc0 1194 udp crypt --explicit-exit-notify 2
	openvpn_up ovc0
	pings ovc0 10.30.0.1 3 0.3
	openvpn_down
	controls_tls
	box -A FORWARD -p udp --dport 1194 -m u32 --u32 '25&0xff=0x38,0x50' -j DROP
	openvpn_client ovc1 1194 udp crypt
	openvpn_client ovc2 1194 udp crypt
	sleep 20
	openvpn_control ovc3 1195 31 auth
	controls_tls
}

scenario openvpn-cut drop "the box drops all packets of an OpenVPN session (tls-auth) after its 40th; WireGuard to the same server is left alone" VANTAGES=client,server CLAIM=vpn-interference:anomaly:protocol=openvpn
openvpn_cut() {
	nginx_start
	openvpn_server 1194 udp 30 auth
	wg_server 51820 20 1
	cut_after 1194 40
	capture_start
	local k
	for k in 1 2 3; do
		openvpn_client ovc$k 1194 udp auth
		openvpn_up ovc$k
		pings ovc$k 10.30.0.1 55 0.4 &
		sleep 5
	done
	wg_client 51820 20 1
	sleep 5
	wg_pings 20 1 10 0.4
	controls_tls
	wait_children
}

# ── over TCP ──────────────────────────────────────────────────────────────────────────────────

# The first segment of OpenVPN over TCP: a length of two bytes, then opcode 7 or 10 with key 0.
OVPN_TCP=(-p tcp --dport 1194 -m u32 --u32 '0>>22&0x3C@12>>26&0x3C@0>>8&0xFF=0x38,0x50')

scenario openvpn-tcp-rst inject "the box answers the hard reset of an OpenVPN client over TCP with a TCP reset and swallows it" VANTAGES=client,server
openvpn_tcp_rst() {
	nginx_start
	openvpn_server 1194 tcp 30 crypt
	openvpn_server 1195 udp 31 auth
	box -A FORWARD "${OVPN_TCP[@]}" "${RESET[@]}"
	capture_start
	controls_tls
	openvpn_client ovc1 1194 tcp crypt --connect-retry 2
	openvpn_control ovc2 1195 31 auth
	sleep 3
	controls_tls
}

scenario openvpn-tcp-rst-onpath inject "an on-path device resets both ends of OpenVPN over TCP once it saw the hard reset" VANTAGES=client,server
openvpn_tcp_rst_onpath() {
	nginx_start
	openvpn_server 1194 tcp 30 crypt
	mirror both
	mark_flow device "${OVPN_TCP[@]}"
	device -A FORWARD -m connmark --mark 1 -p tcp ! --tcp-flags RST RST "${RESET[@]}"
	capture_start
	controls_tls
	openvpn_client ovc1 1194 tcp crypt --connect-retry 2
	sleep 6
	controls_tls
}

scenario openvpn-tcp-drop drop "the box drops the hard reset of OpenVPN's clients over TCP" VANTAGES=client,server
openvpn_tcp_drop() {
	nginx_start
	openvpn_server 1194 tcp 30 crypt
	openvpn_server 1195 udp 31 auth
	box -A FORWARD "${OVPN_TCP[@]}" -j DROP
	capture_start
	local k
	for k in 1 2 3; do
		controls_tls
		openvpn_client ovc$k 1194 tcp crypt
		sleep 1
	done
	openvpn_control ovc4 1195 31 auth
	sleep 12
	controls_tls
	sleep 7
	controls_tls
}

scenario ssh-tunnel-cut drop "the box drops all packets of an SSH connection after its 60th" VANTAGES=client,server SNAP=360
ssh_tunnel_cut() {
	nginx_start
	sshd_start
	cut_after 22 60 tcp
	capture_start
	local port _
	for port in 1080 1081 1082; do
		fetch http://allowed.example/wide
		ssh_tunnel $port
		await_port $port c
		for _ in 1 2 3; do
			GIVE_UP=4 socks_fetch $port "http://$S4/mid"
		done
	done
	fetch http://allowed.example/wide
	sleep 10
	controls_http
}

scenario shadowsocks-rst-onpath inject "an on-path device resets both ends of Shadowsocks once the client's first payload went by" VANTAGES=client,server
shadowsocks_rst_onpath() {
	nginx_start
	shadowsocks_server 8388
	mirror both
	mark_flow device -p tcp --dport 8388 -m length --length 100:
	device -A FORWARD -m connmark --mark 1 -p tcp ! --tcp-flags RST RST "${RESET[@]}"
	capture_start
	shadowsocks_client 8388 1080
	controls_http
	socks_fetch 1080 "http://$S4/small"
	controls_http
	socks_fetch 1080 "http://$S4/small"
	controls_http
}

scenario shadowsocks-drop drop "the box drops the first payload of Shadowsocks and what follows" VANTAGES=client,server
shadowsocks_drop() {
	nginx_start
	shadowsocks_server 8388
	shadowsocks_server 8389
	box -A FORWARD -p tcp --dport 8388 -m length --length 100: -j DROP
	capture_start
	shadowsocks_client 8388 1080
	shadowsocks_client 8389 1081
	local _
	for _ in 1 2 3; do
		socks_fetch 1081 "http://$S4/small"
		GIVE_UP=9 socks_fetch 1080 "http://$S4/small" &
		controls_http
		sleep 1
	done
	wait_children
	sleep 12
	socks_fetch 1081 "http://$S4/small"
	controls_http
}

scenario shadowsocks-cut drop "the box drops all packets of a Shadowsocks connection after its 14th, in an upload" VANTAGES=client,server SNAP=400 UNSCORED=server
shadowsocks_cut() {
	nginx_start
	shadowsocks_server 8388
	shadowsocks_server 8389
	cut_after 8388 14 tcp
	capture_start
	shadowsocks_client 8388 1080
	shadowsocks_client 8389 1081
	local _
	for _ in 1 2 3; do
		GIVE_UP=14 socks_fetch 1080 "http://$S4/upload/one" -T "$KEYS/www/mid" &
		socks_fetch 1081 "http://$S4/upload/one" -T "$KEYS/www/mid"
		sleep 4
	done
	wait_children
	sleep 8
	controls_http
}

# policed PORT[,PORT]… [udp|tcp [BURST]]: what each of these servers sends beyond BURST bytes and 304 kbit/s
# (of IP packets) is dropped. The kernel gives a burst once to each entry of its table, and forgets an entry
# in a minute: ten seconds here, so that a bucket that was left alone is full again.
policed() {
	box -A FORWARD -i b1 -p "${2:-tcp}" -m multiport --sports "$1" -m hashlimit --hashlimit-name slow \
		--hashlimit-mode srcport --hashlimit-above 38000b/s --hashlimit-burst "${3:-38000}b" \
		--hashlimit-htable-expire 10000 -j DROP
}

scenario tunnels-policed-udp throttle "the tunnels' datagrams (WireGuard, OpenVPN, IPsec) are policed to 304 kbit/s each" VANTAGES=client,server SNAP=220
tunnels_policed_udp() {
	nginx_start
	openvpn_server 1194 udp 30 crypt
	wg_server 51820 20 1
	ipsec_server 1
	policed 51820,1194,4500 udp
	capture_start
	wg_client 51820 20 1
	ipsec_client 1
	openvpn_client ovc1 1194 udp crypt
	openvpn_up ovc1
	ipsec_up 1
	fetch http://allowed.example/wide
	# One after the other, and others meanwhile: each of them shows that it is not the path.
	GIVE_UP=90 fetch http://10.20.0.1/big &
	sleep 2
	fetch http://allowed.example/wide
	GIVE_UP=90 fetch http://10.51.0.1/big --interface 10.51.0.2 &
	sleep 2
	fetch http://allowed.example/wide
	GIVE_UP=90 fetch http://10.30.0.1/big --interface ovc1 &
	sleep 2
	fetch http://allowed.example/wide
	wait_children
	fetch http://allowed.example/wide
}

scenario tunnels-policed throttle "the tunnels' connections (SSH, Shadowsocks, OpenVPN over TCP) are policed to 304 kbit/s each" SNAP=130 VANTAGES=client,server
tunnels_policed() {
	nginx_start
	sshd_start
	shadowsocks_server 8388
	openvpn_server 1194 tcp 30 crypt
	policed 22,1194,8388
	capture_start
	# One after the other, and others in between: each of them shows that it is not the path. None waits
	# once it is connected: for the published detector a bucket fills without end from the first packet.
	fetch http://allowed.example/wide
	ssh_tunnel 1080
	await_port 1080 c
	GIVE_UP=90 socks_fetch 1080 "http://$S4/long"
	fetch http://allowed.example/wide
	shadowsocks_client 8388 1081
	GIVE_UP=90 socks_fetch 1081 "http://$S4/long"
	fetch http://allowed.example/wide
	openvpn_client ovc1 1194 tcp crypt
	openvpn_up ovc1
	GIVE_UP=90 fetch http://10.30.0.1/long --interface ovc1
	fetch http://allowed.example/wide
}

# ── no box, and yet tunnels that fail ─────────────────────────────────────────────────────────

# Servers of all kinds: OpenVPN on UDP 1194 (tls-crypt), 1195 (tls-auth) and TCP 1196, WireGuard, SSH,
# Shadowsocks.
all_tunnels() {
	nginx_start
	sshd_start
	shadowsocks_server 8388
	openvpn_server 1194 udp 30 crypt
	openvpn_server 1195 udp 31 auth
	openvpn_server 1196 tcp 32 crypt
	wg_server 51820 20 2
}

# all_clients KEY OF OPENVPN'S: not there yet when it returns
all_clients() {
	OVPN_KEY=$1 openvpn_client ovc1 1194 udp crypt
	OVPN_KEY=$1 openvpn_client ovc2 1195 udp auth
	OVPN_KEY=$1 openvpn_client ovc3 1196 tcp crypt
}

# use_tunnels FILE PINGS
use_tunnels() {
	local k
	for k in 1 2 3; do
		openvpn_up ovc$k
	done
	await_port 1080 c
	for k in 1 2 3; do
		pings ovc$k "10.3$((k - 1)).0.1" "$2" 0.3 &
	done
	wg_pings 20 1 "$2" 0.3 &
	socks_fetch 1080 "http://$S4/$1" &
	socks_fetch 1081 "http://$S4/$1"
	wait_children
}

scenario tunnels-alone benign "OpenVPN (tls-crypt, tls-auth, TCP), WireGuard, SSH and Shadowsocks, each used for a while and ended" VANTAGES=client,server
tunnels_alone() {
	all_tunnels
	capture_start
	all_clients static
	wg_client 51820 20 1
	ssh_tunnel 1080
	shadowsocks_client 8388 1081
	use_tunnels small 10
}

scenario tunnels-lossy-1 benign "1 % loss both ways under OpenVPN, WireGuard, SSH and Shadowsocks" VANTAGES=client SNAP=220
tunnels_lossy_1() {
	all_tunnels
	lose 0.01
	capture_start
	all_clients static
	wg_client 51820 20 1
	ssh_tunnel 1080
	shadowsocks_client 8388 1081
	use_tunnels mid 60
}

scenario tunnels-lossy-3 benign "3 % loss both ways under OpenVPN, WireGuard, SSH and Shadowsocks" VANTAGES=client SNAP=220
tunnels_lossy_3() {
	all_tunnels
	lose 0.03
	capture_start
	all_clients static
	wg_client 51820 20 1
	ssh_tunnel 1080
	shadowsocks_client 8388 1081
	use_tunnels mid 60
}

scenario tunnels-wrong-key benign "clients whose key, password or peer is not the server's: some are told, most meet silence" VANTAGES=client,server
tunnels_wrong_key() {
	all_tunnels
	wg_keys nobody
	capture_start
	all_clients wrong
	wg_client 51820 20 1 "$(<"$WORK/nobody.pub")"
	wg_client 51820 20 2
	ssh_tunnel 1080 -o IdentityFile=none -o IdentitiesOnly=yes
	shadowsocks_client 8388 1081 wrong
	wg_pings 20 1 20 1 &
	wg_pings 20 2 5 0.3
	local _
	for _ in 1 2 3; do
		GIVE_UP=7 socks_fetch 1081 "http://$S4/small"
	done
	controls_tls
	wait_children
}

scenario tunnels-server-off benign "the tunnels' servers are killed while in use; their host answers for closed ports, and goes on" VANTAGES=client,server
tunnels_server_off() {
	all_tunnels
	capture_start
	all_clients static
	wg_client 51820 20 1
	ssh_tunnel 1080
	shadowsocks_client 8388 1081
	use_tunnels small 5
	local pid
	for pid in "${TUNNEL_SERVERS[@]}"; do
		crash "$pid"
	done
	pings ovc1 10.30.0.1 20 1 &
	pings ovc2 10.31.0.1 20 1 &
	pings ovc3 10.32.0.1 20 1 &
	wg_pings 20 1 20 1 &
	local _
	for _ in 1 2 3; do
		GIVE_UP=4 socks_fetch 1080 "http://$S4/small"
		GIVE_UP=4 socks_fetch 1081 "http://$S4/small"
	done
	wait_children
	controls_tls
}

scenario tunnels-server-silent benign "the same behind a firewall of the server's own that answers nothing for closed ports" VANTAGES=client,server
tunnels_server_silent() {
	nx s iptables-legacy -w -A OUTPUT -p icmp -j DROP
	nx s iptables-legacy -w -A OUTPUT -p tcp --tcp-flags RST RST -j DROP
	tunnels_server_off
}

# ── obfs4 ─────────────────────────────────────────────────────────────────────────────────────

scenario obfs4-rst-onpath inject "an on-path device resets both ends of obfs4 once the client's first payload went by" VANTAGES=client,server
obfs4_rst_onpath() {
	nginx_start
	obfs4_server 9443
	mirror both
	mark_flow device -p tcp --dport 9443 -m length --length 100:
	device -A FORWARD -m connmark --mark 1 -p tcp ! --tcp-flags RST RST "${RESET[@]}"
	capture_start
	obfs4_client
	controls_http
	obfs4_fetch 9443 /small
	controls_http
	obfs4_fetch 9443 /small
	controls_http
}

scenario obfs4-drop drop "the box drops the first payload of obfs4 and what follows; Shadowsocks to the same server is left alone" VANTAGES=client,server
obfs4_drop() {
	nginx_start
	shadowsocks_server 8388
	obfs4_server 9443
	box -A FORWARD -p tcp --dport 9443 -m length --length 100: -j DROP
	capture_start
	obfs4_client
	shadowsocks_client 8388 1080
	local _
	for _ in 1 2 3; do
		socks_fetch 1080 "http://$S4/small"
		GIVE_UP=14 obfs4_fetch 9443 /small &
		controls_http
		sleep 1
	done
	wait_children
	sleep 8
	socks_fetch 1080 "http://$S4/small"
	controls_http
}
