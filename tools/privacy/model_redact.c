/* SPDX-License-Identifier: BSD-3-Clause */

/* Names in the model (names.h): fields that hold one, and text that quotes it (quotes.h). */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/app/http_response.h"
#include "classifiers/app/quic.h"
#include "classifiers/app/tls_server.h"
#include "classifiers/attempt.h"
#include "classifiers/lists/page.h"
#include "tools/privacy/model_private.h"
#include "tools/privacy/quotes.h"
#include "tools/study/study.h"

struct redact {
	struct privacy *p;
	struct quotes quotes; /* of the connection that is being redacted */
};

/* A protocol is no name. */
static name_fn fn_of(enum trigger_kind kind)
{
	return kind == TRIGGER_PROTOCOL || kind == TRIGGER_NONE ? NULL
	       : kind == TRIGGER_KEYWORD			? name_of_text
								: name_of_host;
}

/* Of a text that may have room bytes, at most QUOTES_TEXT: a copy where it changes. */
static const char *said_of(struct redact *r, const char *text, size_t room)
{
	char buf[QUOTES_TEXT];

	if (text == NULL || text[0] == '\0')
		return text;
	snprintf(buf, room, "%s", text);
	quotes_hide(&r->quotes, buf, room);
	return strncmp(buf, text, room - 1) == 0 ? text : privacy_keep(r->p, buf);
}

static const char *string_of(struct redact *r, const char *text)
{
	return said_of(r, text, QUOTES_TEXT);
}

static const char *name_string(struct privacy *p, const char *name, name_fn fn)
{
	char as[PSEUDONYM_SIZE];

	if (name == NULL || name[0] == '\0' || fn == NULL)
		return name;
	fn(&p->names, name, strlen(name), as);
	return strcmp(as, name) == 0 ? name : privacy_keep(p, as);
}

/* In place. Returns the new length. */
static size_t field(struct privacy *p, char *field, size_t size, name_fn fn)
{
	char as[PSEUDONYM_SIZE];
	size_t n = fn(&p->names, field, strnlen(field, size), as);

	n = n < size ? n : size - 1;
	memset(field, 0, size);
	memcpy(field, as, n);
	return n;
}

/* The same of a string that may have room bytes. */
static const char *name_in(struct privacy *p, const char *name, size_t room, name_fn fn)
{
	char as[PSEUDONYM_SIZE];

	fn(&p->names, name, strlen(name), as);
	as[room < sizeof(as) ? room - 1 : sizeof(as) - 1] = '\0';
	return privacy_keep(p, as);
}

static void redact_hello(struct privacy *p, struct tls_client_hello *t)
{
	char as[PSEUDONYM_SIZE];

	if (!t->has_sni)
		return;
	/* A zero byte in it does not end it. */
	size_t len = t->sni_len < sizeof(t->sni) ? t->sni_len : sizeof(t->sni) - 1;
	size_t n = name_of_host(&p->names, t->sni, len, as);
	n = n < sizeof(t->sni) ? n : sizeof(t->sni) - 1;
	memset(t->sni, 0, sizeof(t->sni));
	memcpy(t->sni, as, n);
	t->sni_len = (uint16_t)n;
}

static void redact_request(struct privacy *p, struct http_request *h)
{
	h->host_len = (uint16_t)field(p, h->host, sizeof(h->host), name_of_host);
	h->path_len = (uint16_t)field(p, h->path, sizeof(h->path),
				      h->path[0] == '/' ? name_of_path : name_of_url);
}

static void redact_server(struct privacy *p, struct tls_server *s)
{
	/* Of a hash nobody sees that it is one's pseudonym already: of the issuer beside it they do. */
	bool fresh = strncmp(s->issuer, "text-", 5) != 0;

	if (s->issuer[0] == '\0')
		memset(s->spki, 0, sizeof(s->spki));
	else if (fresh)
		name_of_hash(&p->names, s->spki);
	field(p, s->issuer, sizeof(s->issuer), name_of_text);
	field(p, s->subject, sizeof(s->subject), name_of_host);
}

static void redact_page(struct privacy *p, struct page_facts *page)
{
	field(p, page->title, sizeof(page->title), name_of_text);
	field(p, page->frame, sizeof(page->frame), name_of_url);
}

static void redact_response(struct redact *r, struct http_response *h)
{
	h->location_len = (uint16_t)field(r->p, h->location, sizeof(h->location), name_of_url);
	quotes_hide(&r->quotes, h->server, sizeof(h->server));
	h->server_len = (uint16_t)strlen(h->server);
}

static void cut_label(struct label *l)
{
	l->app[strcspn(l->app, ".")] = '\0';
}

/* Records that share facts redact them again, which changes nothing. */
static void redact_flow(struct redact *r, const struct flow_record *f)
{
	struct privacy *p = r->p;

	r->quotes.n = 0;
	if (f->tls != NULL)
		redact_hello(p, (struct tls_client_hello *)(uintptr_t)f->tls);
	if (f->quic != NULL)
		redact_hello(p, &((struct quic_hello *)(uintptr_t)f->quic)->tls);
	if (f->http != NULL)
		redact_request(p, (struct http_request *)(uintptr_t)f->http);
	if (f->response != NULL)
		redact_response(r, (struct http_response *)(uintptr_t)f->response);
	if (f->tls_server != NULL)
		redact_server(p, (struct tls_server *)(uintptr_t)f->tls_server);
	if (f->page != NULL)
		redact_page(p, (struct page_facts *)(uintptr_t)f->page);
	/* "TLS.Wikipedia" is a name too. */
	for (unsigned i = 0; i < f->n_labels; i++)
		if (f->labels[i].rule == NULL)
			cut_label((struct label *)(uintptr_t)&f->labels[i]);
}

/* All that text of a finding may quote of its connection. */
static void know_finding(struct redact *r, const struct finding *f)
{
	const struct flow_record *w = f->flow;

	r->quotes.n = 0;
	if (fn_of(f->trigger) != NULL)
		quotes_know_string(&r->quotes, f->trigger_value, fn_of(f->trigger));
	if (f->dns != NULL)
		quotes_know_string(&r->quotes, f->dns->qname, name_of_host);
	if (f->page != NULL)
		quotes_know_url(&r->quotes, f->page->frame);
	if (w == NULL)
		return;
	if (w->tls != NULL && w->tls->has_sni)
		quotes_know_string(&r->quotes, w->tls->sni, name_of_host);
	if (w->quic != NULL && w->quic->tls.has_sni)
		quotes_know_string(&r->quotes, w->quic->tls.sni, name_of_host);
	if (w->http != NULL)
		quotes_know_string(&r->quotes, w->http->host, name_of_host);
	if (w->response != NULL)
		quotes_know_url(&r->quotes, w->response->location);
	if (w->page != NULL)
		quotes_know_url(&r->quotes, w->page->frame);
	if (w->tls_server != NULL && w->tls_server->has_certificate) {
		quotes_know_string(&r->quotes, w->tls_server->issuer, name_of_text);
		quotes_know_string(&r->quotes, w->tls_server->subject, name_of_host);
	}
}

/* What findings over several connections quote of each: only issuers, and there are few. */
static void know_issuers(struct redact *r, const struct analysis *a, const struct finding *f)
{
	if (f->scope == SCOPE_FLOW || f->family != FAMILY_TLS_INTERCEPTION)
		return;
	for (size_t i = 0; i < a->n_attempts; i++) {
		const struct tls_server *s = a->attempts[i].tls_server;
		for (unsigned k = 0; s != NULL && k < f->n_flows; k++)
			if (f->flows[k] == a->attempts[i].flow_id)
				quotes_know_string(&r->quotes, s->issuer, name_of_text);
	}
}

/* An address stays, and the type of a record that is neither that nor a name. */
static const char *answer_of(struct privacy *p, const char *answer)
{
	size_t n = strlen(answer);

	if (n != 0 && strspn(answer, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == n)
		return answer;
	return name_string(p, answer, name_of_host);
}

static const char *qname_of(struct privacy *p, const char *qname)
{
	return name_string(p, qname, name_of_host);
}

static void redact_finding(struct redact *r, struct finding *f)
{
	f->sentence = said_of(r, f->sentence, FINDING_SENTENCE);
	for (unsigned i = 0; i < f->n_rows; i++) {
		f->rows[i].value = said_of(r, f->rows[i].value, EVIDENCE_TEXT);
		f->rows[i].expected = said_of(r, f->rows[i].expected, EVIDENCE_TEXT);
	}
	for (unsigned i = 0; i < f->n_ladder; i++)
		f->ladder[i].note = string_of(r, f->ladder[i].note);
	for (unsigned i = 0; i < f->n_devices; i++)
		f->devices[i].detail = string_of(r, f->devices[i].detail);
	if (fn_of(f->trigger) != NULL)
		f->trigger_value = name_in(r->p, f->trigger_value, FINDING_TRIGGER,
					   fn_of(f->trigger));
	privacy_dns(r->p, f, qname_of, answer_of);
	struct page_facts *page = privacy_page(r->p, f);
	if (page != NULL)
		redact_page(r->p, page);
}

static void redact_profile(struct redact *r, struct study_profile *f)
{
	r->quotes.n = 0;
	for (unsigned k = 0; k < f->n_triggers; k++)
		if (fn_of(f->triggers[k].kind) != NULL)
			quotes_know_string(&r->quotes, f->triggers[k].name, name_of_host);
	for (unsigned k = 0; k < f->n_lines; k++) {
		f->lines[k].value = string_of(r, f->lines[k].value);
		f->lines[k].why = string_of(r, f->lines[k].why);
	}
	for (unsigned k = 0; k < f->n_triggers; k++)
		f->triggers[k].name = name_string(r->p, f->triggers[k].name,
						  fn_of(f->triggers[k].kind));
}

static int by_pseudonym(const void *x, const void *y)
{
	const struct study_name *a = x, *b = y;
	int by = (int)a->kind - (int)b->kind;

	by = by != 0 ? by : strcmp(a->name, b->name);
	by = by != 0 ? by : memcmp(&a->server, &b->server, sizeof(a->server));
	return by != 0 ? by : (int)a->server_port - (int)b->server_port;
}

/* The order of names would say something of them. */
static void redact_study(struct redact *r, struct study *s)
{
	for (size_t i = 0; i < s->n_names; i++)
		s->names[i].name = name_string(r->p, s->names[i].name, fn_of(s->names[i].kind));
	for (unsigned i = 0; i < s->n_profiles; i++)
		redact_profile(r, &s->profiles[i]);
	if (s->n_names != 0)
		qsort(s->names, s->n_names, sizeof(*s->names), by_pseudonym);
}

void privacy_redact(struct privacy *p, struct analysis *a, const struct report_options *o)
{
	struct redact r = {.p = p, .quotes = {.names = &p->names, .rules = o->rules}};

	/* Findings first: what their text quotes is known from flows as they were. */
	for (size_t i = 0; i < a->n_findings; i++) {
		know_finding(&r, a->findings[i]);
		know_issuers(&r, a, a->findings[i]);
		redact_finding(&r, a->findings[i]);
	}
	if (o->study != NULL)
		redact_study(&r, (struct study *)(uintptr_t)o->study);
	for (size_t i = 0; i < a->n_attempts; i++) {
		struct attempt *t = &a->attempts[i];
		t->name = name_string(p, t->name, fn_of((enum trigger_kind)t->trigger));
		if (t->tls_server != NULL)
			redact_server(p, (struct tls_server *)(uintptr_t)t->tls_server);
	}
	for (size_t i = 0; i < a->n_flows; i++)
		redact_flow(&r, a->flows[i]);
	for (size_t i = 0; i < a->n_findings; i++)
		if (a->findings[i]->flow != NULL)
			redact_flow(&r, a->findings[i]->flow);
}
