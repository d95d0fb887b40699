/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Hostile bytes of a name as sentences quote them: printable ASCII, and all else, the space and the
 * backslash among it, as \xNN. One function, since what hides names looks for what this writes.
 */

#include <stddef.h>

/* As much of raw as fits with five bytes to spare; room is at least 1. Returns how many bytes of raw. */
size_t spelt(const char *raw, size_t len, char *out, size_t room);
