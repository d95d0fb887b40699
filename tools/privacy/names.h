/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Names under pseudonyms of the same shape, for reports made with --redact-names. Each is
 * HMAC-SHA256 under a key of its own that follows from the report's, so the same name is the same
 * pseudonym in all reports of one key, and nobody without the key can try names until one fits.
 *
 *   www.blocked.example    name-HASH.name-HASH.example    as many labels; a label's hash is that of
 *                                                         the name from it on, so names below one
 *                                                         domain are below one pseudonym
 *   localhost              name-HASH
 *   /a/page?q=1            /path-HASH
 *   http://h.example/page  http://name-HASH.example/path-HASH
 *   any other text         text-HASH
 *
 * HASH is 50 bits in the alphabet of RFC 4648 section 6, in lower case; "example" is reserved by
 * RFC 2606, so no pseudonym is anybody's name. Letters of either case are the same name. Addresses
 * and ports in place of a name stay (pseudonyms.h). A pseudonym is its own pseudonym, so what is
 * shared by two records may be rewritten twice. How long a name was is not kept.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAMES_KEY	  32
#define NAMES_LABELS	  12  /* of a pseudonym: the first then stands for all before it too */
#define NAMES_USED	  255 /* bytes of a name that count, the most that a host name may have */
#define PSEUDONYM_SIZE	  320 /* room enough for any pseudonym */

struct evp_mac_ctx_st; /* OpenSSL's EVP_MAC_CTX */

/* Zeroed, there is none. One thread at a time. */
struct names_key {
	struct evp_mac_ctx_st *mac; /* HMAC-SHA256 under the key, looked up and keyed once */
};
/* From a report's key: HMAC-SHA256 over "wmscope names 1". 0 or -EIO. */
int names_key_make(struct names_key *out, const uint8_t *key, size_t len);
void names_key_forget(struct names_key *k); /* twice, or without one, is fine */

/* Of len bytes, which may be any. Each returns the length without NUL; "" becomes "". */
typedef size_t (*name_fn)(const struct names_key *k, const char *name, size_t len,
			  char out[PSEUDONYM_SIZE]);
size_t name_of_host(const struct names_key *k, const char *host, size_t len,
		    char out[PSEUDONYM_SIZE]);
size_t name_of_path(const struct names_key *k, const char *path, size_t len,
		    char out[PSEUDONYM_SIZE]);
size_t name_of_url(const struct names_key *k, const char *url, size_t len,
		   char out[PSEUDONYM_SIZE]);
size_t name_of_text(const struct names_key *k, const char *text, size_t len,
		    char out[PSEUDONYM_SIZE]);
/* A hash that says which key or page it is becomes another of the same length. */
void name_of_hash(const struct names_key *k, uint8_t hash[32]);

/*
 * The same in as many bytes as there were, for packets, whose lengths stay; out: len bytes, not the input's.
 * Each label, and a path, has of its pseudonym what fits: "name-HASH" and x's behind it, or where that is too
 * long the first letters of the hash (name_of_host() says which name that is), the last of several labels
 * "example" likewise. A letter tells 32 names apart: short ones may come to be the same. How long a name
 * and its labels were is kept.
 */
void name_fit_host(const struct names_key *k, const char *host, size_t len, char *out);
void name_fit_url(const struct names_key *k, const char *url, size_t len, char *out);
/*
 * The label of n bytes that a name in DNS's presentation form begins with; first: no other was before it.
 * False: the name stays, for it is an address or a pseudonym already.
 */
bool name_fit_label(const struct names_key *k, const char *name, size_t len, bool first, char *out,
		    size_t n);

/* The host within a URL; NULL: it has none. */
const char *name_host_in(const char *url, size_t len, size_t *host_len);

/*
 * The next run in text[at, len) that reads as a host name: two labels or more, the last of letters.
 * False: none is left.
 */
bool name_next(const char *text, size_t at, size_t len, size_t *start, size_t *end);
