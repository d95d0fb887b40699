/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/lists.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/log.h"

/* XDG_NAME or HOME/otherwise, and tail below it. Relative values are to be ignored, says the standard. */
static char *folder(const char *variable, const char *otherwise, const char *tail)
{
	const char *base = getenv(variable), *home = getenv("HOME");
	char *path = NULL;
	if (base != NULL && base[0] == '/') {
		if (asprintf(&path, "%s/%s", base, tail) < 0)
			return NULL;
	} else if (home != NULL && home[0] == '/') {
		if (asprintf(&path, "%s/%s/%s", home, otherwise, tail) < 0)
			return NULL;
	}
	return path;
}

char *lists_folder(const struct lists_config *cfg)
{
	if (cfg->dir != NULL)
		return strdup(cfg->dir);
	return folder("XDG_DATA_HOME", ".local/share", "wmscope/lists");
}

static char *cache_folder(void)
{
	return folder("XDG_CACHE_HOME", ".cache", "wmscope");
}

static void note_line(FILE *f, char *out, size_t room)
{
	if (fgets(out, (int)room, f) == NULL)
		out[0] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

void lists_note_read(const char *path, struct lists_note *out)
{
	char *name = NULL;
	*out = (struct lists_note){.when = ""};
	if (asprintf(&name, "%s" LISTS_NOTE, path) < 0)
		return;
	FILE *f = fopen(name, "re");
	if (f != NULL) {
		note_line(f, out->when, sizeof(out->when));
		if (strspn(out->when, "0123456789-:TZ") != strlen(out->when))
			out->when[0] = '\0';
		note_line(f, out->from, sizeof(out->from));
		fclose(f);
	}
	free(name);
}

static int is_list(const struct dirent *e)
{
	size_t n = strlen(e->d_name), tail = strlen(LISTS_NOTE);
	return e->d_name[0] != '.' && (n < tail || strcmp(e->d_name + n - tail, LISTS_NOTE) != 0);
}

/* By name, so that hits are told in the same order everywhere. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int load_folder(struct ruleset *set, const char *dir, bool named)
{
	struct dirent **files = NULL;
	int n = scandir(dir, &files, is_list, by_name), err = 0;
	if (n < 0) {
		if (named || (errno != ENOENT && errno != ENOTDIR))
			log_warn(NULL, "%s: %s", dir, strerror(errno));
		return 0;
	}
	for (int i = 0; i < n; i++) {
		struct lists_note note;
		char *path = NULL;
		if (err == 0 && asprintf(&path, "%s/%s", dir, files[i]->d_name) < 0)
			err = -ENOMEM;
		if (err == 0) {
			lists_note_read(path, &note);
			err = ruleset_load_file(set, path, note.when);
			if (err != 0 && err != -ENOMEM) {
				log_warn(NULL, "%s: %s", path,
					 err == -EINVAL ? "not a list that is known"
							: strerror(-err));
				err = 0;
			}
			free(path);
		}
		free(files[i]);
	}
	free(files);
	return err;
}

unsigned lists_warn(const struct ruleset *set, const char *list)
{
	unsigned n = 0;
	for (size_t i = 0; i < ruleset_refusals(set); i++) {
		const struct rule_refusal *r = ruleset_refusal(set, i);
		if (list != NULL && strcmp(r->list, list) != 0)
			continue;
		log_warn(NULL, "%s: line %u: %s%s%s", r->list, r->line, r->id,
			 r->id[0] != '\0' ? ": " : "", r->reason);
		n++;
	}
	return n;
}

unsigned lists_warn_matcher(struct matcher *m, const char *list)
{
	unsigned n = 0;
	for (size_t i = 0; i < matcher_refusals(m); i++) {
		struct rule_refusal r = matcher_refusal(m, i);
		if (list != NULL && strcmp(r.list, list) != 0)
			continue;
		log_warn(NULL, "%s: line %u: %s: %s", r.list, r.line, r.id, r.reason);
		n++;
	}
	return n;
}

/* The user's own files: every wrong line is named, and then nothing is done. */
static enum exit_status load_own(struct ruleset *set, const struct option_strings *files)
{
	enum exit_status status = EXIT_DONE;
	for (unsigned i = 0; i < files->n; i++) {
		int err = ruleset_load_file(set, files->v[i], NULL);
		if (err == -ENOMEM)
			return EXIT_IO;
		if (err != 0) {
			log_error(NULL, "%s: %s", files->v[i],
				  err == -EINVAL ? "not a rules file" : strerror(-err));
			status = EXIT_INPUT;
			continue;
		}
		const struct list_info *l = ruleset_list(set, ruleset_lists(set) - 1);
		if (l->format == LIST_RULES && l->refused != 0) {
			lists_warn(set, l->name);
			log_error(NULL, "%s: %u of %u rules cannot be used", files->v[i],
				  l->refused, l->rows);
			status = EXIT_INPUT;
		}
	}
	return status;
}

static void warn_of_lists(const struct ruleset *set)
{
	for (size_t i = 0; i < ruleset_lists(set); i++) {
		const struct list_info *l = ruleset_list(set, i);
		if (l->refused != 0)
			log_warn(NULL, "%s: %u of %u rows cannot be used; wmscope lists list -v "
				 "names them", l->name, l->refused, l->rows);
	}
}

static enum exit_status load_all(struct ruleset *set, const struct lists_config *cfg)
{
	char *dir = cfg->no_lists ? NULL : lists_folder(cfg);
	int err = ruleset_builtin(set);
	if (err == 0 && dir != NULL)
		err = load_folder(set, dir, cfg->dir != NULL);
	free(dir);
	if (err == 0)
		warn_of_lists(set);
	enum exit_status status = err != 0 ? EXIT_IO : load_own(set, &cfg->files);
	if (status == EXIT_DONE && ruleset_seal(set) != 0)
		status = EXIT_IO;
	return status;
}

/* Own rules are compiled at once: one that cannot be is as wrong as one that cannot be read. */
static enum exit_status compile_own(const struct lists *l, const struct option_strings *files)
{
	size_t lists = ruleset_lists(l->rules);
	unsigned wrong = 0;
	if (files->n == 0 || l->matcher == NULL)
		return EXIT_DONE;
	if (matcher_prepare(l->matcher) != 0)
		return EXIT_IO;
	for (unsigned i = 0; i < files->n; i++) {
		const struct list_info *own = ruleset_list(l->rules, lists - files->n + i);
		if (own->format == LIST_RULES)
			wrong += lists_warn_matcher(l->matcher, own->name);
	}
	if (wrong != 0)
		log_error(NULL, "%u of your own rules cannot be used", wrong);
	return wrong != 0 ? EXIT_INPUT : EXIT_DONE;
}

enum exit_status lists_open(struct lists *l, const struct lists_config *cfg)
{
	char *cache = cache_folder();
	*l = (struct lists){.rules = NULL};
	enum exit_status status = ruleset_new(&l->rules) != 0 ? EXIT_IO : load_all(l->rules, cfg);
	if (status == EXIT_DONE) {
		int err = matcher_new(&l->matcher, l->rules,
				      &(struct matcher_config){.cache_dir = cache});
		if (err != 0 && err != -ENOTSUP)
			status = EXIT_IO;
	}
	if (status == EXIT_DONE)
		status = compile_own(l, &cfg->files);
	free(cache);
	if (status == EXIT_IO)
		log_error(NULL, "rules: %s", strerror(ENOMEM));
	if (status != EXIT_DONE)
		lists_close(l);
	return status;
}

void lists_close(struct lists *l)
{
	matcher_free(l->matcher);
	ruleset_free(l->rules);
	*l = (struct lists){.rules = NULL};
}
