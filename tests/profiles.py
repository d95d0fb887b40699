#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Holds the profiles of boxes against the lab's rules: profiles.py WMSCOPE PCAPS

Every scenario of PCAPS/PROFILES is analysed with the captures of all its vantage points together. What a profile
states must be so; `-v` also lists what it leaves unsaid. A box that acts must have a profile, unless the
MANIFEST says that its doings cannot be told from the network's (nothing is expected at likely or above).
"""
import csv
import glob
import json
import os
import subprocess
import sys

DEEDS = {"rst": ("injects_resets",), "page": ("injects_pages",), "forge-dns": ("injects_dns_answers",),
         "drop": ("drops", "drops_quic"), "icmp": ("drops",), "alert": ("injects_alerts",),
         "intercept": ("injects_dns_answers", "injects_pages")}
NAMES = {"sni", "host", "qname", "quic-sni"}
RANK = {"none": 0, "inconclusive": 1, "anomaly": 2, "likely": 3, "confirmed": 4}


def table(path):
    with open(path, newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


def profiles(wmscope, files):
    run = subprocess.run([wmscope, "analyze", "-q", "--no-ndpi", "--jsonl", "-", *files],
                         capture_output=True, timeout=300, check=False)
    assert run.returncode in (0, 1, 5), f"{files}: exit {run.returncode}: {run.stderr.decode()}"
    events = map(json.loads, run.stdout.splitlines())
    return [e["profile"] for e in events if e["event_type"] == "profile"]


def observed(box, line):
    return box["lines"].get(line, {}).get("said") == "observed"


def names(row):
    """The names of its rule; one by port, address or protocol has none."""
    pairs = (t.split("=", 1) for t in row["trigger"].split(",") if "=" in t)
    return {name for kind, name in pairs if kind in NAMES}


def within(name, domain):
    return name == domain or name.endswith("." + domain)


def is_of(box, row):
    """Whether the profile is of this box: it acted on its trigger in its way."""
    acted = {k for t in box["triggers"] if t["acted"] for k in names(row) | {t["value"]}
             if within(t["value"], k)}
    deed = any(observed(box, d) for d in DEEDS.get(row["action"], ()))
    return deed and (not acted or not names(row) or bool(acted & names(row)))


def contradictions(box, row):
    mode = {"on_path": "on-path", "in_path": "in-path"}.get(box["mode"])
    if mode not in (None, row["mode"]):
        yield f"mode {mode}, is {row['mode']}"
    for line, way in (("acts_towards_client", "to-client"), ("acts_towards_server", "to-server")):
        if observed(box, line) and row["direction"] not in (way, "both"):
            yield f"{line}, is {row['direction']}"
    if row["split_passes"] == "no" and observed(box, "split_hello_passes"):
        yield "split hello passes, does not"
    if row["split_passes"] == "yes" and observed(box, "reassembles"):
        yield "acts on a split hello, does not"
    if row["needs_handshake"] == "yes" and observed(box, "needs_no_handshake"):
        yield "acts without a handshake, does not"
    at_least, at_most = box["residual_s"]["at_least"], box["residual_s"]["at_most"]
    if observed(box, "blocks_afterwards") and row["residual"] == "0":
        yield "blocks afterwards, does not"
    if at_most is not None and row["residual"] not in ("0", "-") and \
            not at_least - 1 <= float(row["residual"]) <= at_most + 1:
        yield f"blocks {at_least} to {at_most} s, {row['residual']} s it is"
    kind = row["trigger"].split("=")[0]
    known = names(row)
    if kind in ("sni", "host", "qname") and known:
        for t in box["triggers"]:
            if t["acted"] and t["kind"] != "none" and not any(within(t["value"], k) for k in known):
                yield f"acts on {t['value']}, only on {','.join(sorted(known))}"


def unsaid(box, row):
    if box["mode"] == "unknown":
        yield "mode"
    if row["residual"] not in ("0", "-") and box["residual_s"]["at_most"] is None:
        yield "residual"
    if row["split_passes"] == "yes" and not observed(box, "split_hello_passes"):
        yield "split_passes"


def main():
    args = [a for a in sys.argv[1:] if a != "-v"]
    verbose = len(args) < len(sys.argv) - 1
    wmscope, root = args[:2]
    expected = {}
    for row in table(os.path.join(root, "MANIFEST")):
        scenario = row["file"].split("/")[0]
        rank = RANK.get(row["min_verdict"], 0) if row["expect"] not in ("none", "unscored") else 0
        expected[scenario] = max(expected.get(scenario, 0), rank)
    wrong = right = missing = silent = 0
    rows = table(os.path.join(root, "PROFILES"))
    for scenario in dict.fromkeys(r["scenario"] for r in rows):
        files = sorted(glob.glob(os.path.join(root, scenario, "*.pcap*")))
        boxes = profiles(wmscope, files)
        for row in (r for r in rows if r["scenario"] == scenario):
            mine = [b for b in boxes if is_of(b, row)]
            if not mine:
                due = expected.get(scenario, 0) >= RANK["likely"] and row["action"] in DEEDS
                missing += due
                silent += not due
                if due or verbose:
                    print(f"{scenario} box {row['box']} ({row['action']}): "
                          f"{'MISSING' if due else 'no profile'}")
                continue
            # Where another box takes the same packets out, silence does not say which one did.
            taken = any(r["mode"] == "in-path" and r["trigger"] == row["trigger"] and r is not row
                        for r in rows if r["scenario"] == scenario)
            bad = [w for b in mine for w in contradictions(b, row)
                   if not (taken and w.startswith("mode in-path"))]
            wrong += bool(bad)
            right += not bad
            if bad:
                print(f"{scenario} box {row['box']}: WRONG: {'; '.join(bad)}")
            elif verbose:
                print(f"{scenario} box {row['box']}: {len(mine)} profile(s), unsaid: "
                      f"{', '.join(sorted({u for b in mine for u in unsaid(b, row)})) or '-'}")
        if len(boxes) > sum(r["scenario"] == scenario for r in rows) and verbose:
            print(f"{scenario}: {len(boxes)} profiles: {[b['mbx'] for b in boxes]}")
    print(f"{right} boxes right, {wrong} wrong, {missing} missing, {silent} without a profile, as "
          "nothing likely is expected of them")
    return 1 if wrong or missing else 0


if __name__ == "__main__":
    sys.exit(main())
