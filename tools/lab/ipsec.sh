# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2153
# IPsec of strongSwan between the two ends. Sourced by lab.sh. ESP goes through charon itself (plugin
# kernel-libipsec: a TUN device, always in UDP, RFC 3948), since not every kernel has XFRM. The server is
# on the usual ports; each client is a charon of its own on ports of its own, session K between 10.5K.0.2
# and 10.5K.0.1.

# charon keeps its files where the build put them: give each one a /run of its own.
charon() { # charon ROLE NAME SETTINGS: in the background
	local role=$1 name=$2
	mkdir -p "$WORK/$name"
	cat >"$WORK/$name/strongswan.conf" <<-CONF
		charon {
			load = random nonce openssl kdf kernel-libipsec kernel-netlink socket-default vici updown
			plugins { vici { socket = unix://$WORK/$name/vici } }
			filelog { stderr { default = 1
				flush_line = yes } }
			$3
		}
	CONF
	# shellcheck disable=SC2016 # expands inside
	spawn "$role" "$name.log" env STRONGSWAN_CONF="$WORK/$name/strongswan.conf" \
		bash -c 'mount -t tmpfs none /run && exec /usr/lib/ipsec/charon'
	local i
	for ((i = 0; i < 200; i++)); do
		[[ ! -S $WORK/$name/vici ]] || return 0
		sleep 0.05
	done
	echo "lab: charon does not start" >&2
	cat "$WORK/$name.log" >&2
	return 1
}

# charon_load ROLE NAME CONNECTIONS SECRET
charon_load() {
	local conf=$WORK/$2/swanctl.conf what
	printf '%s\nsecrets { ike { secret = "%s" } }\n' "$3" "$4" >"$conf"
	for what in creds conns; do
		nx "$1" swanctl "--load-$what" --file "$conf" --uri "unix://$WORK/$2/vici" >>"$WORK/$2.log" 2>&1
	done
}

ipsec_server() { # ipsec_server SESSIONS
	local k conns=
	for ((k = 1; k <= $1; k++)); do
		nx s ip addr add "10.5$k.0.1/32" dev lo
		conns+="k$k { local { auth = psk
			id = lab }
			remote { auth = psk
			id = c$k }
			children { net { local_ts = 10.5$k.0.1/32
				remote_ts = 10.5$k.0.2/32 } } }
		"
	done
	charon s charon-s ''
	# shellcheck disable=SC2034 # scenarios end it
	TUNNEL_SERVERS+=("$SPAWNED")
	charon_load s charon-s "connections { $conns }" lab
}

# ipsec_client SESSION [PORT [SECRET]]: not there yet when it returns. PORT 4500 does without port 500. After
# DPD seconds without a packet it asks whether the server is there (RFC 7296, section 2.4); not told: never.
ipsec_client() {
	local k=$1 name=charon-c$1
	nx c ip addr add "10.5$k.0.2/32" dev lo
	charon c "$name" "port = 0
		port_nat_t = 0
		routing_table = 22$k
		routing_table_prio = 22$k"
	charon_load c "$name" "connections { k$k { remote_addrs = $S4
		remote_port = ${2:-500}
		dpd_delay = ${DPD:-0}
		local { auth = psk
		id = c$k }
		remote { auth = psk
		id = lab }
		children { net { local_ts = 10.5$k.0.2/32
			remote_ts = 10.5$k.0.1/32 } } } }" "${3:-lab}"
	nx c swanctl --initiate --child net --timeout -1 --uri "unix://$WORK/$name/vici" >>"$WORK/$name.log" 2>&1 || true
}

ipsec_up() { # ipsec_up SESSION: until its child is there
	wait_for "$WORK/charon-c$1.log" 'CHILD_SA net{1} established'
}

ipsec_pings() { # ipsec_pings SESSION COUNT SECONDS BETWEEN THEM
	pings "10.5$1.0.2" "10.5$1.0.1" "$2" "$3"
}
