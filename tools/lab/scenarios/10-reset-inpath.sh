# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2153
# An in-path box that stops the packet and answers it with a reset (REJECT tcp-reset in FORWARD).

controls_tls() { fetch https://allowed.example/small "$@"; }
controls_http() { fetch http://allowed.example/small; }

scenario sni-rst-inpath inject "in-path box swallows the ClientHello and resets the client, TLS 1.2 and 1.3" PRECISION=nano
sni_rst_inpath() {
	nginx_start
	box -A FORWARD "${BAD[@]}" "${RESET[@]}"
	capture_start
	controls_tls --tls-max 1.2
	fetch https://blocked.example/ --tls-max 1.2
	controls_tls --tlsv1.3
	fetch https://blocked.example/ --tlsv1.3
	fetch https://blocked.example/ --tlsv1.3
	controls_tls
}

scenario sni-rst-near inject "as sni-rst-inpath on a short path: the box's TTL is two off the server's" HOPS=0 VANTAGES=client,box
sni_rst_near() { sni_rst_inpath; }

scenario sni-rst-ttl128 inject "in-path box resets the client on the SNI, its resets start at TTL 128" VANTAGES=client,box
sni_rst_ttl128() {
	stamp_ttl b 128
	sni_rst_inpath
}

scenario sni-rst-ttl-same inject "in-path box resets the client on the SNI with exactly the server's TTL" VANTAGES=client
sni_rst_ttl_same() {
	stamp_ttl b 53
	sni_rst_inpath
}

scenario sni-rst-triple inject "in-path box sends each reset three times" VANTAGES=client,box
sni_rst_triple() {
	stamp_ttl b 255
	# The box's own output, copied twice on its way out.
	box -t mangle -A OUTPUT -p tcp --tcp-flags RST RST -j TEE --gateway "$C4"
	box -t mangle -A POSTROUTING -p tcp --tcp-flags RST RST -m ttl --ttl-eq 255 -j TEE --gateway "$C4"
	sni_rst_inpath
}

scenario sni-rst-reply inject "box lets the ClientHello pass and resets server and client on what follows" BOX_IF=b1
sni_rst_reply() {
	nginx_start
	box -A FORWARD -m connmark --mark 1 -p tcp ! --tcp-flags RST RST "${RESET[@]}"
	mark_flow box "${BAD[@]}"
	capture_start
	controls_tls
	GIVE_UP=4 fetch https://blocked.example/
	controls_tls
	GIVE_UP=4 fetch https://blocked.example/ --tls-max 1.2
	controls_tls
}

scenario sni-rst-residual inject "after a name was seen the box resets every SYN to that server for 6 s"
sni_rst_residual() {
	nginx_start
	box -A FORWARD -i b0 -p tcp --syn -m recent --name cut --rcheck --rdest --seconds 6 "${RESET[@]}"
	box -A FORWARD -i b0 "${BAD[@]}" -m recent --name cut --set --rdest "${RESET[@]}"
	capture_start
	controls_tls
	fetch https://blocked.example/
	for _ in 1 2 3; do
		sleep 1
		controls_tls
	done
	sleep 6
	controls_tls
	controls_tls
}

scenario host-rst inject "in-path box resets the client on the Host header of plain HTTP"
host_rst() {
	nginx_start
	box -A FORWARD "${HOST[@]}" "${RESET[@]}"
	capture_start
	controls_http
	fetch http://blocked.example/
	controls_http
	fetch http://blocked.example/small
	controls_http
}

scenario keyword-rst inject "in-path box resets the client on a word in a later request of a kept connection" PRECISION=nano
keyword_rst() {
	nginx_start
	box -A FORWARD "${WORD[@]}" "${RESET[@]}"
	capture_start
	peer c words "$S4" 80 / /small /forbidden-word
	peer c words "$S4" 80 / /small /
	fetch 'http://allowed.example/small?q=forbidden-word'
	fetch 'http://allowed.example/small?q=harmless'
}

scenario ssh-rst inject "in-path box resets the client on the SSH version banner"
ssh_rst() {
	nginx_start
	sshd_start
	box -A FORWARD -p tcp --dport 22 -m string --algo bm --string SSH-2.0 "${RESET[@]}"
	capture_start
	controls_http
	ssh_run true
	ssh_run true
	controls_http
}

scenario syn-rst inject "in-path box answers SYNs to one server address with a reset; another address works"
syn_rst() {
	nginx_start
	capture_start
	PIN=$X4 fetch https://lab.example/
	sleep 0.3 # its last packets still pass
	box -A FORWARD -p tcp --syn -d "$X4" "${RESET[@]}"
	local scheme
	for scheme in https http https; do
		PIN=$X4 fetch "$scheme://lab.example/"
		fetch "$scheme://allowed.example/"
	done
	controls_http
}

scenario sni-rst-split inject "a ClientHello whose name lies across two segments passes; whole ones are reset"
sni_rst_split() {
	nginx_start
	box -A FORWARD "${BAD[@]}" "${RESET[@]}"
	capture_start
	fetch https://blocked.example/
	peer c split "$S4" blocked.example
	controls_tls
	peer c split "$S4" allowed.example
}

scenario sni-rst-inpath-v6 inject "IPv6: in-path box swallows the ClientHello and resets the client"
sni_rst_inpath_v6() {
	nginx_start
	box6 -A FORWARD "${BAD[@]}" "${RESET[@]}"
	capture_start
	PIN=[$S6] controls_tls
	PIN=[$S6] fetch https://blocked.example/ --tls-max 1.2
	PIN=[$S6] controls_tls --tls-max 1.2
	PIN=[$S6] fetch https://blocked.example/
	PIN=[$S6] controls_tls
}
