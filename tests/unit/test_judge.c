/* SPDX-License-Identifier: BSD-3-Clause */

/* From packets to verdicts: the arithmetic and the worked rows of the catalogue's section 17. */

#include "classifiers/tamper/judge.c"

#include "tests/unit/judge_cases.h"

#define HALVES "40.2 > A 1 1 1448", "40.3 > PA 1449 1 352"
#define TLS(...) {.line = LINES(SHAKE, HELLO, __VA_ARGS__)}
#define BIG_TLS(...) {.line = LINES(SHAKE, HALVES, __VA_ARGS__), .hello = 1800}
#define WEB(...) {.line = LINES(SHAKE, "40.2 > PA 1 1 99", __VA_ARGS__), .speaks = SPEAKS_HTTP}
#define SSH(...) {.line = LINES(SHAKE, "40.2 > PA 1 1 16", __VA_ARGS__), .speaks = SPEAKS_SSH}
#define PAGE " text=HTTP/1.1 307 Temporary Redirect. Location: http://page.example/"
#define ANSWER "80 < A 1 518"
#define ODD " text=\1\2\3\4\5\6\7\10\11"
#define AGAIN3 "340 > PA 1 1 517", "940 > PA 1 1 517", "2140 > PA 1 1 517"

static const struct judge_case cases[] = {
	/* Worked rows */
	{.name = "China: R and three RST+ACKs at the server's own TTL, then the server itself",
	 .ev = TLS("45 < R 1 - id=0x1234", "45.1 < RA 1 518 id=0x4242", "45.2 = 6", "45.3 = 6",
		   "81 < PA 1 518 700"),
	 .finds = LINES("< data-after-rst confirmed 12.0: 5 6 7 8 after 4 post_psh"),
	 .finds6 = LINES("< data-after-rst confirmed 12.0: 5 6 7 8 after 4 post_psh")},
	{.name = "Iran: one RST+ACK, TTL 188 against 48, then a smaller acknowledgement",
	 .ev = BIG_TLS("45 < RA 1 1801 ttl=188", "81 < A 1 1449"),
	 .finds = LINES("< ack-regress confirmed 12.0: 6 after 4 post_psh")},
	{.name = "Iran: TTL 54, then a smaller acknowledgement",
	 .ev = BIG_TLS("45 < RA 1 1801 ttl=54", "81 < A 1 1449"),
	 .finds = LINES("< ack-regress confirmed 11.5: 6 after 4 post_psh")},
	{.name = "Iran: TTL 54 and nothing more of the server",
	 .ev = {.line = LINES("-900 > S 0 - flow=1", "-860 < SA 0 1 flow=1", SHAKE, HALVES,
			      "45 < RA 1 1801 ttl=54"), .hello = 1800},
	 .finds = LINES("< rst-sub-rtt likely 5.5: 8 after 6 post_psh")},
	{.name = "the same, where one SYN is all that the round trip is known by",
	 .ev = BIG_TLS("45 < RA 1 1801 ttl=54"),
	 .finds = LINES("< rst-sub-rtt anomaly 4.0: 6 after 4 post_psh")},
	{.name = "Russia: a hello sent eight times, nothing of it acknowledged",
	 .ev = TLS("340 > PA 1 1 517", "630 > PA 1 1 517", "1260 > PA 1 1 517", "2500 > PA 1 1 517",
		   "4900 > PA 1 1 517", "9700 > PA 1 1 517", "19300 > PA 1 1 517"),
	 .finds = LINES("> request-dropped anomaly 2.0: 4 5 6 7 8 9 10 11 after 4 post_psh")},
	{.name = "a NAT's RST for a connection that it forgot",
	 .ev = TLS(ANSWER, "81 < PA 1 518 700", "81.1 > A 518 701", "60000 > PA 518 701 64",
		   "60001 < RA 701 582 ttl=64 df=0 id=0"),
	 .finds = LINES("< rst-header anomaly 7.5: 9 after 4 later"),
	 .finds6 = LINES("< rst-sub-rtt anomaly 4.5: 9 after 4 later")},

	/* D1 counts 0.5, and all of them together 1.5 */
	{.name = "seven D1 facts are 1.5, and nothing of themselves",
	 .ev = SSH("80 < A 1 17", "81 < PA 1 17 16", "81.1 > A 17 17 win=99",
		   "90 > PA 17 17 40 win=99",
		   "135 < R 1500 57 ttl=41 win=99 mac=9 ts=5"),
	 .finds = SILENT},
	{.name = "with a D2 they are 3.5",
	 .ev = SSH("81 < R 2500 57 ttl=41 win=502 mac=9", "81.1 < R 2500 77 ttl=41 win=502 mac=9"),
	 .finds = LINES("< psh-rst-neq-rst anomaly 3.5: 5 6 after 0 post_psh")},

	{.name = "two D3 are never confirmed",
	 .ev = TLS(ANSWER, "125 < RA 1 518 ttl=60 df=0 id=0x1002"),
	 .finds = LINES("< rst-header likely 9.0: 6 after 4 post_psh"),
	 .finds6 = LINES("< reset-after-request anomaly 2.5: 6 after 4 post_psh")},
	{.name = "a D4 alone is 6, and confirmed",
	 .ev = WEB("80 < A 1 100", "81 < PA 1 100 700", "90 < PA 1 100 700 odd ttl=60"),
	 .finds = LINES("< bytes-differ confirmed 6.0: 7 after 4 later")},

	/* What is presence, what absence: a hole in the capture */
	{.name = "a hello sent four times", .ev = TLS(AGAIN3),
	 .finds = LINES("> request-dropped anomaly 2.0: 4 5 6 7 after 4 post_psh")},
	{.name = "a hello sent four times to a server that still waits",
	 .ev = TLS(AGAIN3, "2200 < A 1 1"),
	 .finds = LINES("> request-dropped anomaly 3.5: 4 5 6 7 after 4 post_psh")},
	{.name = "a part of the hello is lost, and so are packets of the capture",
	 .ev = BIG_TLS("80.3 < A 1 1449", "340 > PA 1449 1 352", "940 > PA 1449 1 352",
		       "2140 > PA 1449 1 352", "2300 > A 1801 999"),
	 .finds = LINES("> request-part-dropped inconclusive 3.5: 4 5 7 8 9 after 4 post_psh")},
	{.name = "reserved bits, though packets of the capture are lost",
	 .ev = TLS(ANSWER, "90 > A 518 999", "125 < RNx 1 -"),
	 .finds = LINES("< rst-reserved-bits confirmed 8.0: 7 after 4 post_psh")},

	{.name = "an answer that never came, and packets that were not captured",
	 .ev = TLS("80 < A 1 600", "3041 > A 517 1"),
	 .finds = LINES("> answer-missing inconclusive 2.0: 4 after 4 post_psh")},

	/* Caps */
	{.name = "a RST after a FIN, by one unlike the server",
	 .ev = TLS(ANSWER, "81 < PA 1 518 700", "82 < FA 701 518", "83 > A 518 702",
		   "125 < RA 702 518 ttl=60 df=0"),
	 .finds = LINES("< rst-header anomaly 4.0: 9 after 4 later"), .finds6 = SILENT},
	{.name = "a RST after a FIN", .ev = TLS(ANSWER, "81 < PA 1 518 700", "82 < FA 701 518",
						"83 > A 518 702", "125 < R 702 -"),
	 .finds = SILENT},
	{.name = "a RST to a client that had reset, by one unlike the server",
	 .ev = TLS(ANSWER, "81 < PA 1 518 700", "90 > RA 518 701", "125 < RA 701 518 ttl=60 df=0"),
	 .finds = LINES("< rst-header anomaly 4.0: 8 after 4 later"), .finds6 = SILENT},
	{.name = "after just 20 s of silence",
	 .ev = TLS(ANSWER, "81 < PA 1 518 700", "82 > A 518 701", "20082 < RA 701 518 ttl=60 df=0"
		   ODD),
	 .finds = LINES("< rst-header likely 7.5: 8 after 4 later"),
	 .finds6 = LINES("< rst-payload likely 4.5: 8 after 4 later")},
	{.name = "after more than 20 s of silence",
	 .ev = TLS(ANSWER, "81 < PA 1 518 700", "82 > A 518 701", "20083 < RA 701 518 ttl=60 df=0"
		   ODD),
	 .finds = LINES("< rst-header anomaly 7.5: 8 after 4 later"),
	 .finds6 = LINES("< rst-payload anomaly 4.5: 8 after 4 later")},
	{.name = "by one unlike the server, and nothing else of it is odd: a balancer may do it",
	 .ev = TLS(ANSWER, "81 < PA 1 518 700", "82 > A 518 701", "2000 < RA 701 518 ttl=60 df=0"),
	 .finds = LINES("< rst-header anomaly 4.0: 8 after 4 later"), .finds6 = SILENT},
	{.name = "a D4 after more than 20 s of silence",
	 .ev = TLS(ANSWER, "81 < PA 1 518 700", "82 > A 518 701", "30000 < RNx 701 -"),
	 .finds = LINES("< rst-reserved-bits confirmed 6.5: 8 after 4 later")},
	{.name = "a scanner's", .finds = SILENT,
	 .ev.line = LINES("0 > S 0 - id=54321", "40 < SA 0 1", "40.1 > A 1 1", HELLO, ANSWER,
			  "125 < RA 1 518 ttl=60 df=0"), .only4 = true},
	{.name = "the same, not a scanner's",
	 .ev.line = LINES("0 > S 0 - id=54322", "40 < SA 0 1", "40.1 > A 1 1", HELLO, ANSWER,
			  "125 < RA 1 518 ttl=60 df=0"), .only4 = true,
	 .finds = LINES("< rst-header likely 5.5: 6 after 4 post_psh")},
	{.name = "a scanner's D4",
	 .ev.line = LINES("0 > S 0 - id=54321", "40 < SA 0 1", "40.1 > A 1 1", HELLO, ANSWER,
			  "125 < RNx 1 -"), .only4 = true,
	 .finds = LINES("< rst-reserved-bits confirmed 8.0: 6 after 4 post_psh")},

	/* The endpoint whitelist */
	{.name = "a server that refuses the name", .ev = TLS(ANSWER, "81 < RA 1 518"),
	 .finds = LINES("< reset-after-request anomaly 2.0: 6 after 4 post_psh")},
	{.name = "a server that refuses what names nobody", .ev = SSH("80 < A 1 17",
								      "81 < RA 1 17"),
	 .finds = SILENT},
	{.name = "the same, TTL 6 off", .ev = SSH("80 < A 1 17", "81 < RA 1 17 ttl=54"),
	 .finds = SILENT},
	{.name = "several RSTs of a server that is gone", .finds = SILENT,
	 .ev = SSH("80 < PA 1 17 16", "81 > A 17 17", "82 > PA 17 17 9", "83 > PA 26 17 9",
		   "121 < R 17 - id=0", "122 < R 17 - id=0", "123 < R 17 - id=0")},
	{.name = "several RSTs, TTL 6 off: the server's own",
	 .ev = SSH("80 < A 1 17", "81 < R 1 - ttl=54 id=3", "82 < R 1 - ttl=54 id=4"),
	 .finds = SILENT},
	{.name = "several RSTs, TTL 7 off",
	 .ev = SSH("80 < A 1 17", "81 < R 1 - ttl=55 id=3", "82 < R 1 - ttl=55 id=4"),
	 .finds = LINES("< psh-rst-eq-rst anomaly 2.5: 6 7 after 0 post_psh"),
	 .finds6 = LINES("< psh-rst-eq-rst anomaly 3.0: 6 7 after 0 post_psh")},
	{.name = "several RSTs of somebody else, for a server that is there",
	 .ev = SSH("80 < A 1 17", "81 < R 1 - ttl=60 id=3", "82 < R 1 - ttl=60 id=4"),
	 .finds = LINES("< psh-rst-eq-rst anomaly 2.5: 6 7 after 0 post_psh"),
	 .finds6 = LINES("< psh-rst-eq-rst anomaly 3.0: 6 7 after 0 post_psh")},
	{.name = "a bare RST of RFC 9293's ABORT, soon after the answer's ACK", .finds = SILENT,
	 .ev = TLS(ANSWER, "81 < PA 1 518 700", "81.1 > A 518 701", "85 < R 701 -")},

	/* At the client its own resets and decoys are its own */
	{.name = "the client's abort", .ev = TLS("81 < PA 1 518 700", "82 > RA 518 701"),
	 .finds = SILENT},
	{.name = "the client's decoys: RSTs and other bytes with TTLs too low to arrive",
	 .ev = TLS("40.3 > R 518 - ttl=5", "40.4 > PA 1 1 517 odd ttl=5", "80 < A 1 518",
		   "81 > PA 518 1 64", "81.1 < PA 1 518 700", "121 < PA 701 582 64"),
	 .finds = SILENT},
	{.name = "the client's decoys: other bytes without timestamps", .finds = SILENT,
	 .ev = {.line = LINES(SHAKE, "40.15 > PA 1 1 20 odd plain", HELLO, "80 < PA 1 518 700")}},
	{.name = "a forged RST at the server, where the client goes on",
	 .ev = {.line = LINES("0 > S 0 -", "0.1 < SA 0 1", "40 > A 1 1", "40.1 > PA 1 1 517",
			      "41 < PA 1 518 1400", "45 > R 518 - ttl=50", "82 > PA 518 1401 64"),
		.client_ttl = 44, .server_ttl = 64},
	 .finds = LINES("> data-after-rst confirmed 8.5: 6 after 4 later")},

	/* One finding per flow and cause */
	{.name = "both sides are reset by one",
	 .ev = {.line = LINES("0 > S 0 -", "20 < SA 0 1", "40 > A 1 1", "40.1 > PA 1 1 517",
			      "42 < RA 1 518 ttl=99", "42 > R 518 - ttl=99 id=5",
			      "60 < PA 1 518 700",
			      "61 > A 518 1"), .vantage = VANTAGE_MIDDLE, .client_ttl = 55},
	 .finds = LINES("< data-after-rst confirmed 12.0: 5 after 4 post_psh")},
	{.name = "a page, then a RST, both forged: two findings",
	 .ev = WEB("45 < PA 1 100 200 plain ttl=99" PAGE, "46 < RA 201 100 ttl=99",
		   "81 < PA 1 100 700", "82 < PA 701 100 700"),
	 .finds = LINES("< data-after-rst confirmed 10.5: 6 after 4 later",
			"< missing-timestamps confirmed 14.0: 5 after 4 post_psh")},

	/* Other D4s, alone */
	{.name = "a SYN answered twice", .ev.line = LINES("0 > S 0 -", "20 < RA 7000 1",
							  "40 < SA 0 1"),
	 .finds = LINES("< synack-and-rst confirmed 8.5: 2 after 0 post_syn")},
	{.name = "a probe that died, answered",
	 .ev.line = LINES(SHAKE, "1000 > PA 1 1 517 ttl=9", "1015 ! 11/0 4",
			  "1016 < RA 1 518 ttl=60"),
	 .finds = LINES("< probe-reset confirmed 10.5: 6 after 4 post_psh"), .only4 = true},
	{.name = "a redirect without the timestamps that the server goes on to send",
	 .ev = WEB("80 < A 1 100", "81 < FA 1 100 150 plain" PAGE, "83 < A 1 100"),
	 .finds = LINES("< missing-timestamps confirmed 8.0: 6 after 4 post_psh")},
	{.name = "a greeting to somebody who asked before listening", .finds = SILENT,
	 .ev = WEB("80 < PA 1 1 20 text=220 mail ESMTP")},
	{.name = "data in the place of a FIN",
	 .ev = TLS(ANSWER, "81 < FA 1 518", "121 < PA 1 518 700"),
	 .finds = LINES("< data-after-fin anomaly 2.0: 6 after 4 post_psh")},
	{.name = "a hello refused by a router", .ev = TLS("60 ! 3/13 4"), .only4 = true,
	 .finds = LINES("> icmp-unreachable anomaly 2.5: 4 5 after 4 post_psh")},

	/* Silence */
	{.name = "an answer that never came", .ev = TLS("80 < A 1 518", "3041 > A 517 1"),
	 .finds = LINES("> answer-missing anomaly 2.0: 4 after 4 post_psh")},
	{.name = "a server that does not hear that its answer arrived",
	 .ev = TLS("80 < PA 1 518 700", "80.1 > A 518 701", "380 < PA 1 518 700",
		   "380.1 > A 518 701", "980 < PA 1 518 700", "980.1 > A 518 701",
		   "2180 < PA 1 518 700", "2180.1 > A 518 701"),
	 .finds = LINES("> acks-dropped anomaly 2.0: 6 8 10 12 after 4 later")},
	{.name = "three SYNs, while another connection works",
	 .ev.line = LINES("0 > S 0 -", "1000 > S 0 -", "3000 > S 0 -",
			  "4000 > S 0 - flow=1 server=2",
			  "4040 < SA 0 1 flow=1 server=2", "4041 > A 1 1 flow=1 server=2"),
	 .finds = LINES("> syn-unanswered inconclusive 0.5: 1 2 3 after 0 post_syn")},
	{.name = "three SYNs in a capture of one direction", .finds = SILENT,
	 .ev = {.line = LINES("0 > S 0 -", "1000 > S 0 -", "3000 > S 0 -"),
		.vantage = VANTAGE_ONE_SIDED}},
	{.name = "a connection that nobody used", .ev.line = LINES(SHAKE), .finds = SILENT},
	{.name = "an ordinary connection",
	 .ev = TLS(ANSWER, "81 < PA 1 518 1400", "81.1 > A 518 1401", "90 > PA 518 1401 64",
		   "131 < PA 1401 582 700", "132 > FA 582 2101", "172 < FA 2101 583",
		   "172.1 > A 583 2102"),
	 .finds = SILENT},
};

int main(void)
{
	return RUN_JUDGE_CASES(cases);
}
