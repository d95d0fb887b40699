/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/privacy/pseudonyms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "classifiers/tamper/host_table.h"

#define HOSTS_MAX (1u << 24)

/* An entry of the table. */
struct host {
	struct ip_addr addr;
	struct ip_addr as; /* valid with given */
	uint8_t role;	   /* enum pseudonym_role, or'ed */
	bool given;
};

struct seed {
	struct ip_addr pair; /* the 4 bytes of each, zeros behind them */
	uint32_t seed;
};

struct pseudonyms {
	struct crypto_pan *cipher;
	struct host_table hosts;
	struct host_table used;	 /* pseudonyms that were given */
	struct host_table seeds; /* struct seed, by both addresses */
	size_t n_given;
	bool all; /* nobody is shown */
};

int pseudonyms_new(struct pseudonyms **out, const uint8_t key[CRYPTO_PAN_KEY])
{
	struct pseudonyms *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return -ENOMEM;
	p->hosts.size = sizeof(struct host);
	p->used.size = sizeof(struct ip_addr);
	p->seeds.size = sizeof(struct seed);
	int err = crypto_pan_new(&p->cipher, key);
	if (err != 0) {
		pseudonyms_free(p);
		return err;
	}
	*out = p;
	return 0;
}

void pseudonyms_free(struct pseudonyms *p)
{
	if (p == NULL)
		return;
	crypto_pan_free(p->cipher);
	host_table_free(&p->hosts);
	host_table_free(&p->used);
	host_table_free(&p->seeds);
	free(p);
}

bool pseudonyms_is_ip4(const struct ip_addr *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(a->b, mapped, sizeof(mapped)) == 0;
}

bool pseudonyms_is_special(const struct ip_addr *a)
{
	static const uint8_t zero[16];

	if (pseudonyms_is_ip4(a)) {
		const uint8_t *b = a->b + 12;
		return b[0] == 0 || b[0] == 127 || b[0] >> 4 == 14 ||
		       (b[0] & b[1] & b[2] & b[3]) == 0xff;
	}
	return a->b[0] == 0xff || (memcmp(a->b, zero, 15) == 0 && a->b[15] <= 1);
}

static unsigned leading_ones(uint8_t b)
{
	unsigned n = 0;

	while (n < 8 && (b & 0x80 >> n) != 0)
		n++;
	return n;
}

/*
 * How many leading bits are never flipped: those of every prefix that leads to 224.0.0.0/3, or to
 * 2000::/3, fc00::/7, fe80::/10 and ff00::/8. That is a choice of Crypto-PAn's function, so
 * prefixes are preserved as before.
 */
static unsigned kept_bits(const struct ip_addr *a, bool ip4)
{
	const uint8_t *b = a->b + (ip4 ? 12 : 0);
	unsigned ones = leading_ones(b[0]);

	if (ip4)
		return ones < 3 ? ones + 1 : 4;
	if (ones == 0)
		return (b[0] & 0x40) != 0 ? 2 : 3;
	if (ones < 6)
		return ones + 1;
	if (ones == 7)
		return (b[1] & 0x80) != 0 ? 10 : 9;
	return 8;
}

static int encrypt(const struct pseudonyms *p, const struct ip_addr *a, struct ip_addr *out)
{
	bool ip4 = pseudonyms_is_ip4(a);
	unsigned at = ip4 ? 12 : 0, bits = ip4 ? 32 : 128, kept = kept_bits(a, ip4);
	uint8_t flips[16];

	int err = crypto_pan_flips(p->cipher, a->b + at, bits, flips);
	if (err != 0)
		return err;
	for (unsigned i = 0; i < kept; i++)
		flips[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	*out = *a;
	for (unsigned i = 0; i < bits / 8; i++)
		out->b[at + i] ^= flips[i];
	return 0;
}

static void *find(const struct host_table *t, const struct ip_addr *a)
{
	if (t->room == 0)
		return NULL;
	uint32_t i = host_table_find(t, a, 0, host_hash(a, 0));
	return t->hashes[i] != 0 ? host_table_slot(t, i) : NULL;
}

int pseudonyms_note(struct pseudonyms *p, const struct ip_addr *a, unsigned role)
{
	bool fresh;

	if (pseudonyms_is_special(a))
		return 0;
	struct host *h = host_table_get(&p->hosts, a, 0, &fresh, HOSTS_MAX);
	if (h == NULL)
		return -ENOMEM;
	h->role |= (uint8_t)role;
	return 0;
}

static bool is_private(const struct pseudonyms *p, const struct host *h)
{
	return p->all || (h->role & ROLE_CLIENT) != 0 ||
	       ((h->role & ROLE_NEIGHBOUR) != 0 && (h->role & ROLE_SHOWN) == 0);
}

void pseudonyms_hide_all(struct pseudonyms *p)
{
	p->all = true;
}

static int by_address(const void *x, const void *y)
{
	const struct host *const *a = x, *const *b = y;

	return memcmp(&(*a)->addr, &(*b)->addr, sizeof((*a)->addr));
}

/* Someone is known under this address, real or not, or no host can be. */
static bool is_taken(const struct pseudonyms *p, const struct ip_addr *a)
{
	return pseudonyms_is_special(a) || find(&p->hosts, a) != NULL || find(&p->used, a) != NULL;
}

/*
 * Some network of clients becomes 0.0.0.0/8 or 127.0.0.0/8, which are no host's: it moves as one,
 * to 64.0.0.0/8 or 63.0.0.0/8.
 */
static void avoid_special(struct ip_addr *a)
{
	if (pseudonyms_is_ip4(a) && (a->b[12] == 0 || a->b[12] == 127))
		a->b[12] ^= 0x40;
}

/* The address i steps away, in the same 2^24. */
static struct ip_addr step(const struct ip_addr *a, uint32_t i)
{
	struct ip_addr out = *a;

	out.b[15] ^= (uint8_t)i;
	out.b[14] ^= (uint8_t)(i >> 8);
	out.b[13] ^= (uint8_t)(i >> 16);
	return out;
}

static int give(struct pseudonyms *p, struct host *h, const struct ip_addr *as)
{
	bool fresh;

	if (host_table_get(&p->used, as, 0, &fresh, HOSTS_MAX) == NULL)
		return -ENOMEM;
	h->as = *as;
	h->given = true;
	p->n_given++;
	return 0;
}

/* First all that can have Crypto-PAn's own, so that who is moved depends on as little as can be. */
static int give_all(struct pseudonyms *p, struct host **list, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && err == 0; i++) {
		err = encrypt(p, &list[i]->addr, &list[i]->as);
		avoid_special(&list[i]->as);
		if (err == 0 && !is_taken(p, &list[i]->as))
			err = give(p, list[i], &list[i]->as);
	}
	for (size_t i = 0; i < n && err == 0; i++) {
		if (list[i]->given)
			continue;
		struct ip_addr as = list[i]->as;
		uint32_t away = 0;
		while (away < 1u << 24 && is_taken(p, &as))
			as = step(&list[i]->as, ++away);
		err = is_taken(p, &as) ? -ENOSPC : give(p, list[i], &as);
	}
	return err;
}

int pseudonyms_settle(struct pseudonyms *p)
{
	struct host **list = calloc((size_t)p->hosts.n + 1, sizeof(struct host *));
	size_t n = 0;

	if (list == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->hosts.room; i++) {
		struct host *h = (struct host *)(void *)host_table_slot(&p->hosts, i);
		if (p->hosts.hashes[i] != 0 && is_private(p, h))
			list[n++] = h;
	}
	if (n != 0)
		qsort(list, n, sizeof(struct host *), by_address);
	int err = give_all(p, list, n);
	free(list);
	return err;
}

bool pseudonyms_of(const struct pseudonyms *p, const struct ip_addr *a, struct ip_addr *out)
{
	const struct host *h = find(&p->hosts, a);

	if (h == NULL && p->all && !pseudonyms_is_special(a) && find(&p->used, a) == NULL)
		return pseudonyms_of_neighbour(p, a, out);
	*out = h != NULL && h->given ? h->as : *a;
	return h != NULL && h->given;
}

bool pseudonyms_of_neighbour(const struct pseudonyms *p, const struct ip_addr *a,
			     struct ip_addr *out)
{
	const struct host *h = find(&p->hosts, a);

	if (h != NULL || pseudonyms_is_special(a)) {
		*out = h != NULL && h->given ? h->as : *a;
		return h != NULL && h->given;
	}
	if (encrypt(p, a, out) != 0)
		*out = (struct ip_addr){.b = {0}};
	avoid_special(out);
	for (uint32_t i = 1; is_taken(p, out); i++)
		*out = step(out, i);
	return true;
}

/* Sixteen bytes that depend on the key, on what they are for, and on these bytes. */
static void keyed(const struct pseudonyms *p, char what, const uint8_t *in, size_t len,
		  uint8_t out[16])
{
	uint8_t block[16] = {'w', 'm', 's', 'c', 'o', 'p', 'e', 0, (uint8_t)what};

	memcpy(block + 10, in, len);
	if (crypto_pan_block(p->cipher, block, out) != 0)
		memset(out, 0, 16);
}

void pseudonyms_solicited(const struct pseudonyms *p, const uint8_t bits[3], uint8_t out[3])
{
	uint8_t block[16];

	keyed(p, 's', bits, 3, block);
	memcpy(out, block, 3);
}

void pseudonyms_mac(const struct pseudonyms *p, const uint8_t mac[6], uint8_t out[6])
{
	static const uint8_t zero[6];
	uint8_t block[16];

	memmove(out, mac, 6);
	if (mac[0] == 0x33 && mac[1] == 0x33 && mac[2] == 0xff) {
		pseudonyms_solicited(p, mac + 3, out + 3);
		return;
	}
	if ((mac[0] & 1) != 0 || memcmp(mac, zero, 6) == 0)
		return;
	keyed(p, 'm', mac, 6, block);
	memcpy(out, block, 6);
	out[0] = (uint8_t)((out[0] & 0xfc) | 2);
}

/* IPv4's: the relation knows no other. */
static struct ip_addr pair_of(const struct ip_addr *sip, const struct ip_addr *dip)
{
	struct ip_addr pair = {.b = {0}};

	memcpy(pair.b, sip->b + 12, 4);
	memcpy(pair.b + 4, dip->b + 12, 4);
	return pair;
}

int pseudonyms_note_seed(struct pseudonyms *p, const struct ip_addr *sip, const struct ip_addr *dip,
			 uint32_t seed)
{
	struct ip_addr pair = pair_of(sip, dip);
	bool fresh;
	struct seed *s = host_table_get(&p->seeds, &pair, 0, &fresh, HOSTS_MAX);

	if (s == NULL)
		return -ENOMEM;
	s->seed = seed;
	return 0;
}

uint32_t pseudonyms_seed(const struct pseudonyms *p, const struct ip_addr *sip,
			 const struct ip_addr *dip)
{
	struct ip_addr pair = pair_of(sip, dip);
	const struct seed *s = find(&p->seeds, &pair);

	return s != NULL ? s->seed : 0;
}

bool pseudonyms_knows(const struct pseudonyms *p, const struct ip_addr *a)
{
	return find(&p->hosts, a) != NULL;
}

size_t pseudonyms_count(const struct pseudonyms *p)
{
	return p->n_given;
}
