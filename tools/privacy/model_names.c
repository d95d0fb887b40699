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

bool privacy_is_cited(const struct privacy *p, uint64_t flow_id)
{
	return p->n_cited != 0 &&
	       bsearch(&flow_id, p->cited, p->n_cited, sizeof(flow_id), by_id) != NULL;
}

/* The record's facts are its own, in the analysis's memory. */
static bool hide_tls(const struct tls_client_hello *hello)
{
	struct tls_client_hello *t = (struct tls_client_hello *)(uintptr_t)hello;

	if (t == NULL || !t->has_sni)
		return false;
	t->has_sni = false;
	t->sni_len = 0;
	memset(t->sni, 0, sizeof(t->sni));
	return true;
}

static bool hide_http(const struct http_request *request)
{
	struct http_request *h = (struct http_request *)(uintptr_t)request;
	bool had = h != NULL && h->has_host;

	if (h == NULL)
		return false;
	h->has_host = false;
	h->host_len = h->path_len = 0;
	memset(h->host, 0, sizeof(h->host));
	memset(h->path, 0, sizeof(h->path));
	return had;
}

static void hide_answers(struct flow_record *r)
{
	struct http_response *h = (struct http_response *)(uintptr_t)r->response;
	struct tls_server *t = (struct tls_server *)(uintptr_t)r->tls_server;

	if (h != NULL) {
		h->has_location = false;
		h->location_len = 0;
		memset(h->location, 0, sizeof(h->location));
	}
	/* Certificates name their site, and their key is it. */
	if (t != NULL) {
		t->has_certificate = false;
		memset(t->subject, 0, sizeof(t->subject));
		memset(t->issuer, 0, sizeof(t->issuer));
		memset(t->spki, 0, sizeof(t->spki));
	}
	r->page = NULL;
}

/* "TLS.Wikipedia" is a name too. */
static void hide_labels(struct flow_record *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n_labels; i++) {
		if (r->labels[i].rule != NULL)
			continue;
		r->labels[n] = r->labels[i];
		r->labels[n].app[strcspn(r->labels[n].app, ".")] = '\0';
		n++;
	}
	r->n_labels = (uint8_t)n;
	r->rules = NULL;
}

void privacy_hide_names(struct privacy *p, struct analysis *a)
{
	for (size_t i = 0; i < a->n_flows; i++) {
		struct flow_record *r = a->flows[i];
		if (r->worst != VERDICT_NONE || privacy_is_cited(p, r->id))
			continue;
		bool tls = hide_tls(r->tls), http = hide_http(r->http);
		bool quic = r->quic != NULL && hide_tls(&r->quic->tls);
		a->names_withheld += tls || http || quic;
		hide_answers(r);
		hide_labels(r);
	}
	for (size_t i = 0; i < a->n_attempts; i++) {
		struct attempt *t = &a->attempts[i];
		if (t->finding == NULL && !privacy_is_cited(p, t->flow_id))
			t->name = NULL;
	}
}
