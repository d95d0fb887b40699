/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Tunnels over UDP as tables of datagrams, through decode, flow table, classifier and judge. A line:
 *
 *   "MS > PORT KIND [key=N …]"   a client's datagram; "<" a server's; "!" ICMP about the port's last
 *   "MS * PORT KIND every=MS n=N [key=N …]"   the client's, N times; "@" the server's
 *
 * KIND: W, O, X an initiation of WireGuard, OpenVPN, IKE; w, o, x its answer; D and P data and
 * keepalive of WireGuard, d and p data and ping of OpenVPN; E data of IPsec; S a hello of DTLS; G data
 * of PPTP, over GRE; T something over TCP. Keys: server, client (other addresses), sport (51820), id (of the
 * initiation), skip (numbers of data left out before each). Frames are numbered from 1.
 */

#include "tests/unit/udp_cases.h"

#include "classifiers/tamper/sig_vpn.c"

#define PACKETS_MAX 190

struct vpn_case {
	const char *name;
	const char *const *line;
	const char *const *finds; /* "ID VERDICT: FIRST FRAME", in any order, all there are */
	enum vantage vantage;
	double end_ms;            /* of the capture; 0: 100 s after the last packet */
};

struct vpn_line {
	double ms, every;
	char dir, kind;
	unsigned port, server, client, sport, id, n, skip;
};

static void parse_vpn(const char *text, struct vpn_line *l)
{
	int n = 0;
	*l = (struct vpn_line){.sport = 51820, .n = 1};
	assert_int_equal(sscanf(text, "%lf %c %u %c%n", &l->ms, &l->dir, &l->port, &l->kind, &n), 4);
	text += n;
	for (char word[80]; sscanf(text, "%79s%n", word, &n) == 1; text += n) {
		unsigned v = (unsigned)strtoul(strchr(word, '=') + 1, NULL, 0);
		if (strncmp(word, "every=", 6) == 0)
			l->every = v;
		else
			*(strncmp(word, "server=", 7) == 0   ? &l->server
			  : strncmp(word, "client=", 7) == 0 ? &l->client
			  : strncmp(word, "sport=", 6) == 0  ? &l->sport
			  : strncmp(word, "id=", 3) == 0     ? &l->id
			  : strncmp(word, "skip=", 5) == 0   ? &l->skip
							     : &l->n) = v;
	}
}

static uint64_t counter;

/* The payload; noise behind what its reader looks at. */
static size_t build(const struct vpn_line *l, uint8_t p[256])
{
	uint8_t tag = (uint8_t)(l->port + l->id);
	for (unsigned i = 0; i < 256; i++)
		p[i] = (uint8_t)(i * 37 + tag);
	switch (l->kind) {
	case 'W':
		memcpy(p, (uint8_t[]){1, 0, 0, 0, tag, 1, 1, 1}, 8);
		return 148;
	case 'w':
		memcpy(p, (uint8_t[]){2, 0, 0, 0, 9, 9, 9, 9, tag, 1, 1, 1}, 12);
		return 92;
	case 'D':
	case 'P':
		memcpy(p, (uint8_t[]){4, 0, 0, 0, tag, 2, 2, 2}, 8);
		memset(p + 8, 0, 8);
		counter += 1 + l->skip;
		p[8] = (uint8_t)counter;
		p[9] = (uint8_t)(counter >> 8);
		return l->kind == 'D' ? 128 : 32;
	case 'O':
	case 'o':
		memset(p, 0, 64);
		p[0] = l->kind == 'O' ? 7 << 3 : 8 << 3;
		p[1] = l->kind == 'O' ? 1 : 2;
		p[2] = tag;
		if (l->kind == 'O')
			return 14;
		p[9] = 1;
		p[14] = 1;
		p[15] = tag;
		return 26;
	case 'd':
	case 'p':
		p[0] = 9 << 3;
		return l->kind == 'd' ? 150 : 56;
	case 'X':
	case 'x':
		memset(p, 0, 64);
		memcpy(p, (uint8_t[]){tag, 5, 5, 5, 5, 5, 5, 5}, 8);
		p[8] = l->kind == 'x';
		memcpy(p + 16, (uint8_t[]){33, 0x20, 34, l->kind == 'x' ? 0x20 : 8}, 4);
		p[27] = 60;
		return 60;
	case 'G':
		memcpy(p, (uint8_t[]){0x30, 1, 0x88, 0x0b, 0, 128, 0, 1}, 8);
		return 140;
	case 'E':
		return 120;
	case 'T':
		return 156;
	default:
		memset(p, 0, 80);
		memcpy(p, (uint8_t[]){22, 0xfe, 0xff}, 3);
		p[12] = 12 + 41;
		p[13] = 1;
		p[16] = p[24] = 41;
		memcpy(p + 25, (uint8_t[]){0xfe, 0xfd}, 2);
		return 25 + 41;
	}
}

static void frame_line(const struct vpn_line *l, struct frame *f)
{
	uint8_t p[256];
	size_t n = build(l, p);
	frame_datagram(&(struct datagram){.s2c = l->dir == '<' || l->dir == '@', .client = l->client,
					  .server = l->server, .port = l->port, .sport = l->sport,
					  .proto = l->kind == 'G' ? 47 : l->kind == 'T' ? 6 : 0},
		       p, n, f);
}

/* A datagram, when: those of several lines pass in order of time. */
struct due {
	double ms;
	unsigned order;
	struct vpn_line l;
};

static int compare_due(const void *x, const void *y)
{
	const struct due *a = x, *b = y;
	if (a->ms < b->ms || a->ms > b->ms)
		return a->ms < b->ms ? -1 : 1;
	return (int)a->order - (int)b->order;
}

static void run_lines(struct world *w, const struct vpn_case *c)
{
	static struct due due[PACKETS_MAX];
	unsigned n = 0;
	for (unsigned i = 0; c->line[i] != NULL; i++) {
		struct vpn_line l;
		parse_vpn(c->line[i], &l);
		for (unsigned k = 0; k < l.n; k++) {
			assert_true(n < PACKETS_MAX);
			due[n] = (struct due){l.ms + k * l.every, n, l};
			n++;
		}
	}
	qsort(due, n, sizeof(*due), compare_due);
	counter = 0;
	for (unsigned i = 0; i < n; i++) {
		struct frame *f = &w->frames[i + 1];
		if (due[i].l.dir == '!')
			frame_unreachable(&w->frames[i], f);
		else
			frame_line(&due[i].l, f);
		feed_frame(w, i, due[i].ms);
	}
	end_capture(w, c->end_ms);
}

static void say_first(const struct finding *f, char *out, size_t len)
{
	snprintf(out, len, "%s %s: %u", f->id, verdict_name[f->verdict],
		 f->n_packets != 0 ? (unsigned)f->packets[0] : 0);
	assert_int_equal(f->family, f->rate != NULL ? FAMILY_THROTTLING : FAMILY_VPN_INTERFERENCE);
	assert_int_equal(f->trigger, TRIGGER_PROTOCOL);
	assert_string_equal(f->trigger_value, vpn_proto_name[f->flow->vpn->proto]);
	assert_true(f->sentence[0] != '\0' && f->n_ladder != 0 && f->n_devices == 0);
	assert_true(f->n_benign != 0 && f->verdict < VERDICT_LIKELY);
}

static void check_vpn_case(void **state)
{
	static const char *const no_lines[] = {NULL};
	static const struct variant plain = {.name = "as is"};
	const struct vpn_case *c = *state;
	const struct events ev = {.line = no_lines, .vantage = c->vantage};
	struct world w;
	world_open(&w, &ev, &plain);
	run_lines(&w, c);
	unsigned bad = hold_against(&w, c->finds, say_first);
	world_close(&w);
	assert_int_equal(bad, 0);
}

/* Another server is answered, so that the capture holds both directions. */
#define ANSWERED "0 > 50000 W server=9", "40 < 50000 w server=9"
/* PPTP's control connection. */
#define CONTROL "0 > 50001 T sport=1723", "40 < 50001 T sport=1723"
/* A session that works: a handshake, and data each way. */
#define WORKS(at, port) at "000 > " port " W", at "040 < " port " w", at "080 > " port " D",        \
			at "120 < " port " D"
/* The same, and then nothing of the server, whatever the client asks for. */
#define STOPS(at, port) WORKS(at, port), at "500 * " port " D every=4000 n=6"

/* IPsec that works, and whose client then asks whether the server is there. */
#define IPSEC(at, port) at "000 > " port " X", at "040 < " port " x",                              \
			at "100 * " port " E every=400 n=6", at "150 @ " port " E every=400 n=6"
#define IPSEC_STOPS(at, port) IPSEC(at, port), at "600 * " port " X every=4000 n=6"

static const struct vpn_case cases[] = {
	/* Innocent. */
	{"answered", LINES(WORKS("1", "40000")), SILENT},
	{"OpenVPN answered", LINES("0 > 40000 O", "40 < 40000 o", "80 > 40000 d", "99 < 40000 d"),
	 SILENT},
	{"IKE answered", LINES("0 > 40000 X sport=500", "40 < 40000 x sport=500"), SILENT},
	{"two initiations lost, then answered",
	 LINES("0 * 40000 W every=5000 n=3", "10040 < 40000 w", "10080 > 40000 D",
	       "10120 < 40000 D"), SILENT},
	{"a rekey whose first two initiations are lost",
	 LINES(WORKS("1", "40000"), "121000 * 40000 W every=5000 n=3", "131040 < 40000 w",
	       "131080 > 40000 D", "131120 < 40000 D"), SILENT},
	{"an idle WireGuard tunnel, only the client keeps it alive",
	 LINES(WORKS("1", "40000"), "25000 * 40000 P every=25000 n=12"), SILENT},
	{"an idle OpenVPN tunnel, only the client pings",
	 LINES("0 > 40000 O", "40 < 40000 o", "80 > 40000 d", "99 < 40000 d",
	       "10000 * 40000 p every=10000 n=12"), SILENT},
	{"two datagrams lost at the end of a session",
	 LINES(WORKS("1", "40000"), "5000 * 40000 D every=20000 n=2"), SILENT},
	{"a client that roamed: the old ports stop, new ones go on",
	 LINES(WORKS("1", "40000"), "5000 * 41000 D every=200 n=5 client=3",
	       "6040 < 41000 D client=3"), SILENT},
	{"a client that went to sleep",
	 LINES(ANSWERED, WORKS("1", "40000")), SILENT},
	{"refused by ICMP", LINES(ANSWERED, "1000 > 40000 W", "1001 ! 40000 W",
				  "6000 * 40000 W every=5000 n=4"), SILENT},
	{"refused by ICMP after it had worked",
	 LINES(STOPS("1", "40000"), "30000 > 40000 D", "30001 ! 40000 D"), SILENT},
	{"only the client was captured", LINES("0 * 40000 W every=5000 n=6"), SILENT},
	{"at the server", LINES(ANSWERED, "1000 * 40000 W every=5000 n=6"), SILENT,
	 .vantage = VANTAGE_SERVER},
	{"the capture ends", LINES(ANSWERED, "1000 * 40000 W every=5000 n=3"), SILENT,
	 .end_ms = 14000},
	{"the capture ends right behind the first",
	 LINES(ANSWERED, "1000 > 40000 W"), SILENT, .end_ms = 3000},
	{"a hello of DTLS that nobody answered", LINES(ANSWERED, "1000 > 40000 S"), SILENT},
	{"GRE both ways", LINES(CONTROL, "1000 * 0 G every=500 n=20", "1200 < 0 G"), SILENT},
	{"GRE without PPTP's control", LINES(ANSWERED, "1000 * 0 G every=500 n=20"), SILENT},
	{"a control connection that nobody answers",
	 LINES(ANSWERED, "500 > 50001 T sport=1723", "1000 * 0 G every=500 n=20"), SILENT},
	{"little GRE", LINES(CONTROL, "1000 * 0 G every=3000 n=9"), SILENT},
	{"GRE refused by ICMP", LINES(CONTROL, "1000 * 0 G every=500 n=20", "11000 ! 0 G"), SILENT},
	{"GRE, and the capture ends", LINES(CONTROL, "1000 * 0 G every=500 n=20"), SILENT,
	 .end_ms = 12000},
	{"a tunnel whose every second datagram is dropped at once, and no more",
	 LINES(WORKS("1", "40000"), "1500 * 40000 D every=1 n=20", "1600 < 40000 D skip=40"), SILENT},
	{"IPsec whose data goes one way, as to a server of logs",
	 LINES(IPSEC("1", "40000"), "4000 * 40000 E every=2000 n=20"), SILENT},
	/* A measurement. */
	{"a tunnel that is held to a rate",
	 LINES("0 > 40000 W", "40 < 40000 w", "80 > 40000 D", "1500 @ 40000 D every=10 n=150 skip=1"),
	 LINES("vpn-rate-policed inconclusive: 0")},
	/* Silence that accuses nobody: a wrong key, a server that is off. */
	{"WireGuard with a wrong key", LINES(ANSWERED, "1000 * 40000 W every=5000 n=18"),
	 LINES("vpn-handshake-unanswered inconclusive: 3")},
	{"OpenVPN, never answered",
	 LINES(ANSWERED, "1000 > 40000 O", "3000 > 40000 O", "7000 > 40000 O", "15000 > 40000 O"),
	 LINES("vpn-handshake-unanswered inconclusive: 3")},
	{"one initiation", LINES(ANSWERED, "1000 > 40000 W"), LINES("vpn-unanswered inconclusive: 3")},
	{"IKE, never answered", LINES(ANSWERED, "1000 * 40000 X every=4000 n=5 sport=500"),
	 LINES("ike-unanswered inconclusive: 3")},
	{"IKE, whose second request is lost",
	 LINES("0 > 40000 X sport=500", "40 < 40000 x sport=500",
	       "1000 * 40000 X every=4000 n=5 sport=500"), LINES("ike-unanswered inconclusive: 3")},
	{"IPsec that worked, and whose server is then asked in vain",
	 LINES(IPSEC_STOPS("4", "40000")), LINES("ike-unanswered inconclusive: 16")},
	{"a server that went off", LINES(STOPS("1", "40000")),
	 LINES("vpn-data-stopped inconclusive: 5")},
	{"a server that went off, and six sessions with it",
	 LINES(STOPS("1", "40000"), STOPS("1", "40001"), STOPS("1", "40002"), STOPS("1", "40003")),
	 LINES("vpn-data-stopped inconclusive: 17", "vpn-data-stopped inconclusive: 18",
	       "vpn-data-stopped inconclusive: 19", "vpn-data-stopped inconclusive: 20")},
	{"a translator that does not know PPTP", LINES(CONTROL, "1000 * 0 G every=500 n=20"),
	 LINES("pptp-gre-unanswered inconclusive: 3")},
	{"PPTP that worked, and whose GRE then stopped",
	 LINES(CONTROL, "1000 * 0 G every=500 n=12", "1200 @ 0 G every=500 n=12",
	       "9000 * 0 G every=4000 n=6"), LINES("vpn-data-stopped inconclusive: 27")},
	{"the same of one that only configured itself",
	 LINES(CONTROL, "1000 * 0 G every=500 n=4", "1200 @ 0 G every=500 n=4",
	       "9000 * 0 G every=4000 n=6"), SILENT},
	{"no new keys for minutes", LINES(WORKS("1", "40000"), "121000 * 40000 W every=5000 n=18"),
	 LINES("vpn-rekey-unanswered inconclusive: 5")},
	{"a port that is silent, of a server nobody knows",
	 LINES(ANSWERED, "1000 * 40000 W every=5000 n=5", "70000 > 41000 W sport=443",
	       "70040 < 41000 w sport=443"), LINES("vpn-handshake-unanswered inconclusive: 3")},
	/* What controls make more. */
	{"a port that went silent while another of the server answers",
	 LINES(WORKS("1", "40000"), "100000 * 40001 W every=5000 n=5", "170000 > 41000 W sport=443",
	       "170040 < 41000 w sport=443"), LINES("vpn-port-unanswered anomaly: 5")},
	{"the same, while another client is answered there",
	 LINES(WORKS("1", "40000"), "100000 * 40001 W every=5000 n=5", "170000 > 41000 W sport=443",
	       "170040 < 41000 w sport=443", "120000 > 42000 W client=5",
	       "120040 < 42000 w client=5"), LINES("vpn-handshake-unanswered inconclusive: 5")},
	{"the same, and nothing else of the server answers",
	 LINES(WORKS("1", "40000"), "100000 * 40001 W every=5000 n=5"),
	 LINES("vpn-handshake-unanswered inconclusive: 5")},
	{"a tunnel's port that went silent while another of the server answers",
	 LINES(WORKS("1", "40000"), "10000 * 40000 W every=5000 n=60", "150000 > 41000 W sport=443",
	       "150040 < 41000 w sport=443"), LINES("vpn-port-unanswered anomaly: 5")},
	{"the same, while another client is answered at it",
	 LINES(WORKS("1", "40000"), "10000 * 40000 W every=5000 n=60", "150000 > 41000 W sport=443",
	       "150040 < 41000 w sport=443", "120000 > 42000 W client=5",
	       "120040 < 42000 w client=5"), LINES("vpn-rekey-unanswered inconclusive: 5")},
	{"the same, and the other answered only before",
	 LINES(WORKS("1", "40000"), "010 > 41000 W sport=443", "050 < 41000 w sport=443",
	       "10000 * 40000 W every=5000 n=60"), LINES("vpn-rekey-unanswered inconclusive: 7")},
	{"three sessions stop after as much data",
	 LINES(STOPS("1", "40000"), STOPS("31", "40001"), STOPS("61", "40002")),
	 LINES("vpn-data-cut anomaly: 5", "vpn-data-cut anomaly: 15", "vpn-data-cut anomaly: 25")},
	{"three of IPsec",
	 LINES(IPSEC_STOPS("4", "40000"), IPSEC_STOPS("34", "40001"), IPSEC_STOPS("64", "40002")),
	 LINES("vpn-data-cut anomaly: 16", "vpn-data-cut anomaly: 36", "vpn-data-cut anomaly: 56")},
	{"three of IPsec that never came to data",
	 LINES("4000 > 40000 X", "4040 < 40000 x", "5000 * 40000 X every=4000 n=5",
	       "34000 > 40001 X", "34040 < 40001 x", "35000 * 40001 X every=4000 n=5",
	       "64000 > 40002 X", "64040 < 40002 x", "65000 * 40002 X every=4000 n=5"),
	 LINES("ike-unanswered inconclusive: 3", "ike-unanswered inconclusive: 10",
	       "ike-unanswered inconclusive: 17")},
	{"the same, and another goes on for long",
	 LINES(STOPS("1", "40000"), STOPS("31", "40001"), STOPS("61", "40002"),
	       WORKS("100", "40003"), "100200 * 40003 D every=100 n=20", "102500 < 40003 D"),
	 LINES("vpn-data-stopped inconclusive: 5", "vpn-data-stopped inconclusive: 15",
	       "vpn-data-stopped inconclusive: 25")},
};

int main(void)
{
	enum { N = sizeof(cases) / sizeof(cases[0]) };
	struct CMUnitTest tests[N];
	for (unsigned i = 0; i < N; i++)
		tests[i] = (struct CMUnitTest){.name = cases[i].name, .test_func = check_vpn_case,
					       .initial_state = (void *)(uintptr_t)&cases[i]};
	return _cmocka_run_group_tests("sig_vpn", tests, N, NULL, NULL);
}
