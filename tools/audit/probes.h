/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* The fixed table of probes: each plays one exchange that has a name in it. */

#include "tools/audit/hosts.h"

struct probe_task {
	const char *name;     /* what the request has in it */
	const char *harmless; /* a name that nobody filters, where one is needed beside it */
	uint64_t later_ns;    /* of residual blocking */
	uint32_t number;      /* of the trial: for identifiers that differ */
};

struct probe {
	enum probe_id which;
	const char *id, *what; /* stable kebab-case; for people */
	/* 0 and facts, or -errno. */
	int (*run)(struct hosts *h, const struct probe_task *task, struct outcome_facts *facts);
};

extern const struct probe probe_table[PROBE_IDS];
