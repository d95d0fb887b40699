/* SPDX-License-Identifier: BSD-3-Clause */

/* What an audited replay adds to the report for people. */

#include <inttypes.h>
#include <string.h>

#include "tools/audit/audit.h"
#include "tools/facts.h"
#include "tools/report_text.h"

#define ROWS_SHOWN 40

static const struct {
	enum compare_fate fate;
	const char *words;
} fates[] = {
	{FATE_RESEGMENTED, "in other pieces"},
	{FATE_MODIFIED, "with other content"},
	{FATE_DROPPED, "dropped"},
	{FATE_INJECTED, "injected"},
	{FATE_DUPLICATED, "sent again"},
	{FATE_MISSED, "not decided, since the tester lost frames"},
};
#define N_FATES (sizeof(fates) / sizeof(fates[0]))

static void counts(const struct text *t, const uint64_t *n)
{
	for (size_t i = 0; i < N_FATES; i++) {
		if (n[fates[i].fate] != 0)
			fprintf(t->out, ", %" PRIu64 " %s", n[fates[i].fate], fates[i].words);
	}
}

static void changed(const struct text *t, const struct ledger_way *w)
{
	bool any = false;

	for (unsigned i = 0; i < CHANGES; i++) {
		if (w->totals.changed[i] == 0)
			continue;
		fprintf(t->out, "%s%s in %" PRIu64,
			any ? ", " : "    changed: ", compare_change_name[i], w->totals.changed[i]);
		any = true;
	}
	if (any)
		putc('\n', t->out);
	if (w->hops > 0)
		fprintf(t->out, "    TTL %d less in all%s: %d router%s\n", w->hops,
			w->other_ttl != 0 ? " but some" : "", w->hops, w->hops == 1 ? "" : "s");
	if (w->other_ttl != 0)
		fprintf(t->out, "    TTL changed otherwise in %" PRIu64 "\n", w->other_ttl);
}

static void way(const struct text *t, const char *name, const struct ledger_way *w)
{
	const struct compare_totals *k = &w->totals;
	const struct pace_errors *e = &w->transit;

	fprintf(t->out, "  from the %s: %" PRIu64 " went in, %" PRIu64 " came out as they were",
		name, k->sent, k->fates[FATE_SAME]);
	counts(t, k->fates);
	if (k->reordered != 0)
		fprintf(t->out, ", %" PRIu64 " reordered", k->reordered);
	putc('\n', t->out);
	changed(t, w);
	if (w->not_routable != 0)
		fprintf(t->out,
			"    %" PRIu64 " of the dropped no router passes on (TTL, link-local)\n",
			w->not_routable);
	if (w->errors != 0)
		fprintf(t->out,
			"    %" PRIu64 " ICMP errors came from the box about what was sent\n",
			w->errors);
	if (e->n != 0)
		fprintf(t->out, "    transit %.3f ms median, %.3f ms p99, %.3f ms at most\n",
			(double)pace_errors_quantile(e, 0.5) / 1e6,
			(double)pace_errors_quantile(e, 0.99) / 1e6, (double)e->max_ns / 1e6);
	if (k->delayed != 0)
		fprintf(t->out, "    %" PRIu64 " were delayed by over 100 ms\n", k->delayed);
}

static void port(const struct text *t, const struct audit_result *r, enum compare_side side)
{
	const struct ledger_others *o = ledger_others(r->ledger, side);
	const struct ledger_losses *l = ledger_losses(r->ledger);

	if (l->missed[side] != 0)
		fprintf(t->out,
			"  %s: the tester itself lost %" PRIu64
			" frames there: nothing is said of what "
			"is missing at it\n",
			r->iface[side], l->missed[side]);
	if (l->unsent[side] != 0)
		fprintf(t->out, "  %s: %" PRIu64 " frames did not leave it\n", r->iface[side],
			l->unsent[side]);
	if (o->arrived != 0)
		fprintf(t->out,
			"  %s: %" PRIu64 " frames arrived of no conversation that was sent%s\n",
			r->iface[side], o->arrived,
			o->reflected == o->arrived ? ", all of them our own"
			: o->reflected != 0	   ? ", some of them our own"
						   : "");
	if (o->left != 0)
		fprintf(t->out, "  %s: %" PRIu64 " frames that left were the host's own\n",
			r->iface[side], o->left);
}

static void rows(const struct text *t, const struct audit_result *r)
{
	static const char *const names[WAYS] = {"client", "server"};
	char flow[192], proto[8];
	uint32_t n = r->n_rows < ROWS_SHOWN ? r->n_rows : ROWS_SHOWN;

	for (uint32_t i = 0; i < n; i++) {
		const struct audit_row *row = &r->rows[i];
		fprintf(t->out, "    %s  %s\n", text_flow(t, row->flow, flow, sizeof(flow)),
			facts_proto(row->flow->proto, proto));
		for (unsigned w = 0; w < WAYS; w++) {
			const struct ledger_flow *k = row->counts;
			fprintf(t->out,
				"      from the %s: %" PRIu64 " in, %" PRIu64 " out as they were",
				names[w], k->sent[w], k->fates[w][FATE_SAME]);
			counts(t, k->fates[w]);
			fprintf(t->out, "; slowest %.3f ms\n", (double)k->slowest_ns[w] / 1e6);
		}
		if (row->counts->errors != 0)
			fprintf(t->out, "      %" PRIu64 " ICMP errors about it\n",
				row->counts->errors);
	}
	if (r->n_rows > n)
		fprintf(t->out, "    %s %" PRIu32 " more (--jsonl has all of them)\n", t->ellipsis,
			r->n_rows - n);
}

void text_audit(const struct text *t)
{
	const struct audit_result *r = t->options->audit;

	if (r == NULL)
		return;
	fprintf(t->out,
		"\nThe box between %s (client) and %s (server): %" PRIu64 " conversations, %" PRIu32
		" not as they were sent\n",
		r->iface[SIDE_CLIENT], r->iface[SIDE_SERVER], r->conversations, r->n_rows);
	way(t, "client", ledger_way(r->ledger, WAY_UP));
	way(t, "server", ledger_way(r->ledger, WAY_DOWN));
	port(t, r, SIDE_CLIENT);
	port(t, r, SIDE_SERVER);
	if (ledger_losses(r->ledger)->broken)
		fputs("  A port failed: nothing is said of what is missing.\n", t->out);
	if (ledger_full(r->ledger))
		fputs("  There were more frames than are compared.\n", t->out);
	if (r->order.given_up != 0)
		fprintf(t->out,
			"  %" PRIu64 " times an answer went out though what it answers had not "
			"arrived (--wait).\n",
			r->order.given_up);
	if (r->not_the_box != 0)
		fprintf(t->out,
			"  %" PRIu64
			" finding%s of the replayed packets themselves, which came through "
			"as they were sent,\n  %s not the box's: analyze reports them of the "
			"file.\n",
			r->not_the_box, r->not_the_box == 1 ? "" : "s",
			r->not_the_box == 1 ? "is" : "are");
	if (r->n_rows > 0)
		rows(t, r);
}
