/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Input: an octet of options, the link type, then packets, each behind the two bytes of its length.
 * Whatever they are, no more comes out than went in, and the address that is surely a client's is
 * gone from the headers that decode reads.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/cursor.h"
#include "dataplane/decode.h"
#include "tools/privacy/scrub.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

static bool same(const struct ip_addr *a, const struct ip_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static void scrub_one(struct scrub *s, const struct pseudonyms *p, const struct packet *pkt)
{
	/* Of the exact size, so that a sanitizer sees one byte too many. */
	uint8_t *out = malloc(pkt->caplen != 0 ? pkt->caplen : 1);
	if (out == NULL)
		return;
	struct packet shown = *pkt;
	struct headers was, now;
	struct ip_addr as;

	shown.data = out;
	shown.caplen = scrub_packet(s, pkt, out);
	require(shown.caplen <= pkt->caplen);
	packet_decode(pkt, &was);
	packet_decode(&shown, &now);
	if (was.ip_version != 0 && now.ip_version == was.ip_version) {
		if (pseudonyms_of(p, &was.src, &as))
			require(!same(&now.src, &was.src) && !same(&now.dst, &was.src));
		if (pseudonyms_of(p, &was.dst, &as))
			require(!same(&now.src, &was.dst) && !same(&now.dst, &was.dst));
	}
	if (now.quoted_ok)
		require(!pseudonyms_of(p, &now.quoted_src, &as) &&
			!pseudonyms_of(p, &now.quoted_dst, &as));
	free(out);
}

/* Whoever sends the first packets is a client. */
static struct pseudonyms *survey(uint32_t linktype, struct cursor c)
{
	static const uint8_t key[CRYPTO_PAN_KEY] = {1, 2, 3};
	struct pseudonyms *p;

	if (pseudonyms_new(&p, key) != 0)
		return NULL;
	for (unsigned i = 0; i < 4 && cursor_left(&c) > 2; i++) {
		uint16_t len = cursor_be16(&c);
		size_t n = len < cursor_left(&c) ? len : cursor_left(&c);
		struct packet pkt = {.data = cursor_bytes(&c, n),
				     .caplen = (uint32_t)n,
				     .wirelen = len,
				     .linktype = linktype};
		struct headers h;
		if (pkt.data == NULL)
			break;
		packet_decode(&pkt, &h);
		if (h.ip_version != 0)
			pseudonyms_note(p, &h.src, ROLE_CLIENT);
		if (h.quoted_ok)
			pseudonyms_note(p, &h.quoted_src, ROLE_CLIENT);
	}
	if (pseudonyms_settle(p) != 0)
		abort();
	return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	uint8_t options = cursor_u8(&c);
	uint32_t linktype = cursor_be16(&c);
	struct pseudonyms *p = survey(linktype, c);
	struct names_key names = {.mac = NULL};
	struct scrub_config cfg = {.pseudonyms = p,
				   .keep_payload = (options & 1) != 0,
				   .names = (options & 2) != 0 ? &names : NULL};
	struct scrub *s = NULL;

	if (p == NULL || (cfg.names != NULL && names_key_make(&names, data, size) != 0) ||
	    scrub_new(&s, &cfg) != 0)
		goto out;
	while (cursor_ok(&c) && cursor_left(&c) > 2) {
		uint16_t len = cursor_be16(&c);
		size_t n = len < cursor_left(&c) ? len : cursor_left(&c);
		uint8_t *copy = malloc(n != 0 ? n : 1);
		if (copy == NULL)
			break;
		if (n != 0)
			memcpy(copy, cursor_bytes(&c, n), n);
		struct packet pkt = {
			.data = copy, .caplen = (uint32_t)n, .wirelen = len, .linktype = linktype};
		scrub_one(s, p, &pkt);
		free(copy);
	}
out:
	scrub_free(s);
	names_key_forget(&names);
	pseudonyms_free(p);
	return 0;
}
