/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * DNS message reader (RFC 1035 section 4, EDNS of RFC 6891): strict, bounded, without allocation.
 * Nothing is copied; what was read points into the message by offset. Names are written out on
 * request.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RFC 1035 section 2.3.4 */
#define DNS_LABEL_MAX 63
#define DNS_NAME_MAX 255 /* octets with the root's */
/* A pointer of a name that is worth one leads to a label, and a name has at most 127. */
#define DNS_JUMPS_MAX 127
/* 254 octets as \DDD, and the end of the string */
#define DNS_TEXT_SIZE 1020
#define DNS_HEADER_SIZE 12
#define DNS_RRS_MAX 48 /* records kept of a message; the others are read and counted */

enum dns_type {
	DNS_A = 1, DNS_NS = 2, DNS_CNAME = 5, DNS_SOA = 6, DNS_PTR = 12, DNS_MX = 15, DNS_TXT = 16,
	DNS_AAAA = 28, DNS_SRV = 33, DNS_DNAME = 39, DNS_OPT = 41, DNS_ANY = 255,
};

enum dns_rcode { DNS_NOERROR, DNS_FORMERR, DNS_SERVFAIL, DNS_NXDOMAIN, DNS_NOTIMP, DNS_REFUSED };

/* The flag word, RFC 1035 section 4.1.1 with AD and CD of RFC 4035. */
enum dns_flags {
	DNS_QR = 0x8000, DNS_OPCODE = 0x7800, DNS_AA = 0x0400, DNS_TC = 0x0200, DNS_RD = 0x0100,
	DNS_RA = 0x0080, DNS_Z = 0x0040, DNS_AD = 0x0020, DNS_CD = 0x0010, DNS_RCODE = 0x000f,
};

enum dns_section { DNS_QUESTION, DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL, DNS_SECTIONS };

enum dns_end {
	DNS_OK,       /* every record that the header counts is there, and nothing behind them */
	DNS_TRAILING, /* the same with bytes behind the last record */
	DNS_CUT,      /* the bytes end before the counts do: what was read so far is valid */
	DNS_BAD,      /* a record that cannot be: what was read before it is valid */
};

struct dns_rr {
	uint32_t ttl;
	uint16_t name;        /* offset of the owner's name */
	uint16_t rdata, rdlen; /* offset and length */
	uint16_t type, class;
	uint8_t section;      /* enum dns_section */
};

struct dns_message {
	const uint8_t *data;  /* the caller's */
	uint16_t len;
	uint16_t txid, flags; /* the flag word whole */
	uint16_t count[DNS_SECTIONS]; /* as the header has them */
	uint16_t qname, qtype, qclass; /* of the first question, valid with has_question */
	uint16_t rcode;       /* twelve bits with EDNS */
	uint16_t end_offset;  /* behind the last record that was read */
	uint8_t end;          /* enum dns_end */
	bool has_question;
	bool has_opt;
	uint8_t n_rrs;
	uint16_t more_rrs;    /* read, and not kept */
	struct dns_rr rr[DNS_RRS_MAX]; /* in order of the message, without OPT */
};

/*
 * data: one message without TCP's length prefix; at most 65,535 bytes of it are looked at. False:
 * shorter than a header; else *out is filled, but for records past n_rrs.
 */
bool dns_read(const uint8_t *data, size_t len, struct dns_message *out);

/*
 * The message behind TCP's length prefix (RFC 1035 section 4.2.2) at offset *at of a stream; *at
 * moves behind it. False: it is not there whole, or has no bytes.
 */
bool dns_read_prefix(const uint8_t *stream, size_t len, size_t *at, const uint8_t **message,
		     size_t *message_len);

/*
 * Walks the name at offset at; *end (may be NULL) is behind it where it stands. Compression
 * pointers lead strictly backwards, before the labels they were reached from. Returns its length
 * in octets with the root's, 0 if it is none.
 */
size_t dns_name_length(const uint8_t *data, size_t len, size_t at, size_t *end);
/* Presentation form (RFC 1035 section 5.1), without the last dot but for the root; printable ASCII.
 * False, and out is "", if it is no name. */
bool dns_name_text(const struct dns_message *m, size_t at, char out[DNS_TEXT_SIZE]);
/*
 * The name's octets, uncompressed: length bytes and labels up to the root's. Returns how many, 0 if
 * it is no name. lower: ASCII letters in lower case (RFC 4343).
 */
size_t dns_name_wire(const struct dns_message *m, size_t at, bool lower,
		     uint8_t out[DNS_NAME_MAX]);
/* It begins with a compression pointer. */
bool dns_name_is_pointer(const struct dns_message *m, size_t at);

/* "A", "AAAA", …; for others TYPE65280 (RFC 3597 section 5) in buf. */
const char *dns_type_text(uint16_t type, char buf[12]);
/* "NXDOMAIN", …; for others RCODE16 in buf (IANA, DNS RCODEs). */
const char *dns_rcode_text(uint16_t rcode, char buf[12]);
