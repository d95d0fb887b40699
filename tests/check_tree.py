#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The tree has the shape it is meant to have: check_tree.py ROOT

Only the known entries at the top; a licence line first in every source; no path of the machine that
somebody worked on.
"""
import re
import sys

import sources

TOP = {"dataplane", "classifiers", "bpf", "tools", "pcaps", "tests", "meson.build",
       "meson_options.txt", "README.md", "LICENSE"}
SPDX = "SPDX-License-Identifier: BSD-3-Clause"
# The kernel lends some of its functions to programs under the GPL only.
SPDX_BPF = "SPDX-License-Identifier: (BSD-3-Clause OR GPL-2.0-only)"
SOURCE = (".c", ".h", ".py", ".sh", "meson.build")
BINARY = re.compile(r"\.(pcap|pcapng|cap)(\.gz|\.zst)?$|^tests/fuzz/corpus/")
# Written so that this file does not name what it looks for.
MACHINE = re.compile("|".join((r"(?<![\w.])/" + "work/", r"/" + "home/", "py" + "env",
                               r"(?<![\w.])/" + "root/", "/tmp/" + "bash_jobs")))


def licence(root, name):
    first = sources.lines(root, name)[:2]
    line = first[1] if first[0].startswith("#!") and len(first) > 1 else first[0]
    return SPDX in line or (name.startswith("bpf/") and SPDX_BPF in line)


def main():
    root = sys.argv[1]
    bad = []
    for name in sources.tracked(root):
        top = name.split("/")[0]
        if top not in TOP and not top.startswith("."):
            bad.append(f"{name}: nothing else belongs at the top")
        if BINARY.search(name):
            continue
        text = "\n".join(sources.lines(root, name))
        if (name.endswith(SOURCE) or text.startswith("#!")) and not licence(root, name):
            bad.append(f"{name}: no {SPDX} first")
        bad += [f"{name}: {m[0]} is a path of one machine" for m in MACHINE.finditer(text)]
    print("\n".join(bad) if bad else "the tree is as it should be")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
