# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2153
# Pages that the server never sent, and pages of its own that read or look like them.
#
# The pages come from pager.py: on the box it answers what the box then swallows, on the device it races.

visit() { # visit HOST[/PATH] [OPTIONS OF curl]
	local url=http://$1 host=${1%%/*}
	shift
	[[ $url == */*/*/* ]] || url+=/
	fetch "$url" --resolve "$host:80:${PIN:-$S4}" "$@"
}

page() { # page FILE STATUS HEADER… BODY: an answer as bytes
	local file=$1 status=$2 body=${!#} header
	{
		printf 'HTTP/1.1 %s\r\n' "$status"
		for header in "${@:3:$#-3}"; do printf '%s\r\n' "$header"; done
		printf 'Content-Length: %d\r\nConnection: close\r\n\r\n%s' ${#body} "$body"
	} >"$WORK/$file"
}

pager() { # pager ROLE IFACE RULE…
	local role=$1 dev=$2
	shift 2
	spawn "$role" pager.log /usr/bin/python3 -u "$LAB/pager.py" "$dev" "$@"
	wait_for "$WORK/pager.log" ready
}

swallow_http() { # swallow_http TEXT: of a connection with this in a request the rest goes nowhere
	local rule=(-A FORWARD -i b0 -p tcp --dport 80 -m string --algo bm --string "$1"
		-j CONNMARK --set-mark 1)
	box "${rule[@]}"
	box6 "${rule[@]}"
	box -A FORWARD -m connmark --mark 1 -j DROP
	box6 -A FORWARD -m connmark --mark 1 -j DROP
}

block_pages() {
	page redirect '302 Found' 'Location: http://notice.example/stop?host=blocked' ''
	page notice '200 OK' 'Content-Type: text/html' \
		'<html><head><title>Notice</title></head><body>This site is not available here.</body></html>'
	page denied '403 Forbidden' 'Content-Type: text/html' '<html><body><h1>Access denied by order</h1></body></html>'
}

block_rules() { # block_rules KNOBS: sets RULES
	local name
	RULES=()
	for name in redirect notice denied; do
		RULES+=("$name.blocked.example,page=$WORK/$name,$1")
	done
}

visit_blocked() {
	visit allowed.example/small
	visit redirect.blocked.example
	visit notice.blocked.example/index.html
	visit allowed.example
	visit denied.blocked.example/small
	visit allowed.example/small
}

scenario page-inpath inject "in-path box answers the request itself, one segment with FIN, and resets the server"
page_inpath() {
	nginx_start
	block_pages
	block_rules alone=1,rst=0
	swallow_http blocked.example
	pager b b0 "${RULES[@]}"
	capture_start
	visit_blocked
}

scenario page-inpath-oneside inject "as page-inpath, but each file holds one direction only" PUBLISH=oneside VANTAGES=client
page_inpath_oneside() { page_inpath; }

scenario page-inpath-open inject "in-path box answers in small segments, leaves the connection open and the server alone" VANTAGES=client,server
page_inpath_open() {
	nginx_start
	block_pages
	block_rules alone=1,fin=0,split=90,df=0
	swallow_http blocked.example
	pager b b0 "${RULES[@]}"
	capture_start
	visit_blocked
}

scenario page-inpath-same inject "in-path box answers with the server's TTL, window and timestamps" VANTAGES=client,server
page_inpath_same() {
	nginx_start
	block_pages
	block_rules alone=1,ts=1,ttl=53,window=509
	swallow_http blocked.example
	pager b b0 "${RULES[@]}"
	capture_start
	visit allowed.example
	sleep 0.7 # what is as old as a capture, or as young, may be missing from it
	visit_blocked
	sleep 0.7
	visit allowed.example
}

scenario page-onpath inject "on-path device's page comes first, the server's answer after it"
page_onpath() {
	nginx_start
	block_pages
	block_rules ttl=120
	mirror c2s
	pager o o0 "${RULES[@]}"
	capture_start
	visit_blocked
}

scenario page-onpath-same inject "as page-onpath, with the server's TTL and timestamps; the server is reset after its answer" VANTAGES=client,server
page_onpath_same() {
	nginx_start
	block_pages
	block_rules ttl=54,ts=1,window=509,rst=80
	mirror c2s
	pager o o0 "${RULES[@]}"
	capture_start
	visit_blocked
}

scenario page-onpath-late inject "the on-path device is slow: its page arrives after the server's answer" DEVICE_MS=20 VANTAGES=client
page_onpath_late() { page_onpath; }

# The shape that was published for one country, its address included: content, nobody is asked there.
iframe_page() { # iframe_page FILE
	page "$1" '403 Forbidden' 'Content-Type: text/html' \
		'<html><head><meta http-equiv="Content-Type" content="text/html; charset=windows-1256"><title>M1-6</title></head><body><iframe src="http://10.10.34.35/?type=Invalid Keyword&policy=MainPolicy " style="width: 100%; height: 100%" scrolling="no" marginwidth="0" marginheight="0" frameborder="0" vspace="0" hspace="0"></iframe></body></html>'
}

scenario page-iframe inject "in-path box answers 403 with an iframe of a private address"
page_iframe() {
	nginx_start
	iframe_page iframe
	swallow_http blocked.example
	pager b b0 ".blocked.example,page=$WORK/iframe,alone=1,rst=0,ttl=128"
	capture_start
	visit_blocked
}

scenario page-iframe-v6 inject "IPv6: as page-iframe" VANTAGES=client
page_iframe_v6() { PIN=[$S6] page_iframe; }

scenario page-download inject "in-path box sends downloads of programs elsewhere" VANTAGES=client,box
page_download() {
	nginx_start
	page elsewhere '307 Temporary Redirect' 'Location: http://mirror.lab.example/setup/update.exe' ''
	swallow_http '.exe HTTP/1'
	swallow_http '.apk HTTP/1'
	pager b b0 "allowed.example,page=$WORK/elsewhere,end=.exe,alone=1,rst=0,ipid=0x3412" \
		"allowed.example,page=$WORK/elsewhere,end=.apk,alone=1,rst=0,ipid=0x3412"
	capture_start
	visit allowed.example/index.html
	visit allowed.example/tool-1.2.exe
	visit allowed.example/small
	visit allowed.example/app.apk
	visit allowed.example/tool.exe.txt
}

scenario page-later inject "in-path box answers a later request of a kept connection" VANTAGES=client,server
page_later() {
	nginx_start
	block_pages
	swallow_http forbidden-word
	pager b b0 "allowed.example,page=$WORK/denied,end=forbidden-word,alone=1,rst=0"
	capture_start
	peer c words "$S4" 80 / /small /
	peer c words "$S4" 80 / /small /forbidden-word
	peer c words "$S4" 80 /small /forbidden-word
	visit allowed.example/small
}

box_nginx() { # box_nginx SERVERS: an nginx on the box, for what is sent there by rule
	cat >"$WORK/box.conf" <<-CONF
		daemon off; master_process off; pid $WORK/box.pid; error_log $WORK/box.err;
		events { worker_connections 128; }
		http {
			access_log off; default_type text/html; tcp_nodelay on; server_tokens off;
			client_body_temp_path $WORK/u1; proxy_temp_path $WORK/u2; fastcgi_temp_path $WORK/u3;
			uwsgi_temp_path $WORK/u4; scgi_temp_path $WORK/u5;
			$1
		}
	CONF
	spawn b box.log nginx -e "$WORK/box.err" -c "$WORK/box.conf"
	await_port 80 b
}

take_over() { # take_over [MATCH…]: connections to port 80 end at the box
	box -t nat -A PREROUTING -i b0 -p tcp --dport 80 "$@" -j REDIRECT
}

scenario page-terminated inject "the box ends every connection to one address itself and answers with its page" VANTAGES=client
page_terminated() {
	nginx_start
	iframe_page iframe
	sed -n '$p' "$WORK/iframe" >"$WORK/body.html"
	box_nginx "server { listen 80; error_page 403 /body.html; location / { return 403; }
		location = /body.html { root $WORK; internal; } }"
	take_over -d "$X4"
	capture_start
	visit allowed.example
	PIN=$X4 visit lab.example
	visit allowed.example/small
	PIN=$X4 visit lab.example/small
}

scenario page-poisoned inject "the name was forged: the page comes from another server, which really sent it" VANTAGES=client,box,server
page_poisoned() {
	iframe_page iframe
	sed -n '$p' "$WORK/iframe" >"$WORK/body.html"
	nginx_start '' "server { listen $X4:80; error_page 403 /body.html; location / { return 403; }
		location = /body.html { root $WORK; internal; default_type text/html; } }"
	dnsmasq_start
	swallow
	forger b b0 "blocked.example,a=$X4,rrttl=30"
	echo "nameserver $S4" >"$WORK/resolv.conf"
	capture_start
	ask_often 11 allowed.example
	# shellcheck disable=SC2016 # expands inside
	nx c bash -c 'mount --bind "$1" /etc/resolv.conf && for n in allowed blocked lab blocked allowed blocked lab; do
		curl -q -4 -sS -m 8 -o /dev/null http://$n.example/; done' - "$WORK/resolv.conf" \
		>>"$WORK/client.log" 2>&1 || true
	sleep 0.7 # what is as young as a capture may be missing from it
	ask allowed.example
}

scenario page-server-own benign "the server's own: 451, 403, 404, redirects to a login, 204, 304, HEAD, kept connections" VANTAGES=client,server
page_server_own() {
	nginx_start "
		location /legal { default_type text/html; return 451 '<html>Unavailable for legal reasons</html>'; }
		location /denied { default_type text/html; return 403 '<html><h1>Access denied</h1> This site is blocked.</html>'; }
		location /private { return 302 http://login.lab.example/sso?back=%2Fprivate; }
		location /moved { return 307 http://lab.example/tool.exe; }
		location /empty { return 204; }
		location /short { keepalive_timeout 0; return 302 http://lab.example/; }"
	capture_start
	local path
	for path in legal denied private moved empty short missing secret/; do
		visit "allowed.example/$path"
	done
	visit allowed.example/small -I
	visit allowed.example/small -H 'If-Modified-Since: Sat, 01 Jan 2050 00:00:00 GMT'
	visit allowed.example/small --http1.0
	visit allowed.example/short -H 'Connection: close'
	fetch http://allowed.example/legal http://allowed.example/empty http://allowed.example/denied
	peer c words "$S4" 80 /private /legal /small /empty
}

scenario page-article benign "an article about block pages quotes them: plain, gzip, chunked" VANTAGES=client,server
page_article() {
	mkdir -p "$WORK/article"
	{
		printf '<!doctype html><html><head><title>How pages are blocked</title></head><body>\n'
		printf '<p>Paragraph %d of an article that says nothing yet.</p>\n' {1..12}
		printf '<p>In one country the answer is <code>HTTP/1.1 403 Forbidden</code> with\n'
		printf '<pre>&lt;iframe src="http://10.10.34.35/?type=Invalid Keyword&amp;policy=MainPolicy " &gt;</pre>\n'
		printf '<p>Elsewhere one reads &ldquo;Access denied by order&rdquo;, &ldquo;Web Page Blocked! Powered By FortiGuard&rdquo;,\n'
		printf '&ldquo;This page has been blocked by Kerio Control&rdquo; or /webadmin/deny and ?dpid=1.</p></body></html>\n'
	} >"$WORK/article/page.html"
	cp "$WORK/article/page.html" "$WORK/article/page.shtml"
	nginx_start "
		location /article/ { root $WORK; default_type text/html; }
		location /article/page.gz.html { alias $WORK/article/page.html; default_type text/html; gzip on; gzip_types *; gzip_min_length 1; }
		location /article/page.shtml { root $WORK; default_type text/html; ssi on; ssi_types *; }"
	capture_start
	visit allowed.example/article/page.html
	visit allowed.example/article/page.gz.html --compressed
	visit allowed.example/article/page.shtml
	PIN=[$S6] visit allowed.example/article/page.html
}

scenario page-http10 benign "an HTTP/1.0 server closes after each answer" VANTAGES=client,server
page_http10() {
	spawn s http10.log /usr/bin/python3 -m http.server 80 --bind "$S4" --directory "$KEYS/www"
	await_port 80
	capture_start
	visit allowed.example/small
	visit allowed.example/missing
	visit allowed.example/slow
	visit allowed.example/small -I
}

scenario page-one-segment benign "a small device's web server: redirect and FIN in one segment, no Date, no Server" VANTAGES=client,server
page_one_segment() {
	peer_server 80 single
	capture_start
	visit allowed.example
	visit blocked.example/setup
	visit allowed.example/small
}

scenario page-proxy benign "an explicit proxy with a filter of its own: allowed, refused, and CONNECT" VANTAGES=client,server
page_proxy() {
	nginx_start
	printf '%s\n' '^blocked\.example$' >"$WORK/filter"
	printf '%s\n' "Port 8888" "Listen $X4" "Timeout 30" "Filter \"$WORK/filter\"" "FilterDefaultDeny No" \
		"LogFile \"$WORK/proxy.log\"" "MaxClients 20" >"$WORK/proxy.conf"
	printf '%s\n' '127.0.0.1 localhost' "$S4 ${NAMES[*]}" >"$WORK/hosts"
	# shellcheck disable=SC2016 # expands inside
	spawn s tinyproxy.log bash -c 'mount --bind "$1" /etc/hosts && exec tinyproxy -d -c "$2"' - \
		"$WORK/hosts" "$WORK/proxy.conf"
	await_port 8888
	capture_start
	local url
	for url in http://allowed.example/small http://blocked.example/ https://allowed.example/ \
		https://blocked.example/ http://lab.example/missing; do
		fetch $url --proxy "http://$X4:8888"
	done
}

scenario page-transparent benign "an office's transparent proxy: fetches for its users, and answers for some names with the product's page" VANTAGES=client
page_transparent() {
	nginx_start
	box_nginx "server { listen 80; location / { proxy_pass http://$S4; proxy_set_header Host \$host;
			add_header Via '1.1 gateway'; } }
		server { listen 80; server_name blocked.example;
			location / { return 403 '<html><head><title>Web Page Blocked!</title></head><body>You have tried to access a page which is in violation of your internet usage policy. Powered By FortiGuard.</body></html>'; } }"
	take_over
	capture_start
	visit allowed.example/small
	visit blocked.example
	visit lab.example/missing
	visit blocked.example/small
	visit allowed.example
}

scenario page-portal benign "captive portal: every request is sent to a login page until the user has logged in" VANTAGES=client,server
page_portal() {
	nginx_start
	box_nginx "server { listen 80; location / { return 302 http://login.lab.example/?from=portal; }
		location /login { return 200 'thank you'; } }"
	take_over
	capture_start
	visit allowed.example/small
	visit blocked.example
	visit login.lab.example/login
	box -t nat -F PREROUTING
	visit allowed.example/small
	visit blocked.example
}
