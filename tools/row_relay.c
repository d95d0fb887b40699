/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/row_relay.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/thread.h"

#define BATCHES	  4u
#define BATCH_LEN 65536u /* bytes, before a batch is handed over: some forty rows */

/* Of a row in a batch; its cells and its text follow, and the next one begins at a multiple of 8. */
struct kept {
	const struct table *table;
	size_t text_len;
};

struct row_relay {
	struct row_sink sink; /* first */
	struct row_sink *to[RELAY_SINKS_MAX];
	/* Under the lock; batches from taken up to filled are the thread's. */
	pthread_mutex_t lock;
	pthread_cond_t filled_cond, taken_cond;
	struct row_text batch[BATCHES];
	uint64_t filled, taken;
	int error;
	bool finish;
	pthread_t thread;
};

static size_t aligned(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

static int pass(const struct row_relay *relay, const struct row_text *batch)
{
	int err = 0;

	for (size_t at = 0; at < batch->len && err == 0;) {
		struct kept kept;
		memcpy(&kept, batch->data + at, sizeof(kept));
		size_t cells = kept.table->n_columns * sizeof(struct cell);
		const char *in = batch->data + at + sizeof(kept);
		const struct row row = {.table = kept.table,
					.cells = (const struct cell *)(const void *)in,
					.text = in + cells, .text_len = kept.text_len};
		for (unsigned i = 0; i < RELAY_SINKS_MAX && err == 0; i++)
			if (relay->to[i] != NULL)
				err = relay->to[i]->row(relay->to[i], &row);
		at += aligned(sizeof(kept) + cells + kept.text_len);
	}
	return err;
}

static void *relay_main(void *arg)
{
	struct row_relay *relay = arg;

	pthread_mutex_lock(&relay->lock);
	for (;;) {
		while (relay->taken == relay->filled && !relay->finish)
			pthread_cond_wait(&relay->filled_cond, &relay->lock);
		if (relay->taken == relay->filled)
			break;
		struct row_text *batch = &relay->batch[relay->taken % BATCHES];
		int err = relay->error;
		pthread_mutex_unlock(&relay->lock);
		if (err == 0)
			err = pass(relay, batch);
		batch->len = 0;
		pthread_mutex_lock(&relay->lock);
		relay->error = err;
		relay->taken++;
		pthread_cond_signal(&relay->taken_cond);
	}
	pthread_mutex_unlock(&relay->lock);
	return NULL;
}

/* Hands over the batch in the making, and waits for room for the next one. */
static int hand_over(struct row_relay *relay)
{
	pthread_mutex_lock(&relay->lock);
	relay->filled++;
	pthread_cond_signal(&relay->filled_cond);
	while (relay->filled - relay->taken == BATCHES)
		pthread_cond_wait(&relay->taken_cond, &relay->lock);
	int err = relay->error;
	pthread_mutex_unlock(&relay->lock);
	return err;
}

static int relay_row(struct row_sink *s, const struct row *r)
{
	struct row_relay *relay = (struct row_relay *)(void *)s;
	struct row_text *batch = &relay->batch[relay->filled % BATCHES];
	const struct kept kept = {.table = r->table, .text_len = r->text_len};
	size_t cells = r->table->n_columns * sizeof(struct cell);
	size_t all = aligned(sizeof(kept) + cells + r->text_len);

	if (row_text_room(batch, all) != 0)
		return -ENOMEM;
	char *at = batch->data + batch->len;
	memcpy(at, &kept, sizeof(kept));
	memcpy(at + sizeof(kept), r->cells, cells);
	if (r->text_len != 0)
		memcpy(at + sizeof(kept) + cells, r->text, r->text_len);
	batch->len += all;
	return batch->len >= BATCH_LEN ? hand_over(relay) : 0;
}

int row_relay_open(struct row_relay **out)
{
	struct row_relay *relay = calloc(1, sizeof(*relay));

	*out = NULL;
	if (relay == NULL)
		return -ENOMEM;
	relay->sink.row = relay_row;
	pthread_mutex_init(&relay->lock, NULL);
	pthread_cond_init(&relay->filled_cond, NULL);
	pthread_cond_init(&relay->taken_cond, NULL);
	int err = thread_start(&relay->thread, relay_main, relay);
	if (err != 0) {
		free(relay);
		return err;
	}
	*out = relay;
	return 0;
}

void row_relay_to(struct row_relay *relay, struct row_sink *const to[RELAY_SINKS_MAX])
{
	/* The thread sees it with the next batch, under the lock. */
	memcpy(relay->to, to, sizeof(relay->to));
}

int row_relay_drain(struct row_relay *relay)
{
	if (relay->batch[relay->filled % BATCHES].len != 0)
		(void)hand_over(relay);
	pthread_mutex_lock(&relay->lock);
	while (relay->taken != relay->filled)
		pthread_cond_wait(&relay->taken_cond, &relay->lock);
	int err = relay->error;
	pthread_mutex_unlock(&relay->lock);
	return err;
}

void row_relay_close(struct row_relay *relay)
{
	if (relay == NULL)
		return;
	pthread_mutex_lock(&relay->lock);
	relay->finish = true;
	pthread_cond_signal(&relay->filled_cond);
	pthread_mutex_unlock(&relay->lock);
	pthread_join(relay->thread, NULL);
	for (unsigned i = 0; i < BATCHES; i++)
		free(relay->batch[i].data);
	pthread_mutex_destroy(&relay->lock);
	pthread_cond_destroy(&relay->filled_cond);
	pthread_cond_destroy(&relay->taken_cond);
	free(relay);
}
