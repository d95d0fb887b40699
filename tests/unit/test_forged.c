/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The worked rows of test_judge.c, bent: what a forger does in a slightly other order, from
 * elsewhere on the path, or seen by a poorer capture, is still found.
 */

#include "classifiers/tamper/judge.c"

#include "tests/unit/judge_cases.h"

#define TLS(...) {.line = LINES(SHAKE, HELLO, __VA_ARGS__)}
#define CUT " cut=96"
#define OTHER                                                                                     \
	"-900 > S 0 - flow=1", "-860 < SA 0 1 flow=1", "-859 > A 1 1 flow=1",                     \
		"-858 > PA 1 1 517 flow=1", "-818 < PA 1 518 900 flow=1"

static const struct judge_case cases[] = {
	{.name = "China, three RST+ACKs only",
	 .finds = LINES("< data-after-rst confirmed 12.0: 5 6 7 after 4 post_psh"),
	 .ev = TLS("45 < RA 1 518 id=0x4242", "45.1 = 5", "45.2 = 5", "81 < PA 1 518 700")},
	{.name = "China, a capture of 96 bytes a packet",
	 .finds = LINES("< data-after-rst confirmed 11.5: 5 6 after 4 post_psh"),
	 .ev.line = LINES("0 > S 0 -" CUT, "40 < SA 0 1" CUT, "40.1 > A 1 1" CUT,
			  "40.2 > PA 1 1 517" CUT, "45 < R 1 - id=0x1234" CUT,
			  "45.1 < RA 1 518 id=0x4242" CUT, "81 < PA 1 518 700" CUT)},
	{.name = "China, only what the server sent",
	 .finds = LINES("< data-after-rst confirmed 6.5: 2 3 after 0 post_syn"),
	 .ev = {.line = LINES("40 < SA 0 1", "45 < R 1 - id=0x1234", "45.1 < RA 1 518 id=0x4242",
			      "81 < PA 1 518 700"), .vantage = VANTAGE_ONE_SIDED}},
	{.name = "China, without the handshake",
	 .finds = LINES("< data-after-rst likely 5.5: 2 3 after 1 post_psh"),
	 .ev.line = LINES(HELLO, "45 < R 1 - id=0x1234", "45.1 < RA 1 518 id=0x4242",
			  "81 < PA 1 518 700")},
	{.name = "China, the answer only acknowledges",
	 .finds = LINES("< late-genuine likely 9.0: 5 6 after 4 post_psh"),
	 .ev = TLS("45 < R 1 - id=0x1234", "45.1 < RA 1 518 id=0x4242", "80 < A 1 518")},
	{.name = "China, at base, +1460 and +4380",
	 .finds = LINES("< rst-seq-change confirmed 10.0: 5 6 7 after 4 post_psh"),
	 .ev = TLS("45 < RA 1 518 id=0x42", "45.1 < RA 1461 518 id=0x43",
		   "45.2 < RA 4381 518 id=0x44")},
	{.name = "the RST just before the genuine answer",
	 .finds = LINES("< data-after-rst confirmed 11.5: 5 after 4 post_psh"),
	 .finds6 = LINES("< data-after-rst confirmed 8.5: 5 after 4 post_psh"),
	 .ev = TLS("79 < RA 1 518 ttl=90 df=0 id=0", "80 < PA 1 518 700")},
	{.name = "the RST between two packets of the answer",
	 .finds = LINES("< data-after-rst confirmed 10.0: 6 after 4 later"),
	 .finds6 = LINES("< data-after-rst confirmed 7.0: 6 after 4 later"),
	 .ev = TLS("80 < PA 1 518 700", "80.5 < RA 701 518 ttl=90 df=0 id=3",
		   "105 < PA 701 518 1000")},
	{.name = "after the second request",
	 .finds = LINES("< data-after-rst confirmed 12.0: 8 after 4 later"),
	 .finds6 = LINES("< data-after-rst confirmed 9.0: 8 after 4 later"),
	 .ev = TLS("80 < PA 1 518 700", "80.1 > A 518 701", "90 > PA 518 701 200",
		   "94 < R 701 - ttl=90 df=0 id=3", "131 < PA 701 718 700")},
	{.name = "the client goes on, its kernel told to ignore RSTs",
	 .finds = LINES("< data-after-rst confirmed 12.0: 5 8 after 4 post_psh"),
	 .ev = TLS("45 < RA 1 518 ttl=90", "80 < PA 1 518 700", "81 > PA 518 701 64",
		   "85 < RA 701 582 ttl=90", "121 < PA 701 582 700")},
	{.name = "to the SYN+ACK's ACK, before any data",
	 .finds = LINES("< rst-header anomaly 4.0: 9 after 0 post_ack"), .finds6 = SILENT,
	 .ev.line = LINES(OTHER, SHAKE, "42 < RA 1 1 ttl=120 df=0", "80 < A 1 1")},
	{.name = "to the SYN, while the SYN+ACK comes", .raw_zero = true,
	 .finds = LINES("< synack-and-rst confirmed 9.0: 2 after 0 post_syn"),
	 .ev.line = LINES("0 > S 0 -", "5 < RA - 1 ttl=120", "40 < SA 0 1")},
	{.name = "to the SYN, with the number 1",
	 .finds = LINES("< synack-and-rst confirmed 9.0: 2 after 0 post_syn"),
	 .ev.line = LINES("0 > S 0 -", "5 < RA 70000 1 ttl=120", "40 < SA 0 1")},
	{.name = "a bare RST with number 0 to the SYN, while the SYN+ACK comes",
	 .finds = LINES("< synack-and-rst confirmed 7.0: 2 after 0 post_syn"),
	 .raw_zero = true,
	 .ev.line = LINES("0 > S 0 -", "5 < R - - ttl=120 id=30000 df=0", "40 < SA 0 1")},
	{.name = "a FIN in the server's name",
	 .finds = LINES("< data-after-fin confirmed 14.0: 5 after 4 post_psh"),
	 .ev = TLS("45 < FA 1 518 plain ttl=90", "80 < PA 1 518 700", "81 < PA 701 518 700")},
	{.name = "a FIN in the server's name, timestamps not negotiated",
	 .finds = LINES("< data-after-fin confirmed 8.0: 5 after 4 post_psh"),
	 .ev = {.line = LINES(SHAKE, HELLO, "45 < FA 1 518 ttl=90", "80 < PA 1 518 700",
			      "81 < PA 701 518 700"), .no_ts = true}},
	{.name = "at the server, in the client's name, both kinds",
	 .finds = LINES("> late-genuine likely 9.0: 5 6 after 4 post_psh"),
	 .finds6 = LINES("> late-genuine likely 6.0: 5 6 after 4 post_psh"),
	 .ev = {.line = LINES("0 > S 0 -", "0.1 < SA 0 1", "40 > A 1 1", "40.1 > PA 1 1 517",
			      "42 > R 518 - ttl=99 id=5", "42.1 > RA 518 1 ttl=99 id=6",
			      "43 < PA 1 518 700", "82 > A 518 701"),
		.client_ttl = 50, .server_ttl = 64}},
	{.name = "reserved bits over a handshake that was not captured",
	 .finds = LINES("< data-after-rst likely 5.5: 2 after 1 post_psh"),
	 .ev.line = LINES(HELLO, "45 < RNx 1 -", "80 < PA 1 518 700")},
	{.name = "a server that takes its time, and a bare RST while it does",
	 .finds = LINES("< data-after-rst confirmed 8.0: 6 after 4 post_psh"),
	 .ev = TLS("80 < A 1 518", "300 < R 1 - id=0", "1800 < PA 1 518 700")},
	{.name = "the same of the second request",
	 .finds = LINES("< data-after-rst confirmed 6.5: 8 after 4 later"),
	 .ev = TLS("81 < PA 1 518 700", "81.1 > A 518 701", "900 > PA 518 701 99", "1200 < R 701 - id=0",
		   "2900 < PA 701 617 700")},
	{.name = "the second request after a pause, and the server knows of no end",
	 .finds = LINES("< data-after-rst confirmed 12.0: 10 after 0 later"),
	 .finds6 = LINES("< data-after-rst confirmed 9.0: 10 after 0 later"),
	 .ev = {.line = LINES(SHAKE, "40.2 > PA 1 1 99", "80 < A 1 100", "81 < A 1 100 350",
			      "81.1 < PA 351 100 350", "81.2 > A 100 701", "5081 > PA 100 701 99",
			      "5083 < R 701 - ttl=250 df=0 id=777", "5121.4 < PA 701 199 700"),
		.speaks = SPEAKS_HTTP}},
	{.name = "the same, and nothing more comes of the server",
	 .finds = LINES("< rst-header likely 6.0: 10 after 0 later"),
	 .finds6 = LINES("< rst-sub-rtt anomaly 3.0: 10 after 0 later"),
	 .ev = {.line = LINES(SHAKE, "40.2 > PA 1 1 99", "80 < A 1 100", "81 < A 1 100 350",
			      "81.1 < PA 351 100 350", "81.2 > A 100 701", "5081 > PA 100 701 99",
			      "5083 < R 701 - ttl=250 df=0 id=777"),
		.speaks = SPEAKS_HTTP}},
	{.name = "the hello lost in two halves, each sent four times",
	 .finds = LINES("> request-dropped anomaly 2.0: 4 5 6 7 8 after 4 post_psh"),
	 .ev = {.line = LINES(SHAKE, "40.2 > A 1 1 1448", "40.3 > PA 1449 1 352",
			      "340 > A 1 1 1448", "940 > A 1 1 1448", "2140 > A 1 1 1448"),
		.hello = 1800}},
};

int main(void)
{
	return RUN_JUDGE_CASES(cases);
}
