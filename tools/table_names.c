/* SPDX-License-Identifier: BSD-3-Clause */

/* Tables of what was asked for: DNS queries, TLS and QUIC hellos, and names with what became of them. */

#include <netinet/in.h>
#include <string.h>

#include "classifiers/app/dns.h"
#include "classifiers/app/quic.h"
#include "classifiers/app/tls_server.h"
#include "tools/facts.h"
#include "tools/study/study.h"
#include "tools/tables.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* Queries */

static const struct column dns_columns[] = {
	{"timestamp", COLUMN_TEXT, false},
	{"flow_id", COLUMN_INTEGER, false},
	{"pcap_filename", COLUMN_TEXT, true},
	COLUMNS_ENDS,
	{"txid", COLUMN_INTEGER, false},
	{"qname", COLUMN_TEXT, false},
	{"qtype", COLUMN_TEXT, false},
	{"rcode", COLUMN_TEXT, false},
	{"replies", COLUMN_INTEGER, false},
	{"reply_ms", COLUMN_REAL, false},
	{"outcome", COLUMN_TEXT, false},
	{"failure", COLUMN_TEXT, false},
	{"verdict", COLUMN_TEXT, false},
	{"finding_id", COLUMN_TEXT, false},
	{"forged_rcode", COLUMN_TEXT, false},
	{"forged_answers", COLUMN_TEXT, true},
	{"told_apart", COLUMN_INTEGER, false},
};

/* Its ends as a flow's, for those whose flow has no record. */
static struct flow_record ends_of(const struct attempt *a)
{
	return (struct flow_record){.ip_version = a->ip_version, .proto = a->proto,
				    .client = a->client, .server = a->server,
				    .client_port = a->client_port, .server_port = a->server_port,
				    .capture = a->capture, .id = a->flow_id};
}

static void forged(struct rows *r, const struct finding *f)
{
	const struct dns_facts *d = f != NULL ? f->dns : NULL;
	char buf[12];

	row_text(r, "verdict", verdict_name[f != NULL ? f->verdict : VERDICT_NONE]);
	row_text(r, "finding_id", f != NULL ? f->id : NULL);
	row_text(r, "forged_rcode", d != NULL ? dns_rcode_text(d->rcode, buf) : NULL);
	row_list_begin(r);
	for (unsigned i = 0; d != NULL && i < d->n_answers; i++)
		row_list_add(r, " ", d->answers[i], strlen(d->answers[i]));
	row_list_end(r, "forged_answers");
	row_uint_if(r, "told_apart", d != NULL, d != NULL && d->told_apart);
}

static void query(const struct tables *t, struct rows *r, const struct attempt *a)
{
	const struct flow_record ends = ends_of(a);
	const char *file = facts_filename(t->a, &ends);
	bool shown = a->finding != NULL && tables_shown(t->o, a->finding);
	bool timed = a->n_answers != 0 && a->request_ns != 0 && a->end_ns >= a->request_ns;
	char buf[12];

	row_time_if(r, "timestamp", true, a->start_ns);
	row_uint(r, "flow_id", a->flow_id);
	row_bytes(r, "pcap_filename", file, strlen(file));
	row_ends(r, &ends, true);
	row_uint(r, "txid", a->txid);
	row_bytes(r, "qname", a->name != NULL ? a->name : "", a->name != NULL ? strlen(a->name) : 0);
	row_text(r, "qtype", dns_type_text(a->qtype, buf));
	row_text(r, "rcode", a->n_answers != 0 ? dns_rcode_text(a->rcode, buf) : NULL);
	row_uint(r, "replies", a->n_answers);
	row_real_if(r, "reply_ms", timed, (double)(a->end_ns - a->request_ns) / 1e6);
	row_text(r, "outcome", attempt_end_name[a->end]);
	row_text(r, "failure", tables_ooni_failure(a));
	forged(r, shown ? a->finding : NULL);
}

static int dns_write(const struct tables *t, struct rows *r)
{
	for (size_t i = 0; i < t->a->n_attempts; i++) {
		if (t->a->attempts[i].trigger != TRIGGER_QNAME)
			continue;
		query(t, r, &t->a->attempts[i]);
		if (!row_end(r))
			return r->error;
	}
	return 0;
}

/* Hellos */

static const struct column tls_columns[] = {
	{"timestamp", COLUMN_TEXT, false},
	{"flow_id", COLUMN_INTEGER, false},
	{"pcap_filename", COLUMN_TEXT, true},
	COLUMNS_ENDS,
	{"sni", COLUMN_TEXT, false},
	{"alpn", COLUMN_TEXT, false},
	{"ja3", COLUMN_TEXT, false},
	{"ja4", COLUMN_TEXT, false},
	{"ech", COLUMN_INTEGER, false},
	{"esni", COLUMN_INTEGER, false},
	{"version", COLUMN_INTEGER, false},
	{"legacy_version", COLUMN_INTEGER, false},
	{"record_version", COLUMN_INTEGER, false},
	{"records", COLUMN_INTEGER, false},
	{"truncated", COLUMN_INTEGER, false},
	{"quic_version", COLUMN_INTEGER, false},
	{"server_version", COLUMN_INTEGER, false},
	{"cipher", COLUMN_INTEGER, false},
	{"ja3s", COLUMN_TEXT, false},
	{"issuer", COLUMN_TEXT, false},
	{"subject", COLUMN_TEXT, false},
	{"spki_sha256", COLUMN_TEXT, false},
	{"alert_level", COLUMN_INTEGER, false},
	{"alert", COLUMN_INTEGER, false},
	{"worst", COLUMN_TEXT, false},
};

static void hello(struct rows *r, const struct tls_client_hello *h, bool seen, bool tcp)
{
	size_t len = h->sni_len < sizeof(h->sni) ? h->sni_len : sizeof(h->sni) - 1;

	if (h->has_sni)
		row_bytes(r, "sni", h->sni, len);
	else
		row_null(r, "sni");
	row_list_begin(r);
	for (unsigned i = 0; i < h->n_alpn && i < TLS_ALPN_MAX; i++)
		row_list_add(r, ",", h->alpn[i], strnlen(h->alpn[i], sizeof(h->alpn[i])));
	row_list_end(r, "alpn");
	row_text(r, "ja3", h->ja3[0] != '\0' ? h->ja3 : NULL);
	row_text(r, "ja4", h->ja4[0] != '\0' ? h->ja4 : NULL);
	row_uint_if(r, "ech", seen, h->ech);
	row_uint_if(r, "esni", seen, h->esni);
	row_uint_if(r, "version", seen, h->highest_version);
	row_uint_if(r, "legacy_version", seen, h->legacy_version);
	row_uint_if(r, "record_version", seen && tcp, h->record_version);
	row_uint_if(r, "records", seen && tcp, h->n_records);
	row_uint(r, "truncated", !seen || h->truncated);
}

static void certificate(struct rows *r, const struct tls_server *s)
{
	static const char digits[] = "0123456789abcdef";
	char hex[2 * sizeof(s->spki) + 1];

	if (!s->has_certificate) {
		row_null(r, "issuer");
		row_null(r, "subject");
		row_null(r, "spki_sha256");
		return;
	}
	for (size_t i = 0; i < sizeof(s->spki); i++) {
		hex[2 * i] = digits[s->spki[i] >> 4];
		hex[2 * i + 1] = digits[s->spki[i] & 15];
	}
	hex[sizeof(hex) - 1] = '\0';
	row_bytes(r, "issuer", s->issuer, strnlen(s->issuer, sizeof(s->issuer)));
	row_bytes(r, "subject", s->subject, strnlen(s->subject, sizeof(s->subject)));
	row_text(r, "spki_sha256", hex);
}

static void answer(struct rows *r, const struct tls_server *server)
{
	static const struct tls_server unseen;
	const struct tls_server *s = server != NULL ? server : &unseen;
	bool greeted = s->has_hello || s->retry;

	row_uint_if(r, "server_version", greeted, s->version);
	row_uint_if(r, "cipher", greeted, s->cipher);
	row_text(r, "ja3s", s->ja3s[0] != '\0' ? s->ja3s : NULL);
	certificate(r, s);
	row_uint_if(r, "alert_level", s->has_alert, s->alert_level);
	row_uint_if(r, "alert", s->has_alert, s->alert);
}

static enum verdict worst_shown(const struct tables *t, const struct flow_record *f)
{
	return f->worst >= t->o->min_verdict ? f->worst : VERDICT_NONE;
}

static int tls_write(const struct tables *t, struct rows *r)
{
	static const struct tls_client_hello unseen;

	for (size_t i = 0; i < t->a->n_flows; i++) {
		const struct flow_record *f = t->a->flows[i];
		const struct quic_hello *q = f->quic;
		const struct tls_client_hello *h = f->tls != NULL ? f->tls
						   : q != NULL && q->has_tls ? &q->tls : &unseen;
		if (f->tls == NULL && f->tls_server == NULL && q == NULL)
			continue;
		const char *file = facts_filename(t->a, f);
		row_time_if(r, "timestamp", true, f->first_ns);
		row_uint(r, "flow_id", f->id);
		row_bytes(r, "pcap_filename", file, strlen(file));
		row_ends(r, f, true);
		hello(r, h, h != &unseen, f->proto == IPPROTO_TCP);
		row_uint_if(r, "quic_version", q != NULL, q != NULL ? q->version : 0);
		answer(r, f->tls_server);
		row_text(r, "worst", verdict_name[worst_shown(t, f)]);
		if (!row_end(r))
			return r->error;
	}
	return 0;
}

/* Names */

static const struct column name_columns[] = {
	{"kind", COLUMN_TEXT, false},	       {"value", COLUMN_TEXT, false},
	{"dest_ip", COLUMN_TEXT, true},       {"dest_port", COLUMN_INTEGER, false},
	{"proto", COLUMN_TEXT, false},	       {"passed", COLUMN_INTEGER, false},
	{"failed", COLUMN_INTEGER, false},     {"dependent", COLUMN_INTEGER, false},
	{"control_passed", COLUMN_INTEGER, false},
	{"control_failed", COLUMN_INTEGER, false},
	{"filtered", COLUMN_INTEGER, false},
};

static int names_write(const struct tables *t, struct rows *r)
{
	const struct study *s = t->o->study;
	char addr[64], proto[8];

	for (size_t i = 0; s != NULL && i < s->n_names; i++) {
		const struct study_name *n = &s->names[i];
		row_text(r, "kind", trigger_name[n->kind]);
		row_bytes(r, "value", n->name, strlen(n->name));
		row_text(r, "dest_ip",
			 ip_addr_format(&n->server, n->ip_version, addr, sizeof(addr)));
		row_uint(r, "dest_port", n->server_port);
		row_text(r, "proto", facts_proto(n->proto, proto));
		row_uint(r, "passed", n->ok);
		row_uint(r, "failed", n->failed);
		row_uint(r, "dependent", n->dependent);
		row_uint(r, "control_passed", n->control_ok);
		row_uint(r, "control_failed", n->control_failed);
		row_uint(r, "filtered", n->filtered);
		if (!row_end(r))
			return r->error;
	}
	return 0;
}

const struct table table_dns = {.name = "dns", .file = true, .columns = dns_columns,
				.n_columns = N(dns_columns), .write = dns_write};
const struct table table_tls = {.name = "tls", .file = true, .columns = tls_columns,
				.n_columns = N(tls_columns), .write = tls_write};
const struct table table_names = {.name = "names", .columns = name_columns,
				  .n_columns = N(name_columns), .write = names_write};
