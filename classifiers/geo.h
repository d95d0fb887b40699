/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Where an address is, from databases of MaxMind's format that the user has (--asn-db), or from what
 * the user says of the clients (--country). Offline; nothing is asked of anybody. Any thread may look up.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/packet.h"
#include "dataplane/decode.h"

#define GEO_FILES 4

struct geo_place {
	uint32_t asn;     /* 0: unknown */
	char org[64];     /* of the AS; "" unknown */
	char country[3];  /* ISO 3166-1 alpha-2, upper case; "" unknown */
};

struct geo;

/*
 * country: of the clients, two letters, or NULL. 0; -EINVAL for a bad country, -ENOTSUP for a file where
 * the build has no libmaxminddb, else -errno; why (of len bytes) then names file and reason.
 */
int geo_open(struct geo **out, const char *const *files, unsigned n, const char *country, char *why,
	     size_t len);
void geo_close(struct geo *g); /* NULL is fine */
/* False: nothing is known. g may be NULL. client: what the user said of the clients holds. */
bool geo_find(const struct geo *g, const struct ip_addr *a, unsigned ip_version, bool client,
	      struct geo_place *out);
