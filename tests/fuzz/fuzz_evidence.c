/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The input is a list of TCP segments and ICMP errors of a few flows, as fields near to what makes
 * sense: a first byte for vantage and IP version, then 12 bytes each. They pass through flow table,
 * inspector and judge; what must hold of any evidence and any finding is checked.
 */

#include <stdlib.h>
#include <string.h>

#include "classifiers/shard.h"
#include "dataplane/cursor.h"
#include "dataplane/flow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define T0_NS 1700000000000000000ull
#define PACKETS_MAX 400

static const uint32_t isn[2] = {0xfffffe00, 0xffffff80}; /* numbers cross 2^32 */

/* A ClientHello with the name a.example, an HTTP request, and anything. */
static const uint8_t hello[] = {
	0x16, 3, 1, 0, 63, 1, 0, 0, 59, 3, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
	17,
	18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 0, 0, 2, 0x13, 1, 1, 0, 0, 16,
	0, 0,
	0, 12, 0, 10, 0, 0, 7, 'a', '.', 't', 'e', 's', 't', 0};
static const char get[] = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
			  "GET / HTTP/1.1\r\nHost: b.example\r\n";
static const char page[] = "HTTP/1.1 302 Found\r\nLocation: http://page.example/\r\n\r\n<html>";

struct run {
	const struct pipeline_hooks *hooks;
	void *shard;
	struct flow_table *table;
	uint64_t now_ns, frame;
	bool ipv6;
	uint8_t payload[2][1500];
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void flow_end(void *user, struct flow *f, enum flow_end why)
{
	struct run *r = user;
	r->hooks->on_flow_end(r->shard, f, why);
}

static struct ip_addr host(const struct run *r, uint8_t n)
{
	struct ip_addr a = {.b = {[15] = n}};
	if (r->ipv6)
		a.b[0] = 0x20;
	else
		a.b[10] = a.b[11] = 0xff;
	return a;
}

static void fill_payload(struct run *r, uint8_t kind)
{
	const void *says[2] = {kind % 3 == 0 ? (const void *)hello : get, page};
	const size_t len[2] = {kind % 3 == 0 ? sizeof(hello) : sizeof(get), sizeof(page)};
	for (unsigned d = 0; d < 2; d++)
		for (unsigned i = 0; i < sizeof(r->payload[d]); i++)
			r->payload[d][i] = kind % 3 == 2 ? (uint8_t)(i * 7 + d)
							 : ((const uint8_t *)says[d])[i % len[d]];
}

/* Distances of the fields that such packets use, and a few that they never do. */
static uint32_t near(uint8_t b)
{
	static const uint16_t steps[] = {0, 1, 2, 3, 18, 69, 101, 518, 701, 1401, 1461, 4381};
	if (b >= 0xc0)
		return (uint32_t)(b - 0xc0) * 97 - 500;
	return steps[b % (sizeof(steps) / sizeof(*steps))];
}

static void one_packet(struct run *r, const uint8_t *b)
{
	static const uint16_t flags[] = {TCP_SYN, TCP_SYN | TCP_ACK, TCP_ACK, TCP_PSH | TCP_ACK,
					 TCP_RST,
					 TCP_RST | TCP_ACK, TCP_FIN | TCP_ACK, TCP_RST | TCP_AE};
	static const uint16_t lens[] = {0, 0, 1, 68, 100, 517, 700, 1400};
	static const uint32_t waits[] = {0, 1, 20, 40, 300, 1500, 3100, 25000};
	static const uint8_t ttls[] = {64, 48, 47, 54, 58, 60, 128, 255, 9, 5};
	enum dir s2c = (b[0] & 1) != 0 ? DIR_S2C : DIR_C2S;
	uint8_t copy[1500];
	struct packet pkt = {.frame = ++r->frame};
	struct headers h = {
		.end = DECODE_OK, .reached = LAYER_TRANSPORT, .ip_version = r->ipv6 ? 6 : 4,
		.proto = 6,
		.ttl = ttls[b[6] % 10], .df = !r->ipv6 && (b[6] & 0x80) == 0,
		.ip_id = (b[7] & 0x80) != 0 ? b[7] & 0x7f : (uint16_t)r->frame,
		.src = host(r, s2c ? 2 : 1), .dst = host(r, s2c ? 1 : 2),
		.sport = s2c ? 443 : 40000 + (b[0] >> 1 & 1),
		.dport = s2c ? 40000 + (b[0] >> 1 & 1) : 443,
		.flags = (uint16_t)(flags[b[1] & 7] ^ ((b[1] & 0x80) != 0 ? b[11] : 0)),
		.seq = (b[0] & 8) != 0 ? 0 : isn[s2c] + near(b[2]),
		.ack = (b[0] & 16) != 0 ? 0 : isn[!s2c] + near(b[3]),
		.window = b[8], .has_ts = (b[8] & 1) != 0, .tsval = b[9] * 1000u,
		.has_mss = (b[8] & 2) != 0, .mss = 1460, .has_mac = (b[8] & 4) != 0,
		.src_mac = {[5] = b[9] & 1},
		.payload_len = lens[b[4] & 7], .ip_len = 40u + lens[b[4] & 7],
	};
	if (r->ipv6)
		h.ip_id = 0;
	h.tcp_hlen = h.has_ts || h.has_mss ? 32 : 20;
	h.payload_caplen = (b[4] & 0x80) != 0 ? h.payload_len / 2 : h.payload_len;
	memcpy(copy, r->payload[s2c] + (near(b[2]) % 64), h.payload_caplen);
	if (h.payload_caplen != 0)
		copy[0] ^= b[10] & 1;
	h.payload = copy;
	r->now_ns += waits[b[5] & 7] * 1000000ull + (b[5] >> 3) * 20000;
	pkt.ts_ns = r->now_ns;
	enum dir dir;
	if ((b[0] & 0xe0) == 0xe0) {
		h.is_icmp_error = h.quoted_ok = true;
		h.proto = r->ipv6 ? 58 : 1;
		h.quoted_proto = 6;
		h.quoted_src = h.src;
		h.quoted_dst = h.dst;
		h.quoted_sport = h.sport;
		h.quoted_dport = h.dport;
		h.quoted_seq = h.seq;
		h.quoted_ip_id = (uint16_t)(r->frame - 1 - (b[7] & 3));
		h.src = host(r, 3);
		h.sport = b[9] % 12;
		h.dport = b[10] % 14;
	}
	struct flow *f = h.is_icmp_error ? flow_table_find_quoted(r->table, &h, &dir)
					 : flow_table_update(r->table, &pkt, &h, r->now_ns, &dir);
	if (f != NULL && h.is_icmp_error)
		r->hooks->on_icmp(r->shard, f, dir, &pkt, &h);
	else if (f != NULL)
		r->hooks->on_packet(r->shard, f, dir, &pkt, &h, r->now_ns);
}

static void check_evidence(const struct evidence *ev, uint64_t frames)
{
	must(ev->n_events <= EVENTS_MAX && ev->n_events <= ev->room_events);
	must(ev->n_icmp <= ICMP_NOTES && ev->skipped_at <= ev->n_events);
	must((ev->skipped == 0) == (ev->skipped_at == 0));
	for (unsigned i = 0; i < ev->n_events; i++) {
		must(ev->events[i].frame >= 1 && ev->events[i].frame <= frames);
		must(i == 0 || ev->events[i - 1].frame < ev->events[i].frame);
	}
}

static void check_finding(const struct finding *f, uint64_t frames)
{
	static const double points[] = {0, 0.5, 2, 3.5, 6};
	double score = 0, weak = 0;
	enum grade best = GRADE_D1;
	must(f->n_rows != 0 && f->n_packets <= frames && f->score >= 0);
	for (unsigned i = 0; i < f->n_rows; i++) {
		const struct evidence_row *e = &f->rows[i];
		must(e->grade >= GRADE_D1 && e->grade <= GRADE_D4 && e->packet <= frames);
		must(strlen(e->value) < EVIDENCE_TEXT && e->value[0] != 0);
		best = e->grade > best ? e->grade : best;
		if (e->counted)
			*(e->grade == GRADE_D1 ? &weak : &score) += points[e->grade];
	}
	score += weak < 1.5 ? weak : 1.5;
	must(score > f->score - 0.01 && score < f->score + 0.01);
	must(f->verdict != VERDICT_NONE && f->verdict <= f->flow->worst);
	must(f->verdict != VERDICT_CONFIRMED || (score >= 6 && best == GRADE_D4));
	must(f->verdict != VERDICT_LIKELY || (score >= 4 && best >= GRADE_D3));
	must(f->verdict != VERDICT_ANOMALY || score >= 2);
	for (unsigned i = 0; i < f->n_packets; i++)
		must(f->packets[i] >= 1 && f->packets[i] <= frames &&
		     (i == 0 || f->packets[i - 1] < f->packets[i]));
	must(f->trigger_packet <= frames && strlen(f->sentence) < FINDING_SENTENCE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const file = "fuzz";
	struct cursor in = cursor_of(data, size);
	uint8_t first = cursor_u8(&in);
	struct run r = {.now_ns = T0_NS, .ipv6 = (first & 1) != 0};
	struct analysis_config cfg = {.no_ndpi = true, .all_flows = true,
				      .vantage = (enum vantage)((first >> 1) % VANTAGE_N)};
	struct flow_table_config limits = {.max_flows = 64};
	struct analysis *a;

	if (analysis_new(&a, &cfg) != 0)
		return 0;
	must(analysis_begin(a, &file, 1) == 0);
	r.hooks = analysis_hooks(a);
	r.shard = r.hooks->shard_new(r.hooks->user, 0);
	must(r.shard != NULL && flow_table_new(&r.table, &limits, flow_end, &r) == 0);
	fill_payload(&r, first >> 4);
	for (const uint8_t *b; r.frame < PACKETS_MAX && (b = cursor_bytes(&in, 12)) != NULL;)
		one_packet(&r, b);
	flow_table_free(r.table);
	r.hooks->shard_free(r.hooks->user, r.shard);
	struct pipeline_stats stats = {.last_ns = r.now_ns + (first >> 5) * 5000000000ull};
	must(analysis_end(a, &stats, 0) == 0);
	const struct inspector *kept = (const struct inspector *)(const void *)a;
	for (size_t i = 0; i < kept->n_kept; i++)
		check_evidence(&kept->kept[i]->ev, r.frame);
	must(analysis_judge(a) == 0);
	for (size_t i = 0; i < a->n_findings; i++)
		check_finding(a->findings[i], r.frame);
	analysis_free(a);
	return 0;
}
