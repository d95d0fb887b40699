/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Packet sources and sinks that are not linked in. A module is a shared object that exports
 * wmscope_plugin[], closed by an entry of kind PLUGIN_END. What wmscope brings itself lies beside
 * the program or in the library folder as wmscope-NAME.so and is looked for when a source or sink of
 * that name is asked for; one's own is named by its path. Modules stay loaded.
 */

#include <stddef.h>

#include "dataplane/sink.h"
#include "dataplane/source.h"

enum plugin_kind { PLUGIN_END, PLUGIN_SOURCE, PLUGIN_SINK };

struct plugin {
	const char *abi; /* WMSCOPE_ABI of dataplane/abi.h as the module was compiled */
	enum plugin_kind kind;
	union {
		const struct source_ops *source;
		const struct sink_ops *sink;
	};
};

extern const struct plugin wmscope_plugin[]; /* of the module; the program has none */

/*
 * 0, or -errno with err filled: no such file, no module, or made for another version (-ENOEXEC).
 * Before privileges are dropped, on one thread.
 */
int plugin_load(const char *path, char *err, size_t errlen);
/* Of a loaded module, or of wmscope's own that bears the name; NULL with err filled. */
const struct source_ops *plugin_source(const char *name, char *err, size_t errlen);
const struct sink_ops *plugin_sink(const char *name, char *err, size_t errlen);
