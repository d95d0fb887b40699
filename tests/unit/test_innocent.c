/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What hosts, balancers, translators and user-side tools do by themselves, and that looks like a
 * forger's work: none of it may be laid at a third party's door.
 */

#include "classifiers/tamper/judge.c"

#include "tests/unit/judge_cases.h"

#define ANSWER "80 < A 1 518", "81 < PA 1 518 700"
#define TLS(...) {.line = LINES(SHAKE, HELLO, __VA_ARGS__)}
#define WEB(...) {.line = LINES(SHAKE, "40.2 > PA 1 1 99", __VA_ARGS__), .speaks = SPEAKS_HTTP}
/* Behind the server or in the middle: the client is 40 ms away. */
#define AT_SERVER(...)                                                                            \
	{.line = LINES("0 > S 0 -", "0.1 < SA 0 1", "40 > A 1 1", "40.1 > PA 1 1 517",            \
		       "40.2 < A 1 518", __VA_ARGS__),                                            \
	 .client_ttl = 50, .server_ttl = 64}

static const struct judge_case cases[] = {
	{.name = "keep-alives without timestamps and with a byte of garbage, then the time is up",
	 .finds = SILENT,
	 .ev = TLS(ANSWER, "81.1 > A 518 701", "5000 < A 700 518 1 odd plain", "5000.1 > A 518 701",
		   "10000 < A 700 518 1 odd plain", "10000.1 > A 518 701", "15000 < RA 701 518")},
	{.name = "TCP Fast Open: data in the SYN, an answer before the ACK", .finds = SILENT,
	 .ev = {.line = LINES("0 > S 0 - 99", "40 < SA 0 100", "40.1 < PA 1 100 700",
			      "40.2 > A 100 701", "41 > FA 100 701", "81 < FA 701 101"),
		.speaks = SPEAKS_HTTP}},
	{.name = "TCP Fast Open: the SYN's data was not taken", .finds = SILENT,
	 .ev = {.line = LINES("0 > S 0 - 99", "40 < SA 0 1", "40.1 > PA 1 1 99",
			      "80 < PA 1 100 700", "80.1 > A 100 701"),
		.speaks = SPEAKS_HTTP}},
	{.name = "both open at once", .finds = SILENT,
	 .ev.line = LINES("0 > S 0 -", "20 < S 0 -", "20.1 > SA 0 1", "40 < SA 0 1", "41 > A 1 1",
			  HELLO, "80 < A 1 518", "81 < PA 1 518 700")},
	{.name = "both close at once, and one resets late data", .finds = SILENT,
	 .ev = TLS(ANSWER, "100 > FA 518 701", "101 < FA 701 518", "101.1 > A 519 702",
		   "140 < A 702 519", "141 > PA 519 702 10", "181 < R 702 - id=0")},
	{.name = "FIN_WAIT2: the server closed, the client goes on and is reset", .finds = SILENT,
	 .ev = TLS(ANSWER, "82 < FA 701 518", "83 > A 518 702", "200 > PA 518 702 300",
		   "240 < R 702 - id=0", "240.1 > A 818 702", "280 < R 702 - id=0")},
	{.name = "at the server: a half-open scan by a kernel that knows nothing of it",
	 .finds = SILENT,
	 .ev = {.line = LINES("0 > S 0 - plain", "0.1 < SA 0 1", "40 > R 1 - id=0"),
		.client_ttl = 50, .server_ttl = 64}},
	{.name = "an old connection on the same ports: challenge ACK, RST, SYN again",
	 .finds = SILENT,
	 .ev = {.line = LINES("0 > S 0 -", "0.1 < A 900000 800000", "40 > R 800000 - id=0",
			      "1000 > S 0 -", "1000.1 < SA 0 1", "1040 > A 1 1",
			      "1040.1 > PA 1 1 517", "1041 < PA 1 518 700", "1081 > A 518 701"),
		.client_ttl = 50, .server_ttl = 64}},
	{.name = "a guard that asks for a RST first: a wrong ACK number, then the true SYN+ACK",
	 .finds = SILENT,
	 .ev = {.line = LINES("0 > S 0 -", "0.1 < SA 7000 5000 plain", "40 > R 5000 - id=0",
			      "1000 > S 0 -", "1000.1 < SA 0 1", "1040 > A 1 1",
			      "1040.1 > PA 1 1 517", "1041 < PA 1 518 700", "1081 > A 518 701"),
		.client_ttl = 50, .server_ttl = 64}},
	{.name = "the same with numbers that follow each other by chance", .finds = SILENT,
	 .ev = {.line = LINES("0 > S 0 -", "0.1 < SA 7000 -500000 plain", "40 > R -500000 - id=0",
			      "1000 > S 0 -", "1000.1 < SA 0 1", "1040 > A 1 1",
			      "1040.1 > PA 1 1 517", "1041 < PA 1 518 700", "1081 > A 518 701"),
		.client_ttl = 50, .server_ttl = 64}},
	{.name = "a guard that resets the first connection, so that true clients come again",
	 .finds = SILENT, .ev.line = LINES(SHAKE, "80 < R 1 - ttl=55 df=0 id=9")},
	{.name = "RFC 5961: an inexact RST, a challenge ACK, the exact RST", .finds = SILENT,
	 .ev = TLS(ANSWER, "81.1 > A 518 701", "90 < RA 1401 518", "90.1 > A 518 701",
		   "130 < R 701 - id=0")},
	{.name = "a pre-connected client asks just when the server gives up waiting",
	 .finds = SILENT,
	 .ev = {.line = LINES(SHAKE, "15000 > PA 1 1 99",
			      "15010 < PA 1 1 60 text=HTTP/1.1 408 Request Time-out",
			      "15010.1 < FA 61 1", "15040 < R 61 - id=0"),
		.speaks = SPEAKS_HTTP}},
	{.name = "a radio that was asleep: the SYN waits, the server refuses at once",
	 .ev.line = LINES("0 > S 0 -", "600 < SA 0 1", "600.1 > A 1 1", "600.2 > PA 1 1 517",
			  "645 < RA 1 518"),
	 .finds = LINES("< rst-sub-rtt anomaly 4.0: 5 after 4 post_psh")},
	{.name = "a balancer that says why in the RST (RFC 1122, section 4.2.2.12)",
	 .ev = TLS(ANSWER, "81.1 > A 518 701", "5000 < RA 701 518 40 text=BIG-IP: [0x2c:9] Flow "
								    "expired (sweeper)"),
	 .finds = SILENT},
	{.name = "a closed port behind a stack that turns the packet around, IP-ID and all",
	 .ev.line = LINES("0 > S 0 - id=777", "40 < RA - 1 id=777 df=0"), .only4 = true,
	 .finds = LINES("< rst-ip-id-mirror anomaly 4.0: 2 after 0 post_syn")},
	{.name = "two kinds of backends: the one that resets is as its SYN+ACK",
	 .ev.line = LINES("-900 > S 0 - flow=1", "-860 < SA 0 1 flow=1", "-859 > A 1 1 flow=1",
			  "-858 > PA 1 1 517 flow=1", "-818 < PA 1 518 900 flow=1",
			  "0 > S 0 -", "40 < SA 0 1 ttl=115 df=0", "40.1 > A 1 1", HELLO,
			  "81 < RA 1 518 ttl=115 df=0"),
	 .finds = LINES("< reset-after-request anomaly 2.0: 10 after 9 post_psh")},
	{.name = "on the way: the client's own decoy, a RST that will not reach the server",
	 .finds = SILENT,
	 .ev = {.line = LINES("0 > S 0 -", "20 < SA 0 1", "40 > A 1 1", "40.1 > R 1 - ttl=4 id=5",
			      "40.2 > PA 1 1 517", "60 < A 1 518", "61 < PA 1 518 700",
			      "81 > A 518 701"),
		.vantage = VANTAGE_MIDDLE, .client_ttl = 55, .server_ttl = 55}},
	{.name = "the same decoy, in a capture that lacks the SYN", .finds = SILENT,
	 .ev = {.line = LINES("20 < SA 0 1", "40 > A 1 1", "40.1 > R 1 - ttl=4 id=5",
			      "40.2 > PA 1 1 517", "60 < A 1 518", "61 < PA 1 518 700",
			      "81 > A 518 701"),
		.vantage = VANTAGE_MIDDLE, .client_ttl = 55, .server_ttl = 55}},
	{.name = "the server is rebooted in the middle: a refusal for each packet", .finds = SILENT,
	 .ev = TLS(ANSWER, "81.1 > A 518 701", "900 > PA 518 701 64", "940 < R 701 - id=0 ttl=48",
		   "941 > PA 582 701 64", "981 < R 701 - id=0")},
	{.name = "Windows: a closed port, asked three times, then open", .finds = SILENT,
	 .ev.line = LINES("0 > S 0 -", "40 < RA - 1", "540 > S 0 -", "580 < RA - 1", "1080 > S 0 -",
			  "1120 < SA 0 1", "1120.1 > A 1 1", "1120.2 > PA 1 1 517",
			  "1160 < PA 1 518 700")},
	{.name = "at the server: the client's phone changes networks and starts anew",
	 .finds = SILENT,
	 .ev = AT_SERVER("41 < PA 1 518 700", "300 < PA 1 518 700", "800 < PA 1 518 700",
			 "1800 < PA 1 518 700", "3900 > R 518 - id=0 ttl=50")},
	{.name = "a server that aborts in the middle of its answer", .finds = SILENT,
	 .ev = TLS(ANSWER, "82 < A 701 518 1400", "82.1 > A 518 2101", "83 < RA 2101 518",
		   "123 < R 2101 - id=0")},
	{.name = "a refusal of the handshake's ACK overtakes the sender's own last data and abort",
	 .finds = SILENT,
	 .ev = WEB("80 < A 1 100", "82 < A 1 100 1448", "82.1 > A 100 1449", "82.2 < PA 1449 100 1448",
		   "82.3 > A 100 2897", "88.8 < R 1 - id=0", "91.2 < PA 2897 100 354",
		   "91.3 > A 100 3251", "91.4 < RA 3251 100 win=509", "122.6 < R 1449 - id=0",
		   "122.7 < R 2897 - id=0", "132 < R 3251 - id=0")},
	{.name = "the same, and a lost segment is among the data",
	 .finds = SILENT,
	 .ev = WEB("80 < A 1 100", "82 < PA 1449 100 1448", "82.1 > A 100 1",
		   "90.8 < R 1 - id=0", "91.6 < A 1 100 1448", "91.65 > R 100 - id=0",
		   "91.7 < PA 2897 100 354", "91.71 > R 100 - id=0", "91.72 < RA 3251 100 win=509",
		   "122.6 < R 1 - id=0")},
	{.name = "a RST that overtook the last data of its sender, by IP-ID", .finds = SILENT,
	 .ev = TLS("80 < PA 1 518 100", "81 < RA 801 518 id=0x5004",
		   "86 < PA 101 518 700 id=0x5003"),
	 .only4 = true},
};

int main(void)
{
	return RUN_JUDGE_CASES(cases);
}
