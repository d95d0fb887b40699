/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/privacy/seal.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define VERSION  1
#define SALT     16
#define TAG      16
#define NONCE    12
#define LENGTH   4
#define LAST     0x80000000u
#define MAGIC    (sizeof(SEAL_MAGIC) - 1)
#define HEAD     (MAGIC + 2 + SALT + SEAL_CHECK)

struct seal {
	FILE *file;
	EVP_CIPHER_CTX *cipher; /* NULL: clear */
	uint8_t key[SEAL_KEY];
	uint64_t number;        /* of the next block */
	bool ended;
	size_t n;               /* writing: bytes that wait, for the last block is marked */
	uint8_t waiting[SEAL_BLOCK];
	uint8_t sealed[SEAL_BLOCK];
};

static int derive(const void *key, size_t key_len, const void *text, size_t len,
		  uint8_t out[SEAL_KEY])
{
	unsigned n = 0;
	bool done = HMAC(EVP_sha256(), key, (int)key_len, text, len, out, &n) != NULL;
	return done && n == SEAL_KEY ? 0 : -EIO;
}

int seal_key_make(struct seal_key *out, const uint8_t *key, size_t len)
{
	static const char for_sealing[] = "wmscope seal 1", for_checking[] = "wmscope check 1";
	uint8_t check[SEAL_KEY];

	int err = derive(key, len, for_sealing, sizeof(for_sealing) - 1, out->seal);
	if (err == 0)
		err = derive(key, len, for_checking, sizeof(for_checking) - 1, check);
	if (err == 0)
		memcpy(out->check, check, sizeof(out->check));
	OPENSSL_cleanse(check, sizeof(check));
	return err;
}

void seal_key_forget(struct seal_key *k)
{
	OPENSSL_cleanse(k, sizeof(*k));
}

/* The file's own key, and what works with it. */
static int take_key(struct seal *s, const uint8_t head[HEAD], const struct seal_key *key)
{
	if (key == NULL)
		return 0;
	s->cipher = EVP_CIPHER_CTX_new();
	return s->cipher != NULL ? derive(key->seal, SEAL_KEY, head, HEAD, s->key) : -ENOMEM;
}

static int random_bytes(uint8_t *p, size_t len)
{
	for (size_t n = 0; n < len;) {
		ssize_t got = getrandom(p + n, len - n, 0);
		if (got < 0 && errno != EINTR)
			return -errno;
		n += got > 0 ? (size_t)got : 0;
	}
	return 0;
}

int seal_new(struct seal **out, FILE *file, const struct seal_key *key)
{
	uint8_t head[HEAD] = SEAL_MAGIC;
	struct seal *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->file = file;
	head[MAGIC] = VERSION;
	head[MAGIC + 1] = key != NULL;
	if (key != NULL)
		memcpy(head + HEAD - SEAL_CHECK, key->check, SEAL_CHECK);
	int err = random_bytes(head + MAGIC + 2, SALT);
	if (err == 0)
		err = take_key(s, head, key);
	if (err == 0 && fwrite(head, HEAD, 1, file) != 1)
		err = -EIO;
	if (err != 0) {
		seal_free(s);
		return err;
	}
	*out = s;
	return 0;
}

int seal_open(struct seal **out, FILE *file, const struct seal_key *key)
{
	uint8_t head[HEAD];

	if (fread(head, HEAD, 1, file) != 1)
		return ferror(file) ? -EIO : -EBADMSG;
	if (memcmp(head, SEAL_MAGIC, MAGIC) != 0 || head[MAGIC] != VERSION || head[MAGIC + 1] > 1)
		return -EBADMSG;
	bool sealed = head[MAGIC + 1] != 0;
	if (sealed && key == NULL)
		return -ENOKEY;
	if (sealed && CRYPTO_memcmp(head + HEAD - SEAL_CHECK, key->check, SEAL_CHECK) != 0)
		return -EKEYREJECTED;
	struct seal *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	s->file = file;
	int err = take_key(s, head, sealed ? key : NULL);
	if (err != 0) {
		seal_free(s);
		return err;
	}
	*out = s;
	return 0;
}

void seal_free(struct seal *s)
{
	if (s == NULL)
		return;
	EVP_CIPHER_CTX_free(s->cipher);
	OPENSSL_cleanse(s->key, sizeof(s->key));
	free(s);
}

static void put_le(uint8_t *p, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static void nonce_of(const struct seal *s, bool last, uint8_t nonce[NONCE])
{
	put_le(nonce, s->number, 8);
	put_le(nonce + 8, last, NONCE - 8);
}

static void tag_clear(const struct seal *s, const uint8_t length[LENGTH], const uint8_t *data,
		      size_t n, uint8_t tag[TAG])
{
	XXH3_state_t state;
	XXH128_canonical_t sum;
	uint8_t number[8];

	put_le(number, s->number, 8);
	XXH3_128bits_reset(&state);
	XXH3_128bits_update(&state, number, sizeof(number));
	XXH3_128bits_update(&state, length, LENGTH);
	XXH3_128bits_update(&state, data, n);
	XXH128_canonicalFromHash(&sum, XXH3_128bits_digest(&state));
	memcpy(tag, sum.digest, TAG);
}

static bool encrypt(struct seal *s, bool last, const uint8_t *data, size_t n, uint8_t tag[TAG])
{
	uint8_t nonce[NONCE];
	int out = 0, rest = 0;

	nonce_of(s, last, nonce);
	return EVP_EncryptInit_ex(s->cipher, EVP_aes_256_gcm(), NULL, s->key, nonce) == 1 &&
	       EVP_EncryptUpdate(s->cipher, s->sealed, &out, data, (int)n) == 1 &&
	       EVP_EncryptFinal_ex(s->cipher, s->sealed + out, &rest) == 1 &&
	       EVP_CIPHER_CTX_ctrl(s->cipher, EVP_CTRL_GCM_GET_TAG, TAG, tag) == 1;
}

static bool decrypt(struct seal *s, bool last, uint8_t *out, size_t n, uint8_t tag[TAG])
{
	uint8_t nonce[NONCE];
	int got = 0, rest = 0;

	nonce_of(s, last, nonce);
	return EVP_DecryptInit_ex(s->cipher, EVP_aes_256_gcm(), NULL, s->key, nonce) == 1 &&
	       EVP_DecryptUpdate(s->cipher, out, &got, s->sealed, (int)n) == 1 &&
	       EVP_CIPHER_CTX_ctrl(s->cipher, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1 &&
	       EVP_DecryptFinal_ex(s->cipher, out + got, &rest) == 1;
}

static int put_block(struct seal *s, bool last)
{
	uint8_t length[LENGTH], tag[TAG];
	const uint8_t *data = s->waiting;

	put_le(length, s->n | (last ? LAST : 0), LENGTH);
	if (s->cipher == NULL) {
		tag_clear(s, length, data, s->n, tag);
	} else {
		if (!encrypt(s, last, data, s->n, tag))
			return -EIO;
		data = s->sealed;
	}
	if (fwrite(length, LENGTH, 1, s->file) != 1 || fwrite(data, 1, s->n, s->file) != s->n ||
	    fwrite(tag, TAG, 1, s->file) != 1)
		return -EIO;
	s->number++;
	s->n = 0;
	return 0;
}

int seal_write(void *seal, uint8_t *block, size_t *n)
{
	struct seal *s = seal;
	int err = 0;

	for (size_t at = 0; at < *n && err == 0;) {
		size_t some = *n - at < SEAL_BLOCK - s->n ? *n - at : SEAL_BLOCK - s->n;
		memcpy(s->waiting + s->n, block + at, some);
		s->n += some;
		at += some;
		if (s->n == SEAL_BLOCK && at < *n)
			err = put_block(s, false);
	}
	return err;
}

int seal_finish(struct seal *s)
{
	return put_block(s, true);
}

/* Nothing of a block is looked at before its tag was. */
int seal_read(void *seal, uint8_t *block, size_t *n)
{
	struct seal *s = seal;
	uint8_t length[LENGTH], tag[TAG], right[TAG];

	*n = 0;
	if (s->ended)
		return fgetc(s->file) == EOF ? 0 : -EBADMSG;
	if (fread(length, LENGTH, 1, s->file) != 1)
		return ferror(s->file) ? -EIO : -EBADMSG;
	uint32_t len = length[0] | length[1] << 8 | length[2] << 16 | (uint32_t)length[3] << 24;
	bool last = (len & LAST) != 0;
	len &= ~LAST;
	/* An empty block says nothing but that it is the last. */
	if (len > SEAL_BLOCK || (len == 0 && !last))
		return -EBADMSG;
	uint8_t *to = s->cipher != NULL ? s->sealed : block;
	if (fread(to, 1, len, s->file) != len || fread(tag, TAG, 1, s->file) != 1)
		return ferror(s->file) ? -EIO : -EBADMSG;
	if (s->cipher == NULL)
		tag_clear(s, length, block, len, right);
	if (s->cipher != NULL ? !decrypt(s, last, block, len, tag) : memcmp(tag, right, TAG) != 0)
		return -EBADMSG;
	s->number++;
	s->ended = last;
	*n = len;
	return 0;
}
