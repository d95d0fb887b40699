/* SPDX-License-Identifier: BSD-3-Clause */

/* Without SQLite there is no database: nothing is opened, so nothing else is called. */

#include <errno.h>

#include "tools/table_sinks.h"

int sqlite_sink_open(struct sqlite_sink **out, const char *path)
{
	(void)out, (void)path;
	return -ENOSYS;
}

int sqlite_sink_begin(struct sqlite_sink *s, unsigned table)
{
	(void)s, (void)table;
	return -ENOSYS;
}

int sqlite_sink_end(struct sqlite_sink *s)
{
	(void)s;
	return -ENOSYS;
}

int sqlite_sink_close(struct sqlite_sink *s, int err)
{
	(void)s;
	return err;
}
