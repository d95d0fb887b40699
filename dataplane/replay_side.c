/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/replay_side.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/clock.h"
#include "dataplane/flow.h"

#define NS_PER_S UINT64_C(1000000000)

/* Where senders' packets went last: direct-mapped, a newer one takes the place. */
#define HABITS 4096u
struct habit {
	struct ip_addr from; /* or a MAC address, version 0 */
	uint8_t version, port;
	bool used;
};

struct sides {
	const struct prefix *clients;
	unsigned n_clients;
	struct flow_table *flows;
	struct capture_clock clock;
	uint64_t expired_s;
	uint64_t undecided;
	struct habit habits[HABITS];
};

static void on_end(void *user, struct flow *f, enum flow_end why)
{
	(void)user;
	(void)f;
	(void)why;
}

int sides_new(struct sides **out, const struct prefix *clients, unsigned n)
{
	const struct flow_table_config cfg = {.max_flows = 1 << 20};
	struct sides *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (s == NULL)
		return -ENOMEM;
	s->clients = clients;
	s->n_clients = n;
	int err = n == 0 ? flow_table_new(&s->flows, &cfg, on_end, NULL) : 0;
	if (err != 0) {
		free(s);
		return err;
	}
	*out = s;
	return 0;
}

void sides_free(struct sides *s)
{
	if (s == NULL)
		return;
	flow_table_free(s->flows);
	free(s);
}

void sides_seam(struct sides *s)
{
	if (s->flows != NULL)
		flow_table_end_all(s->flows);
	s->clock = (struct capture_clock){.started = false};
	s->expired_s = 0;
}

uint64_t sides_undecided(const struct sides *s)
{
	return s->undecided;
}

static struct habit *habit_of(struct sides *s, const struct ip_addr *from)
{
	uint32_t h = 0;

	for (unsigned i = 0; i < sizeof(from->b); i++)
		h = (h ^ from->b[i]) * 0x01000193u; /* FNV-1a's prime */
	return &s->habits[(h ^ h >> 15) % HABITS];
}

static void remember(struct sides *s, const struct ip_addr *from, uint8_t version, unsigned port)
{
	struct habit *h = habit_of(s, from);

	*h = (struct habit){.from = *from, .version = version, .port = (uint8_t)port, .used = true};
}

static int recall(struct sides *s, const struct ip_addr *from, uint8_t version)
{
	const struct habit *h = habit_of(s, from);

	return h->used && h->version == version && memcmp(&h->from, from, sizeof(*from)) == 0
		       ? h->port
		       : -1;
}

static struct ip_addr sender(const struct headers *h)
{
	struct ip_addr a = {.b = {0}};

	if (h->ip_version != 0)
		return h->src;
	memcpy(a.b, h->src_mac, sizeof(h->src_mac));
	return a;
}

static int by_prefix(const struct sides *s, const struct headers *h)
{
	if (h->ip_version == 0)
		return -1;
	for (unsigned i = 0; i < s->n_clients; i++) {
		if (prefix_contains(&s->clients[i], &h->src, h->ip_version))
			return 0;
	}
	return 1;
}

static int by_flow(struct sides *s, const struct packet *pkt, const struct headers *h)
{
	uint64_t now = capture_clock_stamp(&s->clock, pkt->ts_ns);
	enum dir dir;

	if (now / NS_PER_S != s->expired_s) {
		s->expired_s = now / NS_PER_S;
		flow_table_expire(s->flows, now);
	}
	/* An error goes to who sent the packet that it quotes: with the other side's packets. */
	if (h->is_icmp_error && h->quoted_ok)
		return flow_table_find_quoted(s->flows, h, &dir) == NULL ? -1 : dir == DIR_C2S;
	if ((h->end != DECODE_OK && h->end != DECODE_NO_PORTS) ||
	    flow_table_update(s->flows, pkt, h, now, &dir) == NULL)
		return -1;
	return dir == DIR_S2C;
}

unsigned sides_port(struct sides *s, const struct packet *pkt, const struct headers *h)
{
	struct ip_addr from = sender(h);
	int port = s->n_clients > 0 ? by_prefix(s, h) : by_flow(s, pkt, h);

	if (port < 0)
		port = recall(s, &from, h->ip_version);
	if (port < 0) {
		s->undecided++;
		return 0;
	}
	remember(s, &from, h->ip_version, (unsigned)port);
	if (h->ip_version != 0 && h->has_mac) {
		struct ip_addr mac = {.b = {0}};
		memcpy(mac.b, h->src_mac, sizeof(h->src_mac));
		remember(s, &mac, 0, (unsigned)port);
	}
	return (unsigned)port;
}
