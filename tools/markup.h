/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Bytes from outside as text of HTML and XML. What escape.h spells out for a terminal is spelt out
 * here too, so hidden characters and turned text are as inert; then & < > " and ' become
 * references, so the result may stand between tags and in quoted attributes.
 */

#include <stddef.h>
#include <stdio.h>

/* flags of escape_bytes(); whole, or not at all beyond what the stream's own error tells. */
void markup_write(FILE *out, const void *data, size_t len, unsigned flags);
/* Bytes past most are left out, and their number said. */
void markup_cut(FILE *out, const void *data, size_t len, size_t most);
/* Text that went through escape_bytes() before, or has no bytes from outside. */
void markup_string(FILE *out, const char *s);
