# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2153
# L2TP, PPTP and SSTP, what PPP there is being a stand-in's (and all of SSTP): their first message dropped or reset,
# data cut.

# Start-Control-Connection-Request: of L2TP (RFC 2661, sections 3.1 and 4.4.1) to no tunnel yet, of PPTP
# (RFC 2637, section 2.1) by its cookie.
L2TP_SCCRQ=(-p udp --dport 1701 -m u32 --u32 '28>>16=0xC802&&32=0&&44&0xFFFF=1')
PPTP_SCCRQ=(-p tcp --dport 1723 -m u32 --u32 '0>>22&0x3C@12>>26&0x3C@4=0x1A2B3C4D&&0>>22&0x3C@12>>26&0x3C@6&0xFFFF=1')

scenario l2tp-handshake-drop drop "the box drops L2TP's SCCRQ, after that port had answered that client; WireGuard to the same server is left alone" VANTAGES=client,server CLAIM=vpn-interference:anomaly:protocol=l2tp
l2tp_handshake_drop() {
	nginx_start
	l2tp_server
	wg_server 51820 20 1
	capture_start
	l2tp_client 1 5 0.3
	sleep 3
	controls_tls
	box -A FORWARD -i b0 "${L2TP_SCCRQ[@]}" -j DROP
	l2tp_client 2 5 0.3
	l2tp_client 3 5 0.3
	sleep 20
	wg_control 51820 20
	controls_tls
}

scenario l2tp-cut drop "the box drops all packets of an L2TP tunnel after its 24th; WireGuard to the same server is left alone" VANTAGES=client,server CLAIM=vpn-interference:anomaly:protocol=l2tp UNSCORED=names
l2tp_cut() {
	nginx_start
	l2tp_server
	wg_server 51820 20 1
	cut_after 1701 24
	capture_start
	local k
	for k in 1 2 3; do
		l2tp_client $k 55 0.4
		sleep 6
	done
	wg_control 51820 20
	controls_tls
	sleep 16
	controls_tls
}

scenario pptp-rst inject "the box answers PPTP's first control message with a reset and swallows it" VANTAGES=client,server
pptp_rst() {
	nginx_start
	pptp_server
	box -A FORWARD "${PPTP_SCCRQ[@]}" "${RESET[@]}"
	capture_start
	local k
	for k in 1 2 3; do
		controls_tls
		pptp_client $k 5 0.3
		sleep 1.5
	done
	controls_tls
}

scenario pptp-rst-onpath inject "an on-path device resets both ends of PPTP's control connection once it saw the first message" VANTAGES=client,server
pptp_rst_onpath() {
	nginx_start
	pptp_server
	mirror both
	mark_flow device "${PPTP_SCCRQ[@]}"
	device -A FORWARD -m connmark --mark 1 -p tcp ! --tcp-flags RST RST "${RESET[@]}"
	capture_start
	local k
	for k in 1 2 3; do
		controls_tls
		pptp_client $k 5 0.3
		sleep 1.5
	done
	controls_tls
}

scenario pptp-drop drop "the box drops PPTP's first control message; an SSH server beside it is left alone" VANTAGES=client,server
pptp_drop() {
	nginx_start
	sshd_start
	pptp_server
	box -A FORWARD "${PPTP_SCCRQ[@]}" -j DROP
	capture_start
	pptp_client 1 5 0.3
	pptp_client 2 5 0.3
	pptp_client 3 5 0.3
	controls_tls
	ssh_run true
	sleep 16
	ssh_run true
	controls_tls
}

scenario pptp-gre-drop drop "PPTP's control connection is left alone, GRE towards the client is dropped" VANTAGES=client,server
pptp_gre_drop() {
	nginx_start
	pptp_servers
	box -A FORWARD -i b1 -p gre -j DROP
	capture_start
	local k=0 at
	for at in "${SERVERS[@]}"; do
		controls_tls
		PIN=$at controls_tls
		pptp_client $((++k)) 40 0.4 "$at"
		sleep 4
	done
	sleep 36
	controls_tls
}

scenario pptp-gre-cut drop "PPTP's control connection is left alone, GRE is dropped both ways after its 24th" VANTAGES=client,server
pptp_gre_cut() {
	nginx_start
	pptp_servers
	box -A FORWARD -p gre -m connbytes --connbytes 25: --connbytes-dir both --connbytes-mode packets -j DROP
	capture_start
	local k=0 at
	for at in "${SERVERS[@]}"; do
		PIN=$at fetch https://allowed.example/mid
		pptp_client $((++k)) 80 0.4 "$at"
		sleep 4
	done
	PIN=$S4 fetch https://allowed.example/mid
	sleep 36
	controls_tls
}

# MS-SSTP, section 3.2.4.1; in the clear only.
SSTP_POST=(-p tcp --dport 8081 -m string --algo bm --string 'SSTP_DUPLEX_POST /')

scenario sstp-alone benign "SSTP of a stand-in, in TLS and in the clear, each used for a while and ended" VANTAGES=client,server
sstp_alone() {
	nginx_start
	sstp_server
	capture_start
	sstp_call 4433 10 0.3 tls
	sstp_call 8081 10 0.3
	controls_http
}

scenario sstp-rst-onpath inject "an on-path device resets the client of SSTP (a stand-in, in the clear) once it saw its request; in TLS it passes" VANTAGES=client,server
sstp_rst_onpath() {
	nginx_start
	sstp_server
	mirror both
	mark_flow device "${SSTP_POST[@]}"
	device -A FORWARD -m connmark --mark 1 -p tcp --dport 8081 ! --tcp-flags RST RST "${RESET[@]}"
	capture_start
	local _
	for _ in 1 2 3; do
		controls_http
		sstp_call 8081 5 0.3
		sstp_call 4433 3 0.3 tls
	done
}

scenario sstp-drop drop "the box drops the request of SSTP (a stand-in, in the clear); in TLS it passes" VANTAGES=client,server
sstp_drop() {
	nginx_start
	sstp_server
	box -A FORWARD "${SSTP_POST[@]}" -j DROP
	capture_start
	local _
	for _ in 1 2 3; do
		sstp_call 8081 5 0.3 &
		controls_http
		sleep 1
	done
	sstp_call 4433 3 0.3 tls
	sleep 14
	controls_http
	wait_children
}

scenario sstp-cut drop "the box drops all packets of SSTP (a stand-in, in TLS) after a connection's 40th; in the clear it passes" VANTAGES=client,server SNAP=400
sstp_cut() {
	nginx_start
	sstp_server
	cut_after 4433 40 tcp
	capture_start
	local _
	for _ in 1 2 3; do
		sstp_call 4433 50 0.4 tls &
		sleep 4
		fetch https://lab.example/mid
	done
	sstp_call 8081 10 0.3
	controls_http
	wait_children
	controls_http
}
