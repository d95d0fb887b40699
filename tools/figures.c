/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/figures.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/escape.h"
#include "tools/study/study.h"

const struct figure *const figure_table[] = {
	&figure_timeline, &figure_reaction, &figure_ttl,      &figure_ip_id,
	&figure_residual, &figure_goodput,  &figure_sequence, NULL,
};

void figure_csv_name(FILE *out, const void *data, size_t len)
{
	enum { NAME = 255 };
	char safe[4 * NAME + 1];
	size_t n = escape_bytes(safe, sizeof(safe), data, len < NAME ? len : NAME, 0);

	putc('"', out);
	/* Such a field would be a formula (OWASP, CSV injection). */
	if (n > 0 && strchr("=+-@", safe[0]) != NULL)
		putc('\'', out);
	for (size_t i = 0; i < n; i++) {
		if (safe[i] == '"')
			putc('"', out);
		putc(safe[i], out);
	}
	putc('"', out);
}

struct figure_series figure_series_of(const struct report_options *o, const struct finding *f)
{
	struct figure_series s = {.key = f->id};

	if (f->n_injectors == 0 || f->injectors[0].mbx[0] == '\0')
		return s;
	s.key = f->injectors[0].mbx;
	for (unsigned i = 0; o->study != NULL && s.box == 0 && i < o->study->n_profiles; i++) {
		if (strcmp(o->study->profiles[i].mbx, s.key) == 0)
			s.box = o->study->profiles[i].number;
	}
	return s;
}

int figure_series_compare(const struct figure_series *x, const struct figure_series *y)
{
	/* Boxes first. */
	if (x->box != y->box)
		return x->box - 1 < y->box - 1 ? -1 : 1;
	return strcmp(x->key, y->key);
}

const char *figure_series_name(const struct figure_series *s, char out[FIGURE_SERIES_SIZE])
{
	if (s->box != 0)
		snprintf(out, FIGURE_SERIES_SIZE, "box %u, %.120s", s->box, s->key);
	else
		snprintf(out, FIGURE_SERIES_SIZE, "%.150s", s->key);
	return out;
}

/* NULL, with errno 0, where there are no data: then only what an earlier run left is taken away. */
static FILE *create(int dirfd, const char *name, const char *extension, const void *data)
{
	char path[64];

	snprintf(path, sizeof(path), "%s.%s", name, extension);
	if (unlinkat(dirfd, path, 0) != 0 && errno != ENOENT)
		return NULL;
	errno = 0;
	if (data == NULL)
		return NULL;
	int fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return NULL;
	FILE *out = fdopen(fd, "w");
	if (out == NULL)
		close(fd);
	return out;
}

static int finish(FILE *out)
{
	int err = ferror(out) ? -EIO : 0;

	if (fclose(out) != 0 && err == 0)
		err = -errno;
	return err;
}

static int write_one(const struct figure *f, const void *data, int dirfd)
{
	FILE *svg = create(dirfd, f->name, "svg", data);
	int err = svg == NULL ? -errno : 0;

	if (svg != NULL) {
		f->draw(data, svg, true);
		err = finish(svg);
	}
	FILE *csv = create(dirfd, f->name, "csv", data);
	if (csv == NULL)
		return err != 0 ? err : -errno;
	f->csv(data, csv);
	int end = finish(csv);
	return err != 0 ? err : end;
}

int figures_write(const struct analysis *a, const struct report_options *o, int dirfd)
{
	int first = 0;

	for (unsigned i = 0; figure_table[i] != NULL; i++) {
		void *data = NULL;
		int err = figure_table[i]->gather(a, o, &data);
		if (err == 0)
			err = write_one(figure_table[i], data, dirfd);
		if (data != NULL)
			figure_table[i]->free(data);
		first = first != 0 ? first : err;
	}
	return first;
}
