/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What an HTTP answer says: HTTP-BLOCKPAGE, HTTP-IFRAME-IR, HTTP-REDIR-EXE and products
 * that block pages name. A page alone never says who sent it: with a country's page in that
 * country it is enough, in a country unknown it needs a second fact, and a product's page may be
 * a company's or a family's own choice.
 */

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "classifiers/app/http_response.h"
#include "classifiers/lists/page.h"
#include "classifiers/tamper/signature.h"

/*
 * Decoded bytes. Block pages are short, and articles about them are long; OONI's and Censored
 * Planet's lists have false positives for those that are known, so this is for the others.
 */
#define SHORT_PAGE 8192
#define CONFIDENCE_WEAK 5 /* OONI's scale ends at 10 */
#define STATUS_LEGAL_REASONS 451 /* RFC 7725: the server says that a law forbids it */
#define HOST_MIN 4

/* Case-insensitive; "" is in everything. */
static bool contains(const char *in, size_t len, const char *what, size_t n)
{
	for (size_t i = 0; i + n <= len; i++)
		if (strncasecmp(in + i, what, n) == 0)
			return true;
	return false;
}

/* The host of an absolute http or https address within it; length 0 for all else. */
static const char *host_of(const char *url, size_t *len)
{
	const char *from = strncasecmp(url, "http://", 7) == 0	  ? url + 7
			   : strncasecmp(url, "https://", 8) == 0 ? url + 8
								  : url;
	*len = from != url ? strcspn(from, ":/?#") : 0;
	return from;
}

/* Who asks the filter's own server, as after a redirect, gets its page in good order. */
static bool asked_for_it(const struct view *v, const struct rule *rule)
{
	const struct http_request *q = v->flow->http;
	const struct http_response *r = v->flow->response;
	size_t len, n = q != NULL ? strlen(q->host) : 0;
	if (n < HOST_MIN)
		return false;
	if (contains((const char *)rule->pattern, rule->len, q->host, n))
		return true;
	const char *host = host_of(r != NULL ? r->location : "", &len);
	return len == n && strncasecmp(host, q->host, n) == 0;
}

/*
 * Two countries' pages in one body: it speaks of them. Rules without countries may be anyone's.
 */
static bool is_of_several(const struct rule_hits *h)
{
	for (unsigned i = 0; i < h->n; i++) {
		const struct rule *a = h->hit[i];
		for (unsigned k = 0; k < i && a->countries[0] != '\0'; k++) {
			const char *c = h->hit[k]->countries;
			bool common = c[0] == '\0';
			for (; !common && strlen(c) >= 2; c += 2 + (c[2] == ','))
				common = rule_fits(a, (const char[]){c[0], c[1], '\0'});
			if (!common)
				return true;
		}
	}
	return false;
}

/* Whatever wrote it says what it is and what time it is, as web servers do and few boxes. */
static bool is_well_made(const struct http_response *r)
{
	return r != NULL && r->status / 100 == 2 && r->has_server && r->has_date;
}

/* It looks like a page that is there to refuse, not like one that speaks of it. */
static bool refuses(const struct page_facts *p, const struct rule *rule)
{
	return rule->where == RULE_HEADER || p->status >= 300 ||
	       (!p->cut && p->body_len <= SHORT_PAGE);
}

static enum grade grade_page(const struct view *v, const struct page_facts *p,
			     const struct rule *rule)
{
	const char *country = context_country(v->flow);
	bool weak = rule->confidence != 0 && rule->confidence < CONFIDENCE_WEAK;
	bool official = rule->scope == RULE_NAT || (rule->scope == RULE_ISP && !rule->opt_in);
	if (!refuses(p, rule))
		return official ? GRADE_D2 : GRADE_D1;
	if (!official || weak)
		return GRADE_D2;
	if (*country != '\0' && !rule_fits(rule, country))
		return GRADE_D2;
	/* Words alone, in a page that was not refused, may be a quotation. */
	bool quotable = rule->where != RULE_HEADER && is_well_made(v->flow->response);
	return *country == '\0' || quotable ? GRADE_D3 : GRADE_D4;
}

static bool match_page(const struct view *v, const struct signature *self, struct testimony *t)
{
	const struct page_facts *p = v->flow->page;
	(void)self;
	if (v->dir != DIR_S2C || p == NULL || v->first_s2c < 0 || p->status == STATUS_LEGAL_REASONS)
		return false;
	const struct rule *rule = rules_decide(&p->hits, context_country(v->flow));
	if (rule == NULL || rule->scope == RULE_FP || rule->scope == RULE_PROTO ||
	    asked_for_it(v, rule) || is_of_several(&p->hits))
		return false;
	t->grade = grade_page(v, p, rule);
	if (t->grade == GRADE_D1)
		return false;
	t->frame = v->e[v->first_s2c].frame;
	testimony_suspect(t, (unsigned)v->first_s2c);
	testimony_says(t, "%s: rule %s of %s", rule->name[0] != '\0' ? rule->name : "block page",
		       rule->id, rule->list);
	testimony_expects(t, "the server's own content");
	return true;
}

static bool match_frame(const struct view *v, const struct signature *self, struct testimony *t)
{
	const struct page_facts *p = v->flow->page;
	(void)self;
	/* Who frames it to speak of it does not refuse, and other frames come first. */
	if (v->dir != DIR_S2C || p == NULL || !p->framed_ir || v->first_s2c < 0 ||
	    (v->flow->http != NULL && contains(p->frame, strlen(p->frame), v->flow->http->host,
					       strlen(v->flow->http->host)) &&
	     v->flow->http->has_host))
		return false;
	/* Elsewhere packets have to show who sent it; a server in Iran is asked through the same boxes. */
	const char *country = context_country(v->flow);
	const struct geo_place *there = v->flow->server_at;
	bool fits = *country == '\0' || strcmp(country, "IR") == 0 ||
		    (there != NULL && strcmp(there->country, "IR") == 0);
	t->grade = fits ? GRADE_D4 : GRADE_D2;
	t->frame = v->e[v->first_s2c].frame;
	testimony_suspect(t, (unsigned)v->first_s2c);
	testimony_says(t, "403 with an iframe of %.60s", p->frame);
	testimony_expects(t, "the server's own content");
	return true;
}

/* EV-* of one packet: agreed timestamps are missing, or its TTL is far off and its DF differs. */
static bool contradicted(const struct view *v, unsigned i)
{
	const struct half *s = &v->ev->half[v->dir], *p = &v->ev->half[dir_other(v->dir)];
	struct view w = view_without(v, i);
	if (s->ts_ok && p->ts_ok && (v->e[i].bits & EVENT_TS) == 0 && s->ts_later)
		return true;
	return w.base.n != 0 && !w.base.handshake_only && view_ttl_off(&w, i, 9) &&
	       view_df_off(&w, i);
}

static bool is_program(const char *url)
{
	static const char *const ends[] = {".exe", ".msi", ".apk", ".zip", ".rar", ".7z",
					   ".dmg", ".pkg", ".jar", ".bat", ".scr"};
	size_t len = strcspn(url, "?#");
	for (unsigned i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		size_t n = strlen(ends[i]);
		if (len > n && strncasecmp(url + len - n, ends[i], n) == 0)
			return true;
	}
	return false;
}

/* The last two labels agree: mirrors and download hosts of one site. */
static bool is_related(const char *host, size_t n, const char *other)
{
	size_t m = strlen(other), dots = 0;
	while (n > 0 && m > 0 && tolower((unsigned char)host[n - 1]) ==
					 tolower((unsigned char)other[m - 1])) {
		dots += host[n - 1] == '.';
		n--, m--;
	}
	if (n == 0 || m == 0)
		return (n == 0 || host[n - 1] == '.') && (m == 0 || other[m - 1] == '.');
	return dots >= 2;
}

static bool match_program(const struct view *v, const struct signature *self, struct testimony *t)
{
	const struct http_response *r = v->flow->response;
	const struct http_request *q = v->flow->http;
	size_t len;
	(void)self;
	if (v->dir != DIR_S2C || r == NULL || q == NULL || !q->has_host || v->first_s2c < 0 ||
	    r->status / 100 != 3 || !is_program(r->location))
		return false;
	const char *host = host_of(r->location, &len);
	if (len == 0 || is_related(host, len, q->host) || !contradicted(v, (unsigned)v->first_s2c))
		return false;
	t->grade = GRADE_D4;
	t->frame = v->e[v->first_s2c].frame;
	testimony_suspect(t, (unsigned)v->first_s2c);
	testimony_says(t, "redirect to a program on %.*s", (int)(len < 60 ? len : 60), host);
	testimony_expects(t, "a redirect sent as the server's other packets are");
	return true;
}

const struct signature sig_page[] = {
	{.id = "block-page-iran", .family = FAMILY_HTTP_INJECTION, .cause = CAUSE_CONTENT,
	 .fact = FACT_PAGE, .names = true,
	 .summary = "403 with Iran's national page, framed from 10.10.34.34, 35 or 36",
	 .benign = "none known: these addresses mean that page within Iran's networks only",
	 .refs = "Aryan, Aryan, Halderman, FOCI 2013",
	 .match = match_frame},
	{.id = "block-page", .family = FAMILY_HTTP_INJECTION, .cause = CAUSE_CONTENT,
	 .fact = FACT_PAGE, .names = true,
	 .summary = "the answer is a page or redirect that a list knows as a filter's",
	 .benign = "a filter that the client's own household, company or provider's customer chose; "
		   "a server that shows such a page itself",
	 .refs = "OONI blocking-fingerprints; Censored Planet",
	 .match = match_page},
	{.id = "redirect-to-program", .family = FAMILY_HTTP_INJECTION, .cause = CAUSE_CONTENT,
	 .fact = FACT_PAGE, .names = true,
	 .summary = "a redirect to a program elsewhere, by a packet unlike its sender's others",
	 .benign = "a load balancer that redirects downloads to mirrors",
	 .refs = "Citizen Lab, Bad Traffic (2018)",
	 .match = match_program},
	{.id = NULL},
};
