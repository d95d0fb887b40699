# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2153
# IPsec: left alone; with its first message, its second one or its data dropped.

# IKE of version 2 on port 500: exchange type IKE_SA_INIT of a request (RFC 7296, section 3.1); on port
# 4500 there are four bytes of nought before it (RFC 3948), and IKE_AUTH is what comes there first.
IKE_INIT=(-p udp --dport 500 -m u32 --u32 '43&0xFF=0x22')
IKE_AUTH=(-p udp --dport 4500 -m u32 --u32 '28=0&&47&0xFF=0x23')

scenario ipsec-handshake-drop drop "the box drops the IKE_SA_INIT of IKEv2 on port 500, which had answered that client before; straight to port 4500 it passes" VANTAGES=client,server CLAIM=vpn-interference:anomaly:protocol=ike
ipsec_handshake_drop() {
	nginx_start
	ipsec_server 4
	capture_start
	ipsec_client 1
	ipsec_up 1
	ipsec_pings 1 5 0.3
	controls_tls
	box -A FORWARD -i b0 "${IKE_INIT[@]}" -j DROP
	ipsec_client 2
	ipsec_client 3
	sleep 26
	ipsec_client 4 4500
	ipsec_up 4
	ipsec_pings 4 5 0.3
	controls_tls
}

scenario ipsec-auth-drop drop "the box drops the IKE_AUTH of IKEv2: port 500 answers, port 4500 no more; WireGuard to the same server is left alone" VANTAGES=client,server
ipsec_auth_drop() {
	nginx_start
	ipsec_server 4
	wg_server 51820 20 1
	capture_start
	ipsec_client 1
	ipsec_up 1
	ipsec_pings 1 5 0.3
	controls_tls
	box -A FORWARD -i b0 "${IKE_AUTH[@]}" -j DROP
	local k
	for k in 2 3 4; do
		ipsec_client $k
		sleep 2
		controls_tls
	done
	sleep 26
	wg_control 51820 20
	controls_tls
}

scenario ipsec-cut drop "the box drops all packets of an IPsec session (port 4500) after its 20th; the clients ask whether the server is there; OpenVPN to it is left alone" VANTAGES=client,server CLAIM=vpn-interference:anomaly:protocol=ike
ipsec_cut() {
	nginx_start
	openvpn_server 1194 udp 30 crypt
	ipsec_server 3
	cut_after 4500 20
	capture_start
	local k
	for k in 1 2 3; do
		DPD=5 ipsec_client $k
		ipsec_up $k
		ipsec_pings $k 70 0.4 &
		sleep 3
		fetch https://allowed.example/mid
		sleep 3
	done
	openvpn_control ovc 1194 30 crypt
	controls_tls
	wait_children
}
