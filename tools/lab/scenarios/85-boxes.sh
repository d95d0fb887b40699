# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2153
# Two boxes on one path: the box or its on-path device, and the router 14 ms behind it.

OTHER=(-p tcp --dport 443 -m string --algo bm --string lab.example)

scenario boxes-rst-drop mixed "an on-path device resets one name with TTL 128; behind it an in-path box drops plain requests by Host"
boxes_rst_drop() {
	nginx_start
	stamp_ttl o 128
	mirror c2s
	device -A FORWARD "${BAD[@]}" "${RESET[@]}"
	router -A FORWARD "${HOST[@]}" -j DROP
	capture_start
	local _
	for _ in 1 2 3; do
		GIVE_UP=8 fetch http://blocked.example/ &
		fetch https://blocked.example/
		controls_tls
		controls_http
	done
	wait_children
	controls_http
}

scenario boxes-two-stamps inject "two in-path boxes reset one name each: the near one with TTL 64, the far one with TTL 255" VANTAGES=client,box,server
boxes_two_stamps() {
	nginx_start
	box -A FORWARD "${BAD[@]}" "${RESET[@]}"
	stamp_ttl r 255
	router -A FORWARD "${OTHER[@]}" "${RESET[@]}"
	capture_start
	local _
	for _ in 1 2 3; do
		fetch https://blocked.example/
		fetch https://lab.example/
		controls_tls
	done
}

scenario boxes-same-name mixed "both act on one connection: an on-path device resets the client, behind it a box drops the hello; the capture in the middle is between the two" BOX_IF=b1 VANTAGES=client,box,server UNSCORED=box
boxes_same_name() {
	nginx_start
	stamp_ttl o 255
	mirror c2s
	device -A FORWARD "${BAD[@]}" "${RESET[@]}"
	router -A FORWARD "${BAD[@]}" -j DROP
	capture_start
	local _
	controls_tls
	sleep 0.7 # what is as old as a capture, or as young, may be missing from it
	for _ in 1 2 3 4 5; do
		fetch https://blocked.example/
		controls_tls
	done
	sleep 0.7
	controls_tls
}
