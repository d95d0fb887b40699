# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2153
# L2TP and PPTP of xl2tpd, pptpd and pptp between the two ends: their control connections, and pppd.py in
# pppd's place for what they carry, since PPP needs the kernel. SSTP of sstppeer.py at both ends. Sourced by lab.sh.
# Server: L2TP on UDP 1701, PPTP on TCP 1723 with GRE, SSTP in TLS on TCP 4433 and in the clear on 8081, as behind
# what ends its TLS.

# dialup ROLE LOG COMMAND…: with a /run of its own, and pppd replaced for this command alone
dialup() {
	local role=$1 log=$2
	shift 2
	# shellcheck disable=SC2016 # expands inside
	spawn "$role" "$log" env WMLAB_ECHOES="${ECHOES:-}" bash -c 'mount -t tmpfs none /run &&
		mkdir /run/pptp && mount --bind "$1" /usr/sbin/pppd && shift && exec "$@"' - "$LAB/pppd.py" "$@"
}

# A secret, where there is one, is asked for by both ends.
l2tp_secret() { # l2tp_secret NAME
	[[ -z ${L2TP_SECRET:-} ]] || printf '* * %s\n' "$L2TP_SECRET" >"$WORK/$1.secrets"
	echo "challenge = $([[ -z ${L2TP_SECRET:-} ]] && echo no || echo yes)"
}

l2tp_server() {
	cat >"$WORK/l2tp-s.conf" <<-CONF
		[global]
		listen-addr = $S4
		force userspace = yes
		[lns default]
		ip range = 10.60.0.10 - 10.60.0.50
		local ip = 10.60.0.1
		$(l2tp_secret l2tp-s)
		length bit = yes
	CONF
	dialup s l2tp-s.log xl2tpd -D -c "$WORK/l2tp-s.conf" -s "$WORK/l2tp-s.secrets" -p "$WORK/l2tp-s.pid" \
		-C "$WORK/l2tp-s.control"
	TUNNEL_SERVERS+=("$SPAWNED")
	wait_for "$WORK/l2tp-s.log" 'Listening on IP'
}

# l2tp_client K ECHOES SECONDS: from port 17010+K; not there yet when it returns
l2tp_client() {
	local k=$1
	cat >"$WORK/l2tp-c$k.conf" <<-CONF
		[global]
		port = $((17010 + k))
		force userspace = yes
		[lac lab]
		lns = $S4
		autodial = yes
		$(l2tp_secret "l2tp-c$k")
		length bit = yes
	CONF
	ECHOES=$2:$3 dialup c "l2tp-c$k.log" xl2tpd -D -c "$WORK/l2tp-c$k.conf" -s "$WORK/l2tp-c$k.secrets" \
		-p "$WORK/l2tp-c$k.pid" -C "$WORK/l2tp-c$k.control"
}

pptp_server() { # pptp_server [ADDRESS]
	: >"$WORK/ppp.options"
	printf 'localip 10.61.0.1\nremoteip 10.61.0.10-50\n' >"$WORK/pptpd.conf"
	dialup s "pptpd-${1:-$S4}.log" pptpd -f -c "$WORK/pptpd.conf" -o "$WORK/ppp.options" \
		-p "$WORK/pptpd-${1:-$S4}.pid" -l "${1:-$S4}"
	TUNNEL_SERVERS+=("$SPAWNED")
	await_port 1723
}

# GRE has no ports: two hosts have one conversation of it, so that several take several servers.
SERVERS=("$S4" "$X4" "$Y4")
pptp_servers() {
	local at
	for at in "${SERVERS[@]}"; do
		pptp_server "$at"
	done
}

pptp_client() { # pptp_client K ECHOES SECONDS [ADDRESS]: in the background
	ECHOES=$2:$3 dialup c "pptp-c$1.log" pptp "${4:-$S4}" --nohostroute --nobuffer
}

sstp_server() {
	spawn s sstp-4433.log /usr/bin/python3 "$LAB/sstppeer.py" serve 4433 "$KEYS/cert.pem" "$KEYS/key.pem"
	TUNNEL_SERVERS+=("$SPAWNED")
	spawn s sstp-8081.log /usr/bin/python3 "$LAB/sstppeer.py" serve 8081
	TUNNEL_SERVERS+=("$SPAWNED")
	await_port 4433
	await_port 8081
}

sstp_call() { # sstp_call PORT ECHOES SECONDS [tls]
	nx c timeout 90 /usr/bin/python3 "$LAB/sstppeer.py" call "$S4" "$1" lab.example "$2" "$3" ${4:+"$4"} \
		>>"$WORK/client.log" 2>&1 || true
}
