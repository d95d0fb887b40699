/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The pipeline on a source that shunts: what is counted there comes before everything that arrived
 * later and after everything that arrived earlier, however much of that waits in the source's ring.
 */

#define SHUNTS
#include "dataplane/pipeline.c"
#include "tests/unit/pipeline_run.h"

/* What a program in the kernel does, of one flow: rows arrive lag of them before they are read. */
static struct kernel {
	pthread_mutex_t lock;
	unsigned arrived, lag;
	unsigned ring[PACKETS_MAX], ring_from, ring_to;
	uint32_t stamp[PACKETS_MAX];
	bool over_stamp[PACKETS_MAX], odd[PACKETS_MAX];
	uint32_t ticket; /* another one each time */
	bool watched, granted, over;
	unsigned seen, watch_from;
	struct shunt_counts counts;
	unsigned first_counted;
	unsigned shunts, passed, refuse;
	uint64_t worked_off; /* frame of the last packet that the hooks had of the flow */
} k;

static bool of_flow(const struct headers *h)
{
	return h->proto == IPPROTO_TCP;
}

static void count_row(unsigned i, unsigned dir)
{
	struct shunt_count *c = &k.counts.side[dir];
	if (k.counts.side[0].packets + k.counts.side[1].packets == 0)
		k.first_counted = i + 1;
	c->packets++;
	c->bytes += decoder_rows[i].h.ip_len;
	c->last_ns = decoder_rows[i].ts_ns;
	k.counts.n_last = 1;
	k.counts.last[0] = (struct packet){.frame = i + 1};
	k.passed++;
}

/* True: it is not handed out. */
static bool arrive(unsigned i)
{
	const struct headers *h = &decoder_rows[i].h;
	unsigned dir = h->sport > h->dport ? 0 : 1;
	if (!of_flow(h) || !k.watched)
		return false;
	k.over |= k.odd[i];
	k.stamp[i] = k.ticket;
	k.over_stamp[i] = k.over;
	if (k.over)
		return false;
	if (k.watch_from == 0)
		k.watch_from = i + 1;
	bool both = k.seen == 3;
	k.seen |= 1u << dir;
	if (!both || !k.granted)
		return false;
	count_row(i, dir);
	return true;
}

int source_recv(struct source *s, unsigned q, struct packet pkts[], unsigned max)
{
	unsigned n = 0;
	pthread_mutex_lock(&k.lock);
	while (k.arrived < s->n && k.ring_to - k.ring_from < k.lag + max) {
		if (!arrive(k.arrived))
			k.ring[k.ring_to++] = k.arrived;
		k.arrived++;
	}
	for (; n < max && k.ring_from < k.ring_to; n++) {
		unsigned i = k.ring[k.ring_from++];
		pkts[n] = (struct packet){.ts_ns = s->rows[i].ts_ns, .frame = i + 1, .cookie = q,
					  .shunt = k.stamp[i], .shunt_over = k.over_stamp[i]};
		s->taken[i + 1] = 1;
		s->next++;
	}
	bool end = n == 0 && k.arrived == s->n;
	pthread_mutex_unlock(&k.lock);
	return end ? SOURCE_EOF : (int)n;
}

int source_shunt(struct source *s, const struct shunt_flow *f, uint32_t *ticket)
{
	(void)s;
	*ticket = 0;
	if (k.refuse != 0)
		return -ENOSPC;
	pthread_mutex_lock(&k.lock);
	assert_false(k.watched);
	assert_int_equal(f->port[DIR_C2S], 40000);
	assert_int_equal(f->addr[DIR_S2C][15], 2);
	k.watched = true;
	k.granted = k.over = false;
	k.seen = k.watch_from = 0;
	k.counts = (struct shunt_counts){.n_last = 0};
	k.shunts++;
	*ticket = ++k.ticket;
	pthread_mutex_unlock(&k.lock);
	return 0;
}

void source_shunt_grant(struct source *s, uint32_t ticket)
{
	(void)s;
	pthread_mutex_lock(&k.lock);
	assert_int_equal(ticket, k.ticket);
	assert_true(k.watched && !k.granted);
	/* Nothing that arrived before it was watched is still to come. */
	assert_true(k.watch_from != 0 && k.worked_off >= k.watch_from);
	k.granted = true;
	pthread_mutex_unlock(&k.lock);
}

int source_unshunt(struct source *s, const struct shunt_flow *f, uint32_t ticket,
		   struct shunt_counts *out)
{
	(void)s;
	(void)f;
	pthread_mutex_lock(&k.lock);
	assert_int_equal(ticket, k.ticket);
	assert_true(k.watched);
	k.watched = false;
	*out = k.counts;
	pthread_mutex_unlock(&k.lock);
	return 0;
}

/* Hooks */

static uint64_t told, ended, flow_packets;
static enum flow_end end_of_flow;

static void *one_shard(void *user, unsigned shard)
{
	(void)shard;
	return user;
}

static void one_packet(void *shard, struct flow *f, enum dir dir, const struct packet *pkt,
		       const struct headers *h, uint64_t now_ns)
{
	(void)shard;
	(void)dir;
	(void)now_ns;
	if (!of_flow(h))
		return;
	f->scratch = &k;
	assert_true(pkt->frame > k.worked_off);
	k.worked_off = pkt->frame;
	told++;
}

static bool may_shunt(void *shard, const struct flow *f, struct shunt_flow *out)
{
	(void)shard;
	*out = (struct shunt_flow){.timestamps = true};
	return f->key.proto == IPPROTO_TCP;
}

static void shunted(void *shard, struct flow *f, const struct shunt_counts *c,
		    const struct headers h[])
{
	(void)shard;
	(void)h;
	assert_ptr_equal(f->scratch, &k);
	assert_true(k.first_counted > k.worked_off);
	k.worked_off = c->last[0].frame;
	told += c->side[0].packets + c->side[1].packets;
}

static void one_end(void *shard, struct flow *f, enum flow_end why)
{
	(void)shard;
	if (f->key.proto != IPPROTO_TCP)
		return;
	end_of_flow = why;
	flow_packets += f->pkts[0] + f->pkts[1];
	ended++;
}

static void no_shard(void *user, void *shard)
{
	(void)user;
	(void)shard;
}

static struct pipeline_stats run_shunting(unsigned n, unsigned lag, unsigned batch, unsigned workers)
{
	static const struct pipeline_hooks hooks = {
		.user = &k, .shard_new = one_shard, .on_packet = one_packet, .on_icmp = on_icmp,
		.on_flow_end = one_end, .shard_free = no_shard, .may_shunt = may_shunt,
		.on_shunted = shunted};
	struct pipeline_config cfg = {.batch = batch, .workers = workers, .shunt = true};
	static struct source src;
	struct pipeline_stats stats;
	src = (struct source){.rows = rows, .n = n, .n_queues = 1};
	decoder_rows = rows;
	k.lag = lag;
	assert_int_equal(pipeline_run(&src, &hooks, &cfg, &stats), 0);
	return stats;
}

static void start_over(void)
{
	memset(&k, 0, sizeof(k));
	pthread_mutex_init(&k.lock, NULL);
	told = ended = flow_packets = 0;
}

/* A segment from the server, or the client's acknowledgement of it. */
static struct headers tcp(unsigned i)
{
	bool client = i % 3 == 0;
	return (struct headers){.ip_version = 4, .proto = IPPROTO_TCP, .flags = TCP_ACK,
				.src = addr4(client ? 1 : 2), .dst = addr4(client ? 2 : 1),
				.sport = client ? 40000 : 80, .dport = client ? 80 : 40000,
				.ip_len = 60, .seq = i};
}

static void order_and_number_are_kept(void **state)
{
	static const unsigned lags[] = {0, 1, 5, 40, 200};
	(void)state;
	for (unsigned l = 0; l < sizeof(lags) / sizeof(lags[0]); l++) {
		for (unsigned i = 0; i < 8; i++) {
			enum { ROWS = 3000 };
			start_over();
			for (unsigned r = 0; r < ROWS; r++) {
				rows[r] = (struct row){.ts_ns = T0 + r * MS, .h = tcp(r)};
				k.odd[r] = r % 997 == 700 + i;
			}
			struct pipeline_stats st = run_shunting(ROWS, lags[l], i % 2 ? 1 : 16, i < 4 ? 1 : 3);
			assert_int_equal(told, ROWS);
			assert_int_equal(flow_packets, ROWS);
			assert_int_equal(ended, 1);
			assert_int_equal(st.last_ns, rows[ROWS - 1].ts_ns);
			if (i < 4)
				assert_true(k.shunts > 2 && k.passed > ROWS / 8);
		}
	}
}

/* A flow all of whose packets are counted elsewhere is not idle; nor is it once it is asked about. */
static void what_is_counted_is_not_idle(void **state)
{
	enum { ROWS = 600 };
	(void)state;
	start_over();
	for (unsigned r = 0; r < ROWS; r++) {
		bool busy = r < 300;
		uint64_t at = T0 + (busy ? r * MS : (r - 299) * 10 * SECOND_NS);
		rows[r] = (struct row){.ts_ns = at, .h = busy || r % 2 == 1 ? tcp(r) : udp(7, 1, 8, 2)};
	}
	struct pipeline_stats st = run_shunting(ROWS, 0, 1, 1);
	assert_true(k.passed > 150);
	assert_int_equal(ended, 1);
	assert_int_equal(end_of_flow, FLOW_END_EOF);
	assert_int_equal(told, 450);
	assert_int_equal(st.flows.created, 2);
}

static void without_room_everything_is_read(void **state)
{
	(void)state;
	start_over();
	k.refuse = 1;
	for (unsigned r = 0; r < 500; r++)
		rows[r] = (struct row){.ts_ns = T0 + r * MS, .h = tcp(r)};
	run_shunting(500, 3, 16, 1);
	assert_int_equal(told, 500);
	assert_int_equal(k.passed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_and_number_are_kept),
		cmocka_unit_test(what_is_counted_is_not_idle),
		cmocka_unit_test(without_room_everything_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
