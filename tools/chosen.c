/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/chosen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/log.h"
#include "dataplane/pipeline.h"
#include "tools/tables.h"
#include "tools/trail.h"

/* A flow's id within its capture: of several captures each has files counted from the first. */
#define ID_IN_FILE ((UINT64_C(1) << 40) - 1)

struct bitmap {
	uint64_t *bits;
	size_t n; /* words */
};

struct chosen {
	uint64_t *flows; /* ids, rising */
	size_t n_flows;
	uint64_t *maybe; /* a bit for each of the flows, by the end of its id: most others have none */
	struct bitmap *files;
	unsigned n_files;
	int error;
};

static int mark(struct chosen *c, uint32_t file, uint64_t frame)
{
	if (file >= c->n_files)
		return 0;
	struct bitmap *b = &c->files[file];
	size_t word = (size_t)(frame / 64);
	if (word >= b->n) {
		size_t n = word + word / 2 + 64;
		uint64_t *bits = realloc(b->bits, n * sizeof(*bits));
		if (bits == NULL)
			return -ENOMEM;
		memset(bits + b->n, 0, (n - b->n) * sizeof(*bits));
		b->bits = bits;
		b->n = n;
	}
	b->bits[word] |= UINT64_C(1) << (frame % 64);
	return 0;
}

static int compare_ids(const void *x, const void *y)
{
	const uint64_t *a = x, *b = y;

	return *a < *b ? -1 : *a > *b;
}

#define MAYBE_BITS (UINT64_C(1) << 20)

static bool is_touched(const struct chosen *c, uint64_t id)
{
	uint64_t bit = id % MAYBE_BITS;

	return (c->maybe[bit / 64] >> (bit % 64) & 1) != 0 &&
	       bsearch(&id, c->flows, c->n_flows, sizeof(id), compare_ids) != NULL;
}

static void mark_packet(struct chosen *c, const struct packet *pkt)
{
	for (const struct packet *p = pkt; p != NULL && c->error == 0; p = p->parent) {
		c->error = mark(c, p->file, p->frame);
		for (unsigned i = 0; i < p->n_frames && c->error == 0; i++)
			c->error = mark(c, p->file, p->frames[i]);
	}
}

/* The hooks of a pipeline that only asks whose packet it is. */

static void *shard_new(void *user, unsigned shard)
{
	(void)shard;
	return user;
}

static void on_packet(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
		      const struct headers *h, uint64_t now_ns)
{
	(void)dir, (void)h, (void)now_ns;
	if (is_touched(shard, f->id))
		mark_packet(shard, pkt);
}

static void on_icmp(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
		    const struct headers *h)
{
	(void)dir, (void)h;
	if (is_touched(shard, f->id))
		mark_packet(shard, pkt);
}

static void on_flow_end(void *shard, struct flow *f, enum flow_end why)
{
	(void)shard, (void)f, (void)why;
}

static void shard_free(void *user, void *shard)
{
	(void)user, (void)shard;
}

/* Flows with a finding that is shown, and those that wider findings stand on. */
static int take_flows(struct chosen *c, const struct analysis *a, const struct report_options *o,
		      unsigned capture)
{
	uint64_t mask = a->captures[capture].n_files > 1 ? UINT64_MAX : ID_IN_FILE;
	size_t n = 0;

	for (size_t i = 0; i < a->n_findings; i++)
		n += 1 + a->findings[i]->n_flows;
	c->flows = malloc((n != 0 ? n : 1) * sizeof(*c->flows));
	if (c->flows == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < a->n_findings; i++) {
		const struct finding *f = a->findings[i];
		if (!tables_shown(o, f) || f->flow->capture != capture)
			continue;
		c->flows[c->n_flows++] = f->flow->id & mask;
		/* Of several captures only ids of the same file are of this one. */
		for (unsigned k = 0; k < f->n_flows; k++)
			if (mask == UINT64_MAX || f->flows[k] >> 40 == f->flow->id >> 40)
				c->flows[c->n_flows++] = f->flows[k] & mask;
	}
	qsort(c->flows, c->n_flows, sizeof(*c->flows), compare_ids);
	size_t distinct = 0;
	for (size_t i = 0; i < c->n_flows; i++)
		if (distinct == 0 || c->flows[distinct - 1] != c->flows[i])
			c->flows[distinct++] = c->flows[i];
	c->n_flows = distinct;
	c->maybe = calloc(MAYBE_BITS / 64, sizeof(*c->maybe));
	for (size_t i = 0; c->maybe != NULL && i < distinct; i++) {
		uint64_t bit = c->flows[i] % MAYBE_BITS;
		c->maybe[bit / 64] |= UINT64_C(1) << (bit % 64);
	}
	return c->maybe != NULL ? 0 : -ENOMEM;
}

static int read_again(struct chosen *c, const struct capture_result *capture,
		      const struct report_options *o)
{
	/* As it was read for the analysis: a flow's id is that of its first packet. */
	const struct source_config from = {.files = capture->paths != NULL ? capture->paths
									 : capture->files,
					   .n_files = capture->n_files,
					   .rotated = capture->n_files > 1, .bpf = o->filter};
	const struct pipeline_config pipe = {
		/* What came after an interrupt was not analysed. */
		.stop_after = capture->stats.interrupted ? capture->stats.source.received : 0};
	const struct pipeline_hooks hooks = {.user = c,
					     .shard_new = shard_new,
					     .on_packet = on_packet,
					     .on_icmp = on_icmp,
					     .on_flow_end = on_flow_end,
					     .shard_free = shard_free};
	struct pipeline_stats stats;
	struct source *src;
	char why[320];

	int err = source_open(&src, NULL, &from, why, sizeof(why));
	if (err != 0) {
		log_error(NULL, "%s", why);
		return err;
	}
	/* A capture that cannot be read to its end was not when it was analysed. */
	(void)pipeline_run(src, &hooks, &pipe, &stats);
	source_close(src);
	return c->error;
}

static int mark_of(void *user, uint64_t flow, uint32_t file, uint64_t frame)
{
	struct chosen *c = user;

	return is_touched(c, flow) ? mark(c, file, frame) : 0;
}

/* What the analysis wrote down, or what reading once more shows. */
static int mark_all(struct chosen *c, const struct analysis *a, const struct report_options *o,
		    unsigned capture)
{
	const struct trail *t = o->trails != NULL ? o->trails[capture] : NULL;

	return t != NULL && trail_is_whole(t) ? trail_each(t, mark_of, c)
					      : read_again(c, &a->captures[capture], o);
}

int chosen_new(struct chosen **out, const struct analysis *a, const struct report_options *o,
	       unsigned capture)
{
	const struct capture_result *from = &a->captures[capture];
	struct chosen *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (c == NULL)
		return -ENOMEM;
	c->n_files = from->n_files;
	c->files = calloc(from->n_files != 0 ? from->n_files : 1, sizeof(*c->files));
	int err = c->files != NULL ? take_flows(c, a, o, capture) : -ENOMEM;
	if (err == 0 && c->n_flows != 0)
		err = mark_all(c, a, o, capture);
	if (err != 0)
		chosen_free(c);
	else
		*out = c;
	return err;
}

void chosen_free(struct chosen *c)
{
	if (c == NULL)
		return;
	for (unsigned i = 0; c->files != NULL && i < c->n_files; i++)
		free(c->files[i].bits);
	free(c->files);
	free(c->flows);
	free(c->maybe);
	free(c);
}

bool chosen_has(const struct chosen *c, uint32_t file, uint64_t frame)
{
	return file < c->n_files && frame / 64 < c->files[file].n &&
	       (c->files[file].bits[frame / 64] >> (frame % 64) & 1) != 0;
}

uint64_t chosen_flows(const struct chosen *c)
{
	return c->n_flows;
}

int chosen_add(struct chosen *c, uint32_t file, uint64_t frame)
{
	return mark(c, file, frame);
}
