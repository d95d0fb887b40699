/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/report.h"

#include <string.h>

const struct report *report_find(const char *name)
{
	for (unsigned i = 0; report_table[i] != NULL; i++) {
		if (strcmp(report_table[i]->name, name) == 0)
			return report_table[i];
	}
	return NULL;
}
