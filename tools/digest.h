/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* SHA-256 of files, and of tables: two runs have the same result if their tables' are the same. */

#include <stddef.h>
#include <stdint.h>

#include "tools/tables.h"

#define DIGEST_HEX 65 /* 64 digits and NUL */

/* 0 or -errno. */
int digest_file(const char *path, char hex[DIGEST_HEX], uint64_t *size);

/*
 * Of the rows of a table, without the columns that vary: so a digest says nothing of a client, and
 * does not change with the key of its pseudonym.
 */
struct digest_sink {
	struct row_sink sink; /* first */
	struct evp_md_ctx_st *ctx;
	bool failed;
	struct row_text gathered; /* not yet hashed */
};
/* 0 or -ENOMEM. */
int digest_sink_begin(struct digest_sink *d);
/* Frees, after an error of the rows too. 0 or -errno. */
int digest_sink_end(struct digest_sink *d, char hex[DIGEST_HEX]);

/* That of all rows. 0 or -errno. */
int digest_table(const struct tables *t, const struct table *table, char hex[DIGEST_HEX],
		 uint64_t *rows);

/* What the writer of tables leaves to the manifest, in the order of tables_list. */
struct table_digests {
	bool made;
	struct table_digest {
		char hex[DIGEST_HEX];
		uint64_t rows;
	} of[TABLES_N];
};
