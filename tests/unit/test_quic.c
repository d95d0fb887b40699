/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>

#include "tests/unit/quic_build.h"

#include "classifiers/app/quic.c"
#include "classifiers/app/quic_crypto.c"
#include "dataplane/reassembly.h"

/* RFC 9001 appendix A and RFC 9369 appendix A. */
static const struct quic_cid vector_cid = {8, {0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08}};

static const char vector_crypto[] =
	"060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c"
	"00000413011302010000c000000010000e00000b6578616d706c652e636f6dff01000100000a00080006"
	"001d0017001800100007000504616c706e000500050100000000003300260024001d00209370b2c9caa4"
	"7fbabaf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304000d0010000e040305"
	"0306030203080408050806002d00020101001c00024001003900320408ffffffffffffffff05048000ff"
	"ff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff";

struct vector {
	uint32_t version;
	struct {
		const char *key, *iv, *hp;
	} side[2]; /* by enum dir */
	const char *client_head;  /* the protected client Initial's first bytes */
	const char *server;       /* the whole protected server Initial */
	const char *retry;
};

static const struct vector vectors[] = {
	{.version = QUIC_V1,
	 .side = {{"1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c",
		   "9f50449e04a0e810283a1e9933adedd2"},
		  {"cf3a5331653c364c88f0f379b6067e37", "0ac1493ca1905853b0bba03e",
		   "c206b8d9b9f0f37644430b490eeaa314"}},
	 .client_head = "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11"
			"d242b123dc9bd8bab936b47d92ec356c0bab7df5976d27cd449f63300099f399",
	 .server = "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a"
		   "1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9"
		   "c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d"
		   "20398c276456cbc42158407dd074ee",
	 .retry = "ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f0f2496ba"},
	{.version = QUIC_V2,
	 .side = {{"8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f",
		   "45b95e15235d6f45a6b19cbcb0294ba9"},
		  {"82db637861d55e1d011f19ea71d5d2a7", "dd13c276499c0249d3310652",
		   "edf6d05c83121201b436e16877593c3a"}},
	 .client_head = "d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485",
	 .server = "dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698baeea26b91eb761d"
		   "9b89237bbf87263017915358230035f7fd3945d88965cf17f9af6e16886c61bfc703106fbaf3cb4c"
		   "fa52382dd16a393e42757507698075b2c984c707f0a0812d8cd5a6881eaf21ceda98f4bd23f6fe1a"
		   "3e2c43edd9ce7ca84bed8521e2e140",
	 .retry = "cf6b3343cf0008f067a5502a4262b5746f6b656ec8646ce8bfe33952d955543665dcc7b6"},
};

static size_t from_hex(const char *hex, uint8_t *out, size_t room)
{
	size_t n = strlen(hex) / 2;
	assert_true(n <= room);
	for (size_t i = 0; i < n; i++) {
		char two[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
		out[i] = (uint8_t)strtoul(two, NULL, 16);
	}
	return n;
}

static void assert_hex(const uint8_t *p, const char *hex)
{
	uint8_t want[256];
	size_t n = from_hex(hex, want, sizeof(want));
	assert_memory_equal(p, want, n);
}

static struct quic_crypto *crypto;

static int crypto_open(void **state)
{
	(void)state;
	return quic_crypto_new(&crypto);
}

static int crypto_close(void **state)
{
	(void)state;
	quic_crypto_free(crypto);
	return 0;
}

static void keys_are_the_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++)
		for (enum dir d = DIR_C2S; d <= DIR_S2C; d++) {
			struct quic_keys k;
			assert_int_equal(quic_keys_derive(crypto, vectors[i].version, &vector_cid, d, &k),
					 0);
			assert_hex(k.key, vectors[i].side[d].key);
			assert_hex(k.iv, vectors[i].side[d].iv);
			assert_hex(k.hp, vectors[i].side[d].hp);
		}
	struct quic_keys k;
	assert_int_equal(quic_keys_derive(crypto, 0x0a0a0a0a, &vector_cid, DIR_C2S, &k), -ENOTSUP);
}

static struct quic_packet only_packet(const uint8_t *b, size_t n)
{
	struct quic_packet p, rest;
	struct cursor c = cursor_of(b, n);
	assert_true(quic_packet_next(&c, false, &p));
	assert_false(quic_packet_next(&c, false, &rest));
	return p;
}

/* The client's Initial of the appendices, 1,200 bytes with packet number 2. */
static void vector_client(const struct vector *v, struct datagram_built *d)
{
	uint8_t frames[256];
	size_t n = from_hex(vector_crypto, frames, sizeof(frames));
	struct quic_keys k;
	from_hex(v->side[DIR_C2S].key, k.key, sizeof(k.key));
	from_hex(v->side[DIR_C2S].iv, k.iv, sizeof(k.iv));
	from_hex(v->side[DIR_C2S].hp, k.hp, sizeof(k.hp));
	struct initial i = {.version = v->version, .dcid = vector_cid, .number = 2, .pad = 1200};
	d->n = 0;
	put_initial(d, &i, &k, frames, n);
	assert_int_equal(d->n, 1200);
}

static void client_initials_open(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct datagram_built d;
		struct quic_keys k;
		struct quic_frame f;
		struct tls_client_hello hello;
		size_t len;
		vector_client(&vectors[i], &d);
		assert_hex(d.b, vectors[i].client_head);
		struct quic_packet p = only_packet(d.b, d.n);
		assert_int_equal(p.kind, QUIC_INITIAL);
		assert_true(quic_cid_equal(&p.dcid, &vector_cid));
		assert_int_equal(p.scid.len, 0);
		quic_keys_derive(crypto, p.version, &p.dcid, DIR_C2S, &k);
		const uint8_t *plain = quic_initial_open(crypto, &k, &p, &len);
		assert_non_null(plain);
		assert_int_equal(len, 1162);
		struct cursor c = cursor_of(plain, len);
		assert_true(quic_frame_next(&c, &f));
		assert_int_equal(f.type, QUIC_CRYPTO);
		assert_int_equal(f.offset, 0);
		assert_int_equal(f.len, 241);
		assert_int_equal(tls_quic_hello_read(f.data, f.len, &hello), CLASSIFY_DONE);
		assert_string_equal(hello.sni, "example.com");
		assert_string_equal(hello.alpn[0], "alpn");
		assert_int_equal(hello.ja4[0], 'q');
		assert_int_equal(hello.n_records, 0);
		assert_int_equal(hello.hello_end, 241);
		assert_false(quic_frame_next(&c, &f));
		assert_true(cursor_ok(&c));
	}
}

static void server_initials_open(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint8_t b[256];
		struct quic_keys k;
		struct quic_frame f;
		size_t n = from_hex(vectors[i].server, b, sizeof(b)), len;
		struct quic_packet p = only_packet(b, n);
		assert_int_equal(p.kind, QUIC_INITIAL);
		assert_int_equal(p.scid.len, 8);
		quic_keys_derive(crypto, p.version, &vector_cid, DIR_S2C, &k);
		const uint8_t *plain = quic_initial_open(crypto, &k, &p, &len);
		assert_non_null(plain);
		struct cursor c = cursor_of(plain, len);
		assert_true(quic_frame_next(&c, &f));
		assert_int_equal(f.type, QUIC_ACK);
		assert_true(quic_frame_next(&c, &f));
		assert_int_equal(f.type, QUIC_CRYPTO);
		assert_int_equal(f.len, 90);
		assert_false(quic_frame_next(&c, &f));
	}
}

static void retries_are_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint8_t b[64];
		size_t n = from_hex(vectors[i].retry, b, sizeof(b));
		struct quic_packet p = only_packet(b, n);
		assert_int_equal(p.kind, QUIC_RETRY);
		assert_int_equal(p.scid.len, 8);
		assert_int_equal(p.scid.b[0], 0xf0);
	}
}

/* Whoever changes a bit of a sealed packet, header included, is found out. */
static void no_bit_can_be_changed(void **state)
{
	(void)state;
	struct datagram_built d;
	struct quic_keys k;
	size_t len;
	vector_client(&vectors[0], &d);
	quic_keys_derive(crypto, QUIC_V1, &vector_cid, DIR_C2S, &k);
	for (size_t bit = 0; bit < d.n * 8; bit += bit < 400 ? 1 : 37) {
		struct quic_packet p;
		d.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		struct cursor c = cursor_of(d.b, d.n);
		if (quic_packet_next(&c, false, &p) && p.kind == QUIC_INITIAL)
			assert_null(quic_initial_open(crypto, &k, &p, &len));
		d.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* Every cut of a datagram, at an exact allocation: a header or nothing, and never an opened one. */
static void cut_anywhere(void **state)
{
	(void)state;
	struct datagram_built d;
	struct quic_keys k;
	size_t len;
	vector_client(&vectors[1], &d);
	quic_keys_derive(crypto, QUIC_V2, &vector_cid, DIR_C2S, &k);
	for (size_t n = 0; n < d.n; n++) {
		struct quic_packet p;
		uint8_t *exact = malloc(n != 0 ? n : 1);
		assert_non_null(exact);
		memcpy(exact, d.b, n);
		struct cursor c = cursor_of(exact, n);
		bool whole = quic_packet_next(&c, false, &p);
		c = cursor_of(exact, n);
		bool cut = quic_packet_next(&c, true, &p);
		assert_false(whole);
		assert_int_equal(cut, n >= 18);
		if (cut)
			assert_true(p.cut && quic_initial_open(crypto, &k, &p, &len) == NULL);
		free(exact);
	}
}

struct header_case {
	const char *name, *hex;
	bool cut;
	int kind; /* -1: none */
	size_t len;
};

static const struct header_case headers[] = {
	{"nothing", "", false, -1, 0},
	{"short header", "40112233", false, QUIC_SHORT, 4},
	{"zero padding", "00000000000000000000000000000000", false, -1, 0},
	{"no fixed bit", "8000000001000000" "0000000000000000000000000000000000000000", false, -1, 0},
	{"version unknown", "c0deadbeef0000004000", false, -1, 0},
	{"connection ID of 21 bytes", "c00000000115" "000000000000000000000000000000000000000000"
	 "00004000", false, -1, 0},
	{"token longer than the packet", "c000000001000040ff4000", false, -1, 0},
	{"token of 2^62-1 bytes", "c0000000010000ffffffffffffffff4000", false, -1, 0},
	{"length beyond the packet", "c00000000100000041000000", false, -1, 0},
	{"length beyond the captured", "c00000000100000041000000", true, QUIC_INITIAL, 12},
	{"length of none", "c0000000010000004000", false, QUIC_INITIAL, 10},
	{"handshake", "e0000000010000024455", false, QUIC_HANDSHAKE, 10},
	{"0-RTT", "d0000000010000024455", false, QUIC_ZERO_RTT, 10},
	{"v2 handshake", "f06b3343cf0000024455", false, QUIC_HANDSHAKE, 10},
	{"v2 0-RTT", "e06b3343cf0000024455", false, QUIC_ZERO_RTT, 10},
	{"negotiation", "8000000000020102010300000001", false, QUIC_NEGOTIATION, 14},
	{"negotiation of nothing", "80000000000201020103", false, -1, 0},
	{"retry without a tag", "f0000000010000112233", false, -1, 0},
	{"a version to be negotiated", "c01a2a3a4a0000004000", false, QUIC_RESERVED, 10},
	{"Q046", "c3513034365000112233445566", false, QUIC_GOOGLE, 13},
	{"Q043", "0d1122334455667788513034330102", false, QUIC_GOOGLE, 15},
	{"Q043 reset", "0f1122334455667788513034330102", false, -1, 0},
	{"Q1043", "0d1122334455667788513134330102", false, -1, 0},
	{"DTLS", "16fefd0000000000000000007b", false, -1, 0},
	{"STUN", "000100002112a442", false, -1, 0},
	{"DNS", "123401000001000000000000", false, -1, 0},
};

static void headers_are_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		const struct header_case *t = &headers[i];
		uint8_t b[64];
		struct quic_packet p;
		struct cursor c = cursor_of(b, from_hex(t->hex, b, sizeof(b)));
		bool any = quic_packet_next(&c, t->cut, &p);
		if (any != (t->kind >= 0) || (any && (p.kind != t->kind || p.len != t->len)))
			fail_msg("%s: %d kind %d of %zu bytes", t->name, any, p.kind, p.len);
	}
}

static void packets_are_coalesced(void **state)
{
	(void)state;
	struct datagram_built d;
	struct quic_packet p;
	static const struct quic_cid none = {0};
	vector_client(&vectors[0], &d);
	put_long(&d, 2, QUIC_V1, &vector_cid, &none, 30);
	put_be(&d, 8, 0x4011223344556677);
	struct cursor c = cursor_of(d.b, d.n);
	assert_true(quic_packet_next(&c, false, &p) && p.kind == QUIC_INITIAL && p.len == 1200);
	assert_true(quic_packet_next(&c, false, &p) && p.kind == QUIC_HANDSHAKE);
	assert_true(quic_packet_next(&c, false, &p) && p.kind == QUIC_SHORT && p.len == 8);
	assert_false(quic_packet_next(&c, false, &p));
}

struct frame_case {
	const char *name, *hex, *types; /* types: of the frames, then ! for an error */
};

static const struct frame_case frame_cases[] = {
	{"padding and ping", "0000000001", "1"},
	{"padding alone", "000000", ""},
	{"ack with ranges", "0205000203000100020001", "21"},
	{"ack with ECN counts", "0305000000010203" "06000141", "36"},
	{"ack of 2^62 ranges", "020500ffffffffffffffff00", "!"},
	{"close", "1c4132060361626301", "c1"},
	{"close cut within its reason", "1c413206056162", "!"},
	{"crypto longer than the packet", "06000541", "!"},
	{"crypto at 2^62-1", "06ffffffffffffffff0141", "6"},
	{"crypto of 2^62-1 bytes", "0600ffffffffffffffff41", "!"},
	{"a frame of 1-RTT", "0100" "1d00", "1!"},
	{"a frame type of 8 bytes", "c000000000000001", "1"},
};

static void frames_are_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(frame_cases) / sizeof(*frame_cases); i++) {
		const struct frame_case *t = &frame_cases[i];
		uint8_t b[64];
		char types[16] = "";
		size_t n = 0;
		struct quic_frame f;
		struct cursor c = cursor_of(b, from_hex(t->hex, b, sizeof(b)));
		while (quic_frame_next(&c, &f))
			types[n++] = f.type == QUIC_CLOSE ? 'c' : (char)('0' + f.type);
		if (!cursor_ok(&c))
			types[n++] = '!';
		if (strcmp(types, t->types) != 0)
			fail_msg("%s: %s instead of %s", t->name, types, t->types);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_the_vectors),
		cmocka_unit_test(client_initials_open),
		cmocka_unit_test(server_initials_open),
		cmocka_unit_test(retries_are_known),
		cmocka_unit_test(no_bit_can_be_changed),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(headers_are_told),
		cmocka_unit_test(packets_are_coalesced),
		cmocka_unit_test(frames_are_told),
	};
	return cmocka_run_group_tests(tests, crypto_open, crypto_close);
}
