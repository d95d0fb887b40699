/* SPDX-License-Identifier: BSD-3-Clause */

/* TLS-RST-CH and FIN-INJ, with servers that refuse and packets that swap places. */

#include "classifiers/tamper/sig_request.c"

#include "tests/unit/sig_cases.h"

static const struct sig_case cases[] = {
	/* reset-after-request */
	{.name = "a RST after the ClientHello", .ev.line = LINES(SHAKE, HELLO, "81 < RA 1 518"),
	 .says = LINES("< reset-after-request D2 @5: 5")},
	{.name = "a RST after a request with a Host",
	 .ev = {.line = LINES(SHAKE, "40.2 > PA 1 1 99", "81 < R 1 -"), .speaks = SPEAKS_HTTP},
	 .says = LINES("< reset-after-request D2 @5: 5")},
	{.name = "a RST after something that names nobody",
	 .ev = {.line = LINES(SHAKE, "40.2 > PA 1 1 16", "81 < R 1 -"), .speaks = SPEAKS_SSH},
	 .says = SILENT},
	{.name = "just within three seconds", .ev.line = LINES(SHAKE, HELLO, "3040.1 < RA 1 518"),
	 .says = LINES("< reset-after-request D2 @5: 5")},
	{.name = "after three seconds", .ev.line = LINES(SHAKE, HELLO, "3040.3 < RA 1 518"),
	 .says = SILENT},
	{.name = "within three round trips of two seconds",
	 .ev.line = LINES("0 > S 0 -", "2000 < SA 0 1", "2000 > A 1 1", "2001 > PA 1 1 517",
			  "8000 < RA 1 518"),
	 .says = LINES("< reset-after-request D2 @5: 5")},
	{.name = "after three round trips of two seconds",
	 .ev.line = LINES("0 > S 0 -", "2000 < SA 0 1", "2000 > A 1 1", "2001 > PA 1 1 517",
			  "8002 < RA 1 518"),
	 .says = SILENT},
	{.name = "within three round trips of 1.2 seconds",
	 .ev.line = LINES("0 > S 0 -", "1200 < SA 0 1", "1200 > A 1 1", "1201 > PA 1 1 517",
			  "4700 < RA 1 518"),
	 .says = LINES("< reset-after-request D2 @5: 5")},
	{.name = "after the server's first bytes",
	 .ev.line = LINES(SHAKE, HELLO, "81 < PA 1 518 100", "82 < RA 101 518"), .says = SILENT},
	{.name = "after a FIN", .ev.line = LINES(SHAKE, HELLO, "81 < FA 1 518", "82 < RA 2 518"),
	 .says = SILENT},
	{.name = "before the request", .ev.line = LINES(SHAKE, "40.15 < R 1 -", HELLO),
	 .says = SILENT},
	{.name = "before the segment that completes the name",
	 .ev = {.line = LINES(SHAKE, "40.2 > A 1 1 1448", "45 < R 1 -", "46 > PA 1449 1 352"),
		.speaks = SPEAKS_TLS_LATE_NAME, .hello = 1800},
	 .says = SILENT},
	{.name = "after the segment that completes the name",
	 .ev = {.line = LINES(SHAKE, "40.2 > A 1 1 1448", "40.3 > PA 1449 1 352", "45 < R 1 -"),
		.speaks = SPEAKS_TLS_LATE_NAME, .hello = 1800},
	 .says = LINES("< reset-after-request D2 @6: 6")},
	{.name = "with data beyond the request: it went through",
	 .ev.line = LINES(SHAKE, HELLO, "40.3 > PA 518 1 64", "81 < RA 1 582"), .says = SILENT},
	{.name = "the client's own RST, near the client",
	 .ev.line = LINES(SHAKE, HELLO, "81 > RA 518 1"), .says = SILENT},
	{.name = "a RST in the client's name, near the server",
	 .ev = {.line = LINES("0 > S 0 -", "0.1 < SA 0 1", "40 > A 1 1", "40.1 > PA 1 1 517",
			      "45 > R 518 -"), .client_ttl = 44, .server_ttl = 64},
	 .says = LINES("> reset-after-request D2 @5: 5")},

	/* data-after-fin */
	{.name = "a FIN, then data in its place, alike",
	 .ev.line = LINES(SHAKE, HELLO, "45 < FA 1 518", "81 < PA 1 518 700"),
	 .says = LINES("< data-after-fin D2 @6: 5")},
	{.name = "a FIN without timestamps, then data in its place",
	 .ev.line = LINES(SHAKE, HELLO, "45 < FA 1 518 plain", "81 < PA 1 518 700"),
	 .says = LINES("< data-after-fin D4 @6: 5")},
	{.name = "a FIN without DF, then data in its place",
	 .ev.line = LINES(SHAKE, HELLO, "45 < FA 1 518 df=0", "81 < PA 1 518 700"),
	 .says = LINES("< data-after-fin D4 @6: 5"), .says6 = LINES("< data-after-fin D2 @6: 5")},
	{.name = "half a round trip after it",
	 .ev.line = LINES(SHAKE, HELLO, "80.2 < FA 1 518", "100.4 < PA 1 518 700"),
	 .says = LINES("< data-after-fin D2 @6: 5")},
	{.name = "sooner: they may have swapped places",
	 .ev.line = LINES(SHAKE, HELLO, "80.2 < FA 1 518", "100 < PA 1 518 700"), .says = SILENT},
	{.name = "sooner, when nothing but the FIN tells the round trip",
	 .ev.line = LINES(SHAKE, HELLO, "45 < FA 1 518", "49 < PA 1 518 700"), .says = SILENT},
	{.name = "data before the FIN's number, sent late",
	 .ev.line = LINES(SHAKE, HELLO, "45 < FA 701 518", "81 < PA 1 518 700"), .says = SILENT},
	{.name = "a keep-alive after a FIN",
	 .ev.line = LINES(SHAKE, HELLO, "81 < FA 1 518", "5000 < A 1 518 1"), .says = SILENT},
	{.name = "an alert and a FIN: the server refuses",
	 .ev.line = LINES(SHAKE, HELLO, "81 < PA 1 518 7", "81.1 < FA 8 518", "81.2 > A 518 9"),
	 .says = SILENT},
	{.name = "a FIN, sent again",
	 .ev.line = LINES(SHAKE, HELLO, "81 < FPA 1 518 700", "300 < FPA 1 518 700"),
	 .says = SILENT},
	{.name = "the client's decoys are its own affair",
	 .ev.line = LINES(SHAKE, "41 > FA 1 1 plain ttl=5", "90 > PA 1 1 517"), .says = SILENT},
};

int main(void)
{
	return RUN_SIG_CASES(sig_request, cases);
}
