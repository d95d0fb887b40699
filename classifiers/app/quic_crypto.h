/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Opens Initial packets. Their keys follow from the client's first Destination Connection ID (RFC
 * 9001 section 5.2), so that anybody on the path can read them, and other bytes pass for none.
 */

#include "classifiers/app/quic.h"
#include "dataplane/flow.h"

#define QUIC_PLAIN_MAX 9216 /* of one packet: a jumbo frame */

struct quic_keys {
	uint8_t key[16], iv[12], hp[16]; /* AEAD_AES_128_GCM, RFC 9001 section 5.1 */
};

/* Contexts of libcrypto, made once. One thread. */
struct quic_crypto;
int quic_crypto_new(struct quic_crypto **out); /* 0, -ENOMEM, or -ENOTSUP: libcrypto refuses */
void quic_crypto_free(struct quic_crypto *c);  /* NULL is fine */

/* Keys of what direction dir sends. 0, -ENOTSUP: version unknown, or -EIO: libcrypto refuses. */
int quic_keys_derive(struct quic_crypto *c, uint32_t version, const struct quic_cid *dcid,
		     enum dir dir, struct quic_keys *out);

/*
 * The plaintext of a whole Initial; valid until the next call with c. NULL: it was not sealed with
 * these keys, is cut, or is longer than QUIC_PLAIN_MAX.
 */
const uint8_t *quic_initial_open(struct quic_crypto *c, const struct quic_keys *k,
				 const struct quic_packet *p, size_t *len);
