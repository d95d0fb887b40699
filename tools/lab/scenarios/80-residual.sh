# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2153
# Boxes that keep a door shut for a while after a trigger: by what they key it, how they shut it, and
# whether tries prolong it. Inside the windows only innocent names are asked for; other doors stay open.

# wait_until SECONDS: since the last call of window_opens
window_opens() { OPENED=$(date +%s%N); }
wait_until() {
	local left=$(($1 * 1000 - ($(date +%s%N) - OPENED) / 1000000))
	((left <= 0)) || sleep "$((left / 1000)).$(printf %03d $((left % 1000)))"
}

scenario residual-3tuple-rst inject "after a name the box resets every SYN to that address and port for 30 s; a try does not prolong it" VANTAGES=client,box RESIDUAL=3-tuple:30
residual_3tuple_rst() {
	nginx_start
	box -A FORWARD -i b0 -p tcp --dport 443 --syn -m recent --name cut --rcheck --rdest --seconds 30 "${RESET[@]}"
	box -A FORWARD -i b0 "${BAD[@]}" -m recent --name cut --set --rdest "${RESET[@]}"
	capture_start
	local _ at
	controls_tls
	for _ in 1 2; do
		window_opens
		fetch https://blocked.example/
		for at in 2 9 17 27; do
			wait_until $at
			controls_tls
		done
		controls_http
		PIN=$X4 controls_tls
		wait_until 32
		controls_tls
	done
}

scenario residual-3tuple-drop-v6 drop "IPv6: after a name the box drops what the client sends to that address and port for 30 s" VANTAGES=client RESIDUAL=3-tuple:30
residual_3tuple_drop_v6() {
	nginx_start
	box6 -A FORWARD -i b0 -p tcp --dport 443 -m recent --name cut --rcheck --rdest --seconds 30 -j DROP
	box6 -A FORWARD -i b0 "${BAD[@]}" -m recent --name cut --set --rdest -j DROP
	capture_start
	local _ at
	PIN=[$S6] controls_tls
	for _ in 1 2; do
		window_opens
		odd try "$S6" blocked.example 4
		for at in 5 14 23; do
			wait_until $at
			odd try "$S6" allowed.example 3
		done
		PIN=[$S6] controls_http
		PIN=[$X6] controls_tls
		wait_until 32
		PIN=[$S6] controls_tls
	done
}

scenario residual-4tuple-drop drop "after a name the box drops that four-tuple both ways for 30 s, and every packet on it prolongs that; other source ports work" VANTAGES=client,box RESIDUAL=4-tuple:30
residual_4tuple_drop() {
	nginx_start
	nx b ipset create cut hash:ip,port,ip timeout 30
	box -A FORWARD -i b0 -p tcp --dport 443 -m set --match-set cut src,src,dst -j MARK --set-mark 1
	box -A FORWARD -i b0 "${BAD[@]}" -j MARK --set-mark 1
	box -A FORWARD -i b0 -m mark --mark 1 -j SET --add-set cut src,src,dst --exist --timeout 30
	box -A FORWARD -m mark --mark 1 -j DROP
	box -A FORWARD -i b1 -p tcp --sport 443 -m set --match-set cut dst,dst,src -j DROP
	capture_start
	local at
	odd try "$S4" allowed.example 4 41001
	window_opens
	odd try "$S4" blocked.example 3 41001
	for at in 12 26 40; do
		wait_until $at
		odd try "$S4" allowed.example 4 41001
		controls_tls
	done
	wait_until 77
	odd try "$S4" allowed.example 4 41001
	controls_tls
}

scenario residual-2tuple-drop drop "after a name the box drops everything between client and that address for 60 s, all ports" VANTAGES=client,box RESIDUAL=2-tuple:60
residual_2tuple_drop() {
	nginx_start
	box -A FORWARD -i b0 -m recent --name cut --rcheck --rdest --seconds 60 -j DROP
	box -A FORWARD -i b0 "${BAD[@]}" -m recent --name cut --set --rdest -j DROP
	capture_start
	controls_tls
	controls_http
	window_opens
	odd try "$S4" blocked.example 4
	local at
	for at in 6 28 50; do
		wait_until $at
		odd try "$S4" allowed.example 3
		GIVE_UP=4 controls_http
		PIN=$X4 controls_tls
	done
	wait_until 62
	controls_tls
	controls_http
}

scenario server-bans benign "the server itself turns a client away for 25 s after six connections in a short time, whatever the name" VANTAGES=client,server
server_bans() {
	nginx_start
	nx s iptables-legacy -w -A INPUT -p tcp --syn -m recent --name ban --rcheck --seconds 25 -j DROP
	nx s iptables-legacy -w -A INPUT -p tcp --syn -m recent --name many --set
	nx s iptables-legacy -w -A INPUT -p tcp --syn -m recent --name many --rcheck --seconds 10 --hitcount 7 \
		-m recent --name ban --set -j DROP
	capture_start
	local _
	for _ in 1 2 3; do
		controls_tls
		fetch https://blocked.example/
	done
	window_opens
	GIVE_UP=4 fetch https://blocked.example/
	GIVE_UP=4 controls_tls
	wait_until 14
	GIVE_UP=4 controls_http
	wait_until 32
	controls_tls
	fetch https://blocked.example/
}

scenario dead-server-retries benign "the server dies in an answer and clients try it again and again until it is back" VANTAGES=client,server SNAP=300
dead_server_retries() {
	nginx_start
	capture_start
	controls_tls
	fetch https://blocked.example/slow/file &
	sleep 1.5
	crash "$NGINX"
	local _
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
		controls_tls
		fetch https://blocked.example/
		sleep 1
	done
	spawn s nginx.log nginx -e "$WORK/nginx.err" -c "$WORK/nginx.conf"
	await_port 443
	controls_tls
	fetch https://blocked.example/
	wait_children
}
