/* SPDX-License-Identifier: BSD-3-Clause */

/* Pseudonyms of names.h cut or filled up to the length of what they stand for. */

#include <string.h>

#include "tools/privacy/names.h"

#define PREFIX 5u  /* "name-" */
#define WHOLE  15u /* with its hash */
#define FILL   'x'

static const char name_prefix[] = "name-", tld[] = "example";

static void fill(const char *from, size_t n_from, char *out, size_t n)
{
	size_t some = n_from < n ? n_from : n;

	memcpy(out, from, some);
	memset(out + some, FILL, n - some);
}

/* PREFIX and hash where there is room for both, else the hash alone: it is what tells names apart. */
static void fit(const char *whole, char *out, size_t n)
{
	if (n >= WHOLE)
		fill(whole, WHOLE, out, n);
	else
		fill(whole + PREFIX, WHOLE - PREFIX, out, n);
}

static bool is_name(const char *p, size_t len)
{
	return len >= WHOLE && memcmp(p, name_prefix, PREFIX) == 0;
}

/* How many bytes of a host's pseudonym are labels, and how many labels; a dot or port is behind them. */
static size_t labels_in(const char *p, size_t len, size_t *n)
{
	size_t at = WHOLE;

	*n = 1;
	for (; len - at > WHOLE && p[at] == '.' && is_name(p + at + 1, len - at - 1); ++*n)
		at += 1 + WHOLE;
	if (len - at >= sizeof(tld) && p[at] == '.' && memcmp(p + at + 1, tld, sizeof(tld) - 1) == 0) {
		at += sizeof(tld);
		++*n;
	}
	return at;
}

static size_t dots(const char *p, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += p[i] == '.';
	return n;
}

/* The host's first n bytes, which are all that its pseudonym follows from. */
static void fit_labels(const char *host, size_t n, const char *pseudonym, size_t len, char *out)
{
	size_t known, tail = len - labels_in(pseudonym, len, &known);
	size_t bare = n > tail ? n - tail : 0, all = dots(host, bare) + 1, at = 0;

	for (size_t i = 0; i < all; i++) {
		const char *dot = memchr(host + at, '.', bare - at);
		size_t label = dot != NULL ? (size_t)(dot - host) - at : bare - at;
		/* Of too many labels the first of the pseudonym stands for those that it has not. */
		size_t k = known + i > all ? known + i - all : 0;
		if (i + 1 == all && all > 1)
			fill(tld, sizeof(tld) - 1, out + at, label);
		else
			fit(pseudonym + k * (WHOLE + 1), out + at, label);
		at += label;
		if (dot != NULL)
			out[at++] = '.';
	}
	memcpy(out + bare, host + bare, n - bare);
}

void name_fit_host(const struct names_key *k, const char *host, size_t len, char *out)
{
	size_t n = len < NAMES_USED ? len : NAMES_USED;
	char pseudonym[PSEUDONYM_SIZE];

	size_t got = name_of_host(k, host, n, pseudonym);
	if (got == n && memcmp(pseudonym, host, n) == 0)
		memmove(out, host, n); /* an address, or a pseudonym already */
	else if (is_name(pseudonym, got))
		fit_labels(host, n, pseudonym, got, out);
	else
		memset(out, FILL, n);
	memset(out + n, FILL, len - n);
}

bool name_fit_label(const struct names_key *k, const char *name, size_t len, bool first, char *out,
		    size_t n)
{
	char pseudonym[PSEUDONYM_SIZE];
	size_t used = len < NAMES_USED ? len : NAMES_USED;

	size_t got = name_of_host(k, name, used, pseudonym);
	if (first && got == used && memcmp(pseudonym, name, used) == 0)
		return false;
	if (!first && memchr(name, '.', len) == NULL)
		fill(tld, sizeof(tld) - 1, out, n);
	else if (is_name(pseudonym, got))
		fit(pseudonym, out, n);
	else
		memset(out, FILL, n);
	return true;
}

static void fit_path(const struct names_key *k, const char *path, size_t len, char *out)
{
	size_t n = len < NAMES_USED ? len : NAMES_USED;
	char pseudonym[PSEUDONYM_SIZE];

	size_t got = name_of_path(k, path, n, pseudonym);
	if (got == n && memcmp(pseudonym, path, n) == 0) {
		memmove(out, path, n);
		memset(out + n, FILL, len - n);
		return;
	}
	size_t lead = got - WHOLE; /* the character that it begins with, if it has one */
	memcpy(out, pseudonym, lead);
	fit(pseudonym + lead, out + lead, len - lead);
}

void name_fit_url(const struct names_key *k, const char *url, size_t len, char *out)
{
	size_t n = len < NAMES_USED ? len : NAMES_USED, host_len;
	const char *host = name_host_in(url, n, &host_len);

	/* A path may have a URL in it; what is none is taken as name_of_url() takes it. */
	if (len == 0 || url[0] == '/' || host == NULL || host - url > 8) {
		fit_path(k, url, len, out);
		return;
	}
	size_t at = (size_t)(host - url), behind = at + host_len;
	memmove(out, url, at);
	name_fit_host(k, host, host_len, out + at);
	fit_path(k, url + behind, len - behind, out + behind);
}
