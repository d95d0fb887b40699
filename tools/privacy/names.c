/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/privacy/names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <stdio.h>
#include <string.h>

#define HASH	 10 /* letters of five bits */
#define DIGEST	 32
#define LABEL	 "name-"
#define PATH	 "path-"
#define TEXT	 "text-"
#define TLD	 "example"
#define PREFIX	 5 /* of LABEL, PATH and TEXT alike */

/* What is hashed says what it is, so that a path never has a name's hash. */
enum kind { KIND_NAME = 'n', KIND_PATH = 'p', KIND_TEXT = 't', KIND_HASH = 'h' };

/* What ends the authority of a URL (RFC 3986 section 3.2), and what browsers take for it. */
static const char behind_host[] = {'/', '?', '#', '\\'};
static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";

static bool digest(const struct names_key *k, enum kind kind, const void *data, size_t len,
		   uint8_t out[DIGEST])
{
	uint8_t first = (uint8_t)kind;
	size_t n = 0;

	return EVP_MAC_init(k->mac, NULL, 0, NULL) == 1 && EVP_MAC_update(k->mac, &first, 1) == 1 &&
	       EVP_MAC_update(k->mac, data, len) == 1 &&
	       EVP_MAC_final(k->mac, out, &n, DIGEST) == 1 && n == DIGEST;
}

static size_t used(size_t len)
{
	return len < NAMES_USED ? len : NAMES_USED;
}

int names_key_make(struct names_key *out, const uint8_t *key, size_t len)
{
	static const char purpose[] = "wmscope names 1";
	char sha256[] = "SHA256";
	const OSSL_PARAM how[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
				  OSSL_PARAM_construct_end()};
	uint8_t mine[NAMES_KEY];
	unsigned n = 0;

	bool done = HMAC(EVP_sha256(), key, (int)len, (const uint8_t *)purpose, sizeof(purpose) - 1,
			 mine, &n) != NULL && n == NAMES_KEY;
	EVP_MAC *hmac = done ? EVP_MAC_fetch(NULL, "HMAC", NULL) : NULL;
	out->mac = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;
	EVP_MAC_free(hmac);
	done = out->mac != NULL && EVP_MAC_init(out->mac, mine, sizeof(mine), how) == 1;
	OPENSSL_cleanse(mine, sizeof(mine));
	if (!done)
		names_key_forget(out);
	return done ? 0 : -EIO;
}

void names_key_forget(struct names_key *k)
{
	EVP_MAC_CTX_free(k->mac);
	k->mac = NULL;
}

/* At out + at: prefix and hash. Returns where it ends. */
static size_t put(const struct names_key *k, enum kind kind, const char *prefix, const char *data,
		  size_t len, char *out, size_t at)
{
	uint8_t d[DIGEST];

	memcpy(out + at, prefix, PREFIX);
	at += PREFIX;
	/* Without a hash there is nothing that could be told apart, and nothing that is told. */
	if (!digest(k, kind, data, len, d))
		memset(d, 0, sizeof(d));
	for (unsigned i = 0; i < HASH; i++) {
		unsigned bit = i * 5, two = (unsigned)d[bit / 8] << 8 | d[bit / 8 + 1];
		out[at++] = letters[two >> (11 - bit % 8) & 31];
	}
	out[at] = '\0';
	return at;
}

static bool is_put(const char *p, size_t len, const char *prefix)
{
	if (len != PREFIX + HASH || memcmp(p, prefix, PREFIX) != 0)
		return false;
	for (size_t i = PREFIX; i < len; i++)
		if (memchr(letters, p[i], sizeof(letters) - 1) == NULL)
			return false;
	return true;
}

static size_t copy(const char *p, size_t len, char *out)
{
	memcpy(out, p, len);
	out[len] = '\0';
	return len;
}

static bool is_pseudonym(const char *p, size_t len)
{
	const char *end = p + len;

	if (len > NAMES_LABELS * (PREFIX + HASH + 1) + sizeof(TLD))
		return false;
	for (bool first = true;; first = false) {
		const char *dot = memchr(p, '.', (size_t)(end - p));
		if (dot == NULL)
			return first ? is_put(p, len, LABEL)
				     : (size_t)(end - p) == sizeof(TLD) - 1 &&
					       memcmp(p, TLD, sizeof(TLD) - 1) == 0;
		if (!is_put(p, (size_t)(dot - p), LABEL))
			return false;
		p = dot + 1;
	}
}

static bool is_address(const char *p, size_t len)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t b[16];

	if (len > 2 && p[0] == '[' && p[len - 1] == ']') {
		p++;
		len -= 2;
	}
	if (len >= sizeof(text))
		return false;
	memcpy(text, p, len);
	text[len] = '\0';
	return strlen(text) == len &&
	       (inet_pton(AF_INET, text, b) == 1 || inet_pton(AF_INET6, text, b) == 1);
}

/* ":443" behind a name that has no other colon. */
static size_t port_length(const char *p, size_t len)
{
	size_t digits = 0;

	while (digits < 5 && digits < len && p[len - 1 - digits] >= '0' && p[len - 1 - digits] <= '9')
		digits++;
	if (digits == 0 || digits >= len || p[len - 1 - digits] != ':')
		return 0;
	size_t name = len - 1 - digits;
	return p[name - (name != 0)] == ']' || memchr(p, ':', name) == NULL ? digits + 1 : 0;
}

static size_t labels(const struct names_key *k, const char *name, size_t len, char *out)
{
	size_t start[NAMES_USED + 1], n = 0, at = 0;

	start[n++] = 0;
	for (size_t i = 0; i < len; i++)
		if (name[i] == '.')
			start[n++] = i + 1;
	if (n == 1)
		return put(k, KIND_NAME, LABEL, name, len, out, 0);
	/* Where there are too many the first of them counts for all before the others. */
	for (size_t i = 0; i + 1 < n; i++) {
		if (i != 0 && n - i >= NAMES_LABELS)
			continue;
		at = put(k, KIND_NAME, LABEL, name + start[i], len - start[i], out, at);
		out[at++] = '.';
	}
	return at + copy(TLD, sizeof(TLD) - 1, out + at);
}

size_t name_of_host(const struct names_key *k, const char *host, size_t len,
		    char out[PSEUDONYM_SIZE])
{
	char name[NAMES_USED];
	size_t n = used(len), port = port_length(host, n), at;

	if (n == port || is_address(host, n - port) || is_pseudonym(host, n - port))
		return copy(host, n, out);
	bool rooted = host[n - port - 1] == '.' && n - port > 1;
	size_t bare = n - port - rooted;
	for (size_t i = 0; i < bare; i++)
		name[i] = host[i] >= 'A' && host[i] <= 'Z' ? (char)(host[i] + 'a' - 'A') : host[i];
	at = is_pseudonym(name, bare) ? copy(name, bare, out) : labels(k, name, bare, out);
	return at + copy(host + bare, n - bare, out + at);
}

size_t name_of_path(const struct names_key *k, const char *path, size_t len,
		    char out[PSEUDONYM_SIZE])
{
	size_t n = used(len), at = 0;

	if (n <= 1 && (n == 0 || path[0] == '/' || path[0] == '*'))
		return copy(path, n, out);
	if (memchr(behind_host, path[0], sizeof(behind_host)) != NULL)
		out[at++] = path[0];
	if (is_put(path + at, n - at, PATH))
		return copy(path, n, out);
	return put(k, KIND_PATH, PATH, path, n, out, at);
}

const char *name_host_in(const char *url, size_t len, size_t *host_len)
{
	static const char mark[] = "://";
	const char *p = memmem(url, len, mark, sizeof(mark) - 1);

	if (p != NULL)
		p += sizeof(mark) - 1;
	else if (len > 2 && url[0] == '/' && url[1] == '/')
		p = url + 2;
	else
		return NULL;
	size_t left = len - (size_t)(p - url);
	for (*host_len = 0; *host_len < left; ++*host_len)
		if (memchr(behind_host, p[*host_len], sizeof(behind_host)) != NULL)
			break;
	return *host_len != 0 ? p : NULL;
}

size_t name_of_url(const struct names_key *k, const char *url, size_t len, char out[PSEUDONYM_SIZE])
{
	size_t n = used(len), host_len;
	const char *host = name_host_in(url, n, &host_len);

	/* A scheme longer than any that is known would say something. */
	if (host == NULL || host - url > 8)
		return name_of_path(k, url, n, out);
	size_t at = copy(url, (size_t)(host - url), out), behind = at + host_len;
	at += name_of_host(k, host, host_len, out + at);
	return at + name_of_path(k, url + behind, n - behind, out + at);
}

size_t name_of_text(const struct names_key *k, const char *text, size_t len,
		    char out[PSEUDONYM_SIZE])
{
	size_t n = used(len);

	if (n == 0 || is_put(text, n, TEXT))
		return copy(text, n, out);
	return put(k, KIND_TEXT, TEXT, text, n, out, 0);
}

void name_of_hash(const struct names_key *k, uint8_t hash[32])
{
	uint8_t d[DIGEST];

	if (!digest(k, KIND_HASH, hash, 32, d))
		memset(d, 0, sizeof(d));
	memcpy(hash, d, 32);
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool in_name(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
	       ((unsigned char)c & 0x80) != 0;
}

/* Its last label may be a top-level domain: letters, or one in Punycode (RFC 5890). */
static bool ends_as_name(const char *p, size_t len)
{
	const char *dot = memrchr(p, '.', len);
	size_t n = dot != NULL ? len - (size_t)(dot + 1 - p) : 0, i = 0;

	if (dot == NULL || dot == p || n < 2)
		return false;
	if (n > 4 && strncasecmp(dot + 1, "xn--", 4) == 0)
		return true;
	while (i < n && (is_letter(dot[1 + i]) || ((unsigned char)dot[1 + i] & 0x80) != 0))
		i++;
	return i == n;
}

bool name_next(const char *text, size_t at, size_t len, size_t *start, size_t *end)
{
	for (size_t i = at; i < len; i = *end + 1) {
		*start = i;
		for (*end = i; *end < len && in_name(text[*end]);)
			++*end;
		size_t n = *end - i;
		/* A full stop behind it is the sentence's. */
		while (n > 0 && text[i + n - 1] == '.')
			n--;
		if (!ends_as_name(text + i, n))
			continue;
		*end = i + n;
		return true;
	}
	return false;
}
