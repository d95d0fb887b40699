/* SPDX-License-Identifier: BSD-3-Clause */

/* Runs a fuzz target over files and folders, so that a corpus is an ordinary regression test. */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		return -1;
	uint8_t *buf = NULL;
	size_t len = 0, room = 0;
	for (;;) {
		if (len == room) {
			room = room != 0 ? room * 2 : 4096;
			uint8_t *bigger = realloc(buf, room);
			if (bigger == NULL)
				abort();
			buf = bigger;
		}
		size_t n = fread(buf + len, 1, room - len, f);
		if (n == 0)
			break;
		len += n;
	}
	fclose(f);
	/* An exact allocation, so that a sanitizer sees one byte too many. */
	uint8_t *exact = malloc(len != 0 ? len : 1);
	if (exact == NULL)
		abort();
	if (len != 0)
		memcpy(exact, buf, len);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	free(buf);
	return 0;
}

static int replay_folder(const char *path, unsigned *n)
{
	DIR *d = opendir(path);
	if (d == NULL)
		return -1;
	int err = 0;
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		char name[4096];
		if (e->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		if (replay_file(name) != 0)
			err = -1;
		(*n)++;
	}
	closedir(d);
	return err;
}

int main(int argc, char **argv)
{
	unsigned n = 0;
	for (int i = 1; i < argc; i++) {
		struct stat st;
		if (stat(argv[i], &st) != 0 ||
		    (S_ISDIR(st.st_mode) ? replay_folder(argv[i], &n) : replay_file(argv[i])) != 0) {
			fprintf(stderr, "error: %s: cannot be read\n", argv[i]);
			return 1;
		}
		n += !S_ISDIR(st.st_mode);
	}
	printf("%u inputs replayed\n", n);
	return n == 0;
}
