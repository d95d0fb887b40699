/* SPDX-License-Identifier: BSD-3-Clause */

/* Which layout bytes were written in. */

#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "tools/testimony/wire.h"

/* All that decides what bytes mean; where members lie does not. */
static uint64_t layout(const struct wire_shape *s, uint64_t hash)
{
	hash = XXH3_64bits_withSeed(s->name, strlen(s->name), hash);
	for (unsigned i = 0; i < s->n_fields; i++) {
		const struct wire_field *f = &s->fields[i];
		bool number = f->kind == WIRE_UINT || f->kind == WIRE_UINTS;
		const uint64_t what[] = {f->kind, f->n, f->required, f->least, f->most,
					 number ? f->size : 0};
		uint8_t le[sizeof(what)];
		if (f->kind == WIRE_LEFT_OUT)
			continue;
		for (size_t k = 0; k < sizeof(le); k++)
			le[k] = (uint8_t)(what[k / 8] >> 8 * (k % 8));
		hash = XXH3_64bits_withSeed(f->name, strlen(f->name), hash);
		hash = XXH3_64bits_withSeed(le, sizeof(le), hash);
		if (f->shape != NULL)
			hash = layout(f->shape, hash);
	}
	return hash;
}

uint64_t wire_layout(const struct wire_shape *shape)
{
	return layout(shape, shape->flex);
}
