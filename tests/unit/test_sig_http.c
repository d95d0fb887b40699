/* SPDX-License-Identifier: BSD-3-Clause */

/* Content that somebody else put in, and answers that only look so. */

#include "classifiers/tamper/sig_http.c"

#include "tests/unit/sig_cases.h"

#define GET "40.2 > PA 1 1 99"
#define PAGE " text=HTTP/1.1 307 Temporary Redirect. Location: http://page.example/"
#define FORGED "81 < FA 1 100 150 plain" PAGE
#define WEB(...) {.line = LINES(SHAKE, GET, __VA_ARGS__), .speaks = SPEAKS_HTTP}
#define WEB_NO_TS(...)                                                                            \
	{.line = LINES(SHAKE, GET, __VA_ARGS__), .speaks = SPEAKS_HTTP, .no_ts = true}

static const struct sig_case cases[] = {
	/* missing-timestamps */
	{.name = "a redirect without the timestamps that the server goes on to send",
	 .ev = WEB(FORGED, "83 < A 1 100"),
	 .says = LINES("< missing-timestamps D4 @5: 5", "< answer-with-fin D2 @5: 5")},
	{.name = "a redirect without timestamps and nothing else of the server",
	 .ev = WEB(FORGED),
	 .says = LINES("< missing-timestamps D3 @5: 5", "< answer-with-fin D2 @5: 5")},
	{.name = "a FIN without timestamps",
	 .ev = WEB("80 < PA 1 100 700", "90 < FA 701 100 plain"),
	 .says = LINES("< missing-timestamps D4 @6: 6")},
	{.name = "three packets without, none with",
	 .ev = WEB("80 < A 1 100 700 plain", "81 < PA 701 100 700 plain", "82 < FA 1401 100 plain"),
	 .says = LINES("< missing-timestamps D3 @5: 5 6 7")},
	{.name = "a box that strips options strips them all",
	 .ev = WEB("80 < A 1 100 700 plain", "81 < PA 701 100 700 plain",
		   "82 < PA 1401 100 9 plain",
		   "83 < FA 1410 100 plain"),
	 .says = SILENT},
	{.name = "acknowledgements and keep-alives without timestamps",
	 .ev = WEB("80 < A 1 100 plain", "81 < PA 1 100 700", "5000 < A 700 100 1 plain",
		   "9000 < A 700 100 plain", "9001 < R 701 - "),
	 .says = SILENT},
	{.name = "timestamps that were never agreed on", .ev = WEB_NO_TS(FORGED, "83 < A 1 100"),
	 .says = LINES("< answer-with-fin D2 @5: 5"),
	 .untestable = "missing-timestamps: timestamps not negotiated"},

	/* bytes-differ */
	{.name = "a forged answer, then the server's",
	 .ev = WEB_NO_TS("81 < PA 1 100 700 odd ttl=60", "90 < PA 1 100 700",
			 "91 < PA 701 100 700"),
	 .says = LINES("< bytes-differ D4 @6: 5", "< answer-without-status D2 @5: 5")},
	{.name = "the server's answer, then a forged one",
	 .ev = WEB_NO_TS("81 < PA 1 100 700", "90 < PA 1 100 700 odd ttl=60",
			 "91 < PA 701 100 700"),
	 .says = LINES("< bytes-differ D4 @6: 6")},
	{.name = "other bytes for a later segment",
	 .ev = WEB_NO_TS("81 < PA 1 100 700", "82 < PA 701 100 700 odd ttl=60",
			 "83 < PA 701 100 700",
			 "84 < PA 1401 100 700"),
	 .says = LINES("< bytes-differ D4 @7: 6")},
	{.name = "a shorter answer with other bytes in the place of the server's",
	 .ev = WEB_NO_TS("81 < PA 1 100 200 odd ttl=60", "90 < PA 1 100 700",
			 "91 < PA 701 100 700"),
	 .says = LINES("< bytes-differ D4 @6: 5", "< answer-without-status D2 @5: 5")},
	{.name = "bytes of the server's second segment, forged from within its first",
	 .ev = WEB_NO_TS("81 < PA 1 100 1400", "82 < PA 701 100 700 odd ttl=60"),
	 .says = LINES("< bytes-differ D4 @6: 6"),
	 .skip = "RACE-7: overlaps that begin at different numbers are not compared"},
	{.name = "sent again",
	 .ev = WEB("80 < A 1 100", "81 < PA 1 100 700", "400 < PA 1 100 700",
		   "401 < PA 701 100 700"), .says = SILENT},
	{.name = "sent again in other pieces",
	 .ev = WEB("81 < PA 1 100 40", "82 < PA 41 100 700", "400 < PA 1 100 740",
		   "800 < PA 1 100 20",
		   "801 < PA 41 100 30"),
	 .says = SILENT},
	{.name = "sent again in a capture that holds the first 128 bytes of each frame",
	 .ev = WEB("81 < PA 1 100 700 cut=128", "82 < PA 701 100 700 cut=128",
		   "400 < PA 1 100 700 cut=128"),
	 .says = SILENT},
	{.name = "sent again with shorter headers in a capture of 128 bytes of each frame",
	 .ev = {.line = LINES("0 > S 0 -", "40 < SA 0 1 plain", "40.1 > A 1 1 plain", GET " plain",
			      "81 < PA 1 100 700 ts=5 cut=128", "400 < PA 1 100 700 plain cut=128"),
		.speaks = SPEAKS_HTTP},
	 .says = SILENT, .only4 = true},
	{.name = "the answer was sent again: its copy is no other answer to measure by",
	 .ev = WEB("81 < PA 1 100 700", "400 < PA 1 100 700"), .says = SILENT},
	{.name = "the client's decoys are its own affair",
	 .ev = {.line = LINES(SHAKE, "40.2 > PA 1 1 99 odd ttl=5", GET, "81 < PA 1 100 700"),
		.speaks = SPEAKS_HTTP},
	 .says = SILENT},

	/* genuine-after-answer */
	{.name = "after an answer without timestamps the server starts where it was",
	 .ev = WEB("60 < PA 1 100 150 plain" PAGE, "81 < A 1 100"),
	 .says = LINES("< missing-timestamps D4 @5: 5", "< genuine-after-answer D3 @6: 5",
		       "< answer-sub-rtt D2 @5: 5")},
	{.name = "after an answer unlike its other packets the server starts where it was",
	 .ev = WEB_NO_TS("60 < PA 1 100 150 ttl=60 df=0" PAGE, "81 < A 1 100", "82 < A 1 100"),
	 .says = LINES("< genuine-after-answer D3 @6: 5", "< answer-sub-rtt D2 @5: 5"),
	 .only4 = true},
	{.name = "after such an answer, but sooner than half a round trip",
	 .ev = WEB("62 < PA 1 100 150 plain" PAGE, "80.2 < A 1 100"),
	 .says = LINES("< missing-timestamps D4 @5: 5", "< answer-sub-rtt D2 @5: 5")},
	{.name = "the answer and its acknowledgement swapped places",
	 .ev = WEB_NO_TS("80 < A 1 100", "81 < PA 1 100 700", "102 < A 1 100"), .says = SILENT},

	/* answer-header */
	{.name = "TTL 10 off and DF, against two others",
	 .ev = WEB("81 < PA 1 100 700 ttl=58 df=0", "82 < PA 701 100 700", "83 < PA 1401 100 700"),
	 .says = LINES("< answer-header D3 @5: 5"), .says6 = SILENT},
	{.name = "TTL 9 off and DF",
	 .ev = WEB("81 < PA 1 100 700 ttl=57 df=0", "82 < PA 701 100 700", "83 < PA 1401 100 700"),
	 .says = SILENT},
	{.name = "TTL 10 off only",
	 .ev = WEB("81 < PA 1 100 700 ttl=58", "82 < PA 701 100 700", "83 < PA 1401 100 700"),
	 .says = SILENT},
	{.name = "against one other", .says = SILENT,
	 .ev = WEB("81 < PA 1 100 700 ttl=58 df=0", "82 < PA 701 100 700")},
	{.name = "the SYN+ACK is a SYN proxy's, all data is alike", .says = SILENT,
	 .ev = {.line = LINES("0 > S 0 -", "40 < SA 0 1 ttl=100 df=0", "40.1 > A 1 1", GET,
			      "81 < PA 1 100 700", "82 < PA 701 100 700", "83 < PA 1401 100 700"),
		.speaks = SPEAKS_HTTP}},

	/* answer-before-request */
	{.name = "an answer that acknowledges nothing of the request",
	 .ev = WEB("81 < PA 1 1 150" PAGE),
	 .says = LINES("< answer-before-request D4 @5: 5")},
	{.name = "an answer that acknowledges its first byte", .ev = WEB("81 < PA 1 2 700"),
	 .says = SILENT},
	{.name = "a server that spoke before the request",
	 .ev = {.line = LINES(SHAKE, "80 < PA 1 1 20 text=220 mail ESMTP", "81 > PA 1 21 99"),
		.speaks = SPEAKS_HTTP},
	 .says = LINES("< answer-without-status D2 @4: 4")},
	{.name = "a server that speaks first, while the request was on its way",
	 .ev = WEB("80 < PA 1 1 20 text=220 mail ESMTP"),
	 .says = LINES("< answer-without-status D2 @5: 5")},
	{.name = "of other protocols the server may speak first",
	 .ev = {.line = LINES(SHAKE, "40.2 > PA 1 1 16", "80 < PA 1 1 16"), .speaks = SPEAKS_SSH},
	 .says = SILENT},

	/* answer-sub-rtt */
	{.name = "sooner than 0.8 of the round trip of other requests",
	 .ev = WEB("80.2 < PA 1 100 700", "90 > PA 100 701 50", "121 < PA 701 150 700"),
	 .says = LINES("< answer-sub-rtt D2 @7: 7")},
	{.name = "not sooner than 0.8 of it",
	 .ev = WEB("80.2 < PA 1 100 700", "90 > PA 100 701 50", "123 < PA 701 150 700"),
	 .says = SILENT},
	{.name = "the handshake alone must differ widely: 0.2 of it",
	 .ev = WEB("48 < PA 1 100 700"), .says = LINES("< answer-sub-rtt D2 @5: 5")},
	{.name = "a slow handshake, a nearer cache", .ev = WEB("49 < PA 1 100 700"),
	 .says = SILENT},
	{.name = "what it answers was sent twice", .says = SILENT,
	 .ev = WEB("240 > PA 1 1 99", "242 < PA 1 100 700")},

	/* answer-with-fin */
	{.name = "a redirect in one packet that closes", .ev = WEB("81 < FPA 1 100 150" PAGE),
	 .says = LINES("< answer-with-fin D2 @5: 5")},
	{.name = "with 1460 bytes", .ev = WEB("81 < FPA 1 100 1460" PAGE),
	 .says = LINES("< answer-with-fin D2 @5: 5")},
	{.name = "with 1461 bytes", .ev = WEB("81 < FPA 1 100 1461" PAGE), .says = SILENT},
	{.name = "the FIN comes apart", .says = SILENT,
	 .ev = WEB("81 < PA 1 100 150" PAGE, "81.1 < FA 151 100")},
	{.name = "more data behind the packet that closes", .says = SILENT,
	 .ev = WEB("80 < A 1 100", "81 < FPA 1 100 150" PAGE, "82 < PA 151 100 700")},
	{.name = "404 in one packet that closes",
	 .ev = WEB("81 < FPA 1 100 150 text=HTTP/1.1 404 Not Found"), .says = SILENT},
	{.name = "the last of two packets", .says = SILENT,
	 .ev = WEB("81 < PA 1 100 700", "82 < FPA 701 100 150")},

	/* answer-without-status */
	{.name = "a page without a status line", .ev = WEB("81 < PA 1 100 500 text=<html>blocked"),
	 .says = LINES("< answer-without-status D2 @5: 5")},
	{.name = "the capture lacks the answer's beginning",
	 .ev = WEB("81 > A 100 701", "82 < PA 701 100 700"), .says = SILENT},
	{.name = "an ordinary answer", .says = SILENT,
	 .ev = WEB("80 < A 1 100", "81 < PA 1 100 700", "82 < FPA 701 100 300",
		   "82.1 > FA 100 1002",
		   "122 < A 1002 108")},
};

int main(void)
{
	return RUN_SIG_CASES(sig_http, cases);
}
