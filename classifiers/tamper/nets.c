/* SPDX-License-Identifier: BSD-3-Clause */

#include "classifiers/tamper/nets.h"

#include <errno.h>
#include <string.h>

#define NETS_MAX (1u << 14) /* a shard; beyond, networks are not remembered */
#define MINUTE_NS 60000000000ull

const struct host_table nets_table = {.size = sizeof(struct net_answers)};

static struct ip_addr net_of(const struct ip_addr *a, unsigned ip_version)
{
	struct ip_addr net = *a;
	unsigned keep = ip_version == 4 ? 15 : 8; /* an IPv4 address is the last four bytes */
	memset(net.b + keep, 0, sizeof(net.b) - keep);
	return net;
}

/* The lowest addresses stay, so that the order of ends and merging is no matter. */
static void insert(struct net_answers *n, struct ip_addr host, uint64_t minutes)
{
	for (unsigned i = 0; i < NET_HOSTS; i++) {
		int order = n->minutes[i] != 0 ? memcmp(&host, &n->host[i], sizeof(host)) : -1;
		if (order == 0) {
			n->minutes[i] |= minutes;
			return;
		}
		if (order > 0)
			continue;
		struct ip_addr other = n->host[i];
		uint64_t others = n->minutes[i];
		n->host[i] = host;
		n->minutes[i] = minutes;
		if (others == 0)
			return;
		host = other;
		minutes = others;
	}
}

void nets_note(struct host_table *t, const struct ip_addr *server, unsigned ip_version, uint64_t ns)
{
	bool fresh;
	struct ip_addr net = net_of(server, ip_version);
	struct net_answers *n = host_table_get(t, &net, 0, &fresh, NETS_MAX);
	if (n != NULL)
		insert(n, *server, 1ull << (ns / MINUTE_NS % 64));
}

int nets_merge(struct host_table *to, const struct host_table *from)
{
	for (uint32_t i = 0; i < from->room; i++) {
		if (from->hashes[i] == 0)
			continue;
		const struct net_answers *n = (const void *)host_table_slot(from, i);
		bool fresh;
		struct net_answers *into = host_table_get(to, &n->net, 0, &fresh, UINT32_MAX / 16);
		if (into == NULL)
			return -ENOMEM;
		for (unsigned k = 0; k < NET_HOSTS && n->minutes[k] != 0; k++)
			insert(into, n->host[k], n->minutes[k]);
	}
	return 0;
}

bool nets_neighbour_answered(const struct host_table *t, const struct ip_addr *server,
			     unsigned ip_version, uint64_t ns)
{
	uint64_t near = 0;
	if (t->room == 0)
		return false;
	for (uint64_t m = ns / MINUTE_NS + 63; m <= ns / MINUTE_NS + 65; m++)
		near |= 1ull << (m % 64);
	struct ip_addr net = net_of(server, ip_version);
	uint32_t i = host_table_find(t, &net, 0, host_hash(&net, 0));
	if (t->hashes[i] == 0)
		return false;
	const struct net_answers *n = (const void *)host_table_slot(t, i);
	for (unsigned k = 0; k < NET_HOSTS; k++)
		if ((n->minutes[k] & near) != 0 && memcmp(&n->host[k], server, sizeof(*server)) != 0)
			return true;
	return false;
}
