#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Makes the seeds of fuzz_testimony anew, which a change of what testimony holds outdates:
seeds_testimony.py WMSCOPE PCAPS OUT
"""
import os
import struct
import subprocess
import sys
import tempfile

HEAD = 18 + 2 + 16 + 8 # tools/privacy/seal.h
SEEDS = {"report-1": ["boxes-rst-drop"], "report-2": ["dns-onpath", "quic-sni-drop"],
         "report-3": ["page-onpath", "tls-mitm"]}


def payload(data):
    """What the blocks hold, behind the layout's hash."""
    at, out, last = HEAD, b"", False
    while not last:
        n, = struct.unpack("<I", data[at:at + 4])
        last, n = n >> 31 != 0, n & 0x7fffffff
        out += data[at + 4:at + 4 + n]
        at += 4 + n + 16
    n = 0
    while out[n] & 0x80:
        n += 1
    return out[n + 1:]


def main():
    wmscope, pcaps, to = map(os.path.abspath, sys.argv[1:])
    for name, captures in SEEDS.items():
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([wmscope, "analyze", "-q", "--show-clients", "--fail-on", "never", "-o", folder,
                            *[f"{c}/client.pcap" for c in captures]], check=True, cwd=pcaps)
            with open(os.path.join(folder, "testimony.bin"), "rb") as f:
                data = payload(f.read())
        with open(os.path.join(to, name), "wb") as f:
            f.write(data)


if __name__ == "__main__":
    main()
