/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/first_answer.h"

#include <string.h>

#include "classifiers/app/http_response.h"

static bool starts(const struct half *s, const char *what)
{
	size_t n = strlen(what);
	return s->excerpt_len >= n && memcmp(s->excerpt, what, n) == 0;
}

/* What servers say unasked when they give up waiting or are overloaded, and no forger does. */
static bool is_said_unasked(const struct half *s)
{
	static const char *const codes[] = {"400", "408", "429", "500", "502", "503", "504"};
	for (unsigned i = 0; s->excerpt_len >= 12 && i < sizeof(codes) / sizeof(*codes); i++)
		if (memcmp(s->excerpt + 9, codes[i], 3) == 0)
			return true;
	return false;
}

bool first_answer_ack_match(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	/* Only a protocol in which the client speaks first cannot be answered before the request. */
	if (v->dir != DIR_S2C || v->flow->http == NULL || v->first_s2c < 0 || v->first_c2s < 0 ||
	    v->syn < 0 || v->synack < 0 || v->first_c2s > v->first_s2c ||
	    !starts(&v->ev->half[DIR_S2C], "HTTP/") ||
	    (v->ev->found & EVIDENCE_ACKOFF) == 0 || is_said_unasked(&v->ev->half[DIR_S2C]))
		return false;
	const struct event *e = &v->e[v->first_s2c];
	/* Of a request that the capture lacks the beginning of, it acknowledges that. */
	if ((e->flags & TCP_ACK) == 0 || e->ack != v->e[v->syn].seq + 1)
		return false;
	t->grade = GRADE_D4;
	t->frame = e->frame;
	testimony_suspect(t, (unsigned)v->first_s2c);
	testimony_says(t, "an answer that acknowledges nothing of the request");
	testimony_expects(t, "an ack after the request's first byte");
	return true;
}

bool first_answer_fin_match(const struct view *v, const struct signature *self, struct testimony *t)
{
	(void)self;
	static const char *const codes[] = {"301", "302", "303", "307", "200", "403"};
	const struct half *s = &v->ev->half[DIR_S2C];
	const struct http_response *r = v->flow->response;
	bool code = false;
	if (v->dir != DIR_S2C || v->first_s2c < 0 || !starts(s, "HTTP/1.") || s->excerpt_len < 12)
		return false;
	/* Servers say who they are or what time it is, most of them both. */
	if (r == NULL || r->has_server || r->has_date)
		return false;
	const struct event *e = &v->e[v->first_s2c];
	for (unsigned i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		code |= memcmp(s->excerpt + 9, codes[i], 3) == 0;
	if (!code || (e->flags & TCP_FIN) == 0 || e->len > 1460 || s->n_data != 1)
		return false;
	t->grade = GRADE_D2;
	t->frame = e->frame;
	testimony_suspect(t, (unsigned)v->first_s2c);
	testimony_says(t, "whole answer of %u bytes without Server or Date in one packet that closes",
		       e->len);
	testimony_expects(t, "an answer, then a FIN");
	return true;
}

bool first_answer_bare_match(const struct view *v, const struct signature *self, struct testimony *t)
{
	const struct half *s = &v->ev->half[DIR_S2C];
	if (v->dir != DIR_S2C || v->flow->http == NULL || v->first_s2c < 0 || s->excerpt_len < 5 ||
	    starts(s, "HTTP/") || evidence_answer_bare(v->ev) != (self->param == 1) ||
	    v->ev->half[DIR_C2S].gap || s->gap || !s->syn)
		return false;
	/* What came first may be from the middle: its beginning was lost, or overtaken. */
	if (v->synack < 0 || v->e[v->first_s2c].seq != v->e[v->synack].seq + 1)
		return false;
	t->grade = GRADE_D2;
	t->frame = v->e[v->first_s2c].frame;
	testimony_suspect(t, (unsigned)v->first_s2c);
	testimony_says(t, "first answer to a request does not begin with HTTP/");
	testimony_expects(t, "a status line");
	return true;
}
