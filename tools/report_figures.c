/* SPDX-License-Identifier: BSD-3-Clause */

/* Every plot as a picture of its own, and the numbers behind it. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/figures.h"
#include "tools/folder.h"
#include "tools/report.h"

static int write_figures(const struct analysis *a, const struct report_options *o, const char *dir)
{
	char *path;

	if (asprintf(&path, "%s/figures", dir) < 0)
		return -ENOMEM;
	int err = folder_make(path);
	int fd = err == 0 ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (err == 0)
		err = fd >= 0 ? figures_write(a, o, fd) : -errno;
	if (fd >= 0)
		close(fd);
	free(path);
	return err;
}

extern const struct report report_figures;
const struct report report_figures = {
	.name = "figures",
	.doc = "every plot as SVG, with its numbers as CSV, in a folder",
	.write_folder = write_figures,
};
