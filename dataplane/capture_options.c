/* SPDX-License-Identifier: BSD-3-Clause */

/* pcapng options: draft-ietf-opsawg-pcapng, sections 3.5 and 4.2 to 4.6. */

#include "dataplane/capture.h"

#define NS_PER_S UINT64_C(1000000000)

enum {
	OPT_END = 0,
	OPT_COMMENT = 1,
	IF_NAME = 2,
	IF_TSRESOL = 9,
	IF_TSOFFSET = 14,
	ISB_IFDROP = 5,
	ISB_OSDROP = 7,
};

struct option_view {
	uint16_t code, len;
	const uint8_t *value;
};

static bool option_next(struct cursor *body, bool be, struct option_view *o)
{
	const uint8_t *p = cursor_bytes(body, 4);
	if (p == NULL)
		return false;
	o->code = get16(p, be);
	o->len = get16(p + 2, be);
	if (o->code == OPT_END)
		return false;
	o->value = cursor_bytes(body, o->len);
	/* Padding of the last option may be missing: its value counts all the same. */
	if (o->value != NULL)
		cursor_skip(body, -o->len & 3);
	return o->value != NULL;
}

static uint64_t power_of_ten(unsigned n)
{
	uint64_t v = 1;
	if (n > 19)
		return 0;
	while (n-- != 0)
		v *= 10;
	return v;
}

/* if_tsresol: a negative power of ten, or of two when the top bit is set; 10^-6 without it. */
static void set_resolution(struct ng_iface *ifc, uint8_t resol)
{
	unsigned n = resol & 0x7f;
	bool two = (resol & 0x80) != 0;
	ifc->shift = two ? (uint8_t)n : 0;
	ifc->mul = two ? NS_PER_S : n <= 9 ? power_of_ten(9 - n) : 1;
	ifc->div = two || n <= 9 ? 1 : power_of_ten(n - 9);
}

uint64_t ng_time_ns(const struct ng_iface *ifc, uint64_t units)
{
	__extension__ typedef __int128 wide;
	__extension__ typedef unsigned __int128 uwide;
	/* At most 2^64 * 10^9, so the sum below fits as well. */
	uwide ns = ifc->div == 0 ? 0 : (((uwide)units * ifc->mul) >> ifc->shift) / ifc->div;
	wide t = (wide)ns + (wide)ifc->offset_s * (wide)NS_PER_S;
	if (t < 0)
		return 0;
	return t > INT64_MAX ? INT64_MAX : (uint64_t)t;
}

void ng_iface_options(struct capture *c, struct ng_iface *ifc, struct cursor *body)
{
	const bool be = c->ng.be;
	struct source_iface *shown = &c->common->ifaces[ifc->slot];
	struct option_view o;
	set_resolution(ifc, 6);
	while (option_next(body, be, &o)) {
		if (o.code == IF_NAME) {
			size_t len = o.len < sizeof(shown->name) ? o.len : sizeof(shown->name) - 1;
			memcpy(shown->name, o.value, len);
			shown->name[len] = 0;
		} else if (o.code == IF_TSRESOL && o.len == 1) {
			set_resolution(ifc, o.value[0]);
		} else if (o.code == IF_TSOFFSET && o.len == 8) {
			ifc->offset_s = (int64_t)get64(o.value, be);
		}
	}
	if (ifc->shift == 0 && ifc->div == 1 && ifc->offset_s == 0)
		ifc->fast_end = INT64_MAX / ifc->mul;
}

/* Counters since the capture's start: the last statistics block of an interface holds. */
void ng_statistics_options(struct capture *c, const struct ng_iface *ifc, struct cursor *body)
{
	const bool be = c->ng.be;
	uint64_t dropped = 0;
	bool known = false;
	struct option_view o;
	while (option_next(body, be, &o)) {
		if ((o.code != ISB_IFDROP && o.code != ISB_OSDROP) || o.len != 8)
			continue;
		uint64_t n = get64(o.value, be);
		/* UINT64_MAX is how source_iface says unknown. */
		dropped = n < UINT64_MAX - 1 - dropped ? dropped + n : UINT64_MAX - 1;
		known = true;
	}
	if (known)
		c->common->ifaces[ifc->slot].dropped = dropped;
}

void ng_packet_options(struct capture *c, struct cursor *body)
{
	struct option_view o;
	while (option_next(body, c->ng.be, &o))
		if (o.code == OPT_COMMENT)
			capture_add_comment(c, o.value, o.len);
}
