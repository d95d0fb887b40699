/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* HTTP/1 request reader (RFC 9112): request line and Host. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classifiers/classifier.h"

struct http_request {
	char method[24];
	char path[512];   /* request target, first 511 bytes as sent */
	char host[256];   /* Host without port, as sent; an absolute target's authority before it */
	char version[12]; /* "HTTP/1.1" */
	bool has_host;
	bool truncated;   /* the empty line is not here: fields so far */
	uint16_t host_len, path_len; /* true lengths */
	uint32_t head_end; /* stream offset after the empty line; 0 if not reached */
	uint32_t host_offset, host_end; /* stream offsets of the bytes that host has; 0 without */
};

/*
 * data: the first len bytes of the client's stream, from byte 0 at each call. *out is written whole
 * at each call. MORE: a request so far, or too little to tell (method is empty until it is clear);
 * host is there as soon as its line has ended. DONE: the empty line is here, or REASSEMBLY_LIMIT
 * was reached (truncated). NEVER: not an HTTP/1 request. Taken as they are: any case, missing or
 * odd versions behind a usual method, line ends of LF or CR alone, leading empty lines, folded
 * lines; of several Host lines the first with a value.
 */
enum classify http_request_read(const uint8_t *data, size_t len, struct http_request *out);
