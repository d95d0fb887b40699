/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* Tries in a line each, as the study takes them. Included after study.c and cmocka. */

#define S 1000000000ull
#define TRIES_MAX 64

/* One try, in a line. Times in seconds. */
struct try {
	double at;
	const char *name;       /* NULL: it never came so far */
	enum attempt_end end;
	unsigned server;        /* 198.51.100.N, or N >> 8 for its second byte */
	const char *found;      /* what was found of it; NULL nothing */
	enum grade grade;       /* best row of that */
	enum verdict verdict;
	unsigned bits, capture, port, source;
	const char *ja4;
	enum trigger_kind kind; /* 0: SNI */
	const char *mbx;
	unsigned first_len;     /* payload of the request's first segment; 0: not known */
	double took;            /* until its end; 0: 20 ms */
	const struct tls_server *cert;
	unsigned ttl;
	unsigned client;        /* 192.0.2.N; 0: 10 */
};

struct world {
	struct analysis a;
	struct capture_result captures[3];
	struct attempt attempts[TRIES_MAX];
	struct flow_record flows[TRIES_MAX];
	struct finding findings[TRIES_MAX];
	struct evidence_row rows[TRIES_MAX];
	struct injector injectors[TRIES_MAX];
	struct ladder_packet ladder[TRIES_MAX];
	struct study *s;
};

static enum family family_of(const struct try *t)
{
	return t->end == ATTEMPT_RESET	? FAMILY_TCP_INJECTION
	       : t->end == ATTEMPT_PAGE ? FAMILY_HTTP_INJECTION
					: FAMILY_SILENT_DROP;
}

static void add(struct world *w, const struct try *t, unsigned i)
{
	struct attempt *a = &w->attempts[i];
	struct flow_record *f = &w->flows[i];
	uint64_t at = 1000 * S + (uint64_t)(t->at * 1e9);
	f->id = 4 * (i + 1);
	f->capture = t->capture;
	f->first_ns = at;
	f->first_frame = i + 1;
	*a = (struct attempt){
		.flow_id = f->id, .start_ns = at, .capture = (uint16_t)t->capture,
		.request_ns = t->name != NULL ? at + S / 100 : 0,
		.end_ns = at + (t->took != 0 ? (uint64_t)(t->took * 1e9) : S / 50),
		.client = {{[12] = 192, 0, 2, (uint8_t)(t->client != 0 ? t->client : 10)}},
		.server = {{[12] = 198, (uint8_t)(51 + (t->server >> 8)), 100, (uint8_t)t->server}},
		.client_port = (uint16_t)(t->source != 0 ? t->source : 40000 + i),
		.server_port = (uint16_t)(t->port != 0 ? t->port : 443),
		.ip_version = 4, .proto = 6, .flow = f, .end = (uint8_t)t->end,
		.stage = t->name != NULL ? STAGE_POST_PSH : STAGE_POST_SYN,
		.bits = (uint8_t)(t->bits | ATTEMPT_HANDSHAKE), .ja4 = t->ja4 != NULL ? t->ja4 : "",
		.first_len = (uint16_t)t->first_len, .tls_server = t->cert, .ttl = (uint8_t)t->ttl,
		.name = t->name != NULL && t->name[0] != '\0' ? t->name : NULL,
	};
	a->trigger = t->name == NULL || t->name[0] == '\0' ? TRIGGER_NONE
		     : t->kind != 0				? t->kind
							: TRIGGER_SNI;
	f->client = a->client;
	f->server = a->server;
	if (t->found == NULL)
		return;
	w->rows[i] = (struct evidence_row){.kind = t->found, .grade = t->grade, .counted = true,
					.value = "", .expected = ""};
	w->injectors[i] = (struct injector){.mbx = t->mbx};
	w->ladder[i] = (struct ladder_packet){.forged = true, .dir = DIR_S2C, .ttl = 60};
	w->findings[i] = (struct finding){
		.id = t->found, .family = family_of(t), .verdict = t->verdict, .flow = f,
		.ts_ns = a->end_ns, .rows = &w->rows[i], .n_rows = 1, .conditional = "untested",
		.trigger = a->trigger, .reaction_ms = 10, .direction = DIR_S2C,
		.injectors = &w->injectors[i], .n_injectors = t->mbx != NULL,
		.ladder = &w->ladder[i], .n_ladder = t->end == ATTEMPT_RESET,
		.sentence = "", .trigger_value = t->name != NULL ? t->name : ""};
	a->finding = &w->findings[i];
	w->a.findings[w->a.n_findings++] = a->finding;
}

static void world_of(struct world *w, const struct try *list)
{
	memset(w, 0, sizeof(*w));
	w->a.captures = w->captures;
	w->a.n_captures = 3;
	w->a.attempts = w->attempts;
	w->a.findings = malloc(TRIES_MAX * sizeof(struct finding *));
	assert_non_null(w->a.findings);
	for (unsigned i = 0; list[i].at != 0; i++) {
		assert_in_range(i, 0, TRIES_MAX - 1);
		add(w, &list[i], i);
		w->a.n_attempts++;
	}
	for (unsigned c = 0; c < 3; c++) {
		w->captures[c].vantage = VANTAGE_CLIENT;
		w->captures[c].stats.last_ns = 10000 * S;
	}
	assert_int_equal(study_new(&w->s, &w->a), 0);
}

static void world_end(struct world *w)
{
	study_free(w->s);
	free(w->a.findings);
}

/* The finding over several flows with this id; NULL none. */
static const struct finding *wide(const struct world *w, const char *id)
{
	for (size_t i = 0; i < w->a.n_findings; i++)
		if (w->a.findings[i]->scope != SCOPE_FLOW && strcmp(w->a.findings[i]->id, id) == 0)
			return w->a.findings[i];
	return NULL;
}

static const struct study_name *name(const struct world *w, const char *n)
{
	for (size_t i = 0; i < w->s->n_names; i++)
		if (strcmp(w->s->names[i].name, n) == 0)
			return &w->s->names[i];
	fail_msg("no row for %s", n);
	return NULL;
}

#define OK(t, n) {.at = t, .name = n, .end = ATTEMPT_OK, .server = 1}
#define RST(t, n) {.at = t, .name = n, .end = ATTEMPT_RESET, .server = 1, .found = "rst-sub-rtt", \
		   .grade = GRADE_D3, .verdict = VERDICT_LIKELY, .mbx = "mbx1_004x1_64_0_1_0_0_a0_0"}
#define WEAK(t, n) {.at = t, .name = n, .end = ATTEMPT_RESET, .server = 1, \
		    .found = "reset-after-request", .grade = GRADE_D2, .verdict = VERDICT_ANOMALY}
#define DROP(t, n) {.at = t, .name = n, .end = ATTEMPT_SILENT, .server = 1, .took = 5, \
		    .found = "request-dropped", .grade = GRADE_D2, .verdict = VERDICT_ANOMALY}
#define LARGE_DROP(t, n, len) {.at = t, .name = n, .end = ATTEMPT_SILENT, .server = 1, .took = 5, \
			       .first_len = len, .found = "request-dropped", .grade = GRADE_D2, \
			       .verdict = VERDICT_ANOMALY}
#define LARGE_OK(t, n, len) {.at = t, .name = n, .end = ATTEMPT_OK, .server = 1, .first_len = len}
#define DEAD(t) {.at = t, .end = ATTEMPT_SILENT, .server = 1}
