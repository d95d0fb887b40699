/* SPDX-License-Identifier: BSD-3-Clause */

/* Writing captures, and reading them back to see that they are what they should be. */

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>

#include "dataplane/cursor.h"
#include "dataplane/source.h"
#include "tests/bench/grow.h"

static void store_le32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

int writer_open(struct writer *w, const char *path)
{
	uint8_t head[24] = {0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0};

	*w = (struct writer){.file = fopen(path, "wb")};
	if (w->file == NULL)
		return -errno;
	setvbuf(w->file, NULL, _IOFBF, 1 << 20);
	store_le32(head + 16, 262144);
	store_le32(head + 20, LINKTYPE_ETHERNET);
	fwrite(head, sizeof(head), 1, w->file);
	return 0;
}

void writer_put(struct writer *w, uint64_t at_us, const uint8_t *frame, uint32_t len)
{
	uint8_t head[16];

	if (w->packets != 0 && at_us <= w->last_us)
		at_us = w->last_us + 1;
	if (w->packets == 0)
		w->first_us = at_us;
	store_le32(head, (uint32_t)(at_us / 1000000));
	store_le32(head + 4, (uint32_t)(at_us % 1000000));
	store_le32(head + 8, len);
	store_le32(head + 12, len);
	fwrite(head, sizeof(head), 1, w->file);
	fwrite(frame, len, 1, w->file);
	w->last_us = at_us;
	w->packets++;
	w->bytes += len;
}

int writer_close(struct writer *w)
{
	int err = ferror(w->file) ? -EIO : 0;

	if (fclose(w->file) != 0 && err == 0)
		err = -errno;
	w->file = NULL;
	return err;
}

/* RFC 1071's sum, not yet folded. */
static uint64_t sum16(const uint8_t *p, uint32_t len)
{
	uint64_t sum = 0;

	for (; len > 1; p += 2, len -= 2)
		sum += load_be16(p);
	return len == 1 ? sum + ((uint64_t)*p << 8) : sum;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Of the segment and its pseudo header (RFC 9293 section 3.1, RFC 8200 section 8.1). */
static uint16_t transport_sum(const uint8_t *l3, uint32_t ip_hlen, uint32_t ip_len, uint8_t proto)
{
	bool v4 = l3[0] >> 4 == 4;
	uint32_t len = ip_len - ip_hlen;
	uint64_t sum = v4 ? sum16(l3 + 12, 8) : sum16(l3 + 8, 32);

	return fold(sum + proto + len + sum16(l3 + ip_hlen, len));
}

void checksums_fill(uint8_t *l3, uint32_t ip_hlen, uint32_t ip_len, uint8_t proto)
{
	uint8_t *at = l3 + ip_hlen + (proto == IPPROTO_TCP ? 16 : 6);

	if (l3[0] >> 4 == 4) {
		store_be16(l3 + 10, 0);
		store_be16(l3 + 10, (uint16_t)~fold(sum16(l3, ip_hlen)));
	}
	store_be16(at, 0);
	uint16_t sum = (uint16_t)~transport_sum(l3, ip_hlen, ip_len, proto);
	/* UDP's 0 means that there is none (RFC 768). */
	store_be16(at, sum == 0 && proto == IPPROTO_UDP ? 0xffff : sum);
}

static const char *wrong_with(const struct packet *pkt, uint64_t last_ns)
{
	struct headers h;

	packet_decode(pkt, &h);
	if (pkt->frame > 1 && pkt->ts_ns <= last_ns)
		return "time does not advance";
	if (pkt->caplen != pkt->wirelen)
		return "cut short";
	if (h.end != DECODE_OK || (h.proto != IPPROTO_TCP && h.proto != IPPROTO_UDP))
		return "not a TCP or UDP packet";
	if ((h.anomalies & (ANOMALY_IP_LEN | ANOMALY_IP_HLEN)) != 0 || h.l3_caplen != h.ip_len)
		return "IP length";
	if ((h.anomalies & ANOMALY_IP_CHECKSUM) != 0)
		return "IP checksum";
	if (h.proto == IPPROTO_TCP && (!tcp_is_whole(&h) || !tcp_checksum_ok(&h)))
		return "TCP checksum";
	/* Decode does not look at UDP's. */
	if (h.proto == IPPROTO_UDP && (load_be16(h.l3 + h.ip_hlen + 6) == 0 ||
				       transport_sum(h.l3, h.ip_hlen, h.ip_len, h.proto) != 0xffff))
		return "UDP checksum";
	return NULL;
}

static int batch_check(const char *path, const struct packet pkts[], int n, uint64_t *last_ns)
{
	for (int i = 0; i < n; i++) {
		const char *wrong = wrong_with(&pkts[i], *last_ns);
		if (wrong != NULL) {
			fprintf(stderr, "error: %s: frame %" PRIu64 ": %s\n", path, pkts[i].frame,
				wrong);
			return -EBADMSG;
		}
		*last_ns = pkts[i].ts_ns;
	}
	return n;
}

int capture_check(const char *path, uint64_t packets)
{
	struct source_config cfg = {.files = &path, .n_files = 1};
	struct source_stats stats;
	struct source *src;
	struct packet pkts[64];
	uint64_t last_ns = 0;
	char why[320];
	int n;

	int err = source_open(&src, NULL, &cfg, why, sizeof(why));
	if (err != 0) {
		fprintf(stderr, "error: %s\n", why);
		return err;
	}
	while (err >= 0 && (n = source_recv(src, 0, pkts, 64)) >= 0) {
		err = batch_check(path, pkts, n, &last_ns);
		source_release(src, 0, pkts, (unsigned)n);
	}
	source_stats(src, &stats);
	if (err >= 0 && (n != SOURCE_EOF || stats.n_damage != 0 || stats.received != packets)) {
		fprintf(stderr, "error: %s: read back %" PRIu64 " of %" PRIu64 " packets\n", path,
			stats.received, packets);
		err = -EBADMSG;
	}
	source_close(src);
	return err < 0 ? err : 0;
}
