#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes pcaps/synthetic/: one connection, in the wrappings that decode knows.

A client asks for a page over plain HTTP; a forged reset of another TTL and IP-ID, without timestamps,
comes back before the server's own answer does. The wrappings are those that the lab's kernel cannot be
asked for. Needs scapy; the output is the same at every run. Argument: the folder, if another one.
"""
import os
import struct
import sys

from scapy.config import conf
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6
from scapy.layers.l2 import (
    GRE, LLC, SNAP, CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Dot3, Ether, Loopback)
from scapy.layers.ppp import HDLC, PPP, PPPoE
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

conf.verb = 0
CLIENT, SERVER = 0, 1
MACS = ["02:00:00:00:00:0c", "02:00:00:00:00:05"]
HOSTS = {4: ["192.0.2.10", "203.0.113.80"], 6: ["2001:db8:1::10", "2001:db8:2::80"]}
ENDS = {4: ["198.51.100.1", "198.51.100.2"], 6: ["2001:db8:ffff::1", "2001:db8:ffff::2"]}
PORTS = [40123, 80]
LINK = {"null": 0, "ethernet": 1, "ppp": 9, "raw": 101, "c-hdlc": 104, "sll": 113, "ppi": 192,
        "sll2": 276}
FORGED = 5          # the frame in the connection, from 1

REQUEST = (b"GET /news HTTP/1.1\r\nHost: blocked.example\r\nUser-Agent: fixture/1\r\n"
           b"Cookie: " + b"0123456789abcdef" * 30 + b"\r\nAccept: */*\r\n\r\n")
PAGE = b"<p>the page that was asked for</p>\n" * 20
ANSWER = (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(PAGE)
          + PAGE)


def connection(version):
    """(sender, IP packet, microseconds since the start), as seen close to the client"""
    ids = [0x1000, 0x7000]
    clock = [100000, 990000]
    seen = [0, 0]
    out = []

    def say(at, who, flags, seq, ack, data=b"", forged=False):
        options = []
        if not forged:
            clock[who] += 10
            options = [("NOP", None), ("NOP", None), ("Timestamp", (clock[who], seen[1 - who]))]
            seen[who] = clock[who]
            ids[who] += 1
        if "S" in flags:
            options = [("MSS", 1460), ("SAckOK", b""), options[-1], ("NOP", None), ("WScale", 7)]
        ttl = 58 if forged else (64, 49)[who]
        source, target = HOSTS[version][who], HOSTS[version][1 - who]
        if version == 4:
            ip = IP(src=source, dst=target, ttl=ttl, id=0xd431 if forged else ids[who],
                    flags=0 if forged else "DF")
        else:
            ip = IPv6(src=source, dst=target, hlim=ttl, fl=0 if forged else 0x12300 + who)
        tcp = TCP(sport=PORTS[who], dport=PORTS[1 - who], flags=flags, seq=seq, ack=ack,
                  window=0 if forged else 502, options=options)
        out.append((who, ip / tcp / Raw(data) if data else ip / tcp, at))

    c, s = 0x10000000, 0xfffffff0       # the server's wraps within the answer
    nc, ns = c + 1, s + 1
    say(0, CLIENT, "S", c, 0)
    say(40000, SERVER, "SA", s, nc)
    say(40100, CLIENT, "A", nc, ns)
    say(40900, CLIENT, "PA", nc, ns, REQUEST)
    say(53000, SERVER, "RA", ns, nc + len(REQUEST), forged=True)
    say(81200, SERVER, "A", ns, nc + len(REQUEST))
    say(83000, SERVER, "PA", ns, nc + len(REQUEST), ANSWER)
    say(83100, CLIENT, "R", nc + len(REQUEST), 0)
    return out


def ether(who, payload):
    return Ether(src=MACS[who], dst=MACS[1 - who]) / payload


def outer(who, version=4, **fields):
    layer = IP(ttl=255, id=0, flags=0) if version == 4 else IPv6(hlim=255)
    layer.src, layer.dst = ENDS[version][who], ENDS[version][1 - who]
    for name, value in fields.items():
        setattr(layer, name, value)
    return layer


def mac_bytes(who):
    return bytes.fromhex(MACS[who].replace(":", "")) + b"\0\0"


def llc_snap(who, p):
    inner = LLC() / SNAP(code=0x0800) / p
    return Dot3(src=MACS[who], dst=MACS[1 - who], len=len(inner)) / inner


def mpls(who, p):
    """two labels towards the server, one towards the client"""
    if who == SERVER:
        return ether(who, MPLS(label=31, s=1, ttl=250) / p)
    return ether(who, MPLS(label=17, s=0, ttl=250) / MPLS(label=1001, s=1, ttl=250) / p)


def mpls_php(who, p):
    """the last hop before this one took the labels off"""
    return mpls(who, p) if who == CLIENT else ether(who, p)


def ppi(who, p):
    return Raw(bytes([0, 0, 8, 0, LINK["raw"], 0, 0, 0])) / p


def gre(who, p, **fields):
    return ether(who, outer(who) / GRE(**fields) / p)


def vxlan(who, p):
    return ether(who, outer(who) / UDP(sport=50000 + who, dport=4789)
                 / VXLAN(flags="Instance", vni=4711) / ether(who, p))


def gtp(who, p):
    """a TEID of its own in each direction; towards the phone with the PDU session container of 5G"""
    teid = (0x1000, 0x2000)[who]
    more = b"" if who == CLIENT else b"\0\0\0\x85\x01\x10\x01\0"
    head = struct.pack(">BBHI", 0x34 if more else 0x30, 255, len(more) + len(p), teid) + more
    return ether(who, outer(who) / UDP(sport=2152, dport=2152) / Raw(head) / p)


def geneve(who, p):
    """with an option"""
    head = struct.pack(">BBHI", 2, 0, 0x6558, 4711 << 8) + b"\x01\x08\x81\x01\xaa\xbb\xcc\xdd"
    return ether(who, outer(who) / UDP(sport=50000 + who, dport=6081) / Raw(head) / ether(who, p))


def erspan(kind):
    """both directions from the switch to the collector, each in a session of its own"""
    def wrap(who, p):
        head = b""
        if kind == 2:
            head = struct.pack(">II", 0x10640000 | 5 + who, 7)
        elif kind == 3:
            head = struct.pack(">IIIQ", 0x20640000 | 5 + who, 12345, 1, 0x0400000000000001)
        shell = GRE(proto=0x22eb if kind == 3 else 0x88be)
        if kind > 1:
            shell.seqnum_present, shell.sequence_number = 1, 99
        return ether(CLIENT, outer(CLIENT) / shell / Raw(head) / ether(who, p))
    return wrap


def split(who, packet):
    """the larger segments in three pieces"""
    if len(packet) < 500:
        return [packet]
    if packet.version == 4:
        packet.flags = 0
        return fragment(packet, fragsize=(len(packet) // 3 + 7) & ~7)
    ip, rest = packet.copy(), packet.payload
    ip.remove_payload()
    ip.nh, ip.plen = 44, None
    whole = ip / IPv6ExtHdrFragment(nh=6, id=0xabcd0000 + who) / rest
    return fragment6(whole, len(packet) // 3 + 60)


def in_order(who, p):
    return [ether(who, x) for x in split(who, p)]


def out_of_order(who, p):
    pieces = in_order(who, p)
    return pieces[1:] + pieces[:1]


def gre_fragments(who, p):
    packet = outer(who, id=0x4000 + p.payload.seq % 251) / GRE() / p
    packet = IP(bytes(packet))
    return [ether(who, x) for x in split(who, packet)]


def vxlan_fragments(who, p):
    return [vxlan(who, x) for x in split(who, p)]


# name: link type, IP version, wrapping, what to say of it
CASES = {
    "vlan": ("ethernet", 4, lambda w, p: ether(w, Dot1Q(vlan=100) / p), "VLAN 100"),
    "qinq": ("ethernet", 4, lambda w, p: ether(w, Dot1AD(vlan=200) / Dot1Q(vlan=100) / p),
             "VLAN 100 in 200"),
    "llc-snap": ("ethernet", 4, llc_snap, "802.3 with LLC and SNAP"),
    "null": ("null", 4, lambda w, p: Loopback(type=2) / p, "BSD loopback"),
    "sll": ("sll", 4, lambda w, p: CookedLinux(pkttype=(4, 0)[w], src=mac_bytes(w), proto=0x800) / p,
            "Linux cooked"),
    "sll2": ("sll2", 4, lambda w, p: CookedLinuxV2(
        pkttype=(4, 0)[w], src=mac_bytes(w), lladdrtype=1, lladdrlen=6, ifindex=2, proto=0x800) / p,
             "Linux cooked 2"),
    "raw": ("raw", 4, lambda w, p: p, "bare IPv4"),
    "raw-v6": ("raw", 6, lambda w, p: p, "bare IPv6"),
    "ppp": ("ppp", 4, lambda w, p: HDLC() / PPP(proto=0x21) / p, "PPP"),
    "c-hdlc": ("c-hdlc", 4, lambda w, p: Raw(b"\x0f\0\x08\0") / p, "Cisco HDLC"),
    "ppi": ("ppi", 4, ppi, "per-packet information before bare IP"),
    "pppoe": ("ethernet", 4, lambda w, p: ether(w, PPPoE(sessionid=7) / PPP(proto=0x21) / p),
              "PPPoE session 7"),
    "mpls": ("ethernet", 4, mpls, "MPLS, other labels in each direction"),
    "mpls-php": ("ethernet", 4, mpls_php, "MPLS in one direction only"),
    "gre": ("ethernet", 4, gre, "GRE"),
    "gre-key": ("ethernet", 4, lambda w, p: gre(
        w, p, chksum_present=1, key_present=1, key=42, seqnum_present=1, sequence_number=w),
        "GRE with checksum, key and sequence number"),
    "gre-teb": ("ethernet", 4, lambda w, p: gre(w, ether(w, p), proto=0x6558), "Ethernet in GRE"),
    "ipip": ("ethernet", 4, lambda w, p: ether(w, outer(w) / p), "IPv4 in IPv4"),
    "6in4": ("ethernet", 6, lambda w, p: ether(w, outer(w, proto=41) / p), "IPv6 in IPv4"),
    "4in6": ("ethernet", 4, lambda w, p: ether(w, outer(w, 6, nh=4) / p), "IPv4 in IPv6"),
    "6in6": ("ethernet", 6, lambda w, p: ether(w, outer(w, 6, nh=41) / p), "IPv6 in IPv6"),
    "vxlan": ("ethernet", 4, vxlan, "VXLAN 4711"),
    "gtp": ("ethernet", 4, gtp, "GTP-U, another TEID in each direction"),
    "gtp-v6": ("ethernet", 6, gtp, "IPv6 in GTP-U"),
    "geneve": ("ethernet", 4, geneve, "Geneve 4711 with an option"),
    "erspan": ("ethernet", 4, erspan(1), "ERSPAN type I"),
    "erspan-2": ("ethernet", 4, erspan(2), "ERSPAN type II, a session for each direction"),
    "erspan-3": ("ethernet", 4, erspan(3), "ERSPAN type III with a platform's header"),
    "fragments": ("ethernet", 4, in_order, "IPv4 fragments"),
    "fragments-reordered": ("ethernet", 4, out_of_order, "IPv4 fragments, the first one last"),
    "fragments-v6": ("ethernet", 6, in_order, "IPv6 fragments"),
    "fragments-v6-reordered": ("ethernet", 6, out_of_order, "IPv6 fragments, the first one last"),
    "gre-fragments": ("ethernet", 4, gre_fragments, "GRE in IPv4 fragments"),
    "vxlan-fragments": ("ethernet", 4, vxlan_fragments, "IPv4 fragments, each in VXLAN 4711"),
}


def write(path, link, version, wrap):
    """returns the frame number of the forged packet"""
    forged = number = 0
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, LINK[link]))
        for index, (who, packet, at) in enumerate(connection(version), 1):
            wrapped = wrap(who, packet.__class__(bytes(packet)))
            for i, frame in enumerate(wrapped if isinstance(wrapped, list) else [wrapped]):
                number += 1
                data = bytes(frame)
                if link == "ethernet":
                    data = data.ljust(60, b"\0")
                out.write(struct.pack("<IIII", 1700000000, at + i, len(data), len(data)) + data)
            if index == FORGED:
                forged = number
    return forged


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", "pcaps", "synthetic")
    os.makedirs(folder, exist_ok=True)
    rows = ["file flow expect min_verdict device frames trigger vantage origin note".split()]
    for name, (link, version, wrap, note) in CASES.items():
        forged = write(os.path.join(folder, name + ".pcap"), link, version, wrap)
        ends = ["%s:%d" % (("%s", "[%s]")[version == 6] % HOSTS[version][i], PORTS[i])
                for i in (0, 1)]
        rows.append([name + ".pcap", "tcp " + ">".join(ends), "tcp-injection", "confirmed", "-",
                     str(forged), "host=blocked.example", "client", "synthetic",
                     "forged reset before the server's answer; " + note])
    with open(os.path.join(folder, "MANIFEST"), "w", encoding="utf-8") as out:
        out.writelines("\t".join(row) + "\n" for row in rows)


if __name__ == "__main__":
    main()
