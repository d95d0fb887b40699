/* SPDX-License-Identifier: BSD-3-Clause */

/* After a trigger: what became of each further try between the same two hosts, over time. */

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/attempt.h"
#include "tools/facts.h"
#include "tools/figures.h"

#define PAIRS_MAX 6
#define MARKS_MAX 3000

struct
try {
	const struct attempt *t;
	unsigned pair;
	bool triggers; /* it carries the trigger */
	double at;     /* seconds since the pair's first try */
};

struct residual {
	const struct finding *pair[PAIRS_MAX];
	uint64_t start_ns[PAIRS_MAX];
	unsigned n_pairs, more;
	struct try *list;
	size_t n;
	double last;
};

static void residual_free(void *data)
{
	struct residual *r = data;

	free(r->list);
	free(r);
}

static bool carries(const struct finding *f, const struct attempt *t)
{
	return t->trigger == (uint8_t)f->trigger && t->name != NULL &&
	       strcmp(t->name, f->trigger_value) == 0;
}

static bool same_pair(const struct finding *f, const struct attempt *t)
{
	return t->capture == f->flow->capture && t->proto == f->flow->proto &&
	       memcmp(&t->client, &f->flow->client, sizeof(t->client)) == 0 &&
	       memcmp(&t->server, &f->flow->server, sizeof(t->server)) == 0;
}

/* A window's finding without a trigger has nothing to count from. */
static void choose(struct residual *r, const struct analysis *a, const struct report_options *o)
{
	for (size_t i = 0; i < a->n_findings; i++) {
		const struct finding *f = a->findings[i];
		if (f->family != FAMILY_RESIDUAL || f->scope != SCOPE_PAIR ||
		    f->verdict < o->min_verdict)
			continue;
		if (r->n_pairs < PAIRS_MAX)
			r->pair[r->n_pairs++] = f;
		else
			r->more++;
	}
}

static void collect(struct residual *r, const struct analysis *a)
{
	r->n = 0;
	for (size_t i = 0; i < a->n_attempts; i++) {
		const struct attempt *t = &a->attempts[i];
		for (unsigned k = 0; k < r->n_pairs; k++) {
			if (!same_pair(r->pair[k], t))
				continue;
			/* Attempts come in order of time within a capture. */
			if (r->start_ns[k] == 0)
				r->start_ns[k] = t->start_ns;
			double at = (double)(t->start_ns - r->start_ns[k]) / 1e9;
			r->last = at > r->last ? at : r->last;
			if (r->list != NULL)
				r->list[r->n] = (struct try){t, k, carries(r->pair[k], t), at};
			r->n++;
		}
	}
}

static int residual_gather(const struct analysis *a, const struct report_options *o, void **out)
{
	struct residual *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	choose(r, a, o);
	collect(r, a);
	r->list = r->n != 0 ? calloc(r->n, sizeof(*r->list)) : NULL;
	if (r->list == NULL) {
		int err = r->n != 0 ? -ENOMEM : 0;
		residual_free(r);
		return err;
	}
	collect(r, a);
	*out = r;
	return 0;
}

enum fate { PASSED, RESET, SILENT, FORGED, UNKNOWN, FATES };

static enum fate fate_of(const struct attempt *t)
{
	switch (t->end) {
	case ATTEMPT_OK:
		return PASSED;
	case ATTEMPT_RESET:
	case ATTEMPT_REFUSED:
	case ATTEMPT_CLOSED:
	case ATTEMPT_ALERT:
		return RESET;
	case ATTEMPT_SILENT:
		return SILENT;
	case ATTEMPT_PAGE:
	case ATTEMPT_FORGED:
		return FORGED;
	}
	return UNKNOWN;
}

static const struct {
	const char *class, *text;
	enum svg_mark shape;
} fates[FATES] = {
	[PASSED] = {"mark s2", "answered", SVG_RING},
	[RESET] = {"mark s1", "reset, refused, closed or alerted", SVG_CROSS},
	[SILENT] = {"mark s3", "no answer", SVG_TRIANGLE},
	[FORGED] = {"mark s4", "answered by somebody else", SVG_SQUARE},
	[UNKNOWN] = {"mark v1", "not known", SVG_DOT},
};

static void lane(struct svg_plot *p, const struct residual *r, unsigned k, double y)
{
	const struct finding *f = r->pair[k];
	char client[64], server[64];

	ip_addr_format(&f->flow->client, f->flow->ip_version, client, sizeof(client));
	ip_addr_format(&f->flow->server, f->flow->ip_version, server, sizeof(server));
	svg_line(&p->svg, "grid", p->left, y, p->right, y);
	svg_text(&p->svg, "fact", SVG_START, p->left + 4, y - 18,
		 "%s to %s, %s: upper row with the trigger, lower row without", client, server,
		 f->id);
}

static void residual_draw(const void *data, FILE *out, bool alone)
{
	const struct residual *r = data;
	const struct svg_axis x = {.label = "seconds since the first try between the two hosts",
				   .max = r->last * 1.02};
	const struct svg_axis y = {
		.label = "", .max = r->n_pairs, .bare = true, .length = 40 + 60 * r->n_pairs};
	size_t step = r->n / MARKS_MAX + 1;
	struct svg_plot p;

	svg_plot_begin(&p, out, alone, "What became of tries after a trigger, over time", &x, &y,
		       FATES);
	for (unsigned k = 0; k < r->n_pairs; k++)
		lane(&p, r, k, svg_plot_y(&p, r->n_pairs - k - 0.55));
	for (size_t i = 0; i < r->n; i += step) {
		const struct try *t = &r->list[i];
		enum fate fate = fate_of(t->t);
		double middle = svg_plot_y(&p, r->n_pairs - t->pair - 0.55);
		char about[120];
		snprintf(about, sizeof(about), "flow %" PRIu64 ", %.2f s: %s", t->t->flow_id, t->at,
			 attempt_end_name[t->t->end]);
		svg_mark(&p.svg, fates[fate].class, fates[fate].shape, svg_plot_x(&p, t->at),
			 middle + (t->triggers ? -5 : 7), 4.5, about);
	}
	for (unsigned i = 0; i < FATES; i++)
		svg_plot_legend(&p, fates[i].class, fates[i].shape, false, fates[i].text);
	svg_plot_end(&p);
}

static const char *residual_left_out(const void *data, char *out, size_t room)
{
	const struct residual *r = data;
	size_t step = r->n / MARKS_MAX + 1;

	if (r->more == 0 && step == 1)
		return NULL;
	snprintf(out, room, "Drawn are the first %u of %u pairs, and one try in %zu.", r->n_pairs,
		 r->n_pairs + r->more, step);
	return out;
}

static void residual_csv(const void *data, FILE *out)
{
	const struct residual *r = data;
	char when[FACTS_TIME_SIZE], client[64], server[64];

	fputs("time,seconds,finding,client,server,server_port,flow_id,outcome,with_trigger,"
	      "trigger_kind,name\n",
	      out);
	for (size_t i = 0; i < r->n; i++) {
		const struct try *x = &r->list[i];
		const struct attempt *t = x->t;
		fprintf(out, "%s,%.6f,%s,%s,%s,%u,%" PRIu64 ",%s,%d,%s,",
			facts_time(t->start_ns, when), x->at, r->pair[x->pair]->id,
			ip_addr_format(&t->client, t->ip_version, client, sizeof(client)),
			ip_addr_format(&t->server, t->ip_version, server, sizeof(server)),
			t->server_port, t->flow_id, attempt_end_name[t->end], x->triggers,
			trigger_name[t->trigger]);
		figure_csv_name(out, t->name != NULL ? t->name : "",
				t->name != NULL ? strlen(t->name) : 0);
		putc('\n', out);
	}
}

const struct figure figure_residual = {
	.name = "residual",
	.title = "Residual blocking: tries over time",
	.caption = "Every try between two hosts of which a finding says that a trigger blocks what "
		   "comes after it.",
	.gather = residual_gather,
	.draw = residual_draw,
	.csv = residual_csv,
	.left_out = residual_left_out,
	.free = residual_free,
};
