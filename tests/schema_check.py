#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Validates wmscope's JSON Lines: against tools/schema.json, and what a schema cannot say.

schema_check.py SCHEMA FILE...             validates files
schema_check.py SCHEMA --stdout PROGRAM    validates what a program prints
schema_check.py SCHEMA --analyze WMSCOPE   validates a run over captures made here
"""
import json
import os
import re
import struct
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    jsonschema = None


def no_repeats(pairs):
    keys = [k for k, _ in pairs]
    assert len(keys) == len(set(keys)), f"a key is there twice: {keys}"
    return dict(pairs)


def check(name, data, validator):
    """The number of events in the bytes of one report."""
    lines = data.decode("utf-8").split("\n")
    assert lines[-1] == "", f"{name}: the last line has no end"
    flows, last_flow = set(), None
    for number, line in enumerate(lines[:-1], 1):
        where = f"{name}:{number}"
        event = json.loads(line, object_pairs_hook=no_repeats)
        errors = sorted(validator.iter_errors(event), key=lambda e: list(e.path))
        for error in errors:
            for cause in error.context or [error]:
                print(f"{where}: {'/'.join(map(str, cause.absolute_path))}: {cause.message[:300]}")
        assert not errors, f"{where}: does not fit the schema"
        assert not any(ord(c) < 0x20 or 0x7f <= ord(c) < 0xa0 for c in line), f"{where}: control"
        compact = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
        assert len(line) >= len(compact) - 64 and '": ' not in line[:40], f"{where}: not compact"
        assert (event["event_type"] == "run") == (number == 1), f"{where}: run comes first, once"
        if event["event_type"] == "flow":
            last_flow = (event.get("pcap_filename"), event["flow_id"])
            assert last_flow not in flows, f"{where}: a flow is there twice"
            flows.add(last_flow)
        if event["event_type"] == "finding" and "scope" in event["finding"]:
            mine = event["finding"]["flows"]
            assert "flow_id" not in event and mine and len(mine) == len(set(mine)), where
        elif event["event_type"] == "finding":
            flow = (event.get("pcap_filename"), event["flow_id"])
            assert flow == last_flow, f"{where}: a finding is not directly after its flow"
            frames = event["finding"]["packets"]
            # Over several files of one timeline they rise within each.
            files = event["finding"].get("packet_filenames", [""] * len(frames))
            assert len(files) == len(frames), f"{where}: a file for every packet"
            for one in set(files):
                mine = [n for n, file in zip(frames, files) if file == one]
                assert mine == sorted(set(mine)), f"{where}: packets do not rise"
    return len(lines) - 1


def ip_checksum(header):
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def tcp(src, dst, sport, dport, flags, seq, ack, data=b"", ttl=64, ipid=1):
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + len(data), ipid, 0x4000, ttl, 6, 0, src, dst)
    ip = ip[:10] + struct.pack("!H", ip_checksum(ip)) + ip[12:]
    return ip + struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 0x50, flags, 64240, 0, 0) + data


def capture(path, host):
    """A request for a page whose answer comes after a reset with another TTL."""
    me, server = bytes([10, 0, 0, 2]), bytes([192, 0, 2, 80])
    up = lambda *a, **k: tcp(me, server, 40000, 80, *a, **k)
    down = lambda *a, **k: tcp(server, me, 80, 40000, *a, **k)
    get = b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    packets = [
        up(0x02, 1000, 0), down(0x12, 9000, 1001, ttl=50), up(0x10, 1001, 9001),
        up(0x18, 1001, 9001, get),
        down(0x14, 9001, 1001 + len(get), ttl=188, ipid=30000),
        down(0x18, 9001, 1001 + len(get), page, ttl=50, ipid=2),
        down(0x10, 9001 + len(page), 1001 + len(get), ttl=50, ipid=3),
    ]
    write(path, list(enumerate(packets)))
    return packets


def write(path, packets):
    """(number, bytes): 20 ms a number."""
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))
        for i, p in packets:
            out.write(struct.pack("<IIII", 1795264496, 20000 * i, len(p), len(p)) + p)


def rotated(wmscope, halves):
    """A connection that goes on in the next file: all that it was forged by is there."""
    for kind in ("--jsonl", "--text"):
        result = subprocess.run([wmscope, "analyze", "-q", "--rotated", kind, "-", *halves],
                                stdout=subprocess.PIPE, check=False)
        if kind == "--text":
            of = rb"of file\s+" + re.escape(halves[1].encode())
            assert re.search(of, result.stdout), result.stdout.decode()
            continue
        events = [json.loads(line) for line in result.stdout.splitlines()
                  if b'"event_type":"finding"' in line]
        found = [event["finding"] for event in events]
        assert found, "no finding over two files"
        for event in events:
            assert event["pcap_filename"] == halves[1], "where the frame of pcap_cnt is"
        for f in found:
            assert f["trigger"]["pcap_filename"] == halves[0], f["trigger"]
            for row in f["evidence"]:
                assert row["packet"] is None or row["pcap_filename"] == halves[1], row
            marked = {(row["packet"], row["pcap_filename"]) for row in f["ladder"] if row["forged"]}
            assert marked <= {(n, halves[1]) for n in f["packets"]}, "a mark by number only"
        for f in found:
            assert f["pcap_filename"] == halves[0], "where the connection began"
            for part in (f, *f["devices"], *f["injectors"]):
                assert part["packet_filenames"] == [halves[1]] * len(part["packets"]), f


def analyze(wmscope, validator):
    with tempfile.TemporaryDirectory() as folder:
        one, two = os.path.join(folder, "one.pcap"), os.path.join(folder, "two\udcff.pcap")
        packets = list(enumerate(capture(one, b"blocked.example")))
        halves = [os.path.join(folder, name) for name in ("first.pcap", "then.pcap")]
        write(halves[0], packets[:4])
        write(halves[1], packets[4:])
        capture(two, b"\x1b[2J\xff\xe2\x80\xae")
        runs = [[one], [two], [one, two], ["--rotated", one, two], ["--no-ndpi", one],
                ["--min-verdict", "confirmed", one], ["-f", "udp", one], [one, folder + "/missing"]]
        for args in runs:
            result = subprocess.run([wmscope, "analyze", "-q", "--jsonl", "-", *args],
                                    stdout=subprocess.PIPE, check=False)
            assert result.returncode in (0, 1, 3), f"{args}: exit {result.returncode}"
            check(" ".join(args), result.stdout, validator)
            run = json.loads(result.stdout.split(b"\n")[0])["run"]
            assert run["exit_status"] == result.returncode, f"{args}: run says another exit"
            again = subprocess.run([wmscope, "analyze", "-q", "--jsonl", "-", *args],
                                   stdout=subprocess.PIPE, check=False)
            assert again.stdout == result.stdout, f"{args}: a second run says something else"
        rotated(wmscope, halves)
        print(f"{len(runs)} runs fit the schema")


def main():
    if jsonschema is None:
        print("python3-jsonschema is not installed: skipped")
        return 77
    with open(sys.argv[1], encoding="utf-8") as f:
        schema = json.load(f)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    if sys.argv[2] == "--analyze":
        analyze(sys.argv[3], validator)
    elif sys.argv[2] == "--stdout":
        out = subprocess.run(sys.argv[3:], stdout=subprocess.PIPE, check=True).stdout
        print(f"{check(sys.argv[3], out, validator)} events fit the schema")
    else:
        for path in sys.argv[2:]:
            with open(path, "rb") as f:
                print(f"{path}: {check(path, f.read(), validator)} events fit the schema")
    return 0


if __name__ == "__main__":
    sys.exit(main())
