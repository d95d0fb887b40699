# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2153
# An on-path device: it sees copies (TEE) and its resets race the real packets, which all pass.

scenario sni-rst-onpath inject "on-path device resets the client on the SNI; the server's answer comes after it" PRECISION=nano
sni_rst_onpath() {
	nginx_start
	mirror c2s
	device -A FORWARD "${BAD[@]}" "${RESET[@]}"
	capture_start
	controls_tls --tls-max 1.2
	fetch https://blocked.example/ --tls-max 1.2
	controls_tls
	fetch https://blocked.example/
	fetch https://blocked.example/small
	controls_tls
}

scenario sni-rst-onpath-ttl128 inject "as sni-rst-onpath, resets start at TTL 128" VANTAGES=client,box
sni_rst_onpath_ttl128() {
	stamp_ttl o 128
	sni_rst_onpath
}

scenario sni-rst-onpath-both inject "on-path device resets both ends, again for every later packet" BOX_IF=b1
sni_rst_onpath_both() {
	nginx_start
	mirror both
	mark_flow device "${BAD[@]}"
	device -A FORWARD -m connmark --mark 1 -p tcp ! --tcp-flags RST RST "${RESET[@]}"
	capture_start
	controls_tls
	fetch https://blocked.example/
	controls_tls --tls-max 1.2
	fetch https://blocked.example/ --tls-max 1.2
	controls_tls
}

scenario sni-rst-onpath-late inject "the on-path device is slow: its reset arrives after the server's answer and changes nothing" DEVICE_MS=20 VANTAGES=client,box
sni_rst_onpath_late() { sni_rst_onpath; }

scenario sni-rst-onpath-server inject "on-path device resets the server only, when its answer passes" BOX_IF=b1
sni_rst_onpath_server() {
	nginx_start
	mirror both
	mark_flow device "${BAD[@]}"
	device -A FORWARD -s "$S4" -m connmark --mark 1 -p tcp ! --tcp-flags RST RST "${RESET[@]}"
	capture_start
	controls_tls
	fetch https://blocked.example/
	controls_tls --tls-max 1.2
	fetch https://blocked.example/ --tls-max 1.2
	controls_tls
}

scenario sni-rst-onpath-nots inject "as sni-rst-onpath on a path that strips timestamps from SYNs" VANTAGES=client
sni_rst_onpath_nots() {
	strip_options
	sni_rst_onpath
}

scenario sni-rst-onpath-oneside inject "as sni-rst-onpath, but each file holds one direction only" PUBLISH=oneside
sni_rst_onpath_oneside() { sni_rst_onpath; }

scenario sni-rst-onpath-snap96 inject "as sni-rst-onpath, captured with 96 bytes of each frame" PUBLISH=snap96
sni_rst_onpath_snap96() { sni_rst_onpath; }

scenario sni-rst-onpath-twice inject "as sni-rst-onpath; the client's capture on 'any' has every frame twice (SLL2)" BRIDGED=1 CLIENT_IF=any VANTAGES=client
sni_rst_onpath_twice() { sni_rst_onpath; }

scenario host-rst-onpath inject "on-path device resets the client on the Host header; the page comes after it" PUBLISH=pcapng
host_rst_onpath() {
	nginx_start
	mirror c2s
	device -A FORWARD "${HOST[@]}" "${RESET[@]}"
	capture_start
	fetch http://allowed.example/small
	fetch http://blocked.example/small
	fetch http://allowed.example/
	fetch http://blocked.example/
	fetch http://allowed.example/
}

scenario keyword-rst-onpath inject "on-path device resets the client on a word in a later request"
keyword_rst_onpath() {
	nginx_start
	stamp_ttl o 255
	mirror c2s
	device -A FORWARD "${WORD[@]}" "${RESET[@]}"
	capture_start
	peer c words "$S4" 80 / /small /forbidden-word
	peer c words "$S4" 80 / /small /
	fetch http://allowed.example/forbidden-word
	fetch http://allowed.example/small
}

scenario download-rst-onpath inject "on-path device resets the client in the middle of a download whose request held the word" SNAP=300
download_rst_onpath() {
	nginx_start
	mirror both
	mark_flow device "${WORD[@]}"
	# From the eighth packet of the answer on: its ACKs draw the resets.
	device -A FORWARD -i o0 -s "$C4" -m connmark --mark 1 -p tcp ! --tcp-flags RST RST \
		-m connbytes --connbytes 8: --connbytes-dir reply --connbytes-mode packets "${RESET[@]}"
	capture_start
	fetch 'http://allowed.example/mid?q=harmless'
	fetch 'http://allowed.example/mid?q=forbidden-word'
	fetch 'http://allowed.example/mid?q=harmless'
}

scenario ssh-rst-onpath inject "on-path device resets both ends of an SSH connection after the banners"
ssh_rst_onpath() {
	nginx_start
	sshd_start
	mirror both
	mark_flow device -p tcp --dport 22 -m string --algo bm --string SSH-2.0
	device -A FORWARD -m connmark --mark 1 -p tcp ! --tcp-flags RST RST "${RESET[@]}"
	capture_start
	controls_http
	ssh_run true
	controls_http
	ssh_run true
	controls_http
}

scenario synack-race inject "on-path device resets the SYN; the server's SYN+ACK arrives all the same" PRECISION=nano
synack_race() {
	nginx_start
	mirror c2s
	device -A FORWARD -p tcp --syn -d "$X4" "${RESET[@]}"
	capture_start
	controls_tls
	PIN=$X4 fetch https://lab.example/
	PIN=$X4 fetch http://lab.example/
	controls_tls
}

scenario sni-rst-onpath-v6 inject "IPv6: on-path device resets the client on the SNI, hop limit 128"
sni_rst_onpath_v6() {
	nginx_start
	stamp_ttl o 128
	mirror c2s
	device6 -A FORWARD "${BAD[@]}" "${RESET[@]}"
	capture_start
	PIN=[$S6] controls_tls
	PIN=[$S6] fetch https://blocked.example/ --tls-max 1.2
	PIN=[$S6] fetch https://blocked.example/
	PIN=[$S6] controls_tls
}

scenario sni-rst-onpath-lossy inject "as sni-rst-onpath with 2 % loss on the path" VANTAGES=client
sni_rst_onpath_lossy() {
	box -A FORWARD -m statistic --mode random --probability 0.02 -j DROP
	sni_rst_onpath
	controls_tls
	fetch https://blocked.example/
}
