/* SPDX-License-Identifier: BSD-3-Clause */

/* What became of packets between two places, and how two captures of one path fit together. */

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "tools/compare/compare.h"
#include "tools/html.h"

static void changes(const struct html *h, const char *name, const struct compare_totals *k)
{
	bool any = false;

	for (unsigned i = 0; i < CHANGES; i++) {
		if (k->changed[i] == 0)
			continue;
		if (!any)
			fprintf(h->out, "<p>Changed on the way from the %s: ", name);
		fprintf(h->out, "%s%s in %" PRIu64, any ? ", " : "", compare_change_name[i],
			k->changed[i]);
		any = true;
	}
	fputs(any ? ".</p>\n" : "", h->out);
}

/* Fates that no packet met have no column. */
void html_fates(const struct html *h, const char *caption, const struct compare_totals *up,
		const struct compare_totals *down)
{
	const struct compare_totals *k[WAYS] = {up, down};
	static const char *const words[FATE_N] = {
		[FATE_SAME] = "The same",
		[FATE_RESEGMENTED] = "In other segments",
		[FATE_DUPLICATED] = "Sent again",
		[FATE_MODIFIED] = "Modified",
		[FATE_INJECTED] = "Injected",
		[FATE_DROPPED] = "Dropped",
		[FATE_MISSED] = "Missed by a capture",
		[FATE_UNCOVERED] = "Outside its time",
		[FATE_UNKNOWN] = "Ambiguous",
		[FATE_NONE] = "Not examined",
	};
	static const char *const ways[WAYS] = {"from the client", "from the server"};
	char heads[400] = "Packets|#Sent|#Reordered|#Delayed";
	size_t n = strlen(heads);

	for (unsigned i = 0; i < FATE_N; i++) {
		if (k[WAY_UP]->fates[i] + k[WAY_DOWN]->fates[i] != 0)
			n += (size_t)snprintf(heads + n, sizeof(heads) - n, "|#%s", words[i]);
	}
	html_table(h, caption, heads);
	for (unsigned w = 0; w < WAYS; w++) {
		fprintf(h->out, "<tr><td class=\"id\">%s</td>", ways[w]);
		html_cell_count(h, k[w]->sent);
		html_cell_count(h, k[w]->reordered);
		html_cell_count(h, k[w]->delayed);
		for (unsigned i = 0; i < FATE_N; i++) {
			if (k[WAY_UP]->fates[i] + k[WAY_DOWN]->fates[i] != 0)
				html_cell_count(h, k[w]->fates[i]);
		}
		fputs("</tr>\n", h->out);
	}
	html_table_end(h);
	changes(h, "client", k[WAY_UP]);
	changes(h, "server", k[WAY_DOWN]);
}

static void clocks(const struct html *h, const struct compare_clock *k)
{
	if (!k->aligned)
		fputs("<p>No packet is in both captures, so nothing could be compared.</p>\n",
		      h->out);
	else if (!k->both_ways)
		fputs("<p>Packets of one direction only are in both captures: the other is not "
		      "compared.</p>\n",
		      h->out);
	else
		fprintf(h->out,
			"<p>The server\xe2\x80\x99s clock is %.3f ms %s (within %.3f ms); the "
			"quickest round trip between the captures took %.3f ms; drift %.1f ppm, %u "
			"jumps.</p>\n",
			fabs((double)k->offset_ns) / 1e6, k->offset_ns < 0 ? "behind" : "ahead",
			(double)k->offset_error_ns / 1e6, (double)k->rtt_ns / 1e6, k->drift_ppm, k->steps);
}

void html_comparison(const struct html *h)
{
	const struct comparison *c = h->options->comparison;
	uint64_t both, lone, elsewhere;

	if (c == NULL)
		return;
	html_section(h, "comparison", "The two captures held against each other");
	comparison_links(c, &both, &lone, &elsewhere);
	fprintf(h->out,
		"<p>%" PRIu64 " conversations are in both captures, %" PRIu64
		" in one only, %" PRIu64 " are not of this path.</p>\n",
		both, lone, elsewhere);
	clocks(h, comparison_clock(c));
	html_fates(h, "What became of the packets", comparison_totals(c, WAY_UP),
		   comparison_totals(c, WAY_DOWN));
	for (unsigned side = 0; side < SIDES; side++) {
		if (comparison_lossy(c, side))
			fprintf(h->out,
				"<p class=\"warning\">The capture of the %s has gaps: what "
				"it lacks may have been there.</p>\n",
				side == SIDE_CLIENT ? "client" : "server");
	}
	html_section_end(h);
}
