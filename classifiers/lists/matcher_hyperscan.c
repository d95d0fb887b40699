/* SPDX-License-Identifier: BSD-3-Clause */

/* The matcher over Hyperscan 5.4 or Vectorscan 5.4, which have one interface. */

#include <ctype.h>
#include <errno.h>
#include <hs.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/lists/matcher_database.h"
#include "classifiers/lists/opening.h"

#define STREAMS_KEPT 256u /* closed ones that wait to be used again */

struct matcher_scratch {
	struct matcher *m;
	hs_scratch_t *hs;
	bool covers[PART_N];
	struct matcher_stream *closed;
	unsigned n_closed;
};

struct matcher_stream {
	struct matcher_scratch *scratch;
	struct matcher_stream *next;
	enum rule_where where;
	uint32_t scanned;
	hs_stream_t *hs[KIND_N];
};

static void reach_add(struct reach *reach, const struct rule *r)
{
	struct opening o = opening_of(r);
	reach->anywhere |= !o.bound;
	for (int c = 0; c < 256 && o.bound && o.first < 0; c++)
		reach->first[c] = true;
	if (!o.bound || o.first < 0)
		return;
	reach->first[o.first] = true;
	if (r->nocase && o.first < 0x80) {
		reach->first[tolower(o.first)] = true;
		reach->first[toupper(o.first)] = true;
	}
}

int matcher_new(struct matcher **out, const struct ruleset *set, const struct matcher_config *cfg)
{
	*out = NULL;
	if (hs_valid_platform() != HS_SUCCESS)
		return -ENOTSUP;
	struct matcher *m = calloc(1, sizeof(*m));
	if (m == NULL)
		return -ENOMEM;
	m->set = set;
	m->origin = "";
	if (cfg->cache_dir != NULL && (m->cache_dir = strdup(cfg->cache_dir)) == NULL) {
		free(m);
		return -ENOMEM;
	}
	pthread_mutex_init(&m->lock, NULL);
	for (size_t i = 0; i < ruleset_count(set); i++) {
		const struct rule *r = ruleset_rule(set, i);
		m->wants[r->where] = true;
		if (r->where == RULE_DATAGRAM || r->where == RULE_STREAM_C2S ||
		    r->where == RULE_STREAM_S2C)
			reach_add(&m->reach[r->where], r);
	}
	*out = m;
	return 0;
}

void matcher_free(struct matcher *m)
{
	if (m == NULL)
		return;
	for (unsigned p = 0; p < PART_N; p++)
		for (unsigned k = 0; k < KIND_N; k++)
			hs_free_database(m->part[p].db[k]);
	for (size_t i = 0; i < m->n_refused; i++)
		free(m->refused[i].reason);
	free(m->refused);
	pthread_mutex_destroy(&m->lock);
	free(m->cache_dir);
	free(m);
}

int matcher_prepare(struct matcher *m)
{
	int err = 0;
	for (unsigned p = 0; p < PART_N && err == 0; p++)
		err = matcher_need(m, (enum part_name)p);
	return err;
}

size_t matcher_refusals(struct matcher *m)
{
	pthread_mutex_lock(&m->lock);
	size_t n = m->n_refused;
	pthread_mutex_unlock(&m->lock);
	return n;
}

struct rule_refusal matcher_refusal(struct matcher *m, size_t i)
{
	pthread_mutex_lock(&m->lock);
	struct refused r = m->refused[i];
	pthread_mutex_unlock(&m->lock);
	return (struct rule_refusal){.list = r.rule->list, .line = r.rule->line, .id = r.rule->id,
				     .reason = r.reason};
}

const char *matcher_library(void)
{
	return hs_version();
}

const char *matcher_origin(struct matcher *m)
{
	pthread_mutex_lock(&m->lock);
	const char *origin = m->origin;
	pthread_mutex_unlock(&m->lock);
	return origin;
}

bool matcher_wants(struct matcher *m, enum rule_where where)
{
	return m->wants[where] ||
	       ((where == RULE_HEAD || where == RULE_BODY) && m->wants[RULE_PAGE]);
}

bool matcher_may_open(const struct matcher *m, enum rule_where where, uint8_t first, bool read)
{
	return m->reach[where].first[first] || (m->reach[where].anywhere && !read);
}

int matcher_scratch_new(struct matcher_scratch **out, struct matcher *m)
{
	*out = calloc(1, sizeof(**out));
	if (*out == NULL)
		return -ENOMEM;
	(*out)->m = m;
	return 0;
}

static void stream_free(struct matcher_stream *st)
{
	for (unsigned k = 0; k < KIND_N; k++)
		if (st->hs[k] != NULL)
			hs_close_stream(st->hs[k], NULL, NULL, NULL);
	free(st);
}

void matcher_scratch_free(struct matcher_scratch *s)
{
	if (s == NULL)
		return;
	while (s->closed != NULL) {
		struct matcher_stream *next = s->closed->next;
		stream_free(s->closed);
		s->closed = next;
	}
	hs_free_scratch(s->hs);
	free(s);
}

/* The part is made and the scratch is large enough for it. */
static int prepare(struct matcher_scratch *s, enum part_name part)
{
	if (s->covers[part])
		return 0;
	int err = matcher_need(s->m, part);
	for (unsigned k = 0; k < KIND_N && err == 0; k++)
		if (s->m->part[part].db[k] != NULL &&
		    hs_alloc_scratch(s->m->part[part].db[k], &s->hs) != HS_SUCCESS)
			err = -ENOMEM;
	s->covers[part] = err == 0;
	return err;
}

/* One scan, as the callback sees it. */
struct scan {
	const struct matcher *m;
	enum rule_where where;
	const char *header;
	uint64_t len; /* of a message; streams have no end */
	matcher_hit_fn hit;
	void *user;
};

static bool header_is(const char *lower, const char *name)
{
	while (*lower != '\0' && *lower == tolower((unsigned char)*name))
		lower++, name++;
	return *lower == '\0' && *name == '\0';
}

static bool right_place(const struct scan *s, const struct rule *r)
{
	if (r->where == RULE_HEADER)
		return s->where == RULE_HEADER && header_is(r->header, s->header);
	return r->where == s->where ||
	       (r->where == RULE_PAGE && (s->where == RULE_HEAD || s->where == RULE_BODY));
}

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
		    void *user)
{
	const struct scan *s = user;
	const struct rule *r = ruleset_rule(s->m->set, id);
	(void)from, (void)flags;
	if (!right_place(s, r) || ((r->how == RULE_PREFIX || r->how == RULE_FULL) && to != r->len) ||
	    (r->how == RULE_FULL && s->len != r->len))
		return 0;
	return s->hit(s->user, r, to) ? 0 : 1;
}

static int scanned(hs_error_t got)
{
	return got == HS_SUCCESS || got == HS_SCAN_TERMINATED ? 0
	       : got == HS_NOMEM			      ? -ENOMEM
							      : -EINVAL;
}

int matcher_scan(struct matcher *m, struct matcher_scratch *s, enum rule_where where,
		 const char *header, const void *data, size_t len, matcher_hit_fn hit, void *user)
{
	enum part_name part = matcher_part(where);
	struct scan scan = {.m = m, .where = where, .header = header != NULL ? header : "",
			    .len = len, .hit = hit, .user = user};

	if (len > UINT32_MAX || part == PART_STREAM || where == RULE_DNS || where == RULE_PAGE)
		return -EINVAL;
	if (len == 0 || !matcher_wants(m, where))
		return 0;
	int err = prepare(s, part);
	hs_error_t got = HS_SUCCESS;
	for (unsigned k = 0; k < KIND_N && err == 0 && got == HS_SUCCESS; k++)
		if (m->part[part].db[k] != NULL)
			got = hs_scan(m->part[part].db[k], data, (unsigned)len, 0, s->hs, on_match,
				      &scan);
	return err != 0 ? err : scanned(got);
}

int matcher_stream_open(struct matcher_stream **out, struct matcher *m, struct matcher_scratch *s,
			enum rule_where where)
{
	*out = NULL;
	if (matcher_part(where) != PART_STREAM)
		return -EINVAL;
	int err = prepare(s, PART_STREAM);
	if (err != 0)
		return err;
	struct matcher_stream *st = s->closed;
	if (st != NULL) {
		s->closed = st->next;
		s->n_closed--;
		for (unsigned k = 0; k < KIND_N; k++)
			if (st->hs[k] != NULL)
				hs_reset_stream(st->hs[k], 0, NULL, NULL, NULL);
	} else {
		st = calloc(1, sizeof(*st));
		if (st == NULL)
			return -ENOMEM;
		for (unsigned k = 0; k < KIND_N; k++) {
			if (m->part[PART_STREAM].db[k] != NULL &&
			    hs_open_stream(m->part[PART_STREAM].db[k], 0, &st->hs[k]) !=
				    HS_SUCCESS) {
				st->hs[k] = NULL;
				stream_free(st);
				return -ENOMEM;
			}
		}
	}
	st->scratch = s;
	st->where = where;
	st->scanned = 0;
	*out = st;
	return 0;
}

int matcher_stream_scan(struct matcher_stream *st, const void *data, size_t len, bool read,
			matcher_hit_fn hit, void *user)
{
	const struct reach *reach = &st->scratch->m->reach[st->where];
	uint32_t limit = reach->anywhere && !read ? MATCHER_STREAM_LIMIT : reach->bound;
	size_t room = limit > st->scanned ? limit - st->scanned : 0;
	struct scan scan = {.m = st->scratch->m, .where = st->where, .header = "",
			    .len = UINT64_MAX, .hit = hit, .user = user};
	hs_error_t got = HS_SUCCESS;

	len = len < room ? len : room;
	for (unsigned k = 0; k < KIND_N && len != 0 && got == HS_SUCCESS; k++)
		if (st->hs[k] != NULL)
			got = hs_scan_stream(st->hs[k], data, (unsigned)len, 0, st->scratch->hs,
					     on_match, &scan);
	st->scanned += (uint32_t)len;
	if (got == HS_SCAN_TERMINATED)
		st->scanned = MATCHER_STREAM_LIMIT;
	int err = scanned(got);
	return err != 0 ? err : st->scanned >= limit;
}

void matcher_stream_close(struct matcher_stream *st)
{
	if (st == NULL)
		return;
	struct matcher_scratch *s = st->scratch;
	if (s->n_closed == STREAMS_KEPT) {
		stream_free(st);
		return;
	}
	st->next = s->closed;
	s->closed = st;
	s->n_closed++;
}
