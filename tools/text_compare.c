/* SPDX-License-Identifier: BSD-3-Clause */

/* What comparing two captures adds to the report for people. */

#include <inttypes.h>
#include <math.h>

#include "tools/compare/compare.h"
#include "tools/report_text.h"

static void clocks(const struct text *t, const struct compare_clock *k)
{
	if (!k->aligned) {
		fputs("  No packet is in both captures, so nothing could be compared.\n", t->out);
		return;
	}
	if (!k->both_ways) {
		fputs("  Packets of one direction only are in both captures: the other is not "
		      "compared.\n",
		      t->out);
		return;
	}
	fprintf(t->out,
		"  clocks: the server's is %.3f ms %s (within %.3f ms); quickest round trip "
		"%.3f ms\n",
		fabs((double)k->offset_ns) / 1e6, k->offset_ns < 0 ? "behind" : "ahead",
		(double)k->offset_error_ns / 1e6, (double)k->rtt_ns / 1e6);
	if (k->steps > 0)
		fprintf(t->out, "  one clock jumped against the other: %u times, at most %.3f ms\n",
			k->steps, (double)k->largest_step_ns / 1e6);
	else if (k->drift_ppm > 1 || k->drift_ppm < -1)
		fprintf(t->out, "  drift: %.1f ppm\n", k->drift_ppm);
}

static void way(const struct text *t, const char *name, const struct compare_totals *k)
{
	fprintf(t->out, "  from the %s: %" PRIu64 " sent, %" PRIu64 " the same", name, k->sent,
		k->fates[FATE_SAME]);
	static const struct {
		enum compare_fate fate;
		const char *words;
	} rows[] = {
		{FATE_RESEGMENTED, "in other segments"},
		{FATE_MODIFIED, "modified"},
		{FATE_DROPPED, "dropped"},
		{FATE_INJECTED, "injected"},
		{FATE_DUPLICATED, "duplicated"},
		{FATE_MISSED, "missed by a capture"},
		{FATE_UNCOVERED, "outside a capture's time"},
		{FATE_UNKNOWN, "ambiguous"},
		{FATE_NONE, "not examined"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (k->fates[rows[i].fate] != 0)
			fprintf(t->out, ", %" PRIu64 " %s", k->fates[rows[i].fate], rows[i].words);
	}
	if (k->reordered != 0)
		fprintf(t->out, ", %" PRIu64 " reordered", k->reordered);
	if (k->delayed != 0)
		fprintf(t->out, ", %" PRIu64 " delayed (at most %.0f ms)", k->delayed,
			(double)k->slowest_ns / 1e6);
	putc('\n', t->out);
	bool any = false;
	for (unsigned i = 0; i < CHANGES; i++) {
		if (k->changed[i] == 0)
			continue;
		fprintf(t->out, "%s%s in %" PRIu64,
			any ? ", " : "    changed on the way: ", compare_change_name[i],
			k->changed[i]);
		any = true;
	}
	if (any)
		putc('\n', t->out);
}

void text_comparison(const struct text *t)
{
	const struct comparison *c = t->options->comparison;
	uint64_t both, lone, elsewhere;

	if (c == NULL)
		return;
	comparison_links(c, &both, &lone, &elsewhere);
	fprintf(t->out,
		"\nComparison: %" PRIu64 " conversations in both captures, %" PRIu64
		" in one only, %" PRIu64 " not of this path\n",
		both, lone, elsewhere);
	clocks(t, comparison_clock(c));
	way(t, "client", comparison_totals(c, WAY_UP));
	way(t, "server", comparison_totals(c, WAY_DOWN));
	for (unsigned side = 0; side < SIDES; side++) {
		if (comparison_lossy(c, side))
			fprintf(t->out,
				"  The capture of the %s has gaps: what it lacks may have been "
				"there.\n",
				side == SIDE_CLIENT ? "client" : "server");
	}
}
