/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Who is shown under which address. Noted are first all addresses with what they were seen as, then
 * pseudonyms are given, and after that only looked up. One thread.
 *
 *   pseudonyms_new -> pseudonyms_note for each address -> pseudonyms_settle -> pseudonyms_of, …
 *
 * A client anywhere is pseudonymised everywhere. Pseudonyms are Crypto-PAn's with the leading bits
 * left alone that tell unicast from multicast (in IPv6 also global, unique local and link-local
 * from each other), so that no host becomes a group. No pseudonym equals an address that is shown,
 * that of another client, or another's pseudonym: the few that would are moved to the nearest free
 * address, in the order of the addresses. What names no host (0.0.0.0/8, loopback, multicast,
 * broadcast) is shown. IPv4 is ::ffff:a.b.c.d throughout, so a mapped address is IPv4's.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/decode.h"
#include "tools/privacy/crypto_pan.h"

enum pseudonym_role {
	ROLE_SHOWN =
		1 << 0, /* a server, a router, an address in an answer: real, unless a client */
	ROLE_CLIENT = 1 << 1,
	ROLE_NEIGHBOUR = 1 << 2, /* met in ARP or neighbour discovery: private, unless shown */
};

struct pseudonyms;
int pseudonyms_new(struct pseudonyms **out, const uint8_t key[CRYPTO_PAN_KEY]); /* 0 or -errno */
void pseudonyms_free(struct pseudonyms *p);					/* NULL is fine */

/* role: enum pseudonym_role, or'ed. 0 or -ENOMEM. The order does not matter. */
int pseudonyms_note(struct pseudonyms *p, const struct ip_addr *a, unsigned role);
/* Who is a client is not known for sure: nobody is shown. Before settling. */
void pseudonyms_hide_all(struct pseudonyms *p);
int pseudonyms_settle(struct pseudonyms *p); /* once; 0 or -errno */

/* True: *out is its pseudonym. False: it is shown as it is, and *out is the same. */
bool pseudonyms_of(const struct pseudonyms *p, const struct ip_addr *a, struct ip_addr *out);
/*
 * The same for an address of a local network, where one that was never noted is private too. *out
 * must not be taken for an address that can be followed: it may be another's pseudonym.
 */
bool pseudonyms_of_neighbour(const struct pseudonyms *p, const struct ip_addr *a,
			     struct ip_addr *out);
/*
 * A MAC address: locally administered and unicast, the same for the same address. Groups stay, but
 * the 24 bits that 33:33:ff:… has of an IPv6 address (RFC 4291 section 2.7.1) become others.
 */
void pseudonyms_mac(const struct pseudonyms *p, const uint8_t mac[6], uint8_t out[6]);
/* The 24 bits that a solicited-node address (ff02::1:ff…) has of a host's. */
void pseudonyms_solicited(const struct pseudonyms *p, const uint8_t bits[3], uint8_t out[3]);

/*
 * The seed that resets follow which were made from these addresses in this order,
 * where it is not the usual one. Noting: 0 or -ENOMEM. 0: none was noted.
 */
int pseudonyms_note_seed(struct pseudonyms *p, const struct ip_addr *sip, const struct ip_addr *dip,
			 uint32_t seed);
uint32_t pseudonyms_seed(const struct pseudonyms *p, const struct ip_addr *sip,
			 const struct ip_addr *dip);

bool pseudonyms_knows(const struct pseudonyms *p, const struct ip_addr *a); /* it was noted */
/* Addresses that were given a pseudonym. */
size_t pseudonyms_count(const struct pseudonyms *p);
/* It is unspecified (0.0.0.0/8), loopback, multicast or broadcast: no host's. */
bool pseudonyms_is_special(const struct ip_addr *a);
/* IPv4, also as a mapped address of IPv6. */
bool pseudonyms_is_ip4(const struct ip_addr *a);
