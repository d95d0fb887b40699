/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Connections that their own ends break off, and whose packets swap places on the way: whatever the
 * order, nobody else may be accused. Up to five packets of one direction that are within five
 * milliseconds of each other come in every order that there is; stamps go with the packets.
 */

#include "classifiers/tamper/judge.c"

#include "tests/unit/judge_cases.h"

#define NEAR_MS 5.0
#define WINDOW 5
#define LINE_MAX 160

#define REQUEST "40.2 > PA 1 1 79"
#define WEB(...) {.line = LINES(SHAKE, REQUEST, __VA_ARGS__), .speaks = SPEAKS_HTTP, .no_ts = true}
#define TLS(...) {.line = LINES(SHAKE, HELLO, __VA_ARGS__)}
/* One millisecond there and one back, so that half a round trip is less than packets swap by. */
#define CLOSE_BY(...)                                                                             \
	{.line = LINES("0 > S 0 - 0", "2 < SA 0 1 0", "2.1 > A 1 1 0", "2.2 > PA 1 1 517", __VA_ARGS__)}
#define AT_SERVER(...)                                                                            \
	{.line = LINES("0 > S 0 -", "0.1 < SA 0 1", "40 > A 1 1", "40.1 > PA 1 1 517",            \
		       "40.2 < A 1 518", __VA_ARGS__),                                            \
	 .client_ttl = 50, .server_ttl = 64, .vantage = VANTAGE_SERVER}

struct reorder_case {
	const char *name;
	struct events ev;
};

static const struct reorder_case cases[] = {
	{"the server sends its answer and aborts; packets still in flight are refused",
	 WEB("80 < A 1 80", "82 < A 1 80 1448", "82.1 < PA 1449 80 1448", "82.2 > A 80 1449",
	     "82.3 > A 80 2897", "83 < PA 2897 80 354", "83.1 > A 80 3251", "83.2 < RA 3251 80 win=509",
	     "84 < R 1 - id=0", "122.2 < R 1449 - id=0", "122.3 < R 2897 - id=0",
	     "123.1 < R 3251 - id=0")},
	{"the same, stamped at random",
	 {.line = LINES(SHAKE, REQUEST, "80 < A 1 80", "82 < A 1 80 1448", "82.1 < PA 1449 80 1448",
			"83 < PA 2897 80 354", "83.2 < RA 3251 80 win=509", "84 < R 1 - id=0"),
	  .speaks = SPEAKS_HTTP, .server_id = STAMPS_RANDOM}},
	{"the same, stamped with 0",
	 {.line = LINES(SHAKE, REQUEST, "80 < A 1 80", "82 < A 1 80 1448", "82.1 < PA 1449 80 1448",
			"83 < PA 2897 80 354", "83.2 < RA 3251 80 win=509", "84 < R 1 - id=0"),
	  .speaks = SPEAKS_HTTP, .server_id = STAMPS_ZERO}},
	{"the last data is lost, the abort behind it and a refusal are not",
	 TLS("80 < A 1 518", "81 < PA 1 518 1400", "81.1 > A 518 1401", "82 < RA 3201 518",
	     "83 < R 1 - id=0", "121.1 < R 1401 - id=0")},
	{"a refusal with RST+ACKs of all that was in flight",
	 TLS("80 < A 1 518", "81 < PA 1 518 1400", "81.1 < PA 1401 518 1400", "81.2 > A 518 1401",
	     "81.3 > A 518 2801", "119 < RA 2801 518", "120 < RA 1401 518", "121 < RA 2801 518")},
	{"a balancer that stamps otherwise closes behind the server's last data",
	 TLS("80 < A 1 518", "81 < PA 1 518 700", "81.1 < PA 701 518 700",
	     "82 < RA 1401 518 ttl=60 df=0 id=0", "83 < RA 1401 518 ttl=60 df=0 id=0")},
	{"a balancer with another TTL closes in the middle of an answer",
	 TLS("80 < A 1 518", "81 < PA 1 518 1400", "82 < PA 1401 518 1400",
	     "83 < RA 2801 518 ttl=255 id=7")},
	{"an orderly end whose last packets swap places, late data refused",
	 TLS("80 < A 1 518", "81 < PA 1 518 700", "82 < PA 701 518 300", "82.1 < FA 1001 518",
	     "82.5 > A 518 1002", "83 > PA 518 1002 31", "83.1 > FA 549 1002",
	     "123 < R 1002 - id=0", "123.1 < R 1002 - id=0")},
	{"the server refuses a name at once", TLS("80 < A 1 518", "80.5 < RA 1 518", "81 < R 1 - id=0")},
	{"two milliseconds away: an answer, then an abort and refusals",
	 CLOSE_BY("4.2 < A 1 518", "5 < PA 1 518 1400", "6 < PA 1401 518 700", "7 < RA 2101 518",
		  "8 < R 1 - id=0")},
	{"two milliseconds away: an answer and a FIN",
	 CLOSE_BY("4.2 < A 1 518", "5 < PA 1 518 1400", "6 < PA 1401 518 700", "7 < FA 2101 518",
		  "9 < R 2102 - id=0")},
	{"two milliseconds away: acknowledgements and an abort",
	 CLOSE_BY("4.2 < A 1 518", "4.5 > PA 518 1 200", "4.6 > PA 718 1 200", "6.5 < A 1 718",
		  "6.6 < A 1 918", "7 < RA 1 918", "8.5 < R 1 - id=0")},
	{"two milliseconds away: a balancer that stamps otherwise closes behind the data",
	 CLOSE_BY("4.2 < A 1 518", "5 < PA 1 518 1400", "6 < PA 1401 518 700",
		  "7 < RA 2101 518 ttl=60 df=0 id=0")},
	{"at the server: the client's user closes while it still sends",
	 AT_SERVER("41 < PA 1 518 1400", "82 > A 518 1401", "83 > PA 518 1401 64",
		   "84 > PA 582 1401 64", "84.5 > RA 646 1401", "85 > R 518 - id=0",
		   "86 > R 646 - id=0")},
	{"at the server: a phone's kernel, whose resets have another TTL",
	 AT_SERVER("41 < PA 1 518 1400", "82 > A 518 1401", "83 > PA 518 1401 64",
		   "84.5 > RA 582 1401 ttl=114 df=0", "85 > R 582 - id=0 ttl=114 df=0")},
};

struct orders {
	const struct reorder_case *c;
	char text[LINES_MAX][LINE_MAX];   /* what follows the time */
	const char *line[LINES_MAX + 1];
	char made[LINES_MAX][LINE_MAX + 32];
	unsigned n;
	unsigned at[WINDOW], n_at;        /* the lines that change places */
	unsigned what[WINDOW];            /* and which of them comes where */
	unsigned tried, accused;
};

/* Stamps are the packets' own, whatever the order that they come in. */
static void orders_open(struct orders *o, const struct reorder_case *c)
{
	unsigned n[2] = {0, 0};
	memset(o, 0, sizeof(*o));
	o->c = c;
	for (; c->ev.line[o->n] != NULL; o->n++) {
		const char *text = strchr(c->ev.line[o->n], ' ');
		bool s2c = text[1] == '<', has = strstr(text, " id=") != NULL;
		unsigned k = n[s2c]++;
		unsigned id = s2c && c->ev.server_id == STAMPS_ZERO ? 0
			      : s2c && c->ev.server_id == STAMPS_RANDOM
				      ? (uint16_t)(k * 40503u + 12347)
				      : (s2c ? 0x5000 : 0x1000) + k;
		int len = has ? snprintf(o->text[o->n], LINE_MAX, "%s", text)
			      : snprintf(o->text[o->n], LINE_MAX, "%s id=%u", text, id);
		assert_in_range(len, 1, LINE_MAX - 1);
	}
}

static void check_order(struct orders *o, const struct variant *as)
{
	struct events ev = o->c->ev;
	struct world w;
	for (unsigned i = 0; i < o->n; i++) {
		unsigned from = i;
		for (unsigned k = 0; k < o->n_at; k++)
			if (o->at[k] == i)
				from = o->at[o->what[k]];
		snprintf(o->made[i], sizeof(o->made[i]), "%.*s%s",
			 (int)strcspn(o->c->ev.line[i], " "), o->c->ev.line[i], o->text[from]);
		o->line[i] = o->made[i];
	}
	o->line[o->n] = NULL;
	ev.line = o->line;
	world_open(&w, &ev, as);
	world_run(&w);
	assert_int_equal(analysis_judge(w.a), 0);
	for (size_t i = 0; i < w.a->n_findings; i++) {
		const struct finding *f = w.a->findings[i];
		if (f->verdict < VERDICT_LIKELY)
			continue;
		print_error("%s (%s): %s %s %.1f\n", o->c->name, as->name, f->id,
			    verdict_name[f->verdict], f->score);
		print_rows(f);
		for (unsigned k = 0; k < o->n; k++)
			print_error("    %s\n", o->line[k]);
		o->accused++;
	}
	o->tried++;
	world_close(&w);
}

static void every_order(struct orders *o, const struct variant *as, unsigned from)
{
	if (from == o->n_at) {
		check_order(o, as);
		return;
	}
	for (unsigned k = from; k < o->n_at; k++) {
		unsigned kept = o->what[from];
		o->what[from] = o->what[k];
		o->what[k] = kept;
		every_order(o, as, from + 1);
		o->what[k] = o->what[from];
		o->what[from] = kept;
	}
}

/* The packets of line i's direction, from it on, that are near enough; handshakes stay in place. */
static void find_window(struct orders *o, unsigned i)
{
	const char *const *line = o->c->ev.line;
	o->n_at = 0;
	for (unsigned k = i; k < o->n && o->n_at < WINDOW; k++) {
		if (strtod(line[k], NULL) - strtod(line[i], NULL) >= NEAR_MS ||
		    o->text[k][1] != o->text[i][1])
			continue;
		o->what[o->n_at] = o->n_at;
		o->at[o->n_at++] = k;
	}
}

static void check_reordered(void **state)
{
	static const struct variant *const as[] = {&variants[0], &variants[6]};
	struct orders *o = calloc(1, sizeof(*o));
	assert_non_null(o);
	orders_open(o, *state);
	for (unsigned v = 0; v < sizeof(as) / sizeof(*as); v++)
		for (unsigned i = 3; i < o->n; i++) {
			find_window(o, i);
			if (o->n_at > 1)
				every_order(o, as[v], 0);
		}
	print_message("%s: %u orders\n", o->c->name, o->tried);
	assert_true(o->tried > 1);
	assert_int_equal(o->accused, 0);
	free(o);
}

int main(void)
{
	struct CMUnitTest tests[sizeof(cases) / sizeof(*cases)];
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		tests[i] = (struct CMUnitTest){.name = cases[i].name, .test_func = check_reordered,
					       .initial_state = (void *)(uintptr_t)&cases[i]};
	return _cmocka_run_group_tests("reorder", tests, sizeof(cases) / sizeof(*cases), NULL, NULL);
}
