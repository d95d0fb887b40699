/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/context_vpn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/tamper/notes.h"
#include "classifiers/verdict.h"

#define NOTES_SHARD 4096 /* sessions remembered */
#define HOSTS_SHARD (1u << 14)
#define LOOKED 512       /* sessions of one server, client or index that are compared */
#define SPREAD 2         /* data packets; VPN-DATA-CUT: "repeatability ±2" */
#define LONGER 10        /* data packets beyond a cut that contradict a fixed index */
#define MINUTE_NS 60000000000ull
#define NEAR_MINUTES 10

enum outcome { WAS_SILENT, WAS_OK, WAS_ELSE };

struct vpn_note {
	struct ip_addr client, server;
	uint16_t port;
	uint8_t proto, outcome; /* enum vpn_proto, enum outcome */
	bool heard, cut;
	uint64_t start_ns;      /* its first initiation, else its first packet */
	uint64_t heard_ns;      /* the server's last datagram */
	uint32_t index;         /* data packets when it was cut, else of the whole */
};

/* When a server answered: a bit a minute, modulo 64. */
struct alive {
	struct ip_addr addr;
	uint64_t minutes;
};

const struct host_table vpn_alive_table = {.size = sizeof(struct alive)};

struct vpn_context {
	struct vpn_note *by_server, *by_client, *cuts; /* the same, in these orders */
	size_t n, n_cuts;
	unsigned heard;
	struct host_table alive;
};

void vpn_notes_add(struct vpn_notes *s, const struct flow *f, const struct vpn_exchange *q)
{
	if (!notes_room(&s->note, sizeof(*s->note), s->n, &s->room, NOTES_SHARD)) {
		s->dropped++;
		return;
	}
	bool cut = vpn_exchange_is_cut(q);
	s->note[s->n++] = (struct vpn_note){
		.client = *flow_addr(f, DIR_C2S),
		.server = *flow_addr(f, DIR_S2C),
		.port = flow_port(f, DIR_S2C),
		.proto = q->proto,
		.outcome = q->x.end == ATTEMPT_SILENT ? WAS_SILENT
			   : q->answered	      ? WAS_OK
						      : WAS_ELSE,
		.heard = q->heard,
		.cut = cut,
		.start_ns = q->x.request_ns != 0 ? q->x.request_ns : f->first_ns,
		.heard_ns = q->heard_ns,
		.index = cut ? q->data_heard : q->data,
	};
}

void vpn_notes_alive(struct vpn_notes *s, const struct flow *f, uint64_t ns)
{
	bool fresh;
	struct alive *a = host_table_get(&s->alive, flow_addr(f, DIR_S2C), 0, &fresh, HOSTS_SHARD);
	if (a != NULL)
		a->minutes |= 1ull << (ns / MINUTE_NS % 64);
}

void vpn_notes_free(struct vpn_notes *s)
{
	free(s->note);
	host_table_free(&s->alive);
	*s = (struct vpn_notes){.n = 0};
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* What is left equal by an order's own keys. */
static int compare_rest(const struct vpn_note *a, const struct vpn_note *b)
{
	int by = compare_u64(a->start_ns, b->start_ns);
	by = by != 0 ? by : memcmp(&a->client, &b->client, sizeof(a->client));
	by = by != 0 ? by : memcmp(&a->server, &b->server, sizeof(a->server));
	by = by != 0 ? by : (int)a->port - (int)b->port;
	by = by != 0 ? by : (int)a->outcome - (int)b->outcome;
	return by != 0 ? by : compare_u64(a->heard_ns, b->heard_ns);
}

static int order_server(const void *x, const void *y)
{
	const struct vpn_note *a = x, *b = y;
	int by = memcmp(&a->server, &b->server, sizeof(a->server));
	return by != 0 ? by : compare_rest(a, b);
}

static int order_client(const void *x, const void *y)
{
	const struct vpn_note *a = x, *b = y;
	int by = memcmp(&a->client, &b->client, sizeof(a->client));
	return by != 0 ? by : compare_rest(a, b);
}

static int order_index(const void *x, const void *y)
{
	const struct vpn_note *a = x, *b = y;
	int by = (int)a->proto - (int)b->proto;
	by = by != 0 ? by : compare_u64(a->index, b->index);
	return by != 0 ? by : compare_rest(a, b);
}

static int merge_alive(struct host_table *to, const struct host_table *from)
{
	for (uint32_t i = 0; i < from->room; i++) {
		if (from->hashes[i] == 0)
			continue;
		const struct alive *a = (const void *)host_table_slot(from, i);
		bool fresh;
		struct alive *into = host_table_get(to, &a->addr, 0, &fresh, UINT32_MAX / 16);
		if (into == NULL)
			return -ENOMEM;
		into->minutes |= a->minutes;
	}
	return 0;
}

int vpn_context_new(struct vpn_context **out, const struct vpn_notes *const shards[], unsigned n)
{
	struct vpn_context *c = calloc(1, sizeof(*c));
	size_t total = 0;
	int err = -ENOMEM;
	if (c == NULL)
		return err;
	c->alive = vpn_alive_table;
	for (unsigned i = 0; i < n; i++)
		total += shards[i] != NULL ? shards[i]->n : 0;
	c->by_server = malloc((total + 1) * sizeof(*c->by_server));
	c->by_client = malloc((total + 1) * sizeof(*c->by_client));
	c->cuts = malloc((total + 1) * sizeof(*c->cuts));
	if (c->by_server == NULL || c->by_client == NULL || c->cuts == NULL)
		goto out;
	for (unsigned i = 0; i < n; i++) {
		for (uint32_t k = 0; shards[i] != NULL && k < shards[i]->n; k++) {
			const struct vpn_note *note = &shards[i]->note[k];
			c->by_server[c->n] = c->by_client[c->n] = *note;
			c->n++;
			c->heard += note->heard;
			if (note->cut)
				c->cuts[c->n_cuts++] = *note;
		}
		/* Without a tunnel nobody asks. */
		if (total != 0 && shards[i] != NULL && merge_alive(&c->alive, &shards[i]->alive) != 0)
			goto out;
	}
	qsort(c->by_server, c->n, sizeof(*c->by_server), order_server);
	qsort(c->by_client, c->n, sizeof(*c->by_client), order_client);
	qsort(c->cuts, c->n_cuts, sizeof(*c->cuts), order_index);
	*out = c;
	c = NULL;
	err = 0;
out:
	vpn_context_free(c);
	return err;
}

void vpn_context_free(struct vpn_context *c)
{
	if (c == NULL)
		return;
	free(c->by_server);
	free(c->by_client);
	free(c->cuts);
	host_table_free(&c->alive);
	free(c);
}

/* The first of list that key does not come before. */
static size_t first_of(const struct vpn_note *list, size_t n, const struct vpn_note *key,
		       int (*order)(const void *, const void *))
{
	return notes_find(list, sizeof(*list), n, key, order);
}

/* The server answered something else in one of the minutes after ns. */
static bool alive_after(const struct vpn_context *c, const struct ip_addr *server, uint64_t ns)
{
	uint64_t near = 0;
	if (c->alive.room == 0)
		return false;
	for (unsigned m = 1; m <= NEAR_MINUTES; m++)
		near |= 1ull << ((ns / MINUTE_NS + m) % 64);
	uint32_t i = host_table_find(&c->alive, server, 0, host_hash(server, 0));
	const struct alive *a = (const void *)host_table_slot(&c->alive, i);
	return c->alive.hashes[i] != 0 && (a->minutes & near) != 0;
}

static void ask_server(const struct vpn_context *c, const struct flow_record *flow,
		       const struct vpn_exchange *q, uint64_t silent_ns, struct vpn_siblings *s)
{
	struct vpn_note key = {.server = flow->server};
	size_t i = first_of(c->by_server, c->n, &key, order_server), end = i + LOOKED;
	s->alive_after = alive_after(c, &flow->server, silent_ns);
	for (; i < c->n && i < end; i++) {
		const struct vpn_note *k = &c->by_server[i];
		if (memcmp(&k->server, &flow->server, sizeof(k->server)) != 0)
			break;
		bool same = k->port == flow->server_port && k->proto == q->proto;
		bool since = k->heard && k->heard_ns > silent_ns;
		if (same && k->outcome == WAS_OK && k->start_ns < silent_ns &&
		    memcmp(&k->client, &flow->client, sizeof(k->client)) == 0)
			s->known_before = true;
		s->port_after |= same && since;
		s->alive_after |= !same && since && k->heard_ns < silent_ns + TRIAL_NS;
	}
}

static void ask_client(const struct vpn_context *c, const struct flow_record *flow,
		       const struct vpn_exchange *q, struct vpn_siblings *s)
{
	struct vpn_note key = {.client = flow->client};
	size_t from = first_of(c->by_client, c->n, &key, order_client), i = from;
	struct fan_out out = {.n = 0};
	for (; i < c->n && i < from + LOOKED; i++) {
		const struct vpn_note *k = &c->by_client[i];
		if (memcmp(&k->client, &flow->client, sizeof(k->client)) != 0)
			break;
		fan_out_add(&out, &k->server, k->heard);
		s->longer += k->proto == q->proto && k->index > q->data_heard + LONGER;
	}
	s->scanner = fan_out_is_scanner(&out);
}

static void ask_cuts(const struct vpn_context *c, const struct vpn_exchange *q,
		     struct vpn_siblings *s)
{
	uint32_t from = q->data_heard > SPREAD ? q->data_heard - SPREAD : 0;
	struct vpn_note key = {.proto = q->proto, .index = from};
	size_t i = first_of(c->cuts, c->n_cuts, &key, order_index);
	uint64_t first = UINT64_MAX, last = 0;
	for (; i < c->n_cuts && s->cuts < LOOKED; i++) {
		const struct vpn_note *k = &c->cuts[i];
		if (k->proto != q->proto || k->index > q->data_heard + SPREAD)
			break;
		s->cuts++;
		first = k->heard_ns < first ? k->heard_ns : first;
		last = k->heard_ns > last ? k->heard_ns : last;
	}
	s->cuts_span_ns = s->cuts != 0 ? last - first : 0;
}

struct vpn_siblings vpn_context_siblings(const struct vpn_context *c,
					 const struct flow_record *flow,
					 const struct vpn_exchange *q)
{
	struct vpn_siblings s = {.heard = c->heard};
	uint64_t silent_ns = q->heard ? q->heard_ns : q->first_ns;
	ask_server(c, flow, q, silent_ns, &s);
	ask_client(c, flow, q, &s);
	ask_cuts(c, q, &s);
	return s;
}
