/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Plug-ins of users (dataplane/plugin.h), on their way in: a name that is taken and a table that
 * lacks what its readers rely on are refused. What was let in comes from classifier_at(),
 * signatures_at() and devices_at() behind what is linked in, so that it never displaces that from a
 * list with an end.
 */

#include <stddef.h>

struct plugin;

/*
 * path as it was given. Before any analysis, on one thread, before privileges are dropped. 0 and
 * the table that it brought, or -errno with err (of errlen bytes) filled, which does not repeat the
 * path; then the program is to end, since some of it may be registered.
 */
int plugins_load(const char *path, const struct plugin **table, char *err, size_t errlen);
