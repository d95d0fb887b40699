/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What decides the result of `wmscope analyze`: a merge of reports prints it as if it had been typed. */

#include <stdbool.h>

#include "tools/analysis_options.h"
#include "tools/command.h"
#include "tools/session.h"

struct analyze_config {
	struct session_config session;
	struct analysis_options analysis;
	bool rotated, resume;
	struct option_strings controls;
};

extern const struct command command_analyze;
