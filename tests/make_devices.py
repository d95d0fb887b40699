#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes pcaps/devices/: connections reset or answered by boxes with known header shapes.

Handshake, request or ClientHello, the forged packets with the values that were published for a box,
and the server's genuine answer, too late. Beside each lies a near miss, one constant off, that must
not be attributed. All is made up but for the values and the addresses of the one relation that is
over addresses. Needs scapy; the output is the same at every run. Argument: the folder, if another one.
"""
import os
import struct
import sys

from scapy.config import conf
from scapy.layers.inet import IP, TCP
from scapy.packet import Raw

conf.verb = 0
PAIR = ("192.0.2.10", "203.0.113.80")
NAME = b"blocked.example"
GET = b"GET / HTTP/1.1\r\nHost: " + NAME + b"\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
# Six resets seen between these two in a public capture of 2022: IP-ID, window, TTL.
VECTOR_PAIR = ("141.212.123.145", "222.138.4.221")
VECTORS = ((0xb90b, 1503, 128), (0xb2d4, 1541, 166), (0xb68d, 1549, 174), (0xb36f, 1558, 183),
           (0xb28f, 1576, 201), (0xb323, 1596, 221))


def hello(name):
    """A short ClientHello, RFC 8446 section 4.1.2."""
    sni = struct.pack("!HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name
    body = (b"\x03\x03" + bytes(range(32)) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00" +
            struct.pack("!H", len(sni)) + sni)
    return b"\x16\x03\x01" + struct.pack("!HB", len(body) + 4, 1) + struct.pack(
        "!I", len(body))[1:] + body


class Connection:
    """One connection as seen next to its client; the server is 40 ms and 14 hops away."""

    def __init__(self, capture, request, port=None, timestamps=True):
        self.capture, self.timestamps = capture, timestamps
        self.port = (40001 + len(capture.connections), port or (80 if request == GET else 443))
        self.at = 1000000 * len(capture.connections)
        self.isn = (0x10000000, 0x20000000)
        self.next = [self.isn[0] + 1, self.isn[1] + 1]
        self.ids = [0x1000 * len(capture.connections), 0x7000 + 0x100 * len(capture.connections)]
        self.forged = []
        capture.connections.append(self)
        self.say(0, 0, "S", self.isn[0], 0)
        self.say(40000, 1, "SA", self.isn[1], self.next[0])
        self.say(40100, 0, "A", self.next[0], self.next[1])
        self.say(40900, 0, "PA", self.next[0], self.next[1], request)
        self.asked = self.next[0]
        self.next[0] += len(request)

    def put(self, at, who, ip, tcp, data=b""):
        pair = self.capture.pair
        packet = IP(src=pair[who], dst=pair[1 - who], **ip) / TCP(
            sport=self.port[who], dport=self.port[1 - who], **tcp)
        return self.capture.put(self.at + at, bytes(packet / Raw(data) if data else packet))

    def say(self, at, who, flags, seq, ack, data=b""):
        self.ids[who] += 1
        options = [("MSS", 1460)] if "S" in flags else []
        if self.timestamps:
            options += [("NOP", None), ("NOP", None), ("Timestamp", (1000 + at // 1000, 1))]
        self.put(at, who, {"ttl": (64, 50)[who], "id": self.ids[who], "flags": "DF"},
                 {"flags": flags, "seq": seq, "ack": ack, "window": 502, "options": options}, data)

    def forge(self, at, flags, data=b"", seq=None, ack=None, df=False, **stamp):
        """A packet in the server's name; stamp: id, ttl, window."""
        rst = isinstance(flags, str) and flags == "R" or isinstance(flags, int) and not flags & 16
        tcp = {"flags": 0, "seq": self.next[1] if seq is None else seq,
               "ack": ack if ack is not None else 0 if rst else self.next[0],
               "window": stamp["window"]}
        bits = flags if isinstance(flags, int) else int(TCP(flags=flags).flags)
        tcp["flags"] = bits & 0x1ff
        tcp["reserved"] = bits >> 9
        self.forged.append(self.put(at, 1, {"ttl": stamp["ttl"], "id": stamp["id"],
                                            "flags": "DF" if df else 0}, tcp, data))

    def late(self, data=OK):
        """What the server itself has to say, a round trip after the request."""
        self.say(81200, 1, "A", self.next[1], self.next[0])
        self.say(82000, 1, "PA", self.next[1], self.next[0], data)


class Capture:
    def __init__(self, name, pair=PAIR):
        self.name, self.pair = name, pair
        self.connections, self.packets, self.rows = [], [], []

    def put(self, at, data):
        assert not self.packets or at >= self.packets[-1][0]
        self.packets.append((at, data))
        return len(self.packets)

    def row(self, connection, device, note, expect="tcp-injection", verdict="confirmed", frames=None):
        a, b = self.pair
        self.rows.append("\t".join([
            self.name, f"tcp {a}:{connection.port[0]}>{b}:{connection.port[1]}", expect, verdict,
            device, ",".join(map(str, connection.forged if frames is None else frames)),
            "host=" + NAME.decode() if connection.port[1] == 80 else "sni=" + NAME.decode(),
            "client", "synthetic", note]))

    def write(self, folder):
        with open(os.path.join(folder, self.name), "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))
            for at, data in self.packets:
                f.write(struct.pack("<IIII", 1700000000 + at // 1000000, at % 1000000,
                                    len(data), len(data)) + data)
            assert f.tell() < 4096, (self.name, f.tell())


def tsg_ipid(pair, window, seed):
    """Listing 1 of Ablove et al. 2026; addresses are loaded little-endian."""
    sip, dip = (struct.unpack("<I", bytes(map(int, a.split("."))))[0] for a in pair)
    return (65535 - (window - dip % seed) * seed + sip % window) & 0xffff


def tsg():
    good = Capture("tsg-lineage.pcap", VECTOR_PAIR)
    for number, (ip_id, window, ttl) in enumerate(VECTORS):
        c = Connection(good, GET, timestamps=False)
        for copy in range(3):
            c.forge(50000 + 100 * copy, "RA", id=ip_id, window=window, ttl=ttl, df=True)
        if number < 2:
            c.late()
        good.row(c, "tsg-lineage", f"three RST+ACKs, vector {number + 1}, hops 16")
    near = Capture("tsg-near-miss.pcap", VECTOR_PAIR)
    for number, (ip_id, window, ttl) in enumerate(VECTORS[:3]):
        c = Connection(near, GET, timestamps=False)
        c.forge(50000, "RA", id=ip_id + (1, -1, 5)[number], window=window, ttl=ttl + number, df=True)
        c.late()
        near.row(c, "none", "IP-ID not quite the relation's, each by another distance")
    seed = Capture("tsg-other-seed.pcap")
    other = Capture("tsg-other-seed-near-miss.pcap")
    for capture, off in ((seed, 0), (other, 1)):
        for number, window in enumerate((500, 623, 911)):
            c = Connection(capture, GET, timestamps=False)
            c.forge(50000, "RA", id=tsg_ipid(PAIR, window, 29) + off * (number == 2),
                    window=window, ttl=243, df=True)
            c.late()
            capture.row(c, "none" if off else "tsg-lineage",
                        "one IP-ID off by one" if off
                        else "one reset of three of the pair: seed 29 recovered")
    return [good, near, seed, other]


def packetlogic():
    page = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://page.example/\r\nConnection: close\r\n\r\n"
    redirect = Capture("packetlogic-redirect.pcap")
    c = Connection(redirect, GET, timestamps=False)
    stamp = {"id": 0x3412, "window": 32120, "ttl": 50}
    c.forge(81000, "FA", page, **stamp)
    c.say(81100, 0, "FA", c.next[0], c.next[1] + len(page) + 1)
    c.forge(180000, "A", seq=c.next[1] + len(page) + 1, ack=c.next[0] + 1, **stamp)
    redirect.row(c, "sandvine-packetlogic", "307 on FIN+ACK, then a bare ACK", "http-injection")
    reset = Capture("packetlogic-reset.pcap")
    c = Connection(reset, GET, timestamps=False)
    c.forge(81000, "RA", **stamp)
    reset.row(c, "sandvine-packetlogic", "RST+ACK with all four constants, TTL as the server's")
    three = Capture("packetlogic-three-of-four.pcap")
    c = Connection(three, GET)
    c.forge(50000, "RA", df=True, **stamp)
    c.late()
    three.row(c, "sandvine-packetlogic", "RST+ACK with three of the four constants: DF set")
    near = Capture("packetlogic-near-miss.pcap")
    c = Connection(near, GET)
    c.forge(50000, "RA", id=0x3413, window=32121, ttl=50)
    c.late()
    near.row(c, "none", "two of the four constants")
    alike = Capture("packetlogic-counter.pcap")
    c = Connection(alike, GET, timestamps=False)
    for number in range(3):
        c.put(81000 + number, 1, {"ttl": 50, "id": 0x3411 + number, "flags": 0},
              {"flags": "FA" if number == 1 else "A", "seq": c.next[1], "ack": c.next[0],
               "window": 32120}, OK if number == 1 else b"")
        c.next[1] += len(OK) + 1 if number == 1 else 0
    alike.row(c, "none", "a server with this window, whose counter passes 0x3412", "none", "-", [])
    return [redirect, reset, three, near, alike]


def resets():
    """(file, device, note, packets): each a list of forge()'s arguments."""
    ten = bytes([1, 2, 3, 4, 5, 6, 7, 8, 9, 0])
    pk = {"flags": 0xf04, "id": 0x5b59, "window": 65535, "ttl": 44}
    henan = {"flags": "RA", "id": 1, "window": 0, "ttl": 58, "data": ten}
    tj = {"flags": "RA", "id": 0x4321, "window": 0, "ttl": 60, "data": bytes(22)}
    tm = {"flags": "R", "id": 30000, "window": 0, "ttl": 119, "seq": 0}
    gfw = {"flags": "RA", "id": 0xcec8, "window": 1044, "ttl": 71, "df": True}
    sv = {"flags": "R", "window": 10240, "ttl": 21}
    isn = 0x20000001
    step = [{"flags": "RA", "df": True, "id": 0x2000 + 0x1111 * n, "window": 1980 + 7 * n,
             "ttl": 70 + 7 * n} for n in range(3)]
    table = (
        ("pk-rst", "pk-rst", "RST with AE and reserved bits, no DF", [pk]),
        ("pk-rst-near-miss-df", "none", "the same with DF", [dict(pk, df=True)]),
        ("pk-rst-near-miss-two", "none", "two of them", [pk, pk]),
        ("pk-rst-near-miss-flags", "none", "RST+ACK with AE alone", [dict(pk, flags=0x114)]),
        ("gfw-henan", "gfw-henan", "RST+ACK, IP-ID 1, ten counted bytes", [henan]),
        ("gfw-henan-near-miss", "none", "the last byte is 10",
         [dict(henan, data=ten[:9] + b"\x0a")]),
        ("gfw-henan-near-miss-id", "none", "IP-ID 2", [dict(henan, id=2)]),
        ("tajikistan", "tajikistan", "RST+ACK with 22 zero bytes", [tj]),
        ("tajikistan-near-miss", "none", "21 zero bytes", [dict(tj, data=bytes(21))]),
        ("turkmenistan", "turkmenistan", "RST, seq 0, IP-ID 30000, hops 9", [tm]),
        ("turkmenistan-near-miss", "none", "IP-ID 30001", [dict(tm, id=30001)]),
        ("gfw-2", "gfw-2", "three identical RST+ACKs", [gfw] * 3),
        ("gfw-2-near-miss", "none", "three RST+ACKs with an IP-ID each",
         [dict(gfw, id=0xcec8 + 300 * n) for n in range(3)]),
        ("sandvine-2008", "sandvine-2008", "RST pair, 12503 apart",
         [dict(sv, id=0x1204, seq=isn), dict(sv, id=0x1206, seq=isn + 12503)]),
        ("sandvine-2008-near-miss", "none", "RST pair, 12504 apart",
         [dict(sv, id=0x1204, seq=isn), dict(sv, id=0x1206, seq=isn + 12504)]),
        ("lockstep", "ttl-window-lockstep", "three RST+ACKs, window - TTL = 1910", step),
        ("lockstep-near-miss", "none", "the third TTL is one off",
         step[:2] + [dict(step[2], ttl=85)]),
    )
    out = []
    for name, device, note, packets in table:
        capture = Capture(name + ".pcap")
        c = Connection(capture, hello(NAME))
        for number, packet in enumerate(packets):
            c.forge(50000 + 150 * number, **packet)
        c.late(b"\x16\x03\x03\x00\x04\x02\x00\x00\x00")
        # Of several resets some may be nobody's in particular.
        capture.row(c, device, note, frames=c.forged[:1])
        out.append(capture)
    return out


def pages():
    frame = (b'HTTP/1.1 403 Forbidden\r\n\r\n<html><body><iframe src="http://10.10.%d.34?type='
             b'Invalid Site&policy=MainPolicy" style="width: 100%%"></iframe></body></html>\r\n')
    bare = (b"<html><head><title>Not accessible</title></head><body>This site contains content "
            b"that is prohibited for viewership %s Pakistan.</body></html>")
    table = (
        ("iran-http", "iran-http", "403 that frames 10.10.34.34", "PA", frame % 34),
        ("iran-http-near-miss", "none", "403 that frames 10.10.35.34", "PA", frame % 35),
        ("pk-page", "pk-page", "page without status line", "FA", bare % b"from within"),
        ("pk-page-near-miss", "none", "page of other words", "FA", bare % b"in"),
    )
    out = []
    for name, device, note, flags, data in table:
        capture = Capture(name + ".pcap")
        c = Connection(capture, GET)
        c.forge(50000, flags, data, id=0x4c57, window=16384, ttl=83)
        c.late()
        capture.row(c, device, note, "http-injection")
        out.append(capture)
    return out


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", "pcaps", "devices")
    os.makedirs(folder, exist_ok=True)
    rows = ["\t".join(("file", "flow", "expect", "min_verdict", "device", "frames", "trigger",
                       "vantage", "origin", "note"))]
    for capture in tsg() + packetlogic() + resets() + pages():
        capture.write(folder)
        rows += capture.rows
    with open(os.path.join(folder, "MANIFEST"), "w", encoding="utf-8") as f:
        f.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
