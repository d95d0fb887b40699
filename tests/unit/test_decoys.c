/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A client that evades a box sends resets which no server takes: with a number from before the connection, a
 * wrong checksum or a signature. Captures begin before and after the handshake. A box's resets to the server
 * look nearly so, and are found.
 */

#include "classifiers/tamper/judge.c"

#include "tests/unit/judge_cases.h"

#define ANSWERED "60 < A 1 518", "61 < PA 1 518 700", "81 > A 518 701"
#define SYNS "0 > S 0 -", "20 < SA 0 1"
#define MIDDLE(...)                                                                               \
	{.line = LINES(__VA_ARGS__, "40.9 > PA 1 1 517", ANSWERED), .vantage = VANTAGE_MIDDLE,    \
	 .client_ttl = 55, .server_ttl = 55}
/* The capture holds all, lacks the SYN, the answer to it, the handshake. */
#define EVERY_BEGINNING(what, ...)                                                                \
	{.name = what, .finds = SILENT, .ev = MIDDLE(SYNS, "40 > A 1 1", __VA_ARGS__)},           \
	{.name = what ", without the SYN", .finds = SILENT,                                       \
	 .ev = MIDDLE("20 < SA 0 1", "40 > A 1 1", __VA_ARGS__)},                                 \
	{.name = what ", without both SYNs", .finds = SILENT,                                     \
	 .ev = MIDDLE("40 > A 1 1", __VA_ARGS__)},                                                \
	{.name = what ", the first packet of all", .finds = SILENT, .ev = MIDDLE(__VA_ARGS__)}

static const struct judge_case cases[] = {
	EVERY_BEGINNING("a number 10,000 too low", "40.1 > R -9999 - id=5"),
	EVERY_BEGINNING("six of these", "40.1 > R -9999 - id=5", "40.2 > R -9999 - id=6",
			"40.3 > R -9999 - id=7", "40.4 > R -9999 - id=8", "40.5 > R -9999 - id=9",
			"40.6 > R -9999 - id=10"),
	EVERY_BEGINNING("both numbers too low", "40.1 > RA -9999 -65999 id=5"),
	EVERY_BEGINNING("only the first of both too low", "40.1 > RA -9999 1 id=5"),
	EVERY_BEGINNING("a wrong checksum", "40.1 > R 1 - id=5 bad"),
	EVERY_BEGINNING("a wrong checksum and an acknowledgement", "40.1 > RA 1 1 id=5 bad"),
	EVERY_BEGINNING("a signature", "40.1 > R 1 - id=5 signed"),
	{.name = "of HTTP, with a low number", .finds = SILENT,
	 .ev = {.line = LINES("40.1 > RA -9999 1 id=5", "40.9 > PA 1 1 99", "60 < A 1 100",
			      "61 < PA 1 100 700", "81 > A 100 701"),
		.vantage = VANTAGE_MIDDLE, .client_ttl = 55, .server_ttl = 55, .speaks = SPEAKS_HTTP}},

	{.name = "one that dies further away, as a router says", .finds = SILENT,
	 .ev = {.line = LINES("40 > A 1 1", "40.1 > RA 1 1 ttl=14 id=5", "40.9 > PA 1 1 517", "50 ! 11/0 2",
			      ANSWERED)}},
	{.name = "one that nobody says that of",
	 .finds = LINES("> data-after-rst confirmed 10.0: 2 after 0 post_syn"),
	 .finds6 = LINES("> data-after-rst confirmed 7.0: 2 after 0 post_syn"),
	 .ev = {.line = LINES("40 > A 1 1", "40.1 > RA 1 1 ttl=14 id=5", "40.9 > PA 1 1 517", ANSWERED)}},
	{.name = "another hello that dies on the way, before the one that is meant", .finds = SILENT,
	 .ev.line = LINES(SHAKE, "40.1 > PA 1 1 517 ttl=5 odd", "40.2 > PA 1 1 517", "50 ! 11/0 4",
			  "80 < A 1 518", "81 < PA 1 518 700", "81.1 > A 518 701")},
	{.name = "a box's, with the right number",
	 .finds = LINES("> late-genuine likely 9.0: 3 after 2 post_psh"),
	 .finds6 = LINES("> late-genuine likely 6.0: 3 after 2 post_psh"),
	 .ev = {.line = LINES("40 > A 1 1", "40.9 > PA 1 1 517", "42 > RA 518 1 ttl=99 id=5", ANSWERED),
		.vantage = VANTAGE_MIDDLE, .client_ttl = 55, .server_ttl = 55}},
	{.name = "a box's, with the number of an older packet",
	 .finds = LINES("> late-genuine likely 12.5: 3 after 2 post_psh"),
	 .finds6 = LINES("> late-genuine likely 9.5: 3 after 2 post_psh"),
	 .ev = {.line = LINES("40 > A 1 1", "40.9 > PA 1 1 517", "42 > RA 1 1 ttl=99 id=5", ANSWERED),
		.vantage = VANTAGE_MIDDLE, .client_ttl = 55, .server_ttl = 55}},
	{.name = "a box's, where checksums are right and its own is too",
	 .finds = LINES("> late-genuine likely 4.5: 1 after 0 post_syn"),
	 .ev = MIDDLE("40.1 > RA 1 1 ttl=99 id=5")},
	{.name = "a box's, in a capture whose checksums are all wrong",
	 .finds = LINES("> data-after-rst confirmed 10.0: 1 after 0 post_syn"),
	 .finds6 = LINES("> data-after-rst confirmed 7.0: 1 after 0 post_syn"),
	 .ev = {.line = LINES("40.1 > RA 1 1 ttl=99 id=5 bad", "40.2 > A 1 1 bad", "40.9 > PA 1 1 517 bad",
			      ANSWERED),
		.vantage = VANTAGE_MIDDLE, .client_ttl = 55, .server_ttl = 55}},
	{.name = "nothing but it is in the server's name, so that nothing tells of its checksum",
	 .finds = LINES("< reset-after-request anomaly 2.0: 3 after 2 post_psh"),
	 .ev = {.line = LINES("40 > A 1 1", "40.9 > PA 1 1 517", "42 < RA 1 518 ttl=99 id=5 bad"),
		.vantage = VANTAGE_MIDDLE, .client_ttl = 55, .server_ttl = 55}},
};

int main(void)
{
	return RUN_JUDGE_CASES(cases);
}
