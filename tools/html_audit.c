/* SPDX-License-Identifier: BSD-3-Clause */

/* What a box between two ports did with the frames that went through it, in numbers. */

#include <inttypes.h>
#include <string.h>

#include "tools/audit/audit.h"
#include "tools/html.h"

static const char *const from[WAYS] = {"from the client", "from the server"};

/* All fates but those that nothing was found of; a row's columns are those of the totals. */
static void touched(const struct html *h, const struct audit_result *r)
{
	static const enum compare_fate shown[] = {FATE_SAME,	 FATE_RESEGMENTED, FATE_MODIFIED,
						  FATE_DROPPED,	 FATE_INJECTED,	   FATE_DUPLICATED,
						  FATE_MISSED};
	uint32_t n = r->n_rows < HTML_ROWS_MAX ? r->n_rows : HTML_ROWS_MAX;

	if (n == 0)
		return;
	html_table(h, "Conversations that did not come through as they were sent",
		   "Conversation|Frames|#Sent|#The same|#In other segments|#Modified|#Dropped|#Injected|"
		   "#Sent again|#Missed|#Slowest, ms|#ICMP errors");
	for (uint32_t i = 0; i < n; i++) {
		const struct audit_row *row = &r->rows[i];
		for (unsigned w = 0; w < WAYS; w++) {
			fputs("<tr><td class=\"address\">", h->out);
			html_connection(h, row->flow);
			fprintf(h->out, "</td><td class=\"id\">%s</td>", from[w]);
			html_cell_count(h, row->counts->sent[w]);
			for (size_t k = 0; k < sizeof(shown) / sizeof(shown[0]); k++)
				html_cell_count(h, row->counts->fates[w][shown[k]]);
			fprintf(h->out, "<td class=\"number\">%.3f</td>",
				(double)row->counts->slowest_ns[w] / 1e6);
			html_cell_count(h, w == WAY_UP ? row->counts->errors : 0);
			fputs("</tr>\n", h->out);
		}
	}
	html_table_end(h);
	html_left_out(h, r->n_rows - n, "conversations");
}

static void transit(const struct html *h, const struct audit_result *r)
{
	html_table(h, "Time in the box",
		   "Frames|#Median, ms|#99th percentile, ms|#Longest, ms|#Routers|#TTL changed otherwise|"
		   "#ICMP errors");
	for (unsigned w = 0; w < WAYS; w++) {
		const struct ledger_way *k = ledger_way(r->ledger, w);
		const struct pace_errors *e = &k->transit;
		fprintf(h->out, "<tr><td class=\"id\">%s</td>", from[w]);
		if (e->n != 0)
			fprintf(h->out,
				"<td class=\"number\">%.3f</td><td class=\"number\">%.3f</td>"
				"<td class=\"number\">%.3f</td>",
				(double)pace_errors_quantile(e, 0.5) / 1e6,
				(double)pace_errors_quantile(e, 0.99) / 1e6, (double)e->max_ns / 1e6);
		else
			fputs("<td></td><td></td><td></td>", h->out);
		if (k->hops >= 0)
			html_cell_count(h, (uint64_t)k->hops);
		else
			html_cell(h, "not one number");
		html_cell_count(h, k->other_ttl);
		html_cell_count(h, k->errors);
		fputs("</tr>\n", h->out);
	}
	html_table_end(h);
}

static void warning(const struct html *h, uint64_t n, const char *port, const char *what)
{
	if (n == 0)
		return;
	fputs("<p class=\"warning\">", h->out);
	html_name(h, port, strlen(port));
	fprintf(h->out, ": %" PRIu64 " %s</p>\n", n, what);
}

/* What the tester itself lost is no drop of the box's. */
static void limits(const struct html *h, const struct audit_result *r)
{
	const struct ledger_losses *l = ledger_losses(r->ledger);

	for (unsigned side = 0; side < SIDES; side++) {
		warning(h, l->missed[side], r->iface[side],
			"frames were lost there by the tester itself: nothing is said of what is missing "
			"at it.");
		warning(h, l->unsent[side], r->iface[side], "frames did not leave it.");
		warning(h, ledger_others(r->ledger, side)->arrived, r->iface[side],
			"frames arrived of no conversation that was sent.");
	}
	if (l->broken)
		fputs("<p class=\"warning\">A port failed: nothing is said of what is missing.</p>\n",
		      h->out);
	if (ledger_full(r->ledger))
		fputs("<p class=\"warning\">There were more frames than are compared.</p>\n", h->out);
	if (r->not_the_box != 0)
		fprintf(h->out,
			"<p>%" PRIu64 " finding%s of the replayed packets themselves, which came through "
			"as they were sent: not the box\xe2\x80\x99s.</p>\n",
			r->not_the_box, html_plural(r->not_the_box));
}

void html_audit(const struct html *h)
{
	const struct audit_result *r = h->options->audit;

	if (r == NULL)
		return;
	html_section(h, "audit", "What the box did with the frames that were sent through it");
	fputs("<p>Between ", h->out);
	html_name(h, r->iface[SIDE_CLIENT], strlen(r->iface[SIDE_CLIENT]));
	fputs(" (clients) and ", h->out);
	html_name(h, r->iface[SIDE_SERVER], strlen(r->iface[SIDE_SERVER]));
	fprintf(h->out, " (servers): %" PRIu64 " conversations, %" PRIu32 " of them not as sent.</p>\n",
		r->conversations, r->n_rows);
	html_fates(h, "What became of the frames", &ledger_way(r->ledger, WAY_UP)->totals,
		   &ledger_way(r->ledger, WAY_DOWN)->totals);
	transit(h, r);
	limits(h, r);
	touched(h, r);
	html_section_end(h);
}
