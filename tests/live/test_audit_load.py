#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""`wmscope audit load` through a wire and a box that polices: test_audit_load.py WMSCOPE ROOT

The rate that it finds is the one that the box was told, and a wire in its place loses nothing.
"""
import sys

from auditing import Bench, lines
from capturing import DONE, IO, USAGE

FILE = "/pcaps/tls-proxy/client.pcap"


def load(bench, wmscope, root, *args):
    status, out, err = bench.audit(wmscope, "load", "-i", "c0", "-i", "s0", "--seconds", "1", "--jsonl",
                                   "-", *args, root + FILE)
    assert status == DONE, f"exit {status}: {err}"
    events = lines(out, root)
    return [e["load"]["trial"] for e in events[:-1]], events[-1]["load"]["result"]


def test_wire(bench, wmscope, root):
    bench.bridge()
    trials, result = load(bench, wmscope, root, "--from", "500pps", "--to", "2kpps")
    # A busy machine may not reach a rate, and that is not the wire's fault.
    assert all(t["end"] in ("no_loss", "tester") for t in trials), trials
    assert result["no_loss_at"] is not None, (trials, result)
    for way in "from_client", "from_server":
        assert result["latency"][way]["dropped"] == 0 < result["latency"][way]["sent"], result
        assert 0 < result["latency"][way]["transit_us"]["p50"] < 50_000, result
    bench.unbridge()
    print(f"a wire: nothing lost at {result['no_loss_at']:.0f} packets/s")


def test_policed(bench, wmscope, root):
    """Of what clients send, 600 packets a second come through."""
    bench.bridge()
    bench.tell("nft", "add table netdev police")
    bench.tell("nft", "add chain netdev police in { type filter hook ingress device bc priority 0; }")
    bench.tell("nft", "add rule netdev police in limit rate over 600/second burst 60 packets drop")
    trials, result = load(bench, wmscope, root, "--from", "200pps", "--to", "5kpps")
    lost = [t for t in trials if t["end"] == "lost"]
    assert lost, trials
    for t in lost:
        assert t["from_client"]["arrived"] < t["from_client"]["sent"], t
        assert t["from_server"]["arrived"] == t["from_server"]["sent"], t
    # Clients send 75 of 132; a second lets 60 more pass than the rate. Busy seconds are longer.
    share = 75 / 132
    assert 500 < result["no_loss_at"] * share < 800, result
    bench.tell("nft", "delete table netdev police")
    bench.unbridge()
    print(f"a box that polices: found {result['no_loss_at']:.0f}, {result['failed_at']:.0f} packets/s")


def test_usage(bench, wmscope, root):
    ports = ["-i", "c0", "-i", "s0"]
    for status, args in ((USAGE, ports), (USAGE, ["-i", "c0", root + FILE]),
                         (USAGE, [*ports, "--from", "max", root + FILE]),
                         (USAGE, [*ports, "--from", "10kpps", "--to", "1kpps", root + FILE]),
                         (USAGE, [*ports, "--from", "1kpps", "--to", "1gbps", root + FILE]),
                         (USAGE, [*ports, "-"]),
                         (IO, ["-i", "c0", "-i", "nosuch0", root + FILE])):
        code, _, err = bench.audit(wmscope, "load", *args)
        assert code == status and err, f"{args}: exit {code}: {err}"


def main():
    wmscope, root = sys.argv[1:]
    with Bench() as bench:
        test_usage(bench, wmscope, root)
        test_wire(bench, wmscope, root)
        test_policed(bench, wmscope, root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
