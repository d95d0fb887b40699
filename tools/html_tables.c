/* SPDX-License-Identifier: BSD-3-Clause */

/* The same findings by name, protocol, destination and network. */

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/attempt.h"
#include "tools/html.h"
#include "tools/words.h"

/* Connections with a finding, by their worst. */
typedef void (*touched_fn)(void *user, const struct flow_record *f, enum verdict worst);

static void each_touched(const struct html *h, touched_fn fn, void *user)
{
	const struct analysis *a = h->analysis;

	for (size_t i = 0; i < a->n_findings;) {
		/* A flow's findings stand side by side. */
		const struct flow_record *flow = a->findings[i]->flow;
		enum verdict worst = VERDICT_NONE;
		for (; i < a->n_findings && a->findings[i]->flow == flow &&
		       a->findings[i]->scope == SCOPE_FLOW;
		     i++)
			worst = a->findings[i]->verdict > worst ? a->findings[i]->verdict : worst;
		if (worst == VERDICT_NONE)
			i++;
		else
			fn(user, flow, worst);
	}
}

enum protocol { TLS, HTTP, DNS, QUIC, OTHER_TCP, OTHER_UDP, OTHER, PROTOCOLS };

struct protocol_row {
	uint64_t tries, ok, unknown, by[VERDICT_N];
};

static enum protocol other_of(uint8_t proto)
{
	return proto == IPPROTO_TCP ? OTHER_TCP : proto == IPPROTO_UDP ? OTHER_UDP : OTHER;
}

static enum protocol protocol_of_flow(const struct flow_record *f)
{
	static const char *const names[] = {
		[TLS] = "tls", [HTTP] = "http", [DNS] = "dns", [QUIC] = "quic"};

	for (unsigned i = 0; f->app_proto != NULL && i <= QUIC; i++) {
		if (strcmp(f->app_proto, names[i]) == 0)
			return (enum protocol)i;
	}
	return other_of(f->proto);
}

static enum protocol protocol_of_attempt(const struct attempt *t)
{
	switch (t->trigger) {
	case TRIGGER_SNI:
		return TLS;
	case TRIGGER_HOST:
		return HTTP;
	case TRIGGER_QNAME:
		return DNS;
	case TRIGGER_QUIC_SNI:
		return QUIC;
	}
	return t->flow != NULL ? protocol_of_flow(t->flow) : other_of(t->proto);
}

static void count_protocol(void *user, const struct flow_record *f, enum verdict worst)
{
	struct protocol_row *rows = user;

	rows[protocol_of_flow(f)].by[worst]++;
}

static void verdict_cells(const struct html *h, const uint64_t by[VERDICT_N])
{
	for (int v = VERDICT_CONFIRMED; v >= VERDICT_INCONCLUSIVE; v--)
		html_cell_count(h, by[v]);
}

#define VERDICT_HEADS "#Confirmed|#Likely|#Anomaly|#Inconclusive"

static void protocols(const struct html *h)
{
	static const char *const names[PROTOCOLS] = {"TLS",	  "HTTP",      "DNS",  "QUIC",
						     "other TCP", "other UDP", "other"};
	struct protocol_row rows[PROTOCOLS] = {{.tries = 0}};
	const struct analysis *a = h->analysis;

	for (size_t i = 0; i < a->n_attempts; i++) {
		struct protocol_row *r = &rows[protocol_of_attempt(&a->attempts[i])];
		r->tries++;
		r->ok += a->attempts[i].end == ATTEMPT_OK;
		r->unknown += a->attempts[i].end == ATTEMPT_UNKNOWN;
	}
	each_touched(h, count_protocol, rows);
	fputs("<h3 id=\"protocols\">By protocol</h3>\n", h->out);
	html_table(h, "Tries, and connections with findings, by protocol",
		   "Protocol|#Tries|#Answered|#Failed|#Not known|" VERDICT_HEADS);
	for (unsigned i = 0; i < PROTOCOLS; i++) {
		const struct protocol_row *r = &rows[i];
		uint64_t touched = 0;
		for (unsigned v = 0; v < VERDICT_N; v++)
			touched += r->by[v];
		if (r->tries == 0 && touched == 0)
			continue;
		fputs("<tr>", h->out);
		html_cell(h, names[i]);
		html_cell_count(h, r->tries);
		html_cell_count(h, r->ok);
		html_cell_count(h, r->tries - r->ok - r->unknown);
		html_cell_count(h, r->unknown);
		verdict_cells(h, r->by);
		fputs("</tr>\n", h->out);
	}
	html_table_end(h);
}

/* A server, or a network; which, the comparison says. */
struct place {
	const struct flow_record *f; /* one of its connections */
	const struct geo_place *at;
	enum verdict worst;
	uint64_t by[VERDICT_N], tries, ok;
};

struct places {
	struct place *list;
	size_t n;
};

static void add_place(void *user, const struct flow_record *f, enum verdict worst)
{
	struct places *p = user;
	struct place *x = &p->list[p->n++];

	*x = (struct place){.f = f, .at = f->server_at, .worst = worst};
	x->by[worst] = 1;
}

static int by_server(const void *a, const void *b)
{
	const struct flow_record *x = ((const struct place *)a)->f,
				 *y = ((const struct place *)b)->f;
	int order = memcmp(&x->server, &y->server, sizeof(x->server));

	if (order == 0)
		order = (int)x->server_port - (int)y->server_port;
	return order != 0 ? order : (int)x->proto - (int)y->proto;
}

static int by_network(const void *a, const void *b)
{
	const struct geo_place *x = ((const struct place *)a)->at,
			       *y = ((const struct place *)b)->at;

	if (x == NULL || y == NULL)
		return (x != NULL) - (y != NULL);
	if (x->asn != y->asn)
		return x->asn < y->asn ? -1 : 1;
	return memcmp(x->country, y->country, sizeof(x->country));
}

static int by_worst(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	for (int v = VERDICT_CONFIRMED; v >= VERDICT_INCONCLUSIVE; v--) {
		if (x->by[v] != y->by[v])
			return x->by[v] > y->by[v] ? -1 : 1;
	}
	int order = by_network(a, b);
	return order != 0 ? order : by_server(a, b);
}

/* Sorts, then leaves one of those that are the same. */
static void gather(struct places *p, int (*same)(const void *, const void *))
{
	size_t n = 0;

	qsort(p->list, p->n, sizeof(*p->list), same);
	for (size_t i = 0; i < p->n; i++) {
		if (n == 0 || same(&p->list[n - 1], &p->list[i]) != 0)
			p->list[n++] = p->list[i];
		else
			for (unsigned v = 0; v < VERDICT_N; v++)
				p->list[n - 1].by[v] += p->list[i].by[v];
	}
	p->n = n;
}

/* What else was tried at the same servers. */
static void count_tries(const struct html *h, struct places *p)
{
	const struct analysis *a = h->analysis;

	for (size_t i = 0; i < a->n_attempts; i++) {
		const struct attempt *t = &a->attempts[i];
		const struct flow_record f = {
			.server = t->server, .server_port = t->server_port, .proto = t->proto};
		const struct place key = {.f = &f};
		struct place *x = bsearch(&key, p->list, p->n, sizeof(*p->list), by_server);
		if (x == NULL)
			continue;
		x->tries++;
		x->ok += t->end == ATTEMPT_OK;
	}
}

static void destinations(const struct html *h, const struct places *p)
{
	char server[WORDS_END_SIZE], proto[8];

	fputs("<h3 id=\"destinations\">By destination</h3>\n", h->out);
	if (p->n == 0) {
		fputs("<p>No connection has a finding.</p>\n", h->out);
		return;
	}
	html_table(h, "Servers whose connections have findings",
		   "Server|Protocol|#Tries|#Answered|" VERDICT_HEADS);
	for (size_t i = 0; i < p->n && i < HTML_ROWS_MAX; i++) {
		const struct place *x = &p->list[i];
		fprintf(h->out, "<tr><td class=\"address\">%s</td><td>%s</td>",
			words_end(x->f, false, server), facts_proto(x->f->proto, proto));
		html_cell_count(h, x->tries);
		html_cell_count(h, x->ok);
		verdict_cells(h, x->by);
		fputs("</tr>\n", h->out);
	}
	html_table_end(h);
	html_left_out(h, p->n > HTML_ROWS_MAX ? p->n - HTML_ROWS_MAX : 0, "servers");
}

static void networks(const struct html *h, const struct places *p)
{
	fputs("<h3 id=\"networks\">By network of the server</h3>\n", h->out);
	if (p->n == 0 || (p->n == 1 && p->list[0].at == NULL)) {
		fputs("<p>Not known: networks and countries come from a database that --asn-db "
		      "names.</p>\n",
		      h->out);
		return;
	}
	html_table(h, "Networks of servers whose connections have findings",
		   "Network|Name|Country|" VERDICT_HEADS);
	for (size_t i = 0; i < p->n && i < HTML_ROWS_MAX; i++) {
		const struct geo_place *at = p->list[i].at;
		if (at != NULL && at->asn != 0)
			fprintf(h->out, "<tr><td>AS%u</td><td>", (unsigned)at->asn);
		else
			fputs("<tr><td class=\"quiet\">not known</td><td>", h->out);
		if (at != NULL)
			html_name(h, at->org, strnlen(at->org, sizeof(at->org)));
		fputs("</td>", h->out);
		html_cell(h, at != NULL ? at->country : "");
		verdict_cells(h, p->list[i].by);
		fputs("</tr>\n", h->out);
	}
	html_table_end(h);
	html_left_out(h, p->n > HTML_ROWS_MAX ? p->n - HTML_ROWS_MAX : 0, "networks");
}

int html_tables(const struct html *h)
{
	struct places p = {.list = calloc(h->analysis->n_findings + 1, sizeof(*p.list))};

	if (p.list == NULL)
		return -ENOMEM;
	html_names(h);
	protocols(h);
	each_touched(h, add_place, &p);
	gather(&p, by_server);
	count_tries(h, &p);
	qsort(p.list, p.n, sizeof(*p.list), by_worst);
	destinations(h, &p);
	gather(&p, by_network);
	qsort(p.list, p.n, sizeof(*p.list), by_worst);
	networks(h, &p);
	free(p.list);
	return 0;
}
