# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2153
# A box that holds all of its traffic to a rate, as plans and full links do: what it lets through is
# measured, and nobody is accused. A token bucket with next to no queue is a policer, with a long one a
# shaper (this kernel has no tc police). RATE is what it was set to, of whole frames; 0: to no rate of this
# connection's. tc's limit is of the bytes that wait for tokens: two frames are next to no queue.

# bulk NAME BYTES: a file of its own, so that scenarios can run side by side
bulk() {
	mkdir -p "$KEYS/www"
	head -c "$2" /dev/zero | tr '\0' r >"$KEYS/www/$1"
}

# held BURST QUEUE_BYTES SIZE SECONDS: everything towards the client
held() {
	nginx_start
	bulk "bulk-$RATE-$2" "$3"
	nx b tc qdisc add dev b0 root tbf rate "$RATE" burst "$1" limit "$2"
	capture_start
	GIVE_UP=$4 fetch "http://allowed.example/bulk-$RATE-$2"
}

scenario police-150k benign "all traffic policed to 150 kbit/s: a plan's limit, a measurement" SNAP=94 VANTAGES=client,server RATE=150000
police_150k() { held 8000 3100 600000 45; }

scenario police-1m benign "all traffic policed to 1 Mbit/s: a plan's limit, a measurement" SNAP=94 VANTAGES=client,server RATE=1000000
police_1m() { held 30000 3100 2400000 40; }

scenario police-8m benign "all traffic policed to 8 Mbit/s: a plan's limit, a measurement" SNAP=94 VANTAGES=client,server RATE=8000000
police_8m() { held 100000 3100 2600000 30; }

scenario shape-150k benign "all traffic shaped to 150 kbit/s" SNAP=94 VANTAGES=client,server RATE=150000
shape_150k() { held 4000 30000 600000 45; }

scenario shape-1m benign "all traffic shaped to 1 Mbit/s" SNAP=94 VANTAGES=client,server RATE=1000000
shape_1m() { held 8000 100000 1500000 40; }

scenario shape-8m benign "all traffic shaped to 8 Mbit/s" SNAP=66 VANTAGES=client,server RATE=8000000
shape_8m() { held 16000 200000 4600000 30; }

# congested RATE QUEUE_BYTES SIZE OTHERS_SIZE: other transfers that come and go and are not in the captures
congested() {
	nginx_start '' "server { listen 8080; root $KEYS/www; }"
	bulk "bulk-congested-$1" "$3"
	bulk "bulk-other-$1" "$4"
	nx b tc qdisc add dev b0 root tbf rate "$1" burst 4000 limit "$2"
	capture_start
	local _
	for _ in 1 2 3 4; do
		(
			for _ in 1 2 3 4 5 6; do
				sleep "0.$((RANDOM % 9))"
				fetch "http://$S4:8080/bulk-other-$1"
			done
		) &
	done
	sleep 0.5
	GIVE_UP=60 fetch "http://allowed.example/bulk-congested-$1"
	wait_children
}

scenario congested-1m benign "a link of 1 Mbit/s with a short queue, shared with transfers that come and go: neither policed nor shaped" SNAP=94 VANTAGES=client,server RATE=0 FILTER=not:port:8080
congested_1m() { congested 1mbit 15000 700000 40000; }

scenario congested-8m benign "a link of 8 Mbit/s with a short queue, shared with transfers that come and go: neither policed nor shaped" SNAP=94 VANTAGES=client,server RATE=0 FILTER=not:port:8080
congested_8m() { congested 8mbit 40000 2000000 250000; }
