/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A packet source of a user's own: files of text, "HEX-FRAMES" and then a line a packet, its time
 * in ns and its Ethernet frame in hexadecimal digits. With LIVE such a file plays an interface.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/abi.h"
#include "dataplane/plugin.h"

#define FRAME_MAX 2048
#define MAGIC "HEX-FRAMES\n"
#ifdef LIVE
#define PROBE NULL
#else
#define PROBE hex_probe
#endif

struct hex {
	FILE *in;
	char line[2 * FRAME_MAX + 32];
	uint8_t frame[FRAME_MAX];
	struct source_stats stats;
	struct source_iface iface;
	uint64_t now_ns;
	bool live; /* the pipeline numbers the frames */
};

bool hex_probe(const uint8_t *head, size_t len);
bool hex_probe(const uint8_t *head, size_t len)
{
	return len >= sizeof(MAGIC) - 1 && memcmp(head, MAGIC, sizeof(MAGIC) - 1) == 0;
}

static int hex_open(void *state, const struct source_config *cfg, char *err, size_t errlen)
{
	struct hex *h = state;
	const char *from = cfg->iface != NULL ? cfg->iface : cfg->files[0];

	if (cfg->n_files > 1 || cfg->bpf != NULL) {
		snprintf(err, errlen, "one file and no filter is all that this source knows");
		return -EDOM;
	}
	h->live = cfg->iface != NULL;
	h->in = fopen(from, "re");
	if (h->in == NULL || fgets(h->line, sizeof(h->line), h->in) == NULL) {
		int error = errno;
		snprintf(err, errlen, "%.200s: %s", from, strerror(error));
		return -error;
	}
	h->iface = (struct source_iface){.linktype = 1, .dropped = UINT64_MAX};
	return 0;
}

static unsigned hex_queues(const void *state)
{
	(void)state;
	return 1;
}

static int hex_recv(void *state, unsigned q, struct packet pkts[], unsigned max)
{
	struct hex *h = state;
	char *at;
	unsigned n = 0;

	(void)q;
	if (max == 0 || fgets(h->line, sizeof(h->line), h->in) == NULL)
		return SOURCE_EOF;
	h->now_ns = strtoull(h->line, &at, 10);
	for (unsigned byte; n < FRAME_MAX && sscanf(at += *at == ' ', "%2x", &byte) == 1; at += 2)
		h->frame[n++] = (uint8_t)byte;
	h->stats.received++;
	pkts[0] = (struct packet){.data = h->frame, .caplen = n, .wirelen = n, .ts_ns = h->now_ns,
				  .frame = h->live ? 0 : h->stats.received, .linktype = 1};
	h->stats.bytes += n;
	return 1;
}

static void hex_release(void *state, unsigned q, const struct packet pkts[], unsigned n)
{
	(void)state;
	(void)q;
	(void)pkts;
	(void)n;
}

static uint64_t hex_now(void *state)
{
	return ((const struct hex *)state)->now_ns;
}

static void hex_stats(void *state, struct source_stats *out)
{
	struct hex *h = state;

	h->iface.packets = h->stats.received;
	*out = h->stats;
	out->ifaces = &h->iface;
	out->n_ifaces = 1;
}

static void hex_close(void *state)
{
	fclose(((struct hex *)state)->in);
}

static const struct source_ops hex = {
	.name = "test-hex",
	.doc = "frames as hexadecimal digits",
	.state_size = sizeof(struct hex),
	.probe = PROBE,
	.open = hex_open,
	.queues = hex_queues,
	.recv = hex_recv,
	.release = hex_release,
	.now = hex_now,
	.stats = hex_stats,
	.close = hex_close,
};

const struct plugin wmscope_plugin[] = {
	{.abi = WMSCOPE_ABI, .kind = PLUGIN_SOURCE, .source = &hex},
	{.kind = PLUGIN_END},
};
