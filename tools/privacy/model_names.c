/* SPDX-License-Identifier: BSD-3-Clause */

/* Names: what people looked at is nobody's business where nothing happened to it. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/app/quic.h"
#include "classifiers/app/tls_server.h"
#include "classifiers/app/http_response.h"
#include "classifiers/attempt.h"
#include "tools/privacy/model_private.h"

static int by_id(const void *x, const void *y)
{
	const uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return a < b ? -1 : a > b;
}

static size_t cite(const struct finding *f, uint64_t *out)
{
	size_t n = 0;

	if (f->flow != NULL) {
		if (out != NULL)
			out[n] = f->flow->id;
		n++;
	}
	for (unsigned i = 0; i < f->n_flows; i++, n++)
		if (out != NULL)
			out[n] = f->flows[i];
	for (unsigned i = 0; i < f->n_controls; i++, n++)
		if (out != NULL)
			out[n] = f->controls[i];
	return n;
}

int privacy_cite(struct privacy *p, const struct analysis *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_findings; i++)
		n += cite(a->findings[i], NULL);
	p->cited = malloc((n + 1) * sizeof(*p->cited));
	if (p->cited == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < a->n_findings; i++)
		p->n_cited += cite(a->findings[i], p->cited + p->n_cited);
	if (p->n_cited != 0)
		qsort(p->cited, p->n_cited, sizeof(*p->cited), by_id);
	return 0;
}

static bool is_cited(const struct privacy *p, uint64_t flow_id)
{
	return p->n_cited != 0 &&
	       bsearch(&flow_id, p->cited, p->n_cited, sizeof(flow_id), by_id) != NULL;
}

/* What records share is changed in copies; those without names are few. */
static const void *without(struct privacy *p, const void *facts, size_t size)
{
	const void *copy = arena_share(&p->arena, facts, size);

	p->no_memory |= copy == NULL;
	return copy;
}

static bool hide_tls(struct tls_client_hello *t)
{
	if (!t->has_sni)
		return false;
	t->has_sni = false;
	t->sni_len = 0;
	memset(t->sni, 0, sizeof(t->sni));
	return true;
}

static bool hide_hello(struct privacy *p, struct flow_record *r)
{
	struct tls_client_hello hello;

	if (r->tls == NULL)
		return false;
	hello = *r->tls;
	if (!hide_tls(&hello))
		return false;
	r->tls = without(p, &hello, sizeof(hello));
	return true;
}

static bool hide_quic(struct privacy *p, struct flow_record *r)
{
	struct quic_hello hello;

	if (r->quic == NULL)
		return false;
	hello = *r->quic;
	if (!hide_tls(&hello.tls))
		return false;
	r->quic = without(p, &hello, sizeof(hello));
	return true;
}

static bool hide_http(struct privacy *p, struct flow_record *r)
{
	struct http_request h;

	if (r->http == NULL)
		return false;
	h = *r->http;
	bool had = h.has_host;
	h.has_host = false;
	h.host_len = h.path_len = 0;
	memset(h.host, 0, sizeof(h.host));
	memset(h.path, 0, sizeof(h.path));
	r->http = without(p, &h, sizeof(h));
	return had;
}

static void hide_answers(struct privacy *p, struct flow_record *r)
{
	if (r->response != NULL) {
		struct http_response h = *r->response;
		h.has_location = false;
		h.location_len = 0;
		memset(h.location, 0, sizeof(h.location));
		r->response = without(p, &h, sizeof(h));
	}
	/* Certificates name their site, and their key is it. */
	if (r->tls_server != NULL) {
		struct tls_server t = *r->tls_server;
		t.has_certificate = false;
		memset(t.subject, 0, sizeof(t.subject));
		memset(t.issuer, 0, sizeof(t.issuer));
		memset(t.spki, 0, sizeof(t.spki));
		r->tls_server = without(p, &t, sizeof(t));
	}
	r->page = NULL;
}

/* "TLS.Wikipedia" is a name too. */
static void hide_labels(struct privacy *p, struct flow_record *r)
{
	struct label list[FLOW_LABELS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < r->n_labels && n < FLOW_LABELS_MAX; i++) {
		if (r->labels[i].rule != NULL)
			continue;
		list[n] = r->labels[i];
		list[n++].app[strcspn(r->labels[i].app, ".")] = '\0';
	}
	if (r->n_labels != 0)
		r->labels = without(p, list, n * sizeof(*list));
	r->n_labels = (uint8_t)n;
	r->rules = NULL;
}

void privacy_hide_names(struct privacy *p, struct analysis *a)
{
	for (size_t i = 0; i < a->n_flows; i++) {
		struct flow_record *r = a->flows[i];
		if (r->worst != VERDICT_NONE || is_cited(p, r->id))
			continue;
		bool tls = hide_hello(p, r), http = hide_http(p, r), quic = hide_quic(p, r);
		a->names_withheld += tls || http || quic;
		hide_answers(p, r);
		hide_labels(p, r);
	}
	for (size_t i = 0; i < a->n_attempts; i++) {
		struct attempt *t = &a->attempts[i];
		if (t->finding == NULL && !is_cited(p, t->flow_id))
			t->name = NULL;
	}
}
