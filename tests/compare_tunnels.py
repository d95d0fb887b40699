#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tunnels between two captures: compare_tunnels.py WMSCOPE

A WireGuard client asks for a session every five seconds, and pings a second server all the while, 20 ms
away. What the captures of the two ends say where the answers are dropped on the way, where one of them
is lost, where the server is off, and where the client has the wrong key; and what names a finding.
"""
import json
import os
import struct
import subprocess
import sys
import tempfile

import frames as pcap

MS = 10**6
START = 1_800_000_000 * 10**9
TRANSIT = 20 * MS
CLIENT, TUNNEL, OTHER = (bytes(map(int, a.split("."))) for a in
                         ("192.0.2.10", "203.0.113.10", "203.0.113.20"))
NAMES = {CLIENT: "192.0.2.10", TUNNEL: "203.0.113.10"}


def udp(source, target, sport, dport, payload, number):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), number & 0xffff, 0x4000, 60, 17, 0,
                       source, target)
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xffff) + (total >> 16)
    head = head[:10] + struct.pack(">H", ~(total + (total >> 16)) & 0xffff) + head[12:]
    return (bytes(12) + b"\x08\x00" + head + struct.pack(">HHHH", sport, dport, 8 + len(payload), 0)
            + payload)


def noise(n, seed):
    return bytes((i * 37 + seed * 101 + i * i // 7) & 0xff for i in range(n))


def initiation(k):
    return b"\1\0\0\0" + bytes([k, 1, 1, 1]) + noise(140, k)


def response(k):
    return b"\2\0\0\0" + b"\x09\x09\x09\x09" + bytes([k, 1, 1, 1]) + noise(80, k + 50)


class Path:
    """Both captures of it."""

    def __init__(self):
        self.seen = ([], [])
        self.number = 0

    def send(self, at, up, ends, payload, arrives=True):
        source, target, sport, dport = ends if up else (ends[1], ends[0], ends[3], ends[2])
        self.number += 1
        frame = udp(source, target, sport, dport, payload, self.number)
        self.seen[0 if up else 1].append((START + at, frame, len(frame)))
        if arrives:
            self.seen[1 if up else 0].append((START + at + TRANSIT, frame, len(frame)))

    def compare(self, wmscope):
        with tempfile.TemporaryDirectory() as folder:
            files = [os.path.join(folder, side + ".pcap") for side in ("client", "server")]
            for path, seen in zip(files, self.seen):
                pcap.write(path, sorted(seen, key=lambda f: f[0]))
            got = subprocess.run([wmscope, "compare", "-q", "--jsonl", "-", *files],
                                 stdout=subprocess.PIPE, check=False, timeout=60)
            assert got.returncode in (0, 1), got.returncode
            events = [json.loads(line) for line in got.stdout.splitlines()]
        return [e for e in events if e["event_type"] == "finding"]


def world(answers, arriving, tries=6, beside=range(260)):
    """The k-th answer leaves if k is in answers, and arrives if it is in arriving."""
    path = Path()
    for k in beside:
        path.send(k * 130 * MS, True, (CLIENT, OTHER, 40123, 7), noise(40, k))
        path.send(k * 130 * MS + TRANSIT, False, (CLIENT, OTHER, 40123, 7), noise(44, k))
    # The higher port is the server's: only the message says who opened it.
    tunnel = (CLIENT, TUNNEL, 39908, 51820)
    for k in range(tries):
        at = (1000 + 5000 * k) * MS
        path.send(at, True, tunnel, initiation(k))
        if k in answers:
            path.send(at + TRANSIT, False, tunnel, response(k), k in arriving)
    return path


def main():
    wmscope = sys.argv[1]
    every, bad = range(6), []
    found = world(every, ()).compare(wmscope)
    want = {"id": "vpn-handshake-one-way", "verdict": "likely", "family": "vpn-interference",
            "direction": "to_client"}
    got = [{k: f["finding"][k] for k in want} for f in found]
    if got != [want]:
        bad.append(f"answers dropped: {got}")
    for f in found:
        if (f["src_ip"], f["dest_ip"]) != (NAMES[CLIENT], NAMES[TUNNEL]):
            bad.append(f"answers dropped: from {f['src_ip']} to {f['dest_ip']}")
        if f["finding"]["trigger"]["value"] != "wireguard" or len(f["finding"]["packets"]) != 6:
            bad.append(f"answers dropped: {f['finding']}")
    quiet = [*range(8), *range(230, 260)]
    found = world(every, (), beside=quiet).compare(wmscope)
    got = [(f["finding"]["id"], f["finding"]["verdict"]) for f in found]
    if got != [("vpn-handshake-one-way", "inconclusive")]:
        bad.append(f"answers dropped, and nothing else sent meanwhile: {got}")
    for what, path in {
            "all went well": world(every, every),
            "a server that is off, or a wrong key": world((), ()),
            "one answer lost": world(every, (0, 2, 3, 4, 5)),
            "the last answers lost": world(every, (0, 1, 2)),
            "three answers lost, then the client gave up": world(every, (), 3),
            "the first answers lost": world(every, (5,))}.items():
        got = [f["finding"]["id"] for f in path.compare(wmscope)
               if f["finding"]["verdict"] in ("likely", "confirmed")]
        if got:
            bad.append(f"{what}: {got}")
    print(*bad, sep="\n")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
