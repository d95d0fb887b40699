/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/community_id.h"

#include <netinet/in.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

/* The specification's pairs of request and answer; a type without one stays as it was sent. */
static const uint8_t icmp_pairs[][2] = {{8, 0}, {10, 9}, {13, 14}, {15, 16}, {17, 18}, {0, 0}};
static const uint8_t icmp6_pairs[][2] = {{128, 129}, {130, 131}, {133, 134}, {135, 136},
					 {139, 140}, {144, 145}, {0, 0}};

static bool icmp_other(const uint8_t pairs[][2], uint16_t type, uint16_t *other)
{
	for (unsigned i = 0; pairs[i][0] != 0; i++) {
		if (type == pairs[i][0] || type == pairs[i][1]) {
			*other = pairs[i][type == pairs[i][0]];
			return true;
		}
	}
	return false;
}

static bool has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP ||
	       proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

static void put_port(uint8_t *p, uint16_t port)
{
	p[0] = (uint8_t)(port >> 8);
	p[1] = (uint8_t)port;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const EVP_MD *sha1;

/* Until the process ends: EVP_sha1() makes libcrypto 3 look for it each time, longer than it hashes. */
static void fetch(void)
{
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
	sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
#endif
	sha1 = sha1 != NULL ? sha1 : EVP_sha1();
}

bool community_id(const struct community_tuple *t, char out[COMMUNITY_ID_SIZE])
{
	size_t skip = t->ip_version == 4 ? 12 : 0, alen = 16 - skip, n = 2;
	const struct ip_addr *src = &t->src, *dst = &t->dst;
	uint16_t sport = t->sport, dport = t->dport;
	bool one_way = false;
	uint8_t in[2 + 16 + 16 + 2 + 4] = {0}; /* begins with the seed */
	uint8_t sum[EVP_MAX_MD_SIZE];

	out[0] = '\0';
	if (t->proto == IPPROTO_ICMP)
		one_way = !icmp_other(icmp_pairs, sport, &dport);
	else if (t->proto == IPPROTO_ICMPV6)
		one_way = !icmp_other(icmp6_pairs, sport, &dport);
	int order = memcmp(src->b, dst->b, sizeof(src->b));
	if (!one_way && (order > 0 || (order == 0 && sport > dport))) {
		src = &t->dst;
		dst = &t->src;
		uint16_t swap = sport;
		sport = dport;
		dport = swap;
	}
	memcpy(in + n, src->b + skip, alen);
	memcpy(in + n + alen, dst->b + skip, alen);
	n += 2 * alen;
	in[n] = t->proto;
	n += 2;
	if (has_ports(t->proto)) {
		put_port(in + n, sport);
		put_port(in + n + 2, dport);
		n += 4;
	}
	pthread_once(&once, fetch);
	if (EVP_Digest(in, n, sum, NULL, sha1, NULL) != 1)
		return false;
	memcpy(out, "1:", 2);
	EVP_EncodeBlock((unsigned char *)out + 2, sum, 20);
	return true;
}
