/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/privacy/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define NIBBLES 32u

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int nibble(char c)
{
	return is_digit(c)	      ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* Four decimal numbers below 256, also with leading zeros, with one mark in between. */
static bool read_ip4(const char *p, size_t n, struct text_address *out)
{
	size_t i = 0;
	char mark = 0;

	out->addr = (struct ip_addr){.b = {[10] = 0xff, [11] = 0xff}};
	for (unsigned part = 0; part < 4; part++) {
		unsigned value = 0, digits = 0;
		for (; i < n && is_digit(p[i]) && digits < 4; i++, digits++)
			value = value * 10 + (unsigned)(p[i] - '0');
		if (digits == 0 || digits == 4 || value > 255)
			return false;
		out->addr.b[12 + part] = (uint8_t)value;
		if (part == 3)
			break;
		if (i == n || (p[i] != '.' && p[i] != '-') || (part != 0 && p[i] != mark))
			return false;
		mark = p[i++];
	}
	out->form = mark == '-' ? TEXT_DASHES : TEXT_DOTS;
	out->end = i;
	return true;
}

static bool read_ip6(const char *p, size_t n, struct text_address *out)
{
	char text[INET6_ADDRSTRLEN];
	size_t len = 0;
	unsigned colons = 0;

	for (; len < n && len < sizeof(text) - 1 &&
	       (nibble(p[len]) >= 0 || p[len] == ':' || p[len] == '.');
	     len++)
		colons += p[len] == ':';
	/* A full stop, or a port behind it, may be taken along. */
	for (; colons >= 2 && len > 2; colons -= p[--len] == ':') {
		memcpy(text, p, len);
		text[len] = '\0';
		if (inet_pton(AF_INET6, text, out->addr.b) != 1)
			continue;
		out->form = TEXT_COLONS;
		out->end = len;
		return true;
	}
	return false;
}

static bool read_nibbles(const char *p, size_t n, struct text_address *out)
{
	if (n < 2 * NIBBLES - 1)
		return false;
	out->addr = (struct ip_addr){.b = {0}};
	for (unsigned i = 0; i < NIBBLES; i++) {
		int v = nibble(p[2 * i]);
		if (v < 0 || (i != NIBBLES - 1 && p[2 * i + 1] != '.'))
			return false;
		out->addr.b[15 - i / 2] |= (uint8_t)(v << (i % 2 * 4));
	}
	out->form = TEXT_NIBBLES;
	out->end = 2 * NIBBLES - 1;
	return true;
}

bool text_address_next(const char *text, size_t at, size_t end, struct text_address *out)
{
	for (size_t i = at; i < end; i++) {
		if (nibble(text[i]) < 0 && text[i] != ':')
			continue;
		bool in_word = i > at && (nibble(text[i - 1]) >= 0 || text[i - 1] == ':');
		bool in_number = i > at && is_digit(text[i - 1]);
		const char *p = text + i;
		size_t n = end - i;
		if ((!in_word && read_nibbles(p, n, out)) || (!in_word && read_ip6(p, n, out)) ||
		    (!in_number && read_ip4(p, n, out))) {
			out->start = i;
			out->end += i;
			return true;
		}
	}
	return false;
}

struct ip_addr text_reversed(const struct ip_addr *a)
{
	struct ip_addr out = *a;

	for (unsigned i = 0; i < 4; i++)
		out.b[12 + i] = a->b[15 - i];
	return out;
}

size_t text_address_write(const struct ip_addr *a, enum text_form form, char out[TEXT_ADDRESS_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	if (form == TEXT_COLONS) {
		inet_ntop(AF_INET6, a->b, out, TEXT_ADDRESS_SIZE);
		return strlen(out);
	}
	if (form != TEXT_NIBBLES) {
		char mark = form == TEXT_DASHES ? '-' : '.';
		return (size_t)snprintf(out, TEXT_ADDRESS_SIZE, "%u%c%u%c%u%c%u", a->b[12], mark,
					a->b[13], mark, a->b[14], mark, a->b[15]);
	}
	for (unsigned i = 0; i < NIBBLES; i++) {
		out[n++] = digits[a->b[15 - i / 2] >> (i % 2 * 4) & 0xf];
		out[n++] = i == NIBBLES - 1 ? '\0' : '.';
	}
	return n - 1;
}

void text_replace(char *text, size_t room, char *at, size_t n, const char *as)
{
	size_t left = room - 1 - (size_t)(at - text);
	size_t len = strlen(as), rest = strlen(at + n);

	len = len < left ? len : left;
	rest = rest < left - len ? rest : left - len;
	memmove(at + len, at + n, rest);
	memcpy(at, as, len);
	at[len + rest] = '\0';
}
