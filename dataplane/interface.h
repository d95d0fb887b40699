/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What the kernel knows of a network interface of this network namespace. */

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct interface {
	char name[IFNAMSIZ];
	unsigned index;
	uint32_t linktype;      /* LINKTYPE_*; UINT32_MAX: none that is known */
	uint8_t mac[6];
	unsigned mtu;
	bool up, loopback;
	bool default_route;     /* IPv4 or IPv6 leaves by it */
	const char *untold;     /* of routes, master and addresses what could not be learnt, or NULL */
	unsigned master;        /* index of the bridge or bond that it is a port of, 0 none */
	unsigned addresses;     /* IPv4, and IPv6 but link-local, which every interface has */
	unsigned rx_queues, tx_queues;
	char driver[32];        /* as ethtool -i says, "" where it does not */
};

/* 0; -ENODEV: there is none of this name; or -errno. */
int interface_get(const char *name, struct interface *out);
/*
 * Why this interface, or the bridge or bond that it is a port of, must not be taken away from the
 * host, NULL: it may. What could not be learnt is a reason too. The text is valid until the next
 * call of this thread.
 */
const char *interface_in_use(const struct interface *i);
/* What went out since the interface was made; zeros where the kernel does not say. */
struct interface_traffic {
	uint64_t tx_packets, tx_errors, tx_dropped;
};
struct interface_traffic interface_traffic(const char *name);

/* Whether an interface can still carry anything, asked without privilege and cheaply. */
struct interface_watch;

int interface_watch_new(struct interface_watch **out, const struct interface *i); /* 0 or -errno */
/* 0: it is up; -ENETDOWN: down; -ENODEV: gone, even if another one now has its name. */
int interface_watch_state(const struct interface_watch *w);
void interface_watch_free(struct interface_watch *w); /* NULL is fine */
