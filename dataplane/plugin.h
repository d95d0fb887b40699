/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * The door for what is not linked in: a shared object of one's own with a packet source, a sink, a
 * classifier, signatures or devices, opened by --load. It is written as the same thing is within
 * wmscope, so the file can move into the tree as it is, and ends in a table closed by PLUGIN_END:
 *
 *	#include "classifiers/tamper/signature.h"
 *	#include "dataplane/abi.h"
 *	#include "dataplane/plugin.h"
 *
 *	static const struct signature mine[] = {{.id = "mine-first", ...}, {.id = NULL}};
 *
 *	const struct plugin wmscope_plugin[] = {
 *		{.abi = WMSCOPE_ABI, .kind = PLUGIN_SIGNATURES, .signatures = mine},
 *		{.kind = PLUGIN_END},
 *	};
 *
 *	cc -shared -fPIC $(pkg-config --cflags wmscope) -o mine.so mine.c
 *	wmscope analyze --load ./mine.so FILE
 *
 * It may call what dataplane/plugin.list names. It runs with all that wmscope may do, so it is
 * opened only by the path it is named by and only where nobody else can have put it. Modules of
 * wmscope's own, as wmscope-dpdk.so, come by the same table; they lie beside the program or in the
 * library folder and are looked for when a source or sink of that name is asked for. What was
 * opened stays open.
 */

#include <stdbool.h>
#include <stddef.h>

#include "dataplane/sink.h"
#include "dataplane/source.h"

/* Of one entry; signatures and devices are tables closed by an entry without id. */
enum plugin_kind {
	PLUGIN_END,
	PLUGIN_SOURCE,
	PLUGIN_SINK,
	PLUGIN_CLASSIFIER,
	PLUGIN_SIGNATURES,
	PLUGIN_DEVICES,
	PLUGIN_KINDS
};

struct classifier; /* classifiers/classifier.h */
struct signature;  /* classifiers/tamper/signature.h */
struct device;     /* classifiers/device/device.h */

struct plugin {
	const char *abi; /* WMSCOPE_ABI of dataplane/abi.h as it was compiled; for ever the first member */
	enum plugin_kind kind;
	union {
		const struct source_ops *source;
		const struct sink_ops *sink;
		const struct classifier *classifier;
		const struct signature *signatures;
		const struct device *devices;
	};
};

extern const struct plugin wmscope_plugin[]; /* of the module; the program has none */

#define PLUGIN_PATH 4096    /* of a path with NUL */
#define PLUGIN_ENTRIES 64u  /* of all plug-ins and modules together */
#define PLUGIN_NAME 40u     /* bytes of a name or id, with NUL */

/*
 * One thread, before any other and before privileges are dropped. 0, or -errno with err (of errlen
 * bytes) filled, which does not repeat the path.
 *
 * plugin_trust: real is the path without links. -EINVAL: no path, but a name that would be searched
 * for; -EPERM: somebody else than root and who runs wmscope could write to it, or put another in
 * its place. Of a program that may more than who runs it (setuid, capabilities(7)) the file has to
 * be root's.
 */
int plugin_trust(const char *path, char real[PLUGIN_PATH], char *err, size_t errlen);
/* -ENOEXEC: no plug-in, or made for another wmscope; -EEXIST: open already. Registers nothing. */
int plugin_open(const char *real, const struct plugin **table, char *err, size_t errlen);
/* Sources and sinks are checked here, other kinds by who knows them. -EEXIST: the name is taken. */
int plugin_add(const struct plugin *entry, char *err, size_t errlen);
/* The i-th of a kind, in the order of loading; NULL: there are no more. */
const struct plugin *plugin_at(enum plugin_kind kind, unsigned i);
/* Small letters, digits and dashes. */
bool plugin_name_fits(const char *name);

/* Of a loaded module, or of wmscope's own that bears the name; NULL with err filled. */
const struct source_ops *plugin_source(const char *name, char *err, size_t errlen);
const struct sink_ops *plugin_sink(const char *name, char *err, size_t errlen);
