#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""ASN and country from databases made here: geo.py WMSCOPE CAPTURE

Writes small databases of MaxMind's format (version 2.0 of its published specification), and looks at the
flows of a capture of this project's lab, whose client is 192.0.2.10 and whose server 203.0.113.10.
"""
import ipaddress
import json
import os
import struct
import subprocess
import sys
import tempfile


def encode(value):
    """The data section's encoding of what is needed here."""
    def control(kind, size):
        assert size < 285
        head = bytes([kind << 5 | min(size, 29)]) if kind < 8 else bytes([min(size, 29), kind - 7])
        return head + (bytes([size - 29]) if size >= 29 else b"")
    if isinstance(value, str):
        raw = value.encode()
        return control(2, len(raw)) + raw
    if isinstance(value, int):
        value = (6, value)
    if isinstance(value, tuple):
        raw = value[1].to_bytes(8, "big").lstrip(b"\0")
        return control(value[0], len(raw)) + raw
    if isinstance(value, list):
        return control(11, len(value)) + b"".join(map(encode, value))
    return control(7, len(value)) + b"".join(encode(k) + encode(v) for k, v in value.items())


def database(path, networks):
    """networks: {"192.0.2.0/24": {...}}; one tree of IPv6, IPv4 below ::/96."""
    nodes, data = [[None, None]], b""
    for text, value in networks.items():
        net = ipaddress.ip_network(text)
        bits = int(net.network_address) << (128 - net.max_prefixlen if net.version == 6 else 0)
        length = net.prefixlen + (96 if net.version == 4 else 0)
        at, offset = 0, len(data)
        data += encode(value)
        for depth in range(length):
            bit = bits >> (127 - depth) & 1
            if depth == length - 1:
                nodes[at][bit] = ("data", offset)
            elif not isinstance(nodes[at][bit], int):
                nodes.append([None, None])
                nodes[at][bit] = len(nodes) - 1
            at = nodes[at][bit] if depth < length - 1 else at
    count, tree = len(nodes), b""
    for node in nodes:
        for record in node:
            number = count if record is None else record
            if isinstance(record, tuple):
                number = count + 16 + record[1]
            tree += number.to_bytes(4, "big")
    meta = {"node_count": count, "record_size": (5, 32), "ip_version": (5, 6),
            "database_type": "test", "languages": ["en"], "binary_format_major_version": (5, 2),
            "binary_format_minor_version": (5, 0), "build_epoch": (9, 1700000000),
            "description": {"en": "made by a test"}}
    with open(path, "wb") as out:
        out.write(tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + encode(meta))


def flows(wmscope, capture, *options, status=(0, 1)):
    run = subprocess.run([wmscope, "analyze", "-q", "--no-ndpi", *options, "--jsonl", "-", capture],
                         capture_output=True, check=False)
    assert run.returncode in status, f"{options}: exit {run.returncode}: {run.stderr.decode()}"
    return [e for e in map(json.loads, run.stdout.splitlines()) if e["event_type"] == "flow"]


def main():
    wmscope, capture = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as folder:
        asn, country = (os.path.join(folder, n) for n in ("asn.mmdb", "country.mmdb"))
        database(asn, {"192.0.2.0/24": {"autonomous_system_number": 64496,
                                        "autonomous_system_organization": "Lab \x1b Net"},
                       "203.0.113.0/24": {"asn": "AS64497", "as_name": "Server Net"}})
        database(country, {"192.0.2.0/24": {"country": {"iso_code": "AQ"}},
                           "203.0.113.10/32": {"country": "BV"}})
        plain = [f for f in flows(wmscope, capture) if f["src_ip"] == "192.0.2.10"]
        assert plain and not any("src_asn" in f or "src_country" in f for f in plain)
        run = subprocess.run([wmscope, "analyze", "-q", "--asn-db", asn, capture],
                             capture_output=True, check=False)
        if b"without libmaxminddb" in run.stderr:
            print("skipped: built without libmaxminddb")
            return 77
        both = [f for f in flows(wmscope, capture, "--asn-db", asn, "--asn-db", country)
                if f["src_ip"] == "192.0.2.10"]
        assert len(both) == len(plain)
        for f in both:
            assert (f["src_asn"], f["src_country"]) == (64496, "AQ"), f
            assert (f["dest_asn"], f["dest_country"]) == (64497, "BV"), f
            assert f["src_as_org"] == "Lab \x1b Net" and f["dest_as_org"] == "Server Net", f
        # What the user says of the clients stands above the database, and is not said of servers.
        said = [f for f in flows(wmscope, capture, "--asn-db", country, "--country", "pk")
                if f["src_ip"] == "192.0.2.10"]
        assert all(f["src_country"] == "PK" and f["dest_country"] == "BV" for f in said)
        for wrong in (["--country", "PAK"], ["--country", "1x"],
                      ["--asn-db", os.path.join(folder, "none.mmdb")], ["--asn-db", capture]):
            run = subprocess.run([wmscope, "analyze", "-q", *wrong, capture], capture_output=True,
                                 check=False)
            assert run.returncode in (2, 3, 4), f"{wrong}: exit {run.returncode}"
            assert run.stderr.count(b"\n") >= 1 and (wrong[0] == "--country" or
                                                     wrong[1].encode() in run.stderr), wrong
    print(f"{len(plain)} flows placed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
