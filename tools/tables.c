/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/tables.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/app/dns.h"
#include "tools/digits.h"
#include "tools/escape.h"
#include "tools/facts.h"

static size_t home_of(const struct flow_record *f)
{
	return (size_t)(((uint64_t)(uintptr_t)f >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

/* Where the flow is, or would be. */
static struct tables_try *try_of(const struct tables *t, const struct flow_record *f)
{
	size_t at = home_of(f);

	while (t->tries[at & t->mask].flow != NULL && t->tries[at & t->mask].flow != f)
		at++;
	return &t->tries[at & t->mask];
}

void tables_prefetch(const struct tables *t, const struct flow_record *f)
{
	__builtin_prefetch(&t->tries[home_of(f) & t->mask]);
	__builtin_prefetch(f);
}

int tables_open(struct tables *t, const struct analysis *a, const struct report_options *o)
{
	size_t room = 16;

	while (room / 2 < a->n_attempts)
		room *= 2;
	*t = (struct tables){.a = a, .o = o, .mask = room - 1};
	t->tries = calloc(room, sizeof(*t->tries));
	if (t->tries == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < a->n_attempts; i++) {
		const struct attempt *one = &a->attempts[i];
		if (one->flow == NULL)
			continue;
		struct tables_try *at = try_of(t, one->flow);
		at->only = at->flow == NULL ? one : NULL;
		at->flow = one->flow;
	}
	return 0;
}

void tables_close(struct tables *t)
{
	free(t->tries);
	t->tries = NULL;
}

const struct attempt *tables_attempt(const struct tables *t, const struct flow_record *f)
{
	return try_of(t, f)->only;
}

bool tables_shown(const struct report_options *o, const struct finding *f)
{
	return f->verdict >= o->min_verdict;
}

/* Cells */

static bool is_next(const struct rows *r, const char *column)
{
	if (r->at >= r->table->n_columns)
		return false;
	/* Mostly the same literal of the same file. */
	const char *wanted = r->table->columns[r->at].name;
	return wanted == column || strcmp(wanted, column) == 0;
}

int row_text_room(struct row_text *t, size_t more)
{
	if (more <= t->room - t->len)
		return 0;
	size_t want = (t->len + more) * 2;
	char *data = realloc(t->data, want);
	if (data == NULL)
		return -ENOMEM;
	t->data = data;
	t->room = want;
	return 0;
}

static bool room(struct rows *r, size_t more)
{
	/* Of a cell 32 bits say where it is. */
	if (r->error == 0)
		r->error = more <= UINT32_MAX - r->text.len ? row_text_room(&r->text, more) : -EFBIG;
	return r->error == 0;
}

static struct cell *next(struct rows *r, const char *column)
{
	if (r->error == 0 && !is_next(r, column))
		r->error = -EPROTO;
	return r->error == 0 ? &r->cells[r->at++] : NULL;
}

void row_null(struct rows *r, const char *column)
{
	struct cell *c = next(r, column);

	if (c != NULL)
		c->kind = CELL_NULL;
}

/* What stands in the text since the cell was begun. */
static void say(struct rows *r, const char *column)
{
	struct cell *c = next(r, column);

	if (c == NULL)
		return;
	c->kind = CELL_TEXT;
	c->at = (uint32_t)r->begun;
	c->len = (uint32_t)(r->text.len - r->begun);
	r->begun = r->text.len;
}

void row_text(struct rows *r, const char *column, const char *s)
{
	size_t len = s != NULL ? strlen(s) : 0;

	if (s == NULL) {
		row_null(r, column);
		return;
	}
	row_list_begin(r);
	if (!room(r, len))
		return;
	if (len != 0)
		memcpy(r->text.data + r->text.len, s, len);
	r->text.len += len;
	say(r, column);
}

static void add_escaped(struct rows *r, const void *data, size_t len)
{
	struct row_text *t = &r->text;

	if (room(r, 4 * len + 1))
		t->len += escape_bytes(t->data + t->len, t->room - t->len, data, len, 0);
}

void row_bytes(struct rows *r, const char *column, const void *data, size_t len)
{
	row_list_begin(r);
	add_escaped(r, data, len);
	say(r, column);
}

void row_uint(struct rows *r, const char *column, uint64_t v)
{
	struct cell *c = room(r, DIGITS_MAX) ? next(r, column) : NULL;
	struct row_text *t = &r->text;

	if (c == NULL)
		return;
	c->kind = CELL_INTEGER;
	/* SQL's integers have a sign. */
	c->integer = v <= INT64_MAX ? v : INT64_MAX;
	c->at = (uint32_t)t->len;
	t->len = (size_t)(digits_put(t->data + t->len, c->integer) - t->data);
	c->len = (uint32_t)t->len - c->at;
}

void row_uint_if(struct rows *r, const char *column, bool known, uint64_t v)
{
	if (known)
		row_uint(r, column, v);
	else
		row_null(r, column);
}

void row_real_if(struct rows *r, const char *column, bool known, double v)
{
	struct cell *c = next(r, column);

	if (c == NULL)
		return;
	c->kind = known && isfinite(v) ? CELL_REAL : CELL_NULL;
	c->real = v;
}

void row_time_if(struct rows *r, const char *column, bool known, uint64_t ts_ns)
{
	char text[FACTS_TIME_SIZE];

	row_text(r, column, known ? facts_time(ts_ns, text) : NULL);
}

void row_list_begin(struct rows *r)
{
	r->begun = r->text.len;
}

void row_list_add(struct rows *r, const char *separator, const void *data, size_t len)
{
	size_t n = strlen(separator);

	if (r->text.len != r->begun && room(r, n)) {
		memcpy(r->text.data + r->text.len, separator, n);
		r->text.len += n;
	}
	add_escaped(r, data, len);
}

void row_list_uint(struct rows *r, uint64_t v)
{
	char digits[DIGITS_MAX];

	row_list_add(r, " ", digits, (size_t)(digits_put(digits, v) - digits));
}

void row_list_end(struct rows *r, const char *column)
{
	if (r->text.len == r->begun)
		row_null(r, column);
	else
		say(r, column);
}

bool row_end(struct rows *r)
{
	if (r->error == 0 && r->at != r->table->n_columns)
		r->error = -EPROTO;
	const struct row row = {.table = r->table, .cells = r->cells, .text = r->text.data,
				.text_len = r->text.len};
	for (unsigned i = 0; i < ROW_SINKS_MAX && r->error == 0; i++)
		if (r->sinks[i] != NULL)
			r->error = r->sinks[i]->row(r->sinks[i], &row);
	r->at = 0;
	r->text.len = r->begun = 0;
	r->n++;
	return r->error == 0;
}

int rows_write(struct rows *r, const struct tables *t, const struct table *table)
{
	assert(table->n_columns <= TABLE_COLUMNS_MAX);
	r->table = table;
	r->at = 0;
	r->n = 0;
	r->text.len = r->begun = 0;
	int err = r->error == 0 ? table->write(t, r) : r->error;
	r->error = r->error != 0 ? r->error : err;
	return r->error;
}

void rows_free(struct rows *r)
{
	free(r->text.data);
	r->text = (struct row_text){.data = NULL};
}

void row_ends(struct rows *r, const struct flow_record *f, bool ports)
{
	char addr[64], proto[8];
	bool ip = f->ip_version != 0;

	ports = ports && ip && facts_has_ports(f);
	row_text(r, "src_ip",
		 ip ? ip_addr_format(&f->client, f->ip_version, addr, sizeof(addr)) : NULL);
	row_uint_if(r, "src_port", ports, f->client_port);
	row_text(r, "dest_ip",
		 ip ? ip_addr_format(&f->server, f->ip_version, addr, sizeof(addr)) : NULL);
	row_uint_if(r, "dest_port", ports, f->server_port);
	row_text(r, "proto", facts_proto(f->proto, proto));
}

/* What OONI Probe would have said */

static const char *dns_failure(const struct attempt *a)
{
	switch (a->rcode) {
	case DNS_NOERROR:
		return NULL;
	case DNS_NXDOMAIN:
		return "dns_nxdomain_error";
	case DNS_SERVFAIL:
		return "dns_servfail_error";
	case DNS_REFUSED:
		return "dns_refused_error";
	}
	return "dns_server_misbehaving";
}

const char *tables_ooni_failure(const struct attempt *a)
{
	bool reset = a->flow != NULL && a->flow->state == FLOW_RESET;

	if (a->trigger == TRIGGER_QNAME && a->n_answers != 0)
		return dns_failure(a);
	switch (a->end) {
	case ATTEMPT_REFUSED:
		/* By a RST, or by an ICMP error: of UDP a port that nobody listens on. */
		return a->proto == IPPROTO_UDP || reset ? "connection_refused" : "host_unreachable";
	case ATTEMPT_RESET:
		return "connection_reset";
	case ATTEMPT_CLOSED:
		return "eof_error";
	case ATTEMPT_ALERT:
		return "ssl_failed_handshake";
	case ATTEMPT_SILENT:
		return "generic_timeout_error";
	}
	/* A page, a forged answer or a certificate is an answer to whoever measures. */
	return NULL;
}

const char *tables_ooni_operation(const struct attempt *a)
{
	if (tables_ooni_failure(a) == NULL)
		return NULL;
	if (a->trigger == TRIGGER_QNAME)
		return "resolve";
	if (a->proto == IPPROTO_UDP)
		return "quic_handshake";
	if ((a->bits & ATTEMPT_HANDSHAKE) == 0)
		return "connect";
	if (a->trigger == TRIGGER_SNI || (a->flow != NULL && a->flow->tls != NULL))
		return "tls_handshake";
	return a->trigger == TRIGGER_HOST || (a->flow != NULL && a->flow->http != NULL)
		       ? "http_round_trip"
		       : "read";
}
