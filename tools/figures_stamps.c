/* SPDX-License-Identifier: BSD-3-Clause */

/* What boxes stamp on packets, beside what the hosts do in whose name they send: TTL and IP-ID. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/facts.h"
#include "tools/figures.h"

#define MARKS_MAX 3000 /* of a scatter plot */

struct stamp {
	const struct finding *f;
	const struct ladder_packet *p;
};

struct stamps {
	struct stamp *list;
	size_t n, n_forged;
	uint64_t first_ns, last_ns;
	bool v4; /* only packets that have an IP-ID */
	enum verdict least;
};

static void stamps_free(void *data)
{
	struct stamps *s = data;

	free(s->list);
	free(s);
}

/* A finding that is sure enough for its packets to be called forged. */
static bool tells(const struct finding *f, enum verdict least)
{
	bool any = false;

	if (f->scope != SCOPE_FLOW || f->verdict < least ||
	    (f->verdict < VERDICT_LIKELY && !f->filtered))
		return false;
	for (unsigned i = 0; i < f->n_ladder; i++)
		any = any || f->ladder[i].forged;
	return any;
}

/* Another finding of the flow, the n of which stand side by side, calls the packet forged. */
static bool forged_by_any(const struct finding *const *list, size_t n,
			  const struct ladder_packet *p)
{
	for (size_t i = 0; i < n; i++) {
		for (unsigned k = 0; k < list[i]->n_ladder; k++) {
			const struct ladder_packet *q = &list[i]->ladder[k];
			if (q->forged && q->frame == p->frame && q->file == p->file)
				return true;
		}
	}
	return false;
}

/* All forged, and what the same connection has of the same direction besides. */
static void add(struct stamps *s, const struct finding *const *list, size_t n)
{
	const struct finding *f = NULL;

	for (size_t i = 0; i < n && f == NULL; i++)
		f = tells(list[i], s->least) ? list[i] : NULL;
	if (f == NULL || (s->v4 && f->flow->ip_version != 4))
		return;
	for (unsigned i = 0; i < f->n_ladder; i++) {
		const struct ladder_packet *p = &f->ladder[i];
		if (!p->forged &&
		    (p->icmp || p->dir != (uint8_t)f->direction || forged_by_any(list, n, p)))
			continue;
		if (s->list != NULL)
			s->list[s->n] = (struct stamp){f, p};
		s->n++;
		s->n_forged += p->forged;
		s->first_ns = p->ts_ns < s->first_ns ? p->ts_ns : s->first_ns;
		s->last_ns = p->ts_ns > s->last_ns ? p->ts_ns : s->last_ns;
	}
}

static void add_all(struct stamps *s, const struct analysis *a)
{
	s->n = s->n_forged = 0;
	s->first_ns = UINT64_MAX;
	for (size_t i = 0, n; i < a->n_findings; i += n) {
		for (n = 1;
		     i + n < a->n_findings && a->findings[i + n]->flow == a->findings[i]->flow;)
			n++;
		add(s, (const struct finding *const *)&a->findings[i], n);
	}
}

static int stamps_gather(const struct analysis *a, const struct report_options *o, bool v4,
			 void **out)
{
	struct stamps *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->v4 = v4;
	s->least = o->min_verdict;
	add_all(s, a);
	s->list = s->n != 0 ? calloc(s->n, sizeof(*s->list)) : NULL;
	if (s->list == NULL) {
		int err = s->n != 0 ? -ENOMEM : 0;
		stamps_free(s);
		return err;
	}
	add_all(s, a);
	*out = s;
	return 0;
}

static int ttl_gather(const struct analysis *a, const struct report_options *o, void **out)
{
	return stamps_gather(a, o, false, out);
}

static int ip_id_gather(const struct analysis *a, const struct report_options *o, void **out)
{
	return stamps_gather(a, o, true, out);
}

static void legends(struct svg_plot *p, const struct stamps *s)
{
	char text[80];

	snprintf(text, sizeof(text), "forged (%zu packets)", s->n_forged);
	svg_plot_legend(p, "mark s1", SVG_TRIANGLE, false, text);
	snprintf(text, sizeof(text), "genuine, same connections and direction (%zu packets)",
		 s->n - s->n_forged);
	svg_plot_legend(p, "mark s0", SVG_DOT, false, text);
}

static void ttl_draw(const void *data, FILE *out, bool alone)
{
	const struct stamps *s = data;
	uint64_t count[256][2] = {{0}}, most = 1;
	unsigned lo = 255, hi = 0;
	struct svg_plot p;

	for (size_t i = 0; i < s->n; i++) {
		unsigned ttl = s->list[i].p->ttl;
		uint64_t n = ++count[ttl][s->list[i].p->forged];
		most = n > most ? n : most;
		lo = ttl < lo ? ttl : lo;
		hi = ttl > hi ? ttl : hi;
	}
	const struct svg_axis x = {.label = "TTL or hop limit as captured",
				   .whole = true,
				   .min = lo < 5 ? 0 : lo - 5,
				   .max = hi + 5};
	const struct svg_axis y = {.label = "packets", .max = (double)most * 1.08, .whole = true};
	svg_plot_begin(&p, out, alone, "TTL of forged packets against genuine ones", &x, &y, 2);
	double width = (p.right - p.left) / (p.x.max - p.x.min) * 0.4;
	width = width > 12 ? 12 : width;
	for (unsigned ttl = lo; ttl <= hi; ttl++) {
		for (unsigned forged = 0; forged < 2; forged++) {
			if (count[ttl][forged] == 0)
				continue;
			double top = svg_plot_y(&p, (double)count[ttl][forged]);
			double left = svg_plot_x(&p, ttl) - (forged ? 0 : width);
			svg_rect(&p.svg, forged ? "bar s1" : "bar s0", left, top, width,
				 p.bottom - top);
			svg_mark(&p.svg, forged ? "mark s1" : "mark s0",
				 forged ? SVG_TRIANGLE : SVG_DOT, left + width / 2, top - 6, 3.5,
				 NULL);
		}
	}
	legends(&p, s);
	svg_plot_end(&p);
}

static size_t step_of(const struct stamps *s)
{
	return s->n / MARKS_MAX + 1;
}

static void ip_id_draw(const void *data, FILE *out, bool alone)
{
	const struct stamps *s = data;
	const struct svg_axis x = {.label = "seconds since the first of these packets",
				   .max = (double)(s->last_ns - s->first_ns) / 1e9};
	const struct svg_axis y = {.label = "IP-ID", .max = 65535};
	struct svg_plot p;

	svg_plot_begin(&p, out, alone, "IP-ID of forged packets against genuine ones over time", &x,
		       &y, 2);
	for (size_t i = 0; i < s->n; i += step_of(s)) {
		const struct ladder_packet *k = s->list[i].p;
		svg_mark(&p.svg, k->forged ? "mark s1" : "mark s0",
			 k->forged ? SVG_TRIANGLE : SVG_DOT,
			 svg_plot_x(&p, (double)(k->ts_ns - s->first_ns) / 1e9),
			 svg_plot_y(&p, k->ip_id), k->forged ? 4 : 2.5, NULL);
	}
	legends(&p, s);
	svg_plot_end(&p);
}

static const char *ip_id_left_out(const void *data, char *out, size_t room)
{
	const struct stamps *s = data;

	if (step_of(s) == 1)
		return NULL;
	snprintf(out, room, "Drawn is one packet in %zu.", step_of(s));
	return out;
}

static void stamps_csv(const void *data, FILE *out)
{
	const struct stamps *s = data;
	char when[FACTS_TIME_SIZE];

	fputs("time,flow_id,frame,direction,forged,ttl,ip_id,verdict\n", out);
	for (size_t i = 0; i < s->n; i++) {
		const struct finding *f = s->list[i].f;
		const struct ladder_packet *p = s->list[i].p;
		fprintf(out, "%s,%" PRIu64 ",%" PRIu64 ",%s,%d,%u,", facts_time(p->ts_ns, when),
			f->flow->id, p->frame, p->dir == DIR_C2S ? "to_server" : "to_client",
			p->forged, p->ttl);
		/* IPv6 has none. */
		if (f->flow->ip_version == 4)
			fprintf(out, "%u", p->ip_id);
		fprintf(out, ",%s\n", verdict_name[f->verdict]);
	}
}

const struct figure figure_ttl = {
	.name = "ttl",
	.title = "TTL of forged and genuine packets",
	.caption = "Packets of connections with a finding that is at least likely, as far as their "
		   "ladders show them. A box elsewhere on the path, or with another system, stamps "
		   "otherwise than the host in whose name it sends.",
	.gather = ttl_gather,
	.draw = ttl_draw,
	.csv = stamps_csv,
	.free = stamps_free,
};

const struct figure figure_ip_id = {
	.name = "ip-id",
	.title = "IP-ID of forged and genuine packets",
	.caption = "The same packets, IPv4 alone: hosts count, or send zero; many boxes use a "
		   "constant, random values, or a relation to other fields.",
	.gather = ip_id_gather,
	.draw = ip_id_draw,
	.csv = stamps_csv,
	.left_out = ip_id_left_out,
	.free = stamps_free,
};
