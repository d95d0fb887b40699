/* SPDX-License-Identifier: BSD-3-Clause */

#include "dataplane/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dataplane/plugin.h"

extern const struct source_ops source_file;

struct source {
	const struct source_ops *ops;
	_Alignas(max_align_t) unsigned char state[];
};

#define HEAD 512 /* bytes that a source is asked about */

/* Of a plug-in that knows the file, where the one for captures does not; else NULL. */
static const struct source_ops *foreign_for(const char *path)
{
	const struct plugin *p = plugin_at(PLUGIN_SOURCE, 0);
	const struct source_ops *found = NULL;
	uint8_t head[HEAD];
	struct stat st;

	/* What was read of a pipe, the next reader would not have. */
	if (p == NULL || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
		return NULL;
	FILE *in = fopen(path, "rbe");
	if (in == NULL)
		return NULL;
	size_t n = fread(head, 1, sizeof(head), in);
	fclose(in);
	if (source_file.probe(head, n))
		return NULL;
	for (unsigned i = 0; found == NULL && (p = plugin_at(PLUGIN_SOURCE, i)) != NULL; i++)
		if (p->source->probe != NULL && p->source->probe(head, n))
			found = p->source;
	return found;
}

static const struct source_ops *source_for(const struct source_config *cfg)
{
	const struct source_ops *foreign = cfg->n_files != 0 ? foreign_for(cfg->files[0]) : NULL;

	return foreign != NULL ? foreign : &source_file;
}

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
	const struct source_ops *ops = name != NULL ? source_find(name, err, errlen) : source_for(cfg);
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
