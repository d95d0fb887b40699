/* SPDX-License-Identifier: BSD-3-Clause */

/* A sink of a user's own: frames go nowhere, and are counted. */

#include "dataplane/abi.h"
#include "dataplane/plugin.h"

#define FRAMES 8u

struct nowhere {
	uint8_t room[FRAMES][2048];
	uint64_t frames, bytes;
};

static int nowhere_open(void *state, const struct sink_config *cfg, char *err, size_t errlen)
{
	(void)state;
	(void)cfg;
	(void)err;
	(void)errlen;
	return 0;
}

static unsigned nowhere_queues(const void *state)
{
	(void)state;
	return 1;
}

static int nowhere_alloc(void *state, unsigned q, struct frame frames[], unsigned n)
{
	struct nowhere *s = state;

	(void)q;
	n = n < FRAMES ? n : FRAMES;
	for (unsigned i = 0; i < n; i++)
		frames[i] = (struct frame){.data = s->room[i], .room = sizeof(s->room[i])};
	return (int)n;
}

static int nowhere_send(void *state, unsigned q, struct frame frames[], unsigned n)
{
	struct nowhere *s = state;
	int sent = 0;

	(void)q;
	for (unsigned i = 0; i < n; i++) {
		s->bytes += frames[i].len;
		sent += frames[i].len != 0;
	}
	s->frames += (uint64_t)sent;
	return sent;
}

static int nowhere_flush(void *state)
{
	(void)state;
	return 0;
}

static void nowhere_stats(void *state, struct sink_stats *out)
{
	const struct nowhere *s = state;

	*out = (struct sink_stats){.frames = s->frames, .bytes = s->bytes, .mode = "nowhere"};
}

static void nowhere_close(void *state)
{
	(void)state;
}

static const struct sink_ops nowhere = {
	.name = "test-nowhere",
	.doc = "frames are counted and forgotten",
	.state_size = sizeof(struct nowhere),
	.open = nowhere_open,
	.queues = nowhere_queues,
	.alloc = nowhere_alloc,
	.send = nowhere_send,
	.flush = nowhere_flush,
	.stats = nowhere_stats,
	.close = nowhere_close,
};

const struct plugin wmscope_plugin[] = {
	{.abi = WMSCOPE_ABI, .kind = PLUGIN_SINK, .sink = &nowhere},
	{.kind = PLUGIN_END},
};
