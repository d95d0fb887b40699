/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/folder.h"

#include <errno.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int folder_make(const char *dir)
{
	struct stat st;

	if (mkdir(dir, 0777) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (stat(dir, &st) != 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

#define BUFFER 65536u

char *folder_stream(FILE *out)
{
	char *buffer = malloc(BUFFER);

	if (buffer != NULL)
		setvbuf(out, buffer, _IOFBF, BUFFER);
	__fsetlocking(out, FSETLOCKING_BYCALLER);
	return buffer;
}

int folder_file_open(struct folder_file *f, const char *dir, const char *name)
{
	int err = 0;

	*f = (struct folder_file){.out = NULL};
	if (asprintf(&f->path, "%s/%s", dir, name) < 0)
		f->path = NULL;
	else if (asprintf(&f->part, "%s.part", f->path) < 0)
		f->part = NULL;
	if (f->path == NULL || f->part == NULL) {
		err = -ENOMEM;
	} else {
		f->out = fopen(f->part, "we");
		err = f->out != NULL ? 0 : -errno;
	}
	if (err == 0)
		f->buffer = folder_stream(f->out);
	if (err != 0) {
		free(f->path);
		free(f->part);
	}
	return err;
}

int folder_file_close(struct folder_file *f, int err)
{
	if (err == 0 && ferror(f->out))
		err = -EIO;
	/* Closing is where a full disk may first be told. */
	if (fclose(f->out) != 0 && err == 0)
		err = -errno;
	free(f->buffer);
	if (err == 0 && rename(f->part, f->path) != 0)
		err = -errno;
	if (err != 0)
		unlink(f->part);
	free(f->path);
	free(f->part);
	return err;
}
