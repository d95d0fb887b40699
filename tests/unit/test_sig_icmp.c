/* SPDX-License-Identifier: BSD-3-Clause */

/* ICMP-UNR and EV-TTLPROBE. Line numbers of ICMP errors are frames, but no events. */

#include "classifiers/tamper/sig_icmp.c"

#include "tests/unit/sig_cases.h"

/* A probe that should die on its way, and the router's word that it did. */
#define PROBE "1000 > PA 1 1 517 ttl=9", "1015 ! 11/0 4"

static const struct sig_case cases[] = {
	{.name = "a router refuses the request, over IPv6",
	 .ev.line = LINES(SHAKE, HELLO, "60 ! 3/13 4"), .only6 = true,
	 .says = LINES("< icmp-unreachable D2 @5: 4")},
	{.name = "a probe that died was answered, over IPv6",
	 .ev.line = LINES(SHAKE, PROBE, "1016 < RA 1 518 ttl=60"), .only6 = true,
	 .says = LINES("< probe-reset D4 @5: 6")},
	{.name = "a probe of the second segment that died was answered, over IPv6",
	 .ev.line = LINES(SHAKE, HELLO, "80 < A 1 518", "1000 > PA 518 1 300 ttl=9",
			  "1015 ! 11/0 6",
			  "1016 < RA 1 818 ttl=60"),
	 .says = LINES("< probe-reset D4 @7: 8")},
	/* icmp-unreachable */
	{.name = "a router refuses the request", .ev.line = LINES(SHAKE, HELLO, "60 ! 3/13 4"),
	 .only4 = true,
	 .says = LINES("< icmp-unreachable D2 @5: 4")},
	{.name = "no route to the host", .ev.line = LINES(SHAKE, HELLO, "60 ! 3/1 4"),
	 .only4 = true,
	 .says = LINES("< icmp-unreachable D2 @5: 4")},
	{.name = "a port refused by a third party", .ev.line = LINES(SHAKE, HELLO, "60 ! 3/3 4"),
	 .only4 = true,
	 .says = LINES("< icmp-unreachable D2 @5: 4")},
	{.name = "network prohibited", .ev.line = LINES(SHAKE, HELLO, "60 ! 3/9 4"), .only4 = true,
	 .says = LINES("< icmp-unreachable D2 @5: 4")},
	{.name = "host prohibited", .ev.line = LINES(SHAKE, HELLO, "60 ! 3/10 4"), .only4 = true,
	 .says = LINES("< icmp-unreachable D2 @5: 4")},
	{.name = "a router refuses the SYN", .ev.line = LINES("0 > S 0 -", "20 ! 3/13 1"),
	 .says = LINES("< icmp-unreachable D1 @2: 1")},
	{.name = "the server itself refuses", .ev.line = LINES("0 > S 0 -", "20 ! 3/3 1 endpoint"),
	 .says = SILENT},
	{.name = "just within a second", .ev.line = LINES(SHAKE, HELLO, "1040 ! 3/13 4"),
	 .only4 = true,
	 .says = LINES("< icmp-unreachable D2 @5: 4")},
	{.name = "after a second", .ev.line = LINES(SHAKE, HELLO, "1040.3 ! 3/13 4"),
	 .says = SILENT},
	{.name = "fragmentation needed is how path MTU discovery works",
	 .ev.line = LINES(SHAKE, HELLO, "60 ! 3/4 4"), .only4 = true, .says = SILENT},
	{.name = "a traceroute's time exceeded is no refusal",
	 .ev.line = LINES("0 > S 0 -", "20 ! 11/0 1"), .says = SILENT},
	{.name = "the client's host refuses a packet of the server's",
	 .ev.line = LINES(SHAKE, HELLO, "80 < PA 1 518 100", "80.1 ! 3/10 5"), .says = SILENT},

	/* probe-reset and probe-answered */
	{.name = "a probe that died was answered with a RST",
	 .ev.line = LINES(SHAKE, PROBE, "1016 < RA 1 518 ttl=60"), .only4 = true,
	 .says = LINES("< probe-reset D4 @5: 6")},
	{.name = "with a bare RST", .ev.line = LINES(SHAKE, PROBE, "1016 < R 1 - ttl=60"),
	 .only4 = true,
	 .says = LINES("< probe-reset D4 @5: 6")},
	{.name = "with content", .ev.line = LINES(SHAKE, PROBE, "1016 < FPA 1 518 300 ttl=60"),
	 .only4 = true,
	 .says = LINES("< probe-answered D4 @5: 6")},
	{.name = "before the router said so",
	 .ev.line = LINES(SHAKE, "1000 > PA 1 1 517 ttl=9", "1010 < RA 1 518 ttl=60",
			  "1015 ! 11/0 4"), .only4 = true,
	 .says = LINES("< probe-reset D4 @6: 5")},
	{.name = "just within three seconds", .ev.line = LINES(SHAKE, PROBE, "4000 < RA 1 518"),
	 .only4 = true,
	 .says = LINES("< probe-reset D4 @5: 6")},
	{.name = "after three seconds", .ev.line = LINES(SHAKE, PROBE, "4000.1 < RA 1 518"),
	 .says = SILENT},
	{.name = "the probe was sent again and arrived",
	 .ev.line = LINES(SHAKE, PROBE, "1500 > PA 1 1 517", "1541 < RA 1 518"), .says = SILENT},
	{.name = "a decoy behind the true bytes, which are answered",
	 .ev.line = LINES(SHAKE, "1000 > PA 1 1 517", "1000.1 > PA 1 1 517 ttl=9", "1015 ! 11/0 5",
			  "1041 < PA 1 518 1400"),
	 .says = SILENT},
	{.name = "a decoy behind the first half of the true bytes",
	 .ev.line = LINES(SHAKE, "1000 > PA 1 1 200", "1000.1 > PA 201 1 317 ttl=9",
			  "1000.2 > PA 201 1 317", "1000.3 > PA 201 1 317 ttl=9", "1015 ! 11/0 7",
			  "1041 < PA 1 518 1400"),
	 .says = SILENT},
	{.name = "a RST that answers something else", .says = SILENT,
	 .ev.line = LINES(SHAKE, PROBE, "1016 < RA 1 1")},
	{.name = "a RST for the probe's first half only", .says = SILENT,
	 .ev.line = LINES(SHAKE, PROBE, "1016 < RA 1 517")},
	{.name = "an acknowledgement is no answer", .ev.line = LINES(SHAKE, PROBE,
								     "1016 < A 1 518"),
	 .says = SILENT},
	{.name = "a probe without payload: the handshake may still be answered",
	 .ev.line = LINES("0 > S 0 - ttl=9", "10 ! 11/0 1", "20 < RA 0 1"), .says = SILENT},
	{.name = "IP-ID 0 does not tell which packet died",
	 .ev.line = LINES(SHAKE, "1000 > PA 1 1 517 ttl=9 id=0", "1015 ! 11/0 4",
			  "1016 < RA 1 518"), .only4 = true,
	 .says = SILENT},
	{.name = "the router's word that it was a refusal, not a death",
	 .ev.line = LINES(SHAKE, "1000 > PA 1 1 517 ttl=9", "1015 ! 3/13 4", "1016 < RA 1 518"),
	 .only4 = true,
	 .says = LINES("< icmp-unreachable D2 @5: 4")},
};

int main(void)
{
	return RUN_SIG_CASES(sig_icmp, cases);
}
