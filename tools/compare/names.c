/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What the conversations of the two captures asked for: each capture is also read as `analyze` reads
 * it, for its names and protocols alone.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/app/vpn.h"
#include "classifiers/attempt.h"
#include "classifiers/inspector.h"
#include "tools/compare/names.h"


struct names {
	struct analysis *a[SIDES];
	const struct flow_record **flow[SIDES]; /* by ends, then time */
	const struct attempt **attempt[SIDES];  /* by flow, then time */
	struct shards *shards[SIDES];
};

/* Each capture goes to its view and to the analysis. */
struct shards {
	const struct pipeline_hooks *view, *analysis;
};

struct shard {
	const struct shards *of;
	void *view, *analysis;
};

static void *shard_new(void *user, unsigned n)
{
	const struct shards *s = user;
	struct shard *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	*k = (struct shard){.of = s, .view = s->view->shard_new(s->view->user, n),
			    .analysis = s->analysis->shard_new(s->analysis->user, n)};
	if (k->analysis != NULL)
		return k;
	free(k);
	return NULL;
}

static void on_packet(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
		      const struct headers *h, uint64_t now_ns)
{
	struct shard *k = shard;
	k->of->view->on_packet(k->view, f, dir, pkt, h, now_ns);
	k->of->analysis->on_packet(k->analysis, f, dir, pkt, h, now_ns);
}

static void on_icmp(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
		    const struct headers *h)
{
	struct shard *k = shard;
	k->of->view->on_icmp(k->view, f, dir, pkt, h);
	k->of->analysis->on_icmp(k->analysis, f, dir, pkt, h);
}

static void on_flow_end(void *shard, struct flow *f, enum flow_end why)
{
	struct shard *k = shard;
	k->of->analysis->on_flow_end(k->analysis, f, why);
}

static void flow_soon(const void *shard, const struct flow *f, const struct headers *h)
{
	const struct shard *k = shard;
	k->of->analysis->flow_soon(k->analysis, f, h);
}

static void shard_free(void *user, void *shard)
{
	const struct shards *s = user;
	struct shard *k = shard;
	s->analysis->shard_free(s->analysis->user, k->analysis);
	s->view->shard_free(s->view->user, k->view);
	free(k);
}

int names_new(struct names **out)
{
	const struct analysis_config cfg = {.no_ndpi = true, .all_flows = true};
	struct names *n = calloc(1, sizeof(*n));
	int err = n == NULL ? -ENOMEM : 0;

	for (unsigned i = 0; err == 0 && i < SIDES; i++) {
		n->shards[i] = calloc(1, sizeof(*n->shards[i]));
		err = n->shards[i] == NULL ? -ENOMEM : analysis_new(&n->a[i], &cfg);
	}
	if (err != 0)
		names_free(n);
	*out = err == 0 ? n : NULL;
	return err;
}

void names_free(struct names *n)
{
	if (n == NULL)
		return;
	for (unsigned i = 0; i < SIDES; i++) {
		analysis_free(n->a[i]);
		free(n->flow[i]);
		free(n->attempt[i]);
		free(n->shards[i]);
	}
	free(n);
}

int names_hooks(struct names *n, enum compare_side side, const struct pipeline_hooks *view,
		struct pipeline_hooks *out)
{
	static const char *const file[] = {"-"};
	int err = analysis_begin(n->a[side], file, 1);
	const struct pipeline_hooks *inner = analysis_hooks(n->a[side]);

	*n->shards[side] = (struct shards){.view = view, .analysis = inner};
	*out = (struct pipeline_hooks){.user = n->shards[side], .shard_new = shard_new,
				       .on_packet = on_packet, .on_icmp = on_icmp,
				       .on_flow_end = on_flow_end, .shard_free = shard_free,
				       .scratch_near = inner->scratch_near,
				       .flow_soon = inner->flow_soon != NULL ? flow_soon : NULL};
	return err;
}

int names_captured(struct names *n, enum compare_side side, const struct pipeline_stats *stats,
		   int failed)
{
	/* A file that could not be opened never began. */
	return n->a[side]->n_captures != 0 ? analysis_end(n->a[side], stats, failed) : 0;
}

/* Finding flows again */

static int compare_u64(uint64_t x, uint64_t y)
{
	return x < y ? -1 : x > y;
}

static int compare_end(const struct ip_addr *x, uint16_t xp, const struct ip_addr *y, uint16_t yp)
{
	int by = memcmp(x, y, sizeof(*x));
	return by != 0 ? by : (int)xp - (int)yp;
}

/* The record's ends as a conversation has them. */
static struct flow_key ends_of(const struct flow_record *f)
{
	bool lo = compare_end(&f->client, f->client_port, &f->server, f->server_port) < 0;
	return (struct flow_key){.lo = lo ? f->client : f->server, .hi = lo ? f->server : f->client,
				 .lo_port = lo ? f->client_port : f->server_port,
				 .hi_port = lo ? f->server_port : f->client_port,
				 .proto = f->proto};
}

static int compare_keys(const struct flow_key *x, const struct flow_key *y)
{
	int by = (int)x->proto - (int)y->proto;
	by = by != 0 ? by : compare_end(&x->lo, x->lo_port, &y->lo, y->lo_port);
	return by != 0 ? by : compare_end(&x->hi, x->hi_port, &y->hi, y->hi_port);
}

static int by_ends(const void *x, const void *y)
{
	const struct flow_record *a = *(const struct flow_record *const *)x;
	const struct flow_record *b = *(const struct flow_record *const *)y;
	struct flow_key ka = ends_of(a), kb = ends_of(b);
	int by = compare_keys(&ka, &kb);
	by = by != 0 ? by : compare_u64(a->first_ns, b->first_ns);
	return by != 0 ? by : compare_u64(a->id, b->id);
}

static int by_flow(const void *x, const void *y)
{
	const struct attempt *a = *(const struct attempt *const *)x;
	const struct attempt *b = *(const struct attempt *const *)y;
	int by = compare_u64(a->flow_id, b->flow_id);
	return by != 0 ? by : compare_u64(a->start_ns, b->start_ns);
}

int names_ready(struct names *n)
{
	for (unsigned i = 0; i < SIDES; i++) {
		struct analysis *a = n->a[i];
		int err = analysis_judge(a);
		n->flow[i] = malloc((a->n_flows + 1) * sizeof(*n->flow[i]));
		n->attempt[i] = malloc((a->n_attempts + 1) * sizeof(*n->attempt[i]));
		if (err != 0 || n->flow[i] == NULL || n->attempt[i] == NULL)
			return -ENOMEM;
		for (size_t k = 0; k < a->n_flows; k++)
			n->flow[i][k] = a->flows[k];
		for (size_t k = 0; k < a->n_attempts; k++)
			n->attempt[i][k] = &a->attempts[k];
		qsort(n->flow[i], a->n_flows, sizeof(*n->flow[i]), by_ends);
		qsort(n->attempt[i], a->n_attempts, sizeof(*n->attempt[i]), by_flow);
	}
	return 0;
}

/* The last flow between these ends that had begun at ns, or the first; NULL: none. */
static const struct flow_record *flow_at(const struct names *n, enum compare_side side,
					 const struct flow_key *key, uint64_t ns)
{
	size_t lo = 0, hi = n->a[side]->n_flows;
	const struct flow_record *found = NULL;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		struct flow_key k = ends_of(n->flow[side][mid]);
		int by = compare_keys(&k, key);
		by = by != 0 ? by : n->flow[side][mid]->first_ns <= ns ? -1 : 1;
		if (by < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (size_t i = lo > 0 ? lo - 1 : 0; i <= lo && i < n->a[side]->n_flows; i++) {
		struct flow_key k = ends_of(n->flow[side][i]);
		if (found == NULL && compare_keys(&k, key) == 0)
			found = n->flow[side][i];
	}
	return found;
}

/* The flow's last attempt that had begun at ns; NULL: none. */
static const struct attempt *attempt_at(const struct names *n, enum compare_side side,
					const struct flow_record *f, uint64_t ns)
{
	size_t lo = 0, hi = n->a[side]->n_attempts;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct attempt *a = n->attempt[side][mid];
		if (a->flow_id < f->id || (a->flow_id == f->id && a->start_ns <= ns))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo > 0 && n->attempt[side][lo - 1]->flow_id == f->id ? n->attempt[side][lo - 1] : NULL;
}

/* A conversation's key in this file's order of ends. */
static struct flow_key key_of(const struct conversation *k)
{
	struct flow_key key = {.lo = k->key.lo, .hi = k->key.hi, .lo_port = k->key.lo_port,
			       .hi_port = k->key.hi_port, .proto = k->key.proto};
	if (compare_end(&key.lo, key.lo_port, &key.hi, key.hi_port) > 0)
		key = (struct flow_key){.lo = k->key.hi, .hi = k->key.lo,
					.lo_port = k->key.hi_port, .hi_port = k->key.lo_port,
					.proto = k->key.proto};
	return key;
}

struct asked names_asked(const struct names *n, enum compare_side side,
			 const struct conversation *k, uint64_t ns)
{
	struct flow_key key = key_of(k);
	const struct flow_record *f = flow_at(n, side, &key, ns);
	struct asked out = {.rec = f};

	if (f == NULL)
		return out;
	const struct attempt *a = attempt_at(n, side, f, ns);
	out.ns = a != NULL ? a->request_ns : 0;
	out.passed = a != NULL && a->end == ATTEMPT_OK;
	out.attempt = a;
	if (a != NULL && a->name != NULL) {
		out.kind = (enum trigger_kind)a->trigger;
		out.name = a->name;
	} else if (f->tls != NULL || f->vpn != NULL) {
		const char *vpn = f->vpn != NULL ? vpn_proto_name[f->vpn->proto] : "tls";
		out.kind = TRIGGER_PROTOCOL;
		out.name = vpn != NULL ? vpn : "fet";
	}
	return out;
}

const char *names_stamp(const struct names *n, enum compare_side side, const struct conversation *k,
			uint64_t ns, uint64_t frame)
{
	struct flow_key key = key_of(k);
	const struct flow_record *f = flow_at(n, side, &key, ns);
	const struct attempt *a = f != NULL ? attempt_at(n, side, f, ns) : NULL;
	const struct finding *found = a != NULL ? a->finding : NULL;

	for (unsigned i = 0; found != NULL && i < found->n_injectors; i++) {
		const struct injector *j = &found->injectors[i];
		for (unsigned p = 0; p < j->n_packets && j->mbx[0] != '\0'; p++)
			if (j->packets[p] == frame)
				return j->mbx;
	}
	return NULL;
}

void names_turn(const struct names *n, enum compare_side side, struct view *v)
{
	for (uint32_t i = 0; i < v->n_conv; i++) {
		struct conversation *k = &v->conv[i];
		struct flow_key key = key_of(k);
		const struct flow_record *f = k->key.proto == PROTO_UDP && !k->a_sure
						      ? flow_at(n, side, &key, k->first_ns) : NULL;
		/* A tunnel's first message says more than its ports. */
		if (f == NULL || f->vpn == NULL || f->vpn->midway)
			continue;
		k->a_is_lo = compare_end(&f->client, f->client_port, &k->key.lo,
					 k->key.lo_port) == 0;
		k->a_sure = true;
	}
}
