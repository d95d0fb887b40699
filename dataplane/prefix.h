/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Address prefixes of either family. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/decode.h"

struct prefix {
	struct ip_addr addr; /* bits past the prefix are 0; IPv4 as ::ffff:a.b.c.d */
	uint8_t bits;        /* of the 128: IPv4's own length and 96 */
	uint8_t ip_version;
};

/* "10.0.0.0/8", "2001:db8::1": n characters of text. 0 or -EINVAL. */
int prefix_parse(const char *text, size_t n, struct prefix *out);
bool prefix_contains(const struct prefix *p, const struct ip_addr *a, unsigned ip_version);
/* a, which is in `from`, moved to `to` of the same version and length: later bits stay. */
void prefix_move(const struct prefix *to, struct ip_addr *a);
