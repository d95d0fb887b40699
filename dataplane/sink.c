/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/sink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/plugin.h"

struct sink {
	const struct sink_ops *ops;
	_Alignas(max_align_t) unsigned char state[];
};

const struct sink_ops *sink_find(const char *name)
{
	for (unsigned i = 0; sink_table[i] != NULL; i++) {
		if (strcmp(sink_table[i]->name, name) == 0)
			return sink_table[i];
	}
	return NULL;
}

int sink_open(struct sink **out, const char *name, const struct sink_config *cfg, char *err,
	      size_t errlen)
{
	const struct sink_ops *ops = sink_find(name);

	*out = NULL;
	if (errlen != 0)
		err[0] = 0;
	if (ops == NULL)
		ops = plugin_sink(name, err, errlen);
	if (ops == NULL)
		return -ENOENT;
	struct sink *s = calloc(1, sizeof(*s) + ops->state_size);
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

const struct sink_ops *sink_ops_of(const struct sink *s)
{
	return s->ops;
}

unsigned sink_queues(const struct sink *s)
{
	return s->ops->queues(s->state);
}

int sink_alloc(struct sink *s, unsigned q, struct frame frames[], unsigned n)
{
	return s->ops->alloc(s->state, q, frames, n);
}

int sink_send(struct sink *s, unsigned q, struct frame frames[], unsigned n)
{
	return s->ops->send(s->state, q, frames, n);
}

int sink_hold(struct sink *s, unsigned q, struct frame *f)
{
	return s->ops->hold != NULL ? s->ops->hold(s->state, q, f) : -ENOSPC;
}

int sink_resend(struct sink *s, unsigned q, const struct frame frames[], unsigned n)
{
	return s->ops->resend(s->state, q, frames, n);
}

int sink_flush(struct sink *s)
{
	return s->ops->flush(s->state);
}

void sink_stats(struct sink *s, struct sink_stats *out)
{
	memset(out, 0, sizeof(*out));
	s->ops->stats(s->state, out);
}

void sink_close(struct sink *s)
{
	if (s == NULL)
		return;
	s->ops->close(s->state);
	free(s);
}
