/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Which known box the packets of a finding look like. A device is an entry of dev_NAME.c, which ends
 * in `const struct device dev_NAME[]`, closed by an entry without id; the build generates
 * device_table. Ids name a lineage or a behaviour, never who runs the box.
 *
 * Attribution is an axis of its own: no match takes nothing from a finding, and a match adds nothing
 * to it. The few relations that prove a forgery by themselves are signatures (sig_device.c).
 */

#include "classifiers/tamper/view.h"
#include "classifiers/verdict.h"

#define DEVICE_PACKETS 32

struct device;

struct attribution {
	const struct device *device;
	enum attribution_grade grade;
	uint16_t packets[DEVICE_PACKETS]; /* event indices: which packets look like it */
	uint8_t n_packets;
	int hops;         /* from the box to the capture; -1: its initial TTL is not known */
	char detail[128]; /* which of its traits were seen */
};

struct device {
	const char *id, *doc;
	const char *source;               /* where it is described */
	const char *valid_from, *valid_to; /* ISO 8601, as far as known; NULL: open */
	enum attribution_grade grade;     /* the best it can reach */
	bool dns;                         /* match() sees DNS queries too: v->ex is one */
	bool attributed;                  /* false: shown in lists, fits too much that is honest */
	/* NULL unless attributed. False: nothing of the finding looks like it. */
	bool (*match)(const struct view *v, const struct suspects *s, struct attribution *out);
};

/* NULL-terminated list of tables, generated. */
extern const struct device *const device_table[];
/* Those tables, and behind them those of plug-ins (dataplane/plugin.h); NULL: there are no more. */
const struct device *devices_at(unsigned t);

/* Helpers of match(). */
void attribution_packet(struct attribution *out, unsigned event);
void attribution_says(struct attribution *out, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* A suspect RST of the direction under suspicion. */
bool device_is_reset(const struct view *v, unsigned event);
/* RSTs of the same direction within 100 ms of this one, itself included. */
unsigned device_resets_around(const struct view *v, unsigned event);
/* The page that was kept of the flow (evidence.h) holds this text; *event is its packet or -1. */
bool device_page_has(const struct view *v, const char *text, int *event);
