/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

/* What Zeek would have called a connection; names and rules of its base/protocols/conn/main.zeek. */

#include "classifiers/verdict.h"

#define ZEEK_UID_SIZE 19 /* "C", 17 of base 62, NUL */

/* "SF", "S0", "RSTR", …: from the history, the protocol and who sent anything. */
const char *zeek_conn_state(const struct flow_record *f);
/* "ssl", "dns", …; NULL: none that Zeek has a word for. */
const char *zeek_service(const struct flow_record *f);
/* The same at every run; it does not depend on an address. Returns out. */
const char *zeek_uid(const struct flow_record *f, char out[ZEEK_UID_SIZE]);
