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
	char host[256];   /* Host without port, as sent; authority of an absolute target before it */
	char version[12]; /* "HTTP/1.1" */
	bool has_host;
	bool truncated;   /* ended before the empty line did */
	uint16_t host_len, path_len; /* true lengths */
	uint32_t head_end; /* stream offset after the empty line; 0 if not reached */
	uint32_t host_offset, host_end; /* stream offsets of Host's value; 0 without */
};

/* As tls_client_hello_read(). Bare LF line ends and leading empty lines are taken. */
enum classify http_request_read(const uint8_t *data, size_t len, struct http_request *out);
