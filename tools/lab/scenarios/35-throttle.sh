# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2153
# A box that holds all of its traffic to a rate, as plans and full links do: what it lets through is
# measured, and nobody is accused. A token bucket with next to no queue is a policer, with a long one a
# shaper (this kernel has no tc police).

# bulk NAME BYTES: a file of its own, so that scenarios can run side by side
bulk() {
	mkdir -p "$KEYS/www"
	head -c "$2" /dev/zero | tr '\0' r >"$KEYS/www/$1"
}

# held RATE BURST QUEUE_BYTES SIZE SECONDS: everything towards the client
held() {
	nginx_start
	bulk "bulk-$1-$3" "$4"
	nx b tc qdisc add dev b0 root tbf rate "$1" burst "$2" limit "$3"
	capture_start
	GIVE_UP=$5 fetch "http://allowed.example/bulk-$1-$3"
}

scenario police-150k benign "all traffic policed to 150 kbit/s: a plan's limit, a measurement" SNAP=100 VANTAGES=client,server
police_150k() { held 150kbit 8000 9600 600000 60; }

scenario police-1m benign "all traffic policed to 1 Mbit/s: a plan's limit, a measurement" SNAP=100 VANTAGES=client,server
police_1m() { held 1mbit 8000 9600 2000000 60; }

scenario police-8m benign "all traffic policed to 8 Mbit/s: a plan's limit, a measurement" SNAP=100 VANTAGES=client,server
police_8m() { held 8mbit 30000 31600 6000000 60; }

scenario shape-150k benign "all traffic shaped to 150 kbit/s" SNAP=100 VANTAGES=client,server
shape_150k() { held 150kbit 8000 60000 300000 60; }

scenario shape-1m benign "all traffic shaped to 1 Mbit/s" SNAP=100 VANTAGES=client,server
shape_1m() { held 1mbit 8000 100000 1500000 60; }

scenario shape-8m benign "all traffic shaped to 8 Mbit/s" SNAP=100 VANTAGES=client,server
shape_8m() { held 8mbit 16000 200000 6000000 60; }
