/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Names in the model (names.h): fields that hold one, and text that quotes it. What is looked for
 * in text is known from the connection that the text is about; whatever else reads as a host name
 * goes too, unless a list of rules has it.
 */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/app/http_response.h"
#include "classifiers/app/quic.h"
#include "classifiers/app/tls_server.h"
#include "classifiers/attempt.h"
#include "classifiers/lists/page.h"
#include "tools/privacy/model_private.h"
#include "tools/study/study.h"

#define TEXT_MAX     1024u
#define KNOWN_MAX    24u
#define CUT_SURE     40u /* bytes of a name that text may break off behind, anywhere */
#define CUT_AT_END   4u  /* the same at the end of a text, or before "..." */

typedef size_t (*name_fn)(const struct names_key *k, const char *name, size_t len,
			  char out[PSEUDONYM_SIZE]);

/* A name that a text may quote, and what is written in its place. */
struct known {
	const char *raw;
	size_t len, spelt_len;
	char spelt[TEXT_MAX];
	char as[PSEUDONYM_SIZE];
};

struct redact {
	struct privacy *p;
	const struct ruleset *rules;
	struct known known[KNOWN_MAX];
	unsigned n_known;
};

/* Sentences spell out what is not printable, as \xNN. */
static size_t spelt(const char *raw, size_t len, char out[TEXT_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 5 < TEXT_MAX; i++) {
		unsigned char c = (unsigned char)raw[i];
		if (c >= 0x21 && c < 0x7f && c != '\\')
			out[n++] = raw[i];
		else
			n += (size_t)snprintf(out + n, TEXT_MAX - n, "\\x%02x", c);
	}
	out[n] = '\0';
	return n;
}

static void know(struct redact *r, const char *raw, size_t len, name_fn fn)
{
	if (len == 0 || r->n_known == KNOWN_MAX)
		return;
	for (unsigned i = 0; i < r->n_known; i++)
		if (r->known[i].len == len && memcmp(r->known[i].raw, raw, len) == 0)
			return;
	struct known *k = &r->known[r->n_known++];
	k->raw = raw;
	k->len = len;
	k->spelt_len = spelt(raw, len, k->spelt);
	fn(&r->p->names, raw, len, k->as);
}

static void know_string(struct redact *r, const char *raw, name_fn fn)
{
	if (raw != NULL)
		know(r, raw, strlen(raw), fn);
}

static void know_url(struct redact *r, const char *url)
{
	size_t n;
	const char *host = name_host_in(url, strlen(url), &n);

	know_string(r, url, name_of_url);
	if (host != NULL)
		know(r, host, n, name_of_host);
}

/* A protocol is no name. */
static name_fn fn_of(enum trigger_kind kind)
{
	return kind == TRIGGER_PROTOCOL || kind == TRIGGER_NONE ? NULL
	       : kind == TRIGGER_KEYWORD			? name_of_text
								: name_of_host;
}

static bool in_word(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_';
}

/* What of a name stands at p: all of it, or, with cut, the part that was quoted. 0: nothing. */
static size_t quoted(const char *name, size_t len, const char *p, const char *text, bool cut)
{
	size_t n = 0;

	if (p > text && (in_word(p[-1]) || p[-1] == '.') && in_word(name[0]))
		return 0;
	while (n < len && p[n] != '\0' &&
	       tolower((unsigned char)p[n]) == tolower((unsigned char)name[n]))
		n++;
	if (n == len)
		return in_word(name[len - 1]) && (in_word(p[n]) || (p[n] == '.' && in_word(p[n + 1])))
			       ? 0
			       : n;
	bool ends = p[n] == '\0' || strncmp(p + n, "...", 3) == 0;
	return cut && (n >= CUT_SURE || (ends && n >= CUT_AT_END)) ? n : 0;
}

/* Puts as in the place of n bytes at p, as far as there is room in text. */
static void swap_in(char *text, size_t room, char *p, size_t n, const char *as)
{
	char rest[TEXT_MAX];

	snprintf(rest, sizeof(rest), "%s", p + n);
	snprintf(p, room - (size_t)(p - text), "%s%s", as, rest);
}

enum { FORM_SPELT = 1, FORM_RAW = 2 };

/* The longest of what is known that stands at p in one of the forms. NULL: none. */
static const struct known *known_at(const struct redact *r, const char *p, const char *text,
				    unsigned forms, bool cut, size_t *len)
{
	const struct known *found = NULL;

	*len = 0;
	for (unsigned i = 0; i < r->n_known; i++) {
		const struct known *k = &r->known[i];
		size_t as_spelt = forms & FORM_SPELT
					  ? quoted(k->spelt, k->spelt_len, p, text, cut)
					  : 0;
		size_t as_raw = forms & FORM_RAW && k->spelt_len != k->len
					? quoted(k->raw, k->len, p, text, cut)
					: 0;
		size_t n = as_spelt > as_raw ? as_spelt : as_raw;
		if (n > *len) {
			*len = n;
			found = k;
		}
	}
	return found;
}

static void swap_known(const struct redact *r, char *text, size_t room, unsigned forms, bool cut)
{
	size_t n;

	for (char *p = text; *p != '\0'; p++) {
		const struct known *k = known_at(r, p, text, forms, cut, &n);
		if (k == NULL)
			continue;
		swap_in(text, room, p, n, k->as);
		size_t step = strnlen(p, strlen(k->as));
		p += step != 0 ? step - 1 : 0;
		if (*p == '\0')
			return;
	}
}

static bool is_listed(const struct redact *r, const char *name, size_t len)
{
	size_t n = r->rules != NULL ? ruleset_count(r->rules) : 0;

	for (size_t i = 0; i < n; i++) {
		const struct rule *u = ruleset_rule(r->rules, i);
		if (memmem(u->id, strlen(u->id), name, len) != NULL ||
		    memmem(u->name, strlen(u->name), name, len) != NULL ||
		    memmem(u->list, strlen(u->list), name, len) != NULL)
			return true;
	}
	return false;
}

/* Whatever else reads as a name, and the path behind it where there is one. */
static void sweep(struct redact *r, char *text, size_t room)
{
	char as[PSEUDONYM_SIZE];
	size_t start, end;

	for (size_t at = 0; name_next(text, at, strlen(text), &start, &end);) {
		at = end;
		name_of_host(&r->p->names, text + start, end - start, as);
		if (strncmp(as, text + start, end - start) == 0 ||
		    is_listed(r, text + start, end - start))
			continue;
		if (text[end] == '/')
			end += strcspn(text + end, " ,;)'\"");
		name_fn fn = start >= 3 && memcmp(text + start - 3, "://", 3) == 0 ? name_of_url
										   : name_of_host;
		size_t from = start;
		if (fn == name_of_url)
			from = start - 3;
		size_t n = fn(&r->p->names, text + from, end - from, as);
		swap_in(text, room, text + from, end - from, as);
		at = from + n;
		if (at >= strlen(text))
			return;
	}
}

static void text_of(struct redact *r, char *text, size_t room)
{
	/* What is spelt out first: raw bytes may read as words of the sentence. Then whole names: the
	 * end of one may read as the beginning of another. */
	swap_known(r, text, room, FORM_SPELT, false);
	swap_known(r, text, room, FORM_RAW, false);
	swap_known(r, text, room, FORM_SPELT | FORM_RAW, true);
	sweep(r, text, room);
}

/* Of a text that may have room bytes, at most TEXT_MAX: a copy where it changes. */
static const char *said_of(struct redact *r, const char *text, size_t room)
{
	char buf[TEXT_MAX];

	if (text == NULL || text[0] == '\0')
		return text;
	snprintf(buf, room, "%s", text);
	text_of(r, buf, room);
	return strncmp(buf, text, room - 1) == 0 ? text : privacy_keep(r->p, buf);
}

static const char *string_of(struct redact *r, const char *text)
{
	return said_of(r, text, TEXT_MAX);
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
	text_of(r, h->server, sizeof(h->server));
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

	r->n_known = 0;
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

	r->n_known = 0;
	if (fn_of(f->trigger) != NULL)
		know_string(r, f->trigger_value, fn_of(f->trigger));
	if (f->dns != NULL)
		know_string(r, f->dns->qname, name_of_host);
	if (f->page != NULL)
		know_url(r, f->page->frame);
	if (w == NULL)
		return;
	if (w->tls != NULL && w->tls->has_sni)
		know_string(r, w->tls->sni, name_of_host);
	if (w->quic != NULL && w->quic->tls.has_sni)
		know_string(r, w->quic->tls.sni, name_of_host);
	if (w->http != NULL)
		know_string(r, w->http->host, name_of_host);
	if (w->response != NULL)
		know_url(r, w->response->location);
	if (w->page != NULL)
		know_url(r, w->page->frame);
	if (w->tls_server != NULL && w->tls_server->has_certificate) {
		know_string(r, w->tls_server->issuer, name_of_text);
		know_string(r, w->tls_server->subject, name_of_host);
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
				know_string(r, s->issuer, name_of_text);
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

static void redact_dns(struct privacy *p, struct finding *f)
{
	struct dns_facts *d = arena_alloc(&p->arena, sizeof(*d));
	const char **answers = arena_alloc(&p->arena, (f->dns->n_answers + 1) * sizeof(*answers));

	if (d == NULL || answers == NULL) {
		p->no_memory = true;
		f->dns = NULL;
		return;
	}
	*d = *f->dns;
	d->qname = name_string(p, d->qname, name_of_host);
	for (unsigned i = 0; i < d->n_answers; i++)
		answers[i] = answer_of(p, f->dns->answers[i]);
	d->answers = answers;
	f->dns = d;
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
	if (f->dns != NULL)
		redact_dns(r->p, f);
	if (f->page == NULL)
		return;
	struct page_facts *page = arena_alloc(&r->p->arena, sizeof(*page));
	if (page != NULL) {
		*page = *f->page;
		redact_page(r->p, page);
	}
	r->p->no_memory |= page == NULL;
	f->page = page;
}

static void redact_profile(struct redact *r, struct study_profile *f)
{
	r->n_known = 0;
	for (unsigned k = 0; k < f->n_triggers; k++)
		if (fn_of(f->triggers[k].kind) != NULL)
			know_string(r, f->triggers[k].name, name_of_host);
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
	struct redact r = {.p = p, .rules = o->rules};

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
