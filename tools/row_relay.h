/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * A sink that hands rows to others on a thread of its own: to write a row into a database takes as
 * long as to make it, and whoever makes rows need not wait. Rows arrive in their order.
 */

#include "tools/tables.h"

#define RELAY_SINKS_MAX 2

struct row_relay; /* begins with its struct row_sink */

/* 0 or -errno, then *out is NULL: rows can be given to the sinks themselves. */
int row_relay_open(struct row_relay **out);
/* Whom the rows that follow are for; NULL: nobody. After a drain, or before the first row. */
void row_relay_to(struct row_relay *relay, struct row_sink *const to[RELAY_SINKS_MAX]);
/* Until all rows are where they belong. 0 or the sinks' first error: later rows went nowhere. */
int row_relay_drain(struct row_relay *relay);
void row_relay_close(struct row_relay *relay); /* NULL is fine */
