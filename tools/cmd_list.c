/* SPDX-License-Identifier: BSD-3-Clause */

/* wmscope list: everything that is registered. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "classifiers/classifier.h"
#include "classifiers/device/device.h"
#include "classifiers/tamper/signature.h"
#include "dataplane/plugin.h"
#include "dataplane/sink.h"
#include "dataplane/source.h"
#include "tools/command.h"
#include "tools/escape.h"
#include "tools/options.h"
#include "tools/plugins.h"
#include "tools/report.h"

extern const struct command command_list;

struct list_config {
	bool verbose;
	struct option_strings plugins;
};

static const struct option_row list_options[] = {
	{.name = "verbose", .letter = 'v', .kind = OPTION_FLAG,
	 .offset = offsetof(struct list_config, verbose),
	 .help = "signatures also with what innocent traffic looks the same, and where described; "
		 "devices also with grade, time and source, and those that are never attributed"},
	PLUGIN_OPTION(struct list_config, plugins, "what it brings is listed too"),
	{.name = NULL},
};

static void detail(const char *label, const char *text)
{
	if (text != NULL && text[0] != '\0')
		printf("    %-9s %s\n", label, text);
}

static void row(const char *name, const char *doc)
{
	printf("%-26s %s\n", name, doc);
}

/* of: what plug-ins name in their table. */
static void whence(const void *of)
{
	char path[512];

	if (plugins_path_of(of) == NULL)
		return;
	escape_string(path, sizeof(path), plugins_path_of(of), 0);
	detail("loaded", path);
}

/* Registered once its module is loaded, which takes longer than a list may. */
static void in_module(void)
{
	if (HAVE_DPDK)
		row("dpdk", "a DPDK port: a card bound to it, or a virtual device; in a module of its own, "
			    "loaded when asked for");
}

static void list_sources(bool verbose)
{
	(void)verbose;
	const struct plugin *p;

	for (unsigned i = 0; source_table[i] != NULL; i++)
		row(source_table[i]->name, source_table[i]->doc);
	in_module();
	for (unsigned i = 0; (p = plugin_at(PLUGIN_SOURCE, i)) != NULL; i++) {
		row(p->source->name, p->source->doc);
		whence(p->source);
	}
}

static void list_classifiers(bool verbose)
{
	(void)verbose;
	const struct classifier *c;

	for (unsigned i = 0; (c = classifier_at(i)) != NULL; i++) {
		row(c->name, c->doc);
		whence(c);
	}
}

static void list_reports(bool verbose)
{
	(void)verbose;
	for (unsigned i = 0; report_table[i] != NULL; i++)
		row(report_table[i]->name, report_table[i]->doc);
}

static void list_signatures(bool verbose)
{
	const struct signature *table;

	for (unsigned i = 0; (table = signatures_at(i)) != NULL; i++) {
		for (const struct signature *s = table; s->id != NULL; s++) {
			row(s->id, s->summary);
			whence(table);
			if (!verbose)
				continue;
			detail("family", family_name[s->family]);
			detail("benign", s->benign);
			detail("refs", s->refs);
		}
	}
}

static void list_devices(bool verbose)
{
	const struct device *table;

	for (unsigned i = 0; (table = devices_at(i)) != NULL; i++) {
		for (const struct device *d = table; d->id != NULL; d++) {
			if (!d->attributed && !verbose)
				continue;
			row(d->id, d->doc);
			whence(table);
			if (!verbose)
				continue;
			detail("grade", d->attributed
						? attribution_name[d->grade]
						: "never attributed: fits honest packets too");
			detail("from", d->valid_from);
			detail("until", d->valid_to);
			detail("refs", d->source);
		}
	}
}

static void list_sinks(bool verbose)
{
	(void)verbose;
	const struct plugin *p;

	for (unsigned i = 0; sink_table[i] != NULL; i++)
		row(sink_table[i]->name, sink_table[i]->doc);
	in_module();
	for (unsigned i = 0; (p = plugin_at(PLUGIN_SINK, i)) != NULL; i++) {
		row(p->sink->name, p->sink->doc);
		whence(p->sink);
	}
}

static const struct {
	const char *name;
	void (*list)(bool verbose);
} kinds[] = {
	{.name = "sources", .list = list_sources},
	{.name = "sinks", .list = list_sinks},
	{.name = "classifiers", .list = list_classifiers},
	{.name = "signatures", .list = list_signatures},
	{.name = "devices", .list = list_devices},
	{.name = "reports", .list = list_reports},
};

static int list_run(void *config, int argc, char **argv)
{
	const struct list_config *cfg = config;

	if (argc != 1) {
		options_error(&command_list, argc == 0 ? "what should be listed?"
						       : "one thing at a time can be listed", NULL);
		return EXIT_USAGE;
	}
	if (!plugins_start(&cfg->plugins, &command_list))
		return EXIT_USAGE;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].name, argv[0]) != 0)
			continue;
		kinds[i].list(cfg->verbose);
		if (fflush(stdout) == 0 && !ferror(stdout))
			return EXIT_DONE;
		fprintf(stderr, "error: standard output: %s\n", strerror(errno));
		return EXIT_IO;
	}
	options_error(&command_list, "nothing of that name can be listed", argv[0]);
	return EXIT_USAGE;
}

const struct command command_list = {
	.name = "list",
	.usage = "sources|sinks|classifiers|signatures|devices|reports",
	.summary = "show everything of one kind that is registered",
	.details = NULL,
	.options = list_options,
	.config_size = sizeof(struct list_config),
	.run = list_run,
};
