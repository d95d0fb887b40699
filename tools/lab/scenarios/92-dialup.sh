# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2153
# L2TP and PPTP, what PPP there is being a stand-in's: their first message dropped or reset, data cut.

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
	pptp_server
	box -A FORWARD -i b1 -p gre -j DROP
	capture_start
	controls_tls
	pptp_client 1 40 0.4
	sleep 40
	controls_tls
}

scenario pptp-gre-cut drop "PPTP's control connection is left alone, GRE is dropped both ways after its 24th" VANTAGES=client,server UNSCORED=all
pptp_gre_cut() {
	nginx_start
	pptp_server
	box -A FORWARD -p gre -m connbytes --connbytes 25: --connbytes-dir both --connbytes-mode packets -j DROP
	capture_start
	controls_tls
	pptp_client 1 55 0.4
	sleep 26
	controls_tls
}
