/* SPDX-License-Identifier: BSD-3-Clause */

/* What the fates of its packets say of each conversation. */

#include "tools/compare/dealings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/app/quic.h"
#include "classifiers/app/vpn.h"
#include "classifiers/attempt.h"
#include "tools/compare/findings.h"

#define IDLE_NS 20000000000ULL      /* a translator forgets no sooner */
#define POLICED_LOST 15             /* packets: Flach et al., SIGCOMM 2016, on policing */
#define POLICED_TIMES 4             /* the share that others lose, at least */
#define POLICED_SHARE 0.05
#define POLICED_PAST 65536          /* bytes, more than the buckets that Flach et al. measured mostly held */
#define HELLO_RANDOM 11             /* where a ServerHello's random begins in its record: RFC 8446, 4.1.3 */
#define RANDOM_BYTES 32
#define HELLO_BYTES (HELLO_RANDOM + RANDOM_BYTES)

enum { PROTO_TCP = 6, PROTO_GRE = 47, TLS_ALERT = 0x15, TLS_HANDSHAKE = 0x16, SERVER_HELLO = 2 };

/* One conversation while it is looked at. */
struct look {
	const struct comparison *c;
	const struct link *l;
	const struct hellos *hellos;
	struct dealing *d;
	const struct finding *forged[WAYS]; /* found of what arrived that way */
	bool split, turned;                 /* turned: who opened it is not who asked */
	uint64_t first_ns, last_ns;         /* of what was done, by the client's clock */
	uint32_t weight[2];                 /* enum dir */
};

static enum dir dir_of(const struct look *k, enum compare_way way)
{
	return (way == WAY_UP) == (k->l->a_up != k->turned) ? DIR_C2S : DIR_S2C;
}

static uint64_t client_ns(const struct comparison *c, enum compare_side side, uint64_t ns)
{
	return side == SIDE_SERVER ? ns - (uint64_t)c->clock.offset_ns : ns;
}

static bool got_through(const struct digest *d)
{
	return d->fate == FATE_SAME || d->fate == FATE_RESEGMENTED || d->fate == FATE_MODIFIED;
}

static void mark(struct look *k, uint64_t ns)
{
	k->first_ns = k->first_ns == 0 || ns < k->first_ns ? ns : k->first_ns;
	k->last_ns = ns > k->last_ns ? ns : k->last_ns;
}

/* What ends are kept from missing by themselves: acknowledgements alone are lost unnoticed. */
static bool matters(const struct view *v, const struct digest *d)
{
	return d->twin == NO_INDEX && (!is_tcp(v, d) || (digest_span(d) != 0 && (d->flags & TCP_RST) == 0));
}

/* Forgeries */

static bool is_hello(const struct view *v, const struct digest *d)
{
	const uint8_t *p = payload_at(v, d, 0, HELLO_BYTES);
	return p != NULL && p[0] == TLS_HANDSHAKE && p[1] == 3 && p[5] == SERVER_HELLO;
}

/* Randoms of what servers sent, sorted; none where the server's capture may lack one. */
struct hellos {
	const uint8_t **random;
	uint32_t n;
	bool all;
};

static int by_random(const void *x, const void *y)
{
	return memcmp(*(const uint8_t *const *)x, *(const uint8_t *const *)y, RANDOM_BYTES);
}

static int hellos_make(const struct comparison *c, struct hellos *out)
{
	const struct view *v = &c->view[SIDE_SERVER];
	uint32_t n = 0;

	for (uint32_t i = 0; i < v->n; i++)
		n += is_hello(v, &v->d[i]);
	out->random = calloc((size_t)n + 1, sizeof(*out->random));
	if (out->random == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < v->n; i++)
		if (v->d[i].fate != FATE_INJECTED && is_hello(v, &v->d[i]))
			out->random[out->n++] = payload_at(v, &v->d[i], HELLO_RANDOM, RANDOM_BYTES);
	qsort((void *)out->random, out->n, sizeof(*out->random), by_random);
	out->all = out->n != 0 && !v->lossy && !v->full;
	return 0;
}

/* No server sent a ServerHello with this random. */
static bool is_alien(const struct hellos *h, const uint8_t *hello)
{
	const uint8_t *random = hello + HELLO_RANDOM;
	return h->all && bsearch(&random, (const void *)h->random, h->n, sizeof(random), by_random) == NULL;
}

static unsigned deed_of(const struct look *k, const struct view *v, const struct digest *d,
			enum compare_way way)
{
	const struct finding *f = k->forged[way];
	const uint8_t *p = payload_at(v, d, 0, 3);

	if (way == WAY_DOWN && is_hello(v, d) && is_alien(k->hellos, payload_at(v, d, 0, HELLO_BYTES)))
		return 1u << DEED_INTERCEPTS;
	if (f == NULL || f->verdict < VERDICT_LIKELY)
		return 0;
	if (f->family == FAMILY_DNS_INJECTION)
		return 1u << DEED_ANSWERS;
	if (f->family == FAMILY_HTTP_INJECTION)
		return 1u << DEED_PAGES;
	if ((d->flags & TCP_RST) != 0 && is_tcp(v, d))
		return 1u << DEED_RESETS;
	return p != NULL && p[0] == TLS_ALERT && p[1] == 3 ? 1u << DEED_ALERTS : 0;
}

/* What the other end had sent last when the forgery arrived is what drew it. */
static void look_behind(struct look *k, enum compare_way way, uint64_t ns)
{
	const struct view *v = &k->c->view[sender_of(!way)];
	const struct list *p = &k->l->list[sender_of(!way)][!way];
	const struct digest *drew = NULL;

	for (uint32_t i = 0; i < p->n; i++) {
		const struct digest *d = &v->d[p->v[i]];
		if (matters(v, d) && client_ns(k->c, sender_of(!way), d->ts_ns) <= ns)
			drew = d;
	}
	k->d->out |= drew != NULL && drew->fate == FATE_DROPPED;
	k->d->by |= drew != NULL && got_through(drew);
}

static void look_at_forged(struct look *k, enum compare_way way)
{
	enum compare_side side = receiver_of(way);
	const struct view *v = &k->c->view[side];
	const struct list *p = &k->l->list[side][way];
	bool first = true;

	for (uint32_t i = 0; i < p->n; i++) {
		const struct digest *d = &v->d[p->v[i]];
		bool forged = d->fate == FATE_INJECTED || d->fate == FATE_MODIFIED;
		unsigned deed = forged && d->twin == NO_INDEX ? deed_of(k, v, d, way) : 0;
		if (deed == 0)
			continue;
		uint64_t ns = client_ns(k->c, side, d->ts_ns);
		k->d->deeds |= deed;
		k->d->to[dir_of(k, way)] = true;
		mark(k, ns);
		if (first && d->fate == FATE_INJECTED)
			look_behind(k, way, ns);
		if (k->d->mbx == NULL)
			k->d->mbx = names_stamp(k->c->names, side, &v->conv[d->conv], d->ts_ns, d->frame);
		first = false;
	}
}

/* Drops */

/* The last packet that got through before ns, either way. */
static uint64_t active_before(const struct look *k, uint64_t ns)
{
	uint64_t last = 0;
	for (unsigned way = 0; way < WAYS; way++) {
		enum compare_side side = sender_of(way);
		const struct list *p = &k->l->list[side][way];
		for (uint32_t i = 0; i < p->n; i++) {
			const struct digest *d = &k->c->view[side].d[p->v[i]];
			uint64_t t = client_ns(k->c, side, d->ts_ns);
			if (got_through(d) && t < ns && t > last)
				last = t;
		}
	}
	return last;
}

/* Lost packets behind which nothing more got through that way; or copies of one, none of which did. */
static void look_at_dropped(struct look *k, enum compare_way way, const uint32_t largest[WAYS])
{
	enum compare_side side = sender_of(way);
	const struct view *v = &k->c->view[side];
	const struct list *p = &k->l->list[side][way];
	uint64_t from = 0, to = 0;
	uint32_t tail = 0, too_large = 0, lost = 0;

	for (uint32_t i = 0; i < p->n; i++) {
		const struct digest *d = &v->d[p->v[i]];
		uint64_t t = client_ns(k->c, side, d->ts_ns);
		if (!matters(v, d))
			continue;
		tail = got_through(d) ? 0 : tail;
		if (d->fate != FATE_DROPPED)
			continue;
		from = tail++ == 0 ? t : from;
		to = t;
		lost++;
		too_large += d->ip_len > largest[way] && d->ip_len > MTU_SAFE;
	}
	uint32_t weight = tail;
	if (k->l->stuck[way] > tail) {
		weight = k->l->stuck[way];
		from = client_ns(k->c, side, k->l->stuck_ns[way]);
	}
	/* What a capture with gaps lacks may have been there. */
	if (k->c->view[receiver_of(way)].lossy)
		return;
	uint64_t active = weight != 0 ? active_before(k, from) : 0;
	bool idle = k->d->proto == PROTO_TCP && active != 0 && from - active >= IDLE_NS;
	uint64_t ahead = side == SIDE_SERVER ? (uint64_t)k->c->clock.offset_ns : 0;
	bool forgotten = k->d->proto == PROTO_TCP && weight != 0 &&
			 forgot_dropped(k->c, k->l, way, from + ahead, to + ahead);
	k->d->forgotten |= forgotten;
	if (weight == 0 || too_large == lost || idle || forgotten)
		return;
	k->weight[dir_of(k, way)] = weight;
	mark(k, from);
	mark(k, to);
}

static void weigh_dropped(struct look *k)
{
	struct dealing *d = k->d;
	uint32_t more = k->weight[0] > k->weight[1] ? k->weight[0] : k->weight[1];

	if (more == 0)
		return;
	d->deeds |= 1u << DEED_DROPS;
	d->weight = more;
	/* One lost packet beside a direction that is dead may be anything. */
	for (unsigned dir = 0; dir < 2 && (d->deeds & ((1u << DEED_DROPS) - 1)) == 0; dir++)
		d->to[dir] = k->weight[dir] != 0 && (k->weight[dir] >= 3 || more < 3);
}

/* Sums */

static void count(struct look *k, enum compare_way way)
{
	enum compare_side side = sender_of(way);
	const struct view *v = &k->c->view[side];
	const struct list *p = &k->l->list[side][way];
	enum dir dir = dir_of(k, way);
	bool whole = true, gaps = k->c->view[receiver_of(way)].lossy;

	for (uint32_t i = 0; i < p->n; i++) {
		const struct digest *d = &v->d[p->v[i]];
		uint64_t t = client_ns(k->c, side, d->ts_ns);
		if (d->twin != NO_INDEX)
			continue;
		if (d->len != 0 && d->fate == FATE_DROPPED) {
			k->d->lost_ns[dir] = whole ? t : k->d->lost_ns[dir];
			k->d->held_ns[dir] = t;
			k->d->held[dir] = k->d->bytes[dir];
			whole = false;
		}
		k->d->bytes[dir] += got_through(d) ? d->len : 0;
		k->d->burst[dir] += got_through(d) && whole ? d->len : 0;
		k->d->start_ns = k->d->start_ns == 0 || t < k->d->start_ns ? t : k->d->start_ns;
		if (got_through(d) && t > k->d->last_ns)
			k->d->last_ns = t;
		k->d->sent[dir] += d->len != 0 && (got_through(d) || d->fate == FATE_DROPPED);
		k->d->lost[dir] += d->len != 0 && d->fate == FATE_DROPPED && !gaps;
		if (got_through(d) && (k->first_ns == 0 || t < k->first_ns))
			k->d->through += d->len;
	}
}

static bool any_through(const struct look *k, enum dir dir, bool payload)
{
	enum compare_way way = dir_of(k, WAY_UP) == dir ? WAY_UP : WAY_DOWN;
	const struct list *p = &k->l->list[sender_of(way)][way];
	for (uint32_t i = 0; i < p->n; i++) {
		const struct digest *d = &k->c->view[sender_of(way)].d[p->v[i]];
		if (got_through(d) && (!payload || d->len != 0))
			return true;
	}
	return false;
}

static const char *protocol_of(const struct asked *a)
{
	const struct flow_record *r = a->rec;
	if (r != NULL && r->vpn != NULL)
		return vpn_proto_name[r->vpn->proto] != NULL ? vpn_proto_name[r->vpn->proto] : "fet";
	if (a->attempt != NULL && (a->attempt->bits & ATTEMPT_FET) != 0)
		return "fet";
	if (a->kind == TRIGGER_PROTOCOL)
		return a->name;
	return r != NULL && strcmp(r->app_proto, "unknown") != 0 ? r->app_proto : NULL;
}

static void who(struct look *k)
{
	struct dealing *d = k->d;
	enum compare_side side = k->l->convs[SIDE_CLIENT] != 0 ? SIDE_CLIENT : SIDE_SERVER;
	const struct conversation *v = &k->c->view[side].conv[k->l->first_conv[side]];
	struct asked a = names_asked_by(k->c, k->l, client_ns(k->c, side, v->last_ns));

	d->link = (uint32_t)(k->l - k->c->links);
	d->flow_id = (uint64_t)side << 40 | v->first_frame << 2;
	d->client = v->a_is_lo ? v->key.lo : v->key.hi;
	d->server = v->a_is_lo ? v->key.hi : v->key.lo;
	d->client_port = v->a_is_lo ? v->key.lo_port : v->key.hi_port;
	d->server_port = v->a_is_lo ? v->key.hi_port : v->key.lo_port;
	d->proto = v->key.proto;
	d->ip_version = v->key.ip_version;
	/* Of datagrams content knows better than ports who asked. */
	if (a.rec != NULL && a.rec->client_port == d->server_port && a.rec->server_port == d->client_port &&
	    memcmp(&a.rec->client, &d->server, sizeof(d->server)) == 0 && d->proto != PROTO_TCP) {
		d->client = a.rec->client;
		d->server = a.rec->server;
		d->client_port = a.rec->client_port;
		d->server_port = a.rec->server_port;
		k->turned = true;
	}
	/* What GRE carries is let through or not apart from the connection that speaks of it. */
	d->protocol = d->proto == PROTO_GRE ? "gre" : protocol_of(&a);
	if (a.kind != TRIGGER_PROTOCOL && a.name != NULL && a.name[0] != '\0') {
		d->kind = a.kind;
		d->name = a.name;
	}
	d->version = a.rec != NULL && a.rec->quic != NULL ? a.rec->quic->version : 0;
}

static void how_it_ended(struct look *k)
{
	struct dealing *d = k->d;
	const struct conversation *v = &k->c->view[SIDE_CLIENT].conv[k->l->first_conv[SIDE_CLIENT]];
	struct asked a = {.rec = NULL};

	if (k->l->convs[SIDE_CLIENT] != 0)
		a = names_asked(k->c->names, SIDE_CLIENT, v, v->last_ns);
	enum attempt_end end = a.attempt != NULL ? a.attempt->end : ATTEMPT_UNKNOWN;
	/* Of one direction alone that it got through is all there is. */
	bool both = k->c->clock.both_ways;
	bool up = any_through(k, DIR_C2S, true), down = any_through(k, DIR_S2C, true);
	bool answered = both ? up && down : up || down;
	bool back = !both || any_through(k, DIR_S2C, false);
	end = both ? end : ATTEMPT_UNKNOWN;
	d->early = d->proto == PROTO_TCP && !back && !k->split && (d->deeds & 1u << DEED_INTERCEPTS) == 0;
	const struct finding *f = a.attempt != NULL ? a.attempt->finding : NULL;
	d->told = f != NULL && strcmp(f->id, "icmp-unreachable") == 0 && d->deeds == 1u << DEED_DROPS;
	if (d->told) { /* what drew the refusal is taken out, as by a box that resets */
		d->to[DIR_S2C] = true;
		d->to[DIR_C2S] = false;
	}
	/* Through a proxy that hands on what the server said nothing is the same but that. */
	d->passed = d->deeds == 0 && !d->forgotten &&
		    (k->split ? end == ATTEMPT_OK
					       : answered && (end == ATTEMPT_OK || end == ATTEMPT_UNKNOWN));
}

/* At most one of each conversation, way and kind: found again by the link that their note names. */
static void findings_of(const struct comparison *c, struct dealing *list, const struct finding **forged,
			bool *split)
{
	const struct analysis *a = &c->analysis;
	for (size_t i = 0; i < a->n_findings; i++) {
		const struct finding *f = a->findings[i];
		uint32_t l = f->compare->conversation;
		struct dealing *d = &list[l];
		bool up = (f->direction == DIR_C2S) == c->links[l].a_up;
		d->n_findings++;
		if (d->worst == NULL || f->verdict > d->worst->verdict)
			d->worst = f;
		split[l] |= strcmp(f->id, "two-sided-split") == 0;
		if (f->family != FAMILY_SILENT_DROP && f->family != FAMILY_VPN_INTERFERENCE)
			forged[2 * (size_t)l + (up ? WAY_UP : WAY_DOWN)] = f;
	}
}

static void largest_through(const struct comparison *c, uint32_t out[WAYS])
{
	for (unsigned way = 0; way < WAYS; way++) {
		const struct view *v = &c->view[sender_of(way)];
		out[way] = 0;
		for (uint32_t i = 0; i < c->n_links; i++) {
			const struct list *p = &c->links[i].list[sender_of(way)][way];
			for (uint32_t k = 0; k < p->n; k++)
				if (got_through(&v->d[p->v[k]]) && v->d[p->v[k]].ip_len > out[way])
					out[way] = v->d[p->v[k]].ip_len;
		}
	}
}

/* Policing */

static double share(const struct dealing *d, enum dir dir)
{
	return d->sent[dir] != 0 ? (double)d->lost[dir] / d->sent[dir] : 0;
}

/* A share lost that those nothing was done to do not lose, and yet data goes on. */
static void find_throttled(struct dealings *out)
{
	for (uint32_t i = 0; i < out->n; i++) {
		struct dealing *d = &out->list[i];
		for (unsigned dir = 0; dir < 2; dir++) {
			if (d->deeds != 0 || d->forgotten || d->lost[dir] < POLICED_LOST ||
			    share(d, dir) < POLICED_SHARE || share(d, dir) < POLICED_TIMES * out->loss)
				continue;
			d->deeds |= 1u << DEED_THROTTLES;
			d->passed = false;
			d->to[dir] = true;
			d->from_ns = d->lost_ns[dir];
			d->to_ns = d->last_ns;
			/* Others show that they are not held once they got past what a bucket holds. */
			uint64_t past = d->burst[dir] > POLICED_PAST ? d->burst[dir] : POLICED_PAST;
			d->through = d->through / 2 < past ? d->through / 2 : past;
		}
	}
}

static void find_loss(struct dealings *out)
{
	uint64_t sent = 0, lost = 0;
	for (uint32_t i = 0; i < out->n; i++) {
		const struct dealing *d = &out->list[i];
		for (unsigned dir = 0; dir < 2 && d->passed && d->lost[dir] < POLICED_LOST; dir++) {
			sent += d->sent[dir];
			lost += d->lost[dir];
		}
	}
	out->loss = sent != 0 ? (double)lost / (double)sent : 0;
}

static void look_at(struct look *k, const uint32_t largest[WAYS])
{
	who(k);
	for (unsigned way = 0; way < WAYS && k->l->expected; way++)
		look_at_forged(k, way);
	/* What a proxy took in for itself was not dropped. */
	bool taken = k->split || (k->d->deeds & 1u << DEED_INTERCEPTS) != 0;
	for (unsigned way = 0; way < WAYS && k->l->expected && !taken; way++)
		look_at_dropped(k, way, largest);
	weigh_dropped(k);
	for (unsigned way = 0; way < WAYS; way++)
		count(k, way);
	how_it_ended(k);
	k->d->from_ns = k->first_ns;
	k->d->to_ns = k->last_ns;
	uint64_t most = k->d->bytes[0] > k->d->bytes[1] ? k->d->bytes[0] : k->d->bytes[1];
	uint64_t ns = k->d->last_ns - k->d->start_ns;
	k->d->rate_bps = ns != 0 && k->d->last_ns > k->d->start_ns ? (double)most * 8e9 / (double)ns : 0;
}

static int by_start(const void *x, const void *y)
{
	const struct dealing *a = x, *b = y;
	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns ? -1 : 1;
	return a->link < b->link ? -1 : a->link > b->link;
}

int dealings_make(struct comparison *c, struct dealings *out)
{
	uint32_t n = c->n_links, largest[WAYS];
	const struct finding **forged = calloc(2 * (size_t)n + 1, sizeof(*forged));
	bool *split = calloc((size_t)n + 1, sizeof(*split));

	struct hellos hellos = {.n = 0};
	int err = hellos_make(c, &hellos);

	*out = (struct dealings){.list = calloc((size_t)n + 1, sizeof(*out->list)), .n = n};
	if (err != 0 || forged == NULL || split == NULL || out->list == NULL) {
		err = -ENOMEM;
		goto out;
	}
	findings_of(c, out->list, forged, split);
	largest_through(c, largest);
	for (uint32_t i = 0; i < n; i++) {
		struct look k = {.c = c, .l = &c->links[i], .hellos = &hellos, .d = &out->list[i],
				 .forged = {forged[2 * (size_t)i], forged[2 * (size_t)i + 1]},
				 .split = split[i]};
		look_at(&k, largest);
	}
	qsort(out->list, n, sizeof(*out->list), by_start);
	find_loss(out);
	find_throttled(out);
	out->loss = out->loss > LOSS_FLOOR ? out->loss : LOSS_FLOOR;
out:
	free((void *)hellos.random);
	free((void *)forged);
	free(split);
	return err;
}

void dealings_free(struct dealings *d)
{
	free(d->list);
	d->list = NULL;
}
