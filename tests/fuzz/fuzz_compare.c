/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The input is what went past the two captures of a path: a first byte for IP version, translation and
 * whether the path is honest, then 12 bytes a packet: whose it is, where it was seen, and how it was
 * changed. What must hold of any finding is checked; and a path that only delays must not be accused.
 */

#include <stdlib.h>
#include <string.h>

#include "classifiers/verdict.h"
#include "dataplane/cursor.h"
#include "dataplane/flow.h"
#include "tools/compare/compare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define T0_NS       1700000000000000000ull
#define TRANSIT_NS  20000000ull
#define PACKETS_MAX 300
#define HOPS        7

static const uint32_t isn[WAYS] = {0xffffff00, 0x00010000}; /* one crosses 2^32 */

struct crossing {
	struct headers h;
	uint64_t ts_ns[SIDES];
	bool seen[SIDES];
	uint8_t payload[SIDES][1500];
};

struct run {
	struct comparison *c;
	struct crossing *list;
	unsigned n;
	uint64_t now_ns, id;
	bool ipv6, nat, honest;
};

struct side {
	const struct pipeline_hooks *hooks;
	void *shard;
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static struct ip_addr host(const struct run *r, uint8_t n)
{
	struct ip_addr a = {.b = {[14] = 2, [15] = n}};

	if (r->ipv6)
		a.b[0] = 0x20;
	else
		a.b[10] = a.b[11] = 0xff;
	return a;
}

/* Two ends do not say the same: past a translator content is all that tells whose a conversation is. */
static void fill(uint8_t *p, size_t n, uint8_t kind)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)((kind & 16) != 0 ? i / 64 + kind : i * 7 + kind);
}

static struct headers headers_of(struct run *r, const uint8_t *b, enum compare_way way)
{
	static const uint16_t flags[] = {TCP_SYN, TCP_SYN | TCP_ACK, TCP_ACK, TCP_PSH | TCP_ACK,
					 TCP_RST, TCP_RST | TCP_ACK, TCP_FIN | TCP_ACK, TCP_ACK};
	static const uint16_t lens[] = {0, 0, 1, 68, 100, 517, 700, 1400};
	static const uint16_t ports[] = {443, 80, 53, 443};
	static const uint16_t steps[] = {0, 1, 2, 69, 101, 518, 701, 1401};
	unsigned flow = b[0] >> 1 & 3;
	bool udp = flow >= 2, up = way == WAY_UP;
	struct headers h = {
		.end = DECODE_OK, .reached = LAYER_TRANSPORT, .ip_version = r->ipv6 ? 6 : 4,
		.proto = udp ? 17 : 6, .ttl = (b[6] & 0xf0) != 0 ? 64 : 20 + b[6], .df = !r->ipv6,
		.ip_id = r->ipv6 ? 0 : (uint16_t)((b[7] & 0x80) != 0 ? b[7] & 3 : ++r->id),
		.src = host(r, up ? 10 : 50), .dst = host(r, up ? 50 : 10),
		.sport = up ? (uint16_t)(40000 + flow) : ports[flow],
		.dport = up ? ports[flow] : (uint16_t)(40000 + flow),
		.payload_len = lens[b[4] & 7], .payload_caplen = lens[b[4] & 7],
	};
	/* Honest hosts keep to one TTL, and what says nothing cannot be told from its like. */
	if (r->honest) {
		h.ttl = 64;
		h.payload_len = h.payload_caplen = h.payload_len != 0 || !udp ? h.payload_len : 1;
	}
	if (!udp) {
		h.flags = flags[b[1] & 7];
		h.seq = isn[way] + steps[b[2] & 7] + (b[2] >> 3) * 101u;
		h.ack = (h.flags & TCP_ACK) != 0 ? isn[!way] + steps[b[3] & 7] + (b[3] >> 3) * 101u : 0;
		h.window = b[8];
		h.tcp_hlen = 20;
	}
	h.ip_len = 28u + (udp ? 0 : 12) + h.payload_len;
	return h;
}

/* Where a packet was seen, and what became of it on its way. */
static void read_one(struct run *r, const uint8_t *b)
{
	static const uint32_t waits[] = {0, 1, 20, 40, 300, 1500, 3100, 25000};
	enum compare_way way = (b[0] & 1) != 0 ? WAY_DOWN : WAY_UP;
	enum compare_side from = way == WAY_UP ? SIDE_CLIENT : SIDE_SERVER;
	struct crossing *x = &r->list[r->n++];

	r->now_ns += waits[b[5] & 7] * 1000000ull + (b[5] >> 3) * 20000u;
	x->h = headers_of(r, b, way);
	x->seen[SIDE_CLIENT] = r->honest || (b[0] & 0x18) != 0x08;
	x->seen[SIDE_SERVER] = r->honest || (b[0] & 0x18) != 0x10;
	x->ts_ns[from] = r->now_ns;
	x->ts_ns[!from] = r->now_ns + TRANSIT_NS + (b[9] & 15) * 100000u;
	for (unsigned s = 0; s < SIDES; s++)
		fill(x->payload[s], x->h.payload_len, (uint8_t)(b[10] * 2 + way));
	if (!r->honest && (b[0] & 0x18) == 0x18 && x->h.payload_len != 0)
		x->payload[!from][b[11] % x->h.payload_len] ^= 0x55;
}

static int earlier(const void *x, const void *y)
{
	const uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
	return a < b ? -1 : a > b;
}

static void flow_end(void *user, struct flow *f, enum flow_end why)
{
	struct side *s = user;
	s->hooks->on_flow_end(s->shard, f, why);
}

static void one_packet(const struct run *r, const struct side *s, struct flow_table *table, unsigned side,
		       const struct crossing *x, uint64_t frame)
{
	struct headers h = x->h;
	struct packet pkt = {.frame = frame, .ts_ns = x->ts_ns[side]};
	enum dir dir;
	bool up = h.dport < 40000, arrived = up == (side == SIDE_SERVER);

	h.payload = x->payload[side];
	h.ttl = (uint8_t)(h.ttl - (arrived ? HOPS : 0));
	if (r->nat && side == SIDE_SERVER) {
		*(up ? &h.src : &h.dst) = host(r, 99);
		*(up ? &h.sport : &h.dport) += 1000;
	}
	struct flow *f = flow_table_update(table, &pkt, &h, pkt.ts_ns, &dir);
	if (f != NULL)
		s->hooks->on_packet(s->shard, f, dir, &pkt, &h, pkt.ts_ns);
}

/* Everything that one capture has, in the order of its clock. Returns how many. */
static uint64_t run_side(struct run *r, enum compare_side side)
{
	static const char *const file[SIDES] = {"client", "server"};
	struct side s = {.hooks = comparison_hooks(r->c, side)};
	struct flow_table_config limits = {.max_flows = 64};
	struct {
		uint64_t ns;
		unsigned at;
	} order[PACKETS_MAX];
	struct flow_table *table;
	unsigned n = 0;

	must(s.hooks != NULL);
	s.shard = s.hooks->shard_new != NULL ? s.hooks->shard_new(s.hooks->user, 0) : s.hooks->user;
	must(s.shard != NULL && flow_table_new(&table, &limits, flow_end, &s) == 0);
	for (unsigned i = 0; i < r->n; i++) {
		if (!r->list[i].seen[side])
			continue;
		order[n].ns = r->list[i].ts_ns[side];
		order[n++].at = i;
	}
	qsort(order, n, sizeof(order[0]), earlier);
	for (unsigned i = 0; i < n; i++)
		one_packet(r, &s, table, side, &r->list[order[i].at], i + 1);
	flow_table_free(table);
	if (s.hooks->shard_free != NULL)
		s.hooks->shard_free(s.hooks->user, s.shard);
	struct pipeline_stats stats = {.source.received = n,
				       .first_ns = n != 0 ? order[0].ns : 0,
				       .last_ns = n != 0 ? order[n - 1].ns : 0};
	comparison_captured(r->c, side, &file[side], &stats, 0);
	return n;
}

static void check_finding(const struct run *r, const struct finding *f, uint64_t frames)
{
	must(f->n_rows != 0 && f->verdict != VERDICT_NONE && f->verdict < VERDICT_N);
	must(!r->honest || f->verdict < VERDICT_LIKELY);
	for (unsigned i = 0; i < f->n_packets; i++)
		must(f->packets[i] >= 1 && f->packets[i] <= frames);
	for (unsigned i = 0; i < f->n_rows; i++)
		must(f->rows[i].grade >= GRADE_D1 && f->rows[i].grade <= GRADE_D4 &&
		     strlen(f->rows[i].value) < EVIDENCE_TEXT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_of(data, size);
	struct compare_config cfg = {0};
	uint8_t first = cursor_u8(&in);
	struct run r = {.now_ns = T0_NS, .ipv6 = (first & 1) != 0, .nat = (first & 2) != 0,
			.honest = (first & 4) != 0};
	uint64_t frames = 0;

	r.list = calloc(PACKETS_MAX, sizeof(*r.list));
	if (r.list == NULL || comparison_new(&r.c, &cfg) != 0) {
		free(r.list);
		return 0;
	}
	for (const uint8_t *b; r.n < PACKETS_MAX && (b = cursor_bytes(&in, 12)) != NULL;)
		read_one(&r, b);
	for (enum compare_side side = 0; side < SIDES; side++) {
		uint64_t n = run_side(&r, side);
		frames = n > frames ? n : frames;
	}
	must(comparison_run(r.c) == 0);
	const struct analysis *a = comparison_analysis(r.c);
	for (size_t i = 0; i < a->n_findings; i++)
		check_finding(&r, a->findings[i], frames);
	comparison_free(r.c);
	free(r.list);
	return 0;
}
