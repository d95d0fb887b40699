/* SPDX-License-Identifier: BSD-3-Clause */

/* What is found in DNS, each after its innocent look-alikes. */

#include "classifiers/tamper/sig_dns.c"

#include "classifiers/device/mbx.h"
#include "tests/unit/dns_build.h"

#define LINES(...) (const char *const[]){__VA_ARGS__, NULL}
#define NOTHING (const char *const[]){NULL}
#define USUAL "0 * 12 usual.net"   /* frames 1 to 24 */
#define Q "5000 > www.site.org A opt"
#define GENUINE "5040 < www.site.org A 93.184.216.34 opt"
/* A home's resolver, so many routers away, and a second answer with a TTL that none has had. */
#define INSIDE(ttl) LINES("0 * 12 usual.net resolver server=1 ttl=" ttl,                          \
	"5000 > www.site.org A opt resolver server=1 ttl=64",                                     \
	"5001 < www.site.org A 93.184.216.34 opt resolver server=1 ttl=" ttl,                     \
	"5013 < www.site.org A 93.46.8.90 resolver server=1 ttl=64 df=1")

struct dns_case {
	const char *name;
	const char *const *lines;
	const char *const *finds; /* "ID VERDICT: FRAMES… [?]", ? not told apart; all there are */
	bool only4;               /* about IP-ID or DF */
	const char *const *mbx;   /* of the first finding's injectors; over IPv4 */
};

static const struct dns_case cases[] = {
	/* One query may bring several answers. */
	{"one answer", LINES(USUAL, Q, GENUINE), NOTHING, false},
	{"the same answer twice", LINES(Q, GENUINE, "5060 < www.site.org A 93.184.216.34 opt"),
	 NOTHING, false},
	{"the same addresses in another order",
	 LINES(Q, "5040 < www.site.org A 93.184.216.34,93.184.216.35 opt",
	       "5050 < www.site.org A 93.184.216.35,93.184.216.34 opt rrttl=59"), NOTHING, false},
	{"asked twice, answered twice with other addresses",
	 LINES(Q, "6000 > www.site.org A opt", "6040 < www.site.org A 93.184.216.34 opt",
	       "6041 < www.site.org A 93.184.216.77 opt"), NOTHING, false},
	{"asked twice, answered twice by two servers of one address",
	 LINES(Q, "6000 > www.site.org A opt", "6040 < www.site.org A 93.184.216.34 opt",
	       "6041 < www.site.org A 93.184.216.77 opt ttl=50"), NOTHING, false},
	{"two queries of one id", LINES(Q, "5001 > ftp.site.org A opt", GENUINE,
	       "5041 < ftp.site.org A 93.184.216.35 opt"), NOTHING, false},
	{"A and AAAA from one port", LINES(Q, "5001 > www.site.org AAAA opt", GENUINE,
	       "5041 < www.site.org AAAA 2606:2800:21f::1 opt"), NOTHING, false},
	{"another answer after the window", LINES(Q, GENUINE,
	       "10500 < www.site.org A 93.184.216.77 opt ttl=90"), NOTHING, false},
	{"a mirror port's second copy", LINES(Q, "5000.2 = 1", GENUINE, "5040.3 = 3"), NOTHING, false},
	{"cut short for UDP, then whole", LINES(Q, "5040 < www.site.org A - opt flags=0x8380",
	       "5041 < www.site.org A 93.184.216.34 opt"), NOTHING, false},
	{"cut by the capture", LINES(Q, "5040 < www.site.org A 93.184.216.34 ttl=99 cut=70",
	       "5041 < www.site.org A 93.184.216.35 cut=70"), NOTHING, false},
	{"multicast DNS", LINES("0 > host.local A udp=5353", "1 < host.local A 10.0.0.1 udp=5353",
	       "2 < host.local A 10.0.0.2 udp=5353 ttl=200"), NOTHING, false},
	{"the network doubled the query", LINES(USUAL, Q, GENUINE,
	       "5041 < www.site.org A 93.184.216.77 opt"), LINES("dns-race anomaly: 26 27 ?"), false},

	{"doubled, and the other went to another site", LINES(USUAL, Q, GENUINE,
	       "5050 < www.site.org A 93.184.216.77 opt ttl=46"),
	 LINES("dns-race anomaly: 27"), false},
	{"doubled, to a second program", LINES(Q, GENUINE,
	       "5041 < www.site.org A 93.184.216.77 opt flags=0x8580"),
	 LINES("dns-race anomaly: 2 3 ?"), false},
	{"between two sites that the server is known to have", LINES(USUAL,
	       "2000 * 4 known.net ttl=46", Q, GENUINE,
	       "5050 < www.site.org A 93.184.216.77 opt ttl=46 df=1"),
	 LINES("dns-race anomaly: 34 35 ?"), false},
	{"in a network that doubles", LINES("0 > a.org A opt txid=1",
	       "1 < a.org A 93.184.216.1 opt txid=1", "2 < a.org A 93.184.216.1 opt txid=1",
	       "10 > b.org A opt txid=2", "11 < b.org A 93.184.216.2 opt txid=2",
	       "13 < b.org A 93.184.216.2 opt txid=2", "20 > c.org A opt txid=3",
	       "21 < c.org A 93.184.216.3 opt txid=3", "23 < c.org A 93.184.216.3 opt txid=3", Q,
	       GENUINE, "5050 < www.site.org A 93.184.216.77 ttl=46"),
	 LINES("dns-race anomaly: 12"), false},
	{"twice doubled, as three sites answer", LINES(Q, "5000.2 = 1", GENUINE,
	       "5050 < www.site.org A 93.184.216.77 opt ttl=46",
	       "5060 < www.site.org A 93.184.216.78 opt ttl=48"),
	 LINES("dns-race anomaly: 3 4 5 ?"), false},
	{"farther, and with names written out", LINES(USUAL, Q, GENUINE,
	       "5050 < www.site.org A 93.46.8.90 opt ttl=101 plain"),
	 LINES("dns-race confirmed: 27"), false},
	{"a forwarder on the client's link, which says what two others told it", INSIDE("64"),
	 LINES("dns-race anomaly: 27"), true},
	{"one behind a router, and another answer", INSIDE("63"), LINES("dns-race confirmed: 27"), true},
	{"another machine on the link", INSIDE("128"), LINES("dns-race confirmed: 27"), true},
	{"with names written out, and nothing else", LINES(Q, GENUINE,
	       "5050 < www.site.org A 93.184.216.77 opt plain"),
	 LINES("dns-race anomaly: 2 3 ?"), false},
	{"farther, and stamped otherwise", LINES(USUAL, Q, GENUINE,
	       "5050 < www.site.org A 93.46.8.90 opt ttl=101 df=1"),
	 LINES("dns-race confirmed: 27"), true},
	{"denied, and from another distance", LINES(USUAL, Q,
	       "5010 < www.site.org A - rcode=3 ttl=101 opt", GENUINE),
	 LINES("dns-race confirmed: 26"), false},
	{"three answers to one question", LINES(USUAL, Q, GENUINE,
	       "5050 < www.site.org A 93.46.8.90 opt ttl=101",
	       "5051 < www.site.org A 93.46.8.91 opt ttl=101"),
	 LINES("dns-race confirmed: 27 28"), false},
	{"raced, the forged one first", LINES(USUAL, Q, "5010 < www.site.org A 93.46.8.90 ttl=101",
	       GENUINE), LINES("dns-race confirmed: 26"), false},
	{"raced, the forged one last", LINES(USUAL, Q, GENUINE,
	       "5050 < www.site.org A 93.46.8.90 ttl=101"), LINES("dns-race confirmed: 27"), false},
	{"three injectors and the server", LINES(USUAL, Q,
	       "5010 < www.site.org A 93.46.8.90 ttl=101 flags=0x8580",
	       "5011 < www.site.org A 93.46.8.91 ttl=88",
	       "5012 < www.site.org A 93.46.8.92 ttl=47 flags=0x8400",
	       GENUINE), LINES("dns-race confirmed: 26 27 28"), false,
	 LINES("mbx1_dns8580x1_128_+_0_-_-_-_1p", "mbx1_dns8180x1_128_+_0_-_-_-_1p",
	       "mbx1_dns8400x1_64_+_0_-_-_-_1p")},
	{"one injector, four times, its own IP-ID", LINES(USUAL, Q,
	       "5010 < www.site.org A 93.46.8.90 ttl=250 ipid=5 plain",
	       "5011 < www.site.org A 93.46.8.91 ttl=250 ipid=5 plain",
	       "5012 < www.site.org A 93.46.8.92 ttl=249 ipid=5 plain",
	       "5013 < www.site.org A 93.46.8.90,93.46.8.91 ttl=250 ipid=0 df=1 opt flags=0x8100",
	       GENUINE), LINES("dns-race confirmed: 26 27 28 29"), false,
	 LINES("mbx1_dns8180x3_255_c0005_0_-_-_-_1n", "mbx1_dns8100x1_255_0_1_-_-_-_2pe")},
	{"three injectors alone", LINES(USUAL, Q,
	       "5010 < www.site.org A 93.46.8.90 ttl=101 flags=0x8580",
	       "5011 < www.site.org A 93.46.8.91 ttl=88 opt flags=0x8400",
	       "5012 < www.site.org A 93.46.8.92 ttl=47"), LINES("dns-race confirmed: 26 27 28"), false},
	{"nothing to hold two answers against",
	 LINES(Q, "5010 < www.site.org A 93.46.8.90 opt ttl=101 flags=0x8580", GENUINE),
	 LINES("dns-race confirmed: 2 3 ?"), false},
	{"without EDNS, before the one that has it", LINES(Q,
	       "5010 < www.site.org A 93.46.8.90 ttl=101",
	       "5011 < www.site.org A 93.46.8.91 ttl=88", GENUINE),
	 LINES("dns-race confirmed: 2 3"), false},
	{"without EDNS, behind the one that has it", LINES(Q, GENUINE,
	       "5050 < www.site.org A 93.46.8.90 ttl=101"), LINES("dns-race confirmed: 2 3 ?"), false},
	{"without EDNS, of a query that asks for none", LINES("5000 > www.site.org A",
	       "5010 < www.site.org A 93.46.8.90 ttl=101 flags=0x8580", GENUINE),
	 LINES("dns-race confirmed: 2 3 ?"), false},
	{"of a server without EDNS", LINES("0 > k.net A opt txid=7",
	       "40 < k.net A 93.184.216.7 txid=7", Q,
	       "5010 < www.site.org A 93.184.216.34 ttl=57",
	       "5050 < www.site.org A 93.46.8.90 opt ttl=101"), LINES("dns-race confirmed: 4 5 ?"), false},
	{"cut by the capture behind the answers", LINES(Q,
	       "5010 < www.site.org A 93.46.8.90 ttl=101 flags=0x8580",
	       "5040 < www.site.org A 93.184.216.34 opt cut=95"), LINES("dns-race confirmed: 2 3 ?"), true},
	{"cut by the capture, and alike as far as it goes", LINES(Q,
	       "5010 < www.site.org A 93.46.8.90",
	       "5040 < www.site.org A 93.184.216.34 opt cut=95"), LINES("dns-race anomaly: 2 3 ?"), true},
	{"cut by the capture between the answers", LINES(Q,
	       "5010 < www.site.org A 93.184.216.34,93.184.216.35 ttl=101 flags=0x8580",
	       "5040 < www.site.org A 93.184.216.34,93.184.216.35 opt cut=95"), NOTHING, true},
	{"a bogus address tells", LINES(Q, "5010 < www.site.org A 10.1.2.3 opt", GENUINE),
	 LINES("dns-bogus-address likely: 2"), false},
	{"asked twice, forged twice, answered twice", LINES(USUAL, Q,
	       "5010 < www.site.org A 93.46.8.90 ttl=101",
	       "5020 > www.site.org A opt", "5030 < www.site.org A 93.46.8.90 ttl=101", GENUINE,
	       "5060 < www.site.org A 93.184.216.34 opt"), LINES("dns-race confirmed: 26 28"), false},
	{"both copies of a forged answer", LINES(USUAL, Q,
	       "5010 < www.site.org A 93.46.8.90 ttl=101",
	       "5010.1 = 26", GENUINE), LINES("dns-race confirmed: 26 27"), false},
	{"stamped alike, behind a mirror port", LINES(Q, "5000.2 = 1",
	       "5010 < www.site.org A 93.46.8.90 opt", "5010.3 = 3", GENUINE, "5040.1 = 5"),
	 LINES("dns-race anomaly: 3 4 5 6 ?"), false},
	{"answers without their query", LINES("0 * 12 usual.net",
	       "5010 < www.site.org A 10.1.2.3 ttl=101", GENUINE),
	 LINES("dns-bogus-address likely: 25"), false},
	/* The second try's IP-ID is the first answer's, whose server counts on to its next. */
	{"the query's IP-ID, where the server's counter stands", LINES(USUAL,
	       "5000 > www.site.org A opt ipid=0x4241", "5030 > www.site.org A opt ipid=0x4242",
	       "5040 < www.site.org A 93.184.216.34 opt ipid=0x4242",
	       "5070 < www.site.org A 93.184.216.77 opt ipid=0x4243"), NOTHING, true},
	{"the query's IP-ID", LINES(USUAL, "5000 > www.site.org A opt ipid=0x4242",
	       "5010 < www.site.org A 93.46.8.90 opt ipid=0x4242", GENUINE),
	 LINES("dns-race confirmed: 26"), true, LINES("mbx1_dns8180x1_64_mir_0_-_-_-_1pe")},
	{"denied first", LINES(USUAL, Q, "5010 < www.site.org A - rcode=3 ttl=101", GENUINE),
	 LINES("dns-race confirmed: 26"), false},
	{"letters of another case", LINES(USUAL, "5000 > wWw.sItE.org A opt",
	       "5010 < www.site.org A 93.46.8.90 ttl=101",
	       "5040 < wWw.sItE.org A 93.184.216.34 opt"),
	 LINES("dns-race confirmed: 26"), false},

	/* Addresses. */
	{"split horizon", LINES("0 > intra.site.org A resolver server=1",
	       "1 < intra.site.org A 10.1.2.3 resolver server=1"), NOTHING, false},
	{"a name of the network's own", LINES("0 > printer.lan A", "1 < printer.lan A 10.1.2.3"),
	 NOTHING, false},
	{"a DNS list", LINES("0 > 4.3.2.1.zen.list.org A", "1 < 4.3.2.1.zen.list.org A 127.0.0.1",
	       "2 > a.b.zen.org A txid=2", "3 < a.b.zen.org A 127.0.0.4 txid=2"), NOTHING, false},
	{"a family's filter", LINES("0 > ads.site.org A", "1 < ads.site.org A 0.0.0.0"), NOTHING,
	 false},
	{"a router's filter", LINES("0 > ads.site.org A resolver server=1",
	       "1 < ads.site.org A 127.0.0.1 resolver server=1"), NOTHING, false},
	{"a name that says its address", LINES("0 > 10-1-2-3.abc.direct.net A",
	       "1 < 10-1-2-3.abc.direct.net A 10.1.2.3"), NOTHING, false},
	{"a captive portal", LINES("0 > a.org A txid=1", "1 < a.org A 10.1.2.3 txid=1",
	       "2 > b.org A txid=2", "3 < b.org A 10.1.2.3 txid=2", "4 > c.org A txid=3",
	       "5 < c.org A 10.1.2.3 txid=3", "60000 * 12 usual.net"), NOTHING, false},
	{"a hotspot, by the name that finds it", LINES(USUAL,
	       "60000 > captive.apple.com A txid=1", "60001 < captive.apple.com A 10.1.2.3 txid=1 ttl=64",
	       "60002 > a.org A txid=2", "60003 < a.org A 10.1.2.3 txid=2 ttl=64"), NOTHING, false},
	{"a server's own filter, by another program", LINES(USUAL, Q,
	       "5001 < www.site.org A 127.0.0.1"), LINES("dns-bogus-address anomaly: 26"), false},
	{"a filter at a site that others know", LINES(USUAL, "2000 * 4 known.net ttl=46", Q,
	       "5001 < www.site.org A 10.1.2.3 opt ttl=46"),
	 LINES("dns-bogus-address anomaly: 34"), false},
	{"a portal's address, raced by the server's", LINES("0 > a.org A txid=1",
	       "1 < a.org A 10.1.2.3 txid=1", "2 < a.org A 93.184.216.1 txid=1",
	       "10 > b.org A txid=2", "11 < b.org A 10.1.2.3 txid=2",
	       "12 < b.org A 93.184.216.2 txid=2", "20 > c.org A txid=3",
	       "21 < c.org A 10.1.2.3 txid=3", "22 < c.org A 93.184.216.3 txid=3"),
	 LINES("dns-bogus-address likely: 2", "dns-bogus-address likely: 5",
	       "dns-bogus-address likely: 8"), false},
	{"a company's address of its own name", LINES("0 > www.instagram.com AAAA",
	       "1 < www.instagram.com AAAA 2a03:2880:f112:83:face:b00c:0:25de"), NOTHING, false},
	{"an alias of that company", LINES("0 > social.site.org AAAA",
	       "1 < social.site.org AAAA >c10r.facebook.com,2a03:2880:f112:83:face:b00c:0:25de"),
	 NOTHING, false},
	{"public addresses among private ones", LINES("0 > multi.site.org A",
	       "1 < multi.site.org A 10.1.2.3,93.184.216.34"), NOTHING, false},
	{"a home's router at a public address", LINES("0 * 12 usual.net near ttl=64",
	       "5000 > router.site.org A opt near",
	       "5001 < router.site.org A 192.168.1.1 flags=0x8580 ttl=64 near"), NOTHING, false},
	{"a home's router, of which no more is known", LINES("0 > router.site.org A opt near",
	       "1 < router.site.org A 192.168.1.1 near ttl=64"), NOTHING, false},
	{"behind a router, for all their like addresses", LINES("0 > www.site.org A opt near",
	       "1 < www.site.org A 10.1.2.3 near ttl=57"),
	 LINES("dns-bogus-address anomaly: 2"), false},
	{"a campus's own name", LINES(USUAL, Q, "5001 < www.site.org A 10.1.2.3 flags=0x8580"),
	 LINES("dns-bogus-address anomaly: 26"), false},
	{"published by the name's owner", LINES("0 > intra.site.org A",
	       "1 < intra.site.org A 10.1.2.3"),
	 LINES("dns-bogus-address anomaly: 2"), false},
	{"the same, from another route", LINES(USUAL, Q,
	       "5041 < www.site.org A 10.1.2.3 opt ttl=60"),
	 LINES("dns-bogus-address anomaly: 26"), false},
	{"the loopback address", LINES("0 > www.site.org A", "1 < www.site.org A 127.0.0.1"),
	 LINES("dns-bogus-address anomaly: 2"), false},
	{"private, and not from the server", LINES(USUAL, Q,
	       "5010 < www.site.org A 10.1.2.3 ttl=62"),
	 LINES("dns-bogus-address likely: 26"), false},
	{"an address that nobody can have", LINES("0 > www.site.org AAAA",
	       "1 < www.site.org AAAA 2001::1f0d:5a21"), LINES("dns-bogus-address confirmed: 2"),
	       false},
	{"a company's address for another name", LINES("0 > www.site.org AAAA",
	       "1 < www.site.org AAAA 2a03:2880:f112:83:face:b00c:0:25de"),
	 LINES("dns-bogus-address anomaly: 2"), false},
	{"companies' own IPv4 addresses", LINES("0 > www.instagram.com A",
	       "1 < www.instagram.com A 157.240.1.174", "2 > T.Co A txid=2", "3 < T.Co A 104.244.42.5 txid=2",
	       "4 > www.dropbox.com A txid=3", "5 < www.dropbox.com A 162.125.1.18 txid=3"), NOTHING, false},
	{"an alias of one of them", LINES("0 > a.site.org A",
	       "1 < a.site.org A >x.facebook.com,157.240.1.35", "2 > b.other.org A txid=2",
	       "3 < b.other.org A >y.facebook.com,31.13.64.1 txid=2"), NOTHING, false},
	{"a company's name that nobody knows", LINES("0 > a.site.org A", "1 < a.site.org A 157.240.1.35",
	       "2 > b.site.org A txid=2", "3 < b.site.org A 31.13.64.1 txid=2"), NOTHING, false},
	{"behind its own edge", LINES("0 > a.site.org A", "1 < a.site.org A 157.241.0.1",
	       "2 > b.other.org A txid=2", "3 < b.other.org A 31.13.128.1 txid=2"), NOTHING, false},
	{"two names with companies' addresses", LINES("0 > www.site.org A", "1 < www.site.org A 157.240.1.35",
	       "2 > www.other.org A txid=2", "3 < www.other.org A 108.160.165.9 txid=2"),
	 LINES("dns-bogus-address anomaly: 2", "dns-bogus-address anomaly: 4"), false},
	{"one name, now with this one's and now with that one's", LINES("0 > www.site.org A",
	       "1 < www.site.org A 157.240.1.35", "9000 > www.site.org A txid=2",
	       "9001 < www.site.org A 199.59.149.1 txid=2"),
	 LINES("dns-bogus-address anomaly: 2", "dns-bogus-address anomaly: 4"), false},
	{"and the one that came late is the server's", LINES("0 > www.site.org A opt",
	       "10 < www.site.org A 157.240.1.35 ttl=101", "40 < www.site.org A 93.184.216.34 opt"),
	 LINES("dns-race confirmed: 2"), false},
	{"a real Teredo client", LINES("0 > t.site.org AAAA",
	       "1 < t.site.org AAAA 2001:0:4136:e378:8000:63bf:3fff:fdd2"), NOTHING, false},
	{"Iran's page", LINES("0 > www.site.org A",
	       "3 < www.site.org A 10.10.34.36 flags=0x81a0 ttl=187"),
	 LINES("dns-known-address likely: 2"), false},
	{"Iran's address inside a network", LINES("0 > www.site.org A resolver server=1",
	       "3 < www.site.org A 10.10.34.36 resolver server=1"),
	 LINES("dns-known-address anomaly: 2"), false},
	{"its neighbour", LINES("0 > www.site.org A", "3 < www.site.org A 10.10.34.37"),
	 LINES("dns-bogus-address anomaly: 2"), false},
	{"Turkmenistan's", LINES("0 > www.site.org A opt",
	       "3 < www.site.org A 127.0.0.1 ipid=30000 ttl=120 rrttl=300"),
	 LINES("dns-known-address likely: 2"), true},
	{"all of it but the TTL", LINES("0 > www.site.org A opt",
	       "3 < www.site.org A 127.0.0.1 ipid=30000 ttl=120 rrttl=301"),
	 LINES("dns-bogus-address anomaly: 2"), true},

	/* The server's habits. */
	{"a remembered answer", LINES(USUAL, Q, "5001 < www.site.org A 93.184.216.34 opt"), NOTHING,
	 false},
	{"another route", LINES(USUAL, Q, "5040 < www.site.org A 93.184.216.34 opt ttl=48"),
	       NOTHING,
	 false},
	{"an authority for some names", LINES(USUAL, Q,
	       "5040 < www.site.org A 93.184.216.34 opt flags=0x8580"), NOTHING, false},
	{"an authority without EDNS", LINES(USUAL, Q,
	       "5001 < www.site.org A 93.184.216.34 flags=0x8580"), NOTHING, false},
	{"a router's own names", LINES("0 * 12 usual.net resolver", "5000 > www.site.org A opt resolver",
	       "5001 < www.site.org A 192.168.1.1 flags=0x8580 resolver"), NOTHING, false},
	{"a router's own names, not said to be so", LINES("0 * 12 usual.net resolver",
	       "5000 > www.site.org A opt resolver", "5001 < www.site.org A 192.168.1.1 resolver"),
	 NOTHING, false},
	{"no authority, and no EDNS", LINES(USUAL, Q, "5001 < www.site.org A 93.184.216.34"),
	 LINES("dns-shape anomaly: 26"), false},
	{"an authority at another distance", LINES(USUAL, Q,
	       "5001 < www.site.org A 93.184.216.34 flags=0x8580 ttl=64"),
	 LINES("dns-early likely: 26"), false},
	{"another server of this private address", LINES("0 * 12 usual.net resolver",
	       "5000 > www.site.org A opt resolver",
	       "5001 < www.site.org A 93.184.216.34 opt ttl=64 resolver"), NOTHING, false},
	{"equal paths", LINES(USUAL, "2000 * 4 known.net ttl=60", Q,
	       "5001 < www.site.org A 93.184.216.34 opt ttl=60"), NOTHING, false},
	{"a path that one other answer took as well", LINES(USUAL,
	       "3000 > k.known.net A opt txid=7 port=40007",
	       "3045 < k.known.net A 93.184.216.7 opt ttl=53 txid=7 port=40007", Q,
	       "5008 < www.site.org A 93.184.216.34 opt ttl=53"), NOTHING, false},
	{"a nearer site, as two answers show", LINES(USUAL,
	       "5000 > www.site.org A", "5008 < www.site.org A 93.184.216.34 ttl=117 flags=0x8580",
	       "6000 > k.known.net A txid=7", "6008 < k.known.net A 93.184.216.7 ttl=117 txid=7"),
	 NOTHING, false},
	{"a nearer site, as a denial after a search shows", LINES(USUAL, Q,
	       "5008 < www.site.org A 93.184.216.34 opt ttl=49",
	       "6000 > k.known.net A opt txid=7",
	       "6045 < k.known.net A - rcode=3 opt ttl=50 txid=7"), NOTHING, false},
	{"a baseline of two routes", LINES("0 * 9 usual.net", "2000 * 3 known.net ttl=60", Q,
	       "5001 < www.site.org A 93.46.8.90 opt ttl=101"), NOTHING, false},
	{"one page for two names", LINES(USUAL, Q,
	       "5008 < www.site.org A 93.46.8.90 ttl=62", "6000 > k.known.net A opt txid=7",
	       "6008 < k.known.net A 93.46.8.90 ttl=62 txid=7"),
	 LINES("dns-early anomaly: 26", "dns-early anomaly: 28"), false},
	{"one page for two names, and no IPv6", LINES(USUAL, Q,
	       "5008 < www.site.org A 93.46.8.90 ttl=62", "6000 > www.site.org AAAA opt txid=7",
	       "6008 < www.site.org AAAA - ttl=62 txid=7"),
	 LINES("dns-early anomaly: 26"), false},
	{"a page for one name, nowhere for another", LINES(USUAL, Q,
	       "5008 < www.site.org A 93.46.8.90 opt ttl=62",
	       "6000 > k.known.net A opt txid=7", "6008 < k.known.net A 127.0.0.1 opt ttl=62 txid=7"),
	 LINES("dns-early anomaly: 26", "dns-bogus-address likely: 28"), false},
	{"a page for either family", LINES(USUAL, Q, "5008 < www.site.org A 93.46.8.90 opt ttl=62",
	       "6000 > www.site.org AAAA opt txid=7",
	       "6008 < www.site.org AAAA 2606:2800:bad::1 opt ttl=62 txid=7"),
	 LINES("dns-early anomaly: 26", "dns-early anomaly: 28"), false},
	{"a nearer site, as three kinds of answers show", LINES(USUAL, Q,
	       "5008 < www.site.org A 93.184.216.34 opt ttl=117",
	       "6000 > www.site.org AAAA opt txid=7", "6008 < www.site.org AAAA - opt ttl=117 txid=7",
	       "7000 > k.known.net A opt txid=8", "7008 < k.known.net A - rcode=3 opt ttl=117 txid=8"),
	 NOTHING, false},
	{"another site, of other words", LINES(USUAL, Q,
	       "5001 < www.site.org A 93.184.216.34 opt flags=0x8580 ttl=64"),
	 LINES("dns-early anomaly: 26"), false},
	{"too few to know", LINES("0 * 5 usual.net", Q, "5010 < www.site.org A 93.46.8.90 ttl=101"),
	 NOTHING, false},
	{"nearer and sooner", LINES(USUAL, Q, "5010 < www.site.org A 93.46.8.90 opt ttl=62"),
	 LINES("dns-early anomaly: 26"), false},
	{"nearer, sooner, and without EDNS", LINES(USUAL, Q, "5010 < www.site.org A 93.46.8.90 ttl=62"),
	 LINES("dns-early likely: 26"), false},
	{"nobody listens there, yet an answer", LINES("0 > a.site.org A", "40 ! 1",
	       "1000 > www.site.org A port=40001", "1010 < www.site.org A 93.46.8.90 port=40001"),
	 LINES("dns-nonresolver anomaly: 4"), false},
	{"a resolver that is started anew", LINES(USUAL, "4000 > a.site.org A port=40001", "4040 ! 25", Q,
	       "5040 < www.site.org A 93.46.8.90 opt"), NOTHING, false},

	/* The two transports. */
	{"alike over both", LINES("0 > www.site.org A", "40 < www.site.org A 93.184.216.34",
	       "1000 > www.site.org A tcp port=41000", "1040 < www.site.org A 93.184.216.34 tcp port=41000"),
	 NOTHING, false},
	{"another public address over TCP", LINES("0 > www.site.org A", "40 < www.site.org A 93.184.216.99",
	       "1000 > www.site.org A tcp port=41000", "1040 < www.site.org A 93.184.216.34 tcp port=41000"),
	 NOTHING, false},
	{"bogus over UDP only", LINES("0 > www.site.org A", "10 < www.site.org A 10.1.2.3",
	       "1000 > WWW.site.org A tcp port=41000", "1040 < WWW.site.org A 93.184.216.34 tcp port=41000"),
	 LINES("dns-udp-tcp confirmed: 2"), false},
	{"a server that is told otherwise in the meantime", LINES("1000 > WWW.site.org A tcp port=41000",
	       "1040 < WWW.site.org A 93.184.216.34 tcp port=41000", "700000 > www.site.org A",
	       "700010 < www.site.org A 10.1.2.3"),
	 LINES("dns-bogus-address anomaly: 4"), false},
	{"a hotspot, and TCP after the login",
	 LINES("0 > www.site.org A", "10 < www.site.org A 10.1.2.3", "60000 > www.site.org A tcp port=41000",
	       "60040 < www.site.org A 93.184.216.34 tcp port=41000"),
	 LINES("dns-bogus-address anomaly: 2"), false},
	{"a network's own server before and after a login",
	 LINES("0 > www.site.org A resolver", "10 < www.site.org A 10.1.2.3 resolver",
	       "9000 > www.site.org A tcp port=41000 resolver",
	       "9040 < www.site.org A 93.184.216.34 tcp port=41000 resolver"),
	 LINES("dns-udp-tcp anomaly: 2"), false},
};

static bool is_among(const char *text, const char *const *list)
{
	for (; *list != NULL; list++)
		if (strcmp(text, *list) == 0)
			return true;
	return false;
}

static void check_mbx(const struct finding *f, const char *const *mbx)
{
	for (unsigned i = 0; i < f->n_injectors; i++) {
		assert_non_null(mbx[i]);
		assert_string_equal(f->injectors[i].mbx, mbx[i]);
		assert_true(mbx_matches(mbx[i], mbx[i]));
	}
	assert_null(mbx[f->n_injectors]);
}

static void check_variant(const struct dns_case *c, bool ipv6)
{
	static struct dns_world w;
	unsigned n = 0, bad = 0;
	dns_world_run(&w, c->lines, ipv6);
	for (size_t i = 0; i < w.a->n_findings; i++) {
		const struct finding *f = w.a->findings[i];
		char text[160];
		int at = snprintf(text, sizeof(text), "%s %s:", f->id, verdict_name[f->verdict]);
		for (unsigned p = 0; p < f->n_packets; p++)
			at += snprintf(text + at, sizeof(text) - (size_t)at, " %u",
				       (unsigned)f->packets[p]);
		if (f->family != FAMILY_DNS_INJECTION)
			continue; /* the bare TCP connections are nobody's concern here */
		assert_non_null(f->dns);
		snprintf(text + at, sizeof(text) - (size_t)at, "%s",
			 f->dns->told_apart ? "" : " ?");
		assert_true(f->sentence[0] != '\0' && f->n_ladder != 0);
		assert_int_equal(f->trigger == TRIGGER_QNAME, f->trigger_packet != 0);
		/* Nothing is attributed where nobody knows whose the packets are. */
		assert_true(f->dns->told_apart ? f->n_injectors != 0 : f->n_injectors == 0);
		for (unsigned p = 0; p < f->n_ladder && !f->dns->told_apart; p++)
			assert_false(f->ladder[p].forged);
		n++;
		if (is_among(text, c->finds))
			continue;
		print_error("%s (%s): too much %s\n", c->name, ipv6 ? "IPv6" : "IPv4", text);
		for (unsigned r = 0; r < f->n_rows; r++)
			print_error("  D%d %s: %s\n", f->rows[r].grade, f->rows[r].kind,
				    f->rows[r].value);
		bad++;
	}
	if (c->mbx != NULL && !ipv6)
		check_mbx(w.a->findings[0], c->mbx);
	analysis_free(w.a);
	unsigned wanted = 0;
	while (c->finds[wanted] != NULL)
		wanted++;
	if (n != wanted)
		print_error("%s (%s): %u findings, not %u\n", c->name,
			    ipv6 ? "IPv6" : "IPv4", n, wanted);
	assert_int_equal(bad, 0);
	assert_int_equal(n, wanted);
}

static void check_case(void **state)
{
	const struct dns_case *c = *state;
	check_variant(c, false);
	if (!c->only4)
		check_variant(c, true);
}

/* A list's address is proof only where its filter is. */
static void countries(void **state)
{
	const struct dns_case here[] = {
		{"IR", LINES("0 > www.site.org A", "3 < www.site.org A 10.10.34.36"),
		 LINES("dns-known-address confirmed: 2"), true},
		{"TM", LINES("0 > www.site.org A", "3 < www.site.org A 10.10.34.36"),
		 LINES("dns-bogus-address anomaly: 2"), true},
		{"TM", LINES("0 > www.site.org A",
		       "3 < www.site.org A 127.0.0.1 ipid=30000 ttl=120 rrttl=300"),
		 LINES("dns-known-address confirmed: 2"), true},
	};
	(void)state;
	for (unsigned i = 0; i < sizeof(here) / sizeof(*here); i++) {
		dns_world_country = here[i].name;
		check_variant(&here[i], false);
	}
	dns_world_country = NULL;
}

/* Frames that lie in a capture in another order than that of time: a card of several queues, a clock set. */
static void out_of_order(void **state)
{
	const struct {
		const char *forged, *apart;
		bool reacted;
	} rows[] = {
		{"5050 < www.site.org A 93.46.8.90 ttl=101", ", 10.0 ms later ", true},
		{"5010 < www.site.org A 93.46.8.90 ttl=101", ", 30.0 ms earlier ", true},
		{"4990 < www.site.org A 93.46.8.90 ttl=101", ", 50.0 ms earlier ", false},
	};
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		static struct dns_world w;
		dns_world_run(&w, LINES(USUAL, Q, GENUINE, rows[i].forged), false);
		assert_int_equal(w.a->n_findings, 1);
		const struct finding *f = w.a->findings[0];
		unsigned said = 0;
		for (unsigned k = 0; k < f->n_rows; k++)
			said += strcmp(f->rows[k].kind, "dns-race") == 0 &&
				strstr(f->rows[k].value, rows[i].apart) != NULL;
		assert_int_equal(said, 1);
		assert_int_equal(f->packets[0], 27);
		assert_true(rows[i].reacted ? f->reaction_ms > 0 && f->reaction_ms < 1000
					    : f->reaction_ms == -1);
		analysis_free(w.a);
	}
}

static void every_signature_names_a_look_alike(void **state)
{
	(void)state;
	for (const struct signature *s = sig_dns; s->id != NULL; s++) {
		assert_true(s->benign != NULL && s->refs != NULL && s->summary != NULL);
		assert_int_equal(s->cause, CAUSE_DNS);
	}
}

int main(void)
{
	enum { N = sizeof(cases) / sizeof(*cases) };
	static struct CMUnitTest tests[N + 3];
	for (unsigned i = 0; i < N; i++)
		tests[i] = (struct CMUnitTest){.name = cases[i].name, .test_func = check_case,
					       .initial_state = (void *)(uintptr_t)&cases[i]};
	tests[N] = (struct CMUnitTest)cmocka_unit_test(every_signature_names_a_look_alike);
	tests[N + 1] = (struct CMUnitTest)cmocka_unit_test(countries);
	tests[N + 2] = (struct CMUnitTest)cmocka_unit_test(out_of_order);
	return _cmocka_run_group_tests("dns", tests, N + 3, NULL, NULL);
}
