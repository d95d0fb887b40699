/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A classifier of a user's own: the first byte of what the client sends. Its words would ring a
 * bell.
 */

#include <stdio.h>
#include <string.h>

#include "classifiers/classifier.h"
#include "dataplane/abi.h"
#include "dataplane/plugin.h"

struct state {
	uint8_t first;
	bool seen;
};

static enum classify packet(void *shard, void *state, const struct flow *f, enum dir dir,
			    const struct packet *pkt, const struct headers *h,
			    struct app_facts *facts, struct label *out)
{
	struct state *s = state;

	(void)shard;
	(void)f;
	(void)pkt;
	(void)facts;
	if (dir != DIR_C2S || h->payload_caplen == 0)
		return CLASSIFY_MORE;
	s->first = h->payload[0];
	s->seen = true;
	out->by = "somebody else";
	snprintf(out->app, sizeof(out->app), "First\a.%02x", s->first);
	memset(out->category, 'z', sizeof(out->category));
	return CLASSIFY_DONE;
}

static const struct classifier first_byte = {
	.name = "test-first-byte",
	.doc = "the first byte that a client sends",
	.flow_size = sizeof(struct state),
	.packet = packet,
};

const struct plugin wmscope_plugin[] = {
	{.abi = WMSCOPE_ABI, .kind = PLUGIN_CLASSIFIER, .classifier = &first_byte},
	{.kind = PLUGIN_END},
};
