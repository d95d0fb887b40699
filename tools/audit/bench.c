/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/audit/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/interface.h"
#include "dataplane/log.h"
#include "tools/folder.h"
#include "tools/options.h"
#include "tools/privileges.h"

#define MS_MAX 60000ul

static const char *const file_name[SIDES] = {"client.pcapng", "server.pcapng"};

bool bench_said(struct session *s, enum exit_status status, const char *why)
{
	log_error(NULL, "%s", why);
	session_happened(s, status);
	return false;
}

bool bench_ports_named(const struct command *c, const struct option_strings *ifaces)
{
	const char *wrong = ifaces->n != SIDES ? "-i: two ports, the clients' and then the servers'"
			    : strcmp(ifaces->v[0], ifaces->v[1]) == 0 ? "-i: two different ports"
								      : NULL;

	if (wrong != NULL)
		options_error(c, wrong, NULL);
	return wrong == NULL;
}

bool bench_ports_free(const char *const iface[SIDES], bool yes, uint32_t *mtu, char *why,
		      size_t len)
{
	*mtu = UINT32_MAX;
	for (unsigned p = 0; p < SIDES; p++) {
		struct interface i;
		int err = interface_get(iface[p], &i);
		const char *used = err == 0 ? interface_in_use(&i) : NULL;
		if (err != 0) {
			snprintf(why, len, "%s: %s", iface[p], strerror(-err));
			return false;
		}
		if (used != NULL && !yes) {
			snprintf(why, len,
				 "%s: what is sent may reach real hosts or cut this machine off; "
				 "--yes-this-interface if you mean it",
				 used);
			return false;
		}
		*mtu = i.mtu < *mtu ? i.mtu : *mtu;
	}
	return true;
}

bool bench_ms(const char *text, unsigned long ms, uint64_t *out_ns)
{
	char *end;

	if (text != NULL) {
		errno = 0;
		ms = strtoul(text, &end, 10);
		if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || ms > MS_MAX)
			return false;
	}
	*out_ns = (uint64_t)ms * 1000000;
	return true;
}

int bench_files_make(struct bench_files *f, const char *dir, char *why, size_t len)
{
	const char *tmp = getenv("TMPDIR");
	int err = 0;

	f->fd[0] = f->fd[1] = -1;
	if (dir == NULL) {
		if (asprintf(&f->dir, "%s/wmscope-XXXXXX", tmp != NULL ? tmp : "/tmp") < 0)
			f->dir = NULL;
		dir = f->dir;
		err = dir == NULL ? -ENOMEM : mkdtemp(f->dir) == NULL ? -errno : 0;
		if (err != 0) {
			snprintf(why, len, "%s: %s", dir != NULL ? dir : "captures",
				 strerror(-err));
			free(f->dir);
			f->dir = NULL;
			return err;
		}
	} else {
		err = folder_make(dir);
	}
	for (unsigned p = 0; p < SIDES && err == 0; p++) {
		if (asprintf(&f->path[p], "%s/%s", dir, file_name[p]) < 0)
			f->path[p] = NULL;
		f->shown[p] = f->dir != NULL	   ? strdup(file_name[p])
			      : f->path[p] != NULL ? strdup(f->path[p])
						   : NULL;
		err = f->path[p] == NULL || f->shown[p] == NULL ? -ENOMEM : 0;
	}
	if (err != 0)
		snprintf(why, len, "%s: %s", dir, strerror(-err));
	return err;
}

void bench_files_close(struct bench_files *f)
{
	for (unsigned p = 0; p < SIDES; p++) {
		/* Who became somebody else cannot, and made them go before. */
		if (f->dir != NULL && f->path[p] != NULL)
			unlink(f->path[p]);
		if (f->again[p] != NULL && f->fd[p] >= 0)
			close(f->fd[p]);
		free(f->path[p]);
		free(f->shown[p]);
		free(f->again[p]);
	}
	if (f->dir != NULL)
		rmdir(f->dir);
	free(f->dir);
	*f = (struct bench_files){.fd = {-1, -1}};
}

/* The kernel's name of an open file can be opened by whom the file belongs to, wherever it lies. */
static int files_open(struct bench_files *f, const struct privileges *who, char *why, size_t len)
{
	for (unsigned p = 0; p < SIDES; p++) {
		f->fd[p] = open(f->path[p], O_RDONLY | O_CLOEXEC);
		if (f->fd[p] < 0 || (who->change && fchown(f->fd[p], who->uid, who->gid) != 0)) {
			int err = -errno;
			snprintf(why, len, "%s: %s", f->path[p], strerror(-err));
			return err;
		}
		if (asprintf(&f->again[p], "/proc/self/fd/%d", f->fd[p]) < 0) {
			f->again[p] = NULL;
			snprintf(why, len, "%s", strerror(ENOMEM));
			return -ENOMEM;
		}
		if (f->dir != NULL)
			unlink(f->path[p]);
	}
	if (f->dir != NULL)
		rmdir(f->dir);
	return 0;
}

int bench_become_ordinary(struct bench_files *f, struct session *s, const char *user, char *why,
			  size_t len)
{
	struct privileges who;

	int err = privileges_choose(&who, user, why, len);
	if (err == 0)
		err = files_open(f, &who, why, len);
	if (err == 0 && who.change)
		outputs_give(&s->outputs, who.uid, who.gid);
	return err == 0 ? privileges_drop(&who, why, len) : err;
}
