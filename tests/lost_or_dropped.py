#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Loss is no box, and a box is found under loss: lost_or_dropped.py WMSCOPE [CASES]

Two captures of one path are made here: connections to two servers, for eight hosts, that retransmit what
is lost. Under loss alone compare may profile nothing, however the losses fall; with a box that drops the
requests for one host besides, its profile names that host and no other. Where the path becomes too narrow for
the requests for one host, which are large, or at times for the answers of one protocol, no finding may say
that they were dropped. The draws are always the same.
"""
import json
import os
import random
import subprocess
import sys
import tempfile

import frames

CLIENT, SERVERS = bytes([192, 0, 2, 10]), [bytes([203, 0, 113, 10]), bytes([203, 0, 113, 66])]
MS, START = 10**6, 1_800_000_000 * 10**9
SYN, ACK, PSH, FIN = 2, 16, 8, 1
ONE_WAY, COPIES = 20 * MS, 7
NARROW = 900


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(int.from_bytes(data[i:i + 2], "big") for i in range(0, len(data), 2))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return (~total & 0xffff).to_bytes(2, "big")


class Path:
    """what both ends capture, and what is lost in between"""

    def __init__(self, seed, loss, blocked):
        self.draw, self.loss, self.blocked, self.ident = random.Random(seed), loss, blocked, 0
        self.narrow = None    # since when what is larger than NARROW gets lost on the way up
        self.holes = []       # from when to when the same does on the way down
        self.seen = {"client": [], "server": []}

    def packet(self, up, server, port, flags, seq, ack, payload, ttl):
        ends = (CLIENT, server) if up else (server, CLIENT)
        ports = (port, 80) if up else (80, port)
        tcp = b"".join(p.to_bytes(2, "big") for p in ports) + seq.to_bytes(4, "big") + ack.to_bytes(4, "big")
        tcp += bytes([0x50, flags]) + (64000).to_bytes(2, "big")
        pseudo = b"".join(ends) + bytes([0, 6]) + (20 + len(payload)).to_bytes(2, "big")
        tcp += checksum(pseudo + tcp + b"\0\0\0\0" + payload) + b"\0\0"
        head = bytes([0x45, 0]) + (40 + len(payload)).to_bytes(2, "big") + self.ident.to_bytes(2, "big")
        head += bytes([0x40, 0, ttl, 6])
        ip = head + checksum(head + b"\0\0" + b"".join(ends)) + b"".join(ends)
        return bytes(12) + b"\x08\x00" + ip + tcp + payload

    def send(self, at, up, *what):
        """whether it arrived"""
        self.ident = self.ident % 0xffff + 1
        here, there = ("client", "server") if up else ("server", "client")
        wire = self.packet(up, *what, ttl=64)
        self.seen[here].append((at, wire, len(wire)))
        if self.draw.random() < self.loss or (up and self.blocked and self.blocked in what[-1]):
            return False
        if up and self.narrow is not None and at >= self.narrow and len(wire) > NARROW:
            return False
        if not up and len(wire) > NARROW and any(start <= at < end for start, end in self.holes):
            return False
        wire = self.packet(up, *what, ttl=53)
        self.seen[there].append((at + ONE_WAY, wire, len(wire)))
        return True

    def deliver(self, at, up, server, port, flags, seq, ack, payload=b""):
        """stop and wait: when it was acknowledged; None: never"""
        span = len(payload) + bool(flags & (SYN | FIN))
        wait, heard = 300 * MS, False
        for _ in range(COPIES):
            if self.send(at, up, server, port, flags, seq, ack, payload):
                heard = True
                if flags & SYN or self.send(at + ONE_WAY, not up, server, port, ACK, ack, seq + span, b""):
                    return at + 2 * ONE_WAY
            at += wait
            wait *= 2
        return at if heard else None

    def connection(self, at, server, port, host, cookie="", large=2861):
        """host "": SSH"""
        client, peer = self.draw.randrange(1 << 31), self.draw.randrange(1 << 31)
        request = f"GET / HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n".encode()
        request = request if host else b"SSH-2.0-client\r\n"
        page = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % large if host else b"SSH-2.0-server\r\n"
        page += b"x" * large
        steps = [(True, SYN, client, 0, b""), (False, SYN | ACK, peer, client + 1, b""),
                 (True, ACK | PSH, client + 1, peer + 1, request)]
        client, peer = client + 1 + len(request), peer + 1
        for i in range(0, len(page), 1000):
            steps.append((False, ACK | PSH, peer + i, client, page[i:i + 1000]))
        peer += len(page)
        steps += [(True, ACK | FIN, client, peer, b""), (False, ACK | FIN, peer, client + 1, b"")]
        for up, *what in steps:
            at = self.deliver(at, up, server, port, *what)
            if at is None:
                return


def compare(wmscope, folder, path):
    files = []
    for side, seen in path.seen.items():
        files.append(os.path.join(folder, side + ".pcap"))
        frames.write(files[-1], sorted(seen))
    run = subprocess.run([wmscope, "compare", "-q", "--jsonl", "-", *files], capture_output=True, check=False,
                         timeout=120)
    assert run.returncode in (0, 1), run.stderr.decode()
    return [json.loads(line) for line in run.stdout.splitlines()]


def case(wmscope, folder, seed, loss, blocked):
    path = Path(seed, loss, blocked.encode())
    hosts = [f"site{i}.example" for i in range(7)] + ["blocked.example"]
    for i in range(64):
        host = path.draw.choice(hosts)
        at = START + i * 400 * MS + path.draw.randrange(200 * MS)
        path.connection(at, path.draw.choice(SERVERS), 40000 + i, host)
    return [e["profile"] for e in compare(wmscope, folder, path) if e["event_type"] == "profile"]


def narrows(wmscope, folder, seed):
    """None, or what was said of requests that are too large for the path since some of them passed"""
    path = Path(seed, 0.003, b"")
    path.narrow = START + 24 * 400 * MS
    for i in range(64):
        large = i % 4 == 0
        host = "large.example" if large else f"site{i % 3}.example"
        path.connection(START + i * 400 * MS, SERVERS[0], 40000 + i, host,
                        "Cookie: " + "x" * 1000 + "\r\n" if large else "")
    said = [e["finding"] for e in compare(wmscope, folder, path) if e["event_type"] == "finding"]
    accused = [f["id"] for f in said if f["verdict"] in ("likely", "confirmed")]
    lost = sum(f["id"] == "two-sided-loss" for f in said)
    return f"accused: {accused}" if accused else None if lost >= 8 else f"{lost} losses"


def comes_and_goes(wmscope, folder, seed):
    """None, or what was said of the one protocol whose packets are too large while a route is narrow"""
    path = Path(seed, 0.003, b"")
    when = lambda i: START + (i * 400 + 60000 * ((i >= 30) + (i >= 33))) * MS  # wide for a minute in between
    path.holes = [(when(5), when(30) - 1), (when(33), when(200))]
    for i in range(64):
        ssh = i % 3 == 0
        path.connection(when(i), SERVERS[0], 40000 + i, "" if ssh else "site.example",
                        large=2861 if ssh else 300)
    said = [e["finding"] for e in compare(wmscope, folder, path) if e["event_type"] == "finding"]
    accused = [f["id"] for f in said if f["verdict"] in ("likely", "confirmed")]
    lost = sum(f["id"] == "two-sided-loss" for f in said)
    return f"accused: {accused}" if accused else None if lost >= 6 else f"{lost} losses"


def wrong(found, blocked):
    if not blocked:
        return f"{len(found)} profiles of loss: {found}" if found else None
    rules = [b["lines"]["acts_on_name"].get("value") for b in found]
    return None if rules == [blocked] else f"rules {rules}"


def main():
    wmscope, cases = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 6
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for loss in (0.01, 0.03, 0.15):
            for seed in range(cases):
                # At 15 % of loss half of the captures show too little: then nothing may be said.
                for blocked in ("", "blocked.example") if loss < 0.1 else ("",):
                    complaint = wrong(case(wmscope, folder, seed, loss, blocked), blocked)
                    bad += complaint is not None
                    if complaint:
                        print(f"loss {loss}, case {seed}, {blocked or 'no box'}: {complaint}")
        for seed in range(cases):
            complaint = narrows(wmscope, folder, seed)
            bad += complaint is not None
            if complaint:
                print(f"a narrow path, case {seed}: {complaint}")
            complaint = comes_and_goes(wmscope, folder, seed)
            bad += complaint is not None
            if complaint:
                print(f"a path that is narrow at times, case {seed}: {complaint}")
    print(f"{bad} wrong of {7 * cases}")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
