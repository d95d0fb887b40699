/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/*
 * Structs as bytes and back. What a struct holds is said once, in a table of its fields, which both
 * directions walk, so that neither can know a field that the other forgot.
 *
 * Numbers are LEB128, seven bits a byte and the lowest first (negative ones folded, -1 as 1);
 * reals are IEEE 754 binary64, little-endian; fixed text and bytes are their length without the
 * zeros behind them, and that many bytes. A pointer or string is 0 (NULL), 1 and what it points
 * to, or 2 and more: the number, counted from 2, of something that came before. So what was shared
 * is shared again, and a reader's memory is at most a constant times the bytes it was given.
 *
 * The bytes may be anybody's. A reader, and a writer for its sake, checks every number against its
 * field's bounds and every reference against what it refers to, and stops at the first that does
 * not fit.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classifiers/arena.h"

struct ruleset; /* classifiers/lists/rules.h */

enum wire_kind {
	WIRE_UINT,     /* .n unsigned integers, enums or bools of .size bytes, least to most */
	WIRE_SINT,     /* an int */
	WIRE_REAL,     /* .n doubles, finite */
	WIRE_TEXT,     /* .n char arrays of .size bytes, each up to its NUL */
	WIRE_SENT,     /* a char array of bytes as sent, NULs among them, zeros behind them */
	WIRE_BYTES,    /* .size bytes */
	WIRE_STRING,   /* const char * */
	WIRE_STRUCT,   /* .n structs in place */
	WIRE_POINTER,  /* to a struct */
	WIRE_RULE,     /* .n const struct rule *, each its number in the rule set + 1 */
	/* Pointers to as many as the count says, which comes before them in the table: */
	WIRE_UINTS,    /* unsigned integers of .size bytes */
	WIRE_STRINGS,
	WIRE_STRUCTS,  /* NULL where there are none */
	WIRE_POINTERS, /* to structs, none of them NULL */
	WIRE_LEFT_OUT, /* of this process only: zero in what is read */
};

struct wire_shape;

struct wire_field {
	const char *name;
	enum wire_kind kind;
	bool required;         /* a pointer or string that is never NULL */
	uint32_t at, size, n;
	uint32_t room, align;  /* of the member as a whole: tests look for members without a row */
	uint64_t least, most;  /* most 0: whatever fits; of a string the bytes before its NUL */
	uint32_t count_at, count_size;
	const struct wire_shape *shape;
};

/* Shapes refer to each other without a circle. */
struct wire_shape {
	const char *name;
	size_t size;
	const struct wire_field *fields;
	unsigned n_fields;
	/* A flexible array member of unsigned integers: their size (0: none), it, their count. */
	uint32_t flex, flex_at, flex_count_at;
};

#define WIRE_BLOCK 65536u
#define WIRE_STRING_MAX (1u << 20) /* bytes of a string: a command line's argument may be long */

/* Takes n bytes, or gives at most WIRE_BLOCK: *n 0 at the end. 0 or -errno. */
typedef int (*wire_turn_fn)(void *user, uint8_t *block, size_t *n);

/* Zeroed, then the fields up to rules are set; one direction for each. */
struct wire {
	bool reading;
	wire_turn_fn turn;
	void *user;
	struct arena *arena;         /* reading: where all that is read will be */
	uint64_t left;               /* reading: more bytes than that will not come */
	const struct ruleset *rules; /* NULL: rules are left out, and read as none */
	/* private from here on */
	int err;
	const char *why, *shape, *field;
	uint64_t at;
	size_t pos, n;
	struct wire_known *known;
	uint32_t *slots;
	size_t n_known, room_known, room_slots;
	uint8_t block[WIRE_BLOCK];
};

/* One struct, all that it points to included. After an error nothing is moved any more. */
void wire_walk(struct wire *w, const struct wire_shape *shape, void *of);
/* Writing: what is still in the block is given away. 0, or the first -errno, and wire_why(). */
int wire_end(struct wire *w);
/* "offset 12: capture.flows: a number out of range". */
void wire_why(const struct wire *w, char *why, size_t len);
void wire_free(struct wire *w); /* what it points to, but for the arena */
/* The table's own hash, with all shapes that it leads to: bytes of another one are not readable. */
uint64_t wire_layout(const struct wire_shape *shape);

/* Rows. */
#define WIRE_MEMBER(T, f) (((T *)0)->f)
#define WIRE_ROW(T, f, kind_)                                                                      \
	.name = #f, .kind = (kind_), .at = offsetof(T, f), .room = sizeof(WIRE_MEMBER(T, f)),      \
	.align = _Alignof(__typeof__(WIRE_MEMBER(T, f)))
#define WIRE_COUNT(T, c) .count_at = offsetof(T, c), .count_size = sizeof(WIRE_MEMBER(T, c))

#define U(T, f, ...)                                                                               \
	{WIRE_ROW(T, f, WIRE_UINT), .size = sizeof(WIRE_MEMBER(T, f)), .n = 1, __VA_ARGS__}
#define FLAG(T, f) U(T, f, .most = 1)
/* An enum, or a number that is below this. */
#define BELOW(T, f, n_) U(T, f, .most = (n_) - 1)
#define US(T, f, ...)                                                                              \
	{WIRE_ROW(T, f, WIRE_UINT), .size = sizeof(WIRE_MEMBER(T, f)[0]),                          \
	 .n = sizeof(WIRE_MEMBER(T, f)) / sizeof(WIRE_MEMBER(T, f)[0]), __VA_ARGS__}
#define S(T, f) {WIRE_ROW(T, f, WIRE_SINT), .size = sizeof(WIRE_MEMBER(T, f)), .n = 1}
#define REAL(T, f) {WIRE_ROW(T, f, WIRE_REAL), .size = sizeof(double), .n = 1}
/* A char array, or a string that is never NULL: by the member's type. */
#define WIRE_IS_STRING(T, f)                                                                       \
	__builtin_types_compatible_p(__typeof__(WIRE_MEMBER(T, f)), const char *)
#define TEXT(T, f)                                                                                 \
	{WIRE_ROW(T, f, WIRE_IS_STRING(T, f) ? WIRE_STRING : WIRE_TEXT),                           \
	 .size = sizeof(WIRE_MEMBER(T, f)), .n = 1, .required = WIRE_IS_STRING(T, f)}
#define TEXTS(T, f)                                                                                \
	{WIRE_ROW(T, f, WIRE_TEXT), .size = sizeof(WIRE_MEMBER(T, f)[0]),                          \
	 .n = sizeof(WIRE_MEMBER(T, f)) / sizeof(WIRE_MEMBER(T, f)[0])}
#define SENT(T, f) {WIRE_ROW(T, f, WIRE_SENT), .size = sizeof(WIRE_MEMBER(T, f)), .n = 1}
#define BYTES(T, f) {WIRE_ROW(T, f, WIRE_BYTES), .size = sizeof(WIRE_MEMBER(T, f)), .n = 1}
/* Refuses to compile for a member that is no string. */
#define STRING(T, f, ...)                                                                          \
	{WIRE_ROW(T, f, WIRE_STRING), .n = sizeof(char[WIRE_IS_STRING(T, f) ? 1 : -1]), __VA_ARGS__}
#define STRUCT(T, f, s)                                                                            \
	{WIRE_ROW(T, f, WIRE_STRUCT), .size = sizeof(WIRE_MEMBER(T, f)), .n = 1, .shape = (s)}
#define STRUCT_ARRAY(T, f, s)                                                                      \
	{WIRE_ROW(T, f, WIRE_STRUCT), .size = sizeof(WIRE_MEMBER(T, f)[0]),                        \
	 .n = sizeof(WIRE_MEMBER(T, f)) / sizeof(WIRE_MEMBER(T, f)[0]), .shape = (s)}
#define POINTER(T, f, s, ...) {WIRE_ROW(T, f, WIRE_POINTER), .n = 1, .shape = (s), __VA_ARGS__}
#define RULE(T, f) {WIRE_ROW(T, f, WIRE_RULE), .n = 1}
#define RULES(T, f) {WIRE_ROW(T, f, WIRE_RULE), .n = sizeof(WIRE_MEMBER(T, f)) / sizeof(void *)}
#define UINTS(T, f, c)                                                                             \
	{WIRE_ROW(T, f, WIRE_UINTS), .size = sizeof(*WIRE_MEMBER(T, f)), WIRE_COUNT(T, c)}
#define STRINGS(T, f, c) {WIRE_ROW(T, f, WIRE_STRINGS), WIRE_COUNT(T, c)}
#define STRUCTS(T, f, c, s) {WIRE_ROW(T, f, WIRE_STRUCTS), WIRE_COUNT(T, c), .shape = (s)}
#define POINTERS(T, f, c, s) {WIRE_ROW(T, f, WIRE_POINTERS), WIRE_COUNT(T, c), .shape = (s)}
#define LEFT_OUT(T, f) {WIRE_ROW(T, f, WIRE_LEFT_OUT)}
#define SHAPE(T, rows)                                                                             \
	.name = #T, .size = sizeof(struct T), .fields = (rows),                                    \
	.n_fields = sizeof(rows) / sizeof((rows)[0])
