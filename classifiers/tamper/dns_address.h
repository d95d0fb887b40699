/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What an address in an answer is, and which names the public DNS has no answer for. */

#include <stdbool.h>

#include "dataplane/decode.h"

/* In rising order of what they tell against an answer to a public name. */
enum dns_address {
	ADDRESS_NONE,          /* the answer holds none */
	ADDRESS_PUBLIC,
	ADDRESS_DOCUMENTATION, /* RFC 5737, RFC 3849 */
	ADDRESS_LISTED,        /* 127/8 but for 127.0.0.1: what DNS lists answer (RFC 5782) */
	ADDRESS_UNSPECIFIED,   /* 0.0.0.0, :: */
	ADDRESS_PRIVATE,       /* RFC 1918, RFC 4193, shared (RFC 6598), link-local */
	ADDRESS_LOOPBACK,      /* 127.0.0.1, ::1 */
	ADDRESS_RESERVED,      /* 0/8, 192.0.0/24, multicast, 240/4, mapped IPv4 */
	ADDRESS_FACEBOOK,      /* 2a03:2880::/29 ending in face:b00c:0:25de (GFWatch, 2021) */
	ADDRESS_TEREDO,        /* 2001::/32 naming no Teredo server: no client has it (RFC 4380) */
};

enum dns_address dns_address_class(const struct ip_addr *addr, unsigned ip_version);
const char *dns_address_text(enum dns_address class); /* "a private address", … */

/* The address of a host that only its own network reaches: such a resolver has names of its own. */
bool dns_address_is_inside(const struct ip_addr *addr, unsigned ip_version);

/* The domain itself or a name below it; letters of any case are one. */
bool dns_name_is_within(const char *name, const char *domain);

/*
 * A name that the public DNS has, by its text: more than one label, no special-use domain (RFC
 * 6761, RFC 6762, RFC 7686, RFC 8375, RFC 9476), none of those that private networks use.
 */
bool dns_name_is_public(const char *name);
/* Looks up an address or domain in a DNS list: answers in 127/8 are its words. */
bool dns_name_is_listing(const char *name);
/* Systems and browsers look such names up to find out whether a portal stands before the Internet. */
bool dns_name_is_probe(const char *name);
