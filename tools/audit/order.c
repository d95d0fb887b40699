/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/audit/order.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <xxhash.h>

#include "dataplane/flow_key.h"
#include "dataplane/now.h"

#define NAP_NS	  20000000u /* how soon a stop is noticed */
#define PATIENCE  2u /* waits in vain, one after the other, until one way is not waited for */
#define SLOTS_MIN 1024u

struct turn {
	uint64_t key;		      /* hash of the conversation; 0: free */
	uint64_t sent[2], arrived[2]; /* by the port that it left by */
	uint64_t arrivals[2];	      /* as arrived, but for what was given up */
	unsigned in_vain[2];
};

struct order {
	pthread_mutex_t lock;
	pthread_cond_t came;
	uint64_t limit_ns;
	const atomic_bool *stop;
	struct turn *turns;
	uint32_t n, slots;
	struct order_stats stats;
};

int order_new(struct order **out, uint64_t limit_ns, const atomic_bool *stop)
{
	struct order *o = calloc(1, sizeof(*o));
	pthread_condattr_t attr;

	*out = o;
	if (o == NULL)
		return -ENOMEM;
	o->turns = calloc(SLOTS_MIN, sizeof(*o->turns));
	o->slots = SLOTS_MIN;
	o->limit_ns = limit_ns;
	o->stop = stop;
	pthread_mutex_init(&o->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&o->came, &attr);
	pthread_condattr_destroy(&attr);
	if (o->turns != NULL)
		return 0;
	order_free(o);
	*out = NULL;
	return -ENOMEM;
}

void order_free(struct order *o)
{
	if (o == NULL)
		return;
	pthread_mutex_destroy(&o->lock);
	pthread_cond_destroy(&o->came);
	free(o->turns);
	free(o);
}

/* 0: of no conversation. */
static uint64_t key_of(const struct headers *h)
{
	struct flow_key key;

	if (h->ip_version == 0 || (h->end != DECODE_OK && h->end != DECODE_NO_PORTS) ||
	    h->is_icmp_error)
		return 0;
	(void)key_make(&key, h, h->proto, &h->src, &h->dst, h->sport, h->dport);
	return XXH3_64bits(&key, sizeof(key)) | 1;
}

static struct turn *slot_of(const struct order *o, uint64_t key)
{
	uint32_t at = (uint32_t)(key >> 1) & (o->slots - 1);

	while (o->turns[at].key != 0 && o->turns[at].key != key)
		at = (at + 1) & (o->slots - 1);
	return &o->turns[at];
}

/* NULL: there is no memory for another one, which then does not wait. */
static struct turn *turn_of(struct order *o, uint64_t key)
{
	struct turn *t = slot_of(o, key);

	if (t->key != 0 || o->n * 2 < o->slots) {
		o->n += t->key == 0;
		t->key = key;
		return t;
	}
	struct turn *old = o->turns, *more = calloc((size_t)o->slots * 2, sizeof(*more));
	if (more == NULL)
		return NULL;
	uint32_t n = o->slots;
	o->turns = more;
	o->slots *= 2;
	for (uint32_t i = 0; i < n; i++) {
		if (old[i].key != 0)
			*slot_of(o, old[i].key) = old[i];
	}
	free(old);
	return turn_of(o, key);
}

static bool stopped(const struct order *o)
{
	return o->stop != NULL && atomic_load_explicit(o->stop, memory_order_relaxed);
}

/* Until all of it has arrived; the turn may move meanwhile, so it is looked up again. */
static void wait_for(struct order *o, uint64_t key, unsigned port)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC), until = now + o->limit_ns;
	struct turn *t = slot_of(o, key);

	o->stats.waited++;
	while (t->arrived[port] < t->sent[port] && now < until && !stopped(o)) {
		uint64_t next = until - now > NAP_NS ? now + NAP_NS : until;
		struct timespec at = {.tv_sec = (time_t)(next / 1000000000),
				      .tv_nsec = (long)(next % 1000000000)};
		pthread_cond_timedwait(&o->came, &o->lock, &at);
		now = clock_ns(CLOCK_MONOTONIC);
	}
	if (t->arrived[port] == t->sent[port])
		return;
	t->arrived[port] = t->sent[port];
	t->in_vain[port]++;
	o->stats.given_up++;
}

void order_leave(struct order *o, unsigned port, const struct headers *h)
{
	uint64_t key = key_of(h);

	pthread_mutex_lock(&o->lock);
	struct turn *t = key != 0 ? turn_of(o, key) : NULL;
	if (t != NULL) {
		if (o->limit_ns != 0 && t->arrived[!port] < t->sent[!port] &&
		    t->in_vain[!port] < PATIENCE)
			wait_for(o, key, !port);
		t->sent[port]++;
	}
	o->stats.last_ns = clock_ns(CLOCK_MONOTONIC);
	pthread_mutex_unlock(&o->lock);
}

void order_arrive(struct order *o, unsigned port, const struct headers *h)
{
	uint64_t key = key_of(h);

	pthread_mutex_lock(&o->lock);
	struct turn *t = key != 0 ? slot_of(o, key) : NULL;
	if (t != NULL && t->key != 0) {
		unsigned from = !port;
		t->arrivals[from] += t->arrivals[from] < t->sent[from];
		if (t->arrived[from] < t->sent[from])
			t->arrived[from]++;
		t->in_vain[from] = 0;
		pthread_cond_signal(&o->came);
	}
	o->stats.last_ns = clock_ns(CLOCK_MONOTONIC);
	pthread_mutex_unlock(&o->lock);
}

void order_stats(struct order *o, struct order_stats *out)
{
	uint64_t outstanding = 0;

	pthread_mutex_lock(&o->lock);
	for (uint32_t i = 0; i < o->slots; i++) {
		const struct turn *t = &o->turns[i];
		if (t->key != 0)
			outstanding += t->sent[0] - t->arrivals[0] + t->sent[1] - t->arrivals[1];
	}
	*out = o->stats;
	out->outstanding = outstanding;
	pthread_mutex_unlock(&o->lock);
}
