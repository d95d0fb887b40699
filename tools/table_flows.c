/* SPDX-License-Identifier: BSD-3-Clause */

/* One row a connection: its ends, counters, what its bytes said, and what was found about it. */

#include <netinet/in.h>
#include <string.h>

#include "classifiers/app/http_response.h"
#include "classifiers/app/quic.h"
#include "tools/facts.h"
#include "tools/tables.h"

static const struct column columns[] = {
	{"timestamp", COLUMN_TEXT, false},
	{"flow_id", COLUMN_INTEGER, false},
	{"pcap_cnt", COLUMN_INTEGER, false},
	{"pcap_filename", COLUMN_TEXT, true},
	COLUMNS_ENDS,
	{"vlan", COLUMN_TEXT, false},
	{"tunnels", COLUMN_TEXT, false},
	{"community_id", COLUMN_TEXT, true},
	{"src_asn", COLUMN_INTEGER, false},
	{"src_as_org", COLUMN_TEXT, false},
	{"src_country", COLUMN_TEXT, false},
	{"dest_asn", COLUMN_INTEGER, false},
	{"dest_as_org", COLUMN_TEXT, false},
	{"dest_country", COLUMN_TEXT, false},
	{"app_proto", COLUMN_TEXT, false},
	{"pkts_toserver", COLUMN_INTEGER, false},
	{"pkts_toclient", COLUMN_INTEGER, false},
	{"bytes_toserver", COLUMN_INTEGER, false},
	{"bytes_toclient", COLUMN_INTEGER, false},
	{"start", COLUMN_TEXT, false},
	{"end", COLUMN_TEXT, false},
	{"state", COLUMN_TEXT, false},
	{"reason", COLUMN_TEXT, false},
	{"history", COLUMN_TEXT, false},
	{"stage", COLUMN_TEXT, false},
	{"cloudflare_stage", COLUMN_TEXT, false},
	{"outcome", COLUMN_TEXT, false},
	{"failed_operation", COLUMN_TEXT, false},
	{"failure", COLUMN_TEXT, false},
	{"worst", COLUMN_TEXT, false},
	{"findings", COLUMN_INTEGER, false},
	{"finding_id", COLUMN_TEXT, false},
	{"family", COLUMN_TEXT, false},
	{"sni", COLUMN_TEXT, false},
	{"alpn", COLUMN_TEXT, false},
	{"ja3", COLUMN_TEXT, false},
	{"ja4", COLUMN_TEXT, false},
	{"ech", COLUMN_INTEGER, false},
	{"method", COLUMN_TEXT, false},
	{"host", COLUMN_TEXT, false},
	{"path", COLUMN_TEXT, true},
	{"status", COLUMN_INTEGER, false},
	{"labels", COLUMN_TEXT, false},
};

/* The findings about one flow alone. */
struct found {
	unsigned shown;
	const struct finding *worst;
	bool cut; /* the connection was ended or starved: what Cloudflare's stages are about */
};

static size_t find(const struct tables *t, size_t at, const struct flow_record *f,
		   struct found *out)
{
	const struct analysis *a = t->a;

	*out = (struct found){.shown = 0};
	for (; at < a->n_findings && a->findings[at]->flow == f &&
	       a->findings[at]->scope == SCOPE_FLOW;
	     at++) {
		const struct finding *x = a->findings[at];
		if (!tables_shown(t->o, x))
			continue;
		out->shown++;
		out->cut |= x->family == FAMILY_TCP_INJECTION || x->family == FAMILY_SILENT_DROP ||
			    x->family == FAMILY_RESIDUAL || x->family == FAMILY_VPN_INTERFERENCE;
		if (out->worst == NULL || x->verdict > out->worst->verdict)
			out->worst = x;
	}
	return at;
}

static void place(struct rows *r, const struct geo_place *p, const char *const keys[3])
{
	row_uint_if(r, keys[0], p != NULL && p->asn != 0, p != NULL ? p->asn : 0);
	if (p != NULL && p->org[0] != '\0')
		row_bytes(r, keys[1], p->org, strlen(p->org));
	else
		row_null(r, keys[1]);
	row_text(r, keys[2], p != NULL && p->country[0] != '\0' ? p->country : NULL);
}

static void identity(const struct tables *t, struct rows *r, const struct flow_record *f)
{
	static const char *const src[] = {"src_asn", "src_as_org", "src_country"};
	static const char *const dest[] = {"dest_asn", "dest_as_org", "dest_country"};
	const char *file = facts_filename(t->a, f);
	char id[32];

	row_time_if(r, "timestamp", true, f->first_ns);
	row_uint(r, "flow_id", f->id);
	row_uint(r, "pcap_cnt", f->first_frame);
	row_bytes(r, "pcap_filename", file, strlen(file));
	row_ends(r, f, true);
	row_list_begin(r);
	for (unsigned i = 0; i < f->n_vlans && i < 2; i++)
		row_list_uint(r, f->vlan[i]);
	row_list_end(r, "vlan");
	row_list_begin(r);
	for (unsigned i = 0; i < f->n_tunnels && i < TUNNELS_MAX; i++) {
		const char *name = facts_tunnel(f->tunnels[i]);
		row_list_add(r, " ", name, strlen(name));
	}
	row_list_end(r, "tunnels");
	row_text(r, "community_id", facts_community_id(f, id)[0] != '\0' ? id : NULL);
	place(r, f->client_at, src);
	place(r, f->server_at, dest);
}

static void counters(struct rows *r, const struct flow_record *f)
{
	row_text(r, "app_proto", f->app_proto);
	row_uint(r, "pkts_toserver", f->pkts[DIR_C2S]);
	row_uint(r, "pkts_toclient", f->pkts[DIR_S2C]);
	row_uint(r, "bytes_toserver", f->bytes[DIR_C2S]);
	row_uint(r, "bytes_toclient", f->bytes[DIR_S2C]);
	row_time_if(r, "start", true, f->first_ns);
	row_time_if(r, "end", true, f->last_ns);
	row_text(r, "state", f->state < FLOW_N_STATES ? flow_state_name[f->state] : NULL);
	row_text(r, "reason", f->end < FLOW_END_N ? flow_end_name[f->end] : NULL);
	row_text(r, "history", f->history);
	row_text(r, "stage", facts_stage(f->stage));
}

/* Cloudflare Radar's words: its glossary calls the last stage later_in_flow. */
static const char *cloudflare_stage(const struct flow_record *f, const struct found *found)
{
	if (f->proto != IPPROTO_TCP)
		return NULL;
	if (!found->cut)
		return "no_match";
	return f->stage == STAGE_LATER ? "later_in_flow" : facts_stage(f->stage);
}

static void outcome(const struct tables *t, struct rows *r, const struct flow_record *f,
		    const struct found *found)
{
	/* A flow of many queries has not one outcome. */
	const struct attempt *one = tables_attempt(t, f);

	row_text(r, "cloudflare_stage", cloudflare_stage(f, found));
	row_text(r, "outcome", one != NULL ? attempt_end_name[one->end] : NULL);
	row_text(r, "failed_operation", one != NULL ? tables_ooni_operation(one) : NULL);
	row_text(r, "failure", one != NULL ? tables_ooni_failure(one) : NULL);
	row_text(r, "worst", verdict_name[found->worst != NULL ? found->worst->verdict
							       : VERDICT_NONE]);
	row_uint(r, "findings", found->shown);
	row_text(r, "finding_id", found->worst != NULL ? found->worst->id : NULL);
	row_text(r, "family", found->worst != NULL ? family_name[found->worst->family] : NULL);
}

/* What was kept of a name of true length len in a field of size bytes. */
static void name(struct rows *r, const char *column, bool has, const char *field, size_t size,
		 size_t len)
{
	if (has)
		row_bytes(r, column, field, len < size ? len : size - 1);
	else
		row_null(r, column);
}

static void names(struct rows *r, const struct flow_record *f)
{
	static const struct tls_client_hello no_hello;
	static const struct http_request no_request;
	const struct tls_client_hello *h = f->tls != NULL    ? f->tls
					   : f->quic != NULL ? &f->quic->tls
							     : &no_hello;
	const struct http_request *q = f->http != NULL ? f->http : &no_request;

	name(r, "sni", h->has_sni, h->sni, sizeof(h->sni), h->sni_len);
	row_list_begin(r);
	for (unsigned i = 0; i < h->n_alpn && i < TLS_ALPN_MAX; i++)
		row_list_add(r, ",", h->alpn[i], strnlen(h->alpn[i], sizeof(h->alpn[i])));
	row_list_end(r, "alpn");
	row_text(r, "ja3", h->ja3[0] != '\0' ? h->ja3 : NULL);
	row_text(r, "ja4", h->ja4[0] != '\0' ? h->ja4 : NULL);
	row_uint_if(r, "ech", h != &no_hello, h->ech);
	name(r, "method", q->method[0] != '\0', q->method, sizeof(q->method), strlen(q->method));
	name(r, "host", q->has_host, q->host, sizeof(q->host), q->host_len);
	name(r, "path", q != &no_request, q->path, sizeof(q->path), q->path_len);
	row_uint_if(r, "status", f->response != NULL, f->response != NULL ? f->response->status : 0);
}

static void labels(struct rows *r, const struct flow_record *f)
{
	row_list_begin(r);
	for (unsigned i = 0; i < f->n_labels; i++) {
		const struct label *l = &f->labels[i];
		if (l->by == NULL)
			continue;
		row_list_add(r, " ", l->by, strlen(l->by));
		row_list_add(r, ":", l->app, strlen(l->app));
	}
	row_list_end(r, "labels");
}

#define AHEAD 4 /* rows: some microseconds, as long as memory may take */

static int flows_write(const struct tables *t, struct rows *r)
{
	struct found found;

	for (size_t i = 0, at = 0; i < t->a->n_flows; i++) {
		const struct flow_record *f = t->a->flows[i];
		if (i + AHEAD < t->a->n_flows)
			tables_prefetch(t, t->a->flows[i + AHEAD]);
		at = find(t, at, f, &found);
		if (!t->a->all_flows && found.shown == 0)
			continue;
		identity(t, r, f);
		counters(r, f);
		outcome(t, r, f, &found);
		names(r, f);
		labels(r, f);
		if (!row_end(r))
			return r->error;
	}
	return 0;
}

const struct table table_flows = {.name = "flows", .file = true, .columns = columns,
				  .n_columns = sizeof(columns) / sizeof(columns[0]),
				  .write = flows_write};
