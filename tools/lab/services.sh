# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# What runs at the two ends: nginx, sshd, dnsmasq; curl, ssh, peer.py. Sourced by lab.sh.

NAMES=(allowed.example blocked.example lab.example)

# One key and certificate for a whole run of the lab; small, because they are in every capture.
make_certificate() { # make_certificate DIR
	local san
	san=$(printf 'DNS:%s,' "${NAMES[@]}")
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
		-subj /CN=lab.example -addext "subjectAltName=${san%,}" \
		-keyout "$1/key.pem" -out "$1/cert.pem" 2>/dev/null
	ssh-keygen -q -t ed25519 -N '' -C lab -f "$1/ssh_host"
	ssh-keygen -q -t ed25519 -N '' -C lab -f "$1/ssh_user"
	mkdir -p "$1/www/slow" "$1/www/secret"
	head -c 600 /dev/zero | tr '\0' a >"$1/www/index.html"
	head -c 2000 /dev/zero | tr '\0' b >"$1/www/small"
	head -c 30000 /dev/zero | tr '\0' c >"$1/www/mid"
	head -c 100000 /dev/zero | tr '\0' g >"$1/www/wide"
	head -c 300000 /dev/zero | tr '\0' d >"$1/www/big"
	head -c 1000000 /dev/zero | tr '\0' h >"$1/www/long"
	head -c 90000 /dev/zero | tr '\0' e >"$1/www/slow/file"
	cp "$1/www/index.html" "$1/www/forbidden-word"
}

nginx_start() { # nginx_start [EXTRA LINES OF THE SERVER BLOCK [ANOTHER BLOCK]]
	cat >"$WORK/nginx.conf" <<-CONF
		daemon off; master_process off; pid $WORK/nginx.pid; error_log $WORK/nginx.err;
		events { worker_connections 128; }
		http {
			access_log off; default_type text/plain; tcp_nodelay on; keepalive_timeout 65;
			client_body_temp_path $WORK/t1; proxy_temp_path $WORK/t2; fastcgi_temp_path $WORK/t3;
			uwsgi_temp_path $WORK/t4; scgi_temp_path $WORK/t5;
			server {
				listen 80; listen [::]:80; listen 443 ssl; listen [::]:443 ssl;
				ssl_certificate $KEYS/cert.pem; ssl_certificate_key $KEYS/key.pem;
				ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets off; root $KEYS/www;
				location /slow/ { limit_rate 12k; }
				location /secret/ { return 403; }
				location /upload { client_max_body_size 2m; dav_methods PUT; root $WORK/up; }
				${1:-}
			}
			${2:-}
		}
	CONF
	# Not every nginx has WebDAV; an upload then goes to a location that reads and refuses it.
	mkdir -p "$WORK/up/upload"
	nginx -tq -e "$WORK/nginx.err" -c "$WORK/nginx.conf" 2>/dev/null || sed -i 's/dav_methods PUT;//' "$WORK/nginx.conf"
	spawn s nginx.log nginx -e "$WORK/nginx.err" -c "$WORK/nginx.conf"
	# shellcheck disable=SC2034 # scenarios kill it
	NGINX=$SPAWNED
	await_port 443
}

await_port() { # await_port PORT [ROLE]: until something listens there, at the server if not told
	local i
	for ((i = 0; i < 200; i++)); do
		[[ -n $(nx "${2:-s}" ss -Hltn "sport = :$1") ]] && return 0
		sleep 0.05
	done
	echo "lab: nothing listens on port $1" >&2
	cat "$WORK"/*.log >&2
	return 1
}

sshd_start() {
	cp "$KEYS/ssh_host" "$WORK/ssh_host"
	chmod 600 "$WORK/ssh_host"
	# sshd insists on an empty folder of its own: give it one in the mounts of this command alone.
	# shellcheck disable=SC2016 # expands inside
	spawn s sshd.log bash -c 'mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec "$@"' - \
		/usr/sbin/sshd -D -e -f /dev/null -p 22 -h "$WORK/ssh_host" -o UsePAM=no \
		-o StrictModes=no -o PidFile=none -o AuthorizedKeysFile="$KEYS/ssh_user.pub"
	await_port 22
}

ssh_run() { # ssh_run COMMAND…: what fails is the scenario's point, so no error here
	nx c timeout 15 ssh -F /dev/null -i "$KEYS/ssh_user" -o StrictHostKeyChecking=no \
		-o UserKnownHostsFile=/dev/null -o ConnectTimeout=6 -o BatchMode=yes "root@$S4" "$@" \
		>>"$WORK/client.log" 2>&1 || true
}

dnsmasq_start() { # dnsmasq_start [OPTIONS]: the honest resolver
	local name args=()
	for name in "${NAMES[@]}"; do
		args+=("--host-record=$name,$S4,$S6")
	done
	resolver s "$S4,$S6" --local=/example/ "${args[@]}" "$@"
	await_port 53
}

resolver() { # resolver ROLE ADDRESS[,ADDRESS] OPTIONS: dnsmasq with nothing of this machine's own
	local role=$1 addresses=$2
	shift 2
	spawn "$role" dnsmasq.log dnsmasq --keep-in-foreground --no-hosts --no-resolv \
		--conf-file=/dev/null --user=root --group=root --listen-address="$addresses" --bind-interfaces \
		--log-facility=- --pid-file= "$@"
}

# fetch URL [curl's options]: names are pinned, so that captures hold no lookups unless a scenario
# wants them. Failing is what many of these do.
fetch() {
	local url=$1 name pin=()
	shift
	for name in "${NAMES[@]}"; do
		pin+=(--resolve "$name:443:${PIN:-$S4}" --resolve "$name:80:${PIN:-$S4}")
	done
	echo "== $url $*" >>"$WORK/client.log"
	nx c curl -q -sS -k --max-time "${GIVE_UP:-8}" "${pin[@]}" -o /dev/null -w '%{http_code}\n' "$@" \
		"$url" >>"$WORK/client.log" 2>&1 || true
}

peer() { # peer ROLE ACTION ARGUMENTS…: odd clients and servers, see peer.py
	local role=$1
	shift
	echo "== peer $*" >>"$WORK/client.log"
	nx "$role" timeout 90 /usr/bin/python3 "$LAB/peer.py" "$@" >>"$WORK/client.log" 2>&1 || true
}

peer_server() { # peer_server PORT BEHAVIOUR: in the background
	spawn s "peer-$1.log" /usr/bin/python3 "$LAB/peer.py" serve "$1" "$2"
	await_port "$1"
}

# Only what this scenario put in the background itself; captures and servers run on.
wait_children() {
	local pid
	for pid in $(jobs -rp); do
		[[ " ${PIDS[*]} " == *" $pid "* ]] || wait "$pid" || true
	done
}

# What a crash looks like from outside. The shell's own remark about it goes nowhere.
crash() { # crash PID
	kill -KILL "$1"
	wait "$1" 2>/dev/null || true
}
