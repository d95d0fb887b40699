#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""hosts.py OUT N: a capture of N handshakes that a server resets, each between two hosts of their own in
networks of their own, so that everything that is kept of hosts fills up soon. For soak.sh.
"""
import random
import struct
import sys

SYN, RST, ACK = 2, 4, 16
MACS = (b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02")


def total(data):
    n = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while n >> 16:
        n = (n & 0xffff) + (n >> 16)
    return ~n & 0xffff


def frame(ends, ports, way, flags, seq, ack):
    source, target = ends[way], ends[1 - way]
    tcp = struct.pack("!HHIIBBHHH", ports[way], ports[1 - way], seq, ack, 0x50, flags, 5000, 0, 0)
    tcp = tcp[:16] + struct.pack("!H", total(source + target + b"\0\6\0\x14" + tcp)) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, seq & 0xffff, 0x4000, 64, 6, 0) + source + target
    ip = ip[:10] + struct.pack("!H", total(ip)) + ip[12:]
    return (MACS[1 - way] + MACS[way] + b"\x08\0" + ip + tcp).ljust(60, b"\0")


def main():
    path, n, at = sys.argv[1], int(sys.argv[2]), 0
    rng = random.Random(1)
    with open(path, "wb") as out:
        out.write(struct.pack("=IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 65535, 1))
        for i in range(n):
            ends = [struct.pack("!I", 0x0a000000 | i & 0xffffff),
                    struct.pack("!I", 0x20000000 + (i * 2654435761 & 0x3fffffff))]
            ports, isn = (1024 + i % 60000, 443), rng.getrandbits(30)
            for data in (frame(ends, ports, 0, SYN, isn, 0), frame(ends, ports, 1, SYN | ACK, 7, isn + 1),
                         frame(ends, ports, 1, RST, 8, 0)):
                out.write(struct.pack("=IIII", at // 10**9, at % 10**9, len(data), len(data)) + data)
                at += 10_000


if __name__ == "__main__":
    main()
