/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Boxes whose published traits fit dozens of honest resets of any large capture: named in the list,
 * so that a reader knows that they were thought of, and never attributed.
 */

#include "classifiers/device/device.h"

#define SHOWN(name, text, where)                                                             \
	{                                                                                    \
		.id = name, .doc = text, .source = where, .grade = ATTRIBUTION_A1,            \
	}

const struct device dev_shown[] = {
	SHOWN("myanmar", "one RST+ACK with DF set", "Ablove et al., USENIX Security 2026"),
	SHOWN("ru-passive", "redirects and resets with IP-ID 0 or 1, ahead of the genuine answer",
	      "GoodbyeDPI, passive DPI"),
	SHOWN("brunei", "RST with the IP-ID of the packet that drew it", "Nourin et al., FOCI 2023"),
	SHOWN("saudi-page", "PSH+ACK of 97 bytes, then two of 1354", "Bock et al., 2021"),
	SHOWN("kazakhstan", "drops only", "Ablove et al., USENIX Security 2026"),
	SHOWN("redirect-8183", "302 to port 8183 with IP-ID 0 and window 123, later FIN+ACK and RST",
	      "CenTrace test data, 62.28.164.41"),
	SHOWN("fin-page-rst", "FIN+ACK with a page, then RST; consecutive IP-IDs, no DF",
	      "CenTrace test data, 103.93.208.20"),
	SHOWN("rst-per-packet", "bare RST to every client packet, IP-ID rising by 256",
	      "CenTrace test data, 116.223.148.197"),
	{.id = NULL},
};
