/* SPDX-License-Identifier: BSD-3-Clause */

/* wmscope diff: two reports held against each other. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/log.h"
#include "tools/command.h"
#include "tools/diff/items.h"
#include "tools/escape.h"
#include "tools/json.h"
#include "tools/options.h"

extern const struct command command_diff;

struct diff_config {
	const char *jsonl;
	bool all;
};

#define AT(field) .offset = offsetof(struct diff_config, field)
static const struct option_row diff_rows[] = {
	{.name = "jsonl",
	 .kind = OPTION_STRING,
	 AT(jsonl),
	 .argument = "FILE",
	 .help = "write JSON Lines here, one object for each item, instead of text on standard "
		 "output"},
	{.name = "all", .kind = OPTION_FLAG, AT(all), .help = "also what is the same in both"},
	{.name = NULL},
};

struct reading {
	struct items *items;
	enum side side;
};

static int take(void *user, const struct json_value *event)
{
	const struct reading *r = user;

	return items_add(r->items, r->side, event);
}

static void side_json(struct json *j, const char *key, const struct item *i,
		      const struct item_side *s)
{
	if (!s->there) {
		json_null(j, key);
		return;
	}
	json_object(j, key);
	if (i->kind == ITEM_NAME) {
		json_uint(j, "passed", s->passed);
		json_uint(j, "failed", s->failed);
		json_bool(j, "filtered", s->filtered);
	} else {
		json_uint(j, "findings", s->n);
		json_string(j, "verdict", s->verdict < 0 ? NULL : verdict_name[s->verdict]);
	}
	if (i->kind == ITEM_FINDING)
		json_string(j, "ids", s->ids);
	json_end(j);
}

static void write_json(FILE *out, const struct items *items, bool all)
{
	for (size_t k = 0; k < items->n; k++) {
		const struct item *i = &items->list[k];
		struct json j;
		if (i->change == CHANGE_SAME && !all)
			continue;
		json_start(&j, out);
		json_object(&j, NULL);
		json_uint(&j, "schema", 1);
		json_string(&j, "event_type", "diff");
		json_object(&j, "diff");
		json_string(&j, "kind", item_kind_name[i->kind]);
		json_bytes(&j, "key", i->key, strlen(i->key));
		json_string(&j, "change", change_name[i->change]);
		side_json(&j, "a", i, &i->sides[SIDE_A]);
		side_json(&j, "b", i, &i->sides[SIDE_B]);
		json_string(&j, "why", i->why[0] != '\0' ? i->why : NULL);
		json_end(&j);
		json_end(&j);
	}
}

static void side_text(FILE *out, const struct item *i, const struct item_side *s)
{
	if (!s->there)
		fputs("-", out);
	else if (i->kind == ITEM_NAME)
		fprintf(out, "%s (%u of %u failed)", s->filtered ? "filtered" : "not filtered",
			s->failed, s->n);
	else
		fprintf(out, "%s, %u finding%s", s->verdict < 0 ? "?" : verdict_name[s->verdict],
			s->n, s->n == 1 ? "" : "s");
}

static void item_text(FILE *out, const struct item *i)
{
	fprintf(out, "  %-9s ", change_name[i->change]);
	escape_write(out, i->key, strlen(i->key), 0);
	fputs("\n            A: ", out);
	side_text(out, i, &i->sides[SIDE_A]);
	fputs("   B: ", out);
	side_text(out, i, &i->sides[SIDE_B]);
	if (i->why[0] != '\0') {
		fputs("\n            ", out);
		escape_write(out, i->why, strlen(i->why), 0);
	}
	fputc('\n', out);
}

static void write_text(FILE *out, const struct items *items, char **paths, bool all)
{
	static const char *const heads[ITEM_KINDS] = {
		"Names", "Interference (what, of which name or where)", "Boxes"};
	size_t at = 0;

	for (unsigned side = 0; side < SIDES_N; side++) {
		fprintf(out, "%c: ", 'A' + (int)side);
		escape_write(out, paths[side], strlen(paths[side]), 0);
		fputs(items->findings_left_out[side] ? " (written with --min-verdict: what is "
						       "missing in it may have been left out)\n"
						     : "\n", out);
	}
	for (unsigned kind = 0; kind < ITEM_KINDS; kind++) {
		size_t n[CHANGES] = {0};
		size_t end = at;
		for (; end < items->n && items->list[end].kind == kind; end++)
			n[items->list[end].change]++;
		fprintf(out, "\n%s: %zu the same, %zu new in B, %zu gone, %zu changed, "
			"%zu not tested enough in both\n", heads[kind], n[CHANGE_SAME], n[CHANGE_NEW],
			n[CHANGE_GONE], n[CHANGE_CHANGED], n[CHANGE_UNTESTED]);
		for (; at < end; at++)
			if (all || items->list[at].change != CHANGE_SAME)
				item_text(out, &items->list[at]);
	}
}

static bool differ(const struct items *items)
{
	for (size_t k = 0; k < items->n; k++)
		if (items->list[k].change != CHANGE_SAME && items->list[k].change != CHANGE_UNTESTED)
			return true;
	return false;
}

static int write_out(const struct diff_config *cfg, const struct items *items, char **paths)
{
	bool named = cfg->jsonl != NULL && strcmp(cfg->jsonl, "-") != 0;
	FILE *out = named ? fopen(cfg->jsonl, "we") : stdout;

	if (out == NULL)
		return -errno;
	if (cfg->jsonl != NULL)
		write_json(out, items, cfg->all);
	else
		write_text(out, items, paths, cfg->all);
	int err = fflush(out) != 0 || ferror(out) ? -errno : 0;
	if (named && fclose(out) != 0 && err == 0)
		err = -errno;
	return err;
}

static int diff_run(void *config, int argc, char **argv)
{
	const struct diff_config *cfg = config;
	struct items items = {.n = 0};
	char why[512];
	int status = EXIT_DONE;

	if (argc != 2) {
		options_error(&command_diff, "two reports are wanted", NULL);
		return EXIT_USAGE;
	}
	for (unsigned side = 0; side < SIDES_N && status == EXIT_DONE; side++) {
		struct reading r = {.items = &items, .side = side};
		int err = saved_read(argv[side], take, &r, why, sizeof(why));
		if (err == 0)
			continue;
		log_error(NULL, "%s", err == -ENOMEM ? strerror(ENOMEM) : why);
		status = err == -ENOMEM ? EXIT_IO : EXIT_INPUT;
	}
	if (status == EXIT_DONE) {
		items_compare(&items);
		int err = write_out(cfg, &items, argv);
		if (err != 0) {
			log_error(NULL, "%s: %s", cfg->jsonl != NULL ? cfg->jsonl : "standard output",
				  strerror(-err));
			status = EXIT_IO;
		} else if (differ(&items)) {
			status = EXIT_FINDINGS;
		}
	}
	items_free(&items);
	return status;
}

const struct command command_diff = {
	.name = "diff",
	.usage = "A B",
	.summary = "say what is different between two reports",
	.details = "A and B are what analyze wrote with --jsonl, or folders that it wrote with -o: of "
		   "before and after a change of a box, or of two networks. Names, kinds of "
		   "interference and boxes are held against each other by what is stable in them, not "
		   "by times, clients or frames. What one of the two never tried is told apart from "
		   "what it tried without finding anything.",
	.found = "something is new, gone or changed",
	.options = diff_rows,
	.config_size = sizeof(struct diff_config),
	.run = diff_run,
};
