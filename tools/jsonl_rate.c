/* SPDX-License-Identifier: BSD-3-Clause */

/* What a finding says of a rate, and a flow's goodput second by second. */

#include "tools/facts.h"
#include "tools/report_jsonl.h"

#define SECOND_NS 1000000000ull

void jsonl_rate(struct json *j, const struct rate_facts *r)
{
	if (r == NULL)
		return;
	json_object(j, "throttling");
	json_string(j, "form", rate_form_name[r->form]);
	json_number(j, "rate_bps", r->rate_bps);
	json_uint(j, "burst_bytes", r->burst_bytes);
	json_number(j, "loss", r->loss);
	json_uint(j, "lost", r->n_lost);
	json_uint(j, "passed", r->n_passed);
	json_string(j, "losses_seen_as", r->gaps ? "gaps" : "retransmissions");
	if (r->rtt_ms > 0)
		json_number(j, "rtt_ms", r->rtt_ms);
	else
		json_null(j, "rtt_ms");
	if (r->form == RATE_BY_SIZE)
		json_uint(j, "size", r->size);
	json_end(j);
}

/* Bins are a tenth of a second, or that doubled as often as a long flow needs. */
void jsonl_goodput(struct json *j, const struct goodput *g)
{
	if (g == NULL)
		return;
	unsigned each = g->bin_ns < SECOND_NS ? (unsigned)(SECOND_NS / g->bin_ns) : 1;
	json_object(j, "goodput");
	jsonl_time(j, "start", g->start_ns);
	json_string(j, "direction", facts_direction((enum dir)g->dir));
	json_number(j, "interval_s", (double)(each * g->bin_ns) / 1e9);
	json_array(j, "bytes");
	for (unsigned i = 0; i < g->n; i += each) {
		uint64_t sum = 0;
		for (unsigned k = i; k < i + each && k < g->n; k++)
			sum += g->bytes[k];
		json_uint(j, NULL, sum);
	}
	json_end(j);
	json_end(j);
}
