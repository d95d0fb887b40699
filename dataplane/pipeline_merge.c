/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The queues of a source become one sequence by time: in it frames are numbered and written, and the
 * capture clock follows it. Each queue is read ahead by a batch; a packet goes on once every other
 * queue has shown a later one, or has had the time in which an earlier one would have shown.
 */

#include <errno.h>
#include <stdlib.h>

#include "dataplane/pipeline_private.h"

struct lane {
	struct packet *pkts; /* from at up to n: read, and not handed on */
	unsigned at, n;
	bool ended;
};

struct merge {
	struct source *src;
	unsigned n_lanes, batch;
	uint64_t late_ns;
	uint64_t ahead_ns; /* how far packets' times were ahead of the source's clock: somebody set theirs */
	int failed; /* once the lanes are empty: what source_recv() said */
	struct lane lanes[];
};

int merge_new(struct merge **out, struct source *src, unsigned n_queues, unsigned batch)
{
	struct merge *m = calloc(1, sizeof(*m) + n_queues * sizeof(m->lanes[0]));

	*out = m;
	if (m == NULL)
		return -ENOMEM;
	*m = (struct merge){.src = src, .n_lanes = n_queues, .batch = batch,
			    .late_ns = source_late_ns(src)};
	for (unsigned q = 0; q < n_queues; q++) {
		m->lanes[q].pkts = calloc(batch, sizeof(*m->lanes[q].pkts));
		if (m->lanes[q].pkts == NULL)
			return -ENOMEM;
	}
	return 0;
}

static void lane_read(struct merge *m, unsigned q, uint64_t now)
{
	struct lane *l = &m->lanes[q];

	if (l->at < l->n || l->ended)
		return;
	int n = source_recv(m->src, q, l->pkts, m->batch);
	l->at = 0;
	l->n = n > 0 ? (unsigned)n : 0;
	l->ended = n < 0;
	if (n < 0 && n != SOURCE_EOF && m->failed == 0)
		m->failed = n;
	uint64_t newest = n > 0 ? l->pkts[n - 1].ts_ns : 0;
	/* Not by what passed while it was read. */
	if (newest > now && newest - now > SECOND_NS && newest - now > m->ahead_ns)
		m->ahead_ns = newest - now;
}

/* The lane whose packet is the earliest, of equals the first. NULL: there is none. */
static struct lane *earliest(struct merge *m)
{
	struct lane *best = NULL;

	for (unsigned q = 0; q < m->n_lanes; q++) {
		struct lane *l = &m->lanes[q];
		if (l->at < l->n && (best == NULL || l->pkts[l->at].ts_ns < best->pkts[best->at].ts_ns))
			best = l;
	}
	return best;
}

/* Whether a queue that shows nothing could still have an earlier one. */
static bool too_early(const struct merge *m, const struct lane *of, uint64_t now)
{
	uint64_t ts = of->pkts[of->at].ts_ns;

	if (ts <= m->ahead_ns || ts - m->ahead_ns + m->late_ns <= now)
		return false;
	for (unsigned q = 0; q < m->n_lanes; q++)
		if (m->lanes[q].at == m->lanes[q].n && !m->lanes[q].ended && m->failed == 0)
			return true;
	return false;
}

int merge_recv(struct merge *m, struct packet pkts[], struct work work[], unsigned max)
{
	bool open = false;
	unsigned n = 0;

	/* As it was before the queues were looked at: what shows meanwhile is read next time. */
	const uint64_t now = source_now(m->src);
	for (unsigned q = 0; q < m->n_lanes; q++) {
		if (m->failed == 0)
			lane_read(m, q, now);
		open |= !m->lanes[q].ended;
	}
	while (n < max) {
		struct lane *l = earliest(m);
		if (l == NULL || too_early(m, l, now))
			break;
		work[n].queue = (uint16_t)(l - m->lanes);
		pkts[n++] = l->pkts[l->at++];
		if (l->at == l->n && m->failed == 0)
			lane_read(m, (unsigned)(l - m->lanes), now);
	}
	if (n != 0 || max == 0)
		return (int)n;
	return m->failed != 0 ? m->failed : open ? 0 : SOURCE_EOF;
}

void merge_free(struct merge *m, uint64_t *packets, uint64_t *bytes)
{
	*packets = *bytes = 0;
	if (m == NULL)
		return;
	for (unsigned q = 0; q < m->n_lanes; q++) {
		struct lane *l = &m->lanes[q];
		*packets += l->n - l->at;
		for (unsigned i = l->at; i < l->n; i++)
			*bytes += l->pkts[i].caplen;
		if (l->at < l->n)
			source_release(m->src, q, l->pkts + l->at, l->n - l->at);
		free(l->pkts);
	}
	free(m);
}
