/* SPDX-License-Identifier: BSD-3-Clause */

/* Built without Hyperscan: there is no matcher, so nothing but matcher_new() is ever asked. */

#include <errno.h>

#include "classifiers/lists/matcher.h"

int matcher_new(struct matcher **out, const struct ruleset *set, const struct matcher_config *cfg)
{
	(void)set, (void)cfg;
	*out = NULL;
	return -ENOTSUP;
}

void matcher_free(struct matcher *m)
{
	(void)m;
}

int matcher_prepare(struct matcher *m)
{
	(void)m;
	return -ENOTSUP;
}

size_t matcher_refusals(struct matcher *m)
{
	(void)m;
	return 0;
}

struct rule_refusal matcher_refusal(struct matcher *m, size_t i)
{
	(void)m, (void)i;
	return (struct rule_refusal){.list = "", .id = "", .reason = ""};
}

const char *matcher_library(void)
{
	return "";
}

const char *matcher_origin(struct matcher *m)
{
	(void)m;
	return "";
}

int matcher_scratch_new(struct matcher_scratch **out, struct matcher *m)
{
	(void)m;
	*out = NULL;
	return -ENOTSUP;
}

void matcher_scratch_free(struct matcher_scratch *s)
{
	(void)s;
}

int matcher_scan(struct matcher *m, struct matcher_scratch *s, enum rule_where where,
		 const char *header, const void *data, size_t len, matcher_hit_fn hit, void *user)
{
	(void)m, (void)s, (void)where, (void)header, (void)data, (void)len, (void)hit, (void)user;
	return -ENOTSUP;
}

bool matcher_wants(struct matcher *m, enum rule_where where)
{
	(void)m, (void)where;
	return false;
}

int matcher_stream_open(struct matcher_stream **out, struct matcher *m, struct matcher_scratch *s,
			enum rule_where where)
{
	(void)m, (void)s, (void)where;
	*out = NULL;
	return -ENOTSUP;
}

bool matcher_may_open(const struct matcher *m, enum rule_where where, uint8_t first, bool read)
{
	(void)m, (void)where, (void)first, (void)read;
	return false;
}

int matcher_stream_scan(struct matcher_stream *st, const void *data, size_t len, bool read,
			matcher_hit_fn hit, void *user)
{
	(void)st, (void)data, (void)len, (void)read, (void)hit, (void)user;
	return -ENOTSUP;
}

void matcher_stream_close(struct matcher_stream *st)
{
	(void)st;
}
