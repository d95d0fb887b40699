/* SPDX-License-Identifier: BSD-3-Clause */

/* decoder_run(): packet_decode() with fragments made whole, and a counter for every end. */

#include <errno.h>
#include <stdlib.h>

#include "dataplane/decode_scan.h"
#include "dataplane/fragments.h"

#define DEFAULT_MEMORY (4u << 20)
#define DEFAULT_TIMEOUT_NS 30000000000u

/* Fragments in tunnels in fragments: a layer more than tunnels can be nested. */
#define LAYERS_MAX (TUNNELS_MAX + 1)

struct decoder {
	struct decoder_stats stats;
	struct fragments *fragments;
};

int decoder_new(struct decoder **out, const struct decoder_config *cfg)
{
	struct decoder *d = calloc(1, sizeof(*d));
	if (d == NULL)
		return -ENOMEM;
	size_t memory = cfg != NULL && cfg->memory != 0 ? cfg->memory : DEFAULT_MEMORY;
	uint64_t timeout = cfg != NULL && cfg->timeout_ns != 0 ? cfg->timeout_ns
							       : DEFAULT_TIMEOUT_NS;
	int err = fragments_new(&d->fragments, memory, timeout);
	if (err != 0) {
		free(d);
		return err;
	}
	*out = d;
	return 0;
}

void decoder_free(struct decoder *d)
{
	if (d == NULL)
		return;
	fragments_free(d->fragments);
	free(d);
}

static void count_anomalies(struct decoder_stats *st, uint32_t anomalies)
{
	for (uint32_t left = anomalies; left != 0; left &= left - 1)
		st->anomalies[__builtin_ctz(left)]++;
}

static void count(struct decoder_stats *st, const struct headers *h)
{
	st->ends[h->end]++;
	st->tunnelled += h->n_tunnels != 0;
	st->tunnel_closed += h->tunnel_closed;
	count_anomalies(st, h->anomalies);
}

/*
 * From a fragment to the datagram that it completes, and on when that holds fragments in a tunnel.
 * What lies outside of the datagram is in h from the completing fragment. NULL: kept or dropped.
 */
static struct packet *make_whole(struct decoder *d, const struct packet *pkt, struct headers *h)
{
	struct packet *whole = NULL;
	for (unsigned i = 0; h->end == DECODE_FRAGMENT; i++) {
		uint32_t anomalies = 0;
		struct packet *next = NULL;
		const struct packet *part = whole != NULL ? whole : pkt;
		if (i < LAYERS_MAX)
			next = fragments_add(d->fragments, part, h, &anomalies, &d->stats);
		if (whole != NULL)
			fragments_release(d->fragments, whole);
		whole = next;
		if (whole == NULL)
			return NULL;
		fragments_set_parent(whole, pkt);
		scan_ip_packet(whole, h);
		/* It is large because it was in pieces, not because a card would cut it. */
		h->anomalies = (h->anomalies & ~(uint32_t)ANOMALY_TSO) | anomalies;
	}
	return whole;
}

bool decoder_run(struct decoder *d, const struct packet *pkt, struct headers *out,
		 const struct packet **whole)
{
	packet_decode(pkt, out);
	*whole = pkt;
	if (out->end == DECODE_FRAGMENT) {
		const struct packet *made = make_whole(d, pkt, out);
		*whole = made;
		if (made == NULL) {
			/* They may lead into a datagram that is given back already. */
			out->l3 = out->payload = NULL;
			out->end = DECODE_FRAGMENT;
		}
	}
	count(&d->stats, out);
	return out->end != DECODE_FRAGMENT;
}

bool decoder_sort(struct decoder *d, const struct packet *pkt, struct ip_addr *src, struct ip_addr *dst)
{
	uint32_t anomalies;
	if (!scan_usual_ends(pkt, src, dst, &anomalies))
		return false;
	d->stats.ends[DECODE_OK]++;
	count_anomalies(&d->stats, anomalies);
	return true;
}

void decoder_release(struct decoder *d, const struct packet *whole)
{
	fragments_release(d->fragments, whole);
}

const struct decoder_stats *decoder_stats(const struct decoder *d)
{
	return &d->stats;
}
