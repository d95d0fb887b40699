/* SPDX-License-Identifier: BSD-3-Clause */
#include "tools/diff/items.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

const char *const change_name[CHANGES] = {"same", "new", "gone", "changed", "untested"};
const char *const item_kind_name[ITEM_KINDS] = {"name", "finding", "box"};

#define INDEX_FIRST 256u

static uint64_t hash(enum item_kind kind, const char *key)
{
	return XXH64(key, strlen(key), (unsigned)kind);
}

static int grow_index(struct items *items)
{
	size_t size = items->index_size == 0 ? INDEX_FIRST : items->index_size * 2;
	uint32_t *index = calloc(size, sizeof(*index));

	if (index == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < items->n; i++) {
		size_t at = hash(items->list[i].kind, items->list[i].key) & (size - 1);
		while (index[at] != 0)
			at = (at + 1) & (size - 1);
		index[at] = (uint32_t)i + 1;
	}
	free(items->index);
	items->index = index;
	items->index_size = size;
	return 0;
}

/* Where it is in the index, or would be. */
static size_t slot_of(const struct items *items, enum item_kind kind, const char *key)
{
	size_t at = hash(kind, key) & (items->index_size - 1);

	while (items->index[at] != 0) {
		const struct item *i = &items->list[items->index[at] - 1];
		if (i->kind == kind && strcmp(i->key, key) == 0)
			break;
		at = (at + 1) & (items->index_size - 1);
	}
	return at;
}

/* The item of the key, made if need be; valid until the next. NULL: out of memory. Takes key. */
static struct item *get(struct items *items, enum item_kind kind, char *key)
{
	if (key == NULL)
		return NULL;
	if (items->n * 2 >= items->index_size && grow_index(items) != 0)
		goto fail;
	size_t at = slot_of(items, kind, key);
	if (items->index[at] != 0) {
		free(key);
		return &items->list[items->index[at] - 1];
	}
	if (items->n == items->room) {
		size_t room = items->room == 0 ? 64 : items->room * 2;
		struct item *list = reallocarray(items->list, room, sizeof(*list));
		if (list == NULL)
			goto fail;
		items->list = list;
		items->room = room;
	}
	struct item *i = &items->list[items->n++];
	*i = (struct item){.kind = kind, .key = key};
	i->sides[SIDE_A].verdict = i->sides[SIDE_B].verdict = -1;
	items->index[at] = (uint32_t)items->n;
	return i;
fail:
	free(key);
	return NULL;
}

static int verdict_of(const struct json_value *object)
{
	const char *text = saved_text(object, "verdict");

	for (int v = 0; v < VERDICT_N; v++)
		if (strcmp(verdict_name[v], text) == 0)
			return v;
	return -1;
}

/* Bytes that are not UTF-8 are compared by their hex. */
static char *trigger_key(const struct json_value *trigger)
{
	const char *hex = saved_text(trigger, "value_hex");
	char *key = NULL;

	if (saved_text(trigger, "value")[0] == '\0' && hex[0] == '\0')
		return NULL;
	if (asprintf(&key, "%s %s%s", saved_text(trigger, "kind"), hex[0] != '\0' ? "0x" : "",
		     hex[0] != '\0' ? hex : saved_text(trigger, "value")) < 0)
		return NULL;
	return key;
}

static int add_name(struct items *items, enum side side, const struct json_value *event)
{
	const struct json_value *t = json_get(event, "trigger");
	char *key = trigger_key(t);

	if (key == NULL)
		return 0;
	struct item *i = get(items, ITEM_NAME, key);
	if (i == NULL)
		return -ENOMEM;
	struct item_side *s = &i->sides[side];
	s->there = true;
	s->failed += (unsigned)saved_number(t, "failed");
	s->passed += (unsigned)saved_number(t, "passed");
	s->n = s->failed + s->passed;
	s->filtered |= saved_true(t, "filtered");
	return 0;
}

/* Keeps the list of ids sorted; what has no room is told by dots. */
static void add_id(struct item_side *s, const char *id)
{
	char all[sizeof(s->ids) * 2], *list[32], *save = NULL;
	size_t n = 0, at = 0;

	snprintf(all, sizeof(all), "%s %s", s->ids, id);
	for (char *w = strtok_r(all, " ", &save); w != NULL && n < 32; w = strtok_r(NULL, " ", &save)) {
		size_t k = n;
		bool known = false;
		for (size_t j = 0; j < n; j++)
			known |= strcmp(list[j], w) == 0;
		if (known)
			continue;
		for (; k > 0 && strcmp(list[k - 1], w) > 0; k--)
			list[k] = list[k - 1];
		list[k] = w;
		n++;
	}
	s->ids[0] = '\0';
	for (size_t k = 0; k < n && at < sizeof(s->ids); k++)
		at += (size_t)snprintf(s->ids + at, sizeof(s->ids) - at, "%s%s", k > 0 ? " " : "",
				       list[k]);
}

static int add_finding(struct items *items, enum side side, const struct json_value *event)
{
	const struct json_value *f = json_get(event, "finding");
	char *trigger = trigger_key(json_get(f, "trigger")), *key = NULL;
	char where[128];

	snprintf(where, sizeof(where), "%s port %.0f", saved_text(event, "dest_ip"),
		 saved_number(event, "dest_port"));
	/* A conclusion over several flows has no port of its own. */
	int made = asprintf(&key, "%s %s%s %s%s", saved_text(f, "family"), saved_text(event, "proto"),
			    json_get(f, "scope") != NULL ? " (over several connections)" : "",
			    trigger != NULL ? "of " : "at ", trigger != NULL ? trigger : where);
	struct item *i = get(items, ITEM_FINDING, made < 0 ? NULL : key);
	if (i == NULL) {
		free(trigger);
		return -ENOMEM;
	}
	if (i->trigger == NULL)
		i->trigger = trigger;
	else
		free(trigger);
	struct item_side *s = &i->sides[side];
	s->there = true;
	s->n++;
	int verdict = verdict_of(f);
	if (verdict > s->verdict)
		s->verdict = verdict;
	add_id(s, saved_text(f, "id"));
	return 0;
}

static void free_lines(struct box_line *l)
{
	while (l != NULL) {
		struct box_line *next = l->next;
		free(l);
		l = next;
	}
}

static int keep_lines(struct box_line **out, const struct json_value *lines)
{
	struct box_line **end = out;

	free_lines(*out);
	*out = NULL;
	for (const struct json_value *v = lines != NULL ? lines->first : NULL; v != NULL; v = v->next) {
		size_t len = v->key != NULL ? strlen(v->key) : 0;
		struct box_line *l = calloc(1, sizeof(*l) + len + 1);
		if (l == NULL)
			return -ENOMEM;
		memcpy(l->name, v->key != NULL ? v->key : "", len);
		snprintf(l->said, sizeof(l->said), "%s", saved_text(v, "said"));
		*end = l;
		end = &l->next;
	}
	return 0;
}

static int add_box(struct items *items, enum side side, const struct json_value *event)
{
	const struct json_value *p = json_get(event, "profile");
	const char *mbx = saved_text(p, "mbx"), *device = saved_text(p, "device");
	char *key = NULL;

	int made = asprintf(&key, "%s%s%s %s", mbx[0] != '\0' ? mbx : "that stamps nothing",
			    device[0] != '\0' ? " " : "", device, saved_text(p, "mode"));
	struct item *i = get(items, ITEM_BOX, made < 0 ? NULL : key);
	if (i == NULL)
		return -ENOMEM;
	struct item_side *s = &i->sides[side];
	s->there = true;
	s->n += (unsigned)saved_number(p, "findings");
	int verdict = verdict_of(p);
	if (verdict > s->verdict)
		s->verdict = verdict;
	/* The one seen most of those that stamp alike and act from one kind of place. */
	unsigned findings = (unsigned)saved_number(p, "findings");
	if (s->box != NULL && findings <= s->box_findings)
		return 0;
	s->box_findings = findings;
	return keep_lines(&s->box, json_get(p, "lines"));
}

int items_add(struct items *items, enum side side, const struct json_value *event)
{
	const char *type = saved_text(event, "event_type");

	if (strcmp(type, "trigger") == 0)
		return add_name(items, side, event);
	if (strcmp(type, "finding") == 0)
		return add_finding(items, side, event);
	if (strcmp(type, "profile") == 0)
		return add_box(items, side, event);
	if (strcmp(type, "run") == 0) {
		const char *least = saved_text(json_get(event, "run"), "min_verdict");
		items->findings_left_out[side] = strcmp(least, "inconclusive") != 0;
	}
	return 0;
}

/* Comparison */

static void note(struct item *i, const char *what, const char *a, const char *b)
{
	size_t at = strlen(i->why);

	snprintf(i->why + at, sizeof(i->why) - at, "%s%s: %s, then %s", at > 0 ? "; " : "", what, a, b);
}

static enum change presence(bool a, bool b)
{
	return a && b ? CHANGE_SAME : b ? CHANGE_NEW : CHANGE_GONE;
}

/* At most as many failures as a control may have. */
static bool passes(const struct item_side *s)
{
	return s->passed > 0 && s->failed * 5 <= s->n;
}

/* That a name is no longer called filtered says nothing where its tries failed, or were too few. */
static void compare_name(struct item *i)
{
	const struct item_side *a = &i->sides[SIDE_A], *b = &i->sides[SIDE_B];

	if (a->filtered == b->filtered)
		i->change = CHANGE_SAME;
	else if (passes(a->filtered ? b : a))
		i->change = presence(a->filtered, b->filtered);
	else
		i->change = CHANGE_UNTESTED;
}

/* Did the other side try what set this off? Without a name nobody can say. */
static bool tried(const struct items *items, const struct item *i, enum side side)
{
	if (i->trigger == NULL || items->index_size == 0)
		return true;
	size_t at = slot_of(items, ITEM_NAME, i->trigger);
	return items->index[at] != 0 && items->list[items->index[at] - 1].sides[side].there;
}

static const char *verdict_words(int verdict)
{
	return verdict < 0 ? "none" : verdict_name[verdict];
}

static void compare_finding(const struct items *items, struct item *i)
{
	const struct item_side *a = &i->sides[SIDE_A], *b = &i->sides[SIDE_B];

	i->change = presence(a->there, b->there);
	if (i->change == CHANGE_SAME) {
		if (a->verdict != b->verdict)
			note(i, "verdict", verdict_words(a->verdict), verdict_words(b->verdict));
		if (strcmp(a->ids, b->ids) != 0)
			note(i, "as", a->ids, b->ids);
		if (i->why[0] != '\0')
			i->change = CHANGE_CHANGED;
	} else if (!tried(items, i, a->there ? SIDE_B : SIDE_A)) {
		i->change = CHANGE_UNTESTED;
	}
}

static bool testable(const struct box_line *l)
{
	return l != NULL && l->said[0] != '\0' && strcmp(l->said, "not testable") != 0;
}

/* What one capture could not test says nothing of a change. */
static void compare_lines(struct item *i, const struct box_line *a, const struct box_line *all_b)
{
	for (; a != NULL; a = a->next) {
		const struct box_line *b = all_b;
		while (b != NULL && strcmp(a->name, b->name) != 0)
			b = b->next;
		if (testable(a) && testable(b) && strcmp(a->said, b->said) != 0)
			note(i, a->name, a->said, b->said);
	}
}

static void compare_box(struct item *i)
{
	const struct item_side *a = &i->sides[SIDE_A], *b = &i->sides[SIDE_B];

	i->change = presence(a->there, b->there);
	if (i->change != CHANGE_SAME)
		return;
	if (a->verdict != b->verdict)
		note(i, "verdict", verdict_words(a->verdict), verdict_words(b->verdict));
	compare_lines(i, a->box, b->box);
	if (i->why[0] != '\0')
		i->change = CHANGE_CHANGED;
}

static int by_key(const void *x, const void *y)
{
	const struct item *a = x, *b = y;

	return a->kind != b->kind ? (a->kind > b->kind) - (a->kind < b->kind)
				  : strcmp(a->key, b->key);
}

void items_compare(struct items *items)
{
	for (size_t k = 0; k < items->n; k++) {
		struct item *i = &items->list[k];
		switch (i->kind) {
		case ITEM_NAME:
			compare_name(i);
			break;
		case ITEM_FINDING:
			compare_finding(items, i);
			break;
		default:
			compare_box(i);
		}
	}
	if (items->n > 1)
		qsort(items->list, items->n, sizeof(*items->list), by_key);
	/* The places in it are no longer true. */
	free(items->index);
	items->index = NULL;
	items->index_size = 0;
}

void items_free(struct items *items)
{
	for (size_t k = 0; k < items->n; k++) {
		free(items->list[k].key);
		free(items->list[k].trigger);
		free_lines(items->list[k].sides[SIDE_A].box);
		free_lines(items->list[k].sides[SIDE_B].box);
	}
	free(items->list);
	free(items->index);
	memset(items, 0, sizeof(*items));
}
