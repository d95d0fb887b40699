/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/plugin.h"

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "dataplane/abi.h"
#include "dataplane/refuse.h"

#define MODULES_MAX 16u

static const struct plugin *modules[MODULES_MAX];
static unsigned n_modules;

int plugin_load(const char *path, char *err, size_t errlen)
{
	if (n_modules == MODULES_MAX)
		return refuse(err, errlen, -E2BIG, path, "too many modules");
	/* Never closed: a report may still hold their names. */
	void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (module == NULL)
		return refuse(err, errlen, -ENOENT, path, dlerror());
	const struct plugin *table = dlsym(module, "wmscope_plugin");
	if (table == NULL)
		return refuse(err, errlen, -ENOEXEC, path, "exports no wmscope_plugin");
	for (const struct plugin *p = table; p->kind != PLUGIN_END; p++)
		if (p->abi == NULL || strcmp(p->abi, WMSCOPE_ABI) != 0)
			return refuse(err, errlen, -ENOEXEC, path,
				      "was compiled for another version of wmscope");
	for (unsigned i = 0; i < n_modules; i++)
		if (modules[i] == table)
			return 0;
	modules[n_modules++] = table;
	return 0;
}

/* Names of files come from the command line: letters only, so never a way out of the folder. */
static bool plain(const char *name)
{
	for (const char *c = name; *c != '\0'; c++)
		if (!islower((unsigned char)*c))
			return false;
	return name[0] != '\0' && strlen(name) < 32;
}

/* Beside the program as built, and where it was installed: never where the environment says. */
static bool load_own(const char *name, char *err, size_t errlen)
{
	char exe[PATH_MAX], path[PATH_MAX + 128];

	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = '\0';
	char *slash = strrchr(exe, '/');
	if (slash != NULL)
		*slash = '\0';
	const char *const folders[] = {exe, "/../dataplane", exe, "/../" WMSCOPE_LIBDIR "/wmscope",
				       exe, "/../../dataplane", WMSCOPE_PREFIX "/" WMSCOPE_LIBDIR,
				       "/wmscope"};
	for (unsigned i = 0; i < sizeof(folders) / sizeof(folders[0]); i += 2) {
		snprintf(path, sizeof(path), "%s%s/wmscope-%s.so", folders[i], folders[i + 1], name);
		if (access(path, R_OK) == 0)
			return plugin_load(path, err, errlen) == 0;
	}
	snprintf(err, errlen, "nothing is called '%s' here, and there is no module wmscope-%s.so",
		 name, name);
	return false;
}

static const struct plugin *find(const char *name, enum plugin_kind kind)
{
	for (unsigned i = 0; i < n_modules; i++) {
		for (const struct plugin *p = modules[i]; p->kind != PLUGIN_END; p++) {
			const char *is = p->kind == PLUGIN_SOURCE ? p->source->name : p->sink->name;
			if (p->kind == kind && strcmp(is, name) == 0)
				return p;
		}
	}
	return NULL;
}

static const struct plugin *get(const char *name, enum plugin_kind kind, char *err, size_t errlen)
{
	const struct plugin *p = find(name, kind);

	if (p != NULL)
		return p;
	if (!plain(name)) {
		snprintf(err, errlen, "no packet %s is called so",
			 kind == PLUGIN_SOURCE ? "source" : "sink");
		return NULL;
	}
	return load_own(name, err, errlen) ? find(name, kind) : NULL;
}

const struct source_ops *plugin_source(const char *name, char *err, size_t errlen)
{
	const struct plugin *p = get(name, PLUGIN_SOURCE, err, errlen);

	return p != NULL ? p->source : NULL;
}

const struct sink_ops *plugin_sink(const char *name, char *err, size_t errlen)
{
	const struct plugin *p = get(name, PLUGIN_SINK, err, errlen);

	return p != NULL ? p->sink : NULL;
}
