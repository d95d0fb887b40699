# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2153
# Tor: a network of its own at the server, one directory authority and two relays that nobody outside needs,
# and a bridge that clients reach over obfs4 and over Tor's own TLS. Sourced by lab.sh.

TOR_ORPORT=7000 # the authority's; relays 7010 and 7020, the bridge 7030 (TLS), 9443 (obfs4)

# What all of them share; the timings are the least that a testing network may have (tor(1), TESTING NETWORK
# OPTIONS).
tor_common() { # tor_common NAME
	cat <<-CONF
		DataDirectory $WORK/$1
		TestingTorNetwork 1
		$TOR_AUTHORITY
		Log notice stdout
		AssumeReachable 1
		PathsNeededToBuildCircuits 0.5
		EnforceDistinctSubnets 0
	CONF
}

tor_node() { # tor_node ROLE NAME LINES: in the background
	(umask 077 && mkdir -p "$WORK/$2")
	{
		tor_common "$2"
		printf '%s\n' "$3"
	} >"$WORK/$2.torrc"
	spawn "$1" "$2.log" tor -f "$WORK/$2.torrc" --defaults-torrc "$WORK/empty.torrc"
}

# An exit would test its resolver after a minute or two, with queries that are no part of a scenario.
tor_relay() { # tor_relay NAME ORPORT LINES
	tor_node s "$1" "SocksPort 0
		Nickname $1
		Address $S4
		ORPort $2
		ServerDNSDetectHijacking 0
		$3"
}

tor_authority_keys() {
	local dir=$WORK/torauth mark
	(umask 077 && mkdir -p "$dir/keys")
	echo lab | tor-gencert --create-identity-key -m 1 -a "$S4:7001" --passphrase-fd 0 \
		-i "$dir/keys/authority_identity_key" -s "$dir/keys/authority_signing_key" \
		-c "$dir/keys/authority_certificate" >"$WORK/torauth-keys.log" 2>&1
	: >"$WORK/empty.torrc"
	mark=$(tor --list-fingerprint --quiet --orport 1 --datadirectory "$dir" --nickname torauth \
		-f "$WORK/empty.torrc" --defaults-torrc "$WORK/empty.torrc" --dirauthority "x 127.0.0.1:1 $(printf 'F%.0s' {1..40})" |
		cut -d' ' -f2- | tr -d ' ')
	TOR_AUTHORITY="DirAuthority torauth orport=$TOR_ORPORT no-v2 v3ident=$(awk '/^fingerprint/ {print $2}' \
		"$dir/keys/authority_certificate") $S4:7001 $mark"
}

tor_network() {
	local exit='ExitRelay 1
		ExitPolicyRejectPrivate 0
		ExitPolicy accept *:*'
	tor_authority_keys
	tor_relay torauth $TOR_ORPORT "DirPort 7001
		AuthoritativeDirectory 1
		V3AuthoritativeDirectory 1
		ContactInfo lab
		V3AuthVotingInterval 10
		V3AuthVoteDelay 2
		V3AuthDistDelay 2
		TestingV3AuthInitialVotingInterval 5
		TestingV3AuthInitialVoteDelay 2
		TestingV3AuthInitialDistDelay 2
		V3AuthNIntervalsValid 5
		TestingDirAuthVoteExit *
		TestingDirAuthVoteGuard *
		TestingDirAuthVoteHSDir *
		TestingMinExitFlagThreshold 0"
	tor_relay torrelay1 7010 "$exit"
	tor_relay torrelay2 7020 "$exit"
	tor_relay torbridge 7030 "BridgeRelay 1
		PublishServerDescriptor 0
		ServerTransportPlugin obfs4 exec /usr/bin/obfs4proxy
		ServerTransportListenAddr obfs4 $S4:9443
		ExtORPort auto"
	# shellcheck disable=SC2034 # a scenario ends it
	TOR_BRIDGE=$SPAWNED
	wait_long "$WORK/torbridge.log" 'Bootstrapped 100%'
	TOR_MARK=$(cut -d' ' -f2 "$WORK/torbridge/fingerprint")
	TOR_CERT=$(grep -o 'cert=[^ ]*' "$WORK/torbridge/pt_state/obfs4_bridgeline.txt")
}

wait_long() { # wait_long FILE PATTERN: as wait_for, for what takes longer
	local i
	for ((i = 0; i < 6; i++)); do
		wait_for "$1" "$2" 2>/dev/null && return 0
	done
	wait_for "$1" "$2"
}

# tor_client NAME LOCAL obfs4|tls: SOCKS on 127.0.0.1:LOCAL; not there yet when it returns
tor_client() {
	local bridge="$S4:7030 $TOR_MARK"
	[[ $3 == tls ]] || bridge="obfs4 $S4:9443 $TOR_MARK $TOR_CERT iat-mode=0"
	tor_node c "$1" "SocksPort $2
		UseBridges 1
		ClientTransportPlugin obfs4 exec /usr/bin/obfs4proxy
		ClientRejectInternalAddresses 0
		Bridge $bridge"
}

tor_up() { # tor_up NAME
	wait_long "$WORK/$1.log" 'Bootstrapped 100%'
}
