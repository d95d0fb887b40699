/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/prefix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* Of byte i, the bits that belong to a prefix of this length. */
static uint8_t mask_of(unsigned bits, unsigned i)
{
	unsigned before = i * 8;

	if (bits <= before)
		return 0;
	return bits - before >= 8 ? 0xff : (uint8_t)(0xff00 >> (bits - before));
}

static int parse_length(const char *text, unsigned most, unsigned *out)
{
	unsigned v = 0;

	if (text[0] == '\0' || strlen(text) > 3)
		return -EINVAL;
	for (; *text >= '0' && *text <= '9'; text++)
		v = v * 10 + (unsigned)(*text - '0');
	*out = v;
	return *text == '\0' && v <= most ? 0 : -EINVAL;
}

int prefix_parse(const char *text, size_t n, struct prefix *out)
{
	char copy[INET6_ADDRSTRLEN + 4];
	struct in_addr v4;

	if (n >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, n);
	copy[n] = '\0';
	char *length = strchr(copy, '/');
	if (length != NULL)
		*length++ = '\0';
	*out = (struct prefix){.ip_version = 6};
	if (inet_pton(AF_INET, copy, &v4) == 1) {
		out->ip_version = 4;
		out->addr = (struct ip_addr){.b = {[10] = 0xff, [11] = 0xff}};
		memcpy(out->addr.b + 12, &v4, sizeof(v4));
	} else if (inet_pton(AF_INET6, copy, out->addr.b) != 1) {
		return -EINVAL;
	}
	unsigned most = out->ip_version == 4 ? 32 : 128, bits = most;
	if (length != NULL && parse_length(length, most, &bits) != 0)
		return -EINVAL;
	out->bits = (uint8_t)(bits + (128 - most));
	for (unsigned i = 0; i < sizeof(out->addr.b); i++)
		out->addr.b[i] &= mask_of(out->bits, i);
	return 0;
}

bool prefix_contains(const struct prefix *p, const struct ip_addr *a, unsigned ip_version)
{
	if (p->ip_version != ip_version)
		return false;
	for (unsigned i = 0; i < sizeof(a->b); i++) {
		if ((a->b[i] & mask_of(p->bits, i)) != p->addr.b[i])
			return false;
	}
	return true;
}

void prefix_move(const struct prefix *to, struct ip_addr *a)
{
	for (unsigned i = 0; i < sizeof(a->b); i++)
		a->b[i] = (uint8_t)((a->b[i] & ~mask_of(to->bits, i)) | to->addr.b[i]);
}
