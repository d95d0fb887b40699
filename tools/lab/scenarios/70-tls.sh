# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2153
# Boxes that read TLS: by name, by extension, by the shape of the hello; proxies that end it. A name
# is tried three times and more and controls to the same address twice and more, so that a file holds
# what a conclusion over several connections needs.

odd() { # odd ACTION ARGUMENTS…: see tlspeer.py
	echo "== tlspeer $*" >>"$WORK/client.log"
	nx c timeout "${GIVE_UP:-20}" /usr/bin/python3 "$LAB/tlspeer.py" "$@" >>"$WORK/client.log" 2>&1 || true
}

# tries N CONTROL COMMAND…: one after the other and a control behind each, or a failure might be no
# more than what is left of the one before
tries() {
	local i
	for ((i = 0; i < $1; i++)); do
		"${@:3}"
		"$2"
	done
}

scenario tls-name-rst inject "in-path box resets the client on one name of a server" VANTAGES=client,box
tls_name_rst() {
	nginx_start
	box -A FORWARD "${BAD[@]}" "${RESET[@]}"
	capture_start
	local _
	for _ in 1 2 3 4; do
		fetch https://blocked.example/
		controls_tls
		fetch https://lab.example/small
	done
}

scenario tls-name-drop drop "in-path box drops hellos with one name of a server"
tls_name_drop() {
	nginx_start
	box -A FORWARD "${BAD[@]}" -j DROP
	capture_start
	controls_tls
	GIVE_UP=4 tries 4 controls_tls fetch https://blocked.example/
	fetch https://lab.example/small
	quiet_end controls_tls
}

scenario tls-name-networks inject "the same name is reset at two unrelated addresses, controls at both" VANTAGES=client
tls_name_networks() {
	nginx_start
	box -A FORWARD "${BAD[@]}" "${RESET[@]}"
	capture_start
	local to
	for to in "$S4" "$Y4"; do
		PIN=$to fetch https://blocked.example/
		PIN=$to controls_tls
		PIN=$to fetch https://blocked.example/
	done
}

scenario tls-name-drop-v6 drop "IPv6: in-path box drops hellos with one name of a server" VANTAGES=client
tls_name_drop_v6() {
	nginx_start
	box6 -A FORWARD "${BAD[@]}" -j DROP
	capture_start
	PIN=[$S6] controls_tls
	PIN=[$S6] tries 3 controls_tls odd try "$S6" blocked.example 4
}

# Extension and layout of draft-ietf-tls-esni-02: type, then cipher suite and group of a key share.
ESNI=(-p tcp --dport 443 -m string --algo bm --hex-string '|1301001d0020|'
	-m string --algo bm --hex-string '|ffce|')

scenario esni-drop drop "box drops client to server for 30 s, on all ports of the client, after a hello with ESNI; what comes meanwhile does not rearm it" VANTAGES=client RESIDUAL=3-tuple:30
esni_drop() {
	nginx_start
	box -A FORWARD -i b0 -p tcp --dport 443 -m recent --name esni --rcheck --rdest --seconds 30 -j DROP
	box -A FORWARD -i b0 "${ESNI[@]}" -m recent --name esni --set --rdest -j DROP
	capture_start
	local _
	controls_tls
	odd extension "$S4" blocked.example ff02
	for _ in 1 2; do
		window_opens
		GIVE_UP=5 odd extension "$S4" blocked.example ffce
		odd try "$S4" blocked.example 4
		wait_until 15
		odd try "$S4" allowed.example 4
		wait_until 25
		odd try "$S4" blocked.example 4
		wait_until 32
		controls_tls
		odd extension "$S4" blocked.example ff02
	done
}

scenario ech-drop drop "box drops hellos with ECH and a certain outer name: both are needed" VANTAGES=client,box CLAIM=tls-filtering:anomaly:sni=cloudflare-ech.example
ech_drop() {
	nginx_start
	box -A FORWARD -p tcp --dport 443 -m string --algo bm --string cloudflare-ech.example \
		-m string --algo bm --hex-string '|fe0d00da0000010001|' -j DROP
	capture_start
	local _
	for _ in 1 2; do
		odd extension "$S4" cloudflare-ech.example
		odd extension "$S4" allowed.example fe0d
		odd extension "$S4" allowed.example
	done
	GIVE_UP=4 tries 3 controls_tls odd extension "$S4" cloudflare-ech.example fe0d
	odd extension "$S4" cloudflare-ech.example
	odd extension "$S4" allowed.example fe0d
}

scenario hello-segments drop "box drops hellos by name and does not reassemble: in two segments the same name passes" VANTAGES=client,box CLAIM=tls-filtering:anomaly:sni=blocked.example
hello_segments() {
	nginx_start
	box -A FORWARD "${BAD[@]}" -j DROP
	capture_start
	peer c split "$S4" blocked.example
	tries 3 controls_tls odd try "$S4" blocked.example 4
	peer c split "$S4" blocked.example
	peer c split "$S4" blocked.example
	controls_tls
}

scenario hello-records inject "box resets hellos by name and does not join TLS records: cut in two records the same name passes" VANTAGES=client,box CLAIM=tls-filtering:anomaly:sni=blocked.example
hello_records() {
	nginx_start
	box -A FORWARD "${BAD[@]}" "${RESET[@]}"
	capture_start
	local _
	for _ in 1 2 3; do
		odd records "$S4" blocked.example
		fetch https://blocked.example/
		controls_tls
	done
}

scenario hello-joined inject "box joins segments: the name is reset whole and in two pieces" VANTAGES=client
hello_joined() {
	nginx_start
	# It remembers the first half, and the second half alone is enough then.
	box -t mangle -A PREROUTING -i b0 -p tcp --dport 443 -m string --algo bm --string blocked \
		-j CONNMARK --set-mark 1
	box -A FORWARD -i b0 -p tcp --dport 443 -m connmark --mark 1 -m string --algo bm --string .example "${RESET[@]}"
	capture_start
	local _
	for _ in 1 2 3; do
		peer c split "$S4" blocked.example
		fetch https://blocked.example/
		peer c split "$S4" allowed.example
		controls_tls
	done
}

# A hello out of the blue: no SYN before it, so that no end knows the connection.
unannounced() { # unannounced NAME SOURCE-PORT
	nx c /usr/bin/python3 "$LAB/tlspeer.py" hello "$WORK/$1.hello" "$1"
	nx c hping3 -q -c 1 -A -P -L 1000 -s "$2" -p 443 -d "$(stat -c %s "$WORK/$1.hello")" -E "$WORK/$1.hello" "$S4" \
		>>"$WORK/client.log" 2>&1 || true
}

stray_hellos() {
	nginx_start
	capture_start
	local i
	for i in 1 2 3; do
		unannounced blocked.example 2100$i
		unannounced allowed.example 2200$i
		fetch https://blocked.example/
		controls_tls
	done
}

scenario hello-stateless inject "box resets the name on single packets: also in a hello that no handshake came before" VANTAGES=client,box
hello_stateless() {
	box -A FORWARD "${BAD[@]}" "${RESET[@]}"
	stray_hellos
}

scenario hello-stateful inject "box resets the name only on connections that it saw begin; a stray hello passes and the server itself resets it" VANTAGES=client,box
hello_stateful() {
	nx b sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0
	box -A FORWARD "${BAD[@]}" -m conntrack --ctstate ESTABLISHED "${RESET[@]}"
	stray_hellos
}

scenario hello-shape drop "box drops one client's hello whatever the name; another client's hello with the same name passes" VANTAGES=client CLAIM=tls-filtering:anomaly:sni=allowed.example
hello_shape() {
	nginx_start
	# The first cipher suites of OpenSSL's own list, behind its length.
	box -A FORWARD -p tcp --dport 443 -m string --algo bm --hex-string '|130213031301c02cc030|' -j DROP
	capture_start
	other_client
	GIVE_UP=4 tries 3 other_client controls_tls
	other_client https://lab.example/small
}

other_client() { fetch "${1:-https://allowed.example/small}" --tls13-ciphers TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384; }

scenario alert-onpath inject "on-path device answers the hello with a fatal alert in the server's name; the ServerHello comes after it" VANTAGES=client,box
alert_onpath() {
	nginx_start
	mirror c2s
	spawn o alerter.log /usr/bin/python3 "$LAB/alerter.py" o0 blocked.example 128 112
	wait_for "$WORK/alerter.log" ready
	capture_start
	local _
	for _ in 1 2 3; do
		fetch https://blocked.example/ --tls-max 1.2
		controls_tls
		fetch https://blocked.example/
	done
}

# ── proxies ───────────────────────────────────────────────────────────────────────────────────

# One authority for the server, one for the box; small keys, they are in every capture.
issue() { # issue AUTHORITY NAME…: $WORK/AUTHORITY/NAME.pem with the chain, and NAME.key
	local ca=$WORK/$1 name
	mkdir -p "$ca"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
		-subj "/O=$1/CN=$1 root" -keyout "$ca/ca.key" -out "$ca/ca.pem" 2>/dev/null
	for name in "${@:2}"; do
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=${name/star/\*.example}" \
			-keyout "$ca/$name.key" -out "$ca/$name.csr" 2>/dev/null
		openssl x509 -req -in "$ca/$name.csr" -CA "$ca/ca.pem" -CAkey "$ca/ca.key" -days 30 -CAcreateserial \
			-extfile <(echo "subjectAltName=DNS:${name/star/*.example}") -out "$ca/$name.pem" 2>/dev/null
		cat "$ca/ca.pem" >>"$ca/$name.pem"
	done
}

intercept() { # intercept DESTINATION NAME…: turn its port 443 to a proxy that minds these names
	spawn b mitm.log /usr/bin/python3 "$LAB/mitm.py" 8443 "$WORK/box-authority" "${@:2}"
	wait_for "$WORK/mitm.log" ready
	box -t nat -A PREROUTING -i b0 -p tcp -d "$1" --dport 443 -j REDIRECT --to-ports 8443
}

scenario tls-mitm mitm "after some connections a proxy in the box ends TLS for one name with a certificate of its own; other names pass through it" VANTAGES=client,server
tls_mitm() {
	issue box-authority blocked.example
	nginx_start
	capture_start
	local max
	for max in 1.2 1.3; do
		PIN=$X4 fetch https://blocked.example/ --tls-max $max
		PIN=$X4 controls_tls --tls-max $max
	done
	PIN=$X4 fetch https://blocked.example/ --tls-max 1.2
	intercept "$X4" blocked.example
	for max in 1.2 1.3 1.2; do
		PIN=$X4 fetch https://blocked.example/ --tls-max $max
		PIN=$X4 controls_tls --tls-max $max
		controls_tls --tls-max $max
	done
}

scenario tls-proxy mitm "an enterprise's proxy ends TLS for every name, then is switched off" VANTAGES=client,server
tls_proxy() {
	issue box-authority star
	nginx_start
	intercept 0.0.0.0/0 '*'
	capture_start
	local name
	for name in "${NAMES[@]}" "${NAMES[@]}"; do
		fetch "https://$name/" --tls-max 1.2
		fetch "http://$name/"
		fetch "https://$name/"
	done
	box -t nat -F PREROUTING
	controls_tls
}

# ── benign ────────────────────────────────────────────────────────────────────────────────────

scenario server-resets-name benign "the server itself resets one name, four times of four, and serves the others" VANTAGES=client,server
server_resets_name() {
	refusing reset
	local _
	for _ in 1 2 3 4; do
		fetch https://blocked.example/
		controls_tls
	done
}

refusing() { # refusing HOW: a server that reads the name
	spawn s refuse.log /usr/bin/python3 "$LAB/tlspeer.py" refuse 443 blocked.example "$1" \
		"$KEYS/cert.pem" "$KEYS/key.pem"
	await_port 443
	capture_start
}

scenario server-ignores-name benign "the server itself never answers hellos with one name and serves the others" VANTAGES=client,server
server_ignores_name() {
	refusing ignore
	controls_tls
	GIVE_UP=4 tries 3 controls_tls fetch https://blocked.example/
}

scenario server-alerts-name benign "the server itself answers one name with unrecognized_name, four times of four, and serves the others" VANTAGES=client,server
server_alerts_name() {
	nginx_start '' 'server { listen 443 ssl; server_name blocked.example; ssl_reject_handshake on; }'
	capture_start
	local _
	for _ in 1 2 3 4; do
		fetch https://blocked.example/
		controls_tls
	done
}

scenario two-certificates benign "one name, two certificates of two authorities: RSA and ECDSA, by what the client offers; then both are renewed" VANTAGES=client,server
two_certificates() {
	local first=$KEYS
	mkdir -p "$WORK/rsa" "$WORK/new"
	openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/O=another authority/CN=allowed.example" \
		-keyout "$WORK/rsa/key.pem" -out "$WORK/rsa/cert.pem" 2>/dev/null
	nginx_start "ssl_certificate $WORK/rsa/cert.pem; ssl_certificate_key $WORK/rsa/key.pem;"
	capture_start
	local how
	for how in ECDHE-RSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256; do
		controls_tls --tls-max 1.2 --ciphers $how
	done
	controls_tls
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
		-subj "/O=a third authority/CN=allowed.example" \
		-keyout "$WORK/new/key.pem" -out "$WORK/new/cert.pem" 2>/dev/null
	sed -i "s,$first/\(cert\|key\).pem,$WORK/new/\1.pem,g" "$WORK/nginx.conf"
	crash "$NGINX" # idle; a reload would keep its sockets and, without a master, its keys
	spawn s nginx.log nginx -e "$WORK/nginx.err" -c "$WORK/nginx.conf"
	await_port 443
	for how in ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256; do
		controls_tls --tls-max 1.2 --ciphers $how
	done
	controls_tls
}

scenario two-backends benign "a balancer spreads a name over two servers: other TTL, other cipher suites, other certificate" VANTAGES=client
two_backends() {
	issue other-authority allowed.example
	nginx_start '' "server { listen 8443 ssl; root $KEYS/www; ssl_protocols TLSv1.2;
		ssl_certificate $WORK/other-authority/allowed.example.pem;
		ssl_certificate_key $WORK/other-authority/allowed.example.key; }"
	router -t nat -A PREROUTING -i r0 -p tcp --dport 443 -m statistic --mode nth --every 2 --packet 0 \
		-j DNAT --to-destination "$S4:8443"
	router -t mangle -A POSTROUTING -o r0 -p tcp -m conntrack --ctstate DNAT -j TTL --ttl-set 110
	capture_start
	local _
	for _ in 1 2 3 4; do
		controls_tls --tls-max 1.2
		fetch https://blocked.example/
	done
}
