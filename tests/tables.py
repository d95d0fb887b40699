#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A report's folder says one thing in every file: tables.py WMSCOPE SCHEMA.SQL CAPTURE...

Flows and findings as CSV are those of events.jsonl, and of SQLite; the database has the tables and columns
that its schema describes; and each view answers what a reader of events.jsonl would count by hand.
"""
import collections
import csv
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile

# What a column is in an event, where it is no key of the event itself or of the object of its name.
INSIDE = {"finding": ("finding", "number"), "sni": ("tls", "sni"), "ja3": ("tls", "ja3"), "host": ("http", "host"), "status": ("http", "status")}
LISTS = ("packets", "flows", "controls")


def harmless(text):
    """As tools/escape.h makes bytes harmless, for text that has nothing but backslashes to spell out."""
    return text.replace("\\", "\\\\")


def cell(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, list):
        return " ".join(map(str, value))
    return str(value)


def read_csv(path):
    with open(path, "rb") as f:
        data = f.read()
    assert data.endswith(b"\r\n") and b"\n" not in data.replace(b"\r\n", b""), f"{path}: line ends"
    rows = list(csv.reader(data.decode("utf-8").splitlines(keepends=True), strict=True))
    assert all(len(r) == len(rows[0]) for r in rows), f"{path}: rows of several lengths"
    return rows[0], [dict(zip(rows[0], r)) for r in rows[1:]]


def events(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def same_flow(row, event):
    for key, value in row.items():
        if key in INSIDE:
            box, inner = INSIDE[key]
            where = event.get(box) or (event.get("quic") if box == "tls" else None) or {}
            wanted = where.get(inner)
        elif key in event:
            wanted = event[key]
        elif key in event["flow"]:
            wanted = event["flow"][key]
        else:
            continue
        if key in ("alpn", "labels") or (key == "ja3" and "tls" not in event):
            continue
        wanted = harmless(wanted) if isinstance(wanted, str) else wanted
        assert value == cell(wanted), f"flow {event['flow_id']}: {key} is {value}, not {wanted}"


def same_finding(row, event):
    f = event["finding"]
    for key in ("id", "family", "verdict", "stage", "direction", "conditional", "mbx", "summary", "refs",
                *LISTS):
        assert row[key] == cell(f.get(key)), f"finding {row['finding']}: {key} is {row[key]}"
    assert row["trigger_kind"] == f["trigger"]["kind"] and row["flow_id"] == cell(event.get("flow_id"))
    assert abs(float(row["score"]) - f["score"]) < 0.001
    kinds = [e["kind"] for e in f["evidence"]]
    assert [e.split()[0] for e in row["evidence"].split("; ") if e] == kinds, row["evidence"]
    assert row["device"] == cell((f["device"] or {}).get("id"))
    assert row["qname"] == harmless((f.get("dns") or {}).get("qname") or ""), row["qname"]


def described(schema):
    """Table -> columns, as a person reads the schema."""
    with open(schema, encoding="utf-8") as f:
        text = re.sub(r"--.*", "", f.read())
    return {name: [line.split()[0].strip('"') for line in body.split(",")]
            for name, body in re.findall(r"CREATE TABLE (\w+) \((.*?)\n\);", text, re.S)}


def check_database(folder, tables, schema):
    base = sqlite3.connect(f"file:{folder}/wmscope.sqlite?mode=ro", uri=True)
    base.row_factory = sqlite3.Row
    assert base.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    names = [r[0] for r in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert sorted(names) == sorted(described(schema)), names
    for name, columns in described(schema).items():
        assert [r[1] for r in base.execute(f"PRAGMA table_info({name})")] == columns, name
    for name, (header, rows) in tables.items():
        assert header == described(schema)[name], f"{name}.csv and {schema}"
        stored = base.execute(f"SELECT * FROM {name} ORDER BY rowid").fetchall()
        assert len(stored) == len(rows), name
        for row, mine in zip(rows, stored):
            for key, value in row.items():
                real = isinstance(mine[key], float)
                assert abs(mine[key] - float(value)) < 0.001 if real else cell(mine[key]) == value, \
                    f"{name}.{key}: {mine[key]} and {value}"
    return base


def check_views(base, findings, flows):
    forged = collections.Counter()
    absences = ("silent-drop", "quic-filtering", "throttling", "residual", "payload-tampering")
    for e in findings:
        f = e["finding"]
        told = f.get("dns", {}).get("told_apart", True)
        page = f["family"] == "http-injection" and not f["injected"]
        if f["verdict"] in ("likely", "confirmed") and "scope" not in f and told and not page and \
                f["family"] not in absences:
            forged.update(f["packets"])
    mine = collections.Counter(r["packet"] for r in base.execute("SELECT * FROM forged_packets"))
    assert mine == forged, f"forged_packets: {mine} and {forged}"
    touched = sum(r["touched"] for r in base.execute("SELECT * FROM by_server"))
    assert touched == sum(e["flow"]["worst"] in ("likely", "confirmed") for e in flows)
    counts = [r["flows"] for r in base.execute("SELECT * FROM by_server")]
    assert sum(counts) == len(flows)
    for e in findings:
        if "scope" in e["finding"] and e["finding"]["family"] == "tls-filtering":
            name = e["finding"]["trigger"]["value"]
            hit = base.execute("SELECT * FROM by_name WHERE name = ?", (name,)).fetchall()
            assert hit and any(r["filtered"] for r in hit), f"by_name: {name}"
    listed = sum(len(e["finding"].get("flows", [])) + len(e["finding"]["controls"]) for e in findings)
    assert base.execute("SELECT count(*) FROM controls").fetchone()[0] == listed
    return sum(forged.values())


def check_dns(tables, findings):
    accused = {(e.get("flow_id"), e["finding"]["dns"]["txid"]) for e in findings if "dns" in e["finding"]}
    header, rows = tables["dns"]
    assert header[9] == "qname"
    told = {(int(r["flow_id"]), int(r["txid"])) for r in rows if r["verdict"] != "none"}
    assert accused <= told, f"dns.csv lacks {accused - told}"


def check_numbers(folder, findings):
    """A number means the same finding for who reads, who opens a table and who counts events."""
    told = {(e["finding"]["number"], e["finding"]["verdict"], e["finding"]["id"]) for e in findings}
    assert sorted(n for n, _, _ in told) == list(range(1, len(findings) + 1)), told
    with open(f"{folder}/report.txt", encoding="utf-8") as f:
        text = {(int(n), verdict, id_) for n, verdict, id_ in re.findall(r"(?m)^\[(\d+)\] (\w+)  (\S+)  \(", f.read())}
    assert text <= told and bool(text) == bool(told), text - told
    with open(f"{folder}/report.html", encoding="utf-8") as f:
        page = {(int(n), verdict) for n, verdict in
                re.findall(r'id="finding-(\d+)">\s*<h3>\[\1\] <.*?> (\w+)</span>', f.read())}
    assert page <= {(n, v) for n, v, _ in told} and bool(page) == bool(told), page


def check(wmscope, schema, capture):
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run([wmscope, "analyze", "-q", "--no-ndpi", "--show-clients", "-o", folder, capture],
                             capture_output=True, timeout=120)
        if run.returncode == 2:
            run = subprocess.run([wmscope, "analyze", "-q", "--no-ndpi", "-o", folder, capture],
                                 capture_output=True, timeout=120)
        assert run.returncode in (0, 1), run.stderr.decode()
        assert not [n for n in os.listdir(folder) if n.endswith(".part")], os.listdir(folder)
        tables = {n: read_csv(f"{folder}/{n}.csv") for n in ("flows", "findings", "dns", "tls")}
        said = events(f"{folder}/events.jsonl")
        flows = [e for e in said if e["event_type"] == "flow"]
        findings = [e for e in said if e["event_type"] == "finding"]
        for name, list_, same in (("flows", flows, same_flow), ("findings", findings, same_finding)):
            assert len(tables[name][1]) == len(list_), f"{name}: {len(tables[name][1])} rows"
            for row, event in zip(tables[name][1], list_):
                same(row, event)
        hellos = [e for e in flows if "tls" in e or "quic" in e]
        assert [int(r["flow_id"]) for r in tables["tls"][1]] == [e["flow_id"] for e in hellos]
        check_dns(tables, findings)
        check_numbers(folder, findings)
        forged = 0
        if os.path.exists(f"{folder}/wmscope.sqlite"):
            forged = check_views(check_database(folder, tables, schema), findings, flows)
        print(f"{capture}: {len(flows)} flows, {len(findings)} findings, {forged} forged packets")
        return len(flows), len(findings)


def main():
    wmscope, schema = sys.argv[1:3]
    sums = [check(wmscope, schema, c) for c in sys.argv[3:]]
    assert all(map(sum, zip(*sums))), "nothing was compared"


if __name__ == "__main__":
    main()
