/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/log.h"
#include "tools/digest.h"
#include "tools/folder.h"
#include "tools/jobs.h"

static bool is_stdout(const struct output *o)
{
	return strcmp(o->path, "-") == 0;
}

int outputs_add(struct outputs *o, const char *report, const char *path)
{
	if (o->n == OUTPUTS_MAX)
		return -E2BIG;
	struct output *out = &o->list[o->n];
	out->report = report_find(report);
	out->path = strdup(path);
	if (out->path == NULL)
		return -ENOMEM;
	o->n++;
	return out->report != NULL ? 0 : -ENOENT;
}

static int make_folder(struct outputs *o, const char *dir)
{
	bool there = access(dir, F_OK) == 0;
	int err = folder_make(dir);

	if (err != 0)
		log_error(NULL, "%s: %s", dir, strerror(-err));
	else if (!there && o->n_made_dirs < sizeof(o->made_dirs) / sizeof(o->made_dirs[0]))
		o->made_dirs[o->n_made_dirs++] = strdup(dir);
	return err;
}

int outputs_add_in(struct outputs *o, const char *report, const char *dir)
{
	int err = make_folder(o, dir);

	return err != 0 ? err : outputs_add(o, report, dir);
}

int outputs_add_folder(struct outputs *o, const char *dir)
{
	/*
	 * A report that the build lacks is left out. Without a name the report makes its own. What takes
	 * longest comes first: they are begun in this order.
	 */
	static const struct {
		const char *report, *name;
	} files[] = {
		{.report = "csv", .name = NULL},
		{.report = "pcapng", .name = "annotated.pcapng"},
		{.report = "jsonl", .name = "events.jsonl"},
		{.report = "text", .name = "report.txt"},
		{.report = "html", .name = "report.html"},
		{.report = "figures", .name = NULL},
		{.report = "wireshark", .name = NULL},
		{.report = "manifest", .name = NULL},
	};

	int err = make_folder(o, dir);
	for (size_t i = 0; err == 0 && i < sizeof(files) / sizeof(files[0]); i++) {
		char *path = NULL;
		if (report_find(files[i].report) == NULL)
			continue;
		if (files[i].name != NULL && asprintf(&path, "%s/%s", dir, files[i].name) < 0)
			return -ENOMEM;
		err = outputs_add(o, files[i].report, path != NULL ? path : dir);
		free(path);
	}
	return err;
}

void outputs_share(struct outputs *o, unsigned first)
{
	for (unsigned i = first; i < o->n; i++)
		o->list[i].shared = true;
}

bool outputs_any(const struct outputs *o, bool shared)
{
	bool any = false;

	for (unsigned i = 0; i < o->n; i++)
		any |= o->list[i].shared == shared;
	return any;
}

bool outputs_has(const struct outputs *o, const char *report)
{
	for (unsigned i = 0; i < o->n; i++) {
		if (o->list[i].report != NULL && strcmp(o->list[i].report->name, report) == 0)
			return true;
	}
	return false;
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	/* A terminal, a pipe or a folder may be both. */
	return stat(a, &x) == 0 && stat(b, &y) == 0 && S_ISREG(x.st_mode) &&
	       x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Of files that are still to be made: one name in one folder, however the way there is spelled. */
static bool same_place(const char *a, const char *b)
{
	const char *x = strrchr(a, '/'), *y = strrchr(b, '/');
	char *in_a = x != NULL ? strndup(a, (size_t)(x - a) + 1) : strdup(".");
	char *in_b = y != NULL ? strndup(b, (size_t)(y - b) + 1) : strdup(".");
	struct stat s, t;

	bool same = strcmp(x != NULL ? x + 1 : a, y != NULL ? y + 1 : b) == 0 && in_a != NULL &&
		    in_b != NULL && stat(in_a, &s) == 0 && stat(in_b, &t) == 0 &&
		    s.st_dev == t.st_dev && s.st_ino == t.st_ino;
	free(in_a);
	free(in_b);
	return same || same_file(a, b);
}

static bool clash(const struct output *a, const struct output *b)
{
	if (a->report->write_folder != NULL || b->report->write_folder != NULL)
		return a->report == b->report && strcmp(a->path, b->path) == 0;
	if (is_stdout(a) || is_stdout(b))
		return is_stdout(a) && is_stdout(b);
	return same_place(a->path, b->path);
}

bool outputs_clash(const struct outputs *o, char *const *inputs, int n_inputs)
{
	for (unsigned i = 0; i < o->n; i++) {
		for (unsigned k = 0; k < i; k++) {
			if (clash(&o->list[i], &o->list[k])) {
				log_error(NULL, "%s: two reports cannot go to one place",
					  o->list[i].path);
				return true;
			}
		}
		for (int k = 0; k < n_inputs && !is_stdout(&o->list[i]); k++) {
			if (same_place(o->list[i].path, inputs[k])) {
				log_error(NULL, "%s: the report would overwrite a capture",
					  o->list[i].path);
				return true;
			}
		}
	}
	return false;
}

/* A device, a pipe or a link is written through: a file renamed over it would take its place. */
static int open_through(struct output *out, mode_t mode)
{
	out->through = true;
	if (S_ISDIR(mode))
		return -EISDIR;
	/* A link to nothing yet is made by writing. Not opened: whoever reads a pipe would see it end. */
	if (S_ISLNK(mode) && access(out->path, F_OK) != 0)
		return 0;
	return access(out->path, W_OK) != 0 ? -errno : 0;
}

/* What cannot be written there is told before the analysis. */
static int open_one(struct output *out)
{
	struct stat st;

	if (out->report->write_folder != NULL)
		return access(out->path, W_OK | X_OK) != 0 ? -errno : 0;
	if (out->report->write_path == NULL) {
		out->made = !is_stdout(out) && access(out->path, F_OK) != 0;
		/* Appending: an earlier report is not lost before there is one to replace it. */
		out->file = is_stdout(out) ? stdout : fopen(out->path, "ae");
		if (out->file != NULL && !is_stdout(out))
			out->buffer = folder_stream(out->file);
		return out->file != NULL ? 0 : -errno;
	}
	if (is_stdout(out))
		return 0;
	if (lstat(out->path, &st) == 0 && !S_ISREG(st.st_mode))
		return open_through(out, st.st_mode);
	if (asprintf(&out->part, "%s.part", out->path) < 0) {
		out->part = NULL;
		return -ENOMEM;
	}
	FILE *probe = fopen(out->part, "we");
	if (probe == NULL)
		return -errno;
	fclose(probe);
	out->made = true;
	return 0;
}

int outputs_open(struct outputs *o)
{
	for (unsigned i = 0; i < o->n; i++) {
		int err = open_one(&o->list[i]);
		if (err != 0) {
			log_error(NULL, "%s: %s", o->list[i].path, strerror(-err));
			return err;
		}
	}
	return 0;
}

static void give_dir(const char *path, uid_t uid, gid_t gid)
{
	int dir = path != NULL ? open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;

	if (dir >= 0 && fchown(dir, uid, gid) != 0)
		log_warn(NULL, "%s: %s", path, strerror(errno));
	if (dir >= 0)
		close(dir);
}

void outputs_give(const struct outputs *o, uid_t uid, gid_t gid)
{
	for (unsigned i = 0; i < o->n_made_dirs; i++)
		give_dir(o->made_dirs[i], uid, gid);
	for (unsigned i = 0; i < o->n; i++) {
		const struct output *out = &o->list[i];
		if (!out->made)
			continue;
		if ((out->part != NULL ? lchown(out->part, uid, gid)
				       : fchown(fileno(out->file), uid, gid)) != 0)
			log_warn(NULL, "%s: %s", out->path, strerror(errno));
	}
}

/* Closing is where a full disk may first be told. */
static int finish(struct output *out)
{
	FILE *file = out->file;

	out->file = NULL;
	if (file == stdout)
		return fflush(stdout) != 0 ? -errno : 0;
	int err = fclose(file) != 0 ? -errno : 0;
	free(out->buffer);
	out->buffer = NULL;
	return err;
}

static int write_stream(struct output *out, const struct analysis *a,
			const struct report_options *ro)
{
	struct report_options mine = *ro;
	struct stat st;
	int err = 0;

	/* Colour is for the terminal, and only stdout may be one. */
	mine.colour = ro->colour && is_stdout(out);
	/* Devices and pipes cannot be emptied, and need not be. */
	if (!is_stdout(out) && fstat(fileno(out->file), &st) == 0 && S_ISREG(st.st_mode) &&
	    ftruncate(fileno(out->file), 0) != 0)
		err = -errno;
	if (err == 0)
		err = out->report->write(a, &mine, out->file);
	int end = finish(out);
	return err != 0 ? err : end;
}

static int write_named(struct output *out, const struct analysis *a,
		       const struct report_options *ro)
{
	if (is_stdout(out))
		return out->report->write_path(a, ro, "/dev/stdout");
	if (out->through)
		return out->report->write_path(a, ro, out->path);
	int err = out->report->write_path(a, ro, out->part);
	if (err == 0 && rename(out->part, out->path) != 0)
		err = -errno;
	if (err != 0)
		unlink(out->part);
	free(out->part);
	out->part = NULL;
	return err;
}

static int write_one(struct output *out, const struct analysis *a, const struct report_options *ro)
{
	if (out->report->write_folder != NULL)
		return out->report->write_folder(a, ro, out->path);
	return out->report->write_path != NULL ? write_named(out, a, ro) : write_stream(out, a, ro);
}

struct writing {
	const struct analysis *a;
	const struct report_options *ro;
	struct output *due[OUTPUTS_MAX];
	int err[OUTPUTS_MAX];
	unsigned n;
};

static void write_due(void *user, unsigned i)
{
	struct writing *w = user;

	w->err[i] = write_one(w->due[i], w->a, w->ro);
}

/* Those that are due, at the same time; the first error of them in their order. */
static int write_those(struct outputs *o, struct writing *w, bool shared, bool last)
{
	int first = 0;

	w->n = 0;
	for (unsigned i = 0; i < o->n; i++)
		if (o->list[i].shared == shared && o->list[i].report->last == last)
			w->due[w->n++] = &o->list[i];
	jobs_run(w->n, write_due, w);
	for (unsigned i = 0; i < w->n; i++) {
		if (w->err[i] != 0)
			log_error(NULL, "%s: %s",
				  is_stdout(w->due[i]) ? "standard output" : w->due[i]->path,
				  strerror(-w->err[i]));
		first = first != 0 ? first : w->err[i];
	}
	return first;
}

int outputs_write(struct outputs *o, const struct analysis *a, const struct report_options *ro,
		  bool shared)
{
	struct table_digests digests = {.made = false};
	struct report_options with = *ro;
	struct writing w = {.a = a, .ro = &with};

	/* Of one folder: there are no two, and the manifest's is that of the tables. */
	with.table_digests = &digests;
	int err = write_those(o, &w, shared, false), last = write_those(o, &w, shared, true);

	return err != 0 ? err : last;
}

static void close_one(struct output *out)
{
	if (out->file != NULL && out->file != stdout) {
		/* A report that there was not before is not left there empty. */
		if (out->made)
			unlink(out->path);
		fclose(out->file);
		free(out->buffer);
	}
	if (out->part != NULL)
		unlink(out->part);
	free(out->part);
	free(out->path);
}

void outputs_drop(struct outputs *o, const char *report)
{
	unsigned n = 0;

	for (unsigned i = 0; i < o->n; i++) {
		struct output *out = &o->list[i];
		struct stat st;
		if (strcmp(out->report->name, report) != 0) {
			o->list[n++] = *out;
			continue;
		}
		if (lstat(out->path, &st) == 0 && S_ISREG(st.st_mode))
			unlink(out->path);
		close_one(out);
	}
	o->n = n;
}

void outputs_close(struct outputs *o)
{
	for (unsigned i = 0; i < o->n; i++)
		close_one(&o->list[i]);
	for (unsigned i = 0; i < o->n_made_dirs; i++) {
		if (o->made_dirs[i] != NULL)
			rmdir(o->made_dirs[i]); /* unless something is in it */
		free(o->made_dirs[i]);
	}
	o->n_made_dirs = 0;
	o->n = 0;
}
