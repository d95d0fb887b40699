/* SPDX-License-Identifier: BSD-3-Clause */

/* wmscope lists: public lists of block pages and rules of one's own, kept for all analyses. */

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/log.h"
#include "tools/command.h"
#include "tools/escape.h"
#include "tools/lists.h"
#include "tools/options.h"

extern const struct command command_lists;

struct lists_command {
	struct lists_config lists;
	bool verbose;
};

#define NAME_MAX_KEPT 100
#define PAGE_STEP     (1u << 20)

static const struct option_row lists_options[] = {
	LISTS_OPTIONS(struct lists_command, lists),
	{.name = "verbose", .letter = 'v', .kind = OPTION_FLAG,
	 .offset = offsetof(struct lists_command, verbose),
	 .help = "list: name every row that cannot be used, and why"},
	{.name = NULL},
};

static void print(const char *text)
{
	escape_write(stdout, text, strlen(text), 0);
}

/* A name for our folder: no path, nothing that a shell or this program takes for something else. */
static void safe_name(const char *path, char out[NAME_MAX_KEPT + 1])
{
	const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
	size_t n = 0, tail = strlen(LISTS_NOTE);
	for (; name[n] != '\0' && n < NAME_MAX_KEPT; n++) {
		bool plain = isalnum((unsigned char)name[n]) || name[n] == '_' || name[n] == '-' ||
			     (name[n] == '.' && n != 0);
		out[n] = plain ? name[n] : '_';
	}
	out[n] = '\0';
	if (n >= tail && strcmp(out + n - tail, LISTS_NOTE) == 0)
		out[n - tail] = '_';
}

static int make_folders(char *dir)
{
	for (char *p = dir + 1;; p++) {
		char was = *p;
		if (was != '/' && was != '\0')
			continue;
		*p = '\0';
		int err = mkdir(dir, 0777) != 0 && errno != EEXIST ? -errno : 0;
		*p = was;
		if (err != 0 || was == '\0')
			return err;
	}
}

/* Whole or not at all. */
static int write_file(const char *dir, const char *name, const void *data, size_t len)
{
	char *path = NULL, *temporary = NULL;
	int err = -ENOMEM, fd = -1;
	if (asprintf(&path, "%s/%s", dir, name) < 0)
		path = NULL;
	if (asprintf(&temporary, "%s/.new-XXXXXX", dir) < 0)
		temporary = NULL;
	if (path == NULL || temporary == NULL)
		goto out;
	fd = mkostemp(temporary, O_CLOEXEC);
	err = fd < 0 ? -errno : 0;
	for (size_t done = 0; err == 0 && done < len;) {
		ssize_t n = write(fd, (const char *)data + done, len - done);
		if (n < 0 && errno != EINTR)
			err = -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	if (err == 0 && fchmod(fd, 0644) != 0)
		err = -errno;
	if (fd >= 0 && close(fd) != 0 && err == 0)
		err = -errno;
	if (err == 0 && rename(temporary, path) != 0)
		err = -errno;
	if (err != 0 && fd >= 0)
		unlink(temporary);
out:
	free(path);
	free(temporary);
	return err;
}

static int keep(const struct lists_config *cfg, const char *from, const char *name,
		const void *data, size_t len)
{
	char *dir = lists_folder(cfg), note_name[NAME_MAX_KEPT + sizeof(LISTS_NOTE)], note[512];
	time_t now = time(NULL);
	struct tm utc;
	char when[32];
	if (dir == NULL)
		return -ENOENT;
	gmtime_r(&now, &utc);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &utc);
	int n = snprintf(note, sizeof(note), "%s\n%.400s\n", when, from);
	snprintf(note_name, sizeof(note_name), "%s" LISTS_NOTE, name);
	int err = make_folders(dir);
	if (err == 0)
		err = write_file(dir, name, data, len);
	if (err == 0)
		err = write_file(dir, note_name, note, (size_t)n);
	free(dir);
	return err;
}

/* What the list holds that can be used; refusals are named. */
static enum exit_status examine(const char *name, const char *path, const void *data, size_t len)
{
	struct ruleset *set = NULL;
	struct matcher *m = NULL;
	enum exit_status status = EXIT_IO;
	int err = ruleset_new(&set);
	if (err == 0)
		err = ruleset_load(set, name, path, data, len);
	if (err == 0)
		err = ruleset_seal(set);
	if (err == -EINVAL)
		status = EXIT_INPUT;
	if (err != 0) {
		log_error(NULL, "%s: %s", path,
			  err == -EINVAL ? "not a list that is known" : strerror(-err));
		goto out;
	}
	unsigned refused = lists_warn(set, NULL);
	err = matcher_new(&m, set, &(struct matcher_config){.cache_dir = NULL});
	if (err == 0 && matcher_prepare(m) == 0)
		refused += lists_warn_matcher(m, NULL);
	const struct list_info *l = ruleset_list(set, 0);
	status = EXIT_DONE;
	if (l->rows == 0 || refused == l->rows || (l->format == LIST_RULES && refused != 0)) {
		log_error(NULL, "%s: not imported: %u of %u rows cannot be used", path, refused,
			  l->rows);
		status = EXIT_INPUT;
		goto out;
	}
	print(name);
	printf(": %s, %u rows, %u can be used, %u cannot\n", list_format_name[l->format], l->rows,
	       l->rows - refused, refused);
out:
	matcher_free(m);
	ruleset_free(set);
	return status;
}

static int run_import(const struct lists_command *cfg, const char *path)
{
	char name[NAME_MAX_KEPT + 1], *data = NULL;
	size_t len;
	struct lists all;
	safe_name(path, name);
	int err = list_file_read(path, &data, &len);
	enum exit_status status = EXIT_INPUT;
	if (err != 0)
		log_error(NULL, "%s: %s", path,
			  err == -EINVAL ? "not a file, or a very large one" : strerror(-err));
	else
		status = examine(name, path, data, len);
	if (status == EXIT_DONE && (err = keep(&cfg->lists, path, name, data, len)) != 0) {
		log_error(NULL, "%s cannot be kept: %s", name, strerror(-err));
		status = EXIT_IO;
	}
	free(data);
	if (status != EXIT_DONE || lists_open(&all, &cfg->lists) != EXIT_DONE)
		return status;
	/* Into the cache now, so that the next analysis need not wait. */
	if (all.matcher != NULL)
		matcher_prepare(all.matcher);
	lists_close(&all);
	return status;
}

static int run_list(const struct lists_command *cfg)
{
	struct lists all;
	enum exit_status status = lists_open(&all, &cfg->lists);
	if (status != EXIT_DONE)
		return status;
	if (all.matcher == NULL)
		log_warn(NULL, "without Hyperscan only DNS answers are looked up");
	else
		matcher_prepare(all.matcher);
	printf("%-32s %-15s %6s %6s  %-20s  %s\n", "list", "format", "rules", "unused", "imported",
	       "sha256");
	for (size_t i = 0; i < ruleset_lists(all.rules); i++) {
		const struct list_info *l = ruleset_list(all.rules, i);
		unsigned refused = l->refused;
		for (size_t k = 0; all.matcher != NULL && k < matcher_refusals(all.matcher); k++)
			refused += matcher_refusal(all.matcher, k).list == l->name;
		char name[4 * 256 + 1];
		escape_string(name, sizeof(name), l->name, 0);
		printf("%-32s %-15s %6u %6u  %-20.20s  %.16s\n", name, list_format_name[l->format],
		       l->rows - refused, refused, l->imported[0] != '\0' ? l->imported : "-",
		       l->sha256);
	}
	if (cfg->verbose) {
		lists_warn(all.rules, NULL);
		if (all.matcher != NULL)
			lists_warn_matcher(all.matcher, NULL);
	}
	lists_close(&all);
	return EXIT_DONE;
}

static void print_hit(const struct rule *r)
{
	print(r->id);
	printf("  %s %s%s%s  ", rule_scope_name[r->scope], rule_where_name[r->where],
	       r->where == RULE_HEADER ? ":" : "", r->header);
	print(r->list);
	printf(":%u", r->line);
	if (r->countries[0] != '\0')
		printf("  %s", r->countries);
	fputs(r->opt_in ? "  opt-in" : "", stdout);
	if (r->name[0] != '\0') {
		fputs("  ", stdout);
		print(r->name);
	}
	putchar('\n');
}

/* Each "Name: value" line; names without a colon are passed over. */
static int scan_headers(struct lists *l, struct matcher_scratch *s, const char *head, size_t len,
			struct rule_hits *hits)
{
	int err = 0;
	for (size_t at = 0; at < len && err == 0;) {
		const char *line = head + at, *end = memchr(line, '\n', len - at);
		size_t n = end != NULL ? (size_t)(end - line) : len - at;
		at += n + 1;
		char name[128];
		if (n != 0 && line[n - 1] == '\r')
			n--;
		const char *colon = memchr(line, ':', n);
		if (line == head && n >= 12) {
			err = matcher_scan(l->matcher, s, RULE_HEADER, ":status", line + 9, 3,
					   matcher_collect, hits);
			continue;
		}
		if (colon == NULL || (size_t)(colon - line) >= sizeof(name))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(colon - line), line);
		const char *value = colon + 1;
		while (value < line + n && (*value == ' ' || *value == '\t'))
			value++;
		err = matcher_scan(l->matcher, s, RULE_HEADER, name, value,
				   (size_t)(line + n - value), matcher_collect, hits);
	}
	return err;
}

static int scan_page(struct lists *l, const char *data, size_t len, struct rule_hits *hits)
{
	struct matcher_scratch *s = NULL;
	size_t head = 0;
	int err = matcher_scratch_new(&s, l->matcher);
	if (len > 5 && memcmp(data, "HTTP/", 5) == 0) {
		const char *end = memmem(data, len, "\r\n\r\n", 4), *bare = memmem(data, len, "\n\n", 2);
		head = end != NULL ? (size_t)(end - data) + 4
		       : bare != NULL ? (size_t)(bare - data) + 2 : len;
	}
	if (err == 0 && head != 0)
		err = matcher_scan(l->matcher, s, RULE_HEAD, NULL, data, head, matcher_collect,
				   hits);
	if (err == 0 && head != 0)
		err = scan_headers(l, s, data, head, hits);
	if (err == 0)
		err = matcher_scan(l->matcher, s, RULE_BODY, NULL, data + head, len - head,
				   matcher_collect, hits);
	matcher_scratch_free(s);
	return err;
}

/* A page may come from a pipe. */
static int read_page(const char *path, char **data, size_t *len)
{
	size_t room = 0, n;

	if (strcmp(path, "-") != 0)
		return list_file_read(path, data, len);
	do {
		if (*len == room) {
			char *more = room < LIST_SIZE_MAX ? realloc(*data, room + PAGE_STEP) : NULL;
			if (more == NULL)
				return room < LIST_SIZE_MAX ? -ENOMEM : -EFBIG;
			*data = more;
			room += PAGE_STEP;
		}
		n = fread(*data + *len, 1, room - *len, stdin);
		*len += n;
	} while (n > 0);
	return ferror(stdin) ? -EIO : 0;
}

static int run_test(const struct lists_command *cfg, const char *path)
{
	struct lists all = {.rules = NULL};
	struct rule_hits hits = {.n = 0};
	char *data = NULL;
	size_t len = 0;
	enum exit_status status = lists_open(&all, &cfg->lists);
	if (status != EXIT_DONE)
		return status;
	int err = read_page(path, &data, &len);
	if (err != 0) {
		log_error(NULL, "%s: %s", path, strerror(-err));
		status = EXIT_INPUT;
	} else if (all.matcher == NULL) {
		log_error(NULL, "pages cannot be searched without Hyperscan");
		status = EXIT_IO;
	} else if ((err = scan_page(&all, data, len, &hits)) != 0) {
		log_error(NULL, "%s: %s", path, strerror(-err));
		status = EXIT_IO;
	} else {
		for (unsigned i = 0; i < hits.n; i++)
			print_hit(hits.hit[i]);
		if (hits.more != 0)
			printf("and %u more\n", hits.more);
		const struct rule *r = rules_decide(&hits, NULL);
		fputs(r == NULL ? "no rule knows this page\n"
		      : r->scope == RULE_FP ? "not a block page, says " : "a block page, says ",
		      stdout);
		if (r != NULL) {
			print(r->id);
			putchar('\n');
		}
	}
	free(data);
	lists_close(&all);
	return status;
}

static int lists_run(void *config, int argc, char **argv)
{
	const struct lists_command *cfg = config;
	int status;
	if (argc == 2 && strcmp(argv[0], "import") == 0) {
		status = run_import(cfg, argv[1]);
	} else if (argc == 1 && strcmp(argv[0], "list") == 0) {
		status = run_list(cfg);
	} else if (argc == 2 && strcmp(argv[0], "test") == 0) {
		status = run_test(cfg, argv[1]);
	} else {
		options_error(&command_lists, "import FILE, list or test FILE is expected",
			      argc != 0 ? argv[0] : NULL);
		return EXIT_USAGE;
	}
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	log_error(NULL, "standard output: %s", strerror(errno));
	return EXIT_IO;
}

const struct command command_lists = {
	.name = "lists",
	.usage = "import FILE|list|test FILE",
	.summary = "keep public lists of block pages and rules of your own",
	.details =
		"import takes OONI's fingerprints_http.csv and fingerprints_dns.csv, Censored "
		"Planet's blockpage_signatures.json and false_positive_signatures.json, or a rules "
		"file; rows that cannot be used are named with their line. test says which rules a "
		"saved HTTP response, or a body alone, hits and what they make of it; the body is "
		"searched as it is, so save it decoded.\n"
		"A rules file has one rule a line, # begins a comment:\n"
		"  ID SCOPE WHERE HOW PATTERN [WORD...]\n"
		"SCOPE is nat, isp, prod, inst, vbw or unknown: who filters; fp: no block page, "
		"whatever others say; proto: the opening of a protocol. WHERE is head, body, page "
		"(either), header:NAME, status, stream:c2s, stream:s2c, datagram or dns. HOW is "
		"contains, prefix, full or regexp. PATTERN is \"text\" with \\\\ \\\" \\n \\r \\t \\xHH, or "
		"/expression/ for regexp. WORD is nocase, opt-in, countries=IR,PK, confidence=1 to "
		"10, name=\"...\" or source=\"...\".\n"
		"  my-page isp body contains \"is blocked by order of\" countries=PK",
	.options = lists_options,
	.config_size = sizeof(struct lists_command),
	.run = lists_run,
};
