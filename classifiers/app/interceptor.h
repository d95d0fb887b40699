/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Authorities whose certificates are only seen where somebody ends TLS in the server's place. A country's,
 * or a product's that companies, schools and families choose for themselves: that one is the usual case.
 */

#include <stdint.h>

struct interceptor {
	const char *name;         /* what a report says */
	const char *common_name;  /* what the issuer's begins with; NULL any */
	const char *organization; /* the same; NULL any */
	char country[3];          /* ISO 3166 of whose order it is; "" a product */
};

/* issuer: as in struct x509_facts. A number for use in testimony, and so never another's; 0: none known. */
uint8_t interceptor_find(const char *issuer);
#define INTERCEPTORS_MAX 24
/* NULL: none has this number. */
const struct interceptor *interceptor_get(uint8_t number);
