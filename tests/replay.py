#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What replay makes of captures, by its engine `file`, which needs no interface and no root.

replay.py WMSCOPE PCAPS SCHEMA: bytes and times as captured, rates, loops, maps, link headers, truncated
packets, exit statuses; and what analyze finds in the result is what it finds in the original.
"""
import json
import os
import subprocess
import sys
import tempfile

import frames
import schema_check

DONE, FINDINGS, USAGE, INPUT, IO, PARTIAL = range(6)


class Replay:
    def __init__(self, wmscope, folder, schema):
        self.wmscope, self.folder = wmscope, folder
        with open(schema, encoding="utf-8") as f:
            self.schema = json.load(f)

    def run(self, *args, status=DONE, out="out.pcap"):
        """Frames and statistics of a run."""
        path, stats = (os.path.join(self.folder, n) for n in (out, "stats.json"))
        result = subprocess.run(
            [self.wmscope, "replay", "--engine", "file", "-w", path, "--stats", stats, *args],
            stdin=subprocess.DEVNULL, capture_output=True, check=False, text=True)
        assert result.returncode == status, f"{args}: exit {result.returncode}\n{result.stderr}"
        if status in (USAGE, INPUT, IO):
            return None, None
        with open(stats, encoding="utf-8") as f:
            event = json.load(f)
        if schema_check.jsonschema is not None:
            schema_check.jsonschema.validate(event, self.schema)
        replay = event["replay"]
        assert sum(replay["packets"].values()) == replay["read"], "each packet ends somewhere"
        assert f"{replay['packets']['sent']} sent" in result.stdout, result.stdout
        assert replay["exit_status"] == status
        sent = frames.read(path) if path.endswith(".pcap") else None
        assert sent is None or len(sent) == replay["packets"]["sent"]
        return sent, replay

    def findings(self, path, *args):
        """Identifiers of the findings, in order of flows."""
        result = subprocess.run([self.wmscope, "analyze", "-q", "--jsonl", "-", path, *args],
                                capture_output=True, check=False)
        events = [json.loads(line) for line in result.stdout.splitlines()]
        return sorted((e["finding"]["id"], e["finding"]["verdict"]) for e in events
                      if e["event_type"] == "finding" and "scope" not in e["finding"])


def as_captured(r, capture):
    want = frames.read(capture)
    sent, stats = r.run(capture)
    assert sent == want, "bytes and times as captured"
    assert stats["bytes"] == sum(len(f[1]) for f in want)
    sent, stats = r.run("-r", "x4", capture)
    for a, b in zip(want, sent):
        assert abs((a[0] - want[0][0]) / 4 - (b[0] - want[0][0])) <= 1, "four times as fast"
    sent, stats = r.run("-r", "500pps", "-l", "3", capture)
    assert frames.same([f[1] for f in want], [f[1] for f in sent], 3) is None
    assert [f[0] - sent[0][0] for f in sent] == [2000000 * i for i in range(len(sent))]
    assert stats["asked"]["packets_per_s"] == 500 and stats["loops"] == 3
    r.run(capture, out="out.pcapng")
    out = os.path.join(r.folder, "out.pcapng")
    assert r.findings(out) == r.findings(capture) != [], "and the same is found in it"


def loops(r, capture):
    once = r.findings(capture)
    first = frames.read(capture)
    for kind in ("addresses", "ports"):
        sent, _ = r.run("-l", "3", "--vary", kind, capture)
        n = len(first)
        assert [f[1] for f in sent[:n]] == [f[1] for f in first], "the first loop is the capture"
        flows = [{f[1][26:38] for f in sent[i * n:(i + 1) * n] if f[1][12:14] == b"\x08\0"}
                 for i in range(3)]
        assert not flows[0] & flows[1] and not flows[1] & flows[2], "flows of each loop are new"
        # A device is known by what it does to all flows, so loops may only add.
        found = r.findings(os.path.join(r.folder, "out.pcap"))
        assert len(found) == 3 * len(once), f"{kind}: {len(found)} findings, not 3 * {len(once)}"


def rewriting(r, capture):
    want = frames.read(capture)
    hosts = sorted({f[1][26:30] for f in want if f[1][12:14] == b"\x08\0"})
    network = ".".join(map(str, hosts[0][:2])) + ".0.0/16"
    sent, _ = r.run("--map", f"{network}=198.18.0.0/16", "--src-mac", "02:00:00:00:aa:01",
                    "--dst-mac", "02:00:00:00:bb:02", "--vlan", "42", capture)
    for a, b in zip(want, sent):
        assert b[1][:16] == bytes.fromhex("020000 00bb02 020000 00aa01 8100 002a")
        assert len(b[1]) == len(a[1]) + 4
    assert any(f[1][30:32] == bytes([198, 18]) for f in sent), "addresses are mapped"
    assert len(r.findings(os.path.join(r.folder, "out.pcap"))) == len(r.findings(capture))


def links(r, capture):
    want = frames.read(capture)
    raw, sll = (os.path.join(r.folder, n) for n in ("raw.pcap", "sll.pcap"))
    frames.write(raw, [(t, d[14:], n - 14) for t, d, n in want], 101)
    frames.write(sll, [(t, bytes.fromhex("0000 0001 0006") + d[6:12] + b"\0\0" + d[12:], n + 2)
                       for t, d, n in want], 113)
    for path, has_sender in ((raw, False), (sll, True)):
        sent, _ = r.run(path)
        for a, b in zip(want, sent):
            assert b[1][12:] == a[1][12:], "the packet behind a header that was made"
            assert not has_sender or b[1][6:12] == a[1][6:12], "the sender that SLL names"
    frames.write(raw, [(0, b"\0" * 40, 40)], 147)
    _, stats = r.run(raw)
    assert stats["packets"]["not_ethernet"] == 1


def truncated(r, capture):
    want = frames.read(capture)
    cut = os.path.join(r.folder, "cut.pcap")
    frames.write(cut, [(t, d[:60], n) for t, d, n in want])
    short = sum(n > 60 for _, _, n in want)
    for how, status in (("refuse", PARTIAL), ("skip", DONE)):
        sent, stats = r.run("--truncated", how, cut, status=status)
        assert stats["packets"]["truncated"] == short > 0
        assert [f[1] for f in sent] == [d for _, d, n in want if n <= 60]
    sent, stats = r.run("--truncated", "pad", cut)
    for (_, d, n), (_, got, _) in zip(want, sent):
        assert len(got) == n and got == d[:60] + b"\0" * (n - len(d[:60]))


def statuses(r, capture):
    bad = os.path.join(r.folder, "bad")
    with open(bad, "wb") as f:
        f.write(b"no capture at all\n")
    with open(capture, "rb") as f:
        whole = f.read()
    with open(os.path.join(r.folder, "half.pcap"), "wb") as f:
        f.write(whole[:len(whole) // 2 + 3])
    r.run(bad, status=INPUT)
    r.run(capture, bad, status=INPUT)
    r.run(os.path.join(r.folder, "half.pcap"), status=PARTIAL)
    for args in ((), ("-r", "10"), ("-r", "0pps", capture), ("-l", "0", capture), ("-l", "x", capture),
                 ("--map", "10.0.0.1", capture), ("--src-mac", "2:3", capture), ("-", "-"),
                 ("-l", "2", "-"), ("--vlan", "4095", capture), ("-i", "lo", capture),
                 ("--client", "10.0.0.0/8", capture), ("-f", "tcp and (", capture)):
        r.run(*args, status=USAGE)
    r.run(capture, out="none/such.pcap", status=IO)


def main():
    wmscope, pcaps, schema = sys.argv[1:]
    capture = os.path.join(pcaps, "sni-rst-onpath", "client.pcap")
    with tempfile.TemporaryDirectory() as folder:
        r = Replay(wmscope, folder, schema)
        for check in (as_captured, loops, rewriting, links, truncated, statuses):
            check(r, capture)
            print("ok:", check.__name__)


if __name__ == "__main__":
    main()
