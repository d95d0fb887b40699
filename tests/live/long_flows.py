#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Long TCP connections, each with one thing that happens late, as frames: for tests of shunting.

    long_flows.capture(PATH)      all of them side by side; what follows is by their server ports
    long_flows.py PATH FLOWS SEGMENTS    FLOWS plain ones, for measuring
"""
import os
import random
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import frames  # noqa: E402

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
STEP = 2_000_000  # ns between a flow's packets
# Far from any threshold, so that what a busy machine adds changes no finding.
TRIP = 150_000_000
LATER = 1_000_000_000
MSS = 1200
MACS = (b"\x02\x00\x00\x00\x00\x0c", b"\x02\x00\x00\x00\x00\x05")


def total(data):
    if len(data) % 2:
        data += b"\0"
    n = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while n >> 16:
        n = (n & 0xffff) + (n >> 16)
    return ~n & 0xffff


class Flow:
    """Frames in order, and what both ends are about to send."""

    def __init__(self, number, port, v6=False, vlan=None, stamps=True, start=0, isn=1000):
        self.port, self.v6, self.vlan, self.stamps = port, v6, vlan, stamps
        family = socket.AF_INET6 if v6 else socket.AF_INET
        names = (("2001:db8:1::%x", "2001:db8:2::%x") if v6 else ("192.0.2.%d", "203.0.113.%d"))
        self.hosts = [socket.inet_pton(family, n % (number + 1)) for n in names]
        self.ports = [40000 + number, port]
        self.seq = [isn, (isn + (1 << 31)) & 0xffffffff]
        self.ids = [0x100, 0x4000]
        self.clock = [100_000, 900_000]
        self.ttl = [64, 52]
        self.at, self.out = start, []
        self.bytes = random.Random(number)

    def tcp(self, who, flags, data, seq, ack, stamps, options=b""):
        if stamps:
            options += struct.pack("!BBBBII", 1, 1, 8, 10, self.clock[who], self.clock[1 - who])
        head = struct.pack("!HHIIBBHHH", self.ports[who], self.ports[1 - who], seq & 0xffffffff,
                           ack & 0xffffffff, (20 + len(options)) << 2, flags, 5000, 0, 0) + options
        pseudo = self.hosts[who] + self.hosts[1 - who] + struct.pack("!II", len(head) + len(data), 6)
        return head[:16] + struct.pack("!H", total(pseudo + head + data)) + head[18:] + data

    def ip(self, who, payload, ttl=None, proto=6, ipid=None, more=b"", frag=0x4000):
        ttl = self.ttl[who] if ttl is None else ttl
        source, target = self.hosts[who], self.hosts[1 - who]
        if self.v6:
            return struct.pack("!IHBB", 6 << 28, len(payload), proto, ttl) + source + target + payload
        head = struct.pack("!BBHHHBBH", 0x45 + len(more) // 4, 0, 20 + len(more) + len(payload),
                           self.ids[who] if ipid is None else ipid, frag, ttl, proto, 0)
        head += source + target + more
        return head[:10] + struct.pack("!H", total(head)) + head[12:] + payload

    def put(self, who, packet):
        kind = b"\x86\xdd" if self.v6 else b"\x08\x00"
        tag = struct.pack("!HH", 0x8100, self.vlan) if self.vlan else b""
        frame = MACS[1 - who] + MACS[who] + tag + kind + packet
        self.out.append((self.at, frame.ljust(60, b"\0")))
        self.at += STEP

    def say(self, who, flags=ACK, data=b"", ack=None, options=b""):
        """The sender's own next packet."""
        self.clock[who] += 1
        ack = 0 if flags == SYN else self.seq[1 - who] if ack is None else ack
        self.put(who, self.ip(who, self.tcp(who, flags, data, self.seq[who], ack, self.stamps, options)))
        self.ids[who] += 1
        self.seq[who] = (self.seq[who] + len(data) + bool(flags & (SYN | FIN))) & 0xffffffff

    def forge(self, who, flags, data=b"", ttl=61, ipid=7, stamps=False, behind=0, more=b""):
        tcp = self.tcp(who, flags, data, self.seq[who] - behind, self.seq[1 - who], stamps)
        self.put(who, self.ip(who, tcp, ttl, ipid=ipid, more=more, frag=0))
        self.at += LATER

    def begin(self, request=b"GET /bulk HTTP/1.1\r\nHost: files.example\r\n\r\n",
              answer=b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                     b"Content-Length: 100000000\r\n\r\n"):
        mss = struct.pack("!BBH", 2, 4, 1460)
        self.say(0, SYN, options=mss)
        self.at += TRIP
        self.say(1, SYN | ACK, options=mss)
        self.say(0)
        if request:
            self.say(0, ACK | PSH, request)
            self.say(1)
            self.say(1, ACK | PSH, answer)
            self.say(0)
        return self

    def bulk(self, segments, who=1, mss=MSS):
        for n in range(segments):
            self.say(who, ACK | (PSH if n % 7 == 6 else 0), self.bytes.randbytes(mss))
            if n % 2:
                self.say(1 - who)
        return self

    def end(self, who=1):
        for side in (who, 1 - who):
            self.say(side, ACK | FIN)
            self.say(1 - side)
        return self


def late_reset(f, **how):
    """Forged by somebody near, and what the server sends goes on."""
    f.bulk(400).forge(1, RST | how.pop("flags", 0), **how)
    f.bulk(20)


def fragmented_reset(f):
    f.bulk(400)
    tcp = f.tcp(1, RST, b"", f.seq[1], f.seq[0], False)
    f.put(1, f.ip(1, tcp[:8], 61, ipid=9, frag=0x2000))
    f.put(1, f.ip(1, tcp[8:], 61, ipid=9, frag=1))
    f.at += LATER
    f.bulk(20)


def hidden_reset(f):
    """Behind IP options, or behind an extension header."""
    f.bulk(400)
    tcp = f.tcp(1, RST, b"", f.seq[1], f.seq[0], False)
    if f.v6:
        f.put(1, f.ip(1, struct.pack("!BBHI", 6, 0, 0x0104, 0) + tcp, 61, proto=60))
    else:
        f.put(1, f.ip(1, tcp, 61, ipid=9, more=b"\x94\x04\0\0"))
    f.at += LATER
    f.bulk(20)


def content(f):
    """In character in all but its bytes: the genuine ones come behind it."""
    f.bulk(400).forge(1, ACK | PSH, b"<html>forged</html>" * 20, ttl=f.ttl[1], stamps=f.stamps)
    f.bulk(40)
    f.end()


def unreachable(f):
    """An ICMP error about the flow, of a host next to the client."""
    f.bulk(400)
    quoted = f.ip(0, f.tcp(0, ACK, b"", f.seq[0], f.seq[1], f.stamps))[:28]
    body = struct.pack("!BBHI", 3, 13, 0, 0) + quoted
    f.put(1, f.ip(1, body[:2] + struct.pack("!H", total(body)) + body[4:], 63, proto=1, frag=0))
    f.bulk(40)


def forged_syn(f):
    """No connection of its own: what is under way goes on."""
    f.bulk(400).forge(0, SYN, behind=5000, ttl=60)
    f.bulk(40)
    f.end()


def again(f):
    """The ports are used again, after the first connection ended and without its end."""
    f.bulk(200)
    f.at += 2_000_000_000
    f.seq = [7_000_000, 9_000_000]
    f.begin().bulk(200)
    f.end()


def troubled(f):
    """Losses, keep-alives, a peer's window, new TTLs: nothing that anybody did on purpose."""
    for n in range(6):
        f.bulk(150)
        last = f.out[-1 - n][1]
        f.out.append((f.at, last))
        f.at += STEP
        if n == 3:
            f.ttl[1] -= 1
        if n == 4:
            f.put(0, f.ip(0, f.tcp(0, ACK, b"\0", f.seq[0] - 1, f.seq[1], f.stamps)))
    f.end()


def both(f):
    for n in range(10):
        f.bulk(40, n % 2)
    f.bulk(300, 0)
    f.end(0)


# (server port, what it is, options of Flow)
KINDS = [
    (80, late_reset, {}),
    (443, lambda f: late_reset(f, flags=ACK), {"stamps": False}),
    (8080, lambda f: late_reset(f), {"v6": True}),
    (81, lambda f: late_reset(f), {"vlan": 42, "isn": 0xfff00000}),
    (82, lambda f: f.bulk(500).end(), {}),
    (83, fragmented_reset, {}),
    (84, hidden_reset, {}),
    (85, hidden_reset, {"v6": True}),
    (86, content, {}),
    (87, unreachable, {}),
    (88, forged_syn, {}),
    (89, again, {}),
    (90, troubled, {"stamps": False}),
    (91, both, {}),
    (92, lambda f: f.bulk(500), {}),  # the capture ends first
]


def capture(path):
    out = []
    for number, (port, run, options) in enumerate(KINDS):
        f = Flow(number, port, start=number * STEP // len(KINDS), **options).begin()
        run(f)
        out += f.out
    out.sort(key=lambda x: x[0])
    base = 1_767_225_600 * 10**9
    frames.write(path, [(base + at, frame, len(frame)) for at, frame in out])
    return len(out)


def plain(path, flows, segments, mss=600):
    """
    For measuring: connections to which nothing happens, so many side by side, one of them ending and
    another beginning at a time. On the same ports follows another with other numbers, so that what is
    sent again and again begins new connections each time. How many frames.
    """
    out, life = [], (segments + segments // 2) * STEP
    for n in range(flows):
        for half in range(2):
            f = Flow(n, 80, start=(half + n / flows) * (life + LATER), isn=1000 + (half << 30))
            out += f.begin().bulk(segments, mss=mss).end().out
    out.sort(key=lambda x: x[0])
    frames.write(path, [(int(at), frame, len(frame)) for at, frame in out])
    return len(out)


def main():
    plain(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))


if __name__ == "__main__":
    main()
