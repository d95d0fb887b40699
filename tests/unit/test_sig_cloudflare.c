/* SPDX-License-Identifier: BSD-3-Clause */

/* CF-02 to CF-19: exactly one of them speaks of the resets of one direction. */

#include "classifiers/tamper/sig_cloudflare.c"

#include "tests/unit/sig_cases.h"

#define ANSWER "80 < A 1 518"

static const struct sig_case cases[] = {
	/* During the handshake */
	{.name = "CF-02", .raw_zero = true, .ev.line = LINES("0 > S 0 -", "40 < R 1 -"),
	 .says = LINES("< syn-rst D1 @2: 2")},
	{.name = "CF-02, more than one", .ev.line = LINES("0 > S 0 -", "40 < R 1 -", "41 < R 1 -"),
	 .says = LINES("< syn-rst D1 @2: 2 3")},
	{.name = "CF-03", .ev.line = LINES("0 > S 0 -", "40 < RA - 1"),
	 .says = LINES("< syn-rstack D1 @2: 2")},
	{.name = "CF-03, after the SYN+ACK", .ev.line = LINES("0 > S 0 -", "40 < SA 0 1",
							      "41 < RA 1 1"),
	 .says = LINES("< syn-rstack D1 @3: 3")},
	{.name = "CF-04", .ev.line = LINES("0 > S 0 -", "40 < RA - 1", "41 < R 1 -"),
	 .says = LINES("< syn-rst-rstack D1 @2: 2 3")},
	{.name = "CF-02, a half-open scan seen from the server",
	 .ev = {.line = LINES("0 > S 0 -", "0.1 < SA 0 1", "40 > R 1 -"), .server_ttl = 64,
		.client_ttl = 50},
	 .says = LINES("> syn-rst D1 @3: 3")},

	/* After it */
	{.name = "CF-06", .ev.line = LINES(SHAKE, "80 < R 1 -"),
	 .says = LINES("< ack-rst D1 @4: 4")},
	{.name = "CF-07", .ev.line = LINES(SHAKE, "80 < R 1 -", "81 < R 1 -"),
	 .says = LINES("< ack-rst-rst D1 @4: 4 5")},
	{.name = "CF-08", .ev.line = LINES(SHAKE, "80 < RA 1 1"),
	 .says = LINES("< ack-rstack D1 @4: 4")},
	{.name = "CF-09", .ev.line = LINES(SHAKE, "80 < RA 1 1", "81 < RA 1 1"),
	 .says = LINES("< ack-rstack-rstack D1 @4: 4 5")},
	{.name = "CF-08, a client that gives up what it never used",
	 .ev.line = LINES(SHAKE, "5000 > RA 1 1"), .says = LINES("> ack-rstack D1 @4: 4")},

	/* After the request */
	{.name = "CF-11", .ev.line = LINES(SHAKE, HELLO, ANSWER, "81 < R 1 -"),
	 .says = LINES("< psh-rst D1 @6: 6")},
	{.name = "CF-12", .ev.line = LINES(SHAKE, HELLO, ANSWER, "81 < RA 1 518"),
	 .says = LINES("< psh-rstack D1 @6: 6")},
	{.name = "CF-13", .ev.line = LINES(SHAKE, HELLO, "45 < R 1 518", "45.1 < RA 1 518"),
	 .says = LINES("< psh-rst-rstack D2 @5: 5 6")},
	{.name = "CF-13, the bare one with ack 0 but an IP-ID that Linux does not stamp",
	 .ev.line = LINES(SHAKE, HELLO, "45 < RA 1 518", "45.1 < R 1 - id=7"),
	 .says = LINES("< psh-rst-rstack D2 @5: 5 6"), .says6 = LINES("< psh-rstack D1 @5: 5 6")},
	{.name = "Linux aborting, the bare one with the RST+ACK's number",
	 .ev.line = LINES(SHAKE, HELLO, ANSWER, "81 < RA 1 518", "82 < R 1 - id=0"),
	 .says = LINES("< psh-rstack D1 @6: 6 7")},
	{.name = "Linux aborting, the bare one with a number that the client acknowledged",
	 .ev.line = LINES("0 > S 0 -", "40 < SA 0 1", "40.1 > A 1 1", HELLO, "81 < RA 300 518",
			  "82 < R 1 - id=0"),
	 .says = LINES("< psh-rstack D1 @5: 5 6")},
	{.name = "Linux aborting, both with a number that the client never acknowledged",
	 .ev.line = LINES(SHAKE, HELLO, "81 < RA 300 518", "82 < R 300 - id=0"),
	 .says = LINES("< psh-rstack D1 @5: 5 6")},
	{.name = "not Linux: the bare one's number was never acknowledged",
	 .ev.line = LINES(SHAKE, HELLO, "81 < RA 1 518", "82 < R 1461 - id=0"),
	 .says = LINES("< psh-rst-rstack D2 @5: 5 6")},
	{.name = "CF-14", .ev.line = LINES(SHAKE, HELLO, "45 < RA 1 518", "45.1 < RA 1461 518"),
	 .says = LINES("< psh-rstack-rstack D2 @5: 5 6")},
	{.name = "CF-14, three identical ones",
	 .ev.line = LINES(SHAKE, HELLO, "45 < RA 1 518", "45.1 = 5", "45.2 = 5"),
	 .says = LINES("< psh-rstack-rstack D2 @5: 5 6 7")},
	{.name = "a capture that shows every frame twice",
	 .ev.line = LINES("0 > S 0 -", "0.02 = 1", "40 < SA 0 1", "40.02 = 3", "40.1 > A 1 1",
			  HELLO,
			  "81 < RA 1 518", "81.02 = 7"),
	 .says = LINES("< psh-rstack D1 @7: 7 8")},
	{.name = "a capture that shows frames twice, and two RSTs of more than 1 ms apart",
	 .ev.line = LINES("0 > S 0 -", "0.02 = 1", "40 < SA 0 1", "40.02 = 3", "40.1 > A 1 1",
			  HELLO,
			  "81 < RA 1 518", "82.01 = 7"),
	 .says = LINES("< psh-rstack-rstack D2 @7: 7 8")},
	{.name = "CF-15", .ev.line = LINES(SHAKE, HELLO, "45 < R 1 518", "45.1 < R 1461 518"),
	 .says = LINES("< psh-rst-eq-rst D2 @5: 5 6")},
	{.name = "CF-16", .ev.line = LINES(SHAKE, HELLO, "45 < R 1 518", "45.1 < R 1 1978"),
	 .says = LINES("< psh-rst-neq-rst D2 @5: 5 6")},
	{.name = "CF-17", .ev.line = LINES(SHAKE, HELLO, "45 < R 1 518", "45.1 < R 1 -"),
	 .says = LINES("< psh-rst-rst0 D2 @5: 5 6")},
	{.name = "CF-17, the zero first, with equal ones between",
	 .ev.line = LINES(SHAKE, HELLO, "45 < R 1 -", "45.1 < R 1 -", "46 < R 1 518"),
	 .says = LINES("< psh-rst-rst0 D2 @5: 5 6 7")},
	{.name = "a request of two segments is still the first request",
	 .ev = {.line = LINES(SHAKE, "40.2 > A 1 1 1448", "40.3 > PA 1449 1 352", "81 < R 1 -"),
		.hello = 1800},
	 .says = LINES("< psh-rst D1 @6: 6")},

	/* Later */
	{.name = "CF-18", .ev.line = LINES(SHAKE, HELLO, "41 > PA 518 1 64", "81 < R 1 -"),
	 .says = LINES("< data-rst D1 @6: 6")},
	{.name = "CF-19", .ev.line = LINES(SHAKE, HELLO, "41 > PA 518 1 64", "81 < RA 1 518"),
	 .says = LINES("< data-rstack D1 @6: 6")},
	{.name = "CF-19, both kinds count as the bare one",
	 .ev.line = LINES(SHAKE, HELLO, "81 < PA 1 518 1000", "82 < RA 1001 518", "83 < R 1001 -"),
	 .says = LINES("< data-rst D1 @6: 6 7")},
	{.name = "a client's abort after the answer",
	 .ev.line = LINES(SHAKE, HELLO, "81 < PA 1 518 1000", "82 > RA 518 1001"),
	 .says = LINES("> data-rstack D1 @6: 6")},
	{.name = "both sides reset, each by itself",
	 .ev.line = LINES(SHAKE, HELLO, "45 < RA 1 518", "45.1 > R 518 -"),
	 .says = LINES("> psh-rst D1 @6: 6", "< psh-rstack D1 @5: 5")},

	/* Nothing */
	{.name = "garbage with the RST bit", .says = SILENT,
	 .ev.line = LINES(SHAKE, HELLO, "45 < RSA 1 518", "46 < RFA 1 518", "47 < RU 1 -")},
	{.name = "no RST at all", .ev.line = LINES(SHAKE, HELLO, ANSWER, "81 < FA 1 518"),
	 .says = SILENT},
};

int main(void)
{
	return RUN_SIG_CASES(sig_cloudflare, cases);
}
