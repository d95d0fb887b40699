#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Holds the profiles of boxes against the lab's rules: profiles.py WMSCOPE PCAPS

Every scenario of PCAPS/PROFILES is analysed with the captures of all its vantage points together, and
every two captures of one path are compared. What a profile states must be so; `-v` also lists what it leaves
unsaid. Each box must have a profile by the command that PROFILES says tells it, and one by compare must state
the rule. Where no box acts, however much is lost, compare must not profile any.
"""
import csv
import glob
import json
import os
import subprocess
import sys

DEEDS = {"rst": ("injects_resets",), "page": ("injects_pages",), "forge-dns": ("injects_dns_answers",),
         "drop": ("drops", "drops_quic"), "icmp": ("drops",), "alert": ("injects_alerts",),
         "throttle": ("throttles",),
         "intercept": ("intercepts_tls", "injects_dns_answers", "injects_pages")}
RULES = {"acts_on_name": {"sni", "host", "qname", "quic-sni"}, "acts_on_protocol": {"protocol"},
         "acts_on_quic_version": {"version"}, "acts_on_address": {"address"}, "acts_on_port": {"port"}}
NAMES = {"sni", "host", "qname", "quic-sni"}


def table(path):
    with open(path, newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


def profiles(wmscope, command, files):
    run = subprocess.run([wmscope, *command, "-q", "--jsonl", "-", *files],
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


def triggers(row):
    return [t.split("=", 1) for t in row["trigger"].split(",") if "=" in t]


def rule_is_wrong(box, row):
    """what its lines state and is not so; protocol and port that were not tried apart are one statement"""
    stated = {line: box["lines"][line]["value"].split(", ") for line in RULES if observed(box, line)}
    if {"acts_on_protocol", "acts_on_port"} <= set(stated) and any(
            value in stated[line] for kind, value in triggers(row) for line in stated if kind in RULES[line]):
        return
    for line, values in stated.items():
        wanted = [value for kind, value in triggers(row) if kind in RULES[line]]
        for value in values:
            if not any(within(value, w) for w in wanted):
                yield f"{line} {value}, is {row['trigger']}"


def states_rule(box, row):
    """what is a word, a hello's shape or the second name is not looked for"""
    kinds = {kind for kind, _ in triggers(row)}
    due = [line for line in RULES if RULES[line] & kinds]
    return not due or any(observed(box, line) for line in due)


def unsaid(box, row):
    if box["mode"] == "unknown":
        yield "mode"
    if row["residual"] not in ("0", "-") and box["residual_s"]["at_most"] is None:
        yield "residual"
    if row["split_passes"] == "yes" and not observed(box, "split_hello_passes"):
        yield "split_passes"


def pair_of(root, scenario, ends):
    """the two captures, or None"""
    found = [sorted(glob.glob(os.path.join(root, scenario, end + ".pcap*"))) for end in ends.split("+")]
    return [f[0] for f in found] if len(found) == 2 and all(found) else None


class Book:
    """what was held against what, and the complaints"""

    def __init__(self, verbose):
        self.verbose, self.right, self.bad = verbose, 0, 0

    def complain(self, where, what):
        self.bad += 1
        print(f"{where}: {what}")

    def hold(self, boxes, row, rows, due, by_compare):
        """one box of the lab against the profiles of its scenario"""
        where = f"{row['scenario']} box {row['box']}" + (f" ({row['told_by']})" if by_compare else "")
        mine = [b for b in boxes if is_of(b, row)]
        # Where another box takes the same packets out, silence does not say which one did.
        taken = any(r["mode"] == "in-path" and r["trigger"] == row["trigger"] and r is not row for r in rows)
        wrong = [w for b in mine for w in contradictions(b, row)
                 if not (taken and w.startswith("mode in-path"))]
        wrong += [w for b in mine for w in rule_is_wrong(b, row)]
        if wrong:
            self.complain(where, f"WRONG: {'; '.join(wrong)}")
        elif due and not mine:
            self.complain(where, f"({row['action']}) MISSING")
        elif due and by_compare and not any(states_rule(b, row) for b in mine):
            self.complain(where, f"no profile states its rule, {row['trigger']}")
        else:
            self.right += due
            if self.verbose and mine:
                print(f"{where}: {len(mine)} profile(s), unsaid: "
                      f"{', '.join(sorted({u for b in mine for u in unsaid(b, row)})) or '-'}")


def main():
    args = [a for a in sys.argv[1:] if a != "-v"]
    book, (wmscope, root) = Book(len(args) < len(sys.argv) - 1), args[:2]
    rows = table(os.path.join(root, "PROFILES"))
    pairs = 0
    for scenario in sorted(os.listdir(root)):
        mine = [r for r in rows if r["scenario"] == scenario]
        if mine:
            files = sorted(glob.glob(os.path.join(root, scenario, "*.pcap*")))
            boxes = profiles(wmscope, ["analyze", "--no-ndpi"], files)
            for row in mine:
                book.hold(boxes, row, mine, row["told_by"] == "pooled", False)
            if len(boxes) > len(mine) and book.verbose:
                print(f"{scenario}: {len(boxes)} profiles: {[b['mbx'] for b in boxes]}")
        for ends in sorted({r["told_by"] for r in mine} - {"pooled", "-"} | {"client+server"}):
            files = pair_of(root, scenario, ends)
            if files is None:
                continue
            pairs += 1
            boxes = profiles(wmscope, ["compare"], files)
            for row in mine:
                # Between two captures that both lie on one side of a box it does nothing.
                if row["told_by"] in ("pooled", "-", ends):
                    book.hold(boxes, row, mine, row["told_by"] == ends, True)
            if not mine and boxes:
                book.complain(scenario, f"no box, and {len(boxes)} profiles by compare: {boxes}")
    untold = sum(r["told_by"] == "-" for r in rows)
    print(f"{book.right} of {len(rows)} boxes right, {untold} without a profile, {book.bad} wrong; "
          f"{pairs} pairs of captures compared")
    return 1 if book.bad or book.right + untold != len(rows) else 0


if __name__ == "__main__":
    sys.exit(main())
