/* SPDX-License-Identifier: BSD-3-Clause */

/* Silence: what was sent again and again, and everything else that ends without an answer. */

#include "classifiers/tamper/sig_drop.c"

#include "tests/unit/sig_cases.h"

#define ASK "40.2 > PA 1 1 517"
#define AGAIN3 "340 > PA 1 1 517", "940 > PA 1 1 517", "2140 > PA 1 1 517"
/* A hello of two segments, and its second segment sent three times more. */
#define HALVES "40.2 > A 1 1 1448", "40.3 > PA 1449 1 352"
#define HALF_AGAIN3 "340 > PA 1449 1 352", "940 > PA 1449 1 352", "2140 > PA 1449 1 352"
#define WEB(...) {.line = LINES(SHAKE, "40.2 > PA 1 1 99", __VA_ARGS__), .speaks = SPEAKS_HTTP}

/* Frozen after eleven packets of the server; T is the seconds, K says which connection. */
#define FROZEN_BEGIN(T, K)                                                                        \
	T "000 > S 0 -" K, T "040 < SA 0 1" K, T "041 > A 1 1" K, T "042 > PA 1 1 517" K,         \
		T "081 < PA 1 518 100" K, T "082 < PA 101 518 100" K, T "083 < PA 201 518 100" K, \
		T "084 < PA 301 518 100" K, T "085 < PA 401 518 100" K,                           \
		T "086 < PA 501 518 100" K, T "087 < PA 601 518 100" K,                           \
		T "088 < PA 701 518 100" K, T "089 < PA 801 518 100" K
#define FROZEN_END(T, K)                                                                          \
	T "100 > PA 518 1101 64" K, T "300 > PA 518 1101 64" K, T "500 > PA 518 1101 64" K,       \
		T "900 > PA 518 1101 64" K
#define FROZEN(T, K)                                                                              \
	FROZEN_BEGIN(T, K), T "090 < PA 901 518 100" K, T "091 < PA 1001 518 100" K, FROZEN_END(T, K)
#define FROZEN_AT_NINE(T, K)                                                                      \
	FROZEN_BEGIN(T, K), T "100 > PA 518 901 64" K, T "300 > PA 518 901 64" K,                 \
		T "500 > PA 518 901 64" K, T "900 > PA 518 901 64" K
#define NEXT " flow=1 server=65536"
#define THIRD " flow=2 server=5"
#define ITS_OWN "< connection-frozen D1 @16: 16 17 18 19"

/* Two full segments, of timestamps' 1,448 bytes; then the client closes, four times. */
#define DOWNLOAD                                                                                  \
	"80 < PA 1 518 1448", "81 < PA 1449 518 1448", "81.1 > A 518 1449", "81.2 > A 518 2897"
#define FINS                                                                                      \
	"9000 > FA 518 2897", "9300 > FA 518 2897", "9900 > FA 518 2897", "13000 > FA 518 2897"
/* An upload of which all was acknowledged, and the server that gives up in the end. */
#define UPLOAD                                                                                     \
	"80 < PA 1 518 700", "81 > A 518 701 1448", "82 > A 1966 701 1448", "121 < A 701 3414",   \
		"121.1 < A 701 3414"
#define SERVER_FINS                                                                                \
	"15000 < FA 701 3414", "15300 < FA 701 3414", "15900 < FA 701 3414", "17100 < FA 701 3414"

static const struct sig_case cases[] = {
	/* request-dropped */
	{.name = "a hello sent four times", .ev.line = LINES(SHAKE, ASK, AGAIN3),
	 .says = LINES("< request-dropped D2 @4: 4 5 6 7", "< psh-timeout D1 @7: 4")},
	{.name = "a hello sent three times", .says = LINES("< psh-timeout D1 @6: 4"),
	 .ev.line = LINES(SHAKE, ASK, "340 > PA 1 1 517", "940 > PA 1 1 517")},
	{.name = "a hello sent four times to a server that still waits for it",
	 .ev.line = LINES(SHAKE, ASK, AGAIN3, "2200 < A 1 1"),
	 .says = LINES("< request-dropped D3 @8: 4 5 6 7", "< psh-timeout D1 @8: 4")},
	{.name = "a server that waited, but less than a round trip after the first",
	 .ev.line = LINES(SHAKE, ASK, "80.1 < A 1 1", AGAIN3),
	 .says = LINES("< request-dropped D2 @4: 4 6 7 8", "< psh-timeout D1 @8: 4")},
	{.name = "a hello sent four times, then acknowledged",
	 .ev.line = LINES(SHAKE, ASK, AGAIN3, "2180 < A 1 518", "2181 < PA 1 518 700"),
	 .says = SILENT},
	{.name = "TTL-limited probes sent four times",
	 .ev.line = LINES(SHAKE, "1000 > PA 1 1 517 ttl=5", "2000 > PA 1 1 517 ttl=6",
			  "3000 > PA 1 1 517 ttl=7", "4000 > PA 1 1 517 ttl=8"),
	 .says = SILENT,
	 .untestable = "request-dropped: TTL-limited probes: the client meant its data to be lost"},
	{.name = "only the first of two segments is lost, a path MTU hole",
	 .ev = {.line = LINES(SHAKE, HALVES, "340 > A 1 1 1448", "940 > A 1 1 1448",
			      "2140 > A 1 1 1448"), .hello = 1800},
	 .says = LINES("< request-dropped D2 @4: 4 5 6 7 8", "< psh-timeout D1 @8: 4")},
	{.name = "the same, and the server acknowledges nothing new when it gets the second",
	 .ev = {.line = LINES(SHAKE, HALVES, "80.4 < A 1 1", "340 > A 1 1 1448", "940 > A 1 1 1448",
			      "2140 > A 1 1 1448"), .hello = 1800},
	 .says = LINES("< request-dropped D2 @4: 4 5 7 8 9", "< psh-timeout D1 @9: 4")},
	{.name = "the same, and the server that waits gives up in the end",
	 .ev = {.line = LINES(SHAKE, HALVES, "340 > A 1 1 1448", "940 > A 1 1 1448",
			      "2140 > A 1 1 1448", "10000 < FA 1 1"), .hello = 1800},
	 .says = LINES("< request-dropped D3 @9: 4 5 6 7 8")},
	{.name = "without a SYN+ACK nobody was there",
	 .ev.line = LINES("0 > S 0 -", "40.1 > A 1 1", ASK, AGAIN3), .says = SILENT},

	/* request-part-dropped */
	{.name = "the end of the hello is sent four times, its beginning was acknowledged",
	 .ev = {.line = LINES(SHAKE, HALVES, "80.3 < A 1 1449", HALF_AGAIN3), .hello = 1800},
	 .says = LINES("< request-part-dropped D3 @5: 5 7 8 9", "< psh-timeout D1 @9: 4")},
	{.name = "three times",
	 .ev = {.line = LINES(SHAKE, HALVES, "80.3 < A 1 1449", "340 > PA 1449 1 352",
			      "940 > PA 1449 1 352"), .hello = 1800},
	 .says = LINES("< psh-timeout D1 @8: 4")},
	{.name = "the end of the hello, larger than what passed",
	 .ev = {.line = LINES(SHAKE, "40.2 > A 1 1 300", "40.3 > PA 301 1 700", "80.3 < A 1 301",
			      "340 > PA 301 1 700", "940 > PA 301 1 700", "2140 > PA 301 1 700"),
		.hello = 1000},
	 .says = LINES("< request-part-dropped D3 @5: 5 7 8 9", "< psh-timeout D1 @9: 4")},
	{.name = "600 bytes in the middle, when larger ones passed",
	 .ev = {.line = LINES(SHAKE, "40.2 > A 1 1 900", "40.3 > A 901 1 600",
			      "40.4 > PA 1501 1 300",
			      "80.3 < A 1 901", "340 > A 901 1 600", "940 > A 901 1 600",
			      "2140 > A 901 1 600"), .hello = 1800},
	 .says = LINES("< request-part-dropped D3 @5: 5 6 8 9 10", "< psh-timeout D1 @10: 4")},
	{.name = "601 bytes in the middle: the MTU may be the cause",
	 .ev = {.line = LINES(SHAKE, "40.2 > A 1 1 900", "40.3 > A 901 1 601",
			      "40.4 > PA 1502 1 299",
			      "80.3 < A 1 901", "340 > A 901 1 601", "940 > A 901 1 601",
			      "2140 > A 901 1 601"), .hello = 1800},
	 .says = LINES("< request-part-dropped D2 @5: 5 6 8 9 10", "< psh-timeout D1 @10: 4")},
	{.name = "600 bytes in the middle, when only smaller ones passed",
	 .ev = {.line = LINES(SHAKE, "40.2 > A 1 1 300", "40.3 > A 301 1 600",
			      "40.4 > PA 901 1 900",
			      "80.3 < A 1 301", "340 > A 301 1 600", "940 > A 301 1 600",
			      "2140 > A 301 1 600"), .hello = 1800},
	 .says = LINES("< request-part-dropped D2 @5: 5 6 8 9 10", "< psh-timeout D1 @10: 4")},
	{.name = "data beyond the request is none of its parts",
	 .ev.line = LINES(SHAKE, ASK, "80 < PA 1 518 700", "81 > PA 518 701 64",
			  "300 > PA 518 701 64",
			  "700 > PA 518 701 64", "1500 > PA 518 701 64"),
	 .says = LINES("< connection-frozen D1 @6: 6 7 8 9")},

	/* frozen-alike */
	{.name = "three connections to two networks freeze after as many packets",
	 .ev.line = LINES(FROZEN("", ""), FROZEN("6", NEXT), FROZEN("12", THIRD)),
	 .says = LINES(ITS_OWN, "< frozen-alike D2 @16: 16 17 18 19"), .says6 = LINES(ITS_OWN)},
	{.name = "two only", .ev.line = LINES(FROZEN("", ""), FROZEN("12", NEXT)),
	 .says = LINES(ITS_OWN)},
	{.name = "three to one network",
	 .ev.line = LINES(FROZEN("", ""), FROZEN("6", " flow=1 server=4"), FROZEN("12", THIRD)),
	 .says = LINES(ITS_OWN)},
	{.name = "all three within ten seconds: the client lost its network",
	 .ev.line = LINES(FROZEN("", ""), FROZEN("6", NEXT), FROZEN("9", THIRD)),
	 .says = LINES(ITS_OWN)},
	{.name = "one of them three packets earlier: two are alike",
	 .ev.line = LINES(FROZEN("", ""), FROZEN("6", NEXT), "12000 > S 0 -" THIRD,
			  "12040 < SA 0 1" THIRD, "12042 > PA 1 1 517" THIRD,
			  "12081 < PA 1 518 100" THIRD, "12082 < PA 101 518 100" THIRD,
			  "12083 < PA 201 518 100" THIRD, "12084 < PA 301 518 100" THIRD,
			  "12085 < PA 401 518 100" THIRD, "12086 < PA 501 518 100" THIRD,
			  "12087 < PA 601 518 100" THIRD, "12088 < PA 701 518 100" THIRD,
			  "12100 > PA 518 801 64" THIRD, "12300 > PA 518 801 64" THIRD,
			  "12500 > PA 518 801 64" THIRD, "12900 > PA 518 801 64" THIRD),
	 .says = LINES(ITS_OWN)},
	{.name = "one of them two packets earlier",
	 .ev.line = LINES(FROZEN("", ""), FROZEN("6", NEXT), FROZEN_AT_NINE("12", THIRD)),
	 .says = LINES(ITS_OWN, "< frozen-alike D2 @16: 16 17 18 19"), .says6 = LINES(ITS_OWN)},

	{.name = "after nine packets: small answers are alike by themselves",
	 .ev.line = LINES(FROZEN_AT_NINE("", ""), FROZEN_AT_NINE("6", NEXT),
			  FROZEN_AT_NINE("12", THIRD)),
	 .says = LINES("< connection-frozen D1 @14: 14 15 16 17")},

	/* answer-missing */
	{.name = "a hello acknowledged and not answered for three seconds",
	 .ev.line = LINES(SHAKE, ASK, "80 < A 1 518", "3041 > A 517 1"),
	 .says = LINES("< answer-missing D2 @4: 4", "< psh-timeout D1 @6: 4")},
	{.name = "nor are three keep-alives, so that no program merely thinks",
	 .ev.line = LINES(SHAKE, ASK, "80 < A 1 518", "2000 > A 517 1", "4000 > A 517 1", "9000 > A 517 1"),
	 .says = LINES("< answer-missing D3 @4: 4", "< psh-timeout D1 @8: 4")},
	{.name = "two keep-alives",
	 .ev.line = LINES(SHAKE, ASK, "80 < A 1 518", "2000 > A 517 1", "9000 > A 517 1"),
	 .says = LINES("< answer-missing D2 @4: 4", "< psh-timeout D1 @7: 4")},
	{.name = "three keep-alives, the first of them acknowledged: a server that hangs",
	 .ev.line = LINES(SHAKE, ASK, "80 < A 1 518", "5000 > A 517 1", "5040 < A 1 518",
			  "9000 > A 517 1", "12000 > A 517 1"),
	 .says = LINES("< answer-missing D2 @4: 4", "< psh-timeout D1 @9: 4")},
	{.name = "not answered for less than three seconds",
	 .ev.line = LINES(SHAKE, ASK, "80 < A 1 518", "3040 > A 517 1"),
	 .says = LINES("< psh-timeout D1 @6: 4")},
	{.name = "not answered for less than ten round trips",
	 .ev.line = LINES("0 > S 0 -", "400 < SA 0 1", "400.1 > A 1 1", "401 > PA 1 1 517",
			  "801 < A 1 518", "4400 > A 517 1"),
	 .says = LINES("< psh-timeout D1 @6: 4")},
	{.name = "not answered for nearly ten round trips of 0.32 seconds",
	 .ev.line = LINES("0 > S 0 -", "320 < SA 0 1", "320.1 > A 1 1", "321 > PA 1 1 517",
			  "641 < A 1 518", "3421 > A 517 1"),
	 .says = LINES("< psh-timeout D1 @6: 4")},
	{.name = "not answered for ten round trips",
	 .ev.line = LINES("0 > S 0 -", "400 < SA 0 1", "400.1 > A 1 1", "401 > PA 1 1 517",
			  "801 < A 1 518", "4402 > A 517 1"),
	 .says = LINES("< answer-missing D2 @4: 4", "< psh-timeout D1 @6: 4")},
	{.name = "the server is there to the end",
	 .ev.line = LINES(SHAKE, ASK, "80 < A 1 518", "3041 > A 517 1", "3081 < A 1 518"),
	 .says = LINES("< psh-timeout D1 @7: 4")},
	{.name = "acknowledged and not answered, but the client sent TTL-limited probes",
	 .ev.line = LINES(SHAKE, "40.15 > PA 1 1 517 ttl=9", ASK, "80 < A 1 518", "3041 > A 517 1"),
	 .says = SILENT},
	{.name = "the server closes", .ev.line = LINES(SHAKE, ASK, "80 < FA 1 518",
						       "3041 > A 518 2"),
	 .says = SILENT},
	{.name = "a web server may think: D1", .ev = WEB("80 < A 1 100", "20040 > A 99 1"),
	 .says = LINES("< answer-missing D1 @4: 4")},
	{.name = "also for twenty seconds: long polling", .ev = WEB("80 < A 1 100", "20041 > A 99 1"),
	 .says = LINES("< answer-missing D1 @4: 4")},
	{.name = "but not when the client asks again, for twenty seconds",
	 .ev = WEB("80 < A 1 100", "280 > PA 1 1 99", "320 < A 1 100", "20041 > A 99 1"),
	 .says = LINES("< answer-missing D2 @4: 4")},
	{.name = "the client asked again, and not yet for twenty seconds",
	 .ev = WEB("80 < A 1 100", "280 > PA 1 1 99", "320 < A 1 100", "20040 > A 99 1"),
	 .says = LINES("< answer-missing D1 @4: 4")},
	{.name = "asked again before it was acknowledged: a lost packet, then long polling",
	 .ev = WEB("280 > PA 1 1 99", "320 < A 1 100", "20041 > A 99 1"),
	 .says = LINES("< answer-missing D1 @4: 4")},
	{.name = "a slow server that answers at last",
	 .ev = WEB("80 < A 1 100", "15041 > A 99 1", "15081 < A 1 100", "25000 < PA 1 100 700"),
	 .says = SILENT},
	{.name = "of other protocols the client may have nothing to ask",
	 .ev = {.line = LINES(SHAKE, "40.2 > PA 1 1 16", "80 < A 1 17", "9000 > A 16 1"),
		.speaks = SPEAKS_SSH},
	 .says = SILENT},

	/* acks-dropped */
	{.name = "the server does not hear that its answer arrived",
	 .ev.line = LINES(SHAKE, ASK, "80 < PA 1 518 700", "80.1 > A 518 701", "380 < PA 1 518 700",
			  "380.1 > A 518 701", "980 < PA 1 518 700", "980.1 > A 518 701",
			  "2180 < PA 1 518 700", "2180.1 > A 518 701"),
	 .says = LINES("< acks-dropped D2 @6: 6 8 10 12")},
	{.name = "two copies of what was acknowledged",
	 .ev.line = LINES(SHAKE, ASK, "80 < PA 1 518 700", "80.1 > A 518 701", "380 < PA 1 518 700",
			  "380.1 > A 518 701", "980 < PA 1 518 700", "980.1 > A 518 701"),
	 .says = SILENT},
	{.name = "copies at no growing distance: something else",
	 .ev.line = LINES(SHAKE, ASK, "80 < PA 1 518 700", "80.1 > A 518 701", "380 < PA 1 518 700",
			  "980 < PA 1 518 700", "1080 < PA 1 518 700"),
	 .says = SILENT},
	{.name = "at the server its own answers are seen before they are lost",
	 .ev = {.line = LINES("0 > S 0 -", "0.1 < SA 0 1", "40 > A 1 1", "40.1 > PA 1 1 517",
			      "41 < PA 1 518 700", "81 > A 518 701", "380 < PA 1 518 700",
			      "980 < PA 1 518 700", "2180 < PA 1 518 700"),
		.server_ttl = 64, .client_ttl = 50},
	 .says = SILENT},

	/* answer-dropped */
	{.name = "at the server: the answer sent four times, the client asks again",
	 .ev.line = LINES(SHAKE, ASK, "80 < PA 1 518 700", "340 > PA 1 1 517", "380 < PA 1 518 700",
			  "980 < PA 1 518 700", "2180 < PA 1 518 700"),
	 .says = LINES("< answer-dropped D2 @5: 5 7 8 9", "< connection-frozen D1 @5: 5 7 8 9")},
	{.name = "the answer sent four times, the client is gone",
	 .ev.line = LINES(SHAKE, ASK, "80 < PA 1 518 700", "380 < PA 1 518 700",
			  "980 < PA 1 518 700", "2180 < PA 1 518 700"),
	 .says = LINES("< connection-frozen D1 @5: 5 6 7 8")},
	{.name = "the client asked again before the answer",
	 .ev.line = LINES(SHAKE, ASK, "79 > PA 1 1 517", "80 < PA 1 518 700", "380 < PA 1 518 700",
			  "980 < PA 1 518 700", "2180 < PA 1 518 700"),
	 .says = LINES("< connection-frozen D1 @6: 6 7 8 9")},
	{.name = "the answer sent three times, the client asks again", .says = SILENT,
	 .ev.line = LINES(SHAKE, ASK, "80 < PA 1 518 700", "340 > PA 1 1 517", "380 < PA 1 518 700",
			  "980 < PA 1 518 700")},

	/* connection-frozen, in a download */
	{.name = "a download that stopped, and a FIN that nobody answers",
	 .ev.line = LINES(SHAKE, ASK, DOWNLOAD, FINS),
	 .says = LINES("< connection-frozen D1 @9: 9 10 11 12")},
	{.name = "a FIN sent three times", .says = SILENT,
	 .ev.line = LINES(SHAKE, ASK, DOWNLOAD, "9000 > FA 518 2897", "9300 > FA 518 2897",
			  "13000 > FA 518 2897")},
	{.name = "the server stopped with less than a full segment: it had nothing more to say",
	 .says = SILENT,
	 .ev.line = LINES(SHAKE, ASK, "80 < PA 1 518 1448", "81 < PA 1449 518 1400",
			  "81.1 > A 518 2849", "81.2 > A 518 2849", "9000 > FA 518 2849",
			  "9300 > FA 518 2849", "9900 > FA 518 2849", "13000 > FA 518 2849")},
	{.name = "the server had closed, and forgot the connection", .says = SILENT,
	 .ev.line = LINES(SHAKE, ASK, DOWNLOAD, "90 < FA 2897 518", FINS)},
	{.name = "the FIN is acknowledged in the end", .says = SILENT,
	 .ev.line = LINES(SHAKE, ASK, DOWNLOAD, FINS, "13050 < A 2897 519")},
	{.name = "the server was there nine seconds ago", .says = SILENT,
	 .ev.line = LINES(SHAKE, ASK, DOWNLOAD, "4001 < A 2897 518", FINS)},
	{.name = "the client resets in the end", .says = SILENT,
	 .ev.line = LINES(SHAKE, ASK, DOWNLOAD, FINS, "14000 > R 519 0")},

	/* connection-frozen, in an upload */
	{.name = "an upload that stopped, and a server's FIN that nobody answers",
	 .ev.line = LINES(SHAKE, ASK, UPLOAD, SERVER_FINS),
	 .says = LINES("< connection-frozen D1 @10: 10 11 12 13")},
	{.name = "a server's FIN sent three times", .says = SILENT,
	 .ev.line = LINES(SHAKE, ASK, UPLOAD, "15000 < FA 701 3414", "15300 < FA 701 3414",
			  "15900 < FA 701 3414")},
	{.name = "the client stopped with less than a full segment", .says = SILENT,
	 .ev.line = LINES(SHAKE, ASK, "80 < PA 1 518 700", "81 > A 518 701 1448",
			  "82 > PA 1966 701 1400", "121 < A 701 3366", "121.1 < A 701 3366",
			  SERVER_FINS)},
	{.name = "the client had closed, and forgot the connection", .says = SILENT,
	 .ev.line = LINES(SHAKE, ASK, UPLOAD, "130 > FA 3414 701", SERVER_FINS)},
	{.name = "the client was there nine seconds ago", .says = SILENT,
	 .ev.line = LINES(SHAKE, ASK, UPLOAD, "8200 > A 3414 701", SERVER_FINS)},

	/* connection-frozen */
	{.name = "frozen, but reset in the end",
	 .ev.line = LINES(SHAKE, ASK, "80 < PA 1 518 700", "81 > PA 518 701 64",
			  "300 > PA 518 701 64",
			  "700 > PA 518 701 64", "1500 > PA 518 701 64", "9000 > RA 582 701"),
	 .says = SILENT},
	{.name = "a segment sent four times and then acknowledged",
	 .ev.line = LINES(SHAKE, ASK, "80 < PA 1 518 700", "81 > PA 518 701 64",
			  "300 > PA 518 701 64",
			  "700 > PA 518 701 64", "1500 > PA 518 701 64", "1540 < A 701 582"),
	 .says = SILENT},

	/* SYNs */
	{.name = "three SYNs", .ev.line = LINES("0 > S 0 -", "1000 > S 0 -", "3000 > S 0 -"),
	 .says = LINES("< syn-unanswered D1 @1: 1 2 3", "< syn-timeout D1 @3:")},
	{.name = "two SYNs", .ev.line = LINES("0 > S 0 -", "1000 > S 0 -"),
	 .says = LINES("< syn-timeout D1 @2:")},
	{.name = "two SYNs over seven seconds", .ev.line = LINES("0 > S 0 -", "7000 > S 0 -"),
	 .says = LINES("< syn-unanswered D1 @1: 1 2", "< syn-timeout D1 @2:")},
	{.name = "two SYNs over less", .ev.line = LINES("0 > S 0 -", "6999 > S 0 -"),
	 .says = LINES("< syn-timeout D1 @2:")},
	{.name = "three SYNs, refused", .says = SILENT,
	 .ev.line = LINES("0 > S 0 -", "1000 > S 0 -", "3000 > S 0 -", "3040 < RA - 1")},
	{.name = "three SYNs and an ICMP error: somebody answered",
	 .ev.line = LINES("0 > S 0 -", "1000 > S 0 -", "3000 > S 0 -", "3040 ! 3/1 3"),
	 .says = LINES("< syn-timeout D1 @3:")},
	{.name = "three SYN+ACKs",
	 .ev.line = LINES("0 > S 0 -", "0.1 < SA 0 1", "1000 < SA 0 1", "3000 < SA 0 1"),
	 .says = LINES("< synack-unanswered D1 @2: 2 3 4", "< syn-timeout D1 @4:")},
	{.name = "two SYN+ACKs", .ev.line = LINES("0 > S 0 -", "0.1 < SA 0 1", "1000 < SA 0 1"),
	 .says = LINES("< syn-timeout D1 @3:")},
	{.name = "three SYN+ACKs, one acknowledged", .says = LINES("< ack-timeout D1 @5:"),
	 .ev.line = LINES("0 > S 0 -", "0.1 < SA 0 1", "1000 < SA 0 1", "3000 < SA 0 1",
			  "3040 > A 1 1")},

	/* Time-outs */
	{.name = "a handshake and nothing else", .ev.line = LINES(SHAKE),
	 .says = LINES("< ack-timeout D1 @3:")},
	{.name = "a handshake at the end of the capture",
	 .ev = {.line = LINES(SHAKE), .end_ms = 13040}, .says = SILENT,
	 .untestable = "ack-timeout: the capture ends too soon after the last packet"},
	{.name = "a handshake 13 s before the end of the capture",
	 .ev = {.line = LINES(SHAKE), .end_ms = 13041}, .says = LINES("< ack-timeout D1 @3:")},
	{.name = "two SYNs at the end of the capture", .says = SILENT,
	 .ev = {.line = LINES("0 > S 0 -", "1000 > S 0 -"), .end_ms = 5000},
	 .untestable = "syn-timeout: the capture ends too soon after the last packet"},
	{.name = "a request at the end of the capture", .says = SILENT,
	 .ev = {.line = LINES(SHAKE, ASK), .end_ms = 13040}},
	{.name = "a client that waits three seconds, at the end of the capture",
	 .ev = {.line = LINES(SHAKE, ASK, "3040 > A 517 1"), .end_ms = 3100},
	 .says = LINES("< psh-timeout D1 @5: 4")},
	{.name = "a FIN is no silence", .ev.line = LINES(SHAKE, ASK, "5000 > FA 518 1"),
	 .says = SILENT},
	{.name = "an ordinary answer", .ev.line = LINES(SHAKE, ASK, "80 < PA 1 518 700"),
	 .says = SILENT},
};

int main(void)
{
	return RUN_SIG_CASES(sig_drop, cases);
}
