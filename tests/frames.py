#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Frames of pcap files, for tests: frames.py same WANT GOT [TIMES] | sources FILE | rate FILE

same: the frames of WANT, TIMES times over, and no others, in this order; sources: how many frames each
IPv4 source sent; rate: frames a second between the first and the last.
"""
import collections
import ipaddress
import struct
import sys

MAGICS = {0xa1b2c3d4: 1000, 0xa1b23c4d: 1}


def read(path):
    """[(ns, bytes, length on the wire)]"""
    with open(path, "rb") as f:
        data = f.read()
    order = "<" if struct.unpack("<I", data[:4])[0] in MAGICS else ">"
    unit = MAGICS[struct.unpack(order + "I", data[:4])[0]]
    at, frames = 24, []
    while at < len(data):
        seconds, part, caplen, length = struct.unpack(order + "IIII", data[at:at + 16])
        frames.append((seconds * 10**9 + part * unit, data[at + 16:at + 16 + caplen], length))
        at += 16 + caplen
    return frames


def write(path, frames, linktype=1):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 262144, linktype))
        for ns, data, length in frames:
            f.write(struct.pack("<IIII", ns // 10**9, ns % 10**9, len(data), length) + data)


def same(want, got, times=1):
    """None, or where they part."""
    want = want * times
    for number, (a, b) in enumerate(zip(want, got), 1):
        if a != b:
            return f"frame {number} is not what it should be:\n{a.hex()}\n{b.hex()}"
    return None if len(want) == len(got) else f"{len(got)} frames, not {len(want)}"


def main():
    frames = read(sys.argv[2])
    if sys.argv[1] == "same":
        times = int(sys.argv[4]) if len(sys.argv) > 4 else 1
        wrong = same([f[1] for f in frames], [f[1] for f in read(sys.argv[3])], times)
        if wrong:
            print(wrong)
            return 1
    elif sys.argv[1] == "sources":
        counts = collections.Counter(str(ipaddress.ip_address(f[1][26:30])) for f in frames)
        print(*(f"{a}:{n}" for a, n in sorted(counts.items())))
    elif sys.argv[1] == "rate":
        print((len(frames) - 1) / ((frames[-1][0] - frames[0][0]) / 1e9))
    return 0


if __name__ == "__main__":
    sys.exit(main())
