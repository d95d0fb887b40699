/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/fanout.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#define NET(at)  (uint32_t)(SKF_NET_OFF + (at)) /* of the network header, going out or coming in */
#define LOAD(at) {.code = BPF_LD | BPF_W | BPF_ABS, .k = NET(at)}
#define TO_X     {.code = BPF_MISC | BPF_TAX}
#define XOR_X    {.code = BPF_ALU | BPF_XOR | BPF_X}
#define IPV4_AT  12 /* addresses: RFC 791 section 3.1 */
#define IPV6_AT  8  /* RFC 8200 section 3 */
#define MIX      0x9e3779b1u /* 2^32 over the golden ratio: Knuth, TAOCP 6.4 */

/*
 * All words of both addresses, so that their order is no matter. The kernel takes the result modulo
 * the number of sockets. What is no IP, tags within tags too, goes to the first, and so does what is too
 * short: a load beyond the packet ends a program with 0.
 */
static const struct sock_filter by_addresses[] = {
	{.code = BPF_LD | BPF_H | BPF_ABS, .k = (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)},
	{.code = BPF_JMP | BPF_JEQ | BPF_K, .k = ETH_P_IP, .jt = 2},
	{.code = BPF_JMP | BPF_JEQ | BPF_K, .k = ETH_P_IPV6, .jt = 5},
	{.code = BPF_RET | BPF_K, .k = 0},
	LOAD(IPV4_AT), TO_X, LOAD(IPV4_AT + 4),
	{.code = BPF_JMP | BPF_JA, .k = 21},
	LOAD(IPV6_AT), TO_X, LOAD(IPV6_AT + 4), XOR_X, TO_X, LOAD(IPV6_AT + 8), XOR_X, TO_X,
	LOAD(IPV6_AT + 12), XOR_X, TO_X, LOAD(IPV6_AT + 16), XOR_X, TO_X, LOAD(IPV6_AT + 20), XOR_X,
	TO_X, LOAD(IPV6_AT + 24), XOR_X, TO_X, LOAD(IPV6_AT + 28),
	XOR_X,
	{.code = BPF_ALU | BPF_MUL | BPF_K, .k = MIX},
	{.code = BPF_ALU | BPF_RSH | BPF_K, .k = 16},
	{.code = BPF_RET | BPF_A},
};

int fanout_hold(int fd)
{
	struct sock_filter none = {.code = BPF_RET | BPF_K, .k = 0};
	struct sock_fprog code = {.len = 1, .filter = &none};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &code, sizeof(code)) == 0 ? 0 : -errno;
}

int fanout_join(int fd, struct fanout *f, unsigned already)
{
	const uint32_t how = PACKET_FANOUT_CBPF | (already == 0 ? PACKET_FANOUT_FLAG_UNIQUEID : 0);
	const uint32_t value = (already == 0 ? 0u : f->id) | how << 16;
	struct sock_fprog code = {.len = sizeof(by_addresses) / sizeof(by_addresses[0]),
				  .filter = (struct sock_filter *)by_addresses};
	uint32_t got = 0;
	socklen_t len = sizeof(got);

	if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &value, sizeof(value)) != 0)
		return -errno;
	if (already != 0)
		return 0;
	if (getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &got, &len) != 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_FANOUT_DATA, &code, sizeof(code)) != 0)
		return -errno;
	f->id = (uint16_t)got;
	return 0;
}
