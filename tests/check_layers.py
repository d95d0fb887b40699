#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Includes go one way, bpf <- dataplane <- classifiers <- tools: check_layers.py ROOT

Tests may include all, and nothing includes tests. Headers of third parties stay where the table
says. Before the tree is believed, violations are planted in a copy and each must be found.
"""
import os
import re
import sys
import tempfile

import sources

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

# What may be included where: a pattern of headers, a pattern of files, why.
PLACES = (
    (r"ndpi.*\.h$", r"classifiers/classifier_ndpi\.c$", "nDPI stays behind its classifier"),
    (r"hs(_.*)?\.h$", r"classifiers/lists/matcher_(hyperscan|database)\.c$",
     "Hyperscan stays behind the matcher"),
    (r"(xdp|bpf)/(?!.*\.skel)", r"(bpf/|dataplane/(xsk|source_xdp|xdp_shunt|sink_xdp|sink_live))",
     "libxdp and libbpf stay in the xsk file and its users"),
    (r"rte_.*\.h$", r"dataplane/(dpdk_env|source_dpdk|sink_dpdk)", "DPDK stays in its module"),
    (r"pcap(/.*)?\.h$", r"(dataplane/capture_filter\.c|tools/libraries\.c)$",
     "libpcap compiles filters and nothing else"),
    (r"zstd\.h$", r"(dataplane/capture_(unpack|stream)\.c|tools/libraries\.c)$",
     "captures are unpacked in one place"),
    (r"zlib\.h$", r"(dataplane/capture_(unpack|stream)|classifiers/app/http_body|tools/libraries)\.c$",
     "captures are unpacked in one place, bodies of HTTP in another"),
    (r"sqlite3\.h$", r"tools/(table_sqlite|libraries)\.c$", "SQLite stays with the tables"),
    (r"openssl/", r"(classifiers/(app|lists)/|tools/(community_id|digest|libraries|report_html|privacy/\w+|"
     r"audit/requests)\.c$)",
     "hashes and keys are for parsers of applications and what is played to them, the lists and pseudonyms"),
)

# Within the classifiers: finding that somebody interfered does not depend on who it looks like, but
# for the few relations that are decisive by themselves, and the judge, who reports both.
APART = (
    (r"classifiers/tamper/(?!(judge|sig_device)\.c$)", "classifiers/device/"),
    (r"classifiers/app/", "classifiers/tamper/"),
    (r"classifiers/app/", "classifiers/device/"),
)


def layer(name):
    folder = name.split("/")[0]
    return sources.LAYERS.index(folder) if folder in sources.LAYERS else None


def check_quoted(name, header, root):
    if header in ("config.h", "dataplane/abi.h"):  # made by the build
        return None
    if header.startswith("bpf/") and header.endswith(".skel.h"):
        header = header[:-len(".skel.h")] + ".bpf.c"  # the build makes the one from the other
    if not os.path.exists(os.path.join(root, header)):
        return "is not written from the root"
    mine, other = layer(name), layer(header)
    if other is None and mine is not None:
        return "is no layer"
    if mine is not None and other > mine:
        return f"goes up from {sources.LAYERS[mine]} to {sources.LAYERS[other]}"
    for files, forbidden in APART:
        if re.match(files, name) and header.startswith(forbidden):
            return f"this file knows nothing of {forbidden}"
    return None


def check_angle(name, header):
    for headers, files, why in PLACES:
        if re.match(headers, header) and not re.match(files, name):
            return why
    return None


def violations(root):
    for name in sources.c_files(root):
        for number, text in enumerate(sources.lines(root, name), 1):
            m = INCLUDE.match(text)
            if m is None:
                continue
            why = check_quoted(name, m[2], root) if m[1] == '"' else None
            if m[1] == "<" and not name.startswith("tests/"):
                why = check_angle(name, m[2])
            if why is not None:
                yield f"{name}:{number}: {m[2]}: {why}"


def prove():
    """Every kind of violation, planted, is found."""
    planted = (
        ("dataplane/a.c", '#include "classifiers/b.h"'),
        ("classifiers/b.h", '#include "tools/c.h"'),
        ("tools/c.h", '#include "tests/d.h"'),
        ("tools/c.c", '#  include "c.h"'),
        ("tools/d.c", "#include <ndpi_api.h>"),
        ("classifiers/e.c", "#include <rte_mbuf.h>"),
        ("classifiers/tamper/f.c", '#include "classifiers/device/g.h"'),
    )
    innocent = (("classifiers/device/g.h", '#include "dataplane/ok.h"'), ("dataplane/ok.h", ""),
                ("tests/d.h", '#include "tools/c.h"'),
                ("classifiers/tamper/judge.c", '#include "classifiers/device/g.h"'),
                ("classifiers/classifier_ndpi.c", "#include <ndpi_api.h>"))
    with tempfile.TemporaryDirectory() as root:
        for name, text in planted + innocent:
            os.makedirs(os.path.join(root, os.path.dirname(name)), exist_ok=True)
            with open(os.path.join(root, name), "w", encoding="utf-8") as f:
                f.write(text + "\n")
        found = {v.split(":")[0] for v in violations(root)}
    assert found == {name for name, _ in planted}, f"planted violations: found {sorted(found)}"


def main():
    prove()
    bad = list(violations(sys.argv[1]))
    print("\n".join(bad) if bad else f"{len(sources.c_files(sys.argv[1]))} files, no violation")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
