/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/freezes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/tamper/host_table.h"
#include "dataplane/seq.h"

#define FREEZES_MAX 1024 /* a shard; beyond, they are not remembered */
#define PEERS_MAX 256    /* looked at for one question */
#define STUCK 3          /* copies without progress */
#define STOPPED_NS 10000000000ull /* DROP-NPKT: "silence >= 10 s" */
#define SPREAD 2         /* packets */
#define INDEX_MIN 10     /* 14 KB in full segments; below, small answers look alike by themselves */

/* A transfer of from's that stopped: the other end gave up at last, and nobody answers that either. */
static bool transfer_stopped(const struct evidence *ev, enum dir from)
{
	const struct half *s = &ev->half[from], *c = &ev->half[dir_other(from)];
	return c->n_fin > STUCK && s->n_fin == 0 && s->acked && seq_lt(s->max_ack, c->next) &&
	       s->last_full && !c->gap && !s->gap && c->last_ns >= s->last_ns + STOPPED_NS;
}

bool freezes_is_frozen(const struct evidence *ev, enum dir *stuck)
{
	const struct half *c = &ev->half[DIR_C2S], *s = &ev->half[DIR_S2C];
	if (!c->syn || !s->syn || c->n_data == 0 || s->n_data == 0 || ev->n_probes != 0 ||
	    c->n_rst + c->n_rstack + s->n_rst + s->n_rstack != 0)
		return false;
	bool resent = evidence_resent(ev, DIR_C2S)->stuck >= STUCK;
	bool server = evidence_resent(ev, DIR_S2C)->stuck >= STUCK;
	*stuck = !resent && (server || transfer_stopped(ev, DIR_C2S)) ? DIR_S2C : DIR_C2S;
	return resent || server || transfer_stopped(ev, dir_other(*stuck));
}

static uint32_t net_hash(const struct ip_addr *a, unsigned ip_version)
{
	struct ip_addr net = *a;
	unsigned keep = ip_version == 4 ? 14 : 4; /* an IPv4 address is the last four bytes */
	memset(net.b + keep, 0, sizeof(net.b) - keep);
	return host_hash(&net, 0);
}

static int append(struct freezes *z, const struct freeze *f)
{
	if (z->n == z->room) {
		size_t room = z->room == 0 ? 16 : z->room * 2;
		struct freeze *list = realloc(z->list, room * sizeof(*list));
		if (list == NULL)
			return -ENOMEM;
		z->list = list;
		z->room = room;
	}
	z->list[z->n++] = *f;
	return 0;
}

void freezes_note(struct freezes *z, const struct flow *f, const struct evidence *ev)
{
	enum dir d;
	if (z->n >= FREEZES_MAX || !freezes_is_frozen(ev, &d))
		return;
	const struct resent *r = evidence_resent(ev, d);
	/* Without memory it is one freeze less that others are compared with. */
	(void)append(z, &(struct freeze){
				.flow_id = f->id,
				.start_ns = r->stuck != 0 ? r->stuck_ns
							  : ev->half[dir_other(d)].last_ns,
				.packets = ev->half[DIR_S2C].n_data,
				.net = net_hash(flow_addr(f, DIR_S2C), f->key.ip_version),
			});
}

int freezes_merge(struct freezes *to, const struct freezes *from)
{
	int err = 0;
	for (size_t i = 0; i < from->n && err == 0; i++)
		err = append(to, &from->list[i]);
	return err;
}

static int by_index(const void *a, const void *b)
{
	const struct freeze *x = a, *y = b;
	if (x->packets != y->packets)
		return x->packets < y->packets ? -1 : 1;
	return x->flow_id < y->flow_id ? -1 : x->flow_id > y->flow_id;
}

void freezes_sort(struct freezes *z)
{
	if (z->n > 1)
		qsort(z->list, z->n, sizeof(*z->list), by_index);
}

struct freeze_peers freezes_like(const struct freezes *z, uint64_t flow_id, uint32_t packets)
{
	struct freeze_peers p = {.flows = 0};
	uint32_t nets[PEERS_MAX];
	uint64_t first = UINT64_MAX, last = 0;
	size_t lo = 0, hi = z->n;
	if (packets < INDEX_MIN)
		return p;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (z->list[mid].packets + SPREAD < packets)
			lo = mid + 1;
		else
			hi = mid;
	}
	bool itself = false;
	for (; lo < z->n && z->list[lo].packets <= packets + SPREAD && p.flows < PEERS_MAX; lo++) {
		const struct freeze *f = &z->list[lo];
		bool known = false;
		for (unsigned i = 0; i < p.nets; i++)
			known |= nets[i] == f->net;
		if (!known)
			nets[p.nets++] = f->net;
		p.flows++;
		itself |= f->flow_id == flow_id;
		first = f->start_ns < first ? f->start_ns : first;
		last = f->start_ns > last ? f->start_ns : last;
	}
	p.span_ns = p.flows != 0 ? last - first : 0;
	return itself || p.flows == PEERS_MAX ? p : (struct freeze_peers){.flows = 0};
}

void freezes_free(struct freezes *z)
{
	free(z->list);
	*z = (struct freezes){.n = 0};
}
