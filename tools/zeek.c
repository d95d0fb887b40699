/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/zeek.h"

#include <netinet/in.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static bool has(const struct flow_record *f, char letter)
{
	return strchr(f->history, letter) != NULL;
}

static const char *tcp_state(const struct flow_record *f)
{
	bool syn = has(f, 'S'), synack = has(f, 'h');
	bool data = has(f, 'D') || has(f, 'd');
	/* Zeek's "inactive or partial": no SYN of that side. */
	bool orig_partial = !syn && !has(f, 'H'), resp_partial = !synack && !has(f, 's');

	if (has(f, 'r')) {
		if ((syn && !synack) || (has(f, 'R') && !data))
			return "REJ";
		return orig_partial ? "RSTRH" : "RSTR";
	}
	if (has(f, 'R'))
		return resp_partial ? "RSTOS0" : "RSTO";
	if (has(f, 'F') && has(f, 'f'))
		return "SF";
	if (has(f, 'F'))
		return resp_partial ? "SH" : "S2";
	if (has(f, 'f'))
		return orig_partial ? "SHR" : "S3";
	if (syn && f->pkts[DIR_S2C] == 0)
		return "S0";
	return syn && synack && (has(f, 'A') || has(f, 'D')) ? "S1" : "OTH";
}

const char *zeek_conn_state(const struct flow_record *f)
{
	bool orig = f->pkts[DIR_C2S] != 0, resp = f->pkts[DIR_S2C] != 0;

	if (f->proto == IPPROTO_TCP)
		return tcp_state(f);
	if (f->proto != IPPROTO_UDP)
		return "OTH";
	if (orig)
		return resp ? "SF" : "S0";
	return resp ? "SHR" : "OTH";
}

const char *zeek_service(const struct flow_record *f)
{
	static const char *const words[][2] = {
		{"tls", "ssl"},	    {"http", "http"}, {"dns", "dns"},	 {"quic", "quic"},
		{"ssh", "ssh"},	    {"smtp", "smtp"}, {"ftp", "ftp"},	 {"irc", "irc"},
		{"ntp", "ntp"},	    {"sip", "sip"},   {"socks", "socks"}, {"imap", "imap"},
		{"mqtt", "mqtt"},   {"rdp", "rdp"},   {"dhcp", "dhcp"},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(f->app_proto, words[i][0]) == 0)
			return words[i][1];
	return NULL;
}

const char *zeek_uid(const struct flow_record *f, char out[ZEEK_UID_SIZE])
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	uint8_t what[16];
	uint64_t half[2] = {f->id, f->first_ns};

	/* The same on machines of either byte order. */
	for (unsigned i = 0; i < sizeof(what); i++)
		what[i] = (uint8_t)(half[i / 8] >> (i % 8 * 8));
	XXH128_hash_t h = XXH3_128bits(what, sizeof(what));
	out[0] = 'C';
	for (unsigned i = 1; i < ZEEK_UID_SIZE - 1; i++) {
		uint64_t *from = i % 2 != 0 ? &h.low64 : &h.high64;
		out[i] = digits[*from % 62];
		*from /= 62;
	}
	out[ZEEK_UID_SIZE - 1] = '\0';
	return out;
}
