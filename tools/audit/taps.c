/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/audit/taps.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "dataplane/decode.h"
#include "dataplane/now.h"
#include "dataplane/source.h"
#include "dataplane/thread.h"
#include "tools/recorder.h"

#define BATCH	64u
#define TICK_NS 200000000u
#define QUIET	3u /* empty reads that make sure that nothing is left */

struct tap {
	const struct taps_config *cfg;
	enum compare_side port;
	struct source *source;
	struct recorder *recorder;
	pthread_t thread;
	bool started;
	const atomic_bool *stop;
	uint32_t card_before;
	struct taps_stats stats;
};

struct taps {
	struct taps_config cfg;
	struct tap tap[SIDES];
	atomic_bool stop;
};

/* Frames that the card had no room for; 0 where the kernel does not say. */
static uint32_t card_missed(const char *iface)
{
	struct ifaddrs *all, *i;
	uint32_t sum = 0;

	if (getifaddrs(&all) != 0)
		return 0;
	for (i = all; i != NULL; i = i->ifa_next) {
		if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_PACKET ||
		    i->ifa_data == NULL || strcmp(i->ifa_name, iface) != 0)
			continue;
		const struct rtnl_link_stats *s = i->ifa_data;
		sum = s->rx_missed_errors + s->rx_fifo_errors;
	}
	freeifaddrs(all);
	return sum;
}

static int tap_open(struct tap *t, char *why, size_t len)
{
	const char *iface = t->cfg->iface[t->port], *path = t->cfg->path[t->port];
	struct source_config from = {.iface = iface, .ring_mib = t->cfg->ring_mib, .prompt = true};
	struct source_stats st;

	int err = source_open(&t->source, "packet", &from, why, len);
	if (err != 0)
		return err;
	t->card_before = card_missed(iface);
	source_stats(t->source, &st);
	if (st.ifaces[0].linktype != LINKTYPE_ETHERNET) {
		snprintf(why, len, "%s is no Ethernet device", iface);
		return -EPFNOSUPPORT;
	}
	struct recorder_config to = {.path = path,
				     .iface = iface,
				     .linktype = st.ifaces[0].linktype,
				     .snaplen = st.ifaces[0].snaplen};
	return path != NULL ? recorder_open(&t->recorder, &to, why, len) : 0;
}

int taps_open(struct taps **out, const struct taps_config *cfg, char *why, size_t len)
{
	struct taps *t = calloc(1, sizeof(*t));
	int err = 0;

	*out = NULL;
	if (t == NULL) {
		snprintf(why, len, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	t->cfg = *cfg;
	for (unsigned port = 0; port < SIDES && err == 0; port++) {
		t->tap[port] = (struct tap){.cfg = &t->cfg, .port = port, .stop = &t->stop};
		err = tap_open(&t->tap[port], why, len);
	}
	if (err != 0)
		taps_close(t);
	else
		*out = t;
	return err;
}

static void take(struct tap *t, struct packet pkts[], unsigned n)
{
	struct headers h;

	for (unsigned i = 0; i < n; i++) {
		pkts[i].frame = ++t->stats.frames;
		if (t->cfg->ledger != NULL)
			ledger_add(t->cfg->ledger, t->port, &pkts[i]);
		if (pkts[i].direction == PACKET_OUTBOUND)
			continue;
		t->stats.arrived++;
		if (t->cfg->arrived == NULL)
			continue;
		packet_decode(&pkts[i], &h);
		t->cfg->arrived(t->cfg->user, t->port, &pkts[i], &h);
	}
	if (t->recorder != NULL)
		recorder_write(t->recorder, pkts, n);
}

static uint64_t dropped(const struct tap *t)
{
	struct source_stats st;

	source_stats(t->source, &st);
	/* The card's counter has 32 bits, and may wrap. */
	return st.ifaces[0].dropped +
	       (uint32_t)(card_missed(t->cfg->iface[t->port]) - t->card_before);
}

static void *tap_main(void *arg)
{
	struct tap *t = arg;
	struct packet pkts[BATCH];
	unsigned quiet = 0;
	uint64_t tick = 0;

	while (quiet < QUIET) {
		int n = source_recv(t->source, 0, pkts, BATCH);
		if (n < 0) {
			t->stats.error = n != SOURCE_EOF ? n : 0;
			break;
		}
		take(t, pkts, (unsigned)n);
		source_release(t->source, 0, pkts, (unsigned)n);
		quiet = n == 0 && atomic_load_explicit(t->stop, memory_order_relaxed) ? quiet + 1
										      : 0;
		uint64_t now = clock_ns(CLOCK_MONOTONIC);
		if (t->recorder == NULL || now < tick)
			continue;
		tick = now + TICK_NS;
		recorder_tick(t->recorder, t->stats.frames, dropped(t));
	}
	return NULL;
}

int taps_start(struct taps *t, char *why, size_t len)
{
	int err = 0;

	for (unsigned port = 0; port < SIDES && err == 0; port++) {
		if (t->tap[port].recorder != NULL)
			err = recorder_start(t->tap[port].recorder, why, len);
	}
	for (unsigned port = 0; port < SIDES && err == 0; port++) {
		err = thread_start(&t->tap[port].thread, tap_main, &t->tap[port]);
		t->tap[port].started = err == 0;
		if (err != 0)
			snprintf(why, len, "%s", strerror(-err));
	}
	return err;
}

int taps_stop(struct taps *t)
{
	int first = 0;

	atomic_store(&t->stop, true);
	for (unsigned port = 0; port < SIDES; port++) {
		struct tap *p = &t->tap[port];
		if (p->started)
			pthread_join(p->thread, NULL);
		if (p->source != NULL)
			p->stats.dropped = dropped(p);
		p->started = false;
		if (p->recorder != NULL)
			recorder_tick(p->recorder, p->stats.frames + p->stats.dropped,
				      p->stats.dropped);
		int err = recorder_close(p->recorder);
		p->recorder = NULL;
		err = p->stats.error != 0 ? p->stats.error : err;
		first = first != 0 ? first : err;
	}
	return first;
}

void taps_stats(const struct taps *t, enum compare_side port, struct taps_stats *out)
{
	*out = t->tap[port].stats;
}

void taps_close(struct taps *t)
{
	if (t == NULL)
		return;
	taps_stop(t);
	for (unsigned port = 0; port < SIDES; port++)
		source_close(t->tap[port].source);
	free(t);
}
