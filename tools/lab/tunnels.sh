# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2153
# Tunnels of real programs between the two ends: OpenVPN, wireguard-go, OpenSSH, Shadowsocks, obfs4proxy.
# Sourced by lab.sh. What goes through them is pings (of 200 bytes: more than a keepalive) and fetches.

TUNNEL_SERVERS=() # pids, for scenarios that end them

# ── OpenVPN ───────────────────────────────────────────────────────────────────────────────────

# One key pair for both ends; each knows the other by its fingerprint.
openvpn_keys() {
	[[ ! -e $WORK/static.key ]] || return 0
	OVPN_PRINT=$(openssl x509 -in "$KEYS/cert.pem" -noout -fingerprint -sha256 | cut -d= -f2)
	(
		umask 077
		openvpn --genkey tls-crypt "$WORK/static.key"
		openvpn --genkey tls-crypt "$WORK/wrong.key"
	)
}

openvpn_end() { # openvpn_end ROLE LOG OPTIONS…
	local role=$1 log=$2
	shift 2
	spawn "$role" "$log" openvpn --dev-type tun --topology subnet --cert "$KEYS/cert.pem" \
		--key "$KEYS/key.pem" --peer-fingerprint "$OVPN_PRINT" --verb 3 --suppress-timestamps "$@"
}

openvpn_server() { # openvpn_server PORT udp|tcp NET crypt|auth: 10.NET.0.1
	local port=$1 proto=$2 net=$3
	openvpn_keys
	openvpn_end s "openvpn-$port.log" --dev "ovpn$net" --port "$port" --proto "${proto/tcp/tcp-server}" \
		--server "10.$net.0.0" 255.255.255.0 --dh none --duplicate-cn --keepalive 10 120 \
		"--tls-$4" "$WORK/static.key"
	TUNNEL_SERVERS+=("$SPAWNED")
	wait_for "$WORK/openvpn-$port.log" 'Initialization Sequence Completed'
}

openvpn_client() { # openvpn_client DEVICE PORT udp|tcp crypt|auth [OPTIONS]: in the background
	local dev=$1 port=$2 proto=$3 mode=$4
	shift 4
	openvpn_end c "openvpn-$dev.log" --dev "$dev" --client --nobind --remote "$S4" "$port" \
		--proto "${proto/tcp/tcp-client}" --route-noexec "--tls-$mode" "$WORK/${OVPN_KEY:-static}.key" "$@"
}

openvpn_up() { # openvpn_up DEVICE: until that client is through
	wait_for "$WORK/openvpn-$1.log" 'Initialization Sequence Completed'
}

openvpn_control() { # openvpn_control DEVICE PORT NET crypt|auth: a session that should come to no harm
	openvpn_client "$1" "$2" udp "$4"
	openvpn_up "$1"
	pings "$1" "10.$3.0.1" 5 0.3
}

openvpn_down() { # the client that was started last says goodbye
	kill -TERM "$SPAWNED"
	wait "$SPAWNED" || true
	sleep 0.6
}

# ── WireGuard ─────────────────────────────────────────────────────────────────────────────────

# wireguard-go's sockets are files that all namespaces share, so each device has a name of its own.
wg_device() { echo "wl${NS##*-}$1"; }

wg_keys() { # wg_keys NAME…
	local name
	for name in "$@"; do
		(umask 077 && wg genkey >"$WORK/$name.key")
		wg pubkey <"$WORK/$name.key" >"$WORK/$name.pub"
	done
}

wg_end() { # wg_end ROLE DEVICE ADDRESS KEY [OPTIONS OF wg set]
	local role=$1 dev=$2 address=$3 key=$4 i
	shift 4
	spawn "$role" "$dev.log" wireguard-go -f "$dev"
	for ((i = 0; i < 100; i++)); do
		[[ ! -S /run/wireguard/$dev.sock ]] || break
		sleep 0.05
	done
	nx "$role" wg set "$dev" private-key "$WORK/$key.key" "$@"
	nx "$role" ip addr add "$address" dev "$dev"
	nx "$role" ip link set "$dev" up
}

wg_server() { # wg_server PORT NET CLIENTS: 10.NET.0.1, clients 1 to CLIENTS
	local net=$2 k peers=()
	for ((k = 1; k <= $3; k++)); do
		wg_keys "c$net-$k"
		peers+=(peer "$(<"$WORK/c$net-$k.pub")" allowed-ips "10.$net.0.1$k/32")
	done
	wg_keys "s$net"
	wg_end s "$(wg_device "s$net")" "10.$net.0.1/24" "s$net" listen-port "$1" "${peers[@]}"
	TUNNEL_SERVERS+=("$SPAWNED")
}

wg_client() { # wg_client PORT NET CLIENT [PUBLIC KEY OF THE SERVER]
	wg_end c "$(wg_device "c$2-$3")" "10.$2.0.1$3/24" "c$2-$3" \
		peer "${4:-$(<"$WORK/s$2.pub")}" endpoint "$S4:$1" allowed-ips "10.$2.0.0/24"
}

wg_control() { # wg_control PORT NET: a session that should come to no harm
	wg_client "$1" "$2" 1
	wg_pings "$2" 1 5 0.3
}

# ── what goes through ─────────────────────────────────────────────────────────────────────────

pings() { # pings DEVICE ADDRESS COUNT SECONDS BETWEEN THEM
	nx c ping -n -I "$1" -s 200 -i "$4" -c "$3" -W 1 "$2" >>"$WORK/client.log" 2>&1 || true
}

wg_pings() { # wg_pings NET CLIENT COUNT SECONDS
	pings "$(wg_device "c$1-$2")" "10.$1.0.1" "$3" "$4"
}

# ── Shadowsocks ───────────────────────────────────────────────────────────────────────────────

shadowsocks_server() { # shadowsocks_server PORT
	spawn s "ss-$1.log" ss-server -s "$S4" -p "$1" -k lab -m aes-256-gcm -t 60
	TUNNEL_SERVERS+=("$SPAWNED")
	await_port "$1"
}

shadowsocks_client() { # shadowsocks_client PORT LOCAL [PASSWORD]: SOCKS on 127.0.0.1:LOCAL
	spawn c "ss-client-$2.log" ss-local -s "$S4" -p "$1" -b 127.0.0.1 -l "$2" -k "${3:-lab}" \
		-m aes-256-gcm -t 60
	await_port "$2" c
}

socks_fetch() { # socks_fetch LOCAL URL [curl's options]: through a proxy of the client's
	local port=$1
	shift
	fetch "$@" --socks5 "127.0.0.1:$port"
}

# ── OpenSSH ───────────────────────────────────────────────────────────────────────────────────

ssh_tunnel() { # ssh_tunnel LOCAL [OPTIONS]: SOCKS on 127.0.0.1:LOCAL; not there yet when it returns
	local port=$1
	shift
	spawn c "ssh-$port.log" ssh -F /dev/null -N -D "127.0.0.1:$port" -i "$KEYS/ssh_user" \
		-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=12 \
		-o BatchMode=yes "$@" "root@$S4"
}

# ── obfs4 ─────────────────────────────────────────────────────────────────────────────────────

# Without Tor: the two ends speak what Tor and its transports do (pluggable-transport specification,
# sections 3.2 and 3.5), and what comes out at the far end is a web server.
obfs4_server() { # obfs4_server PORT
	mkdir -p "$WORK/obfs4-s"
	# The transport ends when its standard input does.
	spawn s obfs4-s.log env TOR_PT_MANAGED_TRANSPORT_VER=1 TOR_PT_STATE_LOCATION="$WORK/obfs4-s" \
		TOR_PT_SERVER_TRANSPORTS=obfs4 TOR_PT_SERVER_BINDADDR="obfs4-$S4:$1" \
		TOR_PT_ORPORT="$S4:80" obfs4proxy
	TUNNEL_SERVERS+=("$SPAWNED")
	wait_for "$WORK/obfs4-s.log" 'SMETHODS DONE'
	OBFS4_CERT=$(grep -o 'cert=[^,]*' "$WORK/obfs4-s.log")
}

obfs4_client() { # OBFS4_SOCKS is where it listens
	mkdir -p "$WORK/obfs4-c"
	spawn c obfs4-c.log env TOR_PT_MANAGED_TRANSPORT_VER=1 TOR_PT_STATE_LOCATION="$WORK/obfs4-c" \
		TOR_PT_CLIENT_TRANSPORTS=obfs4 obfs4proxy
	wait_for "$WORK/obfs4-c.log" 'CMETHODS DONE'
	OBFS4_SOCKS=$(grep -o '127.0.0.1:[0-9]*' "$WORK/obfs4-c.log")
}

obfs4_fetch() { # obfs4_fetch PORT PATH [curl's options]: the bridge's arguments are SOCKS's user and password
	local port=$1 path=$2
	shift 2
	fetch "http://$S4:$port$path" --socks5 "$OBFS4_SOCKS" --proxy-user "$OBFS4_CERT;:iat-mode=0" "$@"
}
