#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Zeek's logs, read as zeek-cut reads them: zeek.py WMSCOPE CAPTURE...

The head is believed for the separator, the fields and their types; every cell fits its type; and the
rows are the flows and findings of the JSON Lines.
"""
import ipaddress
import json
import os
import re
import subprocess
import sys
import tempfile

TYPES = {
    "time": re.compile(r"\d+\.\d{6}"), "interval": re.compile(r"\d+\.\d{6}"), "count": re.compile(r"\d+"),
    "port": re.compile(r"\d{1,5}"), "bool": re.compile(r"[TF]"), "double": re.compile(r"\d+\.\d+"),
    "enum": re.compile(r"tcp|udp|icmp|unknown_transport"), "string": re.compile(r"[\x20-\x7e]+"),
    "vector[count]": re.compile(r"\d+(,\d+)*"), "set[string]": re.compile(r"[\x20-\x7e]+"),
}
# Zeek's, in their order.
CONN = """ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto service duration orig_bytes resp_bytes conn_state
local_orig local_resp missed_bytes history orig_pkts orig_ip_bytes resp_pkts resp_ip_bytes tunnel_parents
community_id""".split()
STATES = "S0 S1 SF REJ S2 S3 RSTO RSTR RSTOS0 RSTRH SH SHR OTH".split()


def read(path):
    with open(path, "rb") as f:
        lines = f.read().decode("ascii").split("\n")
    assert lines.pop() == "", f"{path}: the last line has no end"
    head = {}
    separator = lines[0].split(" ")[1].encode().decode("unicode_escape")
    for line in lines:
        if line.startswith("#"):
            key, _, value = line[1:].partition(" " if line.startswith("#separator") else separator)
            head[key] = value
    order = [line[1:].split(separator)[0].split(" ")[0] for line in lines if line.startswith("#")]
    assert order == ["separator", "set_separator", "empty_field", "unset_field", "path", "open", "fields",
                     "types", "close"] and lines[-1].startswith("#close"), order
    assert (head["set_separator"], head["empty_field"], head["unset_field"]) == (",", "(empty)", "-")
    assert head["path"] + ".log" == os.path.basename(path)
    for key in ("open", "close"):
        assert re.fullmatch(r"\d{4}(-\d\d){5}", head[key]), head[key]
    fields, types = head["fields"].split(separator), head["types"].split(separator)
    assert len(fields) == len(types)
    rows = []
    for line in lines:
        if line.startswith("#"):
            continue
        cells = line.split(separator)
        assert len(cells) == len(fields), line
        for name, kind, value in zip(fields, types, cells):
            if value in ("-", "(empty)"):
                continue
            if kind == "addr":
                ipaddress.ip_address(value)
            else:
                assert TYPES[kind].fullmatch(value), f"{name}: {value} is no {kind}"
        rows.append(dict(zip(fields, cells)))
    return fields, rows


def unescape(text):
    return re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), text.encode()).decode()


def check_conn(rows, flows):
    flows = [e for e in flows if "src_ip" in e]
    assert len(rows) == len(flows), (len(rows), len(flows))
    uids = {}
    for row, event in zip(rows, flows):
        f = event["flow"]
        uids[event["flow_id"]] = row["uid"]
        assert (row["id.orig_h"], row["id.resp_h"]) == (event["src_ip"], event["dest_ip"])
        assert int(row["id.orig_p"]) == event.get("src_port", 0)
        assert int(row["id.resp_p"]) == event.get("dest_port", 0)
        assert (int(row["orig_pkts"]), int(row["resp_pkts"])) == (f["pkts_toserver"], f["pkts_toclient"])
        assert int(row["orig_ip_bytes"]) == f["bytes_toserver"]
        assert row["community_id"] == event.get("community_id", "-")
        assert row["conn_state"] in STATES
        assert row["history"] in (f["history"] or "-", "-")
        assert (row["service"] == "ssl") == (event["app_proto"] == "tls")
        if event["proto"] == "TCP" and f["history"].startswith("Sh") and "R" not in f["history"].upper() and \
                {"F", "f"} <= set(f["history"]):
            assert row["conn_state"] == "SF"
    assert len(set(uids.values())) == len(uids), "a uid is there twice"
    return uids


def check_interference(rows, findings, uids):
    findings = [e for e in findings if "flow_id" in e]
    assert len(rows) == len(findings)
    for row, event in zip(rows, findings):
        f = event["finding"]
        assert row["uid"] == uids[event["flow_id"]], "the two logs cannot be joined"
        assert (row["finding"], row["family"], row["verdict"]) == (f["id"], f["family"], f["verdict"])
        assert row["packets"] == ",".join(map(str, f["packets"])) or not f["packets"]
        assert abs(float(row["score"]) - f["score"]) < 0.001
        if row["trigger_value"] not in ("-", "(empty)"):
            assert unescape(row["trigger_value"]) == f["trigger"]["value"]


def main():
    wmscope, compared = sys.argv[1], 0
    for capture in sys.argv[2:]:
        with tempfile.TemporaryDirectory() as folder:
            said = os.path.join(folder, "said.jsonl")
            run = subprocess.run([wmscope, "analyze", "-q", "--no-ndpi", "--jsonl", said, "--zeek",
                                  os.path.join(folder, "zeek"), capture], capture_output=True, timeout=120)
            assert run.returncode in (0, 1) and not run.stdout, run.stderr.decode()
            with open(said, encoding="utf-8") as f:
                events = [json.loads(line) for line in f]
            fields, rows = read(os.path.join(folder, "zeek", "conn.log"))
            assert fields == CONN, fields
            uids = check_conn(rows, [e for e in events if e["event_type"] == "flow"])
            _, rows = read(os.path.join(folder, "zeek", "interference.log"))
            check_interference(rows, [e for e in events if e["event_type"] == "finding"], uids)
            print(f"{capture}: {len(uids)} connections, {len(rows)} findings")
            compared += len(rows)
    assert compared, "nothing was compared"


if __name__ == "__main__":
    main()
