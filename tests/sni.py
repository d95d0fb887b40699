#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The server name must be found however the ClientHello arrives: sni.py WMSCOPE

One connection for every way of cutting: at every byte, in any order, overlapping from both sides, over two
TLS records, over two segments with a hello of post-quantum size, over IPv6, and across 2^32. And among decoys
that die on the way, as evasion tools send them (Bock et al., Geneva, CCS 2019), or as such a packet alone,
a traceroute's.
"""
import ipaddress
import json
import os
import struct
import subprocess
import sys
import tempfile

NAME = b"blocked.example"


def extension(kind, body):
    return struct.pack("!HH", kind, len(body)) + body


def handshake(size=0, name=NAME):
    """A ClientHello; padded by a key share of `size` bytes, as post-quantum ones are."""
    sni = struct.pack("!HBH", len(name) + 3, 0, len(name)) + name
    share = struct.pack("!HHH", size + 4, 0x11ec, size) + bytes(size)
    exts = (extension(51, share) if size else b"") + extension(0, sni) + \
        extension(43, b"\x02\x03\x04") + extension(16, b"\x00\x03\x02h2")
    body = b"\x03\x03" + bytes(range(32)) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00" + \
        struct.pack("!H", len(exts)) + exts
    return b"\x01" + struct.pack("!I", len(body))[1:] + body


def records(message, *cuts):
    out, at = b"", 0
    for end in list(cuts) + [len(message)]:
        out += b"\x16\x03\x01" + struct.pack("!H", end - at) + message[at:end]
        at = end
    return out


def among_decoys():
    """Segments with few hops beside the true ones: (offset, bytes, TTL)."""
    hello = records(handshake())
    other, noise = records(handshake(name=b"innocent.sample")), bytes(255 - b for b in hello)
    yield "a traceroute's packet", [(0, hello, 9)]
    yield "a traceroute's packet, then with more hops", [(0, hello, 9), (0, hello, 10)]
    yield "behind a decoy", [(0, other, 5), (0, hello)]
    yield "behind six decoys", [(0, other, 5)] * 6 + [(0, hello)]
    yield "behind half a decoy", [(0, other[:60], 5), (0, hello)]
    yield "behind a decoy of noise", [(0, noise, 5), (0, hello)]
    yield "before a decoy", [(0, hello), (0, other, 5)]
    for i in (1, 5, 60, len(hello) - 20):
        halves = [(0, i), (i, len(hello))]
        for what, order in ("", halves), (", second part first", halves[::-1]):
            yield f"cut at {i} among decoys{what}", [
                part for a, b in order for part in ((a, noise[a:b], 5), (a, hello[a:b]), (a, noise[a:b], 5))]
            yield f"cut at {i} behind a decoy{what}", [(0, other, 5)] + [(a, hello[a:b]) for a, b in order]


def ways():
    """(what it is, [(offset in the stream, bytes)…])"""
    yield from among_decoys()
    hello = records(handshake())
    for i in range(1, len(hello)):
        head, tail = (0, hello[:i]), (i, hello[i:])
        yield f"cut at {i}", [head, tail]
        yield f"cut at {i}, second part first", [tail, head]
    yield "one byte a segment", [(i, hello[i:i + 1]) for i in range(len(hello))]
    yield "one byte a segment, backwards", [(i, hello[i:i + 1]) for i in reversed(range(len(hello)))]
    for i in range(20, len(hello) - 20, 7):
        yield f"overlap of 20 at {i}", [(0, hello[:i + 20]), (i - 20, hello[i - 20:])]
        yield f"overlap of 20 at {i}, second part first", [(i - 20, hello[i - 20:]), (0, hello[:i + 20])]
        yield f"part {i} sent again inside the whole", [(i, hello[i:i + 10]), (0, hello)]
        yield f"hole at {i} filled last", [(0, hello[:i]), (i + 10, hello[i + 10:]), (i, hello[i:i + 10])]
    message = handshake()
    for i in range(1, len(message)):
        yield f"two records, cut at {i}", [(0, records(message, i))]
    yield "a record for every byte", [(0, records(message, *range(1, len(message))))]
    big = records(handshake(1216))
    for i in (536, 1400, 1448, len(big) - 1):
        yield f"post-quantum size, two segments, cut at {i}", [(0, big[:i]), (i, big[i:])]
        yield f"post-quantum size, second segment first, {i}", [(i, big[i:]), (0, big[:i])]


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data + b"\x00" * (len(data) % 2))
                if len(data) % 2 == 0 else struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\x00"))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packet(src, dst, sport, dport, seq, ack, flags, data=b"", ttl=64):
    a, b = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    tcp = struct.pack("!HHIIBBHHH", sport, dport, seq % 2**32, ack % 2**32, 0x50, flags, 64240, 0, 0)
    pseudo = a.packed + b.packed + struct.pack("!II", len(tcp) + len(data), 6)
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp + data)) + tcp[18:]
    if a.version == 6:
        ip = struct.pack("!IHBB", 0x60000000, len(tcp) + len(data), 6, ttl) + a.packed + b.packed
    else:
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp) + len(data), 1, 0x4000, ttl, 6, 0)
        ip += a.packed + b.packed
    return ip + tcp + data


def connection(ends, port, isn, parts):
    client, server = ends
    yield packet(client, server, port, 443, isn, 0, 0x02)
    yield packet(server, client, 443, port, 9000, isn + 1, 0x12)
    yield packet(client, server, port, 443, isn + 1, 9001, 0x10)
    for offset, data, *ttl in parts:
        yield packet(client, server, port, 443, isn + 1 + offset, 9001, 0x18, data, *ttl)


def main():
    cases, frames = {}, []
    for ends in (("192.0.2.1", "198.51.100.1"), ("2001:db8::1", "2001:db8:1::1")):
        for n, (what, parts) in enumerate(ways()):
            port = 10000 + n
            # Every other connection begins so that its hello crosses 2^32.
            isn = 2**32 - 40 if n % 2 else 1000
            cases[ends[0], port] = what
            frames += connection(ends, port, isn, parts)
    path = os.path.join(tempfile.mkdtemp(), "sni.pcap")
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 101))
        for i, data in enumerate(frames):
            out.write(struct.pack("<IIII", 1700000000 + i // 1000, i % 1000 * 1000, len(data), len(data)))
            out.write(data)
    run = subprocess.run([sys.argv[1], "analyze", "-q", "--no-ndpi", "--jsonl", "-", path],
                         capture_output=True, timeout=120, check=False)
    os.unlink(path)
    os.rmdir(os.path.dirname(path))
    found = {}
    for line in run.stdout.splitlines():
        event = json.loads(line)
        if event["event_type"] == "flow":
            found[event["src_ip"], event["src_port"]] = event.get("tls", {}).get("sni")
    missed = [f"{key}: {what}: {found.get(key)}" for key, what in cases.items()
              if found.get(key) != NAME.decode()]
    print("\n".join(missed[:20]))
    print(f"{len(cases) - len(missed)} of {len(cases)} connections gave their name")
    return 1 if missed or run.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
