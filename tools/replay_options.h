/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What `replay` and `audit` take alike: MAC addresses of two ports, and who the clients are. */

#include <stdbool.h>

#include "dataplane/replay.h"
#include "tools/command.h"

/* One address for both ports, or two with a comma; NULL: as they are. False: one is no address. */
bool replay_options_macs(const char *src, const char *dst, struct rewrite_macs out[REPLAY_PORTS]);
/* cfg keeps into (OPTION_STRINGS_MAX). NULL, or the text that is no address or prefix. */
const char *replay_options_clients(const struct option_strings *texts, struct prefix *into,
				   struct replay_config *cfg);
