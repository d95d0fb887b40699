# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2153
# No box at work. What programs at the two ends do all day and what looks like interference.

scenario fetch-tls benign "plain TLS 1.2 and 1.3 fetches, closed in good order" VANTAGES=client,server PRECISION=nano SNAP=600
fetch_tls() {
	nginx_start
	capture_start
	fetch https://allowed.example/ --tls-max 1.2
	fetch https://blocked.example/ --tlsv1.3
	fetch https://allowed.example/mid
	PIN=[$S6] fetch https://allowed.example/
}

scenario fetch-http benign "plain HTTP: fetch, 403 from the server itself, 404, kept connection, upload" VANTAGES=client,server PUBLISH=pcapng
fetch_http() {
	nginx_start
	capture_start
	fetch http://allowed.example/small
	fetch http://blocked.example/secret/
	fetch http://allowed.example/missing
	peer c idle "$S4" 80 3
	head -c 5000 /dev/zero >"$WORK/five"
	fetch http://allowed.example/upload/one -T "$WORK/five"
}

scenario fetch-dns benign "names looked up at a resolver (A and AAAA), then fetched" VANTAGES=client
fetch_dns() {
	nginx_start
	dnsmasq_start
	echo "nameserver $S4" >"$WORK/resolv.conf"
	capture_start
	# The mount lives in the namespace of this one command.
	# shellcheck disable=SC2016 # expands inside
	nx c bash -c 'mount --bind "$1" /etc/resolv.conf && curl -q -sSk -m 8 -o /dev/null \
		https://allowed.example/ http://lab.example/ http://missing.example/' - "$WORK/resolv.conf" \
		>>"$WORK/client.log" 2>&1 || true
}

scenario ssh-session benign "an SSH session that runs one command" VANTAGES=client
ssh_session() {
	sshd_start
	capture_start
	ssh_run echo hello
}

scenario client-abort benign "the client gives up: killed in a download, reset right after connect, after its request, in a download" VANTAGES=client,server SNAP=200
client_abort() {
	nginx_start
	capture_start
	fetch http://allowed.example/slow/file --max-time 2
	spawn c crash.log curl -q -sk -o /dev/null --resolve "allowed.example:443:$S4" \
		https://allowed.example/slow/file
	sleep 1.5
	crash "$SPAWNED"
	peer c linger "$S4" 443 connect
	peer c linger "$S4" 80 request
	peer c linger "$S4" 80 download
	peer c linger "$S6" 80 request
	fetch http://allowed.example/
}

scenario rst-after-fin benign "resets after a FIN of either side: bytes left unread, half-closed and then aborted" VANTAGES=client,server SNAP=200
rst_after_fin() {
	nginx_start
	capture_start
	peer c fin-then-rst "$S4" 80
	peer c half-close-abort "$S4" 80
	peer c fin-then-rst "$S6" 80
	fetch http://allowed.example/
}

scenario half-open-scan benign "half-open port scan: open ports answer SYN+ACK and get a reset, closed ones reset" VANTAGES=client,server
half_open_scan() {
	nginx_start
	sshd_start
	capture_start
	nx c hping3 -q -S -p ++20 -c 12 -i u30000 "$S4" >>"$WORK/client.log" 2>&1 || true
	nx c hping3 -q -S -p ++76 -c 8 -i u30000 "$S4" >>"$WORK/client.log" 2>&1 || true
	# As fast scanners do: a fixed IP-ID, no options, a high TTL.
	nx c hping3 -q -S -N 54321 -t 255 -p 443 -c 4 -i u30000 "$S4" >>"$WORK/client.log" 2>&1 || true
}

scenario preconnect benign "sockets opened ahead of need and closed unused, by the client or by the server's timeout" VANTAGES=client,server
preconnect() {
	nginx_start 'client_header_timeout 3s;'
	capture_start
	peer c preconnect "$S4" 80 4 1
	peer c preconnect "$S4" 443 3 1
	peer c preconnect "$S4" 80 3 5
	fetch http://allowed.example/
}

scenario closed-port benign "closed ports answer SYN with RST+ACK" VANTAGES=client,server
closed_port() {
	nginx_start
	capture_start
	fetch http://allowed.example/
	fetch "http://$S4:8080/"
	fetch "https://$S4:8443/"
	fetch "http://[$S6]:8080/"
	fetch http://allowed.example/
}

scenario server-killed benign "the server is killed in the middle of a download, later connections meet a closed port" VANTAGES=client,server SNAP=200
server_killed() {
	nginx_start
	capture_start
	fetch http://allowed.example/
	fetch https://allowed.example/slow/file &
	local download=$!
	sleep 1.5
	crash "$NGINX"
	wait $download || true
	fetch https://allowed.example/
	fetch http://allowed.example/
}

scenario server-aborts benign "the server resets: at once (overloaded), after the request, in its answer, with an upload unread" VANTAGES=client,server
server_aborts() {
	nginx_start
	peer_server 8080 reset
	peer_server 8081 request
	peer_server 8082 half
	peer_server 8083 unread
	head -c 12000 /dev/zero >"$WORK/twelve"
	capture_start
	fetch "http://$S4:8080/"
	fetch "https://$S4:8080/"
	fetch "http://$S4:8081/"
	fetch "https://$S4:8081/"
	fetch "http://$S4:8082/"
	fetch "http://$S4:8083/" --data-binary @"$WORK/twelve"
	fetch http://allowed.example/
}

scenario port-reuse benign "a client aborts and takes the same source port again; then a server that resets each time" VANTAGES=client,server
port_reuse() {
	nginx_start
	peer_server 8080 half
	capture_start
	peer c reuse "$S4" 80 3
	peer c reuse "$S4" 8080 3
}

scenario server-refuses-name benign "the server itself will not have a name: closes, resets or sends an alert after a full round trip" VANTAGES=client,server
server_refuses_name() {
	nginx_start '' 'server { listen 80; listen 443 ssl; server_name blocked.example;
		ssl_reject_handshake on; reset_timedout_connection on; return 444; }
		server { listen 80; server_name lab.example; return 444; }'
	capture_start
	fetch http://allowed.example/
	fetch http://blocked.example/
	fetch http://lab.example/
	fetch https://allowed.example/
	fetch https://blocked.example/
	fetch http://blocked.example/small
	fetch http://allowed.example/
}

scenario tls-refused benign "the server refuses: protocol version alert, a plain request on the TLS port, the client dislikes the certificate" VANTAGES=client,server
tls_refused() {
	nginx_start
	capture_start
	fetch https://allowed.example/ --tls-max 1.1 --ciphers DEFAULT@SECLEVEL=0
	fetch "http://$S4:443/"
	nx c curl -q -sS -m 5 --resolve "allowed.example:443:$S4" https://allowed.example/ \
		>>"$WORK/client.log" 2>&1 || true
	fetch https://allowed.example/
}

scenario slow-server benign "the server acknowledges the request at once and answers seven seconds later" VANTAGES=client
slow_server() {
	peer_server 80 slow
	capture_start
	fetch http://allowed.example/ --max-time 20
	fetch http://blocked.example/ --max-time 20
}

scenario tcp-keepalive benign "TCP keep-alive probes on idle connections" VANTAGES=client,server
tcp_keepalive() {
	nginx_start
	capture_start
	peer c keepalive "$S4" 80 5
	peer c keepalive "$S6" 80 3
}

scenario zero-window benign "the reader pauses until its window is closed, then reads on" VANTAGES=client,server SNAP=200
zero_window() {
	nginx_start
	capture_start
	peer c stall "$S4" 80 6
}

scenario happy-eyeballs benign "IPv6 and IPv4 connect in parallel, the loser is dropped half-open" VANTAGES=client,server
happy_eyeballs() {
	nginx_start
	capture_start
	for _ in 1 2 3; do
		PIN="[$S6],$S4" fetch https://allowed.example/ --happy-eyeballs-timeout-ms 8
	done
	PIN="[$S6],$S4" fetch http://allowed.example/ --happy-eyeballs-timeout-ms 30
}

scenario split-hello benign "ClientHellos in two segments: the name cut in two, and one of post-quantum size" VANTAGES=client,server
split_hello() {
	nginx_start
	capture_start
	peer c split "$S4" allowed.example
	peer c bighello "$S4" allowed.example harmless-word
	peer c bighello "$S6" blocked.example harmless-word
}
