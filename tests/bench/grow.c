/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * grow -p PACKETS -o OUT FILE...     copies of the captures, with addresses of their own
 * grow --flows N -o OUT              synthetic TCP connections
 * grow --flows N --reset -o OUT      the same, each reset by a third party: a finding each
 *
 * Copies follow each other in the order of the files, a number of them at any time; the same
 * command always writes the same bytes. What was written is read back and checked. One line of
 * JSON on standard output says what it is.
 */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/grow.h"

#define START_US UINT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */
#define SLOTS_MAX 65536

struct options {
	uint64_t packets, gap_us;
	unsigned concurrency;
	struct flows_config flows;
	const char *out;
};

/* A copy that is being written. */
struct slot {
	const struct template *t;
	size_t next; /* sample */
	uint64_t start_us, at_us; /* at_us: of the next sample */
	uint32_t base[ADDRESS_CLASSES]; /* number of the copy's first address of each class */
};

struct garden {
	struct template *templates;
	unsigned n_templates;
	struct slot *slots; /* a heap: the slot whose packet is next comes first */
	unsigned n_slots;
	uint64_t planned, copies, wanted;
	uint32_t used[ADDRESS_CLASSES];
	uint8_t frame[FRAME_MAX];
};

/* Slots with the same time keep a fixed order, so that the output is always the same. */
static bool slot_before(const struct slot *a, const struct slot *b)
{
	if (a->at_us != b->at_us)
		return a->at_us < b->at_us;
	for (unsigned i = 0; i < ADDRESS_CLASSES; i++)
		if (a->base[i] != b->base[i])
			return a->base[i] < b->base[i];
	return false;
}

static void heap_sink(struct garden *g, unsigned i)
{
	for (;;) {
		unsigned first = i;
		for (unsigned k = 2 * i + 1; k <= 2 * i + 2 && k < g->n_slots; k++)
			if (slot_before(&g->slots[k], &g->slots[first]))
				first = k;
		if (first == i)
			return;
		struct slot s = g->slots[i];
		g->slots[i] = g->slots[first];
		g->slots[first] = s;
		i = first;
	}
}

/* Private addresses stay private (10/8); the others become 11/8, IPv6 2001:db8::/32. */
static void address_store(uint8_t *p, const struct slot *s, const struct address *a)
{
	uint32_t n = s->base[a->class] + a->ordinal;

	if (a->class == ADDRESS_V6) {
		static const uint8_t prefix[12] = {0x20, 0x01, 0x0d, 0xb8};
		memcpy(p, prefix, sizeof(prefix));
		p += sizeof(prefix);
		p[0] = (uint8_t)(n >> 24);
	} else {
		p[0] = a->class == ADDRESS_PRIVATE ? 10 : 11;
	}
	p[1] = (uint8_t)(n >> 16);
	p[2] = (uint8_t)(n >> 8);
	p[3] = (uint8_t)n;
}

static void sample_write(struct garden *g, struct writer *w, const struct slot *s)
{
	const struct template *t = s->t;
	const struct sample *sample = &t->samples[s->next];
	uint8_t *l3 = g->frame + ETHERNET_HLEN;
	bool v4 = sample->ip_version == 4;

	memcpy(g->frame, t->bytes + sample->at, ETHERNET_HLEN + sample->ip_len);
	address_store(l3 + (v4 ? 12 : 8), s, &t->addresses[sample->src]);
	address_store(l3 + (v4 ? 16 : 24), s, &t->addresses[sample->dst]);
	checksums_fill(l3, sample->ip_hlen, sample->ip_len, sample->proto);
	writer_put(w, s->at_us, g->frame, ETHERNET_HLEN + sample->ip_len);
}

/* The next copy, or false: enough of them were begun. -ERANGE: no addresses are left. */
static int copy_begin(struct garden *g, struct slot *s, uint64_t start_us)
{
	const struct template *t = &g->templates[g->copies % g->n_templates];

	if (g->planned >= g->wanted)
		return 0;
	*s = (struct slot){.t = t, .start_us = start_us, .at_us = start_us};
	for (unsigned i = 0; i < ADDRESS_CLASSES; i++) {
		s->base[i] = g->used[i] + 1;
		g->used[i] += t->n_class[i];
		if (i != ADDRESS_V6 && g->used[i] > 0xfffffe)
			return -ERANGE;
	}
	g->planned += t->n_samples;
	g->copies++;
	return 1;
}

static int garden_write(struct garden *g, struct writer *w, unsigned concurrency)
{
	int more = 1;

	/* Begun a little apart, as connections are. */
	while (g->n_slots < concurrency && more > 0) {
		more = copy_begin(g, &g->slots[g->n_slots], START_US + g->n_slots * 1009);
		g->n_slots += more > 0;
	}
	while (g->n_slots > 0 && more >= 0) {
		struct slot *s = &g->slots[0];
		sample_write(g, w, s);
		if (++s->next < s->t->n_samples) {
			s->at_us = s->start_us + s->t->samples[s->next].offset_us;
		} else {
			more = copy_begin(g, s, s->at_us + 1000);
			if (more == 0)
				g->slots[0] = g->slots[--g->n_slots];
		}
		heap_sink(g, 0);
	}
	return more < 0 ? more : 0;
}

static int grow(const struct options *o, char **files, unsigned n_files, struct writer *w)
{
	struct left_out left_out = {.packets = 0};
	struct garden *g = calloc(1, sizeof(*g));
	int err = -ENOMEM;

	if (g == NULL)
		return err;
	g->wanted = o->packets;
	g->templates = calloc(n_files, sizeof(*g->templates));
	g->slots = calloc(o->concurrency, sizeof(*g->slots));
	if (g->templates == NULL || g->slots == NULL)
		goto out;
	for (unsigned i = 0; i < n_files; i++) {
		struct template *t = &g->templates[g->n_templates];
		err = template_load(t, files[i], o->gap_us, &left_out);
		if (err != 0)
			goto out;
		g->n_templates += t->n_samples > 0;
	}
	err = g->n_templates > 0 ? garden_write(g, w, o->concurrency) : -ENODATA;
	printf("{\"captures\":%u,\"captures_left_out\":%u,\"packets_left_out\":%" PRIu64
	       ",\"copies\":%" PRIu64,
	       g->n_templates, left_out.captures, left_out.packets, g->copies);
out:
	for (unsigned i = 0; g->templates != NULL && i < g->n_templates; i++)
		template_free(&g->templates[i]);
	free(g->templates);
	free(g->slots);
	free(g);
	return err;
}

static int usage(void)
{
	fputs("usage: grow -p PACKETS [-c COPIES AT A TIME] [-g GAP MS] -o OUT FILE...\n"
	      "       grow --flows N [--exchanges N] [--close] [--reset] [--step US] -o OUT\n",
	      stderr);
	return 2;
}

static bool options_read(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{"packets", required_argument, NULL, 'p'},
		{"concurrency", required_argument, NULL, 'c'},
		{"gap", required_argument, NULL, 'g'},
		{"output", required_argument, NULL, 'o'},
		{"flows", required_argument, NULL, 'f'},
		{"exchanges", required_argument, NULL, 'e'},
		{"step", required_argument, NULL, 's'},
		{"close", no_argument, NULL, 'x'},
		{"reset", no_argument, NULL, 'r'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "p:c:g:o:", longs, NULL)) != -1) {
		uint64_t n = optarg != NULL ? strtoull(optarg, NULL, 10) : 0;
		if (c == 'p')
			o->packets = n;
		else if (c == 'c')
			o->concurrency = (unsigned)n;
		else if (c == 'g')
			o->gap_us = n * 1000;
		else if (c == 'o')
			o->out = optarg;
		else if (c == 'f')
			o->flows.flows = n;
		else if (c == 'e')
			o->flows.exchanges = (unsigned)n;
		else if (c == 's')
			o->flows.step_us = n;
		else if (c == 'x')
			o->flows.close = true;
		else if (c == 'r')
			o->flows.reset = true;
		else
			return false;
	}
	return o->out != NULL && o->concurrency > 0 && o->concurrency <= SLOTS_MAX &&
	       o->flows.exchanges <= EXCHANGES_MAX &&
	       (o->flows.flows > 0 ? optind == argc : o->packets > 0 && optind < argc);
}

int main(int argc, char **argv)
{
	struct options o = {.concurrency = 256, .gap_us = 2000000, .flows = {.step_us = 100}};
	struct writer w;

	if (!options_read(&o, argc, argv))
		return usage();
	int err = writer_open(&w, o.out);
	if (err == 0) {
		if (o.flows.flows > 0) {
			printf("{\"flows\":%" PRIu64, o.flows.flows);
			err = flows_write(&w, &o.flows);
		} else {
			err = grow(&o, argv + optind, (unsigned)(argc - optind), &w);
		}
		int closed = writer_close(&w);
		if (err == 0)
			err = closed;
	}
	if (err == 0)
		err = capture_check(o.out, w.packets);
	if (err != 0) {
		fprintf(stderr, "error: %s: %s\n", o.out, strerror(-err));
		return 1;
	}
	printf(",\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"seconds\":%.6f}\n", w.packets,
	       w.bytes, (double)(w.last_us - w.first_us) / 1e6);
	return 0;
}
