/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/privacy/scrub.h"

#include <errno.h>
#include <stdlib.h>

#include "tools/privacy/scrub_walk.h"

int scrub_new(struct scrub **out, const struct scrub_config *cfg)
{
	struct scrub *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->cfg = *cfg;
	*out = s;
	return 0;
}

void scrub_free(struct scrub *s)
{
	free(s);
}

void walk_ip4(const struct walk *w, uint8_t b[4])
{
	struct ip_addr a = {.b = {[10] = 0xff, [11] = 0xff}}, as;

	memcpy(a.b + 12, b, 4);
	pseudonyms_of_neighbour(w->s->cfg.pseudonyms, &a, &as);
	memcpy(b, as.b + 12, 4);
}

/* ff02::1:ff00:0/104 and its like have 24 bits of a host's address (RFC 4291 section 2.7.1). */
static bool is_solicited(const uint8_t b[16])
{
	static const uint8_t zero[9];

	return b[0] == 0xff && memcmp(b + 2, zero, sizeof(zero)) == 0 && b[11] == 1 &&
	       b[12] == 0xff;
}

void walk_ip6(const struct walk *w, uint8_t b[16])
{
	struct ip_addr a, as;

	memcpy(a.b, b, 16);
	if (is_solicited(b)) {
		pseudonyms_solicited(w->s->cfg.pseudonyms, b + 13, b + 13);
		return;
	}
	pseudonyms_of_neighbour(w->s->cfg.pseudonyms, &a, &as);
	memcpy(b, as.b, 16);
}

void walk_mac(const struct walk *w, uint8_t b[6])
{
	pseudonyms_mac(w->s->cfg.pseudonyms, b, b);
}

uint32_t scrub_packet(struct scrub *s, const struct packet *in, uint8_t *out)
{
	struct walk w = {
		.s = s, .was = in->data, .now = out, .len = in->caplen, .keep = in->caplen,
		.wire = in->wirelen > in->caplen ? in->wirelen : in->caplen};

	if (in->caplen == 0)
		return 0;
	memcpy(out, in->data, in->caplen);
	walk_link(&w, in->linktype);
	memset(out + w.keep, 0, in->caplen - w.keep);
	return (uint32_t)w.keep;
}
