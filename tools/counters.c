/* SPDX-License-Identifier: BSD-3-Clause */

/* The counters of a capture by name: nothing that happened to a packet goes unnamed. */

#include "tools/facts.h"

struct counter {
	const char *name;
	uint64_t n;
};

static void group(facts_counter_fn fn, void *user, const char *name, const struct counter *rows,
		  size_t n)
{
	for (size_t i = 0; i < n; i++)
		fn(user, name, rows[i].name, rows[i].n);
}
#define FIELD(from, field) {.name = #field, .n = (from)->field}
#define GROUP(fn, user, name, rows) group(fn, user, name, rows, sizeof(rows) / sizeof((rows)[0]))

/* By bit of enum anomaly. */
static const char *const anomaly_name[] = {
	"ip_hlen",     "ip_len",   "ip_version",  "ip_flag_reserved", "ip6_ext",
	"tcp_hlen",    "tcp_options", "tcp_flags", "udp_len",         "ip_checksum",
	"tcp_checksum", "eth_padding", "tunnel_depth", "tso",
};

static void decoder_counters(const struct decoder_stats *d, facts_counter_fn fn, void *user)
{
	const struct counter fragments[] = {
		FIELD(d, fragments),
		FIELD(d, reassembled),
		FIELD(d, fragments_timeout),
		FIELD(d, fragments_evicted),
		FIELD(d, fragments_overlap),
		FIELD(d, fragments_bad),
	};

	for (unsigned i = 0; i < DECODE_N_ENDS; i++)
		fn(user, "decode", decode_end_name[i], d->ends[i]);
	GROUP(fn, user, "fragments", fragments);
	for (unsigned i = 0; i < sizeof(anomaly_name) / sizeof(anomaly_name[0]); i++)
		fn(user, "malformed", anomaly_name[i], d->anomalies[i]);
}

void facts_counters(const struct capture_result *c, facts_counter_fn fn, void *user)
{
	const struct pipeline_stats *s = &c->stats;
	const struct inspector_stats *i = &c->inspector;
	const struct counter source[] = {
		FIELD(&s->source, received),
		FIELD(&s->source, truncated),
		FIELD(&s->source, filtered),
		FIELD(&s->source, unfiltered),
		FIELD(&s->source, shunted),
		FIELD(&s->source, shunts),
		FIELD(&s->source, shunts_refused),
		FIELD(&s->source, comments),
		FIELD(&s->source, ignored_blocks),
		FIELD(&s->decoder, tunnelled),
		FIELD(&s->decoder, tunnel_closed),
		FIELD(s, no_memory),
		FIELD(s, time_backwards),
		FIELD(s, time_jump),
	};
	const struct counter flows[] = {
		FIELD(&s->flows, created),
		FIELD(&s->flows, peak),
		FIELD(&s->flows, midstream),
		FIELD(&s->flows, icmp_unmatched),
	};
	const struct counter evidence[] = {
		FIELD(i, duplicate_frames),
		FIELD(i, tso_segments),
		FIELD(i, gaps),
		FIELD(i, events_dropped),
		FIELD(i, reassembly_refused),
		FIELD(i, rate_logs),
		FIELD(i, rate_refused),
		FIELD(i, rate_pool_bytes),
		FIELD(i, ttl_probes),
		FIELD(i, scanners),
		FIELD(i, attempts_dropped),
		FIELD(i, hosts_refused),
		FIELD(i, not_listed),
		FIELD(i, not_kept),
		FIELD(i, not_judged),
		FIELD(i, no_memory),
	};

	GROUP(fn, user, "packets", source);
	decoder_counters(&s->decoder, fn, user);
	GROUP(fn, user, "flows", flows);
	for (unsigned e = 0; e < FLOW_END_N; e++)
		fn(user, "flow_ends", flow_end_name[e], s->flows.ended[e]);
	for (unsigned v = 0; v < sizeof(i->flows) / sizeof(i->flows[0]); v++)
		fn(user, "flow_verdicts", verdict_name[v], i->flows[v]);
	GROUP(fn, user, "evidence", evidence);
}
