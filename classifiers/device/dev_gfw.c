/* SPDX-License-Identifier: BSD-3-Clause */

/* Wu et al., "A Wall Behind A Wall", IEEE S&P 2025, table 4. */

#include "classifiers/device/device.h"

#define COPIES 3
#define BURST_NS 20000000ull
#define SP25 "Wu et al., A Wall Behind A Wall, IEEE S&P 2025, table 4"

static bool same_stamp(const struct event *a, const struct event *b)
{
	return a->flags == b->flags && a->seq == b->seq && a->ack == b->ack &&
	       a->ip_id == b->ip_id && a->window == b->window && a->ttl == b->ttl &&
	       (a->ts_ns > b->ts_ns ? a->ts_ns - b->ts_ns : b->ts_ns - a->ts_ns) <= BURST_NS;
}

static bool match_2(const struct view *v, const struct suspects *s, struct attribution *out)
{
	/* A SPAN port that shows frames twice makes three of two. */
	if (v->flow->ip_version != 4 || v->ev->duplicates != 0)
		return false;
	for (unsigned i = 0; i < s->n; i++) {
		const struct event *e = &v->e[s->event[i]];
		unsigned n = 0;
		if (!device_is_reset(v, s->event[i]) || (e->flags & 0xfff) != (TCP_RST | TCP_ACK) ||
		    (e->bits & EVENT_DF) == 0 || e->ip_id == 0)
			continue;
		for (unsigned k = 0; k < v->n_rst; k++)
			n += same_stamp(e, &v->e[v->rst[k]]);
		if (n != COPIES)
			continue;
		for (unsigned k = 0; k < v->n_rst; k++)
			if (same_stamp(e, &v->e[v->rst[k]]))
				attribution_packet(out, v->rst[k]);
	}
	out->grade = ATTRIBUTION_A1;
	attribution_says(out, "three identical RST+ACKs with one IP-ID, DF set");
	return out->n_packets != 0;
}

static bool match_henan(const struct view *v, const struct suspects *s, struct attribution *out)
{
	static const uint8_t payload[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 0};
	uint32_t hash = evidence_payload_hash(payload, sizeof(payload));
	for (unsigned i = 0; i < s->n; i++) {
		const struct event *e = &v->e[s->event[i]];
		if (!device_is_reset(v, s->event[i]) || v->dir != DIR_S2C ||
		    v->flow->ip_version != 4 || (e->flags & 0xfff) != (TCP_RST | TCP_ACK) ||
		    e->len != sizeof(payload) || e->payhash != hash || e->ip_id != 1 ||
		    (e->bits & (EVENT_DF | EVENT_OPTIONS)) != 0)
			continue;
		attribution_packet(out, s->event[i]);
	}
	out->grade = ATTRIBUTION_A2;
	attribution_says(out, "RST+ACK, IP-ID 1, no DF, payload 01 02 03 04 05 06 07 08 09 00");
	return out->n_packets != 0;
}

const struct device dev_gfw[] = {
	{.id = "gfw-2", .doc = "three identical RST+ACKs with DF set", .source = SP25,
	 .valid_from = "2018", .grade = ATTRIBUTION_A1, .attributed = true, .match = match_2},
	{.id = "gfw-henan", .doc = "RST+ACK towards the client with ten counted bytes of payload",
	 .source = SP25, .valid_from = "2023-08", .grade = ATTRIBUTION_A2, .attributed = true,
	 .match = match_henan},
	{.id = "gfw-1", .doc = "one RST, IP-ID 0, no DF: fits many honest resets", .source = SP25,
	 .grade = ATTRIBUTION_A1},
	{.id = "gfw-3", .doc = "one RST+ACK, TTL 248, IP-ID 0x9916 to 0x9933", .source = SP25,
	 .grade = ATTRIBUTION_A1},
	{.id = "gfw-443-2025",
	 .doc = "three RST+ACKs each to SYN and SYN+ACK of port 443, windows and TTLs rising by one",
	 .source = "gfw.report, 2025-08-20; net4people/bbs 511", .valid_from = "2025-08-20",
	 .valid_to = "2025-08-20", .grade = ATTRIBUTION_A1},
	{.id = NULL},
};
