/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * TLS-MITM: a name at one address that shows certificates of different authorities, and one key in the
 * certificates of many networks' names, as a box has that makes them as it goes. Up to TLS 1.2 only, later
 * ones are encrypted. The usual causes are a company's proxy, a virus scanner and a site's own two
 * certificates, so the issuers are printed and it is never more than an anomaly.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/app/tls_server.h"
#include "tools/study/study_private.h"

#define VARIANTS_MAX 6
#define SHOWN_MAX 32
#define TTL_APART 10 /* EV-TTL: strong from here on */
#define CONTROLS 2
#define KEY_NAMES 3 /* subjects of one key, each at a network of its own, before it is nobody's site */

/* One issuer's certificates for one name at one address. */
struct variant {
	const char *issuer;
	unsigned n;
	uint64_t first_ns, last_ns;
	uint8_t ttl_lo, ttl_hi;
	uint32_t rtt_us; /* smallest; 0 unknown */
	bool ecdsa;
	const struct attempt *shown[SHOWN_MAX];
	unsigned n_shown;
};

struct split {
	uint32_t row;
	struct variant v[VARIANTS_MAX];
	unsigned n;
};

/* Cipher suites of TLS 1.2 whose certificate is an ECDSA one (RFC 5289, 7905, 8422, 7251). */
static bool is_ecdsa(uint16_t cipher)
{
	static const uint16_t suites[] = {0xc006, 0xc007, 0xc008, 0xc009, 0xc00a, 0xc023, 0xc024, 0xc02b,
					  0xc02c, 0xc0ac, 0xc0ad, 0xc0ae, 0xc0af, 0xcca9};
	for (size_t i = 0; i < sizeof(suites) / sizeof(*suites); i++)
		if (suites[i] == cipher)
			return true;
	return false;
}

static void take(struct split *s, const struct attempt *a)
{
	const struct tls_server *t = a->tls_server;
	struct variant *v = NULL;
	for (unsigned i = 0; i < s->n && v == NULL; i++)
		if (strcmp(s->v[i].issuer, t->issuer) == 0)
			v = &s->v[i];
	if (v == NULL && s->n < VARIANTS_MAX) {
		v = &s->v[s->n++];
		*v = (struct variant){.issuer = t->issuer, .first_ns = a->start_ns, .ttl_lo = 255,
				      .ecdsa = is_ecdsa(t->cipher)};
	}
	if (v == NULL)
		return;
	v->n++;
	v->last_ns = a->start_ns;
	if (a->ttl != 0) {
		v->ttl_lo = a->ttl < v->ttl_lo ? a->ttl : v->ttl_lo;
		v->ttl_hi = a->ttl > v->ttl_hi ? a->ttl : v->ttl_hi;
	}
	if (a->rtt_us != 0 && (v->rtt_us == 0 || a->rtt_us < v->rtt_us))
		v->rtt_us = a->rtt_us;
	if (v->n_shown < SHOWN_MAX)
		v->shown[v->n_shown++] = a;
}

static bool shows_certificate(const struct trial *t)
{
	return t->row != NO_ROW && !t->twin && t->a->trigger == TRIGGER_SNI &&
	       t->a->tls_server != NULL && t->a->tls_server->has_certificate &&
	       t->a->tls_server->issuer[0] != '\0';
}

/* Another machine answers: TTLs that no one route explains, or half the way. */
static bool stack_differs(const struct variant *x, const struct variant *y)
{
	bool ttl = x->ttl_hi != 0 && y->ttl_hi != 0 &&
		   (x->ttl_lo >= y->ttl_hi + TTL_APART || y->ttl_lo >= x->ttl_hi + TTL_APART);
	bool rtt = x->rtt_us != 0 && y->rtt_us != 0 &&
		   (x->rtt_us > 2 * (uint64_t)y->rtt_us || y->rtt_us > 2 * (uint64_t)x->rtt_us);
	return ttl || rtt;
}

/* Tries of other names at the address that went on showing one and the same certificate meanwhile. */
static unsigned controls(const struct study_run *r, const struct split *s,
			 const struct attempt *out[SHOWN_MAX])
{
	const struct study_name *mine = &r->pub.names[s->row];
	const struct variant *last = &s->v[0];
	unsigned n = 0;
	for (unsigned i = 1; i < s->n; i++)
		last = s->v[i].first_ns > last->first_ns ? &s->v[i] : last;
	for (size_t i = 0; i < r->n_trials && n < SHOWN_MAX; i++) {
		const struct trial *t = &r->trials[i];
		if (!shows_certificate(t) || t->a->start_ns < last->first_ns ||
		    strcmp(t->a->tls_server->issuer, last->issuer) == 0)
			continue;
		const struct study_name *n2 = &r->pub.names[t->row];
		if (r->group_of[t->row] != r->group_of[s->row] &&
		    n2->ip_version == mine->ip_version &&
		    memcmp(&n2->server, &mine->server, sizeof(mine->server)) == 0)
			out[n++] = t->a;
	}
	return n;
}

/* Issuers are hostile bytes. */
static void printable(const char *in, char *out, size_t len)
{
	size_t n = 0;
	for (; *in != '\0' && n + 1 < len; in++)
		out[n++] = *in >= ' ' && *in <= '~' ? *in : '?';
	out[n] = '\0';
}

static int say(struct study_run *r, const struct split *s, unsigned names)
{
	const struct attempt *ok[SHOWN_MAX], *list[SHOWN_MAX];
	const struct variant *x = &s->v[0], *y = &s->v[1];
	char value[96], expected[96], one[90], two[90];
	unsigned n = 0, n_ok = controls(r, s, ok);
	for (unsigned v = 0; v < 2; v++)
		for (unsigned i = 0; i < s->v[v].n_shown && n < SHOWN_MAX; i++)
			list[n++] = s->v[v].shown[i];
	const struct study_cause cause = {
		.id = "certificate-of-two-authorities",
		.summary = "one name at one address shows certificates of different authorities",
		.refs = "Sundara Raman et al., Investigating Large Scale HTTPS Interception in "
			"Kazakhstan, IMC 2020",
		.family = FAMILY_TLS_INTERCEPTION,
		.scope = SCOPE_NAME,
		.attempts = list,
		.n_attempts = n,
		.controls = ok,
		.n_controls = n_ok,
	};
	struct finding *f = study_finding(r, &cause);
	if (f == NULL)
		return -ENOMEM;
	bool stack = stack_differs(x, y), kinds = x->ecdsa != y->ecdsa;
	f->trigger = TRIGGER_SNI;
	f->trigger_value = arena_format(&r->arena, FINDING_TRIGGER, "%s", r->pub.names[s->row].name);
	printable(x->issuer, one, sizeof(one));
	printable(y->issuer, two, sizeof(two));
	f->sentence = arena_format(&r->arena, FINDING_SENTENCE,
		 "the same name at the same address showed certificates of %s (%u) and of %s (%u)", one, x->n,
		 two, y->n);
	snprintf(value, sizeof(value), "%.80s", two);
	snprintf(expected, sizeof(expected), "%.80s", one);
	/* A site has two certificates for two kinds of keys; a proxy of everything is somebody's own. */
	study_row(r, f, "certificate-issuer", kinds || names > 1 ? GRADE_D1 : GRADE_D2, value, expected);
	if (stack && names == 1) {
		snprintf(value, sizeof(value), "TTL %u, %.1f ms", y->ttl_lo, y->rtt_us / 1e3);
		snprintf(expected, sizeof(expected), "TTL %u, %.1f ms as with the other", x->ttl_lo,
			 x->rtt_us / 1e3);
		study_row(r, f, "server-stack", GRADE_D2, value, expected);
	}
	f->conditional = names == 1 && n_ok >= CONTROLS ? "yes" : "untested";
	study_benign(f, "a company's proxy, or a virus scanner on the client");
	study_benign(f, names > 1 ? "the client's network opens TLS for all names, as its owner chose"
				  : "a site with two certificates, or one that was renewed");
	study_weigh(f, stack && names == 1 ? VERDICT_ANOMALY : VERDICT_INCONCLUSIVE);
	return 0;
}

/* Names at all addresses to which the same second authority issued. */
static unsigned names_of(const struct split *all, size_t n, const struct split *s)
{
	unsigned names = 0;
	for (size_t i = 0; i < n; i++) {
		bool shared = false;
		for (unsigned k = 0; k < 2 && all[i].n > 1; k++)
			shared |= strcmp(all[i].v[k].issuer, s->v[1].issuer) == 0;
		names += shared;
	}
	return names;
}

static int by_row(const void *x, const void *y)
{
	const struct trial *const *a = x, *const *b = y;
	if ((*a)->row != (*b)->row)
		return (*a)->row < (*b)->row ? -1 : 1;
	return *a < *b ? -1 : *a > *b;
}

static int compare_key(const struct attempt *x, const struct attempt *y)
{
	int by = (int)x->capture - (int)y->capture;
	by = by != 0 ? by : (int)x->ip_version - (int)y->ip_version;
	by = by != 0 ? by : memcmp(&x->client, &y->client, sizeof(x->client));
	return by != 0 ? by : memcmp(x->tls_server->spki, y->tls_server->spki, sizeof(x->tls_server->spki));
}

/* One client's certificates of one key together, in the order of time. */
static int by_key(const void *x, const void *y)
{
	const struct trial *const *a = x, *const *b = y;
	int by = compare_key((*a)->a, (*b)->a);
	return by != 0 ? by : *a < *b ? -1 : *a > *b;
}

/* Neither the subject nor the network of the server is one of those before: /16, and /32 of IPv6. */
static bool is_elsewhere(const struct attempt *a, const struct attempt *const *list, unsigned n)
{
	unsigned from = a->ip_version == 4 ? 12 : 0, len = a->ip_version == 4 ? 2 : 4;
	for (unsigned i = 0; i < n; i++)
		if (strcmp(a->tls_server->subject, list[i]->tls_server->subject) == 0 ||
		    memcmp(a->server.b + from, list[i]->server.b + from, len) == 0)
			return false;
	return a->tls_server->subject[0] != '\0';
}

static int say_key(struct study_run *r, const struct attempt *const *list, unsigned n)
{
	const struct study_cause cause = {
		.id = "one-key-for-names",
		.summary = "certificates for names of several networks have one and the same key",
		.refs = "Durumeric et al., The Security Impact of HTTPS Interception, NDSS 2017",
		.family = FAMILY_TLS_INTERCEPTION,
		.scope = SCOPE_CAPTURE,
		.attempts = list,
		.n_attempts = n,
	};
	char value[96], issuer[96];
	struct finding *f = study_finding(r, &cause);
	if (f == NULL)
		return -ENOMEM;
	printable(list[0]->tls_server->issuer, issuer, sizeof(issuer));
	f->sentence = arena_format(&r->arena, FINDING_SENTENCE,
		 "certificates of %u names in as many networks have one key, issuer %s", n, issuer);
	snprintf(value, sizeof(value), "%u names, %.70s", n, issuer);
	study_row(r, f, "certificate-key", GRADE_D2, value, "a key for each site");
	f->conditional = "untested";
	study_benign(f, "a company's proxy, or a virus scanner on the client");
	study_benign(f, "one owner of several sites, who uses a key in several certificates");
	study_weigh(f, VERDICT_ANOMALY);
	return 0;
}

/* list: trials that show a certificate. Sorts. */
static int find_keys(struct study_run *r, const struct trial **list, size_t n)
{
	int err = 0;
	if (n != 0)
		qsort(list, n, sizeof(*list), by_key);
	for (size_t i = 0, to; err == 0 && i < n; i = to) {
		const struct attempt *shown[SHOWN_MAX];
		unsigned n_shown = 0;
		for (to = i; to < n && compare_key(list[to]->a, list[i]->a) == 0; to++)
			if (n_shown < SHOWN_MAX && is_elsewhere(list[to]->a, shown, n_shown))
				shown[n_shown++] = list[to]->a;
		if (n_shown >= KEY_NAMES)
			err = say_key(r, shown, n_shown);
	}
	return err;
}

int study_certificates(struct study_run *r)
{
	const struct trial **list = malloc((r->n_trials + 1) * sizeof(*list));
	struct split *all = NULL;
	size_t n = 0, n_all = 0, room = 0;
	int err = list == NULL ? -ENOMEM : 0;
	for (size_t i = 0; err == 0 && i < r->n_trials; i++)
		if (shows_certificate(&r->trials[i]))
			list[n++] = &r->trials[i];
	if (n != 0)
		qsort(list, n, sizeof(*list), by_row);
	for (size_t i = 0, to; err == 0 && i < n; i = to) {
		struct split s = {.row = list[i]->row};
		for (to = i; to < n && list[to]->row == s.row; to++)
			take(&s, list[to]->a);
		if (s.n < 2)
			continue;
		if (n_all == room) {
			room = room != 0 ? 2 * room : 8;
			void *bigger = realloc(all, room * sizeof(*all));
			err = bigger == NULL ? -ENOMEM : 0;
			all = bigger != NULL ? bigger : all;
		}
		if (err == 0)
			all[n_all++] = s;
	}
	for (size_t i = 0; err == 0 && i < n_all; i++)
		err = say(r, &all[i], names_of(all, n_all, &all[i]));
	err = err != 0 ? err : find_keys(r, list, n);
	free(all);
	free(list);
	return err;
}
