/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Addresses of companies that China's forgers answer other names with: of 1,781 that they used in 2020, 783
 * were Facebook's, 200 Twitter's and 180 Dropbox's (Hoang et al., GFWatch, USENIX Security 2021). Such an
 * answer for a name of no such company says little by itself, since nobody knows all of a company's names;
 * several do.
 */

#include "dataplane/decode.h"

enum dns_owner { OWNER_NONE, OWNER_FACEBOOK, OWNER_TWITTER, OWNER_DROPBOX };

/* Whose network the address is of, by the registries; OWNER_NONE: of none of the three. */
enum dns_owner dns_address_owner(const struct ip_addr *addr, unsigned ip_version);
/* The name is in one of its owner's domains, as far as they are known. */
bool dns_name_is_owners(const char *name, enum dns_owner owner);
/*
 * One of 64 bits for the answer's owner and the domain that the name is in, by its last two labels; 0: the
 * answer is the owner's own, or of nobody's network here. n_answers: records that the answer had; forgers
 * give one, and an alias makes two.
 */
uint64_t dns_decoy_bit(const char *name, const struct ip_addr *addr, unsigned ip_version,
		       unsigned n_answers);
