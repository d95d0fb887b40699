#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""No capture of a benign set may have a finding at likely or above: benign.py WMSCOPE FOLDER"""
import json
import os
import subprocess
import sys


def captures(folder):
    for where, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            if ".pcap" in name or name.endswith(".cap"):
                yield os.path.join(where, name)


def main():
    wmscope, folder = sys.argv[1:3]
    if not os.path.isdir(folder):
        print(f"skipped: {folder} is not there")
        return 77
    bad = n = flows = 0
    verdicts = {}
    for path in captures(folder):
        run = subprocess.run([wmscope, "analyze", "-q", "--no-ndpi", "--jsonl", "-", path],
                             capture_output=True, timeout=300)
        if run.returncode not in (0, 1, 3, 5):
            print(f"{path}: exit {run.returncode}")
            bad += 1
            continue
        n += run.returncode != 3
        for line in run.stdout.splitlines():
            event = json.loads(line)
            flows += event["event_type"] == "flow"
            if event["event_type"] != "finding":
                continue
            f = event["finding"]
            verdicts[f["verdict"]] = verdicts.get(f["verdict"], 0) + 1
            if f["verdict"] in ("likely", "confirmed"):
                bad += 1
                rows = ", ".join(f"{r['kind']} {r['grade']}" for r in f["evidence"])
                print(f"{os.path.basename(path)}: {f['verdict']} {f['id']} {f['score']} "
                      f"{event['src_ip']}:{event['src_port']}>{event['dest_ip']}:"
                      f"{event['dest_port']} frames {f['packets'][:6]}: {rows}")
    print(f"{n} captures, {flows} flows, findings {verdicts}, {bad} accusations")
    return 1 if bad or not flows else 0


if __name__ == "__main__":
    sys.exit(main())
