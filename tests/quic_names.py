#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Versions, names and ALPN of QUIC as tshark reads them: quic_names.py WMSCOPE FOLDER

Every flow in which tshark finds a ClientHello in QUIC must be told with the same name. Exit 77: no captures,
or no tshark.
"""
import glob
import json
import os
import shutil
import subprocess
import sys

FIELDS = ["frame.number", "ip.src", "ipv6.src", "udp.srcport", "ip.dst", "ipv6.dst", "udp.dstport",
          "quic.version", "tls.handshake.type", "tls.handshake.extensions_server_name",
          "tls.handshake.extensions_alpn_str"]


def by_tshark(path):
    """{(client, port, server, port): (version, name, [alpn])} of the first hello of each flow."""
    args = [a for f in FIELDS for a in ("-e", f)]
    out = subprocess.run(["tshark", "-r", path, "-Y", "quic && tls.handshake.type == 1", "-T", "fields",
                          "-E", "separator=/t", *args], capture_output=True, timeout=300, text=True)
    assert out.returncode in (0, 2), f"{path}: tshark: {out.stderr}"  # 2: of a capture that is cut short
    flows = {}
    for line in out.stdout.splitlines():
        _, src, src6, sport, dst, dst6, dport, version, _, name, alpn = line.split("\t")
        key = (src or src6, sport, dst or dst6, dport)
        forced = version.startswith("0x") and int(version.split(",")[0], 0) & 0x0f0f0f0f == 0x0a0a0a0a
        if "," in "".join(key) or forced:
            continue  # a tunnel; a version that is to be refused, whose keys tshark guesses
        flows.setdefault(key, (int(version.split(",")[0], 0), name or None, alpn.split(",") if alpn else []))
    return flows


def by_wmscope(wmscope, path):
    run = subprocess.run([wmscope, "analyze", "-q", "--no-ndpi", "--jsonl", "-", path],
                         capture_output=True, timeout=300)
    flows = {}
    for event in map(json.loads, run.stdout.splitlines()):
        if event["event_type"] == "flow" and "quic" in event:
            q = event["quic"]
            key = (event["src_ip"], str(event["src_port"]), event["dest_ip"], str(event["dest_port"]))
            flows.setdefault(key, (q["version"], q["sni"], q["alpn"]))
    return flows


def main():
    wmscope, folder = sys.argv[1:3]
    captures = sorted(glob.glob(os.path.join(folder, "*.pcap*")))
    if not captures or shutil.which("tshark") is None:
        print("skipped: no captures, or no tshark")
        return 77
    bad = right = 0
    for path in captures:
        with open(path, "rb") as f:
            if b"\x00\x00\x01\x08" not in f.read() and "quic" not in path:
                continue  # no v1 header: spares hundreds of runs of tshark
        wanted = by_tshark(path)
        got = by_wmscope(wmscope, path) if wanted else {}
        for key, want in wanted.items():
            mine = got.get(key)
            # wmscope keeps 15 bytes of 8 protocol names, and no name whose bytes are odd.
            if mine and mine[:2] == want[:2] and mine[2] == [a[:15] for a in want[2]][:8]:
                right += 1
                continue
            bad += 1
            print(f"{os.path.basename(path)}: {'>'.join(key)}: {mine} instead of {want}")
    print(f"{right} hellos right, {bad} wrong")
    return 1 if bad or not right else 0


if __name__ == "__main__":
    sys.exit(main())
