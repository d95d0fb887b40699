#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Holds rates against lab traces: policing.py WMSCOPE FOLDER [MANIFEST]

With a MANIFEST, this project's own: rows whose trigger is rate=BIT/S, of whole frames, 0 where nothing held the
connection, or that expect throttling to a rate that their note says. Every rate that is found must be within RATE
of it, and one must be found at either end.
Else:
FOLDER/LABELS.tsv says what stood in the path (rate= and burst= of its trigger column). VERDICT below is what
the published detector (Flach et al., SIGCOMM 2016), run apart from this project, says of each trace: `rate-policed`
must say the same, and its rate must be the same to a thousandth. Everything else that is found is a
measurement: never above `inconclusive`, never on a trace without a policer or shaper, and within RATE of the
rate that the box was set to (link bytes: payload is 4.4 % less). With --no-throttling there is none of it.
Exit 77: no folder.
"""
import csv
import json
import os
import re
import subprocess
import sys

# The detector's rate in bit/s; traces that are not named it calls not policed.
VERDICT = {"02": 476836.1, "08": 2861374.7}
FRAMING = 1514 / 1448
RATE = 0.10
# A bucket of 8 KB at 3 or 10 Mbit/s is full again at every round trip: its rate is open upwards.
OPEN = {"06", "18"}


SAID = re.compile(r"policed to (\d+) kbit/s")


def rates(wmscope, path, *options):
    run = subprocess.run([wmscope, "analyze", "-q", "--no-ndpi", *options, "--jsonl", "-", path],
                         capture_output=True, timeout=120)
    if run.returncode not in (0, 1):
        sys.exit(f"{path}: exit {run.returncode}: {run.stderr.decode(errors='replace')}")
    events = [json.loads(line) for line in run.stdout.splitlines()]
    return [e["finding"] | {"src_port": e.get("src_port")} for e in events
            if e["event_type"] == "finding" and "throttling" in e["finding"]]


def set_to(row):
    """bit/s that the row's connections were held to, 0 for no rate of theirs, or None where nobody says"""
    if row["trigger"].startswith("rate="):
        return float(row["trigger"].split("=")[1])
    said = SAID.search(row["note"]) if row["expect"] == "throttling" else None
    return float(said[1]) * 1e3 if said else None


def lab_faults(row, found):
    wanted, port = set_to(row), re.match(r"(?:tcp|udp) [\d.]+:(\d+)>", row["flow"])
    found = [f for f in found if not port or f["src_port"] == int(port[1])]
    if wanted and not found:
        yield "no rate is found"
    for f in found:
        rate = f["throttling"]["rate_bps"] * FRAMING
        if f["verdict"] != "inconclusive":
            yield f"{f['id']} is {f['verdict']}: a measurement accuses nobody"
        if not wanted or abs(rate / wanted - 1) > RATE:
            yield f"{f['id']} {rate:.0f} bit/s on the link, and {wanted:.0f} was set"


def lab(wmscope, folder, manifest):
    """→ (rows, faults); prints what each is"""
    with open(manifest, newline="", encoding="utf-8") as f:
        rows = [r for r in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE) if set_to(r) is not None]
    bad, found = 0, {}
    for row in rows:
        if row["file"] not in found:
            found[row["file"]] = rates(wmscope, os.path.join(folder, row["file"]))
        for fault in lab_faults(row, found[row["file"]]):
            bad += 1
            print(f"{row['file']}: {row['flow']}: {fault}")
    return len(rows), bad


def faults(row, found):
    number = row["file"][:2]
    for f in found:
        if f["verdict"] != "inconclusive":
            yield f"{f['id']} is {f['verdict']}: a measurement accuses nobody"
    published = [f["throttling"]["rate_bps"] for f in found if f["id"] == "rate-policed"]
    if bool(published) != (number in VERDICT):
        yield f"the published detector says otherwise: {published}"
    if published and abs(published[0] / VERDICT.get(number, 1) - 1) > 0.001:
        yield f"the published detector's rate is {VERDICT.get(number)}, not {published[0]}"
    if row["expect"] == "none":
        if found:
            yield f"nothing held it to a rate: {found[0]['sentence']}"
        return
    if len(found) != 1:
        yield f"{len(found)} findings"
        return
    rate = found[0]["throttling"]["rate_bps"] * FRAMING
    wanted = float(row["trigger"].split()[0].split("=")[1])
    if number not in OPEN and abs(rate / wanted - 1) > RATE:
        yield f"{rate:.0f} bit/s on the link, and {wanted:.0f} was set"


def main():
    wmscope, folder = sys.argv[1:3]
    if len(sys.argv) > 3:
        n, bad = lab(wmscope, folder, sys.argv[3])
        print(f"{n} rows, {bad} faults")
        return 1 if bad or not n else 0
    labels = os.path.join(folder, "LABELS.tsv")
    if not os.path.exists(labels):
        print(f"skipped: no {labels}")
        return 77
    bad = n = 0
    with open(labels, newline="") as f:
        for row in csv.DictReader(f, delimiter="\t"):
            n += 1
            path = os.path.join(folder, row["file"])
            found = rates(wmscope, path)
            for fault in faults(row, found):
                bad += 1
                print(f"{row['file']}: {fault}")
            if found and rates(wmscope, path, "--no-throttling"):
                bad += 1
                print(f"{row['file']}: rates are looked at although --no-throttling was given")
    print(f"{n} traces, {bad} faults")
    return 1 if bad or not n else 0


if __name__ == "__main__":
    sys.exit(main())
