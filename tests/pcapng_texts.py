#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every pcapng of a folder is read as the text beside it says.

FOLDER holds NAME.pcapng and NAME.txt at any depth, as pcapng-test-generator writes them; a text
lists how many blocks of each kind there are. Packets (EPB, SPB, PB) and interfaces (IDB) in the run
event of `wmscope analyze --jsonl -` must agree with it, and nothing may count as damaged. Exits 77
where the folder is absent.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys

COUNT = re.compile(r"^\s+([A-Z]+):\s*(\d+)\s*$", re.MULTILINE)
SKIP = 77


def expected(text):
    blocks = {kind: int(n) for kind, n in COUNT.findall(text)}
    if "SHB" not in blocks:
        raise ValueError("no block counts in the text")
    return sum(blocks.get(kind, 0) for kind in ("EPB", "SPB", "PB")), blocks.get("IDB", 0)


def analyse(wmscope, capture):
    """(packets, interfaces, complaint) as wmscope reports them."""
    done = subprocess.run([wmscope, "analyze", "--jsonl", "-", str(capture)],
                          capture_output=True, text=True, timeout=60)
    if done.returncode not in (0, 1):
        return None, None, f"exit {done.returncode}: {done.stderr.strip()}"
    for line in done.stdout.splitlines():
        event = json.loads(line)
        if event["event_type"] == "run":
            read = event["run"]["captures"][0]
            return read["packets"], len(read["interfaces"]), None
    return None, None, "no run event"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wmscope")
    parser.add_argument("folder", type=pathlib.Path)
    args = parser.parse_args()
    captures = sorted(args.folder.rglob("*.pcapng")) if args.folder.is_dir() else []
    if not captures:
        print(f"skipped: no pcapng captures in {args.folder}")
        return SKIP
    wrong = 0
    for capture in captures:
        packets, interfaces = expected(capture.with_suffix(".txt").read_text())
        got_packets, got_interfaces, complaint = analyse(args.wmscope, capture)
        if complaint is None and (got_packets, got_interfaces) != (packets, interfaces):
            complaint = (f"{got_packets} packets and {got_interfaces} interfaces, "
                         f"{packets} and {interfaces} by its text")
        if complaint is not None:
            wrong += 1
            print(f"{capture}: {complaint}")
    print(f"{len(captures)} captures, {wrong} wrong")
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
