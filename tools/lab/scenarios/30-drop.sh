# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2153
# An in-path box that says nothing: it drops. The client is given time for its retransmissions, and
# a control at the end shows that the capture ran on and the server lived.

# quiet_end CONTROL…: 14 s of nothing, then the control
quiet_end() {
	sleep 14
	"$@"
}

# thrice URL CONTROL…: as often as it takes to tell a rule from an accident, a control before each try, so that
# none of them can be what is left of the one before
thrice() {
	local url=$1 _
	shift
	for _ in 1 2 3; do
		"$@"
		GIVE_UP=11 fetch "$url" &
		sleep 0.7
	done
	"$@"
	wait_children
}

# schemes_at_other: the second address is tried thrice, the first one answers meanwhile
schemes_at_other() {
	local scheme
	for scheme in https http https; do
		GIVE_UP=9 PIN=$X4 fetch "$scheme://lab.example/" &
		sleep 0.7
		fetch "$scheme://allowed.example/"
	done
	wait_children
}

scenario sni-drop drop "in-path box drops every packet that holds the name: hello and its retransmissions"
sni_drop() {
	nginx_start
	box -A FORWARD "${BAD[@]}" -j DROP
	capture_start
	controls_tls
	GIVE_UP=11 fetch https://blocked.example/ --tls-max 1.2 &
	local first=$!
	sleep 1
	controls_tls --tls-max 1.2
	GIVE_UP=11 fetch https://blocked.example/
	wait $first
	quiet_end controls_tls
}

scenario sni-drop-flow drop "once the name was seen the box drops the whole connection, both directions" PRECISION=nano
sni_drop_flow() {
	nginx_start
	mark_flow box "${BAD[@]}"
	box -A FORWARD -m connmark --mark 1 -j DROP
	capture_start
	thrice https://blocked.example/ controls_tls
	quiet_end controls_tls
}

scenario host-drop drop "in-path box drops plain HTTP requests by their Host header"
host_drop() {
	nginx_start
	box -A FORWARD "${HOST[@]}" -j DROP
	capture_start
	thrice http://blocked.example/ controls_http
	quiet_end controls_http
}

scenario sni-drop-reply drop "the hello passes; what the server answers is dropped" BOX_IF=b1
sni_drop_reply() {
	nginx_start
	mark_flow box "${BAD[@]}"
	box -A FORWARD -i b1 -m connmark --mark 1 -j DROP
	capture_start
	thrice https://blocked.example/ controls_tls
	quiet_end controls_tls
}

scenario sni-drop-c2s drop "once the name was seen the box drops client to server only; the hello itself passes" UNSCORED=names
sni_drop_c2s() {
	nginx_start
	box -A FORWARD -i b0 -m connmark --mark 1 -j DROP
	mark_flow box "${BAD[@]}"
	capture_start
	thrice https://blocked.example/ controls_tls
	quiet_end controls_tls
}

scenario syn-drop drop "the box drops everything to one server address, after that address had worked"
syn_drop() {
	nginx_start
	capture_start
	PIN=$X4 fetch https://lab.example/
	sleep 0.3 # its last packets still pass
	box -A FORWARD -d "$X4" -j DROP
	schemes_at_other
	quiet_end controls_tls
}

scenario synack-drop drop "the box drops what comes from one server address: its SYN+ACKs are lost" BOX_IF=b1
synack_drop() {
	nginx_start
	capture_start
	PIN=$X4 fetch https://lab.example/
	sleep 0.3 # its last packets still pass
	box -A FORWARD -s "$X4" -j DROP
	schemes_at_other
	quiet_end controls_tls
}

scenario ip-unreachable drop "the box answers SYNs to one server address with ICMP administratively prohibited"
ip_unreachable() {
	nginx_start
	capture_start
	PIN=$X4 fetch https://lab.example/
	sleep 0.3 # its last packets still pass
	box -A FORWARD -p tcp -d "$X4" -j REJECT --reject-with icmp-admin-prohibited
	schemes_at_other
	controls_http
}

scenario sni-unreachable drop "the box answers the ClientHello with ICMP administratively prohibited and drops it"
sni_unreachable() {
	nginx_start
	box -A FORWARD "${BAD[@]}" -j REJECT --reject-with icmp-admin-prohibited
	capture_start
	thrice https://blocked.example/ controls_tls
	quiet_end controls_tls
}

scenario packets-drop drop "a connection that named the site is cut after its 25th packet, both directions" SNAP=360 VANTAGES=client,server UNSCORED=names
packets_drop() {
	nginx_start
	mark_flow box "${BAD[@]}"
	box -A FORWARD -m connmark --mark 1 -m connbytes --connbytes 26: --connbytes-dir both \
		--connbytes-mode packets -j DROP
	capture_start
	for _ in 1 2 3 4; do
		fetch https://allowed.example/mid
		GIVE_UP=11 fetch https://blocked.example/mid &
		sleep 0.5
	done
	fetch https://allowed.example/mid
	wait_children
	quiet_end controls_tls
}

scenario bytes-drop drop "the box drops server to client once 16 KB of answer passed on a connection that named the site" SNAP=360 VANTAGES=client,server UNSCORED=names
bytes_drop() {
	nginx_start
	mark_flow box "${BAD[@]}"
	box -A FORWARD -i b1 -m connmark --mark 1 -m connbytes --connbytes 16384: \
		--connbytes-dir reply --connbytes-mode bytes -j DROP
	capture_start
	for _ in 1 2 3; do
		fetch https://allowed.example/mid
		GIVE_UP=11 fetch https://blocked.example/mid &
		sleep 0.5
	done
	fetch https://allowed.example/mid
	wait_children
	quiet_end controls_tls
}

scenario second-segment-drop drop "a hello of post-quantum size: only its second segment holds the word and is dropped"
second_segment_drop() {
	nginx_start
	box -A FORWARD -p tcp --dport 443 -m string --algo bm --string forbidden-word -j DROP
	capture_start
	local _
	for _ in 1 2 3; do
		peer c bighello "$S4" allowed.example harmless-word
		peer c bighello "$S4" allowed.example forbidden-word &
		sleep 0.7
	done
	wait_children
	quiet_end peer c bighello "$S4" allowed.example harmless-word
}

scenario ssh-drop drop "the box drops the client's SSH banner"
ssh_drop() {
	nginx_start
	sshd_start
	box -A FORWARD -i b0 -p tcp --dport 22 -m string --algo bm --string SSH-2.0 -j DROP
	capture_start
	local _
	for _ in 1 2 3; do
		controls_http
		ssh_run true &
		sleep 0.7
	done
	wait_children
	quiet_end controls_http
}

scenario sni-drop-v6 drop "IPv6: in-path box drops every packet that holds the name"
sni_drop_v6() {
	nginx_start
	box6 -A FORWARD "${BAD[@]}" -j DROP
	capture_start
	PIN=[$S6] thrice https://blocked.example/ controls_tls
	PIN=[$S6] quiet_end controls_tls
}

scenario sni-drop-oneside drop "as sni-drop-flow, but each file holds one direction only" PUBLISH=oneside
sni_drop_oneside() { sni_drop_flow; }

scenario sni-drop-residual drop "after the name was seen the box drops every SYN to that server for 12 s" VANTAGES=client,box
sni_drop_residual() {
	nginx_start
	box -A FORWARD -i b0 -p tcp --syn -m recent --name cut --rcheck --rdest --seconds 12 -j DROP
	box -A FORWARD -i b0 "${BAD[@]}" -m connmark --mark 0 -m recent --name cut --set --rdest
	mark_flow box "${BAD[@]}"
	box -A FORWARD -m connmark --mark 1 -j DROP
	capture_start
	controls_tls
	local _
	for _ in 1 2 3; do
		GIVE_UP=3 fetch https://blocked.example/ &
		sleep 1
		GIVE_UP=4 fetch https://allowed.example/
		sleep 8
		wait_children
		controls_tls
	done
}

scenario name-policed throttle "connections that named the site are policed to 20 packets a second: what exceeds it is dropped" SNAP=110 VANTAGES=client,server
name_policed() {
	nginx_start
	mark_flow box "${HOST[@]}"
	box -A FORWARD -i b1 -m connmark --mark 1 -m hashlimit --hashlimit-name slow \
		--hashlimit-above 20/s --hashlimit-burst 20 -j DROP
	capture_start
	local _
	for _ in 1 2 3; do
		GIVE_UP=90 fetch http://blocked.example/long
		fetch http://allowed.example/wide
	done
}
