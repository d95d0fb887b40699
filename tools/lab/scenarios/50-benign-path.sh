# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2153
# No censor. What paths do: loss, reordering, outages, address translation, load balancers.

# lose SHARE: both directions, IPv4 and IPv6
lose() {
	box -A FORWARD -m statistic --mode random --probability "$1" -j DROP
	box6 -A FORWARD -p tcp -m statistic --mode random --probability "$1" -j DROP
}

down_and_up() {
	fetch http://allowed.example/big --max-time 30
	fetch http://allowed.example/upload/one -T "$KEYS/www/big" --max-time 30
}

scenario lossy-1 benign "1 % loss both ways under a download and an upload of 300 KB" VANTAGES=client,server SNAP=96
lossy_1() {
	nginx_start
	lose 0.01
	capture_start
	down_and_up
}

scenario lossy-3 benign "3 % loss both ways under downloads, an upload and a dozen TLS fetches" VANTAGES=client,server SNAP=300
lossy_3() {
	nginx_start
	lose 0.03
	capture_start
	fetch https://allowed.example/mid --max-time 20
	fetch http://allowed.example/upload/one -T "$KEYS/www/mid" --max-time 20
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
		fetch https://blocked.example/ --max-time 20
	done
}

scenario lossy-15 benign "15 % loss both ways under twenty small fetches: lost SYNs, hellos and answers" VANTAGES=client,server
lossy_15() {
	nginx_start
	lose 0.15
	capture_start
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		fetch http://blocked.example/ --max-time 20
		fetch http://allowed.example/ --max-time 20
	done
}

scenario reordered benign "6 % of the frames come 9 ms late and out of order" VANTAGES=client SNAP=96 LATE=:0.06:9
reordered() {
	nginx_start
	capture_start
	fetch http://allowed.example/big --max-time 30
	fetch http://allowed.example/upload/one -T "$KEYS/www/mid" --max-time 30
	fetch https://allowed.example/small
}

scenario reordered-rst benign "a server resets right behind its data on a path that reorders: the reset overtakes" VANTAGES=client,server SNAP=96 LATE=:0.3:9
reordered_rst() {
	peer_server 80 burst
	capture_start
	local _
	for _ in 1 2 3 4 5 6 7 8; do
		fetch http://allowed.example/
	done
}

scenario options-stripped benign "the path strips timestamps from SYNs and clamps the MSS" VANTAGES=client
options_stripped() {
	nginx_start
	strip_options
	capture_start
	fetch https://allowed.example/
	fetch http://blocked.example/small
	peer c linger "$S4" 80 request
}

scenario slow-link benign "a link of 400 kbit/s with a short queue (TBF) for all alike" VANTAGES=client SNAP=96
slow_link() {
	nginx_start
	nx b tc qdisc add dev b0 root tbf rate 400kbit burst 5k limit 15k
	nx b tc qdisc add dev b1 root tbf rate 400kbit burst 5k limit 15k
	capture_start
	fetch http://allowed.example/mid --max-time 30
	fetch http://blocked.example/mid --max-time 30
}

scenario first-syn-lost benign "every connection's first SYN is lost, the second passes" VANTAGES=client
first_syn_lost() {
	nginx_start
	box -A FORWARD -p tcp --syn -m statistic --mode nth --every 2 --packet 0 -j DROP
	capture_start
	fetch https://allowed.example/
	fetch https://blocked.example/
}

scenario hello-lost-twice benign "by chance the same ClientHello is lost twice, the third passes" VANTAGES=client,box
hello_lost_twice() {
	nginx_start
	box -A FORWARD "${BAD[@]}" -m statistic --mode nth --every 3 --packet 0 -j DROP
	box -A FORWARD "${BAD[@]}" -m statistic --mode nth --every 2 --packet 0 -j DROP
	capture_start
	fetch https://allowed.example/
	fetch https://blocked.example/ --max-time 20
	fetch https://allowed.example/
}

scenario link-outage benign "the client's link is down for five seconds in the middle of a download" VANTAGES=client,server SNAP=96
link_outage() {
	nginx_start
	capture_start
	fetch http://allowed.example/slow/file --max-time 40 &
	local download=$!
	sleep 2
	nx w ip link set w1 down
	sleep 5
	nx w ip link set w1 up
	wait $download || true
}

scenario mtu-hole benign "packets above 1300 bytes vanish without word: big answers and big hellos hang" VANTAGES=client,server
mtu_hole() {
	nginx_start
	box -A FORWARD -p tcp -m length --length 1301:1500 -j DROP
	capture_start
	fetch http://allowed.example/
	fetch http://allowed.example/small --max-time 8
	peer c bighello "$S4" allowed.example harmless-word
	sleep 14
	fetch http://allowed.example/
}

scenario host-down benign "nobody has that address: SYNs go unanswered until the router says unreachable" VANTAGES=client
host_down() {
	nginx_start
	capture_start
	fetch http://allowed.example/
	fetch http://203.0.113.99/ --max-time 8
	fetch http://allowed.example/
}

translate() { # translate SECONDS: the box as a home router that forgets soon
	box -t nat -A POSTROUTING -o b1 -j MASQUERADE
	nx b sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_established="$1" \
		net.netfilter.nf_conntrack_tcp_loose=0
}

scenario nat-timeout-drop benign "a translator forgets an idle connection and drops what comes after" VANTAGES=client,server NAT=198.51.100.1=192.0.2.10
nat_timeout_drop() {
	nginx_start
	translate 22
	box -A FORWARD -m conntrack --ctstate INVALID -j DROP
	capture_start
	fetch http://allowed.example/
	peer c idle "$S4" 80 25
	fetch http://allowed.example/
}

scenario nat-timeout-rst benign "a translator forgets an idle connection and resets what comes after" VANTAGES=client,box,server NAT=198.51.100.1=192.0.2.10
nat_timeout_rst() {
	nginx_start
	translate 22
	box -A FORWARD -p tcp -m conntrack --ctstate INVALID "${RESET[@]}"
	capture_start
	fetch http://allowed.example/
	peer c idle "$S4" 80 25
	peer c idle "$S4" 80 25 blocked.example
	fetch http://allowed.example/
}

scenario lb-handshake benign "a load balancer answers the handshake with another TTL than the servers behind it" VANTAGES=client
lb_handshake() {
	nginx_start
	router -t mangle -A POSTROUTING -o r0 -p tcp --tcp-flags SYN,ACK SYN,ACK -j TTL --ttl-set 240
	capture_start
	fetch https://allowed.example/
	fetch https://blocked.example/
	fetch http://allowed.example/
	peer c linger "$S4" 80 request
}

scenario lb-rst-late benign "a load balancer answers the client's last FIN with a reset of another TTL" VANTAGES=client,server
lb_rst_late() {
	nginx_start 'keepalive_timeout 0;'
	stamp_ttl r 255
	router -A FORWARD -i r0 -p tcp --tcp-flags FIN FIN "${RESET[@]}"
	capture_start
	fetch http://allowed.example/
	fetch http://blocked.example/
	fetch https://allowed.example/
	peer c fin-then-rst "$S4" 80
}

scenario lb-backend-down benign "a load balancer completes handshakes and resets every request, whatever the name" VANTAGES=client
lb_backend_down() {
	nginx_start
	stamp_ttl r 128
	router -A FORWARD -i r0 -p tcp -m length --length 100: "${RESET[@]}"
	capture_start
	fetch http://allowed.example/
	fetch http://blocked.example/
	fetch https://allowed.example/
	fetch https://blocked.example/
}

scenario twice benign "capture on 'any' of a bridged host: every frame twice (SLL2)" BRIDGED=1 CLIENT_IF=any VANTAGES=client
twice() {
	nginx_start
	capture_start
	fetch http://allowed.example/small
	fetch https://blocked.example/
	peer c linger "$S4" 80 request
	fetch "http://$S4:8080/"
}

scenario oneside benign "fetches and aborts, each file with one direction only" PUBLISH=oneside VANTAGES=client
oneside() {
	nginx_start
	capture_start
	fetch https://allowed.example/
	fetch http://blocked.example/small
	peer c linger "$S4" 80 request
	peer c preconnect "$S4" 80 2 1
}

scenario snap96 benign "fetches and aborts with 96 bytes of each frame" PUBLISH=snap96 VANTAGES=client
snap96() {
	oneside
}
