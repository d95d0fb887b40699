/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* A capture's attempts, made one by one, and what the study says of them. */

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#include "tools/study/study_private.h"

#define SEC 1000000000ull
#define ATTEMPTS 80

static struct world {
	struct analysis a;
	struct capture_result capture;
	struct attempt attempts[ATTEMPTS];
	struct flow_record flows[ATTEMPTS];
	struct finding findings[ATTEMPTS];
	struct evidence_row row;
	struct study *s;
} w;

static int world_start(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	w.a.captures = &w.capture;
	w.a.n_captures = 1;
	w.a.attempts = w.attempts;
	w.capture.stats.last_ns = 900000 * SEC;
	w.row = (struct evidence_row){.kind = "syn-unanswered", .grade = GRADE_D1, .counted = true,
				       .value = "", .expected = ""};
	return 0;
}

static int world_end(void **state)
{
	(void)state;
	study_free(w.s);
	free(w.a.findings);
	return 0;
}

/* A connection of client 1 to server 1, port 443, that was answered. */
static struct attempt *world_add(double at_s)
{
	size_t i = w.a.n_attempts++;
	assert_true(i < ATTEMPTS);
	uint64_t at = 1000 * SEC + (uint64_t)(at_s * 1e9);
	w.flows[i] = (struct flow_record){.id = 4 * (i + 1), .first_frame = i + 1, .first_ns = at,
					  .last_ns = at + 3 * SEC};
	w.findings[i] = (struct finding){.id = "syn-unanswered", .verdict = VERDICT_INCONCLUSIVE,
					 .family = FAMILY_SILENT_DROP, .rows = &w.row, .n_rows = 1,
					 .flow = &w.flows[i], .conditional = "untested"};
	w.attempts[i] = (struct attempt){
		.flow_id = 4 * (i + 1), .start_ns = at, .request_ns = at + SEC / 10,
		.end_ns = at + SEC / 5, .client = {{[15] = 1}}, .server = {{[14] = 9, [15] = 1}},
		.client_port = (uint16_t)(40000 + i), .server_port = 443, .ip_version = 4, .proto = 6,
		.end = ATTEMPT_OK, .stage = STAGE_LATER, .bits = ATTEMPT_HANDSHAKE,
		.flow = &w.flows[i], .ja4 = ""};
	return &w.attempts[i];
}

static const struct finding *world_finds(const char *id)
{
	assert_int_equal(study_new(&w.s, &w.a), 0);
	for (size_t i = 0; i < w.a.n_findings; i++)
		if (strcmp(w.a.findings[i]->id, id) == 0)
			return w.a.findings[i];
	return NULL;
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_start, world_end)
