/* SPDX-License-Identifier: BSD-3-Clause */

/* What comparing two captures adds to JSON Lines: to the run, and to a finding. */

#include "tools/compare/compare.h"
#include "tools/report_jsonl.h"

static void clocks(struct json *j, const struct compare_clock *k)
{
	json_object(j, "clock");
	json_bool(j, "aligned", k->aligned);
	json_bool(j, "both_ways", k->both_ways);
	if (k->both_ways) {
		json_number(j, "offset_ms", (double)k->offset_ns / 1e6);
		json_number(j, "offset_error_ms", (double)k->offset_error_ns / 1e6);
		json_number(j, "round_trip_ms", (double)k->rtt_ns / 1e6);
		json_number(j, "drift_ppm", k->drift_ppm);
		json_uint(j, "steps", k->steps);
		json_number(j, "largest_step_ms", (double)k->largest_step_ns / 1e6);
	}
	json_end(j);
}

void jsonl_compared_way(struct json *j, const char *key, const struct compare_totals *t)
{
	json_object(j, key);
	json_uint(j, "sent", t->sent);
	json_uint(j, "received", t->received);
	for (unsigned i = 0; i < FATE_N; i++)
		json_uint(j, compare_fate_name[i], t->fates[i]);
	json_uint(j, "reordered", t->reordered);
	json_uint(j, "delayed", t->delayed);
	json_number(j, "slowest_ms", (double)t->slowest_ns / 1e6);
	json_object(j, "changed");
	for (unsigned i = 0; i < CHANGES; i++)
		json_uint(j, compare_change_name[i], t->changed[i]);
	json_end(j);
	json_end(j);
}

void jsonl_comparison(struct json *j, const struct comparison *c)
{
	uint64_t both, lone, elsewhere;

	if (c == NULL)
		return;
	json_object(j, "compare");
	clocks(j, comparison_clock(c));
	comparison_links(c, &both, &lone, &elsewhere);
	json_object(j, "conversations");
	json_uint(j, "both", both);
	json_uint(j, "one_only", lone);
	json_uint(j, "elsewhere", elsewhere);
	json_end(j);
	json_bool(j, "client_lossy", comparison_lossy(c, SIDE_CLIENT));
	json_bool(j, "server_lossy", comparison_lossy(c, SIDE_SERVER));
	jsonl_compared_way(j, "from_client", comparison_totals(c, WAY_UP));
	jsonl_compared_way(j, "from_server", comparison_totals(c, WAY_DOWN));
	json_end(j);
}

static void frame(struct json *j, const char *key, uint64_t n)
{
	if (n != 0)
		json_uint(j, key, n);
	else
		json_null(j, key);
}

void jsonl_compare_note(struct json *j, const struct compare_note *n)
{
	if (n == NULL)
		return;
	json_object(j, "compare");
	json_array(j, "packets");
	for (unsigned i = 0; i < n->n_packets; i++) {
		const struct compare_packet *p = &n->packets[i];
		json_object(j, NULL);
		json_string(j, "fate", compare_fate_name[p->fate]);
		frame(j, "client", p->frame[SIDE_CLIENT]);
		frame(j, "server", p->frame[SIDE_SERVER]);
		if (p->fate == FATE_MODIFIED) {
			json_array(j, "changed");
			for (unsigned k = 0; k < CHANGES; k++) {
				if ((p->changed >> k & 1) != 0)
					json_string(j, NULL, compare_change_name[k]);
			}
			json_end(j);
			if (p->from < p->to) {
				json_uint(j, "first_byte", p->from);
				json_uint(j, "last_byte", p->to - 1);
			}
		}
		json_end(j);
	}
	json_end(j);
	json_end(j);
}
