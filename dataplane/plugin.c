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

static const struct plugin *entries[PLUGIN_ENTRIES];
static unsigned n_entries;

/* What dlerror() says begins with the path, which whoever tells of it says too. */
static const char *last_words(const char *path)
{
	const char *said = dlerror();
	size_t n = strlen(path);

	if (said == NULL)
		return "cannot be opened";
	return strncmp(said, path, n) == 0 && strncmp(said + n, ": ", 2) == 0 ? said + n + 2 : said;
}

static int no_plugin(char *err, size_t errlen, const char *why)
{
	snprintf(err, errlen, "%s", why);
	return -ENOEXEC;
}

int plugin_open(const char *real, const struct plugin **table, char *err, size_t errlen)
{
	/* Never closed: a report may still hold its names. */
	void *module = dlopen(real, RTLD_NOW | RTLD_LOCAL);
	if (module == NULL) {
		snprintf(err, errlen, "%s", last_words(real));
		return -ENOENT;
	}
	*table = dlsym(module, "wmscope_plugin");
	if (*table == NULL)
		return no_plugin(err, errlen, "exports no wmscope_plugin");
	/* Of another wmscope nothing but the first member is known to be where it is here. */
	const char *abi = (*table)->abi;
	if (abi == NULL || strcmp(abi, WMSCOPE_ABI) != 0) {
		snprintf(err, errlen, "was compiled for another wmscope: its ABI is %.32s, this one's %s",
			 abi != NULL ? abi : "unset", WMSCOPE_ABI);
		return -ENOEXEC;
	}
	for (const struct plugin *p = *table; p->kind != PLUGIN_END; p++) {
		if (p - *table == PLUGIN_ENTRIES)
			return no_plugin(err, errlen, "its table does not end: PLUGIN_END closes it");
		if (p->kind >= PLUGIN_KINDS)
			return no_plugin(err, errlen, "has an entry of an unknown kind");
		if (p->source == NULL)
			return no_plugin(err, errlen, "has an entry with nothing in it");
	}
	for (unsigned i = 0; i < n_entries; i++) {
		if (entries[i] == *table) {
			snprintf(err, errlen, "is loaded already");
			return -EEXIST;
		}
	}
	return 0;
}

bool plugin_name_fits(const char *name)
{
	size_t n = name != NULL ? strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") : 0;

	return n > 0 && n < PLUGIN_NAME && name[n] == '\0' && name[0] != '-';
}

static const char *name_of(const struct plugin *p)
{
	return p->kind == PLUGIN_SOURCE ? p->source->name : p->sink->name;
}

static const struct plugin *find(const char *name, enum plugin_kind kind)
{
	for (unsigned i = 0; i < n_entries; i++)
		if (entries[i]->kind == kind && strcmp(name_of(entries[i]), name) == 0)
			return entries[i];
	return NULL;
}

/* NULL: whoever calls it finds all that it may call. */
static const char *lacks(const struct plugin *p)
{
	const struct source_ops *s = p->source;
	const struct sink_ops *k = p->sink;

	if (p->kind == PLUGIN_SOURCE)
		return s->doc == NULL || s->open == NULL || s->queues == NULL || s->recv == NULL ||
				       s->release == NULL || s->now == NULL || s->stats == NULL ||
				       s->close == NULL
			       ? "a source lacks its doc or a function that every source has"
		       : (s->shunt == NULL) != (s->shunt_grant == NULL) ||
				       (s->shunt == NULL) != (s->unshunt == NULL)
			       ? "a source has some functions of shunting and lacks others"
			       : NULL;
	return k->doc == NULL || k->open == NULL || k->queues == NULL || k->alloc == NULL ||
			       k->send == NULL || k->flush == NULL || k->stats == NULL || k->close == NULL ||
			       (k->hold == NULL) != (k->resend == NULL)
		       ? "a sink lacks its doc or a function that every sink has"
		       : NULL;
}

static bool is_built_in(const char *name, enum plugin_kind kind)
{
	bool is = false;

	for (unsigned i = 0; kind == PLUGIN_SOURCE && source_table[i] != NULL; i++)
		is = is || strcmp(source_table[i]->name, name) == 0;
	for (unsigned i = 0; kind == PLUGIN_SINK && sink_table[i] != NULL; i++)
		is = is || strcmp(sink_table[i]->name, name) == 0;
	return is;
}

int plugin_add(const struct plugin *entry, char *err, size_t errlen)
{
	if (n_entries == PLUGIN_ENTRIES) {
		snprintf(err, errlen, "there is no room for so many plug-ins");
		return -E2BIG;
	}
	if (entry->kind == PLUGIN_SOURCE || entry->kind == PLUGIN_SINK) {
		const char *name = name_of(entry), *why = lacks(entry);
		if (!plugin_name_fits(name))
			why = "a source or sink has no name of small letters, digits and dashes";
		if (why != NULL)
			return no_plugin(err, errlen, why);
		if (is_built_in(name, entry->kind) || find(name, entry->kind) != NULL) {
			snprintf(err, errlen, "the name '%s' is taken", name);
			return -EEXIST;
		}
	}
	entries[n_entries++] = entry;
	return 0;
}

const struct plugin *plugin_at(enum plugin_kind kind, unsigned i)
{
	for (unsigned k = 0; k < n_entries; k++)
		if (entries[k]->kind == kind && i-- == 0)
			return entries[k];
	return NULL;
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
	char exe[PATH_MAX], path[PATH_MAX + 128], why[256];
	const struct plugin *table;

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
		if (access(path, R_OK) != 0)
			continue;
		int ret = plugin_open(path, &table, why, sizeof(why));
		for (const struct plugin *p = table; ret == 0 && p->kind != PLUGIN_END; p++)
			ret = plugin_add(p, why, sizeof(why));
		if (ret != 0 && ret != -EEXIST)
			refuse(err, errlen, ret, path, why);
		return ret == 0 || ret == -EEXIST;
	}
	snprintf(err, errlen, "nothing is called '%s' here, and there is no module wmscope-%s.so",
		 name, name);
	return false;
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
