/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/audit/probes.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

#include "tools/audit/requests.h"
#include "tools/session.h"

#define PORT_HTTPS     443
#define PORT_HTTPS_ALT 8443
#define PORT_HTTP      80
#define PORT_DNS       53
#define NAP_NS	       50000000u

/* What servers say to it: enough for a box to see that it was answered. */
static const uint8_t tls_answer[] = {0x16, 0x03, 0x03, 0x00, 0x06, 0x02,
				     0x00, 0x00, 0x02, 0x03, 0x03};
static const uint8_t http_answer[] = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
static const uint8_t quic_answer[] = {0xc3, 0,	 0,   0,   1,	0,   8, 'w',  'm',
				      's',  'c', 'o', 'p', 'e', '1', 0, 0x40, 0x20};

struct request {
	uint8_t bytes[REQUEST_MAX];
	size_t len, cut; /* cut: sent as two segments from there on; 0: as one */
	const uint8_t *answer;
	size_t answer_len;
};

static struct request tls_request(const char *name)
{
	struct request r = {.answer = tls_answer, .answer_len = sizeof(tls_answer)};

	r.len = request_tls(r.bytes, sizeof(r.bytes), name);
	return r;
}

/* A connection, the request, its answer, the end. 0 or -errno. */
static int exchange(struct hosts *h, const struct request *r, bool handshake)
{
	if (r->len == 0)
		return -ENAMETOOLONG;
	if (handshake && !hosts_handshake(h))
		return 0;
	bool arrived = r->cut == 0 ? hosts_say(h, true, r->bytes, r->len)
				   : hosts_say(h, true, r->bytes, r->cut) &&
					     hosts_say(h, true, r->bytes + r->cut, r->len - r->cut);
	if (arrived && hosts_say(h, false, r->answer, r->answer_len) && handshake)
		hosts_close(h);
	return 0;
}

static int tcp_trial(struct hosts *h, const struct request *r, enum compare_side client,
		     uint16_t port, bool handshake, struct outcome_facts *facts)
{
	hosts_meet(h, client, port);
	int err = exchange(h, r, handshake);
	return err == 0 ? hosts_facts(h, facts) : err;
}

static int run_tls(struct hosts *h, const struct probe_task *t, struct outcome_facts *facts)
{
	struct request r = tls_request(t->name);

	return tcp_trial(h, &r, SIDE_CLIENT, PORT_HTTPS, true, facts);
}

static int run_tls_split(struct hosts *h, const struct probe_task *t, struct outcome_facts *facts)
{
	struct request r = tls_request(t->name);

	r.cut = request_tls_middle(r.bytes, r.len, t->name);
	return tcp_trial(h, &r, SIDE_CLIENT, PORT_HTTPS, true, facts);
}

static int run_tls_bare(struct hosts *h, const struct probe_task *t, struct outcome_facts *facts)
{
	struct request r = tls_request(t->name);

	return tcp_trial(h, &r, SIDE_CLIENT, PORT_HTTPS, false, facts);
}

static int run_tls_port(struct hosts *h, const struct probe_task *t, struct outcome_facts *facts)
{
	struct request r = tls_request(t->name);

	return tcp_trial(h, &r, SIDE_CLIENT, PORT_HTTPS_ALT, true, facts);
}

static int run_tls_reverse(struct hosts *h, const struct probe_task *t, struct outcome_facts *facts)
{
	struct request r = tls_request(t->name);

	return tcp_trial(h, &r, SIDE_SERVER, PORT_HTTPS, true, facts);
}

static int run_http(struct hosts *h, const char *host, const char *path,
		    struct outcome_facts *facts)
{
	struct request r = {.answer = http_answer, .answer_len = sizeof(http_answer) - 1};

	r.len = request_http(r.bytes, sizeof(r.bytes), host, path);
	return tcp_trial(h, &r, SIDE_CLIENT, PORT_HTTP, true, facts);
}

static int run_http_host(struct hosts *h, const struct probe_task *t, struct outcome_facts *facts)
{
	return run_http(h, t->name, "", facts);
}

static int run_http_path(struct hosts *h, const struct probe_task *t, struct outcome_facts *facts)
{
	return run_http(h, t->harmless, t->name, facts);
}

/* The query itself, said to be its answer: refused (RFC 1035, section 4.1.1). */
static void as_answer(uint8_t *query)
{
	query[2] |= 0x80;
	query[3] |= 0x05;
}

static int run_dns_udp(struct hosts *h, const struct probe_task *t, struct outcome_facts *facts)
{
	uint8_t query[512];
	size_t n = request_dns(query, sizeof(query), t->name, (uint16_t)(0x3000 + t->number), 0);

	if (n == 0)
		return -ENAMETOOLONG;
	hosts_meet(h, SIDE_CLIENT, PORT_DNS);
	if (hosts_datagram(h, true, query, n)) {
		as_answer(query);
		(void)hosts_datagram(h, false, query, n);
	}
	return hosts_facts(h, facts);
}

static int run_dns_tcp(struct hosts *h, const struct probe_task *t, struct outcome_facts *facts)
{
	struct request r = {.cut = 0};
	uint8_t answer[512];

	r.answer_len = r.len =
		request_dns(answer, sizeof(answer), t->name, (uint16_t)(0x5000 + t->number), 1);
	for (size_t i = 0; i < r.len; i++)
		r.bytes[i] = answer[i];
	r.answer = answer;
	if (r.len > 0)
		as_answer(answer + 2);
	return tcp_trial(h, &r, SIDE_CLIENT, PORT_DNS, true, facts);
}

static int run_quic(struct hosts *h, const struct probe_task *t, struct outcome_facts *facts)
{
	uint8_t initial[REQUEST_MAX];
	size_t n = request_quic(initial, sizeof(initial), t->name,
				UINT64_C(0x776d73636f706500) + t->number);

	if (n == 0)
		return -ENAMETOOLONG;
	hosts_meet(h, SIDE_CLIENT, PORT_HTTPS);
	if (hosts_datagram(h, true, initial, n))
		(void)hosts_datagram(h, false, quic_answer, sizeof(quic_answer));
	return hosts_facts(h, facts);
}

static void nap(uint64_t ns)
{
	for (uint64_t done = 0; done < ns && !atomic_load(&session_stopped); done += NAP_NS) {
		struct timespec t = {.tv_nsec = NAP_NS};
		nanosleep(&t, NULL);
	}
}

/* What becomes of a harmless name after the other one. */
static int residual(struct hosts *h, const struct probe_task *t, bool other_port, uint64_t wait_ns,
		    struct outcome_facts *facts)
{
	struct request first = tls_request(t->name), second = tls_request(t->harmless);

	int err = tcp_trial(h, &first, SIDE_CLIENT, PORT_HTTPS, true, facts);
	nap(wait_ns);
	hosts_again(h, other_port);
	if (err == 0)
		err = exchange(h, &second, true);
	return err == 0 ? hosts_facts(h, facts) : err;
}

static int run_residual_3(struct hosts *h, const struct probe_task *t, struct outcome_facts *facts)
{
	return residual(h, t, true, 0, facts);
}

static int run_residual_4(struct hosts *h, const struct probe_task *t, struct outcome_facts *facts)
{
	return residual(h, t, false, 0, facts);
}

static int run_residual_later(struct hosts *h, const struct probe_task *t,
			      struct outcome_facts *facts)
{
	return residual(h, t, true, t->later_ns, facts);
}

const struct probe probe_table[PROBE_IDS] = {
	{PROBE_TLS, "tls-name", "TLS: ClientHello with the name", run_tls},
	{PROBE_TLS_SPLIT, "tls-name-split", "the same, cut within the name", run_tls_split},
	{PROBE_TLS_BARE, "tls-name-bare", "the same, without a handshake", run_tls_bare},
	{PROBE_TLS_PORT, "tls-name-port", "the same, to port 8443", run_tls_port},
	{PROBE_TLS_REVERSE, "tls-name-reverse", "the same, from the server's side",
	 run_tls_reverse},
	{PROBE_HTTP_HOST, "http-host", "HTTP: the name as Host", run_http_host},
	{PROBE_HTTP_PATH, "http-path", "HTTP: the name in the path", run_http_path},
	{PROBE_DNS_UDP, "dns-udp", "DNS query over UDP", run_dns_udp},
	{PROBE_DNS_TCP, "dns-tcp", "DNS query over TCP", run_dns_tcp},
	{PROBE_QUIC, "quic-initial", "QUIC: Initial with the name", run_quic},
	{PROBE_RESIDUAL_3, "residual-3tuple", "after it: another name, another client port",
	 run_residual_3},
	{PROBE_RESIDUAL_4, "residual-4tuple", "after it: another name, the same ports",
	 run_residual_4},
	{PROBE_RESIDUAL_LATER, "residual-later", "after it and a while: another name",
	 run_residual_later},
};
