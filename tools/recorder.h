/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Packets into pcapng files while they are analysed, by a thread of its own. What is analysed is
 * what is written: where the disk is slower than the packets, the analysis waits, the kernel's ring
 * fills, and what does not fit there is counted as lost.
 *
 *   recorder_open (with the first privileges) -> recorder_start -> recorder_write... ->
 *   recorder_close
 *
 * Without a limit there is one file of the name given. With max_bytes or every_ns there are
 * several, NAME_00001_20261122T061704Z.pcapng and so on for NAME.pcapng: a number, and the time
 * (UTC) of the first packet; they are made when that comes, in the folder opened at first.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/packet.h"

struct recorder_config {
	const char *path;    /* "-": standard output */
	uint64_t max_bytes;  /* of a file; 0: no limit */
	uint64_t every_ns;   /* of the packets' clock, from a file's first; 0: no limit */
	unsigned keep;       /* newest files, older ones are deleted; 0: all */
	const char *iface, *filter; /* for the file; filter may be NULL */
	uint32_t linktype, snaplen;
};

struct recorder;

/* 0 or -errno, then why names the file and the reason. The strings of cfg outlive the recorder. */
int recorder_open(struct recorder **out, const struct recorder_config *cfg, char *why, size_t len);
/* The file that was made, if one was, belongs to them from now on. 0 or -errno. */
int recorder_give(struct recorder *r, unsigned uid, unsigned gid);
/* After this the files are written with what privileges are left. 0 or -errno, why as above. */
int recorder_start(struct recorder *r, char *why, size_t len);
/* Copies; for pipeline_config.tap with the recorder as user. Waits while 16 MiB are unwritten. */
void recorder_write(void *recorder, const struct packet pkts[], unsigned n);
/*
 * What has come so far gets to the file soon; received and dropped since the start, for the file, or
 * UINT64_MAX if not known.
 */
void recorder_tick(struct recorder *r, uint64_t received, uint64_t dropped);
/* 0, or the -errno that ended writing: the file is readable up to its last whole packet. */
int recorder_error(struct recorder *r);
/* Writes what is left and frees; NULL is fine. 0 or the first error. */
int recorder_close(struct recorder *r);
