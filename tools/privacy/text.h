/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Addresses found in text, whatever else is in it; and text with something else in a place. */

#include <stdbool.h>
#include <stddef.h>

#include "dataplane/decode.h"

enum text_form {
	TEXT_DOTS,    /* 192.0.2.1 */
	TEXT_DASHES,  /* 192-0-2-1, as in the names that providers give to their customers */
	TEXT_COLONS,  /* 2001:db8::1 */
	TEXT_NIBBLES, /* 1.0.0.0.…, the name of RFC 3596 section 2.5 without its ip6.arpa */
};

struct text_address {
	size_t start, end; /* in the text */
	struct ip_addr addr;
	enum text_form form;
};

/* The next address in text[at, end), which may be any bytes. False: none is left. */
bool text_address_next(const char *text, size_t at, size_t end, struct text_address *out);

/* The four numbers the other way round, as in the names of in-addr.arpa. */
struct ip_addr text_reversed(const struct ip_addr *a);

#define TEXT_ADDRESS_SIZE 64
/* The address in this form; returns its length. */
size_t text_address_write(const struct ip_addr *a, enum text_form form,
			  char out[TEXT_ADDRESS_SIZE]);

/* Puts as in the place of n bytes at at, as far as there is room in text, of room bytes with the NUL. */
void text_replace(char *text, size_t room, char *at, size_t n, const char *as);
