/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What a source of a test's own, in place of dataplane/source.c, says to shunting. */

#include <errno.h>

#include "dataplane/source.h"

int source_shunt(struct source *s, const struct shunt_flow *f, uint32_t *ticket)
{
	(void)s;
	(void)f;
	*ticket = 0;
	return -ENOTSUP;
}

void source_shunt_grant(struct source *s, uint32_t ticket)
{
	(void)s;
	(void)ticket;
}

int source_unshunt(struct source *s, const struct shunt_flow *f, uint32_t ticket,
		   struct shunt_counts *out)
{
	(void)s;
	(void)f;
	(void)ticket;
	(void)out;
	return -ENOTSUP;
}
