/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/audit/hosts.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/interface.h"
#include "dataplane/now.h"
#include "dataplane/sink.h"
#include "tools/audit/taps.h"
#include "tools/session.h"

#define QUEUE	     512u  /* frames that arrived and were not looked at */
#define FRAMES_MAX   4096u /* of one trial at one port */
#define FIRST_HOST   10u   /* below are gateways, from 250 on the box's own */
#define HOSTS_PLAYED 240u
#define FIRST_PORT   20000u
#define PORTS	     40000u
#define SEQ_STEP     0x01234567u

struct arrival {
	uint64_t ts_ns;
	uint32_t len, wirelen;
	uint8_t port;
	uint8_t bytes[FRAME_MAX + 4];
};

struct hosts {
	struct hosts_config cfg;
	struct taps *taps;
	struct sink *sink[SIDES];
	uint8_t port_mac[SIDES][6];
	pthread_mutex_t lock;
	pthread_cond_t came;
	struct arrival *queue; /* a ring */
	unsigned first, n;
	uint64_t overflow;
	int error;
	/* of the trial */
	struct ledger *ledger;
	uint8_t (*heads[SIDES])[OUTCOME_HEAD];
	uint32_t n_frames[SIDES], handed[SIDES];
	enum compare_side client;
	struct frame_end end[2]; /* client, server */
	uint32_t seq[2];
	uint16_t ip_id;
	uint32_t met;
	bool dropped;
};

/* On a port's own thread. */
static void on_arrival(void *user, enum compare_side port, const struct packet *pkt,
		       const struct headers *h)
{
	struct hosts *o = user;

	(void)h;
	pthread_mutex_lock(&o->lock);
	if (o->n == QUEUE || pkt->caplen > sizeof(o->queue[0].bytes)) {
		o->overflow += o->n == QUEUE;
	} else {
		struct arrival *a = &o->queue[(o->first + o->n++) % QUEUE];
		a->ts_ns = pkt->ts_ns;
		a->len = pkt->caplen;
		a->wirelen = pkt->wirelen;
		a->port = (uint8_t)port;
		memcpy(a->bytes, pkt->data, pkt->caplen);
		pthread_cond_signal(&o->came);
	}
	pthread_mutex_unlock(&o->lock);
}

static bool arrival_wait(struct hosts *h, struct arrival *out, uint64_t until)
{
	struct timespec at = {.tv_sec = (time_t)(until / 1000000000),
			      .tv_nsec = (long)(until % 1000000000)};
	int err = 0;

	pthread_mutex_lock(&h->lock);
	while (h->n == 0 && err == 0)
		err = pthread_cond_timedwait(&h->came, &h->lock, &at);
	bool any = h->n > 0;
	if (any) {
		*out = h->queue[h->first];
		h->first = (h->first + 1) % QUEUE;
		h->n--;
	}
	pthread_mutex_unlock(&h->lock);
	return any;
}

static void note(struct hosts *h, enum compare_side port, const struct packet *pkt)
{
	struct headers d;

	if (h->n_frames[port] == FRAMES_MAX)
		return;
	packet_decode(pkt, &d);
	uint8_t *head = h->heads[port][h->n_frames[port]++];
	memset(head, 0, OUTCOME_HEAD);
	if (d.payload != NULL)
		memcpy(head, d.payload,
		       d.payload_caplen < OUTCOME_HEAD ? d.payload_caplen : OUTCOME_HEAD);
	ledger_add(h->ledger, port, pkt);
}

static void send_bytes(struct hosts *h, enum compare_side port, const uint8_t *bytes, size_t n)
{
	struct frame f;
	int got = 0;

	for (unsigned i = 0; i < 100 && got == 0 && h->error == 0; i++)
		got = sink_alloc(h->sink[port], 0, &f, 1);
	if (got != 1 || f.room < n) {
		h->error = got < 0 ? got : h->error != 0 ? h->error : -EBUSY;
		return;
	}
	memcpy(f.data, bytes, n);
	f.len = (uint32_t)n;
	int sent = sink_send(h->sink[port], 0, &f, 1);
	if (sent != 1)
		h->error = sent < 0 ? sent : -EIO;
}

static struct packet packet_of(const uint8_t *bytes, size_t n, uint64_t ts_ns, bool ours)
{
	return (struct packet){.data = bytes,
			       .caplen = (uint32_t)n,
			       .wirelen = (uint32_t)n,
			       .ts_ns = ts_ns,
			       .linktype = LINKTYPE_ETHERNET,
			       .direction = ours ? PACKET_OUTBOUND : PACKET_INBOUND};
}

static void answer_arp(struct hosts *h, const struct arrival *a)
{
	uint8_t frame[64];
	size_t n = frame_arp_answer(frame, sizeof(frame), a->bytes, a->len, h->cfg.net[a->port],
				    h->port_mac[a->port]);

	if (n > 0)
		send_bytes(h, a->port, frame, n);
}

/* The frame as it left, or rewritten: at its place in its conversation, and as long. */
static bool is_it(const struct headers *sent, const struct headers *d)
{
	bool rst = (sent->flags & TCP_RST) != 0;

	return sent->proto == d->proto && memcmp(&sent->src, &d->src, sizeof(d->src)) == 0 &&
	       memcmp(&sent->dst, &d->dst, sizeof(d->dst)) == 0 && sent->sport == d->sport &&
	       sent->dport == d->dport && sent->payload_len == d->payload_len &&
	       ((d->flags & TCP_RST) != 0) == rst &&
	       (sent->proto != IPPROTO_TCP || (sent->seq == d->seq && sent->flags == d->flags));
}

/* Looks at what arrives until then; sent NULL: at all of it. */
static bool attend(struct hosts *h, enum compare_side to, const struct headers *sent,
		   uint64_t until)
{
	struct arrival *a = malloc(sizeof(*a));
	bool arrived = false;

	h->error = a == NULL ? -ENOMEM : h->error;
	while (a != NULL && !arrived && arrival_wait(h, a, until)) {
		struct packet pkt = packet_of(a->bytes, a->len, a->ts_ns, false);
		struct headers d;
		pkt.wirelen = a->wirelen;
		packet_decode(&pkt, &d);
		if (d.ip_version == 0)
			answer_arp(h, a);
		note(h, a->port, &pkt);
		arrived = sent != NULL && a->port == (uint8_t)to && d.ip_version != 0 &&
			  is_it(sent, &d);
	}
	free(a);
	return arrived;
}

static enum compare_side port_of(const struct hosts *h, bool client)
{
	return client == (h->client == SIDE_CLIENT) ? SIDE_CLIENT : SIDE_SERVER;
}

/* Copies of it until one arrives. */
static bool pass(struct hosts *h, bool client, struct frame_fields *f)
{
	enum compare_side port = port_of(h, client);
	struct frame_end to = h->end[client ? 1 : 0];
	uint8_t bytes[FRAME_MAX];
	struct headers sent;

	memcpy(to.mac, h->cfg.set_mac[port] ? h->cfg.mac[port] : h->port_mac[!port], 6);
	f->from = &h->end[client ? 0 : 1];
	f->to = &to;
	f->ttl = 64;
	for (unsigned i = 0; i < h->cfg.tries && h->error == 0 && !atomic_load(&session_stopped);
	     i++) {
		f->ip_id = ++h->ip_id != 0 ? h->ip_id : ++h->ip_id;
		size_t n = frame_make(bytes, sizeof(bytes), f);
		struct packet pkt = packet_of(bytes, n, clock_ns(CLOCK_REALTIME), true);
		if (n == 0) {
			h->error = -EMSGSIZE;
			break;
		}
		packet_decode(&pkt, &sent);
		note(h, port, &pkt);
		h->handed[port]++;
		send_bytes(h, port, bytes, n);
		if (attend(h, !port, &sent, clock_ns(CLOCK_MONOTONIC) + h->cfg.wait_ns))
			return true;
	}
	h->dropped = true;
	return false;
}

bool hosts_handshake(struct hosts *h)
{
	struct frame_fields syn = {.proto = IPPROTO_TCP, .flags = TCP_SYN, .seq = h->seq[0]};
	struct frame_fields both = {.proto = IPPROTO_TCP,
				    .flags = TCP_SYN | TCP_ACK,
				    .seq = h->seq[1],
				    .ack = h->seq[0] + 1};
	struct frame_fields ack = {
		.proto = IPPROTO_TCP, .flags = TCP_ACK, .seq = h->seq[0] + 1, .ack = h->seq[1] + 1};

	bool ok = pass(h, true, &syn) && pass(h, false, &both) && pass(h, true, &ack);
	h->seq[0]++;
	h->seq[1]++;
	return ok;
}

bool hosts_say(struct hosts *h, bool client, const uint8_t *bytes, size_t len)
{
	uint32_t *mine = &h->seq[client ? 0 : 1], *other = &h->seq[client ? 1 : 0];
	struct frame_fields f = {.proto = IPPROTO_TCP,
				 .flags = TCP_PSH | TCP_ACK,
				 .seq = *mine,
				 .ack = *other,
				 .payload = bytes,
				 .len = len};
	struct frame_fields ack = {.proto = IPPROTO_TCP,
				   .flags = TCP_ACK,
				   .seq = *other,
				   .ack = *mine + (uint32_t)len};

	*mine += (uint32_t)len;
	return pass(h, client, &f) && pass(h, !client, &ack);
}

bool hosts_datagram(struct hosts *h, bool client, const uint8_t *bytes, size_t len)
{
	struct frame_fields f = {.proto = IPPROTO_UDP, .payload = bytes, .len = len};

	return pass(h, client, &f);
}

void hosts_close(struct hosts *h)
{
	bool dropped = h->dropped;
	unsigned tries = h->cfg.tries;

	/* What becomes of these is of no interest once something else did not arrive. */
	if (dropped)
		return;
	h->cfg.tries = 1;
	for (unsigned client = 2; client-- > 0;) {
		struct frame_fields fin = {.proto = IPPROTO_TCP,
					   .flags = TCP_FIN | TCP_ACK,
					   .seq = h->seq[client ? 0 : 1],
					   .ack = h->seq[client ? 1 : 0]};
		(void)pass(h, client != 0, &fin);
		h->seq[client ? 0 : 1]++;
	}
	h->cfg.tries = tries;
	h->dropped = dropped;
}

/* Trials */

static void forget(struct hosts *h)
{
	ledger_free(h->ledger);
	if (ledger_new(&h->ledger, FRAMES_MAX) != 0)
		h->error = -ENOMEM;
	memset(h->n_frames, 0, sizeof(h->n_frames));
	memset(h->handed, 0, sizeof(h->handed));
	h->dropped = false;
	pthread_mutex_lock(&h->lock);
	h->n = 0;
	pthread_mutex_unlock(&h->lock);
}

void hosts_meet(struct hosts *h, enum compare_side client, uint16_t server_port)
{
	uint32_t met = h->met++;

	h->client = client;
	for (unsigned end = 0; end < 2; end++) {
		enum compare_side port = port_of(h, end == 0);
		struct frame_end *e = &h->end[end];
		memcpy(e->mac, h->port_mac[port], 6);
		memcpy(e->ip, h->cfg.net[port], 3);
		/* Other addresses at both ends each time, for as long as there are any. */
		uint32_t turn = end == 0 ? met : met + met / HOSTS_PLAYED;
		e->ip[3] = (uint8_t)(FIRST_HOST + turn % HOSTS_PLAYED);
		h->seq[end] = (met + 1) * SEQ_STEP * (end + 1);
	}
	h->end[0].port = (uint16_t)(FIRST_PORT + met * 7 % PORTS);
	h->end[1].port = server_port;
	forget(h);
}

void hosts_again(struct hosts *h, bool other_port)
{
	if (other_port)
		h->end[0].port++;
	h->seq[0] += SEQ_STEP;
	h->seq[1] += SEQ_STEP;
	forget(h);
}

int hosts_facts(struct hosts *h, struct outcome_facts *out)
{
	struct ledger_losses none = {.missed = {0}};

	*out = (struct outcome_facts){.failed = h->error != 0 || h->ledger == NULL};
	if (out->failed)
		return h->error != 0 ? h->error : -ENOMEM;
	attend(h, SIDE_CLIENT, NULL, clock_ns(CLOCK_MONOTONIC) + h->cfg.linger_ns);
	none.handed[0] = h->handed[0];
	none.handed[1] = h->handed[1];
	int err = ledger_close(h->ledger, &none);
	out->failed = err != 0 || atomic_load(&session_stopped);
	if (out->failed)
		return err != 0 ? err : -EINTR;
	const uint8_t(*const heads[SIDES])[OUTCOME_HEAD] = {
		(const uint8_t(*)[OUTCOME_HEAD])h->heads[0],
		(const uint8_t(*)[OUTCOME_HEAD])h->heads[1]};
	outcome_read(out, h->ledger, h->client, heads);
	out->dropped = h->dropped;
	return h->error;
}

/* Opening and closing */

static int open_ports(struct hosts *h, char *why, size_t len)
{
	int err = 0;

	for (unsigned p = 0; p < SIDES && err == 0; p++) {
		struct interface i;
		struct sink_config to = {.iface = h->cfg.iface[p], .qdisc = true};
		err = interface_get(h->cfg.iface[p], &i);
		if (err != 0) {
			snprintf(why, len, "%s: %s", h->cfg.iface[p], strerror(-err));
			return err;
		}
		memcpy(h->port_mac[p], i.mac, 6);
		err = sink_open(&h->sink[p], "packet", &to, why, len);
	}
	struct taps_config taps = {.iface = {h->cfg.iface[0], h->cfg.iface[1]},
				   .path = {h->cfg.path[0], h->cfg.path[1]},
				   .arrived = on_arrival,
				   .user = h};
	return err == 0 ? taps_open(&h->taps, &taps, why, len) : err;
}

int hosts_new(struct hosts **out, const struct hosts_config *cfg, char *why, size_t len)
{
	struct hosts *h = calloc(1, sizeof(*h));
	pthread_condattr_t attr;
	int err = -ENOMEM;

	*out = NULL;
	snprintf(why, len, "%s", strerror(ENOMEM));
	if (h == NULL)
		return err;
	h->cfg = *cfg;
	pthread_mutex_init(&h->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&h->came, &attr);
	pthread_condattr_destroy(&attr);
	h->queue = calloc(QUEUE, sizeof(*h->queue));
	h->heads[0] = calloc(FRAMES_MAX, OUTCOME_HEAD);
	h->heads[1] = calloc(FRAMES_MAX, OUTCOME_HEAD);
	if (h->queue != NULL && h->heads[0] != NULL && h->heads[1] != NULL)
		err = open_ports(h, why, len);
	if (err == 0)
		err = taps_start(h->taps, why, len);
	if (err != 0)
		hosts_free(h);
	else
		*out = h;
	return err;
}

uint64_t hosts_stop(struct hosts *h, int *error)
{
	uint64_t lost = h->overflow;
	int err = taps_stop(h->taps);

	*error = h->error != 0 ? h->error : err;
	for (unsigned p = 0; p < SIDES; p++) {
		struct taps_stats st;
		struct sink_stats sent = {.frames = 0};
		taps_stats(h->taps, p, &st);
		sink_stats(h->sink[p], &sent);
		lost += st.dropped + sent.lost;
	}
	return lost;
}

void hosts_free(struct hosts *h)
{
	if (h == NULL)
		return;
	taps_close(h->taps);
	for (unsigned p = 0; p < SIDES; p++) {
		sink_close(h->sink[p]);
		free(h->heads[p]);
	}
	ledger_free(h->ledger);
	pthread_mutex_destroy(&h->lock);
	pthread_cond_destroy(&h->came);
	free(h->queue);
	free(h);
}
