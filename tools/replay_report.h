/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What a replay did, for people and as one event `stats` of the schema. */

#include <stdio.h>

#include "dataplane/replay.h"

struct replay_report {
	const struct replay_config *cfg;
	const struct replay_stats *stats;
	const char *rate;  /* as it was given */
	const char *error; /* why it ended before its time, NULL: it did not */
	int exit_status;
};

void replay_report_text(FILE *out, const struct replay_report *r);
void replay_report_json(FILE *out, const struct replay_report *r);
