/* SPDX-License-Identifier: BSD-3-Clause */

/* What an audited replay adds to the run event. */

#include "tools/audit/audit.h"
#include "tools/report_jsonl.h"

static const char *const from_name[WAYS] = {"from_client", "from_server"};

static void transit(struct json *j, const struct pace_errors *e)
{
	if (e->n == 0) {
		json_null(j, "transit_ms");
		return;
	}
	json_object(j, "transit_ms");
	json_number(j, "median", (double)pace_errors_quantile(e, 0.5) / 1e6);
	json_number(j, "p99", (double)pace_errors_quantile(e, 0.99) / 1e6);
	json_number(j, "max", (double)e->max_ns / 1e6);
	json_end(j);
}

static void way(struct json *j, const struct ledger *l, enum compare_way way)
{
	const struct ledger_way *w = ledger_way(l, way);

	json_object(j, from_name[way]);
	jsonl_compared_way(j, "frames", &w->totals);
	json_bool(j, "tester_lost_frames", ledger_unsure(l, way));
	if (w->hops >= 0)
		json_uint(j, "hops", (unsigned)w->hops);
	else
		json_null(j, "hops");
	json_uint(j, "other_ttl", w->other_ttl);
	json_uint(j, "not_routable", w->not_routable);
	json_uint(j, "icmp_errors", w->errors);
	transit(j, &w->transit);
	json_end(j);
}

static void port(struct json *j, const char *key, const struct audit_result *r,
		 enum compare_side side)
{
	const struct ledger_others *o = ledger_others(r->ledger, side);
	const struct ledger_losses *l = ledger_losses(r->ledger);

	json_object(j, key);
	json_string(j, "interface", r->iface[side]);
	json_uint(j, "frames", r->taps[side].frames);
	json_uint(j, "missed", l->missed[side]);
	json_uint(j, "unsent", l->unsent[side]);
	json_uint(j, "others", o->arrived);
	json_uint(j, "reflected", o->reflected);
	json_uint(j, "host_frames", o->left);
	json_end(j);
}

static void touched(struct json *j, const struct audit_result *r)
{
	json_array(j, "touched");
	for (uint32_t i = 0; i < r->n_rows; i++) {
		const struct ledger_flow *k = r->rows[i].counts;
		json_object(j, NULL);
		json_id(j, "flow_id", r->rows[i].flow->id);
		for (unsigned w = 0; w < WAYS; w++) {
			json_object(j, from_name[w]);
			json_uint(j, "sent", k->sent[w]);
			for (unsigned fate = FATE_SAME; fate < FATE_N; fate++) {
				if (k->fates[w][fate] != 0)
					json_uint(j, compare_fate_name[fate], k->fates[w][fate]);
			}
			json_number(j, "slowest_ms", (double)k->slowest_ns[w] / 1e6);
			json_end(j);
		}
		json_uint(j, "icmp_errors", k->errors);
		json_end(j);
	}
	json_end(j);
}

void jsonl_audit(struct json *j, const struct audit_result *r)
{
	if (r == NULL)
		return;
	json_object(j, "audit");
	port(j, "client", r, SIDE_CLIENT);
	port(j, "server", r, SIDE_SERVER);
	json_uint(j, "conversations", r->conversations);
	for (unsigned w = 0; w < WAYS; w++)
		way(j, r->ledger, w);
	json_bool(j, "all_compared", !ledger_full(r->ledger));
	json_uint(j, "answers_waited", r->order.waited);
	json_uint(j, "answers_early", r->order.given_up);
	json_uint(j, "findings_of_the_replay", r->not_the_box);
	touched(j, r);
	json_end(j);
}
