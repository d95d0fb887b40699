/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * How much a network reorders is seen on the connections that nobody ends; where it does, packets that swap
 * places accuse nobody, and what comes later than that still does.
 */

#include "classifiers/tamper/judge.c"

#include "tests/unit/judge_cases.h"

/* A connection whose acknowledgement comes 20 ms behind a later one. */
#define LATE(f)                                                                                   \
	"-900 > S 0 - flow=" f, "-860 < SA 0 1 flow=" f, "-859.9 > A 1 1 flow=" f,                \
		"-859.8 > PA 1 1 517 flow=" f, "-819 < PA 1 518 900 flow=" f,                     \
		"-818 < PA 901 518 900 flow=" f, "-817 > A 518 1801 flow=" f,                     \
		"-797 > A 518 901 flow=" f
#define JITTER LATE("1"), LATE("2"), LATE("3")
/* One whose server's first segment comes 20 ms behind the second, stamped so. */
#define HOLE(f, stamp)                                                                            \
	"-900 > S 0 - flow=" f, "-860 < SA 0 1 flow=" f " ts=400", "-859.9 > A 1 1 flow=" f,      \
		"-859.8 > PA 1 1 517 flow=" f, "-819 < PA 901 518 900 flow=" f " ts=442",         \
		"-799 < A 1 518 900 flow=" f " ts=" stamp, "-798.9 > A 518 1801 flow=" f
#define REQUEST "40.2 > PA 1 1 79"
#define WEB(...) {.line = LINES(__VA_ARGS__), .speaks = SPEAKS_HTTP, .no_ts = true, \
		  .server_id = STAMPS_RANDOM}
/* The server answers, aborts, and refuses the late ACK of its handshake; 16 ms later its answer comes. */
#define OVERTAKEN "80 < RA 801 80", "85 < R 1 - id=0", "101 < PA 1 80 800"
/* A refusal that 9 ms later is followed by the last words, although a FIN had come before: left out. */
#define GONE_ON                                                                                   \
	"0 > S 0 -", "0.1 < SA 0 1", "40 > A 1 1", "40.1 > PA 1 1 517", "40.2 < A 1 518",         \
		"41 < A 1 518 1400", "41.1 < A 1401 518 1400", "41.2 < A 2801 518 1400",          \
		"81 > A 518 1401", "82 > A 518 2801", "83 > FA 542 4201", "84 > A 518 2801",      \
		"85 > A 518 4201", "86 > A 518 4201", "87 > A 518 4201", "88 > A 518 4201"

#define STAMPED(...) {.line = LINES(__VA_ARGS__), .speaks = SPEAKS_HTTP, .server_id = STAMPS_RANDOM}

static const struct judge_case cases[] = {
	{.name = "data that fill a hole and are older lag", .finds = SILENT,
	 .ev = STAMPED(HOLE("1", "441"), HOLE("2", "441"), HOLE("3", "441"), SHAKE, REQUEST, OVERTAKEN)},
	{.name = "data that fill a hole and were sent again do not",
	 .finds = LINES("< data-after-rst likely 6.0: 26 27 after 25 post_psh"),
	 .ev = STAMPED(HOLE("1", "460"), HOLE("2", "460"), HOLE("3", "460"), SHAKE, REQUEST, OVERTAKEN)},
	{.name = "an abort and a refusal overtake the answer, where packets keep their order",
	 .finds = LINES("< data-after-rst likely 6.0: 5 6 after 4 post_psh"),
	 .ev = WEB(SHAKE, REQUEST, OVERTAKEN)},
	{.name = "the same, where packets lag by 20 ms",
	 .finds = SILENT,
	 .ev = WEB(JITTER, SHAKE, REQUEST, OVERTAKEN)},
	{.name = "the same, and IP-IDs tell the order", .only4 = true,
	 .finds = LINES("< reset-after-request anomaly 2.5: 5 after 4 post_psh"),
	 .ev = WEB(SHAKE, REQUEST, "80 < RA 801 80 id=503", "85 < R 1 - id=0", "96 < A 1 80 id=501",
		   "101 < PA 1 80 800 id=502")},
	{.name = "two lagging connections are none of the network",
	 .finds = LINES("< data-after-rst likely 6.0: 21 22 after 20 post_psh"),
	 .ev = WEB(LATE("1"), LATE("2"), SHAKE, REQUEST, OVERTAKEN)},
	{.name = "a forged reset where packets lag, and the answer comes later than that",
	 .finds = LINES("< data-after-rst confirmed 8.5: 29 after 28 post_psh"),
	 .ev = WEB(JITTER, "0 > S 0 - 0", "300 < SA 0 1 0", "300.1 > A 1 1 0", "300.2 > PA 1 1 79",
		   "310 < RA 1 80", "600 < A 1 80", "601 < PA 1 80 800")},
	{.name = "at the server: a FIN that the record left out had reached further",
	 .finds = LINES("> data-rst inconclusive 0.5: 17 after 4 later"),
	 .ev = {.line = LINES(GONE_ON, "91 > R 518 - id=0", "100 > PA 518 4201 24"),
		.client_ttl = 50, .server_ttl = 64, .vantage = VANTAGE_SERVER}},
	{.name = "at the server: a forged one instead, and the client says something new",
	 .finds = LINES("> data-after-rst confirmed 6.5: 17 after 4 later"),
	 .ev = {.line = LINES(GONE_ON, "91 > R 518 - id=0", "160 > PA 543 4201 24"),
		.client_ttl = 50, .server_ttl = 64, .vantage = VANTAGE_SERVER}},
};

int main(void)
{
	return RUN_JUDGE_CASES(cases);
}
