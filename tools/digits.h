/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Numbers as text, without a NUL: most of a report is numbers, and printf() would take half of its time. */

#include <stdint.h>

#define DIGITS_MAX 20 /* of 2^64 - 1 */

char *digits_put(char *out, uint64_t v);                  /* decimal; returns its end */
char *digits_pad(char *out, uint64_t v, unsigned width);  /* the last width digits, zeros in front */
