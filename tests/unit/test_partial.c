/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Captures that lack packets, hold them in another order than they passed, or begin in the middle: what
 * is not there accuses nobody. Beside each lies the like of it that is a forger's work.
 */

#include "classifiers/tamper/judge.c"

#include "tests/unit/judge_cases.h"

#define ANSWER "80 < A 1 518", "81 < PA 1 518 700"
#define TLS(...) {.line = LINES(SHAKE, HELLO, __VA_ARGS__)}
#define AT_SERVER(...)                                                                            \
	{.line = LINES("0 > S 0 -", "0.1 < SA 0 1", "40 > A 1 1", "40.1 > PA 1 1 517",            \
		       "40.2 < A 1 518", __VA_ARGS__),                                            \
	 .client_ttl = 50, .server_ttl = 64}
/* What a client that was seen before does first, without its handshake. */
#define OLD "0 > PA 1 1 99", "40 < A 1 100", "41 < PA 1 100 700", "41.1 > A 100 701"

static const struct judge_case cases[] = {
	/* Ports are used again */
	{.name = "a second connection on the same ports, the handshakes not captured", .finds = SILENT,
	 .ev = {.line = LINES(OLD, "82 < RA 701 100", "182 > PA 900001 800001 99",
			      "222 < A 800001 900100", "223 < PA 800001 900100 700"),
		.speaks = SPEAKS_HTTP}},
	{.name = "the same in a capture of what the server sends", .finds = SILENT,
	 .ev = {.line = LINES("40 < A 1 100", "41 < PA 1 100 700", "82 < RA 701 100",
			      "222 < A 800001 900100", "223 < PA 800001 900100 700"),
		.speaks = SPEAKS_HTTP}},
	{.name = "of the second handshake the SYN+ACK alone is there", .finds = SILENT,
	 .ev = TLS(ANSWER, "82 < RA 701 518", "182 < SA 800000 900001", "183 > PA 900001 800001 99",
		   "222 < PA 800001 900100 700")},
	{.name = "the SYN overtook the end of the first connection", .finds = SILENT,
	 .ev = AT_SERVER("41 < PA 1 518 700", "81 > A 518 701", "82 > S 900000 -",
			 "82.1 < SA 800000 900001", "82.2 > RA 518 701", "122 > A 900001 800001",
			 "122.1 > PA 900001 800001 99", "122.2 < PA 800001 900100 700")},
	{.name = "the end of the first connection, shown once more in the second", .finds = SILENT,
	 .ev.line = LINES(SHAKE, HELLO, "81 < PA 1 518 600", "81.1 > A 518 601", "82 < RA 601 518",
			  "82.1 > S 900000 -", "82.5 < RA 601 518", "122 < SA 800000 900001",
			  "122.1 > A 900001 800001", "122.2 > PA 900001 800001 99",
			  "162 < PA 800001 900100 700")},
	{.name = "a RST in the middle of a connection, the handshake not captured",
	 .ev = {.line = LINES(OLD, "50 < RA 701 100", "91 < PA 701 100 700"), .speaks = SPEAKS_HTTP},
	 .finds = LINES("< data-after-rst confirmed 6.5: 5 after 1 later")},
	{.name = "the same where the capture lacks what came between",
	 .ev = {.line = LINES(OLD, "50 < RA 701 100", "91 < PA 2101 100 700"), .speaks = SPEAKS_HTTP},
	 .finds = LINES("< data-after-rst confirmed 6.5: 5 after 1 later")},

	/* A socket that is gone answers with the numbers of acknowledgements */
	{.name = "refusals of acknowledgements that were not captured", .finds = SILENT,
	 .ev = TLS(ANSWER, "81.2 < PA 701 518 700", "81.4 < PA 1401 518 700", "82 < RA 2101 518",
		   "121 < R 701 - id=0", "121.2 < R 1401 - id=0", "121.4 < R 2101 - id=0")},
	{.name = "the same, and neither were data and abort", .finds = LINES(
		"< rst-seq-change anomaly 2.5: 7 8 9 after 4 later"),
	 .ev = TLS(ANSWER, "121 < R 701 - id=0", "121.2 < R 1401 - id=0", "121.4 < R 2101 - id=0")},
	{.name = "RSTs with ACK a segment apart, as the first Chinese ones",
	 .ev = TLS("60 < RA 1 518", "60.1 < RA 1461 518", "60.2 < RA 4381 518"), .only4 = true,
	 .finds = LINES("< rst-seq-change confirmed 10.0: 5 6 7 after 4 post_psh")},

	/* An older answer than the first question that was captured */
	{.name = "the capture begins between two requests of one connection", .finds = SILENT,
	 .ev = {.line = LINES("0 > PA 100 1 99", "0.5 < PA 1 100 15 text=HTTP/1.1 200 OK",
			      "40 < PA 16 199 700"), .speaks = SPEAKS_HTTP}},

	{.name = "the answer to the first part of a request, which the capture lacks", .finds = SILENT,
	 .ev = {.line = LINES(SHAKE, "40.2 > PA 1449 1 99", "80 < A 1 1",
			      "81 < PA 1 1449 15 text=HTTP/1.1 200 OK", "82 < A 16 1449 700",
			      "121 > A 1 16 1448"), .speaks = SPEAKS_HTTP}},

	/* A record of two connections, since the first one never ended */
	{.name = "a host that crashed is asked anew on the same ports, answers and aborts",
	 .finds = SILENT,
	 .ev = TLS("80 < A 1 518", "900 > S 460000000 -", "940 < SA -1673934522 460000001",
		   "940.1 > A 460000001 -1673934521", "940.2 > PA 460000001 -1673934521 99",
		   "980 < PA -1673934521 460000100 56", "980.1 < RA -1673934465 460000100",
		   "980.2 > A 460000100 -1673934465", "1020.3 < R -1673934465 - id=0")},
	{.name = "an abort that overtook its data, and a refusal with ACK, both with another TTL",
	 .finds = SILENT,
	 .ev = TLS("80 < PA 1 518 700", "80.01 < RA 2101 518 ttl=240", "80.02 > A 518 701",
		   "80.05 < RA 1 518 ttl=240", "80.07 < PA 701 518 1400"), .only4 = true},
	{.name = "a refusal with ACK, doubled, and the abort that it overtook, with another TTL",
	 .ev = TLS("80 < A 1401 518 700", "80.1 > A 518 1", "80.5 < A 1 518 700", "80.6 < A 701 518 700",
		   "80.7 > A 518 2101", "121 < RA 1 518 ttl=240 id=0", "122.4 < RA 1 518 ttl=240 id=0",
		   "122.7 < RA 2101 518 ttl=240 id=0"),
	 .finds = SILENT},
	{.name = "an abort, and the refusal of a SYN on the same ports that the capture lacks",
	 .ev = TLS("80 < A 1 518", "80.1 < RA 1 518 ttl=250", "341 < RA -900001 1241938170 ttl=250"),
	 .finds = LINES("< reset-after-request anomaly 2.5: 6 after 4 post_psh")},
	{.name = "at the server: its own reset, sooner than the path allows",
	 .ev = AT_SERVER("41 < PA 1 518 700", "81 > A 518 701", "82 > PA 518 701 64",
			 "82.01 < RNx 701 582"), .only4 = true,
	 .finds = LINES("< rst-reserved-bits anomaly 6.5: 9 after 4 later")},

	/* Queues of a card that are read one after the other: times are right, places are not */
	{.name = "acknowledgements stand before what they acknowledge",
	 .ev.line = LINES("0 > S 0 -", "40.1 > A 1 1", "40.2 > PA 1 1 517", "40 < SA 0 1",
			  "81.1 > A 518 701", "80 < A 1 518", "81 < PA 1 518 700", "81.3 < RA 701 518"),
	 .finds = SILENT},
	{.name = "the same, and a box resets",
	 .ev.line = LINES("0 > S 0 -", "40.1 > A 1 1", "40.2 > PA 1 1 517", "40 < SA 0 1",
			  "52 < RA 1 518 ttl=60", "80 < A 1 518", "81 < PA 1 518 700"),
	 .finds = LINES("< data-after-rst confirmed 12.0: 5 after 3 post_psh")},
	{.name = "a hello in two segments, the second one first, never acknowledged",
	 .ev = {.line = LINES(SHAKE, "40.21 > PA 1449 1 352", "40.2 > A 1 1 1448", "340 > A 1 1 1448",
			      "940 > A 1 1 1448", "2140 > A 1 1 1448"), .hello = 1800},
	 .finds = LINES("> request-dropped anomaly 2.0: 4 5 6 7 8 after 5 post_psh")},
};

int main(void)
{
	return RUN_JUDGE_CASES(cases);
}
