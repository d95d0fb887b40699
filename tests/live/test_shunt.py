#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""`wmscope capture --engine xdp --shunt` on a veth pair: test_shunt.py WMSCOPE ROOT [CAPTURE...]

Long connections are sent whose bulk is only counted in the kernel, and in each something happens late:
a forged reset (plain, fragmented, behind IP options), forged content, an ICMP error, the ports used
again. What is found, every flow's counters included, frame for frame, is what analyze --no-throttling
finds in the file that was sent; most of the packets were shunted, and none is missing.
"""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

import long_flows
from capturing import USAGE, Live, Pair, Wire, analyze, events, packets, skip
from replayed import replayable

OPTIONS = ("--no-throttling",)
QUICK = ("pcaps/tls-name-rst/client.pcap", "pcaps/tls-mitm/client.pcap",
         "pcaps/sni-rst-onpath/client.pcap", "pcaps/quic-lossy/client.pcap")
TRIES = 4
LATE_NS = 1_000_000


def told(found):
    """Findings, their evidence, and flows: all but what is measured in time."""
    out = []
    for e in found:
        who = [e.get(k) for k in ("flow_id", "pcap_cnt", "src_ip", "src_port", "dest_ip", "dest_port")]
        if e["event_type"] == "finding":
            f = e["finding"]
            what = [f.get(k) for k in ("id", "family", "verdict", "stage", "direction", "packets",
                                       "trigger", "scope", "flows", "controls", "conditional",
                                       "device", "mbx")]
            what.append(sorted((r["kind"], r["grade"], r.get("packet")) for r in f["evidence"]))
            what.append(sorted(r["kind"] for r in f["not_testable"]))
            what.append([[r.get(k) for k in ("packet", "direction", "flags", "seq", "ack", "length",
                                             "ttl", "ip_id", "skipped_before")]
                         for r in f.get("ladder", [])])
        elif e["event_type"] == "flow":
            f = e["flow"]
            what = [e["app_proto"], *(f.get(k) for k in (
                "pkts_toserver", "pkts_toclient", "bytes_toserver", "bytes_toclient", "history",
                "state", "reason", "stage", "worst"))]
        else:
            continue
        out.append(json.dumps([e["event_type"], *who, *what]))
    return sorted(out)


def difference(want, got):
    return "\n".join([f"only offline: {e}" for e in want if e not in got] +
                     [f"only live: {e}" for e in got if e not in want])


def send(pair, wmscope, capture, folder):
    """The largest delay of a frame, ns."""
    stats = folder + "/sent"
    done = subprocess.run(pair.argv(pair.names[0], wmscope, "replay", "-q", "--engine", "packet",
                                    "-i", "left0", "--stats", stats, capture),
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with open(stats, encoding="utf-8") as f:
        return json.load(f)["replay"]["off_by"]["max_ns"]


def send_hashed(pair, _, capture, __):
    """The same through the qdisc, where a hash of its addresses and ports chooses a frame's queue."""
    wire, late = Wire(pair), 0
    started = time.monotonic_ns()
    for due, frame in packets(capture):
        wait = started + due - time.monotonic_ns()
        if wait > 0:
            time.sleep(wait / 1e9)
        late = max(late, time.monotonic_ns() - started - due)
        wire.socket.send(frame)
    return late


def once(pair, wmscope, capture, folder, workers, sender):
    """Counters of the live run, what both found, and how late a frame was."""
    live, stats = folder + "/live.jsonl", folder + "/stats"
    run = Live(pair, wmscope, "--engine", "xdp", "--shunt", *OPTIONS, "--jsonl", live, "--stats", stats,
               "--workers", workers, folder=folder)
    try:
        if run.ended_without_xdp():
            skip("xdp", "no XDP program can be attached")
        run.ready()
        late = sender(pair, wmscope, capture, folder)
        time.sleep(0.5)
        code = run.end(signal.SIGINT)
    finally:
        run.kill()
        run.close()
    status, offline = analyze(wmscope, [capture], *OPTIONS)
    found = events(live)
    return (found[0]["run"]["captures"][0], told(offline) + [f"exit {status}"],
            told(found) + [f"exit {code}"], late)


def same(pair, wmscope, capture, folder, workers="1", sender=send):
    n = len(long_flows.frames.read(capture))
    for left in reversed(range(TRIES)):
        c, want, got, late = once(pair, wmscope, capture, folder, workers, sender)
        packets = c["counters"]["packets"]
        assert c["dropped"] == 0, "packets were lost"
        assert packets["received"] + packets["shunted"] == n, f"{packets}, {n} were sent"
        if want == got:
            return packets
        # What came late on a busy machine may look otherwise.
        if late < LATE_NS or left == 0:
            raise AssertionError(f"{late / 1e6:.1f} ms late:\n{difference(want, got)}")
    raise AssertionError("not reached")


def test_queues(pair, wmscope, folder, made):
    """A connection's directions come by different queues, on different processors."""
    pair.left("ethtool", "-K", "left0", "tx", "off", "tso", "off", "gso", "off")
    p = same(pair, wmscope, made, folder, "2", send_hashed)
    said = subprocess.run(pair.argv(pair.names[1], "ethtool", "-S", "right0"), check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    each = [int(n) for n in re.findall(r"rx_queue_\d+_xdp_packets: (\d+)", said)]
    print(f"two queues, {each} packets: {p['shunted']} shunted in {p['shunts']} shunts")
    assert len(each) == 2 and min(each) > sum(each) / 10, each
    assert p["shunted"] > sum(each) / 2, p


def test_usage(pair, wmscope, folder):
    for args, words in (((), "--no-throttling"), (("--no-throttling", "-w", "x.pcapng"), "-w"),
                        (("--no-throttling", "-f", "tcp"), "-f"),
                        (("--no-throttling", "--engine", "packet"), "xdp")):
        run = Live(pair, wmscope, "--engine", "xdp", "--shunt", *args, folder=folder)
        code = run.end()
        assert code == USAGE and "--shunt" in run.said() and words in run.said(), run.said()
        run.close()


def main():
    wmscope, root = os.path.abspath(sys.argv[1]), sys.argv[2]
    with Pair() as pair, Pair("q", queues=2) as two, tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        pair.left("ethtool", "-K", "left0", "tx", "off", "tso", "off", "gso", "off")
        test_usage(pair, wmscope, folder)
        made = folder + "/long.pcap"
        n = long_flows.capture(made)
        for workers in "1", "3":
            p = same(pair, wmscope, made, folder, workers)
            print(f"{n} packets, {workers} worker(s): {p['shunted']} shunted in {p['shunts']} shunts")
            assert p["shunted"] > n / 2, p
        test_queues(two, wmscope, folder, made)
        bad = 0
        for name in sys.argv[3:] or QUICK:
            path = os.path.join(root, name)
            if replayable(path) is not None:
                continue
            try:
                p = same(pair, wmscope, path, folder)
                print(f"{name}: {p['received']} packets and {p['shunted']} shunted")
            except AssertionError as e:
                bad += 1
                print(f"{name}: {e}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
