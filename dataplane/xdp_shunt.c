/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/xdp_shunt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/steer.h"
#include "dataplane/capture.h"
#include "bpf/steer.skel.h"

_Static_assert(SHUNT_LAST == STEER_LAST && SHUNT_SNAP == STEER_SNAP, "one is copied to the other");

#define SLOT_BITS 17
_Static_assert(STEER_FLOWS_MAX == 1 << SLOT_BITS, "a ticket is a slot and how often it was used");
#define USES_MAX ((1u << (32 - SLOT_BITS)) - 1)

struct xdp_shunt {
	int map;
	uint32_t *granted;   /* the program's, by slot */
	uint64_t utc_offset;
	uint32_t snaplen;
	pthread_mutex_t lock;
	uint32_t n_free;     /* from here on under the lock */
	uint64_t begun, refused;
	uint32_t free[STEER_FLOWS_MAX]; /* slots; the last is taken next */
	uint16_t uses[STEER_FLOWS_MAX]; /* of each slot, so that tickets differ */
};

int xdp_shunt_open(struct xdp_shunt **out, struct steer *skel, uint64_t utc_offset, uint32_t snaplen)
{
	struct xdp_shunt *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->map = bpf_map__fd(skel->maps.flows);
	s->granted = skel->bss->granted;
	s->utc_offset = utc_offset;
	s->snaplen = snaplen;
	pthread_mutex_init(&s->lock, NULL);
	for (uint32_t i = 0; i < STEER_FLOWS_MAX; i++)
		s->free[i] = STEER_FLOWS_MAX - 1 - i;
	s->n_free = STEER_FLOWS_MAX;
	*out = s;
	return 0;
}

void xdp_shunt_close(struct xdp_shunt *s)
{
	if (s == NULL)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static uint32_t slot_of(uint32_t ticket)
{
	return ticket & (STEER_FLOWS_MAX - 1);
}

/* 0: none is left. */
static uint32_t ticket_take(struct xdp_shunt *s)
{
	uint32_t ticket = 0;

	pthread_mutex_lock(&s->lock);
	if (s->n_free != 0) {
		uint32_t slot = s->free[--s->n_free];
		s->uses[slot] = (uint16_t)(s->uses[slot] % USES_MAX + 1);
		ticket = (uint32_t)s->uses[slot] << SLOT_BITS | slot;
	}
	pthread_mutex_unlock(&s->lock);
	return ticket;
}

static void ticket_return(struct xdp_shunt *s, uint32_t ticket)
{
	pthread_mutex_lock(&s->lock);
	s->free[s->n_free++] = slot_of(ticket);
	pthread_mutex_unlock(&s->lock);
}

static void tally(struct xdp_shunt *s, uint64_t *counter)
{
	pthread_mutex_lock(&s->lock);
	(*counter)++;
	pthread_mutex_unlock(&s->lock);
}

/* Which of the flow's ends, by enum dir, is the lower: steer_key's first. */
static unsigned lower_end(const struct shunt_flow *f)
{
	int c = memcmp(f->addr[0], f->addr[1], sizeof(f->addr[0]));

	return c != 0 ? c > 0 : f->port[0] > f->port[1];
}

static struct steer_key key_of(const struct shunt_flow *f, unsigned lower)
{
	struct steer_key key;

	for (unsigned i = 0; i < 2; i++) {
		memcpy(key.addr[i], f->addr[lower ^ i], sizeof(key.addr[i]));
		key.port[i] = htons(f->port[lower ^ i]);
	}
	return key;
}

int xdp_shunt_begin(struct xdp_shunt *s, const struct shunt_flow *f, uint32_t *ticket)
{
	unsigned lower = lower_end(f);
	struct steer_key key = key_of(f, lower);
	struct steer_flow flow = {.ticket = ticket_take(s), .timestamps = f->timestamps};
	int err = 0;

	for (unsigned i = 0; i < 2; i++) {
		const struct shunt_side *side = &f->side[lower ^ i];
		flow.side[i] = (struct steer_side){.data_max = side->data_max, .ttl = side->ttl,
						   .df = side->df};
	}
	if (flow.ticket == 0)
		err = -ENOSPC;
	else if (bpf_map_update_elem(s->map, &key, &flow, BPF_NOEXIST) != 0)
		err = -errno;
	if (err != 0 && flow.ticket != 0)
		ticket_return(s, flow.ticket);
	tally(s, err == 0 ? &s->begun : &s->refused);
	*ticket = err == 0 ? flow.ticket : 0;
	return err;
}

void xdp_shunt_grant(struct xdp_shunt *s, uint32_t ticket)
{
	__atomic_store_n(&s->granted[slot_of(ticket)], ticket, __ATOMIC_SEQ_CST);
}

static void take_last(const struct xdp_shunt *s, const struct steer_flow *flow, unsigned lower,
		      struct shunt_counts *out)
{
	uint64_t n = flow->passed < STEER_LAST ? flow->passed : STEER_LAST;

	out->n_last = (unsigned)n;
	for (unsigned i = 0; i < n; i++) {
		const struct steer_last *l = &flow->last[(flow->passed - n + i) % STEER_LAST];
		uint32_t len = l->caplen < s->snaplen ? l->caplen : s->snaplen;
		memcpy(out->bytes[i], l->data, sizeof(out->bytes[i]));
		out->last[i] = (struct packet){.data = out->bytes[i], .caplen = len,
					       .wirelen = l->wirelen, .linktype = LINKTYPE_ETHERNET,
					       .ts_ns = l->ns + s->utc_offset, .frame = l->number};
		out->last_dir[i] = (uint8_t)(l->side ^ lower);
	}
}

int xdp_shunt_end(struct xdp_shunt *s, const struct shunt_flow *f, uint32_t ticket,
		  struct shunt_counts *out)
{
	unsigned lower = lower_end(f);
	struct steer_key key = key_of(f, lower);
	struct steer_flow flow;

	/* First the grant: a frame that is being looked at is counted before this, or delivered. */
	__atomic_store_n(&s->granted[slot_of(ticket)], 0, __ATOMIC_SEQ_CST);
	do {
		if (bpf_map_lookup_elem(s->map, &key, &flow) != 0)
			return -errno;
	} while (flow.busy != 0);
	/* That may have been read before it came to rest. */
	if (bpf_map_lookup_and_delete_elem(s->map, &key, &flow) != 0)
		return -errno;
	ticket_return(s, ticket);
	*out = (struct shunt_counts){.n_last = 0};
	for (unsigned i = 0; i < 2; i++) {
		const struct steer_side *side = &flow.side[i];
		out->side[lower ^ i] = (struct shunt_count){
			.packets = side->packets, .data = side->data, .bytes = side->bytes,
			.last_ns = side->packets != 0 ? side->last_ns + s->utc_offset : 0,
			.last_len = side->last_len, .next = side->seq_end, .ack = side->ack};
	}
	take_last(s, &flow, lower, out);
	return 0;
}

void xdp_shunt_count(struct xdp_shunt *s, uint64_t *begun, uint64_t *refused)
{
	pthread_mutex_lock(&s->lock);
	*begun = s->begun;
	*refused = s->refused;
	pthread_mutex_unlock(&s->lock);
}
