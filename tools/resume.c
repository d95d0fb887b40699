/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/resume.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "classifiers/arena.h"
#include "tools/escape.h"
#include "tools/folder.h"
#include "tools/input_digests.h"
#include "tools/testimony/fit.h"

#define NUMBER	 6 /* digits */
#define PARTIAL	 "partial"
#define DIGITS	 64 /* of a SHA-256 */
#define PIECE_SIZE (NUMBER + 1 + DIGITS + 1) /* of a piece's name */

struct resume {
	struct resume_config cfg;
	struct arena arena;
	struct testimony_head head; /* that every piece has to fit */
	char *folder, *name;	    /* DIR/unfinished; the same for people */
	struct testimony **taken;
	unsigned n_taken;
};

static char *path_of(const char *dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", dir, name) >= 0 ? path : NULL;
}

static bool is_there(const char *dir, const char *name)
{
	char *path = path_of(dir, name);
	bool there = path != NULL && access(path, F_OK) == 0;

	free(path);
	return there;
}

bool resume_waits(const char *dir)
{
	return is_there(dir, RESUME_NAME);
}

bool resume_finished(const char *dir)
{
	return is_there(dir, "report.json");
}

static int refuse(const struct resume *r, const char *reason, char *why, size_t len)
{
	snprintf(why, len, "%s: %s", r->name, reason);
	return -EINVAL;
}

/* The input's number, and what stands behind it; NULL: nothing of ours. */
static const char *parse(const char *name, unsigned *number)
{
	*number = 0;
	for (unsigned i = 0; i < NUMBER; i++) {
		if (name[i] < '0' || name[i] > '9')
			return NULL;
		*number = *number * 10 + (unsigned)(name[i] - '0');
	}
	const char *rest = name + NUMBER + 1;
	if (name[NUMBER] != '-')
		return NULL;
	bool hash = strspn(rest, "0123456789abcdef") == DIGITS && rest[DIGITS] == '\0';
	return hash || strcmp(rest, PARTIAL) == 0 ? rest : NULL;
}

static bool has_testimony(const struct resume *r, const char *piece)
{
	char *dir = path_of(r->folder, piece);
	bool has = dir != NULL && is_there(dir, TESTIMONY_NAME);

	free(dir);
	return has;
}

/* What belongs to input i, into name; any: to one from i on. 1, 0: nothing does, or -errno. */
static int find(const struct resume *r, unsigned i, bool any, char name[PIECE_SIZE])
{
	DIR *dir = opendir(r->folder);
	int found = 0;

	if (dir == NULL)
		return -errno;
	for (struct dirent *e; found == 0 && (e = readdir(dir)) != NULL;) {
		unsigned number;
		const char *rest = parse(e->d_name, &number);
		if (rest == NULL || strcmp(rest, PARTIAL) == 0 || (any ? number < i : number != i))
			continue;
		snprintf(name, PIECE_SIZE, "%.*s", (int)PIECE_SIZE - 1, e->d_name);
		/* One that was being written has no file yet. */
		found = has_testimony(r, name);
	}
	closedir(dir);
	return found;
}

static void remove_piece(const struct resume *r, const char *name)
{
	static const char *const files[] = {TESTIMONY_NAME, TESTIMONY_NAME ".part"};
	char *piece = path_of(r->folder, name);

	for (size_t i = 0; piece != NULL && i < sizeof(files) / sizeof(files[0]); i++) {
		char *file = path_of(piece, files[i]);
		if (file != NULL)
			unlink(file);
		free(file);
	}
	if (piece != NULL)
		rmdir(piece);
	free(piece);
}

void resume_done(struct resume *r)
{
	struct dirent **list;
	int n = scandir(r->folder, &list, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		unsigned number;
		if (parse(list[i]->d_name, &number) != NULL)
			remove_piece(r, list[i]->d_name);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	rmdir(r->folder);
}

static int name_folder(struct resume *r)
{
	r->folder = path_of(r->cfg.dir, RESUME_NAME);
	if (r->folder == NULL)
		return -ENOMEM;
	size_t room = 4 * strlen(r->folder) + 1;
	r->name = malloc(room);
	if (r->name == NULL)
		return -ENOMEM;
	escape_string(r->name, room, r->folder, 0);
	return folder_make(r->folder);
}

int resume_open(struct resume **out, const struct resume_config *cfg, char *why, size_t len)
{
	struct resume *r = calloc(1, sizeof(*r));
	char name[PIECE_SIZE];
	int err = -ENOMEM;

	snprintf(why, len, "%s", strerror(ENOMEM));
	if (r == NULL)
		return err;
	r->cfg = *cfg;
	r->taken = calloc((size_t)cfg->run->n_inputs + 1, sizeof(struct testimony *));
	if (r->taken != NULL)
		err = name_folder(r);
	if (err != 0 && r->name != NULL)
		snprintf(why, len, "%s: %s", r->name, strerror(-err));
	if (err == 0)
		err = testimony_head_of(&r->head, cfg->run, 0, &r->arena);
	if (err == 0) {
		err = find(r, cfg->run->n_inputs, true, name);
		if (err == 1)
			err = refuse(r, "was begun with more captures than are given now", why, len);
		else if (err < 0)
			snprintf(why, len, "%s: %s", r->name, strerror(-err));
	}
	if (err != 0)
		resume_close(r);
	else
		*out = r;
	return err;
}

void resume_close(struct resume *r)
{
	if (r == NULL)
		return;
	for (unsigned i = 0; r->taken != NULL && i < r->n_taken; i++)
		testimony_free(r->taken[i]);
	free(r->taken);
	if (r->folder != NULL)
		rmdir(r->folder); /* where nothing is kept */
	free(r->folder);
	free(r->name);
	arena_free(&r->arena);
	free(r);
}

static int take_piece(struct resume *r, unsigned i, const char *piece, struct analysis *a,
		      unsigned *conditions, char *why, size_t len)
{
	char *dir = path_of(r->folder, piece);
	struct testimony *t = NULL;

	if (dir == NULL) {
		snprintf(why, len, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	int err = testimony_open(&t, dir, r->cfg.key, why, len);
	if (err == 0) {
		r->taken[r->n_taken++] = t;
		err = testimony_fits(testimony_head(t), dir, &r->head, "this run", why, len) ? 0 : -EINVAL;
	}
	if (err == 0)
		err = testimony_take(t, a, r->cfg.run->rules, r->cfg.survey, i, why, len);
	if (err == 0)
		*conditions = (unsigned)testimony_head(t)->conditions;
	free(dir);
	return err;
}

int resume_take(struct resume *r, unsigned i, const char *file, struct analysis *a,
		unsigned *conditions, char *why, size_t len)
{
	char piece[PIECE_SIZE];
	struct capture_digest digest;

	int err = find(r, i, false, piece);
	if (err < 0)
		snprintf(why, len, "%s: %s", r->name, strerror(-err));
	if (err <= 0)
		return err;
	input_digest(file, &digest);
	if (strcmp(piece + NUMBER + 1, digest.sha256) != 0) {
		snprintf(why, len, "%s: was begun with another capture in the place of %.200s", r->name,
			 file);
		return -EINVAL;
	}
	err = take_piece(r, i, piece, a, conditions, why, len);
	if (err != 0)
		return err;
	const char *was = a->captures[a->n_captures - 1].files[0];
	if (strcmp(was, file) == 0)
		return 1;
	snprintf(why, len, "%s: was begun with %.200s under another name", r->name, file);
	return -EINVAL;
}

int resume_add(struct resume *r, unsigned i, struct analysis *alone, struct survey *of,
	       unsigned conditions, bool whole, struct analysis *a, char *why, size_t len)
{
	const char *hash = alone->captures[0].digests[0].sha256;
	struct testimony_run run = *r->cfg.run;
	struct testimony_head head;
	char name[PIECE_SIZE], *dir;

	whole = whole && hash[0] != '\0';
	snprintf(name, sizeof(name), "%06u-%.64s", i, whole ? hash : PARTIAL);
	dir = path_of(r->folder, name);
	run.n_inputs = 1;
	int err = dir != NULL ? folder_make(dir) : -ENOMEM;
	if (err == 0)
		err = testimony_head_of(&head, &run, conditions, &r->arena);
	if (err == 0) {
		const struct testimony_place at = {.dir = dir, .key = r->cfg.key, .survey = of,
						   .arena = &r->arena};
		err = testimony_write(&at, alone, &head, run.rules);
	}
	if (err != 0)
		snprintf(why, len, "%s: %s", r->name, strerror(-err));
	else
		err = take_piece(r, i, name, a, &conditions, why, len);
	if (!whole)
		remove_piece(r, name);
	free(dir);
	return err;
}
