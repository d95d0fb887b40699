/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * DNS as tables of packets, one line of text each, through decode, flow table, inspector and judge.
 *
 *   "MS > NAME TYPE [key=value …]"            a query
 *   "MS < NAME TYPE ANSWER,… [key=value …]"   an answer: addresses, >NAME for a CNAME, - for none
 *   "MS * COUNT NAME"                         COUNT queries 100 ms apart, each answered after 40 ms
 *   "MS = FRAME"                              the same bytes again
 *   "MS ! FRAME"                              the server: port unreachable, quoting that frame
 *
 * TYPE: A or AAAA. Keys: txid port server (last byte) resolver (private: 192.168.0.x) near (public, of the
 * client's subnet) ttl ipid df
 * flags rcode rrttl opt tcp plain (the owner written out) udp (other server port) cut (capture
 * length).
 * Frames are numbered from 1, as packets come.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "classifiers/shard.h"
#include "dataplane/cursor.h"
#include "dataplane/flow.h"

#define T0_NS 1700000010000000000ull
#define FRAMES_MAX 200

struct dns_frame {
	uint8_t b[700];
	size_t n, caplen;
};

struct dns_world {
	bool ipv6;
	struct analysis *a;
	const struct pipeline_hooks *hooks;
	void *shard;
	struct flow_table *table;
	struct dns_frame frame[FRAMES_MAX + 1];
	unsigned n_frames;
	uint16_t next_id;
	uint64_t last_ns;
	uint32_t tcp_seq[2];
};

/* Of the clients; NULL unknown. */
static const char *dns_world_country;

struct dns_line {
	double ms;
	char kind;
	char name[128], type[8], answer[160];
	unsigned count, txid, port, server, ttl, flags, rcode, rrttl, udp, cut;
	int ipid, df;
	bool resolver, near, opt, tcp, plain;
};

struct dns_bytes {
	uint8_t b[600];
	size_t n;
};

static inline void db_put(struct dns_bytes *k, unsigned n, uint64_t v)
{
	assert_true(k->n + n <= sizeof(k->b));
	for (unsigned i = 0; i < n; i++)
		k->b[k->n++] = (uint8_t)(v >> 8 * (n - 1 - i));
}

static inline void db_name(struct dns_bytes *k, const char *name)
{
	while (*name != '\0') {
		size_t n = strcspn(name, ".");
		db_put(k, 1, n);
		for (size_t i = 0; i < n; i++)
			db_put(k, 1, (uint8_t)name[i]);
		name += n + (name[n] == '.');
	}
	db_put(k, 1, 0);
}

static inline void db_record(struct dns_bytes *k, const struct dns_line *l, const char *text)
{
	uint8_t addr[16];
	if (l->plain)
		db_name(k, l->name);
	else
		db_put(k, 2, 0xc00c);
	bool v4 = inet_pton(AF_INET, text, addr) == 1;
	bool v6 = !v4 && inet_pton(AF_INET6, text, addr) == 1;
	assert_true(v4 || v6 || *text == '>');
	db_put(k, 2, v4 ? 1 : v6 ? 28 : 5);
	db_put(k, 2, 1);
	db_put(k, 4, l->rrttl);
	size_t at = k->n;
	db_put(k, 2, 0);
	for (unsigned i = 0; i < (v4 ? 4u : v6 ? 16u : 0u); i++)
		db_put(k, 1, addr[i]);
	if (*text == '>')
		db_name(k, text + 1);
	store_be16(k->b + at, (uint16_t)(k->n - at - 2));
}

static inline void db_message(struct dns_bytes *k, const struct dns_line *l)
{
	char copy[160], *rest = copy, *word;
	k->n = 0;
	db_put(k, 2, l->txid);
	db_put(k, 2, l->flags | l->rcode);
	db_put(k, 2, 1);
	db_put(k, 2, 0);
	db_put(k, 2, 0);
	db_put(k, 2, l->opt);
	db_name(k, l->name);
	db_put(k, 2, strcmp(l->type, "A") == 0 ? 1 : 28);
	db_put(k, 2, 1);
	strcpy(copy, l->answer);
	while (l->kind == '<' && (word = strsep(&rest, ",")) != NULL) {
		if (strcmp(word, "-") == 0)
			continue;
		db_record(k, l, word);
		store_be16(k->b + 6, (uint16_t)(load_be16(k->b + 6) + 1));
	}
	if (l->opt) {
		db_put(k, 1, 0);
		db_put(k, 2, 41);
		db_put(k, 2, 1232);
		db_put(k, 4, 0);
		db_put(k, 2, 0);
	}
}

static inline void dw_addr(struct dns_bytes *k, const struct dns_world *w, bool client,
			   const struct dns_line *l)
{
	if (w->ipv6) {
		db_put(k, 8, client || l->near ? 0x2a00000000000001
			     : l->resolver     ? 0xfd00000000000001
					       : 0x2606000000000001);
		db_put(k, 8, client ? 1 : l->server);
	} else {
		db_put(k, 4, (client || l->near ? 0x05060700u
			      : l->resolver     ? 0xc0a80000u
						: 0x08080800u) | (client ? 1 : l->server));
	}
}

static inline void dw_ip(struct dns_bytes *k, struct dns_world *w, const struct dns_line *l,
			 unsigned proto, size_t len)
{
	bool s2c = l->kind != '>';
	unsigned id = l->ipid >= 0 ? (unsigned)l->ipid : w->next_id++;
	k->n = 0;
	db_put(k, 6, 0x020000000001);
	db_put(k, 6, 0x020000000002);
	db_put(k, 2, w->ipv6 ? 0x86dd : 0x0800);
	if (w->ipv6) {
		db_put(k, 4, 0x60000000);
		db_put(k, 2, len);
		db_put(k, 1, proto == 1 ? 58 : proto);
		db_put(k, 1, l->ttl);
	} else {
		db_put(k, 4, 0x45000000u | (uint32_t)(20 + len));
		db_put(k, 2, id);
		db_put(k, 2, l->df != 0 ? 0x4000 : 0);
		db_put(k, 1, l->ttl);
		db_put(k, 1, proto);
		db_put(k, 2, 0);
	}
	dw_addr(k, w, !s2c, l);
	dw_addr(k, w, s2c, l);
}

static inline void dw_feed(struct dns_world *w, const struct dns_frame *f, double ms)
{
	uint64_t ts = T0_NS + (uint64_t)(ms * 1e6);
	assert_true(w->n_frames < FRAMES_MAX);
	w->frame[++w->n_frames] = *f;
	struct packet pkt = {.data = w->frame[w->n_frames].b, .caplen = (uint32_t)f->caplen,
			     .wirelen = (uint32_t)f->n, .ts_ns = ts, .frame = w->n_frames,
			     .linktype = LINKTYPE_ETHERNET};
	struct headers h;
	enum dir dir;
	if (ts / 1000000000 != w->last_ns / 1000000000)
		flow_table_expire(w->table, ts);
	w->last_ns = ts;
	packet_decode(&pkt, &h);
	assert_int_equal(h.end, DECODE_OK);
	struct flow *flow = h.is_icmp_error ? flow_table_find_quoted(w->table, &h, &dir)
					    : flow_table_update(w->table, &pkt, &h, ts, &dir);
	assert_non_null(flow);
	if (h.is_icmp_error)
		w->hooks->on_icmp(w->shard, flow, dir, &pkt, &h);
	else
		w->hooks->on_packet(w->shard, flow, dir, &pkt, &h, ts);
}

/* A segment that holds one message; both streams begin at 1 with it. */
static inline void dw_tcp(struct dns_bytes *k, struct dns_world *w, const struct dns_line *l,
			  const struct dns_bytes *m)
{
	bool s2c = l->kind == '<';
	dw_ip(k, w, l, 6, 20 + 2 + m->n);
	db_put(k, 2, s2c ? 53 : l->port);
	db_put(k, 2, s2c ? l->port : 53);
	db_put(k, 4, 1 + w->tcp_seq[s2c]);
	db_put(k, 4, 1 + w->tcp_seq[!s2c]);
	db_put(k, 2, 0x5018);
	db_put(k, 2, 500);
	db_put(k, 4, 0);
	db_put(k, 2, m->n);
	w->tcp_seq[s2c] += (uint32_t)(2 + m->n);
}

static inline void dw_packet(struct dns_world *w, const struct dns_line *l)
{
	struct dns_bytes k, m;
	struct dns_frame f;
	bool s2c = l->kind == '<';
	db_message(&m, l);
	if (l->tcp) {
		dw_tcp(&k, w, l, &m);
	} else {
		dw_ip(&k, w, l, 17, 8 + m.n);
		db_put(&k, 2, s2c ? l->udp : l->port);
		db_put(&k, 2, s2c ? l->port : l->udp);
		db_put(&k, 2, 8 + m.n);
		db_put(&k, 2, 0);
	}
	memcpy(f.b, k.b, k.n);
	memcpy(f.b + k.n, m.b, m.n);
	f.n = k.n + m.n;
	f.caplen = l->cut != 0 ? l->cut : f.n;
	dw_feed(w, &f, l->ms);
}

static inline void dw_icmp(struct dns_world *w, const struct dns_line *l)
{
	struct dns_bytes k;
	struct dns_frame f;
	const struct dns_frame *q = &w->frame[l->count];
	size_t quoted = w->ipv6 ? 60 : 48;
	dw_ip(&k, w, l, 1, 8 + quoted);
	db_put(&k, 1, w->ipv6 ? 1 : 3);
	db_put(&k, 1, w->ipv6 ? 4 : 3);
	db_put(&k, 6, 0);
	memcpy(f.b, k.b, k.n);
	memcpy(f.b + k.n, q->b + 14, quoted);
	f.n = f.caplen = k.n + quoted;
	dw_feed(w, &f, l->ms);
}

static inline void dns_line_key(struct dns_line *l, const char *key, const char *value)
{
	const struct {
		const char *name;
		unsigned *to;
	} numbers[] = {{"txid", &l->txid},   {"port", &l->port},   {"server", &l->server},
		       {"ttl", &l->ttl},     {"flags", &l->flags}, {"rcode", &l->rcode},
		       {"rrttl", &l->rrttl}, {"udp", &l->udp},	   {"cut", &l->cut},
		       {"ipid", (unsigned *)&l->ipid}, {"df", (unsigned *)&l->df}};
	const struct {
		const char *name;
		bool *to;
	} flags[] = {{"resolver", &l->resolver}, {"near", &l->near}, {"opt", &l->opt},
		     {"tcp", &l->tcp}, {"plain", &l->plain}};
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (strcmp(key, numbers[i].name) == 0) {
			*numbers[i].to = (unsigned)strtoul(value, NULL, 0);
			return;
		}
	for (unsigned i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (strcmp(key, flags[i].name) == 0) {
			*flags[i].to = true;
			return;
		}
	fail_msg("unknown key %s", key);
}

static inline void dns_line_parse(const char *text, struct dns_line *l)
{
	char copy[400], *rest = copy, *word;
	*l = (struct dns_line){.txid = 0x1111, .port = 40000, .server = 8, .rrttl = 60, .udp = 53,
			       .ipid = -1, .df = 0, .ttl = 64, .flags = 0x0100};
	assert_true(strlen(text) < sizeof(copy));
	strcpy(copy, text);
	for (unsigned n = 0; (word = strsep(&rest, " ")) != NULL;) {
		char *value = strchr(word, '=');
		if (*word == '\0')
			continue;
		if (n == 0) {
			l->ms = strtod(word, NULL);
		} else if (n == 1) {
			l->kind = *word;
			if (l->kind != '>') {
				l->ttl = 57;
				l->flags = 0x8180;
			}
		} else if (n == 2 && strchr("*=!", l->kind) != NULL) {
			l->count = (unsigned)strtoul(word, NULL, 10);
		} else if (n == 2 || (n == 3 && l->kind == '*')) {
			snprintf(l->name, sizeof(l->name), "%s", word);
		} else if (n == 3) {
			snprintf(l->type, sizeof(l->type), "%s", word);
		} else if (n == 4 && l->kind == '<') {
			snprintf(l->answer, sizeof(l->answer), "%s", word);
		} else {
			if (value != NULL)
				*value = '\0';
			dns_line_key(l, word, value != NULL ? value + 1 : "1");
		}
		n++;
	}
}

/* What a server usually does: answers after 40 ms, with EDNS. */
static inline void dw_usual(struct dns_world *w, const struct dns_line *l)
{
	for (unsigned i = 0; i < l->count; i++) {
		struct dns_line q = *l;
		q.kind = '>';
		q.opt = true;
		q.ttl = 64;
		q.flags = 0x0100;
		q.port = 50000 + i;
		q.txid = 0x2000 + i;
		q.ms = l->ms + 100 * i;
		strcpy(q.type, "A");
		snprintf(q.name, sizeof(q.name), "n%u.%.100s", i, l->name);
		dw_packet(w, &q);
		struct dns_line a = q;
		a.kind = '<';
		a.ttl = l->ttl;
		a.flags = l->flags;
		a.ms += 40;
		snprintf(a.answer, sizeof(a.answer), "93.184.216.%u", 10 + i);
		dw_packet(w, &a);
	}
}

static inline void dns_world_run(struct dns_world *w, const char *const *lines, bool ipv6)
{
	struct geo *geo = NULL;
	char why[128];
	if (dns_world_country != NULL)
		assert_int_equal(geo_open(&geo, NULL, 0, dns_world_country, why, sizeof(why)), 0);
	struct analysis_config cfg = {.no_ndpi = true, .all_flows = true, .geo = geo};
	struct flow_table_config limits = {.max_flows = 4096};
	static const char *const file = "table";
	memset(w, 0, sizeof(*w));
	w->ipv6 = ipv6;
	w->next_id = 0x3000;
	assert_int_equal(analysis_new(&w->a, &cfg), 0);
	assert_int_equal(analysis_begin(w->a, &file, 1), 0);
	w->hooks = analysis_hooks(w->a);
	w->shard = w->hooks->shard_new(w->hooks->user, 0);
	assert_non_null(w->shard);
	assert_int_equal(flow_table_new(&w->table, &limits,
					(flow_end_fn)w->hooks->on_flow_end, w->shard), 0);
	for (; *lines != NULL; lines++) {
		struct dns_line l;
		dns_line_parse(*lines, &l);
		if (l.kind == '*')
			dw_usual(w, &l);
		else if (l.kind == '!')
			dw_icmp(w, &l);
		else if (l.kind == '=') {
			struct dns_frame same = w->frame[l.count];
			dw_feed(w, &same, l.ms);
		} else
			dw_packet(w, &l);
	}
	flow_table_free(w->table);
	w->hooks->shard_free(w->hooks->user, w->shard);
	struct pipeline_stats stats = {.last_ns = w->last_ns + 100000000000ull};
	assert_int_equal(analysis_end(w->a, &stats, 0), 0);
	assert_int_equal(analysis_judge(w->a), 0);
	geo_close(geo);
}
