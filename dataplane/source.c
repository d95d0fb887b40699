/* SPDX-License-Identifier: BSD-3-Clause */

#include "dataplane/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/plugin.h"

struct source {
	const struct source_ops *ops;
	_Alignas(max_align_t) unsigned char state[];
};

const struct source_ops *source_find(const char *name, char *err, size_t errlen)
{
	for (unsigned i = 0; source_table[i] != NULL; i++)
		if (strcmp(source_table[i]->name, name) == 0)
			return source_table[i];
	return plugin_source(name, err, errlen);
}

int source_open(struct source **out, const char *name, const struct source_config *cfg, char *err,
		size_t errlen)
{
	*out = NULL;
	if (errlen != 0)
		err[0] = 0;
	const struct source_ops *ops = source_find(name != NULL ? name : "file", err, errlen);
	if (ops == NULL)
		return -ENOENT;
	struct source *s = calloc(1, sizeof(*s) + ops->state_size);
	if (s == NULL) {
		snprintf(err, errlen, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	s->ops = ops;
	int ret = ops->open(s->state, cfg, err, errlen);
	if (ret != 0)
		free(s);
	else
		*out = s;
	return ret;
}

unsigned source_queues(const struct source *s)
{
	return s->ops->queues(s->state);
}

uint64_t source_late_ns(const struct source *s)
{
	return s->ops->late_ns;
}

int source_recv(struct source *s, unsigned q, struct packet pkts[], unsigned max)
{
	return s->ops->recv(s->state, q, pkts, max);
}

void source_release(struct source *s, unsigned q, const struct packet pkts[], unsigned n)
{
	s->ops->release(s->state, q, pkts, n);
}

uint64_t source_now(struct source *s)
{
	return s->ops->now(s->state);
}

void source_stats(struct source *s, struct source_stats *out)
{
	memset(out, 0, sizeof(*out));
	s->ops->stats(s->state, out);
}

int source_shunt(struct source *s, const struct shunt_flow *f, uint32_t *ticket)
{
	*ticket = 0;
	return s->ops->shunt != NULL ? s->ops->shunt(s->state, f, ticket) : -ENOTSUP;
}

void source_shunt_grant(struct source *s, uint32_t ticket)
{
	if (s->ops->shunt_grant != NULL)
		s->ops->shunt_grant(s->state, ticket);
}

int source_unshunt(struct source *s, const struct shunt_flow *f, uint32_t ticket,
		   struct shunt_counts *out)
{
	return s->ops->unshunt != NULL ? s->ops->unshunt(s->state, f, ticket, out) : -ENOTSUP;
}

void source_close(struct source *s)
{
	if (s == NULL)
		return;
	s->ops->close(s->state);
	free(s);
}
