/* SPDX-License-Identifier: BSD-3-Clause */

/* What a flow's bytes said, as objects of its event: TLS, HTTP, QUIC; rules and pages. */

#include <string.h>

#include "classifiers/app/http_response.h"
#include "classifiers/app/quic.h"
#include "classifiers/app/tls_server.h"
#include "classifiers/app/vpn.h"
#include "classifiers/lists/page.h"
#include "tools/facts.h"
#include "tools/json.h"
#include "tools/report_jsonl.h"

/* The bytes that were kept of a name of true length len in a field of size bytes. */
static void name(struct json *j, const char *key, bool has, const char *field, size_t size,
		 size_t len)
{
	if (has)
		json_bytes(j, key, field, len < size ? len : size - 1);
	else
		json_null(j, key);
}

static void hash(struct json *j, const char *key, const char *value)
{
	json_string(j, key, value[0] != '\0' ? value : NULL);
}

static void alpn(struct json *j, const struct tls_client_hello *t)
{
	unsigned n = t->n_alpn < TLS_ALPN_MAX ? t->n_alpn : TLS_ALPN_MAX;
	bool utf8 = true;

	json_array(j, "alpn");
	for (unsigned i = 0; i < n; i++) {
		size_t len = strnlen(t->alpn[i], sizeof(t->alpn[i]));
		json_bytes(j, NULL, t->alpn[i], len);
		utf8 = utf8 && json_is_utf8(t->alpn[i], len);
	}
	json_end(j);
	if (!utf8) {
		json_array(j, "alpn_hex");
		for (unsigned i = 0; i < n; i++)
			json_hex(j, NULL, t->alpn[i], strnlen(t->alpn[i], sizeof(t->alpn[i])));
		json_end(j);
	}
}

static void tls_alert(struct json *j, const struct tls_server *s)
{
	json_object(j, "alert");
	json_uint(j, "level", s->alert_level);
	json_uint(j, "description", s->alert);
	json_string(j, "name", tls_alert_name(s->alert));
	json_bool(j, "instead_of_hello", !s->has_hello);
	json_end(j);
}

/* What the server said in the clear; keys of what it did not say are left out. */
static void tls_server(struct json *j, const struct tls_server *s)
{
	if (s->has_hello || s->retry) {
		json_uint(j, "server_version", s->version);
		json_uint(j, "cipher", s->cipher);
		hash(j, "ja3s", s->ja3s);
	}
	if (s->has_certificate) {
		json_bytes(j, "issuer", s->issuer, strnlen(s->issuer, sizeof(s->issuer)));
		json_bytes(j, "subject", s->subject, strnlen(s->subject, sizeof(s->subject)));
		json_hex(j, "spki_sha256", (const char *)s->spki, sizeof(s->spki));
	}
	if (s->has_alert)
		tls_alert(j, s);
}

/* Keys of a client that was not seen are empty, and truncated says so. */
static void tls(struct json *j, const struct tls_client_hello *t, const struct tls_server *s)
{
	static const struct tls_client_hello unseen = {.truncated = true};

	t = t != NULL ? t : &unseen;
	json_object(j, "tls");
	name(j, "sni", t->has_sni, t->sni, sizeof(t->sni), t->sni_len);
	alpn(j, t);
	hash(j, "ja3", t->ja3);
	hash(j, "ja4", t->ja4);
	json_bool(j, "ech", t->ech);
	json_bool(j, "esni", t->esni);
	json_uint(j, "version", t->highest_version);
	json_uint(j, "legacy_version", t->legacy_version);
	json_uint(j, "record_version", t->record_version);
	json_uint(j, "records", t->n_records);
	if (t->has_sni)
		json_uint(j, "sni_length", t->sni_len);
	json_bool(j, "truncated", t->truncated);
	if (s != NULL)
		tls_server(j, s);
	json_end(j);
}

/* Keys of the side that was not seen say so: empty, or truncated. */
static void http(struct json *j, const struct http_request *h, const struct http_response *r)
{
	static const struct http_request unseen = {.truncated = true};

	h = h != NULL ? h : &unseen;
	json_object(j, "http");
	json_string(j, "method", h->method);
	name(j, "host", h->has_host, h->host, sizeof(h->host), h->host_len);
	name(j, "path", true, h->path, sizeof(h->path), h->path_len);
	json_string(j, "version", h->version);
	json_bool(j, "truncated", h->truncated);
	if (r != NULL) {
		json_uint(j, "status", r->status);
		name(j, "location", r->has_location, r->location, sizeof(r->location),
		     r->location_len);
		name(j, "server", r->has_server, r->server, sizeof(r->server), r->server_len);
	}
	json_end(j);
}

/* Of the client's first Initials; names are null where they could not be read. */
static void quic(struct json *j, const struct quic_hello *q)
{
	const struct tls_client_hello *t = &q->tls;
	json_object(j, "quic");
	json_uint(j, "version", q->version);
	name(j, "sni", t->has_sni, t->sni, sizeof(t->sni), t->sni_len);
	alpn(j, t);
	hash(j, "ja4", t->ja4);
	json_bool(j, "ech", t->ech);
	json_hex(j, "dcid", (const char *)q->dcid.b, q->dcid.len);
	json_hex(j, "scid", (const char *)q->scid.b, q->scid.len);
	json_bool(j, "opened", q->opened);
	json_bool(j, "truncated", !q->has_tls || t->truncated);
	json_end(j);
}

static void time_or_null(struct json *j, const char *key, uint64_t ts_ns)
{
	if (ts_ns != 0)
		jsonl_time(j, key, ts_ns);
	else
		json_null(j, key);
}

/* What the outcome of a VPN's session may be judged by; proto null: only fet was said. */
static void vpn(struct json *j, const struct flow_record *f)
{
	const struct vpn_facts *v = f->vpn;
	json_object(j, "vpn");
	json_string(j, "proto", vpn_proto_name[v->proto]);
	json_string(j, "variant", v->variant[0] != '\0' ? v->variant : NULL);
	json_string(j, "confidence", v->proto == VPN_NONE ? NULL : v->both ? "dpi" : "guess");
	json_bool(j, "disputed", facts_is_disputed(f));
	json_bool(j, "midway", v->midway);
	json_uint(j, "handshakes_toserver", v->handshakes[DIR_C2S]);
	json_uint(j, "handshakes_toclient", v->handshakes[DIR_S2C]);
	json_uint(j, "data_toserver", v->data[DIR_C2S]);
	json_uint(j, "data_toclient", v->data[DIR_S2C]);
	json_uint(j, "keepalives_toserver", v->keepalives[DIR_C2S]);
	json_uint(j, "keepalives_toclient", v->keepalives[DIR_S2C]);
	time_or_null(j, "first_data", v->first_data_ns);
	time_or_null(j, "last_data_toserver", v->last_data_ns[DIR_C2S]);
	time_or_null(j, "last_data_toclient", v->last_data_ns[DIR_S2C]);
	json_bool(j, "complete", v->complete);
	json_bool(j, "cookie", v->cookie);
	json_bool(j, "fet", v->fet);
	json_end(j);
}

void jsonl_app(struct json *j, const struct flow_record *f)
{
	if (f->tls != NULL || f->tls_server != NULL)
		tls(j, f->tls, f->tls_server);
	if (f->http != NULL || f->response != NULL)
		http(j, f->http, f->response);
	if (f->quic != NULL)
		quic(j, f->quic);
	if (f->vpn != NULL)
		vpn(j, f);
}

/* Which rule said it, and where that was described. */
void jsonl_rule(struct json *j, const struct rule *r)
{
	json_object(j, "rule");
	json_bytes(j, "id", r->id, strlen(r->id));
	json_bytes(j, "list", r->list, strlen(r->list));
	json_uint(j, "line", r->line);
	json_bytes(j, "source", r->source, strlen(r->source));
	json_string(j, "scope", rule_scope_name[r->scope]);
	json_end(j);
}

void jsonl_page(struct json *j, const struct page_facts *p)
{
	if (p == NULL) {
		json_null(j, "page");
		return;
	}
	json_object(j, "page");
	if (p->rule != NULL) {
		jsonl_rule(j, p->rule);
		json_bytes(j, "name", p->rule->name, strlen(p->rule->name));
		json_string(j, "countries", p->rule->countries);
	} else {
		json_null(j, "rule");
	}
	json_uint(j, "status", p->status);
	json_bytes(j, "title", p->title, strnlen(p->title, sizeof(p->title)));
	json_bytes(j, "frame", p->frame, strnlen(p->frame, sizeof(p->frame)));
	json_array(j, "hits");
	for (unsigned i = 0; i < p->hits.n; i++)
		json_bytes(j, NULL, p->hits.hit[i]->id, strlen(p->hits.hit[i]->id));
	json_end(j);
	json_end(j);
}
