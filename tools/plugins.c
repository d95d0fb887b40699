/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/plugins.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "classifiers/classifier.h"
#include "classifiers/device/device.h"
#include "classifiers/plugins.h"
#include "classifiers/tamper/signature.h"
#include "dataplane/plugin.h"
#include "tools/digest.h"
#include "tools/json.h"
#include "tools/options.h"

#define ADDS_MAX 4096 /* bytes of what one adds, as text */

static struct loaded {
	const char *path;
	const struct plugin *table;
	char sha256[DIGEST_HEX];
	char adds[ADDS_MAX];
} loaded[OPTION_STRINGS_MAX];
static struct plugin_said said[OPTION_STRINGS_MAX];
static unsigned n_loaded;

static void add(char text[ADDS_MAX], const char *kind, const char *name)
{
	size_t n = strlen(text), more = strlen(kind) + strlen(name) + 3;

	if (n + more + sizeof(" and others") < ADDS_MAX)
		snprintf(text + n, ADDS_MAX - n, "%s%s %s", n != 0 ? ", " : "", kind, name);
	else if (strstr(text, " and others") == NULL)
		snprintf(text + n, ADDS_MAX - n, " and others");
}

static void describe(const struct plugin *table, char text[ADDS_MAX])
{
	for (const struct plugin *p = table; p->kind != PLUGIN_END; p++) {
		if (p->kind == PLUGIN_SOURCE)
			add(text, "source", p->source->name);
		if (p->kind == PLUGIN_SINK)
			add(text, "sink", p->sink->name);
		if (p->kind == PLUGIN_CLASSIFIER)
			add(text, "classifier", p->classifier->name);
		const struct signature *s = p->kind == PLUGIN_SIGNATURES ? p->signatures : NULL;
		for (; s != NULL && s->id != NULL; s++)
			add(text, "signature", s->id);
		const struct device *d = p->kind == PLUGIN_DEVICES ? p->devices : NULL;
		for (; d != NULL && d->id != NULL; d++)
			add(text, "device", d->id);
	}
}

bool plugins_start(const struct option_strings *paths, const struct command *c)
{
	char why[512], what[600];
	uint64_t size;

	for (unsigned i = 0; i < paths->n; i++) {
		struct loaded *l = &loaded[i];
		const char *slash = strrchr(paths->v[i], '/');
		*l = (struct loaded){.path = paths->v[i]};
		int err = plugins_load(l->path, &l->table, why, sizeof(why));
		if (err == 0 && (err = digest_file(l->path, l->sha256, &size)) != 0)
			snprintf(why, sizeof(why), "%s", strerror(-err));
		if (err != 0) {
			snprintf(what, sizeof(what), "--load: %s", why);
			options_error(c, what, l->path);
			return false;
		}
		describe(l->table, l->adds);
		said[i] = (struct plugin_said){slash + 1, l->sha256, l->adds};
		n_loaded = i + 1;
	}
	return true;
}

struct plugins_said plugins_said(void)
{
	return (struct plugins_said){.n = n_loaded, .list = said};
}

void plugins_json(struct json *j, const struct plugins_said *p)
{
	if (p->n == 0)
		return;
	json_array(j, "plugins");
	for (uint64_t i = 0; i < p->n; i++) {
		json_object(j, NULL);
		json_bytes(j, "file", p->list[i].file, strlen(p->list[i].file));
		json_string(j, "sha256", p->list[i].sha256);
		json_string(j, "adds", p->list[i].adds);
		json_end(j);
	}
	json_end(j);
}

const char *plugins_path_of(const void *what)
{
	for (unsigned i = 0; i < n_loaded; i++)
		for (const struct plugin *p = loaded[i].table; p->kind != PLUGIN_END; p++)
			if ((const void *)p->source == what)
				return loaded[i].path;
	return NULL;
}
