# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2153
# IPsec, L2TP, PPTP and obfs4 together, as 90-vpn.sh has OpenVPN, WireGuard, SSH and Shadowsocks: left alone,
# on lossy paths, held to a rate, with wrong keys, with servers that are off. No box accuses itself here.

vpns_servers() {
	nginx_start
	ipsec_server 2
	l2tp_server
	pptp_server
	obfs4_server 9443
}

# vpns_clients ECHOES: two of IPsec, the second one without port 500; what is there is used at once
vpns_clients() {
	ipsec_client 1
	ipsec_client 2 4500
	l2tp_client 1 "$1" 0.3
	pptp_client 1 "$1" 0.3
	obfs4_client
	ipsec_up 1
	ipsec_up 2
}

# vpns_use FILE PINGS
vpns_use() {
	vpns_clients "$2"
	ipsec_pings 1 "$2" 0.3 &
	ipsec_pings 2 "$2" 0.3 &
	obfs4_fetch 9443 "/$1"
	controls_http
	wait_children
	sleep 2
}

scenario vpns-alone benign "IPsec (from ports 500 and 4500), L2TP, PPTP with GRE and obfs4, each used for a while and ended" VANTAGES=client,server
vpns_alone() {
	vpns_servers
	capture_start
	vpns_use small 10
}

scenario vpns-lossy-1 benign "1 % loss both ways under IPsec, L2TP, PPTP with GRE and obfs4" VANTAGES=client,server SNAP=220
vpns_lossy_1() {
	vpns_servers
	lose 0.01
	capture_start
	vpns_use mid 60
}

scenario vpns-lossy-3 benign "3 % loss both ways under IPsec, L2TP, PPTP with GRE and obfs4" VANTAGES=client,server SNAP=220
vpns_lossy_3() {
	vpns_servers
	lose 0.03
	capture_start
	vpns_use mid 60
}

scenario vpns-policed benign "all traffic towards the client is held to 20 packets a second: IPsec, obfs4 and the rest alike, a measurement" VANTAGES=client,server SNAP=220
vpns_policed() {
	vpns_servers
	box -A FORWARD -i b1 -m hashlimit --hashlimit-name slow --hashlimit-mode srcport \
		--hashlimit-above 20/s --hashlimit-burst 20 -j DROP
	capture_start
	vpns_clients 10
	GIVE_UP=20 fetch http://10.51.0.1/wide &
	GIVE_UP=20 obfs4_fetch 9443 /wide &
	GIVE_UP=20 fetch http://allowed.example/wide
	wait_children
	ipsec_pings 1 5 0.3
}

scenario vpns-wrong-key benign "clients whose secret or bridge line is not the server's: IPsec and L2TP are told, obfs4 meets silence" VANTAGES=client,server
vpns_wrong_key() {
	L2TP_SECRET=lab vpns_servers
	capture_start
	ipsec_client 1 500 wrong
	ipsec_client 2 4500 wrong
	L2TP_SECRET=wrong l2tp_client 1 5 0.3
	obfs4_client
	# A bridge that nobody has: node id and key of nobody.
	# shellcheck disable=SC2034 # obfs4_fetch reads it
	OBFS4_CERT=cert=$(head -c 52 /dev/urandom | base64 -w0 | tr -d =)
	local _
	for _ in 1 2 3; do
		GIVE_UP=5 obfs4_fetch 9443 /small
	done
	controls_http
	sleep 12
	controls_http
}

scenario vpns-server-off benign "the servers of IPsec, L2TP, PPTP and obfs4 are killed while in use; their host answers for closed ports" VANTAGES=client,server
vpns_server_off() {
	vpns_servers
	capture_start
	vpns_clients 60
	ipsec_pings 1 60 0.4 &
	ipsec_pings 2 60 0.4 &
	obfs4_fetch 9443 /small
	sleep 3
	local pid
	for pid in "${TUNNEL_SERVERS[@]}"; do
		crash "$pid"
	done
	pptp_client 2 5 0.3
	l2tp_client 2 5 0.3
	GIVE_UP=4 obfs4_fetch 9443 /small
	controls_http
	wait_children
	controls_http
}

scenario vpns-server-silent benign "the same behind a firewall of the server's own that answers nothing for closed ports" VANTAGES=client,server
vpns_server_silent() {
	nx s iptables-legacy -w -A OUTPUT -p icmp --icmp-type 3 -j DROP
	nx s iptables-legacy -w -A OUTPUT -p tcp --tcp-flags RST RST -j DROP
	vpns_server_off
}
