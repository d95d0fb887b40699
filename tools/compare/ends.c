/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Which addresses are at which end of the path, and so which conversations of one capture alone the other
 * should have.
 */

#include <string.h>
#include <xxhash.h>

#include "tools/compare/private.h"

static bool given(const struct comparison *c, enum compare_side end, const struct ip_addr *a)
{
	for (unsigned i = 0; i < c->cfg.n_ends[end]; i++) {
		if (memcmp(&c->cfg.ends[end][i], a, sizeof(*a)) == 0)
			return true;
	}
	return false;
}

const struct ip_addr *link_end(const struct conversation *k, const struct link *l,
			       enum compare_side end, uint16_t *port)
{
	bool a = (end == SIDE_CLIENT) == l->a_up, lo = a == k->a_is_lo;

	*port = lo ? k->key.lo_port : k->key.hi_port;
	return lo ? &k->key.lo : &k->key.hi;
}

/* Keys of what a capture has of linked conversations: addresses by end, and services. */
static uint64_t key_end(unsigned end, const struct ip_addr *a)
{
	return XXH3_64bits_withSeed(a, sizeof(*a), end + 1);
}

static uint64_t key_service(const struct conversation *k)
{
	uint16_t port = k->a_is_lo ? k->key.hi_port : k->key.lo_port;
	return mix64(port, 0x100 | k->key.proto);
}

static bool has(const struct chains *t, uint64_t key)
{
	uint32_t cursor;
	return chains_first(t, key, &cursor) != NO_INDEX;
}

static void put(struct chains *t, uint64_t key)
{
	if (!has(t, key))
		chains_add(t, key, 0);
}

/*
 * A conversation of one capture should be in the other if both of its ends are known to be at the
 * two ends of the path, and the other capture shows that it takes such traffic, unless the user
 * said so of both ends.
 */
static void expect_one(struct comparison *c, enum compare_side side, const struct chains *known,
		       struct link *l, bool *told_so)
{
	struct conversation *k = &c->view[side].conv[l->first_conv[side]];
	bool both = true, told = true;
	uint16_t port;

	/* Who is at which end: not by who opened it, if the ends are known the other way round. */
	for (unsigned turn = 0; turn < 2; turn++) {
		both = told = true;
		for (unsigned end = 0; end < SIDES; end++) {
			const struct ip_addr *a = link_end(k, l, end, &port);
			both = both && (has(known, key_end(end, a)) || given(c, end, a));
			told = told && given(c, end, a);
		}
		if (both)
			break;
		l->a_up = !l->a_up;
	}
	l->expected = both && (told || has(known, key_service(k)));
	*told_so = told;
}

/*
 * Past a translator: behind its address are itself and other hosts than the one captured, whose conversations
 * the other capture rightly lacks.
 */
static bool is_of_translator(const struct chains *seen, const struct conversation *k, const struct link *l)
{
	uint16_t port;
	return !has(seen, key_end(0, link_end(k, l, SIDE_CLIENT, &port)));
}

#define ALIKE_NS 3000000000ull /* as long as a packet may take: pair.c */

/* By which one is found that nothing in it lets one know again, such as a scanner's. */
static uint64_t key_moment(const struct conversation *k, const struct link *l, uint64_t ns)
{
	uint16_t port;
	uint64_t server = key_end(SIDE_SERVER, link_end(k, l, SIDE_SERVER, &port));
	return mix64(mix64(server, (uint64_t)k->key.proto << 16 | port), ns / ALIKE_NS);
}

struct lone {
	struct chains *known[SIDES]; /* ends and services of linked conversations */
	struct chains *seen;	     /* addresses in the client's capture */
	struct chains *outside;	     /* of a translator's conversations at the server, by server and time */
};

static void expect_lone(struct comparison *c, const struct lone *t, enum compare_side side, struct link *l)
{
	struct conversation *k = &c->view[side].conv[l->first_conv[side]];
	bool told;

	expect_one(c, side, t->known[side], l, &told);
	if (side == SIDE_SERVER && l->expected && !told && is_of_translator(t->seen, k, l)) {
		put(t->outside, key_moment(k, l, k->first_ns));
		l->expected = false;
	}
	if (side == SIDE_CLIENT && l->expected && !told) {
		uint64_t at = k->first_ns + (uint64_t)c->clock.offset_ns;
		for (unsigned i = 0; i < 3; i++)
			l->expected = l->expected &&
				      !has(t->outside, key_moment(k, l, at + i * ALIKE_NS - ALIKE_NS));
	}
	c->lone += l->expected;
	c->elsewhere += !l->expected;
}

static int lone_make(struct comparison *c, struct lone *t)
{
	const struct view *cv = &c->view[SIDE_CLIENT];
	int err = chains_new(&t->seen, cv->n_conv * 2);

	for (uint32_t i = 0; err == 0 && i < cv->n_conv; i++) {
		put(t->seen, key_end(0, &cv->conv[i].key.lo));
		put(t->seen, key_end(0, &cv->conv[i].key.hi));
	}
	if (err == 0)
		err = chains_new(&t->outside, c->view[SIDE_SERVER].n_conv);
	for (unsigned side = 0; err == 0 && side < SIDES; side++) {
		const struct view *v = &c->view[side];
		uint16_t port;
		err = chains_new(&t->known[side], v->n_conv * 3);
		for (uint32_t i = 0; err == 0 && i < v->n_conv; i++) {
			const struct conversation *k = &v->conv[i];
			const struct link *l = &c->links[k->link];
			if (l->pairs == 0)
				continue;
			put(t->known[side], key_end(SIDE_CLIENT, link_end(k, l, SIDE_CLIENT, &port)));
			put(t->known[side], key_end(SIDE_SERVER, link_end(k, l, SIDE_SERVER, &port)));
			put(t->known[side], key_service(k));
		}
	}
	return err;
}

int links_expect(struct comparison *c)
{
	struct lone t = {.seen = NULL};
	int err = lone_make(c, &t);

	/* The server's first, which tell what the client's may be. */
	for (unsigned side = SIDES; err == 0 && side-- > 0;) {
		for (uint32_t i = 0; i < c->n_links; i++) {
			struct link *l = &c->links[i];
			if (l->convs[side] != 0 && l->convs[!side] == 0)
				expect_lone(c, &t, side, l);
		}
	}
	chains_free(t.seen);
	chains_free(t.outside);
	for (unsigned side = 0; side < SIDES; side++)
		chains_free(t.known[side]);
	if (err != 0)
		return err;
	for (uint32_t i = 0; i < c->n_links; i++) {
		struct link *l = &c->links[i];
		if (l->convs[0] == 0 || l->convs[1] == 0)
			continue;
		l->expected = true;
		c->both++;
	}
	return links_sort(c, false);
}
