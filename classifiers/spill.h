/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Memory for what findings leave until the report is written, in a file once it is much. A million
 * findings say some two gigabytes, of which judge, study and reports each look at a little at a time:
 * arenas and slabs that are given a spill take their pages from it. As long as the process is small
 * all is refused and so stays plain memory, which costs least; what comes later is a shared mapping of
 * a file without a name (mode 0600, gone with the process), and a thread sees to it that only some of
 * it is mapped at once while the process is large. The kernel keeps the rest as long as nobody else
 * wants the memory, and else writes it to the disk.
 *
 * The file holds what the capture said, names and addresses included: callers give a spill only
 * where the captures themselves are on a disk. Its room is allocated before it is handed out, so that
 * a full disk is an error that is told once, with plain memory in place of it, and no SIGBUS.
 *
 * Any thread, but for spill_new() and spill_free().
 */

#include <stddef.h>

struct spill;

#define SPILL_UNIT 262144u /* bytes; what is handed out is aligned to it, and whole units of it */

struct spill_config {
	const char *dir;   /* outlives the spill; on a disk: in a tmpfs nothing is gained */
	size_t after;      /* bytes that are refused before there is a file. 0: SPILL_AFTER */
	size_t small;      /* bytes of memory up to which a process is small. 0: SPILL_SMALL, or an eighth */
			   /* of what the machine has where that is less */
	size_t resident;   /* that may be mapped for long once it is not. 0: SPILL_RESIDENT */
	size_t leave;      /* bytes of the disk that reports may need. 0: SPILL_LEAVE */
};
#define SPILL_AFTER    (8u << 20)
#define SPILL_SMALL    (512u << 20)
#define SPILL_RESIDENT (12u << 20)
#define SPILL_LEAVE    (512u << 20)

int spill_new(struct spill **out, const struct spill_config *cfg); /* 0 or -ENOMEM */
/*
 * Zeroed room of at least *size bytes, which becomes what there is. NULL: the caller's own memory is
 * to be used, since it is not much yet, or there can be no file (said on stderr, once). s NULL: NULL.
 */
void *spill_take(struct spill *s, size_t *size);
void spill_give(struct spill *s, void *at, size_t size); /* whole, as it was taken */
/*
 * The same, or calloc()'s where that is NULL: then *s becomes NULL. NULL: no memory. What has it remembers
 * *s, for spill_release().
 */
void *spill_alloc(struct spill **s, size_t *size);
void spill_release(struct spill *s, void *at, size_t size);
size_t spill_bytes(const struct spill *s); /* of the file; 0: there is none */
void spill_free(struct spill *s); /* after all that was taken is done with; NULL is fine */
