#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Holds findings against ground truth: labels.py WMSCOPE FOLDER [MANIFEST]

The manifest is tab separated: file, flow, expect, min_verdict, device, frames, … (pcaps/MANIFEST and the
LABELS.tsv of development sets alike). A row is right when a finding of the flow has an expected family,
at least the verdict, and names the frames; `none` allows nothing at likely or above. A device, where one is
named, is among those of such a finding; device `none` allows none on the flow. A flow `*` stands for all
(and where `sni=` or `quic-sni=` is its trigger, the finding must be about that name); a name in a flow's
place stands for every finding about it. A `none` whose note says SILENT is of a connection that was touched out of
this file's sight: nothing above inconclusive may be said of it. Exit 77: no folder.
"""
import csv
import json
import os
import re
import subprocess
import sys

NAMES = ("sni=", "quic-sni=")
SILENT = "nothing from this side: "
RANK = {"none": 0, "inconclusive": 1, "anomaly": 2, "likely": 3, "confirmed": 4}


def analyse(wmscope, path):
    run = subprocess.run([wmscope, "analyze", "-q", "--no-ndpi", "--jsonl", "-", path],
                         capture_output=True, timeout=120)
    if run.returncode not in (0, 1, 5):
        sys.exit(f"{path}: exit {run.returncode}: {run.stderr.decode(errors='replace')}")
    events = [json.loads(line) for line in run.stdout.splitlines()]
    return [e for e in events if e["event_type"] == "finding"]


def endpoints(flow):
    """'tcp 1.2.3.4:5>6.7.8.9:10 …' or 'gre 1.2.3.4>6.7.8.9' -> (proto, {(addr, port)…})"""
    proto, pair = flow.split()[:2]
    if proto == "gre":
        return "47", {(addr.strip("[]"), None) for addr in pair.split(">")}
    ends = [side.rsplit(":", 1) for side in pair.split(">")]
    return proto.upper(), {(addr.strip("[]"), int(port)) for addr, port in ends}


def trigger_of(finding):
    trigger = finding["finding"].get("trigger") or {}
    return f"{trigger.get('kind')}={trigger.get('value')}"


def belongs(finding, row):
    flow = row["flow"]
    if flow.startswith(NAMES):
        return trigger_of(finding) == flow
    if flow == "*":
        about_one = row.get("origin") == "lab" and row["expect"] != "none" and row["trigger"].startswith(NAMES)
        return not about_one or trigger_of(finding) == row["trigger"]
    proto, ends = endpoints(flow)
    mine = {(finding.get(f"{s}_ip"), finding.get(f"{s}_port")) for s in ("src", "dest")}
    if finding["proto"] != proto or mine != ends:
        return False
    # Two transactions of one socket (A and AAAA) are two rows.
    wanted = re.search(r" txid=(0x[0-9a-f]+)", flow)
    txid = finding["finding"].get("dns", {}).get("txid")
    return not wanted or txid is None or int(str(txid), 0) == int(wanted.group(1), 16)


def frames_of(row):
    """Numbers and ranges between commas; dots and what is in brackets are for people."""
    out = set()
    for part in re.sub(r"\.\.\.|\([^)]*\)", "", row["frames"]).split(","):
        numbers = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        if numbers:
            out |= set(range(int(numbers[1]), int(numbers[2] or numbers[1]) + 1))
        elif row["frames"] != "-":
            sys.exit(f"{row['file']}: {row['flow']}: {row['frames']!r} are no frames")
    return out


def show(finding):
    f = finding["finding"]
    devices = "".join(f" {d['id']} {d['grade']}" for d in f["devices"])
    return f"{f['verdict']} {f['family']} {f['id']} frames {f['packets']}{devices}"


def wrong(row, findings):
    """None when the row holds, else what does not."""
    mine = [f for f in findings if belongs(f, row)]
    if row["device"] == "none" and any(f["finding"]["devices"] for f in mine):
        return "attributed: " + "; ".join(map(show, mine))
    least = RANK["anomaly" if SILENT in row["note"] else "likely"]
    accused = [f for f in mine if RANK[f["finding"]["verdict"]] >= least]
    if row["expect"] == "none":
        return "accused: " + "; ".join(map(show, accused)) if accused else None
    families = row["expect"].split("|")
    good = [f for f in mine if f["finding"]["family"] in families and
            RANK[f["finding"]["verdict"]] >= RANK[row["min_verdict"]]]
    if not good:
        return "missed: " + ("; ".join(map(show, mine)) or "nothing found")
    if row["device"] not in ("-", "none"):
        good = [f for f in good if row["device"] in [d["id"] for d in f["finding"]["devices"]]]
        if not good:
            return f"{row['device']} is not seen: " + "; ".join(map(show, mine))
    if families == ["throttling"]:      # a rate is of all that went by
        return None
    wanted = frames_of(row)
    named = set().union(*(f["finding"]["packets"] for f in good))
    # What was dropped can be told packet by packet only from both ends.
    if row["flow"] != "*" and "silent-drop" in families and wanted & named:
        return None
    # To call the server's own answer forged is as wrong as to miss the forged one.
    apart = all(f["finding"].get("dns", {}).get("told_apart", False) for f in good)
    if families == ["dns-injection"] and apart and not named <= wanted:
        return f"frames {sorted(named - wanted)} are named too: " + "; ".join(map(show, good))
    if row["flow"] != "*" and not wanted <= named:
        return f"frames {sorted(wanted - named)} are not named: " + "; ".join(map(show, good))
    return None


def in_scope(row):
    return row["expect"] != "unscored"


def main():
    args = [a for a in sys.argv[1:] if not a.startswith("--")]
    wmscope, folder = args[0], args[1]
    manifest = args[2] if len(args) > 2 else os.path.join(folder, "LABELS.tsv")
    if not os.path.exists(manifest):
        print(f"skipped: {manifest} is not there")
        return 77
    with open(manifest, newline="", encoding="utf-8") as f:
        rows = list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))
    bad = right = unscored = 0
    cache = {}
    for row in rows:
        if not in_scope(row):
            unscored += 1
            continue
        if row["file"] not in cache:
            cache[row["file"]] = analyse(wmscope, os.path.join(folder, row["file"]))
        why = wrong(row, cache[row["file"]])
        right += why is None
        if why is not None:
            bad += 1
            print(f"{row['file']}: {row['flow']}: expected {row['expect']} {row['min_verdict']}"
                  f" frames {row['frames']}: {why}")
    print(f"{right} rows right, {bad} wrong, {unscored} not in scope, {len(cache)} captures")
    return 1 if bad or not right else 0


if __name__ == "__main__":
    sys.exit(main())
