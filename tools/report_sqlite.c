/* SPDX-License-Identifier: BSD-3-Clause */

/* Named here to be listed: one walk through the tables writes this and the CSV (report_csv.c). */

#include "tools/report.h"

extern const struct report report_sqlite;
const struct report report_sqlite = {
	.name = "sqlite",
	.doc = "the tables of csv and more (evidence, controls, profiles), with views, as one database, "
	       "beside them",
};
