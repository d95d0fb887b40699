/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The input is read twice: as one message, and as a list of datagrams and segments of DNS, each a
 * template that a few bytes are changed in. These pass through flow table, inspector and judge;
 * what must hold of any name and any finding is checked.
 */

#include <stdlib.h>
#include <string.h>

#include "classifiers/app/dns.h"
#include "classifiers/shard.h"
#include "dataplane/cursor.h"
#include "dataplane/flow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define T0_NS 1700000000000000000ull
#define PACKETS_MAX 300
#define HEAD 8 /* bytes before a packet's changes */

static void must(bool ok)
{
	if (!ok)
		abort();
}

#define QUESTION(type) 3, 'w', 'w', 'w', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 3, 'o', 'r', 'g', \
	0, 0, type, 0, 1
#define EDNS 0, 0, 41, 4, 0xd0 /* the rest of it is zero */

static const uint8_t templates[][96] = {
	{0x11, 0x11, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, QUESTION(1), EDNS},
	/* a CNAME and an address */
	{0x11, 0x11, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0, QUESTION(1), 0xc0, 12, 0, 5, 0, 1, 0, 0, 0,
	 60, 0, 4, 1, 'a', 0xc0, 16, 0xc0, 45, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 10, 34, 36},
	/* a public address, with EDNS */
	{0x11, 0x11, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 1, QUESTION(1), 0xc0, 12, 0, 1, 0, 1, 0, 0, 1,
	 44, 0, 4, 93, 184, 216, 34, EDNS},
	/* no such name */
	{0x11, 0x11, 0x81, 0x83, 0, 1, 0, 0, 0, 0, 0, 0, QUESTION(1)},
};
static const uint8_t lengths[] = {44, 65, 60, 33};

struct run {
	const struct pipeline_hooks *hooks;
	void *shard;
	struct flow_table *table;
	uint64_t now_ns, frame;
	uint32_t seq[2];
	bool ipv6;
};

static void check_name(const struct dns_message *m, size_t at)
{
	char text[DNS_TEXT_SIZE];
	uint8_t wire[DNS_NAME_MAX];
	size_t end = 0, n = dns_name_length(m->data, m->len, at, &end);
	must(dns_name_text(m, at, text) == (n != 0));
	must(dns_name_wire(m, at, false, wire) == n && n <= DNS_NAME_MAX);
	must(n == 0 || (end > at && end <= m->len));
	for (const char *p = text; *p != '\0'; p++)
		must(*p > 0x20 && *p < 0x7f);
}

static void check_message(const uint8_t *data, size_t size)
{
	struct dns_message m;
	if (!dns_read(data, size, &m)) {
		must(size < DNS_HEADER_SIZE);
		return;
	}
	must(m.n_rrs <= DNS_RRS_MAX && m.end_offset <= m.len && m.len <= size);
	must(m.end != DNS_OK || m.end_offset == m.len);
	must(m.end != DNS_TRAILING || m.end_offset < m.len);
	for (unsigned i = 0; i < m.n_rrs; i++) {
		must(m.rr[i].rdata + m.rr[i].rdlen <= m.end_offset);
		check_name(&m, m.rr[i].name);
	}
	for (size_t at = 0; at < m.len; at++)
		check_name(&m, at);
}

static void flow_end(void *user, struct flow *f, enum flow_end why)
{
	struct run *r = user;
	r->hooks->on_flow_end(r->shard, f, why);
}

static struct ip_addr host(const struct run *r, uint8_t n)
{
	struct ip_addr a = {.b = {[15] = n}};
	a.b[r->ipv6 ? 0 : 12] = r->ipv6 ? 0x20 : 8;
	if (!r->ipv6)
		a.b[10] = a.b[11] = 0xff;
	return a;
}

/* b: kind, template, wait, TTL, IP-ID, ports, length, changes; then two bytes for each of these. */
static void one_packet(struct run *r, const uint8_t *b, const uint8_t *changes, unsigned n)
{
	static const uint32_t waits_us[] = {0, 200, 5000, 40000, 900000, 5100000};
	static const uint8_t ttls[] = {64, 57, 56, 63, 120, 250};
	uint8_t message[98], at = b[1] % 4;
	enum dir dir, s2c = (b[0] & 1) != 0 ? DIR_S2C : DIR_C2S;
	bool tcp = (b[0] & 6) == 6, icmp = (b[0] & 0x18) == 0x18;
	unsigned lead = tcp ? 2 : 0, len = lengths[at] + b[6] % 8u - (b[6] & 0x80 ? 20 : 0);
	store_be16(message, (uint16_t)len);
	memcpy(message + lead, templates[at], 96);
	for (unsigned i = 0; i < n; i++)
		message[lead + changes[2 * i] % 96] = changes[2 * i + 1];
	struct packet pkt = {.frame = ++r->frame};
	struct headers h = {
		.end = DECODE_OK, .reached = LAYER_TRANSPORT, .ip_version = r->ipv6 ? 6 : 4,
		.proto = tcp ? 6 : 17, .ttl = ttls[b[3] % 6], .df = (b[3] & 0x80) != 0,
		.ip_id = (b[4] & 0x80) != 0 ? 30000 : b[4], .src = host(r, s2c ? 2 : 1),
		.dst = host(r, s2c ? 1 : 2), .sport = s2c ? 53 : 40000 + b[5] % 3,
		.dport = s2c ? 40000 + b[5] % 3 : 53, .flags = tcp ? TCP_ACK : 0, .tcp_hlen = 20,
		.seq = r->seq[s2c], .payload = message, .payload_len = lead + len,
		.payload_caplen = lead + ((b[5] & 0x80) != 0 ? len / 2 : len),
		.ip_len = 28 + lead + len,
	};
	if (tcp && !icmp)
		r->seq[s2c] += h.payload_len;
	r->now_ns += waits_us[b[2] % 6] * 1000ull + b[2];
	pkt.ts_ns = r->now_ns;
	if (icmp) {
		h.is_icmp_error = h.quoted_ok = true;
		h.quoted_proto = h.proto;
		h.proto = r->ipv6 ? 58 : 1;
		h.quoted_src = h.src;
		h.quoted_dst = h.dst;
		h.quoted_sport = h.sport;
		h.quoted_dport = h.dport;
		h.quoted_ip_id = h.ip_id;
		h.src = host(r, 2 + (b[0] >> 7));
		h.sport = r->ipv6 ? 1 : 3;
		h.dport = r->ipv6 ? 4 : 3;
	}
	struct flow *f = icmp ? flow_table_find_quoted(r->table, &h, &dir)
			      : flow_table_update(r->table, &pkt, &h, r->now_ns, &dir);
	if (f != NULL && icmp)
		r->hooks->on_icmp(r->shard, f, dir, &pkt, &h);
	else if (f != NULL)
		r->hooks->on_packet(r->shard, f, dir, &pkt, &h, r->now_ns);
}

static void check_finding(const struct finding *f, uint64_t frames)
{
	if (f->family != FAMILY_DNS_INJECTION)
		return;
	must(f->dns != NULL && f->n_rows != 0 && f->n_packets != 0 && f->n_packets <= frames);
	must(f->verdict >= VERDICT_ANOMALY && f->score >= 2);
	must(f->dns->told_apart || (f->n_injectors == 0 && f->n_devices == 0));
	must(strlen(f->sentence) < FINDING_SENTENCE && f->sentence[0] != '\0');
	for (const char *p = f->sentence; *p != '\0'; p++)
		must(*p >= 0x20 && *p < 0x7f);
	for (unsigned i = 0; i < f->n_packets; i++)
		must(f->packets[i] >= 1 && f->packets[i] <= frames &&
		     (i == 0 || f->packets[i - 1] < f->packets[i]));
	for (unsigned i = 0; i < f->n_rows; i++)
		must(f->rows[i].value[0] != '\0' && f->rows[i].packet >= 1 &&
		     f->rows[i].packet <= frames);
	for (unsigned i = 0; i < f->dns->n_answers; i++)
		must(f->dns->answers[i] != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const file = "fuzz";
	struct cursor in = cursor_of(data, size);
	uint8_t first = cursor_u8(&in);
	struct run r = {.now_ns = T0_NS, .ipv6 = (first & 1) != 0};
	struct analysis_config cfg = {.no_ndpi = true, .all_flows = (first & 2) != 0};
	struct flow_table_config limits = {.max_flows = 64};
	struct analysis *a;

	check_message(data, size < 600 ? size : 600);
	if (analysis_new(&a, &cfg) != 0)
		return 0;
	must(analysis_begin(a, &file, 1) == 0);
	r.hooks = analysis_hooks(a);
	r.shard = r.hooks->shard_new(r.hooks->user, 0);
	must(r.shard != NULL && flow_table_new(&r.table, &limits, flow_end, &r) == 0);
	for (const uint8_t *b; r.frame < PACKETS_MAX && (b = cursor_bytes(&in, HEAD)) != NULL;) {
		unsigned n = b[7] % 4;
		const uint8_t *changes = cursor_bytes(&in, 2 * n);
		if (changes != NULL)
			one_packet(&r, b, changes, n);
	}
	flow_table_free(r.table);
	r.hooks->shard_free(r.hooks->user, r.shard);
	struct pipeline_stats stats = {.last_ns = r.now_ns + 20000000000ull};
	must(analysis_end(a, &stats, 0) == 0);
	must(analysis_judge(a) == 0);
	for (size_t i = 0; i < a->n_findings; i++)
		check_finding(a->findings[i], r.frame);
	analysis_free(a);
	return 0;
}
