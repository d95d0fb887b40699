/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Tables of a SQLite database filled at once, in the order of their rows: pages are made from the left
 * to the right and written one behind the other. SQLite itself, which must be ready for a row anywhere
 * at any time, takes several times as long. Numbers in brackets are sections of its file format,
 * https://www.sqlite.org/fileformat2.html.
 */

#include <stddef.h>
#include <stdint.h>

#define SQLITE_PAGE 4096u /* bytes; no other size, and none of them reserved */

struct sqlite_pages;

/* The file holds a schema and no rows, and nobody has it open. 0 or -errno; -EPROTO: it is no such file. */
int sqlite_pages_open(struct sqlite_pages **out, const char *path);
/* Rows for the empty table with this root page follow, until the end. */
void sqlite_pages_begin(struct sqlite_pages *p, uint32_t root);
/* A row and its record [2.1]; numbers are above zero and rise, else -EINVAL. 0 or the first error. */
int sqlite_pages_add(struct sqlite_pages *p, int64_t row, const void *record, size_t len);
int sqlite_pages_end(struct sqlite_pages *p);
/* Frees; 0 or the first error: the file is of no use then. */
int sqlite_pages_close(struct sqlite_pages *p);

#define SQLITE_VARINT_MAX 9
/* A number of 1 to 9 bytes, big end first, 7 bits each [1.6]; returns its end. */
uint8_t *sqlite_varint(uint8_t *out, uint64_t v);
