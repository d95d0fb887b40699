/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * HTTP/1 response reader (RFC 9112): the status line, the headers that tell who answered, and the
 * body with its codings undone.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classifiers/classifier.h"

enum http_coding {
	HTTP_IDENTITY,
	HTTP_GZIP,
	HTTP_DEFLATE,      /* zlib's wrapper or bare: servers send either */
	HTTP_CODING_OTHER, /* not undone here: br, zstd, several */
};

struct http_response {
	uint16_t status;     /* 0: an answer without a status line, all of it body */
	bool truncated;      /* the empty line is not here: fields so far */
	bool has_server, has_date, has_via, has_location;
	bool has_type, is_text; /* Content-Type; text/html, text/plain, text/xml or XHTML */
	bool close;          /* Connection: close, or HTTP/1.0 without keep-alive */
	bool chunked, has_length, bodyless;
	uint8_t coding;      /* enum http_coding */
	uint16_t location_len, server_len; /* true lengths */
	uint32_t head_start; /* stream offset of the status line, after 1xx responses */
	uint32_t head_end;   /* stream offset of the body; 0 while truncated */
	uint64_t length;     /* Content-Length */
	char location[256];  /* as sent, cut; NUL-terminated, may be hostile */
	char server[64];
};

/*
 * data: the first len bytes of the server's stream, from byte 0 at each call. *out is written whole
 * at each call. method: the request's, NULL if unknown: answers to HEAD have no body, and what
 * follows the one to CONNECT is a tunnel. Interim responses (1xx but for 101) are stepped over.
 * MORE: a response so far, or too little to tell (status is 0). DONE: the empty line is here, or
 * REASSEMBLY_LIMIT was reached (truncated). NEVER: no status line.
 */
enum classify http_response_read(const uint8_t *data, size_t len, const char *method,
				 struct http_response *out);

/* The bytes of a header line. */
struct http_header {
	const uint8_t *name, *value; /* value without the blanks around it */
	size_t name_len, value_len;
};

/* The next header line of a response that was read from data; *at: 0 at first. False: no more. */
bool http_header_next(const struct http_response *r, const uint8_t *data, size_t len, uint32_t *at,
		      struct http_header *out);

/* Where the body of a response ends. Zeroed before the first call. */
struct http_body_end {
	uint32_t at;   /* stream offset of the next chunk's first line */
	bool whole;    /* the last byte is here */
	bool broken;   /* no chunk can follow what is here */
};

/*
 * data, len: the stream as in http_response_read(), grown since the last call or not. True once
 * nothing more can belong to the body: it is whole, or broken. A body that ends with its connection
 * is never whole.
 */
bool http_body_ended(const struct http_response *r, const uint8_t *data, size_t len,
		     struct http_body_end *end);

#define HTTP_BODY_MAX 65536 /* decoded bytes: what compressed bodies may grow to */

/* Room and state to decode one body after the other. One thread. */
struct http_decoder;
int http_decoder_new(struct http_decoder **out); /* 0 or -ENOMEM */
void http_decoder_free(struct http_decoder *d);  /* NULL is fine */

/*
 * The body as far as it is in data, chunks joined, compression undone, at most HTTP_BODY_MAX bytes;
 * cut bodies give their front. Where nothing can be inflated, the bytes as they came. *out lives
 * until the next call, and as long as data. Returns the length; 0 for bodies in other codings.
 */
size_t http_body_decode(struct http_decoder *d, const struct http_response *r, const uint8_t *data,
			size_t len, const uint8_t **out);

/* From a body: the text of <title>, the source of the first <iframe>; "" without. Cut to size. */
void http_body_title(const uint8_t *body, size_t len, char *out, size_t size);
void http_body_frame(const uint8_t *body, size_t len, char *out, size_t size);
