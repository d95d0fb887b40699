/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Attempts to open QUIC connections as tables of datagrams, through decode, flow table, classifier
 * and judge. A line:
 *
 *   "MS > PORT I [NAME] [key=N …]"   a client's Initial in a datagram of 1,200 bytes
 *   "MS > PORT H | S | Z"            a client's Handshake, 1-RTT or 0-RTT packet
 *   "MS < PORT I | H | S | V | R | C | G"
 *                                    the server's Initial with CRYPTO, Handshake, 1-RTT, Version
 *                                    Negotiation, Retry, Initial with CONNECTION_CLOSE, garbage
 *   "MS ! PORT"                      ICMP port unreachable about the port's last datagram
 *   "MS = PORT"                      the port's last datagram again, as a mirror port shows it
 *
 * Keys: v (version), cid (which connection ID, else that of the attempt), part (1 or 2: that half of
 * the hello's bytes), ttl, server (another address), client (another address), cut (bytes captured),
 * sport (the server's port, 443), code. Frames are numbered from 1.
 */

#include "tests/unit/quic_build.h"
#include "tests/unit/udp_cases.h"

#include "classifiers/tamper/sig_quic.c"

struct quic_case {
	const char *name;
	const char *const *line;
	const char *const *finds; /* "ID VERDICT: FRAMES…", in any order, all there are */
	const char *untestable;   /* must be said by judge's rows; NULL: not looked at */
	enum vantage vantage;
	double end_ms;            /* of the capture; 0: 100 s after the last packet */
};

struct quic_line {
	double ms;
	char dir, kind;
	unsigned port, cid, part, ttl, server, client, cut, sport, code;
	uint32_t version;
	char sni[80];
};

static void parse_quic(const char *text, struct quic_line *l)
{
	int n = 0;
	*l = (struct quic_line){.cid = 0, .version = QUIC_V1, .sport = 443, .code = 0x128};
	assert_true(sscanf(text, "%lf %c %u%n", &l->ms, &l->dir, &l->port, &n) == 3);
	text += n;
	if (l->dir == '>' || l->dir == '<') {
		assert_int_equal(sscanf(text, " %c%n", &l->kind, &n), 1);
		text += n;
	}
	for (char word[80]; sscanf(text, "%79s%n", word, &n) == 1; text += n) {
		const char *eq = strchr(word, '=');
		unsigned v = eq != NULL ? (unsigned)strtoul(eq + 1, NULL, 0) : 0;
		if (eq == NULL)
			snprintf(l->sni, sizeof(l->sni), "%s", word);
		else if (strncmp(word, "v=", 2) == 0)
			l->version = v;
		else
			*(strncmp(word, "cid=", 4) == 0	     ? &l->cid
			  : strncmp(word, "part=", 5) == 0   ? &l->part
			  : strncmp(word, "ttl=", 4) == 0    ? &l->ttl
			  : strncmp(word, "server=", 7) == 0 ? &l->server
			  : strncmp(word, "client=", 7) == 0 ? &l->client
			  : strncmp(word, "cut=", 4) == 0    ? &l->cut
			  : strncmp(word, "sport=", 6) == 0  ? &l->sport
							     : &l->code) = v;
	}
}

/* The client's IDs follow from port and cid, the server's own begin with 0xee. */
static struct quic_cid cid_of(unsigned port, unsigned cid, uint8_t first)
{
	struct quic_cid c = {8, {first, (uint8_t)(port >> 8), (uint8_t)port, (uint8_t)cid}};
	return c;
}

static struct quic_crypto *crypto;

static void put_frames(struct datagram_built *d, const struct quic_line *l)
{
	uint8_t hello[700];
	size_t n = make_quic_hello(hello, sizeof(hello), l->sni, 100), half = n / 2;
	if (l->dir == '<' && l->kind == 'I') {
		put_be(d, 5, 0x0200000000);
		put_crypto(d, 0, hello, 60);
	} else if (l->dir == '<') {
		put_be(d, 1, QUIC_CLOSE);
		put_varint(d, l->code);
		put_be(d, 2, 0);
	} else if (l->part == 2) {
		put_crypto(d, half, hello + half, n - half);
	} else if (l->part == 1) {
		put_crypto(d, 20, hello + 20, half - 20);
		put_be(d, 1, QUIC_PING);
		put_crypto(d, 0, hello, 20);
	} else {
		put_crypto(d, 0, hello, n);
	}
}

/* The connection ID that keys come from: cid 100 and up are those of a Retry. */
static void build(const struct quic_line *l, struct datagram_built *d)
{
	struct quic_cid first = cid_of(l->port, l->cid, l->cid >= 100 ? 0xee : 0x83);
	struct quic_cid client = cid_of(l->port, l->cid % 100, 0xcc);
	struct quic_cid server = cid_of(l->port, l->cid, 0xee);
	static const struct quic_cid none;
	bool s2c = l->dir == '<';
	d->n = 0;
	if (l->kind == 'I' || l->kind == 'C') {
		struct datagram_built frames = {.n = 0};
		struct quic_keys k = {{0}, {0}, {0}};
		struct initial i = {.version = l->version, .number = 7, .pad = s2c ? 0 : 1200};
		i.dcid = s2c ? client : first;
		i.scid = s2c ? server : client;
		quic_keys_derive(crypto, l->version, &first, s2c ? DIR_S2C : DIR_C2S, &k);
		put_frames(&frames, l);
		put_initial(d, &i, &k, frames.b, frames.n);
		return;
	}
	bool v2 = l->version == QUIC_V2;
	switch (l->kind) {
	case 'H':
		put_long(d, v2 ? 3 : 2, l->version, s2c ? &client : &server, &none, 80);
		break;
	case 'Z':
		put_long(d, v2 ? 2 : 1, l->version, &first, &client, 80);
		break;
	case 'R':
		put_be(d, 1, v2 ? 0xc0 : 0xf0);
		put_be(d, 4, l->version);
		put_cid(d, &client);
		server = cid_of(l->port, l->cid + 100, 0xee);
		put_cid(d, &server);
		for (unsigned i = 0; i < 30; i++)
			put_be(d, 1, i);
		break;
	case 'V':
		put_be(d, 5, 0x8000000000);
		put_cid(d, &client);
		put_cid(d, &server);
		put_be(d, 4, QUIC_V2);
		break;
	default:
		for (unsigned i = 0; i < 40; i++)
			put_be(d, 1, l->kind == 'S' ? 0x40 | (i & 31) : 0x16);
	}
}

static unsigned last_of_port(const struct world *w, const char *const *line, unsigned before,
			     unsigned port)
{
	for (unsigned i = before; i > 0; i--) {
		struct quic_line l;
		parse_quic(line[i - 1], &l);
		if (l.port == port && l.dir == '>')
			return i;
	}
	(void)w;
	fail_msg("port %u has sent nothing", port);
	return 0;
}

static void run_lines(struct world *w, const struct quic_case *c)
{
	for (unsigned i = 0; c->line[i] != NULL; i++) {
		struct quic_line l;
		struct datagram_built d;
		struct frame *f = &w->frames[i + 1];
		assert_true(i < LINES_MAX);
		parse_quic(c->line[i], &l);
		if (l.dir == '!')
			frame_unreachable(&w->frames[last_of_port(w, c->line, i, l.port)], f);
		else if (l.dir == '=')
			*f = w->frames[last_of_port(w, c->line, i, l.port)];
		if (l.dir == '>' || l.dir == '<') {
			build(&l, &d);
			frame_datagram(&(struct datagram){.s2c = l.dir == '<', .client = l.client,
							  .server = l.server, .port = l.port,
							  .sport = l.sport, .ttl = l.ttl},
				       d.b, d.n, f);
			f->caplen = l.cut != 0 ? l.cut : f->caplen;
		}
		feed_frame(w, i, l.ms);
	}
	end_capture(w, c->end_ms);
}

static void say_packets(const struct finding *f, char *out, size_t len)
{
	size_t n = (size_t)snprintf(out, len, "%s %s:", f->id, verdict_name[f->verdict]);
	for (unsigned k = 0; k < f->n_packets && n < len; k++)
		n += (size_t)snprintf(out + n, len - n, " %u", (unsigned)f->packets[k]);
	assert_true(f->sentence[0] != '\0' && f->n_ladder != 0 && f->n_devices == 0);
}

static void check_quic_case(void **state)
{
	static const char *const no_lines[] = {NULL};
	static const struct variant plain = {.name = "as is"};
	const struct quic_case *c = *state;
	const struct events ev = {.line = no_lines, .vantage = c->vantage};
	struct world w;
	world_open(&w, &ev, &plain);
	run_lines(&w, c);
	unsigned bad = hold_against(&w, c->finds, say_packets);
	world_close(&w);
	assert_int_equal(bad, 0);
}

/* Somebody is answered, so that the capture holds both directions. */
#define ANSWERED "0 > 50000 I other.example server=9", "40 < 50000 I server=9"

/* One name at 30 s and more from the other, each tried once. */
#define TRY(ms, port, name) ms " > " port " I " name
#define ANSWER(ms, port) ms " < " port " I"

#define THREE_SILENT                                                                              \
	TRY("1000", "41000", "blocked.example"), TRY("31000", "41001", "Blocked.example"),        \
		TRY("61000", "41002", "blocked.example")

static const struct quic_case cases[] = {
	/* Innocent, or not to be told apart from it. */
	{"answered", LINES("0 > 40000 I a.example", "40 < 40000 I", "41 < 40000 H", "42 > 40000 H"),
	 SILENT},
	{"answered by a Handshake packet", LINES("0 > 40000 I a.example", "40 < 40000 H"), SILENT},
	{"version 2 answered", LINES("0 > 40000 I a.example v=0x6b3343cf",
				     "40 < 40000 I v=0x6b3343cf"), SILENT},
	{"name over two datagrams", LINES("0 > 40000 I a.example part=2", "0.1 > 40000 I a.example part=1",
					  "40 < 40000 I"), SILENT},
	{"Retry, then answered", LINES("0 > 40000 I a.example", "40 < 40000 R",
				       "41 > 40000 I a.example cid=100", "81 < 40000 I cid=100"),
	 SILENT},
	{"Retry to a client that only asked", LINES("0 > 40000 I a.example", "40 < 40000 R"), SILENT},
	{"version negotiated, then answered",
	 LINES("0 > 40000 I a.example", "40 < 40000 V", "41 > 40000 I a.example v=0x6b3343cf",
	       "81 < 40000 I v=0x6b3343cf"), SILENT},
	{"a version is negotiated in vain", LINES("0 > 40000 I a.example v=0x1a2a3a4a",
						  "40 < 40000 V"), SILENT},
	{"resumed with 0-RTT", LINES("0 > 40000 I a.example", "0.1 > 40000 Z", "40 < 40000 I"), SILENT},
	{"0-RTT overtakes the Initial", LINES("0 > 40000 Z", "0.1 > 40000 I a.example", "40 < 40000 I"),
	 SILENT},
	{"a connection picked up midway", LINES(ANSWERED, "50 > 40000 S", "3000 > 40000 S",
						"7000 > 40000 S"), SILENT},
	{"a client's new address", LINES(ANSWERED, "50 > 40000 S client=3", "90 > 40000 S client=3"),
	 SILENT},
	{"the server closes with an alert", LINES("0 > 40000 I a.example", "40 < 40000 C"), SILENT},
	{"ICMP", LINES(ANSWERED, "50 > 40000 I a.example", "51 ! 40000", "1050 > 40000 I a.example",
		       "4050 > 40000 I a.example"), SILENT},
	{"only the client was captured",
	 LINES("0 > 40000 I a.example", "40 > 40000 H", "41 > 40000 S", "5000 > 40001 I b.example"),
	 SILENT},
	{"one connection captured from one side, up to its second Initial",
	 LINES(ANSWERED, "50 > 40000 I a.example", "90 > 40000 I a.example cid=100"), SILENT},
	{"one connection captured from one side",
	 LINES(ANSWERED, "50 > 40000 I a.example", "90 > 40000 H", "91 > 40000 S"), SILENT},
	{"the capture ends", LINES(ANSWERED, "50 > 40000 I a.example"), SILENT, .end_ms = 2000},
	{"at the server", LINES(ANSWERED, "50 > 40000 I a.example"), SILENT,
	 .vantage = VANTAGE_SERVER},
	{"not QUIC at all", LINES(ANSWERED, "50 > 40000 G", "1050 > 40000 G", "4050 > 40000 G"), SILENT},
	/* Silence that proves nothing. */
	{"a race that TCP won", LINES(ANSWERED, "50 > 40000 I a.example", "250 > 40000 I a.example"),
	 LINES("quic-unanswered inconclusive: 3 4")},
	{"three Initials too soon", LINES(ANSWERED, "50 > 40000 I a.example", "300 > 40000 I a.example",
					  "900 > 40000 I a.example"),
	 LINES("quic-unanswered inconclusive: 3 4 5")},
	{"two flights of two datagrams",
	 LINES(ANSWERED, "50 > 40000 I a.example part=1", "50.1 > 40000 I a.example part=2",
	       "4050 > 40000 I a.example part=1", "4050.1 > 40000 I a.example part=2"),
	 LINES("quic-unanswered inconclusive: 3 4 5 6")},
	{"frames captured twice", LINES(ANSWERED, "50 > 40000 I a.example", "50.1 = 40000",
					"4050 > 40000 I a.example", "4050.1 = 40000"),
	 LINES("quic-unanswered inconclusive: 3 4 5 6")},
	{"three Initials", LINES(ANSWERED, "50 > 40000 I a.example", "1050 > 40000 I a.example",
				 "3050 > 40000 I a.example", "7050 > 40000 I a.example"),
	 LINES("quic-initials-unanswered inconclusive: 3 4 5 6")},
	{"without a name", LINES(ANSWERED, "50 > 40000 I"), LINES("quic-unanswered inconclusive: 3")},
	{"cut short by the capture", LINES(ANSWERED, "50 > 40000 I a.example cut=200"),
	 LINES("quic-unanswered inconclusive: 3")},
	{"two attempts from one port", LINES(ANSWERED, "50 > 40000 I a.example cid=1",
					     "9050 > 40000 I a.example cid=2"),
	 LINES("quic-unanswered inconclusive: 3", "quic-unanswered inconclusive: 4")},
	{"silence after a Retry", LINES("0 > 40000 I a.example", "40 < 40000 R",
					"41 > 40000 I a.example cid=100"),
	 LINES("quic-unanswered inconclusive: 1 3")},
	/* Names. */
	{"a dead server: no control", LINES(ANSWERED, THREE_SILENT),
	 LINES("quic-unanswered inconclusive: 3", "quic-unanswered inconclusive: 4",
	       "quic-unanswered inconclusive: 5")},
	{"a server that died: controls before it only",
	 LINES(TRY("100", "42000", "good.example"), ANSWER("140", "42000"),
	       TRY("500", "42001", "fine.example"), ANSWER("540", "42001"), THREE_SILENT),
	 LINES("quic-unanswered inconclusive: 5", "quic-unanswered inconclusive: 6",
	       "quic-unanswered inconclusive: 7")},
	{"one outage of some seconds", LINES(TRY("1000", "41000", "blocked.example"),
					     TRY("2000", "41001", "blocked.example"),
					     TRY("3000", "41002", "blocked.example"),
					     TRY("8000", "42000", "good.example"), ANSWER("8040", "42000"),
					     TRY("9000", "42001", "fine.example"), ANSWER("9040", "42001")),
	 LINES("quic-unanswered inconclusive: 1", "quic-unanswered inconclusive: 2",
	       "quic-unanswered inconclusive: 3")},
	{"a name that is answered at times",
	 LINES(THREE_SILENT, TRY("70000", "41003", "blocked.example"), ANSWER("70040", "41003"),
	       TRY("80000", "42000", "good.example"), ANSWER("80040", "42000"),
	       TRY("81000", "42001", "fine.example"), ANSWER("81040", "42001")),
	 LINES("quic-unanswered inconclusive: 1", "quic-unanswered inconclusive: 2",
	       "quic-unanswered inconclusive: 3")},
	{"controls at another server only",
	 LINES(THREE_SILENT, "70000 > 42000 I good.example server=4", "70040 < 42000 I server=4",
	       "71000 > 42001 I fine.example server=4", "71040 < 42001 I server=4"),
	 LINES("quic-unanswered inconclusive: 1", "quic-unanswered inconclusive: 2",
	       "quic-unanswered inconclusive: 3")},
	{"controls from low ports only",
	 LINES(THREE_SILENT, TRY("70000", "300", "good.example"), ANSWER("70040", "300"),
	       TRY("71000", "301", "fine.example"), ANSWER("71040", "301")),
	 LINES("quic-unanswered inconclusive: 1", "quic-unanswered inconclusive: 2",
	       "quic-unanswered inconclusive: 3")},
	{"a name filtered",
	 LINES(TRY("500", "42000", "good.example"), ANSWER("540", "42000"), THREE_SILENT,
	       TRY("70000", "42001", "fine.example"), ANSWER("70040", "42001")),
	 LINES("quic-name-unanswered anomaly: 3", "quic-name-unanswered anomaly: 4",
	       "quic-name-unanswered anomaly: 5")},
	{"a name filtered, tried at once while another is answered",
	 LINES(TRY("500", "42000", "good.example"), ANSWER("540", "42000"),
	       TRY("1000", "41000", "blocked.example"), TRY("1001", "41001", "blocked.example"),
	       TRY("1002", "41002", "blocked.example"), TRY("1500", "42001", "fine.example"),
	       ANSWER("1540", "42001"), TRY("3000", "41000", "blocked.example"),
	       TRY("3001", "41001", "blocked.example"), TRY("3002", "41002", "blocked.example")),
	 LINES("quic-name-unanswered anomaly: 3 8", "quic-name-unanswered anomaly: 4 9",
	       "quic-name-unanswered anomaly: 5 10")},
	/* Versions. */
	{"version 1 dropped, version 2 too small to say: a draft passes",
	 LINES("0 > 40000 I a.example v=0xff00001d", "40 < 40000 I v=0xff00001d",
	       "1000 > 40001 I a.example", "2000 > 40001 I a.example"),
	 LINES("quic-version-unanswered anomaly: 3 4")},
	{"version 1 dropped, a forced negotiation passes",
	 LINES("0 > 40000 I a.example v=0x1a2a3a4a", "40 < 40000 V", "1000 > 40001 I a.example"),
	 LINES("quic-version-unanswered anomaly: 3")},
	{"version 1 answered at times",
	 LINES("0 > 40000 I a.example v=0xff00001d", "40 < 40000 I v=0xff00001d",
	       "1000 > 40001 I a.example", "2000 > 40002 I a.example", "2040 < 40002 I"),
	 LINES("quic-unanswered inconclusive: 3")},
	/* Port order. */
	{"dropped from high ports only",
	 LINES(THREE_SILENT, TRY("70000", "300", "blocked.example"), ANSWER("70040", "300"),
	       TRY("71000", "301", "blocked.example"), ANSWER("71040", "301")),
	 LINES("quic-port-order anomaly: 1", "quic-port-order anomaly: 2",
	       "quic-port-order anomaly: 3")},
	{"a server that takes no low ports",
	 LINES(TRY("1000", "300", "a.example"), TRY("31000", "301", "a.example"),
	       TRY("61000", "302", "a.example"), TRY("70000", "42000", "a.example"),
	       ANSWER("70040", "42000"), TRY("71000", "42001", "a.example"), ANSWER("71040", "42001")),
	 LINES("quic-unanswered inconclusive: 1", "quic-unanswered inconclusive: 2",
	       "quic-unanswered inconclusive: 3")},
	/* Answers that anybody could have sent. */
	{"a close of the server's own", LINES("0 > 40000 I a.example", "40 < 40000 C", "41 < 40000 H",
					      "42 < 40000 H"), SILENT},
	{"a close from nearby", LINES("0 > 40000 I a.example", "2 < 40000 C ttl=60", "40 < 40000 I",
				      "41 < 40000 H"),
	 LINES("quic-odd-answer inconclusive: 2")},
	{"a negotiation from nearby", LINES("0 > 40000 I a.example", "2 < 40000 V ttl=60",
					    "40 < 40000 I", "41 < 40000 H"),
	 LINES("quic-odd-answer inconclusive: 2")},
};

static void scanner_is_left_out(void **state)
{
	(void)state;
	static char text[64][64];
	const char *line[65];
	unsigned n = 0;
	for (; n < 30; n++) {
		snprintf(text[n], sizeof(text[n]), "%u > %u I a.example server=%u", n * 10, 40000 + n, n);
		line[n] = text[n];
	}
	line[n++] = "400 > 50000 I a.example server=90 client=5";
	line[n++] = "440 < 50000 I server=90 client=5";
	line[n] = NULL;
	struct quic_case c = {"a scanner", line, SILENT};
	void *p = &c;
	check_quic_case(&p);
}

static int open_crypto(void **state)
{
	(void)state;
	return quic_crypto_new(&crypto);
}

static int close_crypto(void **state)
{
	(void)state;
	quic_crypto_free(crypto);
	return 0;
}

int main(void)
{
	enum { N = sizeof(cases) / sizeof(*cases) };
	struct CMUnitTest tests[N + 1];
	for (unsigned i = 0; i < N; i++)
		tests[i] = (struct CMUnitTest){.name = cases[i].name, .test_func = check_quic_case,
					       .initial_state = (void *)(uintptr_t)&cases[i]};
	tests[N] = (struct CMUnitTest)cmocka_unit_test(scanner_is_left_out);
	return _cmocka_run_group_tests("quic", tests, N + 1, open_crypto, close_crypto);
}
